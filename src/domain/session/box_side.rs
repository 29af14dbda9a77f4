//! The box's end: one for as long as the process lives, over many connections.

use std::{collections::VecDeque, sync::Arc};

use serde_json::Value;

use crate::domain::{
    house::{canonical, merge},
    ids::{CommandId, Epoch, Revision, ScreenName},
    protocol::sync::{
        Ack, BoxState, CLOSE_BAD_MESSAGE, CLOSE_BAD_SNAPSHOT, CLOSE_GOING_AWAY, CLOSE_REVOKED,
        CLOSE_UNKNOWN_PROTO, CommandFrame, ErrorCode, ErrorFrame, Hello, HouseCommand, MAX_GARBLED,
        Message, PROTO, Patch, Play, Snapshot,
    },
    session::{
        heartbeat::{Beat, Heartbeat, SILENCE},
        inbound::{Carried, Commands},
        reconnect::Reconnect,
        report::Outbox,
    },
    units::MediaTime,
};

/// How long connecting may take.
const CONNECT_WITHIN: MediaTime = MediaTime::from_seconds(30);
/// How long the house may take to answer a hello.
const ANSWER_WITHIN: MediaTime = SILENCE;

/// An environment that a box holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Of which history.
    pub epoch: Epoch,
    /// As of which revision.
    pub rev: Revision,
    /// The document.
    pub document: Arc<Value>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum BoxInput {
    /// The connection asked for is there.
    Opened,
    /// A message came.
    Received(Message),
    /// A frame came that is no message.
    Garbled,
    /// The connection is gone, or could not be made; with the close code where the house sent one.
    Closed {
        /// The code.
        code: Option<u16>,
    },
    /// A ping or pong came.
    Heard,
    /// The time asked for with [`BoxOutput::WakeAt`] has come.
    Timer,
    /// The box is like this now. Told on every change; it is sent at most once a second.
    Report(Box<BoxState>),
    /// More entries of the play log, the oldest first, as many as there is room for. After a start, those that are not
    /// stored yet.
    Played(Vec<Play>),
    /// A command is carried out, or cannot be.
    Done {
        /// Which.
        id: CommandId,
        /// Why it cannot be, in plain words.
        error: Option<String>,
    },
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum BoxOutput {
    /// Connect to the house; answer with [`BoxInput::Opened`] or [`BoxInput::Closed`].
    Connect,
    /// Send a message.
    Send(Box<Message>),
    /// Send a ping.
    Ping,
    /// Close the connection, or give up making it. Nothing more of it is told to the session, not even its end.
    Close {
        /// The close code.
        code: u16,
    },
    /// This is the environment from now on: store it and obey it.
    Adopt(Held),
    /// Carry out a command and answer with [`BoxInput::Done`].
    Carry {
        /// Its name.
        id: CommandId,
        /// What to do.
        command: HouseCommand,
    },
    /// The house has stored the play log up to this entry: it need not be kept any longer.
    Stored {
        /// The entry's number.
        seq: u64,
    },
    /// The house says that something is wrong; for the log, and for people where the box is refused.
    Told(ErrorFrame),
    /// Call back with [`BoxInput::Timer`] at this time, or earlier: replaces what was asked for before.
    WakeAt(MediaTime),
}

/// How it stands with the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// There is no connection; the next attempt comes at this time.
    Waiting {
        /// When.
        until: MediaTime,
    },
    /// A connection is being made, since this time.
    Connecting {
        /// Since when.
        since: MediaTime,
    },
    /// There is a connection, but it is not known yet whether the box holds the newest environment.
    Asking {
        /// When the connection came about.
        since: MediaTime,
    },
    /// There is a connection, and the box is told every change.
    InStep {
        /// When the connection came about.
        since: MediaTime,
    },
}

/// What a box waits for after a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Await {
    /// Nothing: it is in step.
    Nothing,
    /// A snapshot, or patches to what it holds.
    Any { until: MediaTime },
    /// A snapshot: what it holds is of no use.
    Snapshot { until: MediaTime },
}

