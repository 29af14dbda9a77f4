//! Feeds any frames, one a line, to both ends of the way between a house and a box: each gets an answer, ends the
//! connection or does nothing; one that is no message never passes without a word. What the box adopts has the hash
//! that was said, and where it has words of a later version, all the rest of it is understood.
#![no_main]

use libfuzzer_sys::fuzz_target;
use musebox::domain::{
    house::{Environment, Reading, canonical, merge},
    ids::{Epoch, Revision},
    protocol::sync::{BoxState, ErrorCode, HouseCommand, Message, Play},
    session::{
        BoxInput, BoxOutput, BoxSession, Held, History, HouseInput, HouseOutput, HouseSession,
        Link, Peer,
    },
    units::MediaTime,
};
use serde_json::{Value, json};

/// The hashes that a frame's text says its document has.
fn check_adopted(held: &Held, message: &Message) {
    let said = match message {
        Message::Snapshot(snapshot) => &snapshot.sha256,
        Message::Patch(patch) => &patch.sha256,
        other => panic!("adopted from {other:?}"),
    };
    assert_eq!(canonical::sha256(&held.document), *said);
    match Reading::of(&held.document) {
        Ok(reading) => {
            let environment = reading.environment;
            check_later(&environment);
            let when = jiff::civil::date(2026, 11, 25).at(10, 0, 0, 0);
            for screen in environment.screens.keys() {
                let orders = environment
                    .orders(screen, Some(when))
                    .expect("the screen is there");
                assert!(orders.until.is_none_or(|until| until > when));
                if let Some(playlist) = orders.playlist {
                    let _ = environment.playlist(&playlist, |_, _| Some("/a".to_owned()));
                }
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Words of a later version in an environment that is understood take nothing with them but what has them.
fn check_later(environment: &Environment) {
    let mut document = serde_json::to_value(environment).expect("JSON");
    document["house"]["fit"] = json!("later");
    let mut expected = environment.clone();
    expected.house.fit = Default::default();
    if let Some(id) = environment.items.keys().next() {
        document["items"][id.as_str()]["kind"] = json!("later");
        expected.items.remove(id);
    }
    if let Some(id) = environment.screens.keys().next() {
        document["screens"][id.as_str()]["display_hours"] =
            json!([{"days": ["later"], "from": "08:00", "to": "20:00"}]);
        if let Some(screen) = expected.screens.get_mut(id) {
            screen.display_hours = None;
        }
    }
    let reading = Reading::of(&document).expect("all the rest is understood");
    assert_eq!(reading.environment, expected);
    assert!(!reading.left_out.is_empty());
}

/// The same message with the hash that its document really has, which nobody can guess.
fn mended(message: Message, held: Option<&Held>) -> Message {
    match message {
        Message::Snapshot(mut snapshot) => {
            snapshot.sha256 = canonical::sha256(&snapshot.document);
            Message::Snapshot(snapshot)
        }
        Message::Patch(mut patch) => {
            let mut document = held
                .map(|held| Value::clone(&held.document))
                .unwrap_or_default();
            merge::apply(&mut document, &patch.patch);
            patch.sha256 = canonical::sha256(&document);
            Message::Patch(patch)
        }
        message => message,
    }
}

/// Whether what was sent says that a frame was no message.
fn complains(message: &Message) -> bool {
    matches!(message, Message::Error(error) if error.code == ErrorCode::BadMessage)
}

fn to_box(session: &mut BoxSession, now: MediaTime, message: Option<Message>) {
    let connected = matches!(session.link(), Link::Asking { .. } | Link::InStep { .. });
    let input = match &message {
        Some(message) => BoxInput::Received(message.clone()),
        None => BoxInput::Garbled,
    };
    session.handle(now, input, 0.5);
    let mut is_answered = false;
    while let Some(output) = session.poll() {
        match output {
            BoxOutput::Adopt(held) => {
                check_adopted(&held, message.as_ref().expect("only a message is adopted"));
            }
            BoxOutput::Carry { id, command } => {
                assert_ne!(command, HouseCommand::Unknown);
                session.handle(now, BoxInput::Done { id, error: None }, 0.5);
            }
            BoxOutput::Connect => session.handle(now, BoxInput::Opened, 0.5),
            BoxOutput::Send(message) => {
                is_answered |= complains(&message);
                drop(message.write());
            }
            BoxOutput::Close { .. } => is_answered = true,
            BoxOutput::Ping
            | BoxOutput::Stored { .. }
            | BoxOutput::Told(_)
            | BoxOutput::WakeAt(_) => {}
        }
    }
    assert!(
        message.is_some() || !connected || is_answered,
        "it passed without a word"
    );
}

/// A connection of the house.
struct Connection {
    session: HouseSession,
    is_closed: bool,
}

/// What came over a connection, as the house's server tells its session.
fn to_house(connection: &mut Connection, now: MediaTime, bytes: &[u8], history: &History) {
    let message = match std::str::from_utf8(bytes).map(Message::read) {
        Ok(Ok(message)) => Some(message),
        Ok(Err(error)) => {
            assert!(!error.to_string().is_empty());
            None
        }
        Err(_) => None,
    };
    let is_garbled = message.is_none();
    let input = message.map_or(HouseInput::Garbled, HouseInput::Received);
    let was_closed = connection.is_closed;
    let session = &mut connection.session;
    session.handle(now, input, history);
    let mut is_answered = false;
    while let Some(output) = session.poll() {
        match output {
            HouseOutput::Reported { id: Some(id), .. } => {
                session.handle(now, HouseInput::Stored { id, error: None }, history);
            }
            HouseOutput::Send(frame) => {
                let message = Message::read(frame.as_str()).expect("we write messages");
                assert_ne!(message, Message::Unknown);
                is_answered |= complains(&message);
            }
            HouseOutput::Close { .. } => {
                connection.is_closed = true;
                is_answered = true;
            }
            HouseOutput::Reported { id: None, .. }
            | HouseOutput::Ping
            | HouseOutput::Greeted(_)
            | HouseOutput::Done { .. }
            | HouseOutput::WakeAt(_) => {}
        }
    }
    assert!(
        !is_garbled || was_closed || is_answered,
        "it passed without a word"
    );
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let document = json!({"house": {"id": "h", "name": "A"}, "screens": {"s": {"name": "S"}}});
    let held = Held {
        epoch: Epoch::new("e"),
        rev: Revision(5),
        document: document.clone().into(),
    };
    let mut history = History::new(Epoch::new("e"), Revision(5), document);
    history.catch_up(Revision(6), json!({"house": {"id": "h", "name": "B"}}));
    let mut now = MediaTime::ZERO;
    let [mut session, mut lucky] = [Some(held.clone()), Some(held)].map(|held| {
        let mut session = BoxSession::new(now, "0.1.0", Vec::new(), held);
        session.handle(now, BoxInput::Opened, 0.5);
        session.handle(now, BoxInput::Report(Box::new(BoxState::default())), 0.5);
        let play: Result<Play, _> = serde_json::from_value(json!({
            "seq": 1, "at": "2026-11-25T10:00:00Z", "output": "main", "item": "i", "duration_ms": 1}));
        session.handle(now, BoxInput::Played(play.into_iter().collect()), 0.5);
        session
    });
    let mut houses = [Peer::Box, Peer::Page].map(|peer| Connection {
        session: HouseSession::new(now, peer),
        is_closed: false,
    });
    // The house is also given what is no text at all.
    let raw = data.split(|byte| *byte == b'\n');
    for line in text.lines() {
        now += MediaTime::from_millis(700);
        let message = Message::read(line).ok();
        to_box(&mut session, now, message.clone());
        let message = message.map(|message| mended(message, lucky.held()));
        to_box(&mut lucky, now, message);
        for house in &mut houses {
            to_house(house, now, line.as_bytes(), &history);
        }
        // Whatever was written, a merge patch that is made of it leads there.
        if let (Ok(old), Ok(new)) = (
            serde_json::from_str::<Value>(line),
            serde_json::from_str::<Value>(text.lines().next().unwrap_or_default()),
        ) {
            let (old, new) = (merge::without_nulls(old), merge::without_nulls(new));
            if old.is_object() && new.is_object() {
                let mut target = old.clone();
                merge::apply(&mut target, &merge::diff(&old, &new));
                assert_eq!(target, new);
            }
        }
    }
    for bytes in raw {
        now += MediaTime::from_millis(700);
        for house in &mut houses {
            to_house(house, now, bytes, &history);
        }
    }
});
