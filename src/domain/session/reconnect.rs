//! When a box comes back after its connection broke: spread out, so that a house that restarts is not run over.

use crate::domain::units::MediaTime;

/// The first attempt after a stable connection comes within this.
pub const FIRST_RECONNECT: MediaTime = MediaTime::from_seconds(10);
/// The longest wait between attempts.
pub const LONGEST_BACKOFF: MediaTime = MediaTime::from_seconds(60);
/// A connection that lived so long was a good one.
pub const STABLE: MediaTime = MediaTime::from_seconds(60);

/// The rule of waiting: the first time uniformly within [`FIRST_RECONNECT`]; then "full jitter", uniformly within a
/// second, two, four, up to [`LONGEST_BACKOFF`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconnect {
    attempts: u32,
}

impl Reconnect {
    /// How long to wait now. `lived` is how long the connection lived that broke, if there was one; `chance` is a
    /// random number from 0 to 1, and what is none counts as 1.
    pub fn wait(&mut self, lived: Option<MediaTime>, chance: f64) -> MediaTime {
        if lived.is_some_and(|lived| lived >= STABLE) {
            self.attempts = 0;
        }
        let longest = match self.attempts {
            0 => FIRST_RECONNECT,
            attempts => {
                let seconds = 1_i64 << (attempts - 1).min(6);
                MediaTime::from_seconds(seconds).min(LONGEST_BACKOFF)
            }
        };
        self.attempts = self.attempts.saturating_add(1);
        let chance = match (0.0..1.0).contains(&chance) {
            true => chance,
            false => 1.0,
        };
        MediaTime::from_nanos((longest.nanos() as f64 * chance) as i64)
    }

    /// From now on the waits are the longest, until a connection was stable: the house does not want us.
    pub fn slow_down(&mut self) {
        self.attempts = self.attempts.max(7);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_minute_and_begin_anew_after_a_stable_connection() {
        let mut reconnect = Reconnect::default();
        let mut seconds = |lived: Option<i64>, chance| {
            let wait = reconnect.wait(lived.map(MediaTime::from_seconds), chance);
            wait.seconds()
        };
        let waits: Vec<f64> = (0..9).map(|_| seconds(None, 0.5)).collect();
        assert_eq!(waits, [5.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        assert_eq!(seconds(Some(59), 0.25), 15.0);
        assert_eq!(seconds(Some(60), 0.25), 2.5);
        assert_eq!(seconds(Some(0), 0.0), 0.0);
        for absurd in [f64::NAN, f64::INFINITY, -1.0, 1.0, 7.0] {
            assert_eq!(seconds(Some(60), absurd), 10.0);
        }
        for _ in 0..100 {
            assert!(seconds(None, 1.0) <= 60.0);
        }
        let mut slow = Reconnect::default();
        slow.slow_down();
        assert_eq!(slow.wait(None, 0.5), MediaTime::from_seconds(30));
    }
}
