//! A stage for the player's rules: a model of the presenter and of the decoders, in virtual time, and a referee that
//! judges every output.
//!
//! The presenter follows the rule of the real one: what is due at the vblank nearest to its time. The decoders do
//! what their media are told to do: play, fail, say nothing, die midway, run out. Nothing here waits for a clock: time
//! jumps from one event to the next.

#![allow(dead_code)] // Each test file uses its own part of it.

#[path = "stage/media.rs"]
mod media;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
    sync::Arc,
};

use musebox::domain::{
    ids::{LoadId, Position, ScreenIndex, ScreenName, SlotId},
    player::Player,
    playlist::{Item, Playlist},
    sequencer::{
        Card, Command, Cue, Failure, FailureKind, Input, Output, Replayable, Report, SlotEvent,
    },
    units::MediaTime,
};

#[allow(unused_imports)]
pub use media::{Manner, Medium, item, ms, playlist, s};

/// Sixty vblanks a second.
pub const PERIOD: MediaTime = MediaTime::from_nanos(16_666_667);

/// An item that began on a screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Began {
    pub screen: usize,
    pub name: String,
    pub position: Position,
    pub at: MediaTime,
    pub replay: bool,
}

#[derive(Clone, Debug)]
struct Loaded {
    load: LoadId,
    item: Arc<Item>,
    manner: Manner,
    ready: bool,
    showings: u64,
}

#[derive(Clone, Copy, Debug)]
struct Showing {
    slot: SlotId,
    load: LoadId,
    start: MediaTime,
    length: Option<MediaTime>,
    in_place: bool,
    over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    Show(SlotId, LoadId, Option<MediaTime>),
    Replay(Option<MediaTime>),
    Hold,
}

#[derive(Clone, Debug, Default)]
struct Head {
    slots: [Option<Loaded>; 2],
    current: Option<Showing>,
    next: Option<(Next, Cue, MediaTime)>,
    card: Option<Card>,
    /// Whether the last frame is held because it was asked for.
    held: bool,
    /// A cue has happened of which the player has not heard yet.
    unheard: bool,
}

#[derive(Clone, Debug)]
enum Coming {
    News(usize, SlotId, LoadId, SlotEvent),
    /// The same, if this is still that showing of that opening.
    Midway(usize, SlotId, LoadId, u64, SlotEvent),
}

/// The player on a stage.
pub struct Stage {
    pub player: Player,
    pub now: MediaTime,
    pub media: HashMap<String, Medium>,
    pub playlist: Option<Arc<Playlist>>,
    pub autostart: bool,
    pub auto_advance: bool,
    /// Everything that began, if it is kept.
    pub began: Vec<Began>,
    /// Every output with its time, if they are kept.
    pub told: Vec<(MediaTime, Output)>,
    /// Whether to keep them.
    pub keeps: bool,
    /// How late news reaches the player, from a counter: the same every time.
    pub latency: fn(u64) -> MediaTime,
    pub finished: Option<MediaTime>,
    pub loads: u64,
    pub last_began: Vec<MediaTime>,
    heads: Vec<Head>,
    agenda: BinaryHeap<Reverse<(MediaTime, u64)>>,
    coming: BTreeMap<u64, Coming>,
    count: u64,
    wake: Option<MediaTime>,
    paused: Option<MediaTime>,
    last_load: LoadId,
    busy: (MediaTime, u32),
}

impl Stage {
    pub fn new(screens: &[&str], rounds: Option<u64>) -> Self {
        let names = screens.iter().map(|name| ScreenName::new(*name)).collect();
        Self {
            player: Player::new(names, rounds),
            now: MediaTime::ZERO,
            media: HashMap::new(),
            playlist: None,
            autostart: true,
            auto_advance: true,
            began: Vec::new(),
            told: Vec::new(),
            keeps: true,
            latency: |_| MediaTime::ZERO,
            finished: None,
            loads: 0,
            last_began: vec![MediaTime::ZERO; screens.len()],
            heads: vec![Head::default(); screens.len()],
            agenda: BinaryHeap::new(),
            coming: BTreeMap::new(),
            count: 0,
            wake: None,
            paused: None,
            last_load: LoadId(0),
            busy: (MediaTime::ZERO, 0),
        }
    }

    pub fn with(mut self, name: &str, medium: Medium) -> Self {
        self.media.insert(name.to_owned(), medium);
        self
    }

    /// Hands over a playlist with the settings that stand in the stage.
    pub fn environment(&mut self, playlist: Option<Arc<Playlist>>) {
        self.playlist = playlist.clone();
        self.handle(Input::Environment {
            playlist,
            autostart_playlist: self.autostart,
            auto_advance: self.auto_advance,
        });
    }

