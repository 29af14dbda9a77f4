//! What a display counts about itself.

use crate::domain::units::{MediaTime, Rate};

/// How far from half a vblank a time may be and still be rounded either way: containers round their time stamps.
const TIE: f64 = 0.06;

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
    /// A frame that comes on now and is meant to stand from `target` for `duration`, on a display of this rate.
    /// Without a duration it may stand as long as it wants. Times are from any vblank of the display.
    ///
    /// Its share is the vblanks to which its time is nearest, at least one.
    pub fn begin(target: MediaTime, duration: Option<MediaTime>, rate: Rate) -> Self {
        let vblanks = |time: MediaTime| time.seconds() * rate.as_hertz();
        let share = duration
            .filter(|duration| *duration > MediaTime::ZERO)
            .map(|duration| {
                let first = (vblanks(target) - 0.5 - TIE).ceil();
                let after = (vblanks(target + duration) + 0.5 + TIE).floor();
                (after - first).max(1.0) as u64
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

    const HZ60: Rate = Rate::hertz(60);

    #[test]
    fn a_frame_repeats_when_it_stands_longer_than_the_vblanks_nearest_to_it() {
        // 25 Hz on 60 Hz: 2.4 vblanks a frame, so the shares go 2, 3, 2, 3, 2.
        for (frame, share) in [(0, 2), (1, 3), (2, 2), (3, 3), (4, 2), (5, 2)] {
            let target = MediaTime::from_scale(frame, 25);
            let mut standing = Standing::begin(target, Some(MediaTime::from_millis(40)), HZ60);
            assert_eq!(
                (0..share).map(|_| standing.stood(1)).sum::<u64>(),
                0,
                "{frame}"
            );
            assert_eq!(standing.stood(3), 3, "{frame}");
        }
    }

    #[test]
    fn a_faster_clip_has_a_share_of_one() {
        let mut standing = Standing::begin(
            MediaTime::from_scale(7, 240),
            Some(MediaTime::from_scale(1, 240)),
            HZ60,
        );
        assert_eq!((standing.stood(1), standing.stood(1)), (0, 1));
    }

    #[test]
    fn a_picture_at_rest_never_repeats() {
        let mut still = Standing::begin(MediaTime::ZERO, None, HZ60);
        assert_eq!(still.stood(10_000), 0);
        let mut held = Standing::begin(MediaTime::ZERO, Some(MediaTime::from_millis(40)), HZ60);
        held.rest();
        assert_eq!(held.stood(100), 0);
    }
}
