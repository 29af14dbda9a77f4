//! A house, a box and the network between them, in virtual time: what goes wrong is chosen by the test, and what must
//! never happen is looked for at every step.

use std::collections::{BTreeMap, BTreeSet};

use musebox::domain::{
    house::{Edit, canonical, merge},
    ids::{CommandId, Epoch, ItemId, Revision, ScreenName},
    protocol::{
        State,
        sync::{BoxState, Frame, HouseCommand, Message, Play},
    },
    session::{
        BoxInput, BoxOutput, BoxSession, Closing, Held, History, HouseInput, HouseOutput,
        HouseSession, Link, Peer,
    },
    units::MediaTime,
};
use serde_json::{Value, json};

/// What travels.
#[derive(Clone, Debug)]
enum Payload {
    Text(String),
    Ping,
    Pong,
    Close(Option<u16>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Box,
    House,
}

#[derive(Clone, Debug)]
enum Event {
    Connected(u64),
    Refused(u64),
    Arrives(u64, To, Payload),
    CommandDone(u64, CommandId),
}

/// How the network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    Fine,
    /// Connections are refused at once.
    Refuses,
    /// Nothing comes back at all.
    Swallows,
}

pub struct World {
    pub now: MediaTime,
    events: BTreeMap<(MediaTime, u64), Event>,
    made: u64,
    random: u64,
    pub network: Network,
    /// The next frame of either side is delivered twice.
    pub duplicate: bool,
    /// The next frame from the house arrives damaged.
    pub damage: bool,
    /// Frames take up to so long.
    pub delay: MediaTime,

    // The box.
    boot: u64,
    session: BoxSession,
    box_wake: Option<MediaTime>,
    box_line: Option<u64>,
    cache: Option<Held>,
    log: Vec<Play>,
    next_seq: u64,
    pub carried: BTreeMap<(u64, CommandId), u32>,
    told_state: Option<BoxState>,

    // The house.
    pub history: History,
    documents: BTreeMap<(Epoch, Revision), Value>,
    house: Option<HouseSession>,
    house_wake: Option<MediaTime>,
    house_line: Option<u64>,
    pub store_works: bool,
    stored: BTreeSet<u64>,
    known_state: Option<BoxState>,
    commands: u64,
    pub outstanding: BTreeSet<CommandId>,
    epochs: u64,

    // The connection.
    line: u64,
    /// The connection lives on both ends, but nothing goes through any more.
    dead: bool,
    last_arrival: [MediaTime; 2],
}

impl World {
    pub fn new(seed: u64) -> Self {
        let document = json!({"house": {"name": "A", "n": 0}, "items": {}});
        let (epoch, rev) = (Epoch::new("e0"), Revision(1));
        let now = MediaTime::from_seconds(1000);
        let mut world = Self {
            now,
            events: BTreeMap::new(),
            made: 0,
            random: seed | 1,
            network: Network::Fine,
            duplicate: false,
            damage: false,
            delay: MediaTime::from_millis(50),
            boot: 0,
            session: BoxSession::new(now, "0.1.0", vec![ScreenName::new("main")], None),
            box_wake: None,
            box_line: None,
            cache: None,
            log: Vec::new(),
            next_seq: 1,
            carried: BTreeMap::new(),
            told_state: None,
            documents: BTreeMap::from([((epoch.clone(), rev), document.clone())]),
            history: History::new(epoch, rev, document),
            house: None,
            house_wake: None,
            house_line: None,
            store_works: true,
            stored: BTreeSet::new(),
            known_state: None,
            commands: 0,
            outstanding: BTreeSet::new(),
            epochs: 0,
            line: 0,
            dead: false,
            last_arrival: [now; 2],
        };
        world.drain();
        world
    }

