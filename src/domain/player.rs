//! The player's rules in one piece: the Sequencer, what it counted, and which items failed.
//!
//! Same manner as the Sequencer: [`Player::handle`] an input, then drain [`Player::poll`]. [`Player::snapshot`] is
//! what status reports are made of. Deliberately absent: the report's wire form, and standby, which is the display's.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::domain::{
    ids::{ItemId, Position, ScreenIndex, ScreenName, SlotId},
    playlist::{Item, Playlist},
    sequencer::{
        Card, Command, CommandError, Failure, FailureKind, Input, Mode, Output, Report, Sequencer,
        SlotEvent,
    },
    slots::{Slot, SlotState},
    units::MediaTime,
};

/// How many failed items are remembered; the one that has been quiet longest goes first.
pub const MOST_ERRORS: usize = 64;

/// The Sequencer with its counters and its table of errors.
#[derive(Debug)]
pub struct Player {
    sequencer: Sequencer,
    outputs: VecDeque<Output>,
    counters: Counters,
    errors: Vec<ErrorEntry>,
    /// What began on each screen and has not failed since.
    well: HashMap<ScreenIndex, Arc<Item>>,
    /// What was opened with success before, by screen and `src`.
    opened: HashSet<(ScreenIndex, String)>,
    settings: Settings,
}

/// What the player has counted since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Items that began, replays included.
    pub items_shown: u64,
    /// Items that began again in place.
    pub replays: u64,
    /// Openings of media that had been opened before on that screen.
    pub reloads: u64,
    /// How often the playlist's last montage has ended.
    pub rounds: u64,
}

/// What the house has set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Whether playback starts by itself.
    pub autostart_playlist: bool,
    /// Whether an item that ended is followed by the next.
    pub auto_advance: bool,
}

/// What the player is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing plays and nothing was asked for.
    Idle,
    /// Items are shown.
    Playing,
    /// Playback stands still.
    Paused,
    /// The display is off. The player never says so itself: whoever turned the display off does.
    Standby,
    /// Playing, but no screen can show an item: the card says so.
    Failed,
}

/// An item that could not be played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorEntry {
    /// The item.
    pub item: ItemId,
    /// Its source.
    pub src: String,
    /// The class of its last fault.
    pub kind: FailureKind,
    /// What its last fault was, in words.
    pub message: String,
    /// How often it failed.
    pub count: u64,
}

impl ErrorEntry {
    fn is_of(&self, item: &Item) -> bool {
        self.item == item.id && self.src == item.src
    }
}

/// The player at one moment. All times are display time.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// What it is doing.
    pub state: State,
    /// Where the first screen that shows an item stands.
    pub position: Option<Position>,
    /// What that screen shows.
    pub item: Option<Arc<Item>>,
    /// The playlist, whether it plays or not.
    pub playlist: Option<Arc<Playlist>>,
    /// The screens, in order.
    pub screens: Vec<ScreenSnapshot>,
    /// What was counted.
    pub counters: Counters,
    /// What of the playlist failed and was not shown well since, oldest first, at most [`MOST_ERRORS`].
    pub errors: Vec<ErrorEntry>,
    /// What the house has set.
    pub settings: Settings,
}

/// A screen at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ScreenSnapshot {
    /// The screen's name.
    pub name: ScreenName,
    /// Where it stands.
    pub position: Option<Position>,
    /// What it shows.
    pub item: Option<Arc<Item>>,
    /// When the showing began.
    pub start: Option<MediaTime>,
    /// When the showing ends, if that is known.
    pub end: Option<MediaTime>,
    /// The card that stands there instead of an item.
    pub card: Option<Card>,
    /// Both slots, A first.
    pub slots: [SlotSnapshot; 2],
}

/// A slot at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotSnapshot {
    /// Which of the two.
    pub slot: SlotId,
    /// Its state.
    pub state: SlotState,
    /// Where its item stands.
    pub position: Option<Position>,
    /// What was opened in it.
    pub item: Option<Arc<Item>>,
}

impl Player {
    /// A player for these screens, which plays the playlist `rounds` times, or for ever.
    pub fn new(screens: Vec<ScreenName>, rounds: Option<u64>) -> Self {
        Self {
            sequencer: Sequencer::new(screens, rounds),
            outputs: VecDeque::new(),
            counters: Counters::default(),
            errors: Vec::new(),
            well: HashMap::new(),
            opened: HashSet::new(),
            settings: Settings {
                autostart_playlist: false,
                auto_advance: true,
            },
        }
    }

    /// Takes in what happened at display time `now`. Afterwards [`Player::poll`] is to be drained.
    pub fn handle(&mut self, now: MediaTime, input: Input) {
        if let Input::Environment {
            playlist,
            autostart_playlist,
            auto_advance,
        } = &input
        {
            self.settings = Settings {
                autostart_playlist: *autostart_playlist,
                auto_advance: *auto_advance,
            };
            let known: HashSet<&str> = playlist.iter().flat_map(|p| sources(p)).collect();
            self.opened.retain(|(_, src)| known.contains(src.as_str()));
            self.errors
                .retain(|entry| known.contains(entry.src.as_str()));
        }
        let ready = match &input {
            Input::Slot {
                screen,
                slot,
                load,
                event: SlotEvent::Ready { .. },
            } => Some((*screen, *slot, *load)),
            _ => None,
        };
        self.sequencer.handle(now, input);
        if let Some((screen, slot, load)) = ready
            && let Some(Slot::Ready { opening, .. }) = self.sequencer.slot(screen, slot)
            && opening.load == load
        {
            self.opened.insert((screen, opening.item.src.clone()));
        }
        while let Some(output) = self.sequencer.poll() {
            self.count(&output);
            self.outputs.push_back(output);
        }
    }