    /// Hands over the same playlist with other settings.
    pub fn settings(&mut self, autostart: bool, auto_advance: bool) {
        self.autostart = autostart;
        self.auto_advance = auto_advance;
        let playlist = self.playlist.clone();
        self.environment(playlist);
    }

    pub fn command(&mut self, command: Command) {
        self.handle(Input::Command(command));
    }

    pub fn handle(&mut self, input: Input) {
        self.player.handle(self.now, input);
        while let Some(output) = self.player.poll() {
            if self.keeps {
                self.told.push((self.now, output.clone()));
            }
            self.apply(output);
        }
        self.verify();
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: MediaTime) {
        self.run_until(self.now + time);
    }

    /// Lets time pass up to and including `end`.
    pub fn run_until(&mut self, end: MediaTime) {
        while let Some(at) = self.next_event().filter(|&at| at <= end) {
            if self.finished.is_some_and(|finish| finish <= at) {
                break;
            }
            self.tick(at);
        }
        self.now = self.now.max(end);
    }

    /// The names of the items that began on a screen, `+` in front of a replay.
    pub fn shown(&self, screen: usize) -> Vec<String> {
        let began = self.began.iter().filter(|began| began.screen == screen);
        began
            .map(|began| match began.replay {
                true => format!("+{}", began.name),
                false => began.name.clone(),
            })
            .collect()
    }

    /// When the items on a screen began, nominally.
    pub fn starts(&self, screen: usize) -> Vec<MediaTime> {
        let began = self.began.iter().filter(|began| began.screen == screen);
        began.map(|began| began.at).collect()
    }

    /// The name of what is really on a screen.
    pub fn on_screen(&self, screen: usize) -> Option<String> {
        let head = &self.heads[screen];
        let current = head.current?;
        let loaded = head.slots[current.slot.index()].as_ref()?;
        Some(loaded.item.src.clone())
    }

    pub fn card(&self, screen: usize) -> Option<Card> {
        self.heads[screen].card
    }

    pub fn is_held(&self, screen: usize) -> bool {
        self.heads[screen].held
    }

    pub fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// The reports with their times.
    pub fn reports(&self) -> impl Iterator<Item = (MediaTime, &Report)> {
        self.told.iter().filter_map(|(at, output)| match output {
            Output::Report(report) => Some((*at, report)),
            _ => None,
        })
    }

    /// The loads with their times: screen, slot, name.
    pub fn loaded(&self) -> Vec<(MediaTime, usize, SlotId, String)> {
        let loads = self.told.iter().filter_map(|(at, output)| match output {
            Output::Load {
                screen, slot, item, ..
            } => Some((*at, screen.0, *slot, item.src.clone())),
            _ => None,
        });
        loads.collect()
    }

    /// How often each item failed.
    pub fn failures(&self, name: &str) -> usize {
        let failed =
            |report: &&Report| matches!(report, Report::Failed { item, .. } if item.src == name);
        self.reports()
            .map(|(_, report)| report)
            .filter(failed)
            .count()
    }

    /// The time of the next thing that happens by itself.
    pub fn next_event(&self) -> Option<MediaTime> {
        let agenda = self.agenda.peek().map(|Reverse((at, _))| *at);
        let vblank = self
            .heads
            .iter()
            .filter_map(|head| self.next_change(head))
            .min();
        [agenda, vblank, self.wake].into_iter().flatten().min()
    }

    fn tick(&mut self, at: MediaTime) {
        self.now = self.now.max(at);
        if self.wake.is_some_and(|wake| wake <= at) {
            self.wake = None;
            self.handle(Input::Timer);
        }
        while let Some(Reverse((_, id))) = self
            .agenda
            .peek()
            .copied()
            .filter(|Reverse((due, _))| *due <= at)
        {
            self.agenda.pop();
            if let Some(coming) = self.coming.remove(&id) {
                self.happen(coming);
            }
        }
        for screen in 0..self.heads.len() {
            if self
                .next_change(&self.heads[screen])
                .is_some_and(|due| due <= at)
            {
                self.vblank(screen, at);
            }
        }
    }

