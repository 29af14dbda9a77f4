//! The count of one head's vblanks, from the kernel's sequence numbers or, where there are none, from the clock.

use crate::domain::units::{MediaTime, Rate};

/// How many vblanks a head has had since it began. Pure: times come in as arguments, on the monotonic clock.
#[derive(Clone, Debug)]
pub struct Vblanks {
    rate: Rate,
    count: u64,
    last: MediaTime,
    /// The kernel's number of the last vblank, while the kernel counts.
    kernel: Option<u32>,
}

impl Vblanks {
    /// Vblank 0 is now.
    pub fn new(rate: Rate, now: MediaTime) -> Self {
        Self {
            rate,
            count: 0,
            last: now,
            kernel: None,
        }
    }

    /// The number of the last vblank.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// When the last vblank was.
    pub fn last(&self) -> MediaTime {
        self.last
    }

    /// When the next vblank should come.
    pub fn due(&self) -> MediaTime {
        self.last + self.rate.period()
    }

    /// Whether the last vblank was the kernel's, by its number.
    pub fn is_kernel_s(&self) -> bool {
        self.kernel.is_some()
    }

    /// Another mode from now on.
    pub fn set_rate(&mut self, rate: Rate) {
        self.rate = rate;
    }

    /// The kernel's count can no longer be followed: the screen went dark, or was set anew.
    pub fn interrupt(&mut self) {
        self.kernel = None;
    }

    /// The kernel tells of a vblank. Answers by how many it is further than the last; 0 if it is known already.
    ///
    /// After an interruption the clock tells how many vblanks there would have been meanwhile, and there is at least one.
    pub fn kernel(&mut self, sequence: u32, time: MediaTime) -> u64 {
        let steps = match self.kernel {
            // Sequence numbers wrap; one that lies behind is told late.
            Some(last) => match sequence.wrapping_sub(last) {
                steps if steps < 1 << 31 => u64::from(steps),
                _ => 0,
            },
            None => self.elapsed(time).max(1),
        };
        if steps > 0 {
            self.kernel = Some(sequence);
            self.count += steps;
            self.last = time.max(self.last);
        }
        steps
    }

    /// A new mode is on: its first vblank. The kernel's number and time of it are as old as the last mode's end.
    pub fn begin(&mut self, now: MediaTime) -> u64 {
        let steps = self.elapsed(now).max(1);
        self.kernel = None;
        self.count += steps;
        self.last = now;
        steps
    }

    /// By the clock: answers by how many vblanks it is further now. Their times stay on their grid.
    pub fn timer(&mut self, now: MediaTime) -> u64 {
        self.kernel = None;
        let steps = ((now - self.last).nanos() / self.rate.period().nanos().max(1)).max(0);
        self.count += steps as u64;
        self.last += self.rate.period().times(steps);
        steps as u64
    }

    /// How many periods it is from the last vblank to a time, to the nearest.
    fn elapsed(&self, time: MediaTime) -> u64 {
        let period = self.rate.period().nanos().max(1);
        let elapsed = (time - self.last).nanos() + period / 2;
        u64::try_from(elapsed / period).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    #[test]
    fn the_kernel_s_numbers_are_widened_and_told_once() {
        let mut vblanks = Vblanks::new(Rate::hertz(50), at(0));
        assert_eq!(vblanks.kernel(u32::MAX - 1, at(21)), 1);
        assert_eq!(vblanks.kernel(u32::MAX, at(41)), 1);
        assert_eq!(vblanks.kernel(u32::MAX, at(41)), 0);
        assert_eq!(vblanks.kernel(2, at(101)), 3);
        assert_eq!(vblanks.kernel(1, at(81)), 0);
        assert_eq!((vblanks.count(), vblanks.due()), (5, at(121)));
    }

    #[test]
    fn an_interruption_is_bridged_by_the_clock() {
        let mut vblanks = Vblanks::new(Rate::hertz(50), at(0));
        assert_eq!(vblanks.kernel(1000, at(20)), 1);
        assert!(vblanks.is_kernel_s());
        vblanks.interrupt();
        assert!(!vblanks.is_kernel_s());
        assert_eq!(vblanks.kernel(7, at(121)), 5);
        assert_eq!(vblanks.kernel(8, at(141)), 1);
        assert_eq!(vblanks.timer(at(160)), 0);
        assert_eq!(vblanks.timer(at(205)), 3);
        assert_eq!((vblanks.count(), vblanks.last()), (10, at(201)));
        assert_eq!(vblanks.kernel(9, at(202)), 1);
        assert_eq!(vblanks.begin(at(243)), 2);
        assert_eq!(vblanks.kernel(2000, at(263)), 1);
        assert_eq!(vblanks.count(), 14);
    }
}