    /// The next thing to do, until there is none.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether a command can be carried out now; if not, why.
    pub fn check(&self, command: &Command) -> Result<(), CommandError> {
        self.sequencer.check(command)
    }

    /// Whether waiting a little will bring a picture to this screen: something is being opened for it, or is about
    /// to be shown. False while paused, idle or held, and while all that could follow has failed and waits.
    pub fn expecting(&self, screen: ScreenIndex) -> bool {
        self.sequencer.expecting(screen)
    }

    /// The card that is on a screen, if there is one.
    pub fn card(&self, screen: ScreenIndex) -> Option<Card> {
        self.sequencer.card(screen)
    }

    /// The player as it is.
    pub fn snapshot(&self) -> Snapshot {
        let screens: Vec<ScreenSnapshot> = (0..self.sequencer.screens().len())
            .filter_map(|screen| self.screen(ScreenIndex(screen)))
            .collect();
        let first = screens.iter().find(|screen| screen.position.is_some());
        Snapshot {
            state: match self.sequencer.mode() {
                Mode::Idle => State::Idle,
                Mode::Paused => State::Paused,
                Mode::Playing
                    if screens.iter().all(|s| s.card.is_some())
                        && screens.iter().any(|s| s.card == Some(Card::AllFailed)) =>
                {
                    State::Failed
                }
                Mode::Playing => State::Playing,
            },
            position: first.and_then(|screen| screen.position),
            item: first.and_then(|screen| screen.item.clone()),
            playlist: self.sequencer.playlist().cloned(),
            counters: self.counters,
            errors: self.errors.clone(),
            settings: self.settings,
            screens,
        }
    }

    fn screen(&self, screen: ScreenIndex) -> Option<ScreenSnapshot> {
        let shown = self.sequencer.shown(screen);
        let slot = |id: SlotId| {
            let slot = self.sequencer.slot(screen, id)?;
            let opening = slot.opening();
            Some(SlotSnapshot {
                slot: id,
                state: slot.state(),
                position: opening.map(|opening| opening.position),
                item: opening.map(|opening| Arc::clone(&opening.item)),
            })
        };
        Some(ScreenSnapshot {
            name: self.sequencer.screens().get(screen.0)?.clone(),
            position: shown.as_ref().map(|shown| shown.position),
            item: shown.as_ref().map(|shown| Arc::clone(&shown.item)),
            start: shown.as_ref().map(|shown| shown.start),
            end: shown.as_ref().and_then(|shown| shown.end),
            card: self.sequencer.card(screen),
            slots: [slot(SlotId::A)?, slot(SlotId::B)?],
        })
    }

    fn count(&mut self, output: &Output) {
        match output {
            Output::Load { screen, item, .. } => {
                let before = (*screen, item.src.clone());
                self.counters.reloads += u64::from(self.opened.contains(&before));
            }
            Output::Report(Report::Began {
                replay,
                screen,
                item,
                ..
            }) => {
                self.counters.items_shown += 1;
                self.counters.replays += u64::from(*replay);
                if let Some(before) = self.well.insert(*screen, Arc::clone(item)) {
                    // It was shown until another took its place: what it had is over.
                    self.errors.retain(|entry| !entry.is_of(&before));
                }
            }
            Output::Report(Report::RoundEnded { rounds }) => self.counters.rounds = *rounds,
            Output::Report(Report::Failed { item, failure, .. }) => {
                self.well
                    .retain(|_, well| (&well.id, &well.src) != (&item.id, &item.src));
                self.failed(item, failure);
            }
            Output::Report(
                Report::Reopened { .. }
                | Report::TrackEnded { .. }
                | Report::TrackWithoutScreen { .. },
            )
            | Output::Show { .. }
            | Output::Replay { .. }
            | Output::Hold { .. }
            | Output::Uncue { .. }
            | Output::Unload { .. }
            | Output::Card { .. }
            | Output::Pause
            | Output::Resume
            | Output::Finish { .. }
            | Output::WakeAt(_) => {}
        }
    }

    /// Notes a failure: one entry an item, the last one to fail at the end.
    fn failed(&mut self, item: &Item, failure: &Failure) {
        let known = self.errors.iter().position(|entry| entry.is_of(item));
        let count = match known {
            Some(index) => self.errors.remove(index).count,
            None => {
                if self.errors.len() >= MOST_ERRORS {
                    self.errors.remove(0);
                }
                0
            }
        };
        self.errors.push(ErrorEntry {
            item: item.id.clone(),
            src: item.src.clone(),
            kind: failure.kind,
            message: failure.message.clone(),
            count: count.saturating_add(1),
        });
    }
}

/// The sources of all items of a playlist.
fn sources(playlist: &Playlist) -> impl Iterator<Item = &str> {
    let tracks = playlist.montages.iter().flat_map(|m| &m.tracks);
    tracks
        .flat_map(|track| &track.items)
        .map(|item| item.src.as_str())
}