#[derive(Clone, Copy, Debug)]
enum State {
    Waiting {
        until: MediaTime,
    },
    Connecting {
        since: MediaTime,
    },
    Open {
        since: MediaTime,
        heartbeat: Heartbeat,
        awaits: Await,
        garbled: u32,
    },
}

/// A box's end of the way to its house.
#[derive(Debug)]
pub struct BoxSession {
    version: String,
    outputs: Vec<ScreenName>,
    held: Option<Held>,
    state: State,
    reconnect: Reconnect,
    commands: Commands,
    outbox: Outbox,
    out: VecDeque<BoxOutput>,
    told_wake: Option<MediaTime>,
}

impl BoxSession {
    /// A session of a box that holds what its cache holds. It connects at once: the first output is there already.
    pub fn new(
        now: MediaTime,
        version: impl Into<String>,
        outputs: Vec<ScreenName>,
        cached: Option<Held>,
    ) -> Self {
        let mut session = Self {
            version: version.into(),
            outputs,
            held: cached,
            state: State::Connecting { since: now },
            reconnect: Reconnect::default(),
            commands: Commands::default(),
            outbox: Outbox::default(),
            out: VecDeque::from([BoxOutput::Connect]),
            told_wake: None,
        };
        session.wake();
        session
    }

    /// The environment that the box holds.
    pub fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// How many more entries of the play log the session has room for: they are kept in memory until the house has them,
    /// and whoever has the log on a disk hands over no more than these.
    pub fn room_for_plays(&self) -> usize {
        self.outbox.room()
    }

    /// How it stands with the house.
    pub fn link(&self) -> Link {
        match self.state {
            State::Waiting { until } => Link::Waiting { until },
            State::Connecting { since } => Link::Connecting { since },
            State::Open { since, awaits, .. } => match awaits {
                Await::Nothing => Link::InStep { since },
                Await::Any { .. } | Await::Snapshot { .. } => Link::Asking { since },
            },
        }
    }

    /// Something happened. `now` is by a clock that never goes back; `chance` is a random number from 0 to 1, of
    /// which waits are made. Then [`BoxSession::poll`] is drained.
    pub fn handle(&mut self, now: MediaTime, input: BoxInput, chance: f64) {
        match input {
            BoxInput::Opened => self.opened(now),
            BoxInput::Received(message) => {
                self.heard(now);
                self.received(now, message, chance);
            }
            BoxInput::Garbled => {
                self.heard(now);
                self.garbled(now, chance);
            }
            BoxInput::Heard => self.heard(now),
            BoxInput::Closed { code } => self.closed(now, code, chance),
            BoxInput::Timer => {}
            BoxInput::Report(state) => self.outbox.state(*state),
            BoxInput::Played(plays) => self.outbox.played(plays),
            BoxInput::Done { id, error } => {
                if self.commands.done(&id, error.clone()) {
                    self.ack(&id, error);
                }
            }
        }
        self.due(now, chance);
        self.wake();
    }

    /// What to do next; nothing when all is told.
    pub fn poll(&mut self) -> Option<BoxOutput> {
        self.out.pop_front()
    }

    fn opened(&mut self, now: MediaTime) {
        match self.state {
            State::Connecting { .. } => {}
            State::Waiting { .. } | State::Open { .. } => return,
        }
        self.state = State::Open {
            since: now,
            heartbeat: Heartbeat::new(now),
            awaits: Await::Any {
                until: now + ANSWER_WITHIN,
            },
            garbled: 0,
        };
        self.outbox.connected();
        let held = self.held.as_ref();
        let hello = self.hello(held.map(|held| (held.epoch.clone(), held.rev)));
        self.send(hello);
    }

