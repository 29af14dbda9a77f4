//! One screen of the Sequencer: its two slots, what is cued, what comes next, and where its walk stands.
//!
//! Here are the single acts (load, unload, cue, take back) that keep slots and outputs in step. Which act is due is
//! decided in `flow` and `settle`. All times in here are playing time: it stands still while playback is paused.

use std::{collections::VecDeque, sync::Arc};

use crate::domain::{
    ids::{LoadId, Position, ScreenIndex, SlotId},
    playlist::Item,
    sequencer::{
        Card, Cue, Output, Replayable, Report,
        failures::{Failures, Patience},
    },
    slots::{Opening, Showing, Slot},
    units::MediaTime,
};

/// How long an opening may give no news before it counts as stalled.
pub const PREROLL_DEADLINE: MediaTime = MediaTime::from_seconds(15);
/// How long after its time a cue may fail to happen before its slot counts as stalled.
pub const CUE_DEADLINE: MediaTime = MediaTime::from_seconds(5);
/// A cue that is nearer than this is no longer taken back: it may be happening this very moment.
pub const IMMINENT: MediaTime = MediaTime::from_millis(100);

/// What leaves the Sequencer, with the conversion from playing time to display time.
#[derive(Clone, Debug, Default)]
pub(super) struct Outbox {
    pub queue: VecDeque<Output>,
    /// How long playback has been paused so far.
    pub paused: MediaTime,
    pub loads: u64,
    /// Something was taken back since this was last looked at.
    pub uncued: bool,
}

impl Outbox {
    pub fn push(&mut self, output: Output) {
        self.queue.push_back(output);
    }

    pub fn report(&mut self, report: Report) {
        self.push(Output::Report(report));
    }

    /// The display time of a playing time.
    pub fn display(&self, time: MediaTime) -> MediaTime {
        time + self.paused
    }

    fn cue(&self, cue: Cue) -> Cue {
        match cue {
            Cue::Now => Cue::Now,
            Cue::At(time) => Cue::At(self.display(time)),
        }
    }
}

/// A change of montage, which all screens enter together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub montage: usize,
    /// Whether the way to it leads over the playlist's end.
    pub wraps: bool,
    pub cause: Cause,
}

/// Why a montage is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The one before has ended.
    Ended,
    /// A command, a start, or a vanished montage.
    Jump,
}

/// When a screen's next item is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// As soon as it is ready.
    Now,
    /// When the showing before it ends.
    End,
    /// When all screens enter its montage.
    Together,
}

/// What a screen shows next.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Next {
    pub position: Position,
    pub item: Arc<Item>,
    /// The run of a montage that it belongs to.
    pub run: u64,
    /// How that run begins, if it has not begun yet.
    pub entry: Option<Entry>,
    pub at: Moment,
    /// The item's place in the walk: its number in the track, plus the track's length for each time around.
    pub step: usize,
    /// Whether the track's end lies on the way to it.
    pub wraps: bool,
}

impl Next {
    /// Whether an opening is of this item.
    pub fn is(&self, opening: &Opening) -> bool {
        self.position == opening.position && same(&self.item, &opening.item)
    }

    /// Whether an opening serves for this item.
    pub fn is_same_medium(&self, opening: &Opening) -> bool {
        self.position == opening.position && same_medium(&self.item, &opening.item)
    }
}

/// Whether two items are the same work from the same source.
pub(super) fn same(one: &Item, other: &Item) -> bool {
    one.id == other.id && one.src == other.src
}

/// Whether what was opened for one item serves for the other.
pub(super) fn same_medium(one: &Item, other: &Item) -> bool {
    same(one, other) && one.sha256 == other.sha256 && one.kind() == other.kind()
}

/// What the presenter was asked to do and has not done yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cued {
    Show {
        slot: SlotId,
        cue: Cue,
        asked: MediaTime,
    },
    Replay {
        cue: Cue,
        asked: MediaTime,
    },
    Hold,
}

impl Cued {
    /// Whether it may be happening this very moment.
    pub fn is_imminent(&self, now: MediaTime) -> bool {
        match self {
            Cued::Show { cue, .. } | Cued::Replay { cue, .. } => match cue {
                Cue::Now => true,
                Cue::At(time) => *time < now + IMMINENT,
            },
            Cued::Hold => false,
        }
    }

    /// Whether it is to happen at the next vblank.
    pub fn is_now(&self) -> bool {
        match self {
            Cued::Show { cue, .. } | Cued::Replay { cue, .. } => *cue == Cue::Now,
            Cued::Hold => false,
        }
    }

    /// When it counts as stalled.
    pub fn deadline(&self) -> Option<MediaTime> {
        match self {
            Cued::Show { cue, asked, .. } | Cued::Replay { cue, asked } => Some(match cue {
                Cue::Now => *asked + CUE_DEADLINE,
                Cue::At(time) => (*time).max(*asked) + CUE_DEADLINE,
            }),
            Cued::Hold => None,
        }
    }
}