    /// A number from 0 to 1 (xorshift64).
    fn chance(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn after(&mut self, delay: MediaTime, event: Event) {
        self.made += 1;
        self.events.insert((self.now + delay, self.made), event);
    }

    // What the test does.

    pub fn edit(&mut self, n: u64) {
        let mut document = Value::clone(self.history.document());
        let patch = match n % 4 {
            0 => json!({"house": {"n": n, "autostart_playlist": n.is_multiple_of(8)}}),
            1 => json!({"items": {format!("i{}", n % 7): {"title": n}}}),
            2 => json!({"items": {format!("i{}", n % 7): null}}),
            _ => json!({"house": {"list": [n, {"x": n}], "name": "ä\u{1f3a8}"}}),
        };
        merge::apply(&mut document, &patch);
        let rev = self.history.rev().next();
        self.documents
            .insert((self.history.epoch().clone(), rev), document.clone());
        let taken = self.history.take(Edit {
            rev,
            writes: vec![musebox::domain::house::Write {
                kind: musebox::domain::house::Kind::House,
                id: "h1".to_owned(),
                body: None,
            }],
            patch: merge::diff(self.history.document(), &document),
            sha256: canonical::sha256(&document),
            document,
        });
        assert!(taken);
        self.tell_house(HouseInput::Changed);
    }

    /// Another server has edited the house several times; this one reads the newest.
    pub fn catch_up(&mut self, times: u64) {
        let mut document = Value::clone(self.history.document());
        let mut rev = self.history.rev();
        for n in 0..times {
            rev = rev.next();
            merge::apply(&mut document, &json!({"house": {"other": n, "rev": rev}}));
            self.documents
                .insert((self.history.epoch().clone(), rev), document.clone());
        }
        self.history.catch_up(rev, document);
        self.tell_house(HouseInput::Changed);
    }

    /// The house is restored from a backup: an older document, under another epoch.
    pub fn restore(&mut self, n: usize) {
        let backups: Vec<_> = self.documents.values().cloned().collect();
        let document = backups[n % backups.len()].clone();
        self.epochs += 1;
        let epoch = Epoch::new(format!("e{}", self.epochs));
        let rev = Revision(1 + n as u64 % 5);
        self.documents
            .insert((epoch.clone(), rev), document.clone());
        self.restart_house();
        self.history.restore(epoch, rev, document);
    }

    /// The house's process restarts: it forgets its patches.
    pub fn restart_house(&mut self) {
        self.tell_house(HouseInput::End(Closing::Restart));
        self.lose_house();
        let document = Value::clone(self.history.document());
        self.history = History::new(self.history.epoch().clone(), self.history.rev(), document);
    }

    /// The box's process restarts, with what its cache holds.
    pub fn restart_box(&mut self) {
        self.cut();
        self.boot += 1;
        self.box_line = None;
        self.box_wake = None;
        let outputs = vec![ScreenName::new("main")];
        self.session = BoxSession::new(self.now, "0.1.0", outputs, self.cache.clone());
        self.drain();
        let log = self.log.clone();
        self.tell_box(BoxInput::Played(log));
        if let Some(state) = self.told_state.clone() {
            self.tell_box(BoxInput::Report(Box::new(state)));
        }
    }

    /// The cache is not what was stored: it has the same revision and another document.
    pub fn spoil_cache(&mut self) {
        if let Some(held) = &mut self.cache {
            held.document = json!({"house": {"name": "spoilt"}}).into();
        }
        self.restart_box();
    }

    /// The connection breaks, and both ends see it.
    pub fn cut(&mut self) {
        if let Some(line) = self.box_line {
            self.dead = true;
            self.after(
                MediaTime::ZERO,
                Event::Arrives(line, To::Box, Payload::Close(None)),
            );
        }
        if self.house_line.is_some() {
            self.tell_house(HouseInput::Closed);
            self.lose_house();
        }
    }

    /// The connection breaks, and nobody sees it.
    pub fn kill_silently(&mut self) {
        self.dead = true;
    }

    pub fn report(&mut self, n: u64) {
        let state = BoxState {
            state: State::Playing,
            uptime_ms: Some(n),
            ..BoxState::default()
        };
        self.told_state = Some(state.clone());
        self.tell_box(BoxInput::Report(Box::new(state)));
    }

    pub fn play(&mut self, count: u64) {
        let plays: Vec<Play> = (0..count)
            .map(|n| Play {
                seq: self.next_seq + n,
                at: "2026-11-25T10:00:00Z".to_owned(),
                output: ScreenName::new("main"),
                playlist: None,
                item: ItemId::new("i1"),
                duration_ms: n,
            })
            .collect();
        self.next_seq += count;
        self.log.extend(plays.iter().cloned());
        self.tell_box(BoxInput::Played(plays));
    }

    pub fn command(&mut self, again: bool) {
        if !again || self.commands == 0 {
            self.commands += 1;
        }
        let id = CommandId::new(format!("c{}", self.commands));
        if self.house.is_some() {
            self.outstanding.insert(id.clone());
        }
        let command = HouseCommand::Next;
        self.tell_house(HouseInput::Command { id, command });
    }

    // How it goes on.

    /// Lets virtual time pass.
    pub fn run(&mut self, time: MediaTime) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until both agree on everything; answers how long that took.
    pub fn settle(&mut self, longest: MediaTime) -> MediaTime {
        let begun = self.now;
        while !self.agrees() {
            assert!(self.step(begun + longest), "no agreement within {longest}");
        }
        self.now - begun
    }

    fn agrees(&self) -> bool {
        let in_step = matches!(self.session.link(), Link::InStep { .. });
        let same = self.session.held().is_some_and(|held| {
            held.epoch == *self.history.epoch()
                && held.rev == self.history.rev()
                && held.document == *self.history.document()
        });
        in_step
            && same
            && !self.dead
            && self.box_line == self.house_line
            && self.log.is_empty()
            && (1..self.next_seq).all(|seq| self.stored.contains(&seq))
            && self.known_state == self.told_state
            && self.outstanding.is_empty()
    }

    /// The next thing that happens, unless it is after `end`.
    fn step(&mut self, end: MediaTime) -> bool {
        let event = self.events.keys().next().map(|(at, _)| *at);
        let next = [event, self.box_wake, self.house_wake];
        let Some(at) = next.into_iter().flatten().min().filter(|at| *at <= end) else {
            return false;
        };
        self.now = self.now.max(at);
        if event == Some(at) {
            let (_, event) = self.events.pop_first().expect("it was seen");
            self.happen(event);
        } else if self.box_wake == Some(at) {
            self.box_wake = None;
            self.tell_box(BoxInput::Timer);
        } else {
            self.house_wake = None;
            self.tell_house(HouseInput::Timer);
        }
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Connected(line) if self.box_line == Some(line) => {
                self.lose_house();
                self.dead = false;
                self.last_arrival = [self.now; 2];
                self.house_line = Some(line);
                self.house = Some(HouseSession::new(self.now, Peer::Box));
                self.drain();
                self.tell_box(BoxInput::Opened);
            }
            Event::Refused(line) if self.box_line == Some(line) => {
                self.box_line = None;
                self.tell_box(BoxInput::Closed { code: None });
            }
            Event::Arrives(line, To::Box, payload) if self.box_line == Some(line) => {
                self.arrive_at_box(line, payload);
            }
            Event::Arrives(line, To::House, payload) if self.house_line == Some(line) => {
                self.arrive_at_house(line, payload);
            }
            Event::CommandDone(boot, id) if self.boot == boot => {
                self.tell_box(BoxInput::Done { id, error: None });
            }
            Event::Connected(_)
            | Event::Refused(_)
            | Event::Arrives(..)
            | Event::CommandDone(..) => {}
        }
    }

