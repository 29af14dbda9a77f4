//! How long something takes, over millions of times, in a fixed amount of memory.

use crate::domain::units::MediaTime;

/// Steps to each doubling: a figure is exact to an eighth.
const STEPS: usize = 8;

/// Up to 2^24 microseconds, which is 16 seconds; longer ones count as that.
const BUCKETS: usize = 24 * STEPS;

/// A histogram of delays on a logarithmic scale.
#[derive(Clone, Debug)]
pub struct Delays {
    counts: [u64; BUCKETS],
    total: u64,
    longest: MediaTime,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            counts: [0; BUCKETS],
            total: 0,
            longest: MediaTime::ZERO,
        }
    }
}

impl Delays {
    /// It took so long.
    pub fn add(&mut self, delay: MediaTime) {
        let micros = (delay.nanos() / 1000).max(1) as f64;
        let bucket = (micros.log2() * STEPS as f64) as usize;
        self.counts[bucket.min(BUCKETS - 1)] += 1;
        self.total += 1;
        self.longest = self.longest.max(delay);
    }

    /// How often something was timed.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The longest of all.
    pub fn longest(&self) -> MediaTime {
        self.longest
    }

    /// The delay that this share of all does not exceed, from 0 to 1, rounded up to the scale; zero where nothing was
    /// timed.
    pub fn quantile(&self, share: f64) -> MediaTime {
        let wanted = (self.total as f64 * share).ceil() as u64;
        let mut sum = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            sum += count;
            // The last bucket has no upper end.
            if sum >= wanted && sum > 0 && bucket + 1 < BUCKETS {
                let micros = ((bucket + 1) as f64 / STEPS as f64).exp2();
                let upper = MediaTime::from_nanos((micros * 1000.0) as i64);
                return upper.min(self.longest);
            }
        }
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_told_within_an_eighth_and_never_too_low() {
        let mut delays = Delays::default();
        assert_eq!(delays.quantile(0.5), MediaTime::ZERO);
        for micros in 1..=10_000 {
            delays.add(MediaTime::from_nanos(micros * 1000));
        }
        for share in [0.01, 0.5, 0.9, 0.999] {
            let told = delays.quantile(share).nanos() as f64 / 1e7;
            assert!(
                told >= share && told <= share * 1.1 + 0.0002,
                "{share}: {told}"
            );
        }
        assert_eq!(delays.longest(), MediaTime::from_millis(10));
        delays.add(MediaTime::from_seconds(100));
        assert_eq!(
            (delays.quantile(1.0), delays.total()),
            (MediaTime::from_seconds(100), 10_001)
        );
    }
}