/// Where a screen stands in the montage that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Walk {
    /// The item that it shows, if that belongs to this run.
    pub place: Option<usize>,
    /// The step to try next: an item's number, plus the track's length for each time around.
    pub from: usize,
    /// When the track was over for the first time, once it has begun again.
    pub passed: Option<MediaTime>,
}

#[derive(Clone, Debug)]
pub(super) struct Screen {
    pub index: ScreenIndex,
    pub slots: [Slot; 2],
    pub shown: Option<SlotId>,
    pub card: Option<Card>,
    pub cue: Option<Cued>,
    pub next: Option<Next>,
    pub walk: Walk,
    /// How often the walk has gone around, for the failures' sake.
    pub lap: u64,
    pub failures: Failures,
    pub last_load: Option<MediaTime>,
    /// Nothing that could be shown was found, and nothing has been shown since: openings are kept apart.
    pub destitute: bool,
    /// Since when there is no picture at all.
    pub blank_since: MediaTime,
    /// What each slot was last cued for: the presenter may be quicker than a cue that is taken back.
    purpose: [Option<Next>; 2],
    /// An opening that was closed after it had been cued: should it be shown all the same, its picture is a dead one.
    withdrawn: Option<LoadId>,
}

impl Screen {
    pub fn new(index: ScreenIndex) -> Self {
        Self {
            index,
            slots: [Slot::Idle, Slot::Idle],
            shown: None,
            card: None,
            cue: None,
            next: None,
            walk: Walk::default(),
            lap: 0,
            failures: Failures::default(),
            last_load: None,
            destitute: false,
            blank_since: MediaTime::ZERO,
            purpose: [None, None],
            withdrawn: None,
        }
    }

    pub fn slot(&self, slot: SlotId) -> &Slot {
        &self.slots[slot.index()]
    }

    pub fn slot_mut(&mut self, slot: SlotId) -> &mut Slot {
        &mut self.slots[slot.index()]
    }

    /// The slot on the screen.
    pub fn shown_slot(&self) -> Option<&Slot> {
        self.shown.map(|slot| self.slot(slot))
    }

    /// What is on the screen, whether it still moves or not.
    pub fn shown_opening(&self) -> Option<&Opening> {
        self.shown_slot().and_then(Slot::opening)
    }

    /// The showing, unless it failed.
    pub fn showing(&self) -> Option<&Showing> {
        self.shown_slot().and_then(Slot::showing)
    }

    /// Whether a picture is shown that goes on by itself.
    pub fn is_live(&self) -> bool {
        self.showing()
            .is_some_and(|showing| showing.ran_out.is_none())
    }

    /// When what is shown ends: its failure, or its nominal end; nothing if that is not known.
    pub fn shown_end(&self) -> Option<MediaTime> {
        let slot = self.shown_slot()?;
        match slot.showing() {
            Some(showing) => showing.end,
            None => slot.dead_since(),
        }
    }

    /// The slot that takes the next opening: the one that is not shown.
    pub fn spare(&self) -> SlotId {
        match self.shown {
            Some(slot) => slot.other(),
            None => match self.slot(SlotId::B).held() {
                Some(_) => SlotId::B,
                None => SlotId::A,
            },
        }
    }

    /// Whether this item is the one that is shown and has not failed.
    pub fn shows(&self, next: &Next) -> bool {
        self.showing().is_some() && self.shown_opening().is_some_and(|o| next.is(o))
    }

    /// Whether this item is the one that is shown and can go on in place.
    pub fn replays(&self, next: &Next) -> bool {
        let in_place = |slot: &Slot| {
            slot.found()
                .is_some_and(|found| found.replayable == Replayable::InPlace)
        };
        self.shows(next) && self.shown_slot().is_some_and(in_place)
    }

    /// How patient the screen is with what failed, for an item in this many laps' time.
    pub fn patience(&self, now: MediaTime, laps: u64) -> Patience {
        match (self.is_live(), self.shown_end()) {
            (false, _) => Patience::Desperate,
            (true, Some(end)) if end <= now => Patience::Overdue,
            (true, _) => Patience::Living {
                lap: self.lap.saturating_add(laps),
            },
        }
    }

    /// Opens an item in the spare slot, which must be closed.
    pub fn load(&mut self, out: &mut Outbox, now: MediaTime, next: &Next) {
        let slot = self.spare();
        out.loads = out.loads.saturating_add(1);
        let load = LoadId(out.loads);
        if self.shown_opening().is_some_and(|o| next.is(o)) {
            out.report(Report::Reopened {
                screen: self.index,
                position: next.position,
            });
        }
        let opening = Opening {
            load,
            position: next.position,
            item: Arc::clone(&next.item),
        };
        self.slot_mut(slot).load(opening, now + PREROLL_DEADLINE);
        self.last_load = Some(now);
        out.push(Output::Load {
            screen: self.index,
            slot,
            load,
            position: next.position,
            item: Arc::clone(&next.item),
        });
    }

