//! The Sequencer as a whole: what it holds, how inputs come in, and what can be seen of it from outside.

use std::sync::Arc;

use crate::domain::{
    ids::{Position, ScreenIndex, ScreenName, SlotId},
    playlist::{Item, Playlist},
    sequencer::{
        Card, Command, CommandError, Input, Output,
        order::Order,
        screen::{Cause, Entry, Outbox, Screen},
    },
    slots::Slot,
    units::MediaTime,
};

/// What the Sequencer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing plays.
    Idle,
    /// Items are shown, or opened to be shown.
    Playing,
    /// Playback stands still.
    Paused,
}

/// What a screen shows, in display time.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Where the item stands.
    pub position: Position,
    /// The item.
    pub item: Arc<Item>,
    /// When the showing began.
    pub start: MediaTime,
    /// When it ends, if that is known.
    pub end: Option<MediaTime>,
}

/// A montage that is being shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub id: u64,
    pub montage: usize,
    /// When it was due to begin.
    pub boundary: MediaTime,
}

/// A montage that is being opened on all screens, to be entered together.
#[derive(Clone, Debug)]
pub(super) struct Gather {
    pub id: u64,
    pub entry: Entry,
    /// For each screen the item to try next.
    pub from: Vec<usize>,
    /// For each screen whether its first item has failed: the others do not wait for it.
    pub failed: Vec<bool>,
    /// The screen whose first item was asked for by name: it is tried even if it failed a moment ago.
    pub asked: Option<ScreenIndex>,
    /// Whether all screens are ready: the montage is cued.
    pub released: bool,
}

/// Decides what each screen shows, and when. See [the module](super) and `ARCHITECTURE.md`.
#[derive(Clone, Debug)]
pub struct Sequencer {
    pub(super) names: Vec<ScreenName>,
    pub(super) wanted_rounds: Option<u64>,
    pub(super) playlist: Option<Arc<Playlist>>,
    /// The playlist as these screens play it; nothing if it has no track for any of them.
    pub(super) order: Option<Arc<Order>>,
    pub(super) auto_advance: bool,
    pub(super) autostart: bool,
    /// Somebody said stop: playback does not start by itself because of a new environment.
    pub(super) stopped: bool,
    pub(super) mode: Mode,
    /// Playing time: display time without the pauses. Everything inside counts in it.
    pub(super) now: MediaTime,
    /// The display time at which the pause began.
    pub(super) paused_at: MediaTime,
    pub(super) screens: Vec<Screen>,
    pub(super) run: Option<Run>,
    pub(super) gather: Option<Gather>,
    pub(super) run_count: u64,
    pub(super) rounds: u64,
    pub(super) finish: Option<MediaTime>,
    wake: Option<MediaTime>,
    pub(super) out: Outbox,
}

impl Sequencer {
    /// A Sequencer for these screens. With `rounds` it finishes after it has shown the playlist that often, at least
    /// once; without, it plays for ever.
    pub fn new(screens: Vec<ScreenName>, rounds: Option<u64>) -> Self {
        Self {
            screens: (0..screens.len())
                .map(|index| Screen::new(ScreenIndex(index)))
                .collect(),
            names: screens,
            wanted_rounds: rounds.map(|rounds| rounds.max(1)),
            playlist: None,
            order: None,
            auto_advance: true,
            autostart: false,
            stopped: false,
            mode: Mode::Idle,
            now: MediaTime::ZERO,
            paused_at: MediaTime::ZERO,
            run: None,
            gather: None,
            run_count: 0,
            rounds: 0,
            finish: None,
            wake: None,
            out: Outbox::default(),
        }
    }

    /// Takes in what happened at display time `now`; a time before the last one counts as the last one.
    /// Afterwards [`Sequencer::poll`] is to be drained.
    pub fn handle(&mut self, now: MediaTime, input: Input) {
        match self.mode {
            Mode::Idle | Mode::Playing => self.now = self.now.max(now - self.out.paused),
            Mode::Paused => self.paused_at = self.paused_at.max(now),
        }
        match input {
            Input::Environment {
                playlist,
                autostart_playlist,
                auto_advance,
            } => self.environment(playlist, autostart_playlist, auto_advance),
            Input::Command(command) => {
                if self.check(&command).is_ok() {
                    self.command(now, command);
                }
            }
            Input::Slot {
                screen,
                slot,
                load,
                event,
            } => self.slot_event(screen, slot, load, event),
            Input::MediaChanged { src } => self.media_changed(&src),
            Input::Timer => self.wake = None,
        }
        if self.mode == Mode::Playing {
            self.settle();
        }
        self.ask_to_be_woken();
    }

