//! What a display counts about itself.

use crate::domain::units::MediaTime;

/// A frame's ideal share of vblanks is rounded to nanoseconds in two places.
const TOLERANCE: MediaTime = MediaTime::from_nanos(2_000);

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames of items that came onto the screen.
    pub presented: u64,
    /// Frames that came on later than the vblank nearest to their target.
    pub late: u64,
    /// Frames that were never shown because a newer one was due.
    pub dropped: u64,
    /// Vblanks that a frame stood longer than its ideal share.
    pub repeated: u64,
    /// Vblanks at which a frame was due and had not come.
    pub starved: u64,
    /// Vblanks that passed with nobody there.
    pub missed_vblanks: u64,
}

/// How long the frame on the screen stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    vblanks: u64,
    /// The ideal share; nothing for a picture that may stand as long as it wants.
    share: Option<u64>,
}

impl Standing {
    /// A frame that comes on now and is meant to stand for `duration`; nothing for a still.
    pub fn begin(duration: Option<MediaTime>, period: MediaTime) -> Self {
        let share = duration
            .filter(|duration| *duration > MediaTime::ZERO)
            .map(|duration| {
                let nanos = (duration - TOLERANCE).nanos().max(1).unsigned_abs();
                nanos.div_ceil(period.nanos().max(1).unsigned_abs())
            });
        Self { vblanks: 0, share }
    }

    /// The frame stood for so many vblanks more; answers how many of them are beyond its share.
    pub fn stood(&mut self, vblanks: u64) -> u64 {
        let over = |vblanks: u64| self.share.map_or(0, |share| vblanks.saturating_sub(share));
        let before = over(self.vblanks);
        let after = over(self.vblanks + vblanks);
        self.vblanks += vblanks;
        after - before
    }

    /// From now on the frame may stand as long as it wants: playback is held or paused.
    pub fn rest(&mut self) {
        self.share = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::units::Rate;

    #[test]
    fn a_frame_repeats_when_it_stands_longer_than_its_share_rounded_up() {
        let period = Rate::hertz(60).period();
        for (rate, share) in [(60, 1), (30, 2), (25, 3), (24, 3), (50, 2), (120, 1)] {
            let mut standing = Standing::begin(Some(MediaTime::from_scale(1, rate)), period);
            assert_eq!(
                (1..=share).map(|_| standing.stood(1)).sum::<u64>(),
                0,
                "{rate}"
            );
            assert_eq!(standing.stood(3), 3, "{rate}");
        }
    }

    #[test]
    fn a_still_never_repeats() {
        let mut standing = Standing::begin(None, Rate::hertz(60).period());
        assert_eq!(standing.stood(10_000), 0);
        let mut held = Standing::begin(Some(MediaTime::from_millis(40)), Rate::hertz(60).period());
        held.rest();
        assert_eq!(held.stood(100), 0);
    }
}