    /// Closes what a slot holds.
    pub fn unload(&mut self, out: &mut Outbox, slot: SlotId) {
        if let Some(opening) = self.slot(slot).held() {
            let load = opening.load;
            if self.purpose[slot.index()].is_some() && self.shown != Some(slot) {
                self.withdrawn = Some(load);
            }
            out.push(Output::Unload {
                screen: self.index,
                slot,
                load,
            });
        }
        if self.slot(slot).held().is_some() {
            *self.slot_mut(slot) = Slot::Idle;
        }
        self.purpose[slot.index()] = None;
        if self.shown == Some(slot) {
            self.shown = None;
            self.walk.place = None;
        }
    }

    /// Closes what is on the screen: a card takes its place, or nothing at all.
    pub fn blank(&mut self, out: &mut Outbox, now: MediaTime) {
        if let Some(slot) = self.shown {
            self.uncue(out);
            self.unload(out, slot);
            self.blank_since = now;
        }
    }

    /// Puts a card up, unless it stands there already.
    pub fn put_up(&mut self, out: &mut Outbox, card: Card) {
        if self.card != Some(card) {
            self.card = Some(card);
            out.push(Output::Card {
                screen: self.index,
                card,
            });
        }
    }

    /// Takes back what is cued.
    pub fn uncue(&mut self, out: &mut Outbox) {
        if let Some(cued) = self.cue.take() {
            out.uncued = true;
            out.push(Output::Uncue { screen: self.index });
            // It may have happened already, unheard: then the card no longer stands.
            if let (Cued::Show { .. }, Some(card)) = (cued, self.card) {
                out.push(Output::Card {
                    screen: self.index,
                    card,
                });
            }
            if let Some(slot) = self.shown {
                self.slot_mut(slot).undrain();
            }
        }
    }

    /// The cue has happened.
    pub fn cue_done(&mut self) {
        self.cue = None;
    }

    /// Cues the spare slot, which is ready.
    pub fn cue_show(&mut self, out: &mut Outbox, now: MediaTime, next: &Next, cue: Cue) {
        let slot = self.spare();
        let Slot::Ready { opening, found } = self.slot(slot) else {
            return;
        };
        out.push(Output::Show {
            screen: self.index,
            slot,
            load: opening.load,
            cue: out.cue(cue),
            length: found.length(&opening.item),
        });
        self.cue = Some(Cued::Show {
            slot,
            cue,
            asked: now,
        });
        self.purpose[slot.index()] = Some(next.clone());
        if let Some(shown) = self.shown {
            self.slot_mut(shown).drain();
        }
    }

    /// Cues the shown slot to begin again.
    pub fn cue_replay(&mut self, out: &mut Outbox, now: MediaTime, cue: Cue) {
        let Some(slot) = self.shown else { return };
        let Slot::Playing { opening, found, .. } = self.slot(slot) else {
            return;
        };
        out.push(Output::Replay {
            screen: self.index,
            slot,
            load: opening.load,
            cue: out.cue(cue),
            length: found.length(&opening.item),
        });
        self.cue = Some(Cued::Replay { cue, asked: now });
    }

    /// Asks for the last frame to be held at the showing's end.
    pub fn cue_hold(&mut self, out: &mut Outbox) {
        out.push(Output::Hold { screen: self.index });
        self.cue = Some(Cued::Hold);
    }

    /// The slot's opening has failed and never was shown: nothing of it stays but the report of its state.
    pub fn close_failed(&mut self, out: &mut Outbox, slot: SlotId, load: LoadId) {
        self.purpose[slot.index()] = None;
        out.push(Output::Unload {
            screen: self.index,
            slot,
            load,
        });
    }

    /// The spare slot is cued already: this is what for.
    pub fn keep_cue(&mut self, next: &Next) {
        let spare = self.spare();
        self.purpose[spare.index()] = Some(next.clone());
    }

    /// What a slot was cued for.
    pub fn purpose(&self, slot: SlotId) -> Option<&Next> {
        self.purpose[slot.index()].as_ref()
    }

    /// What the slots were cued for, to be put right when positions change.
    pub fn purposes_mut(&mut self) -> impl Iterator<Item = &mut Next> {
        self.purpose.iter_mut().flatten()
    }

    /// Whether this opening was closed although its cue may have happened.
    pub fn was_withdrawn(&mut self, load: LoadId) -> bool {
        self.withdrawn.take_if(|it| *it == load).is_some()
    }
}