    fn arrive_at_box(&mut self, line: u64, payload: Payload) {
        match payload {
            Payload::Text(text) => match Message::read(&text) {
                Ok(message) => self.tell_box(BoxInput::Received(message)),
                Err(_) => self.tell_box(BoxInput::Garbled),
            },
            Payload::Ping => {
                self.send(line, To::House, Payload::Pong);
                self.tell_box(BoxInput::Heard);
            }
            Payload::Pong => self.tell_box(BoxInput::Heard),
            Payload::Close(code) => {
                self.box_line = None;
                self.tell_box(BoxInput::Closed { code });
            }
        }
    }

    fn arrive_at_house(&mut self, line: u64, payload: Payload) {
        match payload {
            Payload::Text(text) => {
                let message = Message::read(&text).expect("a box sends messages only");
                self.tell_house(HouseInput::Received(message));
            }
            Payload::Ping => {
                self.send(line, To::Box, Payload::Pong);
                self.tell_house(HouseInput::Heard);
            }
            Payload::Pong => self.tell_house(HouseInput::Heard),
            Payload::Close(_) => {
                self.tell_house(HouseInput::Closed);
                self.lose_house();
            }
        }
    }

    fn send(&mut self, line: u64, to: To, payload: Payload) {
        if self.dead || self.network != Network::Fine {
            // A segment that is lost for good breaks the connection, sooner or later.
            self.dead = true;
            return;
        }
        let text = matches!(payload, Payload::Text(_));
        let copies = match text && std::mem::take(&mut self.duplicate) {
            true => 2,
            false => 1,
        };
        let payload = match payload {
            Payload::Text(text) if to == To::Box && std::mem::take(&mut self.damage) => {
                Payload::Text(text.replace("\"house\"", "\"horse\""))
            }
            payload => payload,
        };
        for _ in 0..copies {
            let delay = MediaTime::from_nanos((self.delay.nanos() as f64 * self.chance()) as i64);
            let last = &mut self.last_arrival[to as usize];
            *last = (*last).max(self.now + delay);
            let delay = *last - self.now;
            self.after(delay, Event::Arrives(line, to, payload.clone()));
        }
    }

    fn tell_box(&mut self, input: BoxInput) {
        let chance = self.chance();
        self.session.handle(self.now, input, chance);
        self.drain();
    }