    fn happen(&mut self, coming: Coming) {
        let (screen, slot, load, event) = match coming {
            Coming::News(screen, slot, load, event) => {
                self.heads[screen].unheard &= !matches!(event, SlotEvent::Shown { .. });
                (screen, slot, load, event)
            }
            Coming::Midway(screen, slot, load, showings, event) => {
                let head = &mut self.heads[screen];
                let Some(loaded) = &head.slots[slot.index()] else {
                    return;
                };
                if loaded.load != load || loaded.showings != showings {
                    return;
                }
                if let Some(current) = head.current.as_mut().filter(|c| c.slot == slot) {
                    match &event {
                        SlotEvent::Failed(_) | SlotEvent::RanOut => current.over = true,
                        SlotEvent::EndKnown { length } => current.length = Some(*length),
                        _ => {}
                    }
                }
                (screen, slot, load, event)
            }
        };
        if let (SlotEvent::Ready { .. }, Some(loaded)) =
            (&event, self.heads[screen].slots[slot.index()].as_mut())
        {
            loaded.ready |= loaded.load == load;
        }
        self.handle(Input::Slot {
            screen: ScreenIndex(screen),
            slot,
            load,
            event,
        });
    }

    fn post(&mut self, at: MediaTime, coming: Coming) {
        self.count += 1;
        self.agenda.push(Reverse((at, self.count)));
        self.coming.insert(self.count, coming);
    }

    /// Posts news, and tells when the player hears of it.
    fn news(&mut self, screen: usize, slot: SlotId, load: LoadId, event: SlotEvent) -> MediaTime {
        let at = self.now + (self.latency)(self.count);
        self.post(at, Coming::News(screen, slot, load, event));
        at
    }

    /// The first vblank at which something on this head changes.
    fn next_change(&self, head: &Head) -> Option<MediaTime> {
        let now_cue = matches!(
            head.next,
            Some((Next::Show(..) | Next::Replay(_), Cue::Now, _))
        );
        if self.paused.is_some() && !now_cue {
            return None;
        }
        let cue = match head.next {
            Some((Next::Show(..) | Next::Replay(_), Cue::Now, asked)) => Some(vblank_after(asked)),
            Some((Next::Show(..) | Next::Replay(_), Cue::At(at), asked)) => {
                Some(vblank_of(at).max(vblank_after(asked)))
            }
            Some((Next::Hold, ..)) | None => None,
        };
        let end = head
            .current
            .filter(|current| !current.over)
            .and_then(|current| {
                current
                    .length
                    .map(|length| vblank_of(current.start + length))
            });
        cue.into_iter().chain(end).min()
    }

    fn vblank(&mut self, screen: usize, vblank: MediaTime) {
        for _ in 0..8 {
            let head = &mut self.heads[screen];
            let due = match head.next {
                Some((next @ (Next::Show(..) | Next::Replay(_)), Cue::Now, asked))
                    if vblank_after(asked) <= vblank =>
                {
                    Some((next, vblank))
                }
                Some((next @ (Next::Show(..) | Next::Replay(_)), Cue::At(at), _))
                    if vblank_of(at) <= vblank =>
                {
                    Some((next, at))
                }
                _ => None,
            };
            if let Some((next, start)) = due {
                head.next = None;
                self.begin(screen, next, start);
                continue;
            }
            let Some(current) = head.current.as_mut().filter(|current| !current.over) else {
                return;
            };
            let end = current.length.map(|length| current.start + length);
            let Some(end) = end.filter(|&end| vblank_of(end) <= vblank) else {
                return;
            };
            let slot = current.slot;
            let Some(load) = head.slots[slot.index()].as_ref().map(|loaded| loaded.load) else {
                current.over = true;
                return;
            };
            if matches!(head.next, Some((Next::Hold, ..))) {
                current.over = true;
                head.held = true;
                head.next = None;
            } else if current.in_place {
                current.start = end;
                self.news(screen, slot, load, SlotEvent::Looped { start: end });
            } else {
                current.over = true;
                self.news(screen, slot, load, SlotEvent::RanOut);
            }
        }
    }

