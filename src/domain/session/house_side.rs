//! The house's end: one for each connection of a box or page.

use std::collections::VecDeque;

use crate::domain::{
    ids::{CommandId, Epoch, ReportId, Revision},
    protocol::sync::{
        Ack, BoxState, CLOSE_BAD_MESSAGE, CLOSE_GOING_AWAY, CLOSE_NO_HELLO, CLOSE_OVERLOADED,
        CLOSE_RESTART, CLOSE_REVOKED, CLOSE_TOO_BIG, CLOSE_UNKNOWN_PROTO, CommandFrame, ErrorCode,
        ErrorFrame, Frame, Hello, HouseCommand, MAX_GARBLED, MAX_PEER_FRAME, Message, PROTO, Play,
        Reported,
    },
    session::{
        heartbeat::{Beat, Heartbeat},
        history::History,
    },
    units::MediaTime,
};

/// The hello must come within this.
pub const HELLO_WITHIN: MediaTime = MediaTime::from_seconds(10);
/// How long a box may take to carry out a command.
const ANSWER_WITHIN: MediaTime = MediaTime::from_seconds(30);
/// How many commands may be on their way to one box.
const MAX_COMMANDS: usize = 64;
/// How many hellos a peer may say within [`HELLOS_WITHIN`]: each may be answered with the whole document.
pub const MAX_HELLOS: u32 = 20;
/// See [`MAX_HELLOS`].
pub const HELLOS_WITHIN: MediaTime = MediaTime::from_seconds(60);

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A box: it is sent commands, and reports.
    Box,
    /// A page or tool: it is told the reports of others.
    Page,
}

