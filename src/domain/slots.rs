//! The slot machine: one of the two decode chains of a screen, from the opening of a medium to its closing.
//!
//! Deliberately absent: which item is opened and when it is shown (the Sequencer decides), and who decodes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::{
    ids::{LoadId, Position},
    playlist::{DEFAULT_IMAGE_DURATION, Item},
    sequencer::{Failure, Media, Replayable},
    units::MediaTime,
};

/// The shortest showing: an item of no length at all must not turn playback into a busy loop.
pub const SHORTEST: MediaTime = MediaTime::from_millis(1);

/// One opening of a medium.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// The opening's number.
    pub load: LoadId,
    /// Where the item stands.
    pub position: Position,
    /// What is opened.
    pub item: Arc<Item>,
}

/// What an opening turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// What the medium is, in time.
    pub media: Media,
    /// How it can be shown again.
    pub replayable: Replayable,
}

impl Found {
    /// How long one showing of `item` lasts, if that is known.
    pub fn length(&self, item: &Item) -> Option<MediaTime> {
        let length = match self.media {
            Media::Timed(length) => item.length(Some(length)),
            Media::Endless => item.length(None),
            Media::Still => Some(item.duration.unwrap_or(DEFAULT_IMAGE_DURATION)),
        };
        length.map(|length| length.max(SHORTEST))
    }
}

/// One showing, from the first frame on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Showing {
    /// When it began, nominally.
    pub start: MediaTime,
    /// When it ends, nominally, if that is known.
    pub end: Option<MediaTime>,
    /// When the slot last began again by itself because nothing was ready to follow.
    pub looped: Option<MediaTime>,
    /// Since when the slot holds its last frame, having run out.
    pub ran_out: Option<MediaTime>,
}

/// Whether the picture of an opening that failed is still on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// It was shown, and its last picture stays; the opening must still be closed.
    Stays {
        /// When it failed.
        since: MediaTime,
    },
    /// It never was shown and is closed already.
    None,
}

/// A slot's state. `Playing` becomes `Draining` while a successor is cued in the other slot.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Slot {
    /// Empty.
    #[default]
    Idle,
    /// A medium is being opened.
    Prerolling {
        /// What is opened.
        opening: Opening,
        /// When the opening counts as stalled.
        deadline: MediaTime,
        /// Whether the medium must be opened anew for a second showing, whatever the slot will say.
        worn: bool,
    },
    /// The first frames are decoded.
    Ready {
        /// What was opened.
        opening: Opening,
        /// What it is.
        found: Found,
    },
    /// On the screen.
    Playing {
        /// What was opened.
        opening: Opening,
        /// What it is.
        found: Found,
        /// The showing.
        showing: Showing,
    },
    /// On the screen, until the other slot takes over.
    Draining {
        /// What was opened.
        opening: Opening,
        /// What it is.
        found: Found,
        /// The showing.
        showing: Showing,
    },
    /// The opening failed.
    Failed {
        /// What was opened.
        opening: Opening,
        /// Why it failed.
        failure: Failure,
        /// What is left of it.
        picture: Picture,
    },
}

/// A slot's state without its data, for status reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SlotState {
    /// Empty.
    Idle,
    /// A medium is being opened.
    Prerolling,
    /// The first frames are decoded.
    Ready,
    /// On the screen.
    Playing,
    /// On the screen, until the other slot takes over.
    Draining,
    /// The last opening failed.
    Failed,
}

impl Slot {
    /// The state's name.
    pub fn state(&self) -> SlotState {
        match self {
            Slot::Idle => SlotState::Idle,
            Slot::Prerolling { .. } => SlotState::Prerolling,
            Slot::Ready { .. } => SlotState::Ready,
            Slot::Playing { .. } => SlotState::Playing,
            Slot::Draining { .. } => SlotState::Draining,
            Slot::Failed { .. } => SlotState::Failed,
        }
    }

    /// What was opened last, if the slot has not been emptied since.
    pub fn opening(&self) -> Option<&Opening> {
        match self {
            Slot::Idle => None,
            Slot::Prerolling { opening, .. }
            | Slot::Ready { opening, .. }
            | Slot::Playing { opening, .. }
            | Slot::Draining { opening, .. }
            | Slot::Failed { opening, .. } => Some(opening),
        }
    }

    /// The opening that must still be closed, if there is one.
    pub fn held(&self) -> Option<&Opening> {
        match self {
            Slot::Failed {
                picture: Picture::None,
                ..
            } => None,
            slot => slot.opening(),
        }
    }

    /// Changes what is known of the item that is open: it moved in the playlist, or its duration changed.
    /// A showing's end follows; a medium whose content changed must be opened anew for its next showing.
    pub fn relabel(&mut self, position: Position, item: &Arc<Item>) {
        if let Some(opening) = self.opening_mut() {
            let same = opening.item.sha256 == item.sha256 && opening.item.kind() == item.kind();
            opening.position = position;
            opening.item = Arc::clone(item);
            if !same {
                self.wear();
            }
        }
        self.measure();
    }

    /// What the opening turned out to be, once that is known.
    pub fn found(&self) -> Option<&Found> {
        match self {
            Slot::Ready { found, .. }
            | Slot::Playing { found, .. }
            | Slot::Draining { found, .. } => Some(found),
            Slot::Idle | Slot::Prerolling { .. } | Slot::Failed { .. } => None,
        }
    }