    fn closed(&mut self, now: MediaTime, code: Option<u16>, chance: f64) {
        let lived = match self.state {
            State::Waiting { .. } => return,
            State::Connecting { .. } => None,
            State::Open { since, .. } => Some(now - since),
        };
        let mut wait = self.reconnect.wait(lived, chance);
        if matches!(code, Some(CLOSE_UNKNOWN_PROTO | CLOSE_REVOKED)) {
            self.reconnect.slow_down();
            wait = self.reconnect.wait(None, chance);
        }
        self.state = State::Waiting { until: now + wait };
    }

    /// Ends the connection from this side.
    fn close(&mut self, now: MediaTime, code: u16, chance: f64) {
        self.out.push_back(BoxOutput::Close { code });
        self.closed(now, None, chance);
    }

    fn heard(&mut self, now: MediaTime) {
        if let State::Open { heartbeat, .. } = &mut self.state {
            heartbeat.heard(now);
        }
    }

    fn garbled(&mut self, now: MediaTime, chance: f64) {
        let State::Open { garbled, .. } = &mut self.state else {
            return;
        };
        *garbled += 1;
        let enough = *garbled >= MAX_GARBLED;
        self.send(Message::Error(ErrorFrame {
            code: ErrorCode::BadMessage,
            message: "that frame is no message of protocol 1: see docs/protocol.md".to_owned(),
        }));
        if enough {
            self.close(now, CLOSE_BAD_MESSAGE, chance);
        }
    }

    fn received(&mut self, now: MediaTime, message: Message, chance: f64) {
        let State::Open { awaits, .. } = self.state else {
            return;
        };
        match message {
            Message::Snapshot(snapshot) => self.snapshot(now, awaits, snapshot, chance),
            Message::Patch(patch) => self.patch(now, awaits, patch),
            Message::Command(CommandFrame { id, command }) => self.command(id, command),
            Message::Ack(Ack { id, error }) => {
                if let Some(seq) = self.outbox.acknowledged(&id, error.as_deref(), now) {
                    self.out.push_back(BoxOutput::Stored { seq });
                }
            }
            Message::Error(error) => self.out.push_back(BoxOutput::Told(error)),
            // Nothing of these is for a box.
            Message::Hello(_) | Message::Reported(_) | Message::Unknown => {}
        }
    }

    fn snapshot(&mut self, now: MediaTime, awaits: Await, snapshot: Snapshot, chance: f64) {
        let Snapshot {
            epoch,
            rev,
            sha256,
            document,
        } = snapshot;
        // One that was not asked for is taken only where it is news; it may have been sent twice.
        let news = self
            .held
            .as_ref()
            .is_none_or(|held| held.epoch != epoch || held.rev < rev);
        if awaits == Await::Nothing && !news {
            return;
        }
        if canonical::sha256(&document) != sha256 {
            self.close(now, CLOSE_BAD_SNAPSHOT, chance);
            return;
        }
        self.adopt(epoch, rev, document);
    }

    fn patch(&mut self, now: MediaTime, awaits: Await, patch: Patch) {
        let held = match (awaits, &self.held) {
            (Await::Snapshot { .. }, _) => return,
            (Await::Any { .. } | Await::Nothing, Some(held)) => held,
            (Await::Any { .. } | Await::Nothing, None) => return self.resync(now),
        };
        let Patch {
            epoch,
            base_rev,
            rev,
            patch,
            sha256,
        } = patch;
        if epoch != held.epoch {
            return self.resync(now);
        }
        if base_rev == rev && rev == held.rev {
            // An empty patch says that this is the newest: if it really is the same.
            return match canonical::sha256(&held.document) == sha256 {
                true => self.in_step(),
                false => self.resync(now),
            };
        }
        if rev <= held.rev {
            return;
        }
        if base_rev != held.rev {
            return self.resync(now);
        }
        let mut document = Value::clone(&held.document);
        merge::apply(&mut document, &patch);
        match canonical::sha256(&document) == sha256 {
            true => self.adopt(epoch, rev, document),
            false => self.resync(now),
        }
    }