    fn begin(&mut self, screen: usize, next: Next, start: MediaTime) {
        let head = &mut self.heads[screen];
        let (slot, length) = match next {
            Next::Show(slot, _, length) => (slot, length),
            Next::Replay(length) => match head.current {
                Some(current) => (current.slot, length),
                None => return,
            },
            Next::Hold => return,
        };
        let Some(loaded) = head.slots[slot.index()].as_mut() else {
            return;
        };
        loaded.showings += 1;
        let (load, showings) = (loaded.load, loaded.showings);
        let Manner::Plays {
            replayable,
            dies_after,
            tells,
            runs_out,
            worn_after,
            ..
        } = loaded.manner.clone()
        else {
            panic!("a medium that cannot play was shown");
        };
        head.current = Some(Showing {
            slot,
            load,
            start,
            length,
            in_place: replayable == Replayable::InPlace,
            over: false,
        });
        head.card = None;
        head.held = false;
        head.unheard = true;
        if let (true, Some(paused)) = (self.paused.is_some(), &mut self.paused) {
            *paused = start.max(*paused);
        }
        let heard = self.news(screen, slot, load, SlotEvent::Shown { start });
        let midway = |event| Coming::Midway(screen, slot, load, showings, event);
        if let Some(after) = dies_after {
            let failure = Failure {
                kind: FailureKind::Corrupt,
                message: "died".to_owned(),
            };
            self.post(
                (start + after).max(heard),
                midway(SlotEvent::Failed(failure)),
            );
        }
        if let Some((after, length)) = tells {
            self.post(
                (start + after).max(heard),
                midway(SlotEvent::EndKnown { length }),
            );
        }
        if let Some(after) = runs_out {
            self.post((start + after).max(heard), midway(SlotEvent::RanOut));
        }
        if let Some(after) = worn_after {
            self.post((start + after).max(heard), midway(SlotEvent::Worn));
        }
    }

    /// Does what the player says, and judges it.
    fn apply(&mut self, output: Output) {
        let now = self.now;
        let said = format!("{output:?} at {now}");
        match output {
            Output::Load {
                screen,
                slot,
                load,
                position,
                item,
            } => {
                let head = &mut self.heads[screen.0];
                assert!(load > self.last_load, "load numbers repeat: {said}");
                self.last_load = load;
                assert!(
                    head.slots[slot.index()].is_none(),
                    "load into a full slot: {said}"
                );
                let listed = self.playlist.as_ref().and_then(|list| list.item(position));
                assert_eq!(listed, Some(&item), "no such position: {said}");
                self.loads += 1;
                let medium = self
                    .media
                    .get(&item.src)
                    .cloned()
                    .unwrap_or_else(Medium::bad);
                let event = match &medium.manner {
                    Manner::Plays {
                        media, replayable, ..
                    } => Some(SlotEvent::Ready {
                        media: *media,
                        replayable: *replayable,
                    }),
                    Manner::Fails(kind) => Some(SlotEvent::Failed(Failure {
                        kind: *kind,
                        message: format!("{} is bad", item.src),
                    })),
                    Manner::Silent => None,
                };
                head.slots[slot.index()] = Some(Loaded {
                    load,
                    item,
                    manner: medium.manner,
                    ready: false,
                    showings: 0,
                });
                if let Some(event) = event {
                    let coming = Coming::Midway(screen.0, slot, load, 0, event);
                    self.post(now + medium.preroll, coming);
                }
            }
            Output::Show {
                screen,
                slot,
                load,
                cue,
                length,
            } => {
                let head = &mut self.heads[screen.0];
                let loaded = head.slots[slot.index()].as_ref();
                assert_eq!(loaded.map(|it| it.load), Some(load), "not loaded: {said}");
                assert!(loaded.is_some_and(|it| it.ready), "not ready: {said}");
                assert!(
                    head.unheard || head.current.is_none_or(|current| current.load != load),
                    "shown already: {said}"
                );
                assert_eq!(head.next, None, "two cues: {said}");
                assert!(!matches!(cue, Cue::At(at) if at <= now), "too late: {said}");
                head.next = Some((Next::Show(slot, load, length), cue, now));
            }
            Output::Replay {
                screen,
                slot,
                load,
                cue,
                length,
            } => {
                let head = &mut self.heads[screen.0];
                let loaded = head.slots[slot.index()].as_ref();
                assert_eq!(loaded.map(|it| it.load), Some(load), "not loaded: {said}");
                assert_eq!(
                    head.current.map(|it| it.slot),
                    Some(slot),
                    "not shown: {said}"
                );
                assert!(
                    head.current.is_some_and(|it| it.in_place),
                    "not in place: {said}"
                );
                assert_eq!(head.next, None, "two cues: {said}");
                head.next = Some((Next::Replay(length), cue, now));
            }
            Output::Hold { screen } => {
                let head = &mut self.heads[screen.0];
                assert!(head.current.is_some(), "nothing to hold: {said}");
                assert_eq!(head.next, None, "two cues: {said}");
                head.next = Some((Next::Hold, Cue::Now, now));
            }
            Output::Uncue { screen } => self.heads[screen.0].next = None,
            Output::Unload { screen, slot, load } => {
                let head = &mut self.heads[screen.0];
                let loaded = head.slots[slot.index()].take();
                assert_eq!(loaded.map(|it| it.load), Some(load), "not loaded: {said}");
                let cued = matches!(head.next, Some((Next::Show(cued, ..), ..)) if cued == slot);
                assert!(!cued, "unloaded while cued: {said}");
                let shown = head.current.is_some_and(|current| current.slot == slot);
                assert!(
                    !shown || head.card.is_some() || head.unheard,
                    "the picture was taken away: {said}"
                );
                if shown && !head.unheard {
                    head.current = None;
                }
            }
            Output::Card { screen, card } => {
                let head = &mut self.heads[screen.0];
                head.card = Some(card);
                head.next = None;
                head.current = None;
            }
            Output::Pause => {
                assert!(self.paused.is_none(), "paused twice: {said}");
                self.paused = Some(now);
            }
            Output::Resume => {
                let paused = self.paused.take().expect("a resume without a pause");
                let shift = now - paused;
                for head in &mut self.heads {
                    if let Some(current) = &mut head.current {
                        current.start += shift;
                    }
                    if let Some((_, Cue::At(at), _)) = &mut head.next {
                        *at += shift;
                    }
                }
            }
            Output::Finish { at } => {
                self.finished = (at != MediaTime::MAX).then_some(at);
            }
            Output::WakeAt(at) => {
                assert!(at.is_none_or(|at| at > now), "woken in the past: {said}");
                self.wake = at;
            }
            Output::Report(Report::Began {
                screen,
                position,
                item,
                replay,
                at,
                ..
            }) => {
                self.last_began[screen.0] = now;
                if self.keeps {
                    self.began.push(Began {
                        screen: screen.0,
                        name: item.src.clone(),
                        position,
                        at,
                        replay,
                    });
                }
            }
            Output::Report(_) => {}
        }
    }