    /// The next thing to do, until there is none.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.queue.pop_front()
    }

    /// Whether a command can be carried out now; if not, why. A command that cannot is ignored by
    /// [`Sequencer::handle`].
    pub fn check(&self, command: &Command) -> Result<(), CommandError> {
        let order = self.order.as_ref().ok_or(CommandError::NoPlaylist);
        match (command, self.mode) {
            (Command::Stop, _) => Ok(()),
            (Command::Goto(position), _) => order?.screen_of(*position).map(|_| ()),
            (Command::Play, _) => order.map(|_| ()),
            (Command::Pause | Command::Next | Command::Previous | Command::Replay, Mode::Idle) => {
                order.and(Err(CommandError::NotPlaying))
            }
            (
                Command::Pause | Command::Next | Command::Previous | Command::Replay,
                Mode::Playing | Mode::Paused,
            ) => Ok(()),
        }
    }

    /// Whether anything plays.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The names of the screens, in order.
    pub fn screens(&self) -> &[ScreenName] {
        &self.names
    }

    /// The playlist, whether it plays or not.
    pub fn playlist(&self) -> Option<&Arc<Playlist>> {
        self.playlist.as_ref()
    }

    /// A slot's state. Its times are playing time, which stands still during a pause.
    pub fn slot(&self, screen: ScreenIndex, slot: SlotId) -> Option<&Slot> {
        self.screens.get(screen.0).map(|screen| screen.slot(slot))
    }

    /// The card on a screen.
    pub fn card(&self, screen: ScreenIndex) -> Option<Card> {
        self.screens.get(screen.0)?.card
    }

    /// What a screen shows; nothing if that is no longer in the playlist.
    pub fn shown(&self, screen: ScreenIndex) -> Option<Shown> {
        let screen = self.screens.get(screen.0)?;
        let opening = screen.shown_opening()?;
        let item = self.order.as_ref()?.playlist().item(opening.position)?;
        let since = || Some(screen.shown_slot()?.dead_since().unwrap_or(self.now));
        let start = screen.showing().map(|showing| showing.start);
        super::screen::same(item, &opening.item).then_some(Shown {
            position: opening.position,
            item: Arc::clone(&opening.item),
            start: self.out.display(start.or_else(since)?),
            end: screen.shown_end().map(|end| self.out.display(end)),
        })
    }

    /// Whether waiting a little will bring a picture to this screen: something is being opened for it, or is about
    /// to be shown. False while paused, idle or held, and while all that could follow has failed and waits.
    pub fn expecting(&self, screen: ScreenIndex) -> bool {
        let Some(screen) = self.screens.get(screen.0) else {
            return false;
        };
        let Some(next) = screen.next.as_ref() else {
            return self.mode == Mode::Playing && screen.cue.is_some_and(|cued| cued.is_now());
        };
        let waits_for_others = self
            .gather
            .as_ref()
            .is_some_and(|gather| gather.id == next.run && !gather.released);
        self.mode == Mode::Playing
            && match screen.slot(screen.spare()) {
                Slot::Prerolling { opening, .. } => next.is(opening),
                Slot::Ready { opening, .. } if next.is(opening) => {
                    waits_for_others || screen.cue.is_some_and(|cued| cued.is_now())
                }
                Slot::Idle
                | Slot::Ready { .. }
                | Slot::Playing { .. }
                | Slot::Draining { .. }
                | Slot::Failed { .. } => screen.cue.is_some_and(|cued| cued.is_now()),
            }
    }

    /// Stands still: no time passes inside until [`Sequencer::resume`].
    pub(super) fn pause(&mut self, now: MediaTime) {
        if self.mode == Mode::Playing {
            self.mode = Mode::Paused;
            self.paused_at = now.max(self.now + self.out.paused);
            self.out.push(Output::Pause);
        }
    }

    /// Goes on after a pause, and moves everything by the time that it took.
    pub(super) fn resume(&mut self, now: MediaTime) {
        if self.mode == Mode::Paused {
            self.mode = Mode::Playing;
            self.out.paused = self.paused_at.max(now) - self.now;
            self.out.push(Output::Resume);
            self.tell_finish();
        }
    }

    /// Closes everything and shows the idle card on every screen.
    pub(super) fn stop(&mut self) {
        self.resume(self.paused_at);
        self.take_back_finish();
        self.mode = Mode::Idle;
        self.run = None;
        self.gather = None;
        for screen in &mut self.screens {
            screen.uncue(&mut self.out);
            screen.put_up(&mut self.out, Card::Idle);
            for slot in SlotId::BOTH {
                screen.unload(&mut self.out, slot);
            }
            screen.next = None;
            screen.walk = Default::default();
        }
    }

    /// Starts at the first montage.
    pub(super) fn start(&mut self) {
        let Some(order) = self.order.clone() else {
            return;
        };
        self.set_out();
        self.jump(order.first(), vec![0; self.screens.len()], None);
    }

    /// Begins to play, from wherever the caller then says.
    pub(super) fn set_out(&mut self) {
        self.mode = Mode::Playing;
        self.stopped = false;
        for screen in &mut self.screens {
            screen.blank_since = self.now;
        }
    }

    /// Goes to a montage on all screens at once.
    pub(super) fn jump(&mut self, montage: usize, from: Vec<usize>, asked: Option<ScreenIndex>) {
        let entry = Entry {
            montage,
            wraps: false,
            cause: Cause::Jump,
        };
        self.open_montage(entry, from, asked);
    }

    /// Begins to open a montage on all screens.
    pub(super) fn open_montage(
        &mut self,
        entry: Entry,
        from: Vec<usize>,
        asked: Option<ScreenIndex>,
    ) {
        self.run_count = self.run_count.saturating_add(1);
        self.gather = Some(Gather {
            id: self.run_count,
            entry,
            failed: vec![false; from.len()],
            from,
            asked,
            released: false,
        });
    }

    /// Tells when to finish, if that is known.
    pub(super) fn tell_finish(&mut self) {
        if let Some(at) = self.finish {
            let at = self.out.display(at);
            self.out.push(Output::Finish { at });
        }
    }

    pub(super) fn take_back_finish(&mut self) {
        if self.finish.take().is_some() {
            self.out.push(Output::Finish { at: MediaTime::MAX });
        }
    }

    fn ask_to_be_woken(&mut self) {
        let wake = match self.mode {
            Mode::Playing => self.deadline().map(|at| self.out.display(at)),
            Mode::Idle | Mode::Paused => None,
        };
        if wake != self.wake {
            self.wake = wake;
            self.out.push(Output::WakeAt(wake));
        }
    }
}