    fn tell_house(&mut self, input: HouseInput) {
        if let Some(house) = &mut self.house {
            house.handle(self.now, input, &self.history);
            self.drain();
        }
    }

    fn lose_house(&mut self) {
        if self.house.is_some() {
            self.tell_house(HouseInput::Closed);
        }
        (self.house, self.house_line, self.house_wake) = (None, None, None);
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll() {
            self.box_does(output);
        }
        while let Some(output) = self.house.as_mut().and_then(HouseSession::poll) {
            self.house_does(output);
        }
    }

    fn box_does(&mut self, output: BoxOutput) {
        match output {
            BoxOutput::Connect => {
                assert_eq!(self.box_line, None, "one connection at a time");
                self.line += 1;
                self.box_line = Some(self.line);
                let delay = MediaTime::from_millis(20);
                match self.network {
                    Network::Fine => self.after(delay, Event::Connected(self.line)),
                    Network::Refuses => self.after(delay, Event::Refused(self.line)),
                    Network::Swallows => {}
                }
            }
            BoxOutput::Send(message) => {
                let line = self
                    .box_line
                    .expect("a box sends only while it is connected");
                let text = message.write();
                assert!(text.len() < musebox::domain::protocol::sync::MAX_PEER_FRAME);
                self.send(line, To::House, Payload::Text(text));
            }
            BoxOutput::Ping => {
                let line = self
                    .box_line
                    .expect("a box pings only while it is connected");
                self.send(line, To::House, Payload::Ping);
            }
            BoxOutput::Close { code } => {
                if let Some(line) = self.box_line.take() {
                    self.send(line, To::House, Payload::Close(Some(code)));
                }
            }
            BoxOutput::Adopt(held) => {
                let known = self.documents.get(&(held.epoch.clone(), held.rev));
                assert_eq!(known, Some(&*held.document), "a document that never was");
                if let Some(before) = self.cache.as_ref().filter(|b| b.epoch == held.epoch) {
                    let spoilt = Some(&*before.document)
                        != self.documents.get(&(before.epoch.clone(), before.rev));
                    assert!(
                        before.rev < held.rev || spoilt,
                        "a revision came twice or late"
                    );
                }
                self.cache = Some(held);
            }
            BoxOutput::Carry { id, command } => {
                assert_eq!(command, HouseCommand::Next);
                let count = self.carried.entry((self.boot, id.clone())).or_default();
                *count += 1;
                assert_eq!(*count, 1, "{id} is carried out once");
                let boot = self.boot;
                self.after(MediaTime::from_millis(300), Event::CommandDone(boot, id));
            }
            BoxOutput::Stored { seq } => {
                for play in self.log.iter().filter(|play| play.seq <= seq) {
                    assert!(self.stored.contains(&play.seq), "{} is lost", play.seq);
                }
                self.log.retain(|play| play.seq > seq);
            }
            BoxOutput::Told(error) => assert!(!error.message.is_empty()),
            BoxOutput::WakeAt(at) => self.box_wake = Some(at),
        }
    }

    fn house_does(&mut self, output: HouseOutput) {
        match output {
            HouseOutput::Send(frame) => self.house_sends(&frame),
            HouseOutput::Ping => {
                let line = self.house_line.expect("a session has a connection");
                self.send(line, To::Box, Payload::Ping);
            }
            HouseOutput::Close { code, reason } => {
                assert!(!reason.is_empty() && reason.len() <= 123);
                let line = self.house_line.expect("a session has a connection");
                self.send(line, To::Box, Payload::Close(Some(code)));
            }
            HouseOutput::Greeted(hello) => assert_eq!(hello.outputs.len(), 1),
            HouseOutput::Reported { id, state, plays } => {
                if let Some(state) = state {
                    self.known_state = Some(*state);
                }
                let error = (!self.store_works).then(|| "the disk is full".to_owned());
                if self.store_works {
                    self.stored.extend(plays.iter().map(|play| play.seq));
                }
                if let Some(id) = id {
                    self.tell_house(HouseInput::Stored { id, error });
                }
            }
            HouseOutput::Done { id, error } => {
                self.outstanding.remove(&id);
                if error.is_none() {
                    let carried = self.carried.keys().any(|(_, carried)| *carried == id);
                    assert!(carried, "{id} is done, but was never carried out");
                }
            }
            HouseOutput::WakeAt(at) => self.house_wake = at,
        }
    }

    fn house_sends(&mut self, frame: &Frame) {
        let line = self.house_line.expect("a session has a connection");
        self.send(line, To::Box, Payload::Text(frame.as_str().to_owned()));
    }
}