    /// The showing, if the slot is on the screen and has not failed.
    pub fn showing(&self) -> Option<&Showing> {
        match self {
            Slot::Playing { showing, .. } | Slot::Draining { showing, .. } => Some(showing),
            Slot::Idle | Slot::Prerolling { .. } | Slot::Ready { .. } | Slot::Failed { .. } => None,
        }
    }

    /// Since when the slot has shown a picture that no longer moves on: it failed or ran out.
    pub fn dead_since(&self) -> Option<MediaTime> {
        match self {
            Slot::Failed {
                picture: Picture::Stays { since },
                ..
            } => Some(*since),
            slot => slot.showing().and_then(|showing| showing.ran_out),
        }
    }

    /// `Idle` or `Failed` becomes `Prerolling`. What is still open must have been closed before.
    pub fn load(&mut self, opening: Opening, deadline: MediaTime) {
        *self = Slot::Prerolling {
            opening,
            deadline,
            worn: false,
        };
    }

    /// `Prerolling` becomes `Ready`; in any other state this is no news.
    pub fn ready(&mut self, found: Found) {
        if let Slot::Prerolling { opening, worn, .. } = self {
            let replayable = match worn {
                true => Replayable::Reopen,
                false => found.replayable,
            };
            *self = Slot::Ready {
                opening: opening.clone(),
                found: Found {
                    replayable,
                    ..found
                },
            };
        }
    }

    /// `Ready` becomes `Playing`; a slot that is shown already begins its showing again.
    pub fn shown(&mut self, start: MediaTime) {
        if let Slot::Ready { opening, found }
        | Slot::Playing { opening, found, .. }
        | Slot::Draining { opening, found, .. } = self
        {
            *self = Slot::Playing {
                showing: Showing {
                    start,
                    end: found.length(&opening.item).map(|length| start + length),
                    looped: None,
                    ran_out: None,
                },
                opening: opening.clone(),
                found: *found,
            };
        }
    }

    /// The slot went over its end by itself, while it waits for what follows.
    pub fn looped(&mut self, at: MediaTime) {
        if let Some(showing) = self.showing_mut() {
            showing.looped = Some(at);
            showing.ran_out = None;
        }
    }

    /// The slot holds its last frame: the showing is over, and cannot go on in place.
    pub fn ran_out(&mut self, now: MediaTime) {
        self.wear();
        if let Some(showing) = self.showing_mut() {
            showing.end = Some(showing.end.map_or(now, |end| end.min(now)));
            showing.ran_out.get_or_insert(now);
        }
    }

    /// The medium's length is known now, or better known.
    pub fn end_known(&mut self, length: MediaTime) {
        if let Slot::Ready { found, .. }
        | Slot::Playing { found, .. }
        | Slot::Draining { found, .. } = self
        {
            found.media = Media::Timed(length);
        }
        self.measure();
    }

    /// The medium must be opened anew for its next showing.
    pub fn wear(&mut self) {
        match self {
            Slot::Prerolling { worn, .. } => *worn = true,
            Slot::Ready { found, .. }
            | Slot::Playing { found, .. }
            | Slot::Draining { found, .. } => found.replayable = Replayable::Reopen,
            Slot::Idle | Slot::Failed { .. } => {}
        }
    }

    /// `Playing` becomes `Draining`: the other slot is cued.
    pub fn drain(&mut self) {
        if let Slot::Playing {
            opening,
            found,
            showing,
        } = self
        {
            *self = Slot::Draining {
                opening: opening.clone(),
                found: *found,
                showing: *showing,
            };
        }
    }

    /// `Draining` becomes `Playing` again: the cue was taken back.
    pub fn undrain(&mut self) {
        if let Slot::Draining {
            opening,
            found,
            showing,
        } = self
        {
            *self = Slot::Playing {
                opening: opening.clone(),
                found: *found,
                showing: *showing,
            };
        }
    }

    /// Anything open becomes `Failed`. A slot that is shown keeps its picture.
    pub fn fail(&mut self, now: MediaTime, failure: Failure) {
        let picture = match self.showing() {
            Some(showing) => Picture::Stays {
                since: showing.ran_out.unwrap_or(now),
            },
            None => Picture::None,
        };
        if let (Some(opening), false) = (self.opening(), matches!(self, Slot::Failed { .. })) {
            *self = Slot::Failed {
                opening: opening.clone(),
                failure,
                picture,
            };
        }
    }

    fn opening_mut(&mut self) -> Option<&mut Opening> {
        match self {
            Slot::Idle => None,
            Slot::Prerolling { opening, .. }
            | Slot::Ready { opening, .. }
            | Slot::Playing { opening, .. }
            | Slot::Draining { opening, .. }
            | Slot::Failed { opening, .. } => Some(opening),
        }
    }

    fn showing_mut(&mut self) -> Option<&mut Showing> {
        match self {
            Slot::Playing { showing, .. } | Slot::Draining { showing, .. } => Some(showing),
            Slot::Idle | Slot::Prerolling { .. } | Slot::Ready { .. } | Slot::Failed { .. } => None,
        }
    }

    /// Works out the showing's end anew. One that has run out has ended, whatever its length.
    fn measure(&mut self) {
        if let Slot::Playing {
            opening,
            found,
            showing,
        }
        | Slot::Draining {
            opening,
            found,
            showing,
        } = self
            && showing.ran_out.is_none()
        {
            showing.end = found
                .length(&opening.item)
                .map(|length| showing.start + length);
        }
    }
}