    fn adopt(&mut self, epoch: Epoch, rev: Revision, document: Value) {
        let held = Held {
            epoch,
            rev,
            document: Arc::new(document),
        };
        self.held = Some(held.clone());
        self.out.push_back(BoxOutput::Adopt(held));
        self.in_step();
    }

    fn in_step(&mut self) {
        if let State::Open { awaits, .. } = &mut self.state {
            *awaits = Await::Nothing;
        }
    }

    /// Asks for a snapshot.
    fn resync(&mut self, now: MediaTime) {
        if let State::Open { awaits, .. } = &mut self.state {
            *awaits = Await::Snapshot {
                until: now + ANSWER_WITHIN,
            };
        }
        let hello = self.hello(None);
        self.send(hello);
    }

    fn command(&mut self, id: CommandId, command: HouseCommand) {
        match self.commands.find(&id) {
            Some(Carried::Out) => {}
            Some(Carried::Done(error)) => {
                let error = error.clone();
                self.ack(&id, error);
            }
            None if command == HouseCommand::Unknown => {
                let advice = "this box does not know that command: update musebox on the box";
                self.ack(&id, Some(advice.to_owned()));
            }
            None => {
                self.commands.begin(id.clone());
                self.out.push_back(BoxOutput::Carry { id, command });
            }
        }
    }

    /// What time alone brings about.
    fn due(&mut self, now: MediaTime, chance: f64) {
        match &mut self.state {
            State::Waiting { until } => {
                if now >= *until {
                    self.state = State::Connecting { since: now };
                    self.out.push_back(BoxOutput::Connect);
                }
            }
            State::Connecting { since } => {
                if now >= *since + CONNECT_WITHIN {
                    self.close(now, CLOSE_GOING_AWAY, chance);
                }
            }
            State::Open {
                heartbeat, awaits, ..
            } => {
                let overdue = match awaits {
                    Await::Nothing => false,
                    Await::Any { until } | Await::Snapshot { until } => now >= *until,
                };
                let beat = heartbeat.beat(now);
                if overdue || beat == Beat::Gone {
                    return self.close(now, CLOSE_GOING_AWAY, chance);
                }
                if beat == Beat::Ping {
                    self.out.push_back(BoxOutput::Ping);
                }
                if let Some(report) = self.outbox.take(now) {
                    self.send(Message::Reported(Box::new(report)));
                }
            }
        }
    }

    /// Says when to be called next.
    fn wake(&mut self) {
        let at = match &self.state {
            State::Waiting { until } => *until,
            State::Connecting { since } => *since + CONNECT_WITHIN,
            State::Open {
                heartbeat, awaits, ..
            } => {
                let answer = match awaits {
                    Await::Nothing => None,
                    Await::Any { until } | Await::Snapshot { until } => Some(*until),
                };
                let times = [answer, self.outbox.next()].into_iter().flatten();
                times.fold(heartbeat.next(), MediaTime::min)
            }
        };
        if self.told_wake != Some(at) {
            self.told_wake = Some(at);
            self.out.push_back(BoxOutput::WakeAt(at));
        }
    }

    fn hello(&self, held: Option<(Epoch, Revision)>) -> Message {
        let (epoch, rev) = held.unzip();
        Message::Hello(Hello {
            proto: PROTO,
            epoch,
            rev,
            version: Some(self.version.clone()),
            outputs: self.outputs.clone(),
        })
    }

    fn ack(&mut self, id: &CommandId, error: Option<String>) {
        let id = id.as_str().to_owned();
        self.send(Message::Ack(Ack { id, error }));
    }

    /// Sends where there is a connection; what is not sent is told again on the next, if it matters then.
    fn send(&mut self, message: Message) {
        if matches!(self.state, State::Open { .. }) {
            self.out.push_back(BoxOutput::Send(Box::new(message)));
        }
    }
}