    /// Whether any track of the playlist is for a screen.
    fn has_track(&self, screen: usize) -> bool {
        let name = &self.player.snapshot().screens[screen].name;
        self.playlist
            .iter()
            .flat_map(|list| &list.montages)
            .any(|montage| {
                let named = montage.tracks.iter().any(|track| track.screen.is_some());
                montage
                    .tracks
                    .iter()
                    .enumerate()
                    .any(|(number, track)| match &track.screen {
                        Some(named) => named == name,
                        None => !named && number == screen,
                    })
            })
    }

    /// What must hold after every input.
    fn verify(&mut self) {
        use musebox::domain::player::State;
        // No busy loop: so much in one moment is not work but going in circles.
        self.busy = match self.busy {
            (at, count) if at == self.now => (at, count + 1),
            _ => (self.now, 0),
        };
        assert!(self.busy.1 < 10_000, "a busy loop at {}", self.now);
        let snapshot = self.player.snapshot();
        for (index, screen) in snapshot.screens.iter().enumerate() {
            if let (Some(position), Some(item)) = (screen.position, &screen.item) {
                let listed = self.playlist.as_ref().and_then(|list| list.item(position));
                let same =
                    listed.is_some_and(|listed| listed.id == item.id && listed.src == item.src);
                assert!(same, "{position} is not {} at {}", item.src, self.now);
            }
            let head = &self.heads[index];
            assert!(
                head.next.is_none()
                    || head.current.is_some()
                    || matches!(head.next, Some((Next::Show(..), ..))),
                "a cue for nothing at {}",
                self.now
            );
        }
        // While something plays, something is pending.
        if matches!(snapshot.state, State::Playing | State::Failed) {
            for (index, head) in self.heads.iter().enumerate() {
                let pending = self.wake.is_some()
                    || head.next.is_some()
                    || head.unheard
                    || head.slots.iter().flatten().any(|loaded| !loaded.ready)
                    || head.held
                    || (!self.auto_advance && head.current.is_some_and(|it| it.over))
                    || (!self.auto_advance && !self.has_track(index))
                    || self.finished.is_some()
                    || head
                        .current
                        .is_some_and(|it| !it.over && (it.length.is_none() || !it.in_place))
                    || head.card == Some(Card::Idle);
                assert!(
                    pending,
                    "screen {index} has stalled at {}: {head:?}",
                    self.now
                );
            }
        }
    }
}

/// The first vblank after a moment.
fn vblank_after(at: MediaTime) -> MediaTime {
    let count = at.nanos().div_euclid(PERIOD.nanos()) + 1;
    PERIOD.times(count)
}

/// The vblank nearest to a time.
fn vblank_of(at: MediaTime) -> MediaTime {
    let period = PERIOD.nanos();
    let count = (at.nanos() - period / 2 + period - 1).div_euclid(period);
    PERIOD.times(count.max(0))
}