/// Why the house ends a connection by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The house restarts or ends.
    Restart,
    /// There is too much to do.
    Overloaded,
    /// The box or user was revoked.
    Revoked,
    /// A frame was longer than allowed.
    TooBig,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum HouseInput {
    /// A message came.
    Received(Message),
    /// A frame came that is no message.
    Garbled,
    /// A ping or pong came.
    Heard,
    /// The time asked for with [`HouseOutput::WakeAt`] has come.
    Timer,
    /// The history has moved on. It need not be told for every change: the newest counts, so a connection that is
    /// slow to send may be told when it has sent everything.
    Changed,
    /// Send a command; the answer is one [`HouseOutput::Done`].
    Command {
        /// Its name.
        id: CommandId,
        /// What to do.
        command: HouseCommand,
    },
    /// A report is stored, or cannot be.
    Stored {
        /// Its name.
        id: ReportId,
        /// Why it cannot be stored now, in plain words; the box tells it again.
        error: Option<String>,
    },
    /// Something to tell a page: another's report.
    Tell(Frame),
    /// End the connection.
    End(Closing),
    /// The connection is gone.
    Closed,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum HouseOutput {
    /// Send a frame.
    Send(Frame),
    /// Send a ping.
    Ping,
    /// Close the connection after everything before is sent. Nothing follows.
    Close {
        /// The close code.
        code: u16,
        /// Why, in plain words, at most 123 bytes.
        reason: &'static str,
    },
    /// A hello came: what the peer says of itself, which may change.
    Greeted(Hello),
    /// A box told how it is and what it has played. Where it has a name, answer with [`HouseInput::Stored`].
    Reported {
        /// Its name.
        id: Option<ReportId>,
        /// The state; nothing where it is as it was.
        state: Option<Box<BoxState>>,
        /// Entries of the play log. Some may have been stored before.
        plays: Vec<Play>,
    },
    /// A command is carried out, or was not.
    Done {
        /// Which.
        id: CommandId,
        /// Why it was not, in plain words.
        error: Option<String>,
    },
    /// Call back with [`HouseInput::Timer`] at this time, or earlier: replaces what was asked for before.
    WakeAt(Option<MediaTime>),
}

#[derive(Clone, Debug)]
enum State {
    /// Nothing has been said yet.
    Greeting { until: MediaTime },
    /// The peer was sent everything up to this revision.
    Open { epoch: Epoch, rev: Revision },
    /// It is over.
    Closed,
}

/// The house's end of one connection.
#[derive(Debug)]
pub struct HouseSession {
    peer: Peer,
    state: State,
    heartbeat: Heartbeat,
    garbled: u32,
    /// How many hellos came since when.
    hellos: (u32, MediaTime),
    /// Commands on their way, each with when it is given up.
    commands: VecDeque<(CommandId, MediaTime)>,
    out: VecDeque<HouseOutput>,
    told_wake: Option<MediaTime>,
}

impl HouseSession {
    /// A connection that has just come about, and whose peer has proved who it is.
    pub fn new(now: MediaTime, peer: Peer) -> Self {
        let mut session = Self {
            peer,
            state: State::Greeting {
                until: now + HELLO_WITHIN,
            },
            heartbeat: Heartbeat::new(now),
            garbled: 0,
            hellos: (0, now),
            commands: VecDeque::new(),
            out: VecDeque::new(),
            told_wake: None,
        };
        session.wake();
        session
    }

    /// The revision up to which the peer was sent everything; nothing before its hello.
    pub fn sent(&self) -> Option<(&Epoch, Revision)> {
        match &self.state {
            State::Open { epoch, rev } => Some((epoch, *rev)),
            State::Greeting { .. } | State::Closed => None,
        }
    }

    /// Something happened. `now` is by a clock that never goes back. Then [`HouseSession::poll`] is drained.
    pub fn handle(&mut self, now: MediaTime, input: HouseInput, history: &History) {
        if matches!(self.state, State::Closed) {
            if let HouseInput::Command { id, .. } = input {
                self.done(id, Some("the box is not connected: try again when it is"));
            }
            return;
        }
        match input {
            HouseInput::Received(message) => {
                self.heartbeat.heard(now);
                self.received(now, message, history);
            }
            HouseInput::Garbled => {
                self.heartbeat.heard(now);
                self.garbled();
            }
            HouseInput::Heard => self.heartbeat.heard(now),
            HouseInput::Timer => {}
            HouseInput::Changed => self.changed(history),
            HouseInput::Command { id, command } => self.command(now, id, command),
            HouseInput::Stored { id, error } => {
                let id = id.as_str().to_owned();
                self.send(&Message::Ack(Ack { id, error }));
            }
            HouseInput::Tell(frame) => match (self.peer, &self.state) {
                (Peer::Page, State::Open { .. }) => self.out.push_back(HouseOutput::Send(frame)),
                (Peer::Page | Peer::Box, _) => {}
            },
            HouseInput::End(closing) => self.end(closing),
            HouseInput::Closed => self.closed(),
        }
        self.due(now);
        self.wake();
    }

    /// What to do next; nothing when all is told.
    pub fn poll(&mut self) -> Option<HouseOutput> {
        self.out.pop_front()
    }

    fn received(&mut self, now: MediaTime, message: Message, history: &History) {
        let greeted = matches!(self.state, State::Open { .. });
        match (message, greeted) {
            (Message::Hello(hello), _) => self.hello(now, hello, history),
            (_, false) => {
                let advice =
                    "the first frame must be a hello, as in {\"type\": \"hello\", \"proto\": 1}";
                self.refuse(
                    ErrorCode::NoHello,
                    advice,
                    CLOSE_NO_HELLO,
                    "the first frame was no hello",
                );
            }
            (Message::Reported(report), true) => self.reported(*report),
            (Message::Ack(Ack { id, error }), true) => {
                if let Some(place) = self
                    .commands
                    .iter()
                    .position(|(known, _)| known.as_str() == id)
                    && let Some((id, _)) = self.commands.remove(place)
                {
                    self.out.push_back(HouseOutput::Done { id, error });
                }
            }
            // Nothing of these is for a house.
            (
                Message::Snapshot(_)
                | Message::Patch(_)
                | Message::Command(_)
                | Message::Error(_)
                | Message::Unknown,
                true,
            ) => {}
        }
    }

    fn hello(&mut self, now: MediaTime, hello: Hello, history: &History) {
        let (count, since) = self.hellos;
        self.hellos = match now < since + HELLOS_WITHIN {
            true => (count + 1, since),
            false => (1, now),
        };
        if self.hellos.0 > MAX_HELLOS {
            return self.end(Closing::Overloaded);
        }
        if hello.proto != PROTO {
            let message = format!(
                "this house speaks protocol {PROTO}, and you speak {}: update the older of both",
                hello.proto
            );
            let reason = "the house does not speak this version of the protocol";
            self.refuse(
                ErrorCode::UnknownProto,
                &message,
                CLOSE_UNKNOWN_PROTO,
                reason,
            );
            return;
        }
        let frames = history.answer(hello.epoch.as_ref(), hello.rev);
        self.out.push_back(HouseOutput::Greeted(hello));
        self.bring_to(frames, history);
    }

    fn changed(&mut self, history: &History) {
        let State::Open { epoch, rev } = &self.state else {
            return;
        };
        if epoch == history.epoch() && *rev == history.rev() {
            return;
        }
        let frames = history.answer(Some(epoch), Some(*rev));
        self.bring_to(frames, history);
    }

    /// Sends what brings the peer to the newest revision.
    fn bring_to(&mut self, frames: Vec<Frame>, history: &History) {
        self.out.extend(frames.into_iter().map(HouseOutput::Send));
        self.state = State::Open {
            epoch: history.epoch().clone(),
            rev: history.rev(),
        };
    }

    fn reported(&mut self, report: Reported) {
        match self.peer {
            Peer::Box => self.out.push_back(HouseOutput::Reported {
                id: report.id,
                state: report.state.map(Box::new),
                plays: report.plays,
            }),
            // A page has nothing to report.
            Peer::Page => {}
        }
    }

    fn command(&mut self, now: MediaTime, id: CommandId, command: HouseCommand) {
        match (self.peer, &self.state) {
            (Peer::Box, State::Open { .. }) => {}
            (Peer::Box, State::Greeting { .. } | State::Closed) => {
                return self.done(id, Some("the box is not connected: try again when it is"));
            }
            (Peer::Page, _) => return self.done(id, Some("this is no box")),
        }
        if self.commands.iter().any(|(known, _)| *known == id) {
            // It is on its way, and will be answered.
        } else if self.commands.len() >= MAX_COMMANDS {
            return self.done(
                id,
                Some("too many commands wait for this box: try again later"),
            );
        } else {
            self.commands.push_back((id.clone(), now + ANSWER_WITHIN));
        }
        self.send(&Message::Command(CommandFrame { id, command }));
    }

    fn garbled(&mut self) {
        self.garbled += 1;
        let advice = "that frame is no message of protocol 1: see docs/protocol.md";
        match self.garbled >= MAX_GARBLED {
            true => {
                let reason = "too many frames were no messages";
                self.refuse(ErrorCode::BadMessage, advice, CLOSE_BAD_MESSAGE, reason);
            }
            false => self.error(ErrorCode::BadMessage, advice),
        }
    }

    fn end(&mut self, closing: Closing) {
        match closing {
            Closing::Restart => self.close(CLOSE_RESTART, "the house restarts"),
            Closing::Overloaded => self.close(CLOSE_OVERLOADED, "the house has too much to do"),
            Closing::Revoked => {
                let advice = "you may no longer come in here: ask who runs this house, or pair the box again";
                self.refuse(ErrorCode::Revoked, advice, CLOSE_REVOKED, "revoked");
            }
            Closing::TooBig => {
                let advice = format!("a frame is {MAX_PEER_FRAME} bytes long at most");
                self.refuse(
                    ErrorCode::TooBig,
                    &advice,
                    CLOSE_TOO_BIG,
                    "a frame was too long",
                );
            }
        }
    }

    /// What time alone brings about.
    fn due(&mut self, now: MediaTime) {
        match &self.state {
            State::Greeting { until } if now >= *until => {
                let advice = "the first frame must be a hello, and it did not come in time";
                return self.refuse(
                    ErrorCode::NoHello,
                    advice,
                    CLOSE_NO_HELLO,
                    "no hello came in time",
                );
            }
            State::Greeting { .. } | State::Open { .. } => {}
            State::Closed => return,
        }
        while self
            .commands
            .front()
            .is_some_and(|(_, until)| now >= *until)
        {
            if let Some((id, _)) = self.commands.pop_front() {
                self.done(id, Some("the box did not answer in time"));
            }
        }
        match self.heartbeat.beat(now) {
            Beat::Wait => {}
            Beat::Ping => self.out.push_back(HouseOutput::Ping),
            Beat::Gone => self.close(CLOSE_GOING_AWAY, "nothing was heard for too long"),
        }
    }

    /// Says when to be called next.
    fn wake(&mut self) {
        let at = match &self.state {
            State::Greeting { until } => Some(self.heartbeat.next().min(*until)),
            State::Open { .. } => {
                let command = self
                    .commands
                    .front()
                    .map_or(MediaTime::MAX, |(_, until)| *until);
                Some(self.heartbeat.next().min(command))
            }
            State::Closed => None,
        };
        if self.told_wake != at {
            self.told_wake = at;
            self.out.push_back(HouseOutput::WakeAt(at));
        }
    }

    fn refuse(&mut self, code: ErrorCode, message: &str, close: u16, reason: &'static str) {
        self.error(code, message);
        self.close(close, reason);
    }

    fn close(&mut self, code: u16, reason: &'static str) {
        self.out.push_back(HouseOutput::Close { code, reason });
        self.closed();
    }

    fn closed(&mut self) {
        self.state = State::Closed;
        for (id, _) in std::mem::take(&mut self.commands) {
            self.done(
                id,
                Some("the connection to the box broke before it answered"),
            );
        }
    }

    fn error(&mut self, code: ErrorCode, message: &str) {
        let message = message.to_owned();
        self.send(&Message::Error(ErrorFrame { code, message }));
    }

    fn done(&mut self, id: CommandId, error: Option<&str>) {
        let error = error.map(str::to_owned);
        self.out.push_back(HouseOutput::Done { id, error });
    }

    fn send(&mut self, message: &Message) {
        self.out.push_back(HouseOutput::Send(Frame::from(message)));
    }
}
