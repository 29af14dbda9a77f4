//! Which frame is on the screen at which vblank: the programme of one screen.
//!
//! A [`Programme`] knows what is shown, what is cued, and nothing about decoders or displays. For every vblank the
//! presenter calls [`Programme::plan`] with the keys of the frames that wait in both slots' mailboxes, and gets back
//! which frame to show and what happened.
//!
//! The rule: the newest frame whose target is at most the vblank's time plus half a period. So a frame comes on at the
//! vblank nearest to its target, and so does the first frame of the next showing at a boundary.

mod clock;
mod programme;

use crate::domain::{
    ids::{LoadId, SlotId},
    sequencer::Cue,
    units::MediaTime,
};

pub use clock::{DisplayClock, locked};
pub use programme::Programme;

/// Targets and vblanks are rounded to nanoseconds apart from each other; a tie must not depend on that.
const TOLERANCE: MediaTime = MediaTime::from_nanos(1_000);

/// A restarted source skips this many rounds, so that frames already decoded cannot be taken for the new ones.
pub const RESTART_SKIP: u64 = 1 << 10;

/// More changes than this in one vblank are left to the next: media of a few microseconds must not hold the loop up.
const MAX_CHANGES: usize = 8;

/// Which frame: the round of the medium and the presentation time within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameKey {
    /// How often the source had gone through the medium before.
    pub round: u64,
    /// Presentation time from the medium's start.
    pub pts: MediaTime,
    /// How long the frame is meant to stand, zero where unknown.
    pub duration: MediaTime,
}

/// What waits in a slot's mailbox.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queue<'a> {
    /// The keys of the frames, oldest first.
    pub frames: &'a [FrameKey],
    /// Whether the source will send no more.
    pub ended: bool,
}

/// What an opened medium can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// One picture: its only frame serves every round.
    pub still: bool,
    /// The source goes on from its end to its start by itself.
    pub in_place: bool,
}

/// One showing of a medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Showing {
    /// The slot it comes from.
    pub slot: SlotId,
    /// The opening in that slot.
    pub load: LoadId,
    /// The source's round that is shown.
    pub round: u64,
    /// When the showing began, nominally.
    pub start: MediaTime,
    /// How long it lasts, if known.
    pub length: Option<MediaTime>,
    /// How long it was expected to last before its end was known.
    expected: Option<MediaTime>,
    traits: Traits,
    last: Option<FrameKey>,
    held: bool,
    ran_out: bool,
    /// The source was told to begin anew, and the first frame of that has not come.
    restarting: bool,
}

/// Whose sound is heard, and how long that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sounding {
    /// The showing; nothing is silence.
    pub source: Option<Showing>,
    /// The display time at which to ask again.
    pub until: MediaTime,
}

impl Showing {
    fn new(
        slot: SlotId,
        load: LoadId,
        traits: Traits,
        round: u64,
        start: MediaTime,
        length: Option<MediaTime>,
    ) -> Self {
        Self {
            slot,
            load,
            round,
            start,
            length,
            expected: None,
            traits,
            last: None,
            held: false,
            ran_out: false,
            restarting: false,
        }
    }

    /// How many frames before `cut` have not been taken: those that will never be shown when it ends there.
    fn left_over(&self, cut: MediaTime) -> u32 {
        let Some(last) = self
            .last
            .filter(|last| last.duration > MediaTime::ZERO && !self.traits.still)
        else {
            return 0;
        };
        if self.is_over() {
            return 0;
        }
        let end = self
            .length
            .map_or(cut - self.start, |length| length.min(cut - self.start));
        let gap = (end - last.pts - last.duration + last.duration.half())
            .nanos()
            .max(0);
        u32::try_from(gap / last.duration.nanos()).unwrap_or(u32::MAX)
    }

    /// Whether it is one picture that stands.
    pub fn is_still(&self) -> bool {
        self.traits.still
    }

    /// Whether it has nothing more to show.
    fn is_over(&self) -> bool {
        self.held || self.ran_out
    }

    fn end(&self) -> Option<MediaTime> {
        self.length.map(|length| self.start + length)
    }

    /// What a cue for the end that was expected has become.
    fn sooner(&self, cue: Cue) -> Cue {
        match (cue, self.end(), self.expected) {
            (Cue::At(at), Some(end), Some(expected))
                if at > end && at <= self.start + expected + TOLERANCE =>
            {
                Cue::At(end)
            }
            (Cue::Now | Cue::At(_), _, _) => cue,
        }
    }

    /// The display time at which a frame of this showing is due.
    pub fn target(&self, key: FrameKey) -> MediaTime {
        self.start + key.pts
    }
}

/// What follows the showing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The first frame of a slot.
    Show {
        /// The slot.
        slot: SlotId,
        /// The opening in that slot.
        load: LoadId,
        /// What it can do.
        traits: Traits,
        /// How long the showing will last, if known.
        length: Option<MediaTime>,
    },
    /// The shown medium again, in place.
    Replay {
        /// How long the showing will last, if known.
        length: Option<MediaTime>,
    },
    /// The last frame stays.
    Hold,
    /// Nothing: playback is over.
    Finish,
}

/// Something that became true at a vblank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A cued showing began.
    Shown {
        /// Its slot.
        slot: SlotId,
        /// Its opening.
        load: LoadId,
        /// Its nominal start.
        start: MediaTime,
    },
    /// Nothing was cued at the end, so the medium begins again in place.
    Looped {
        /// Its slot.
        slot: SlotId,
        /// Its opening.
        load: LoadId,
        /// The new nominal start.
        start: MediaTime,
    },
    /// Nothing was cued at the end and the source cannot go on: the last frame stays.
    RanOut {
        /// Its slot.
        slot: SlotId,
        /// Its opening.
        load: LoadId,
    },
}

/// What is awaited before a vblank can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Await {
    /// The slot's next frame.
    Frame(SlotId, LoadId),
    /// Word about what follows the showing.
    Cue,
}

/// Whether to wait for what is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Display time stands still until it is there.
    Wait,
    /// The vblank comes anyway.
    GoOn,
}

/// The decision for one vblank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// How many frames to take out of each mailbox (by [`SlotId::index`]).
    pub take: [usize; 2],
    /// Which of the taken frames to show, by its number in the slot's mailbox; if none, the picture stays.
    pub show: Option<(SlotId, usize)>,
    /// How many of the taken frames belonged to the showing and are never shown.
    pub dropped: u32,
    /// The frame comes on later than the vblank nearest to its target.
    pub late: bool,
    /// A frame was due and had not come.
    pub starved: bool,
    /// The source was told to begin anew at this round.
    pub restart: Option<(SlotId, LoadId, u64)>,
    /// Playback is over before this vblank.
    pub finished: bool,
    news: [Option<News>; MAX_CHANGES],
}

impl Plan {
    /// What became true, in order.
    pub fn news(&self) -> impl Iterator<Item = News> + '_ {
        self.news.iter().flatten().copied()
    }

    fn tell(&mut self, news: News) {
        if let Some(place) = self.news.iter_mut().find(|place| place.is_none()) {
            *place = Some(news);
        }
    }
}
