//! A house and a box over a bad network, in virtual time: they always come to agree.

use musebox::domain::{
    ids::{CommandId, Epoch, Revision, ScreenName},
    protocol::sync::{
        Ack, CLOSE_BAD_MESSAGE, CLOSE_NO_HELLO, CLOSE_OVERLOADED, CLOSE_REVOKED,
        CLOSE_UNKNOWN_PROTO, ErrorCode, Frame, Hello, HouseCommand, MAX_GARBLED, MAX_PATCHES,
        Message, PROTO, Play, Reported,
    },
    session::{
        BoxInput, BoxOutput, BoxSession, Closing, Held, History, HouseInput, HouseOutput,
        HouseSession, Link, MAX_HELLOS, MAX_PLAYS, MOST_WAITING, Peer,
    },
    units::MediaTime,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use sync_world::{Network, World};

#[path = "support/sync_world.rs"]
mod sync_world;

/// Silence is seen after 75 s; then up to 60 s pass before the next attempt; a report that could not be stored waits
/// 30 s; the rest is delay.
const HEALED_WITHIN: MediaTime = MediaTime::from_seconds(240);

/// The longest that a frame is under way.
const SLOWEST: MediaTime = MediaTime::from_seconds(3);

const fn seconds(seconds: i64) -> MediaTime {
    MediaTime::from_seconds(seconds)
}

#[derive(Clone, Debug)]
enum Op {
    Edit(u64),
    ManyEdits(u64),
    CatchUp(u64),
    Restore(usize),
    RestartHouse,
    RestartBox,
    SpoilCache,
    Cut,
    KillSilently,
    Network(Network),
    Duplicate,
    Damage,
    Delay(i64),
    Store(bool),
    Report(u64),
    Play(u64),
    Command { again: bool },
    Wait(i64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => any::<u32>().prop_map(|n| Op::Edit(n.into())),
        1 => (250..270_u64).prop_map(Op::ManyEdits),
        1 => (1..4_u64).prop_map(Op::CatchUp),
        1 => (0..100_usize).prop_map(Op::Restore),
        1 => Just(Op::RestartHouse),
        1 => Just(Op::RestartBox),
        1 => Just(Op::SpoilCache),
        2 => Just(Op::Cut),
        2 => Just(Op::KillSilently),
        2 => prop::sample::select(vec![Network::Fine, Network::Refuses, Network::Swallows]).prop_map(Op::Network),
        2 => Just(Op::Duplicate),
        1 => Just(Op::Damage),
        1 => (0..SLOWEST.whole_millis()).prop_map(Op::Delay),
        1 => any::<bool>().prop_map(Op::Store),
        3 => any::<u32>().prop_map(|n| Op::Report(n.into())),
        3 => (1..250_u64).prop_map(Op::Play),
        3 => any::<bool>().prop_map(|again| Op::Command { again }),
        8 => (0..100_000_i64).prop_map(Op::Wait),
        8 => (0..1500_i64).prop_map(Op::Wait),
    ]
}

impl Op {
    fn apply(&self, world: &mut World) {
        match *self {
            Op::Edit(n) => world.edit(n),
            Op::ManyEdits(count) => (0..count).for_each(|n| world.edit(n)),
            Op::CatchUp(times) => world.catch_up(times),
            Op::Restore(n) => world.restore(n),
            Op::RestartHouse => world.restart_house(),
            Op::RestartBox => world.restart_box(),
            Op::SpoilCache => world.spoil_cache(),
            Op::Cut => world.cut(),
            Op::KillSilently => world.kill_silently(),
            Op::Network(network) => world.network = network,
            Op::Duplicate => world.duplicate = true,
            Op::Damage => world.damage = true,
            Op::Delay(millis) => world.delay = MediaTime::from_millis(millis),
            Op::Store(works) => world.store_works = works,
            Op::Report(n) => world.report(n),
            Op::Play(count) => world.play(count),
            Op::Command { again } => world.command(again),
            Op::Wait(millis) => world.run(MediaTime::from_millis(millis)),
        }
    }
}

fn heal(world: &mut World) -> MediaTime {
    world.network = Network::Fine;
    (world.duplicate, world.damage, world.store_works) = (false, false, true);
    world.delay = MediaTime::from_millis(50);
    world.settle(HEALED_WITHIN)
}

proptest! {
    #[test]
    fn whatever_happened_both_agree_soon_after(seed in any::<u64>(), ops in prop::collection::vec(op(), 1..80)) {
        let mut world = World::new(seed);
        for op in &ops {
            op.apply(&mut world);
        }
        heal(&mut world);
        // And it goes on from there, once what was slow before has arrived: nothing overtakes it.
        world.run(SLOWEST);
        world.edit(8);
        let took = world.settle(seconds(1));
        prop_assert!(took < seconds(1));
    }
}

#[test]
fn a_change_on_a_sound_connection_arrives_at_once() {
    let mut world = World::new(1);
    world.settle(seconds(1));
    for n in 0..1000 {
        world.edit(n);
        assert!(world.settle(seconds(1)) <= MediaTime::from_millis(100));
        world.run(MediaTime::from_millis(10));
    }
    // A day of nothing but heartbeats breaks nothing.
    world.run(seconds(86_400));
    world.edit(4);
    assert!(world.settle(seconds(1)) <= MediaTime::from_millis(100));
}

#[test]
fn a_silent_death_is_seen_within_75_seconds() {
    let mut world = World::new(2);
    world.settle(seconds(1));
    world.kill_silently();
    world.edit(1);
    let took = world.settle(HEALED_WITHIN);
    assert!(took > seconds(44) && took < seconds(86), "{took}");
}

#[test]
fn plays_come_through_in_parts_and_survive_a_restart_of_the_box() {
    let mut world = World::new(3);
    world.settle(seconds(1));
    world.network = Network::Refuses;
    world.cut();
    world.play(1234);
    world.run(seconds(600));
    world.restart_box();
    world.play(5);
    let took = heal(&mut world);
    // 13 reports, at most one a second.
    assert!(took > seconds(12), "{took}");
}

#[test]
fn plays_on_their_way_when_the_connection_breaks_are_told_at_once_on_the_next() {
    let mut world = World::new(4);
    world.settle(seconds(1));
    world.delay = seconds(5);
    world.play(3);
    world.cut();
    world.delay = MediaTime::from_millis(50);
    // At most 10 s until it comes back, and then no waiting for an answer to the report that was lost.
    assert!(world.settle(seconds(30)) < seconds(12));
}

fn history() -> History {
    History::new(Epoch::new("e"), Revision(5), json!({"house": {"n": 5}}))
}

fn hello(proto: u32, held: Option<(&str, u64)>) -> Message {
    Message::Hello(Hello {
        proto,
        epoch: held.map(|(epoch, _)| Epoch::new(epoch)),
        rev: held.map(|(_, rev)| Revision(rev)),
        version: None,
        outputs: Vec::new(),
    })
}

/// What a house's session does with inputs at time 0, but for timers.
fn house_does(peer: Peer, inputs: Vec<HouseInput>) -> Vec<HouseOutput> {
    let mut session = HouseSession::new(MediaTime::ZERO, peer);
    for input in inputs {
        session.handle(MediaTime::ZERO, input, &history());
    }
    std::iter::from_fn(|| session.poll())
        .filter(|output| !matches!(output, HouseOutput::WakeAt(_)))
        .collect()
}

fn sent(outputs: &[HouseOutput]) -> Vec<Message> {
    let frame = |output: &HouseOutput| match output {
        HouseOutput::Send(frame) => Some(Message::read(frame.as_str()).expect("a message")),
        HouseOutput::Ping
        | HouseOutput::Close { .. }
        | HouseOutput::Greeted(_)
        | HouseOutput::Reported { .. }
        | HouseOutput::Done { .. }
        | HouseOutput::WakeAt(_) => None,
    };
    outputs.iter().filter_map(frame).collect()
}

fn closed(outputs: &[HouseOutput]) -> Option<u16> {
    match outputs.last() {
        Some(HouseOutput::Close { code, .. }) => Some(*code),
        Some(_) | None => None,
    }
}

fn error_code(message: &Message) -> Option<ErrorCode> {
    match message {
        Message::Error(error) => Some(error.code),
        Message::Hello(_)
        | Message::Snapshot(_)
        | Message::Patch(_)
        | Message::Reported(_)
        | Message::Command(_)
        | Message::Ack(_)
        | Message::Unknown => None,
    }
}

#[test]
fn the_first_frame_is_a_hello_of_a_known_version_and_comes_in_time() {
    let outputs = house_does(Peer::Box, vec![HouseInput::Received(hello(2, None))]);
    assert_eq!(
        error_code(&sent(&outputs)[0]),
        Some(ErrorCode::UnknownProto)
    );
    assert_eq!(closed(&outputs), Some(CLOSE_UNKNOWN_PROTO));
    let reason = outputs.iter().find_map(|output| match output {
        HouseOutput::Close { reason, .. } => Some(reason.to_string()),
        _ => None,
    });
    let reason = reason.expect("a reason");
    assert!(reason.contains("protocol"), "{reason}");

    let outputs = house_does(Peer::Box, vec![HouseInput::Received(Message::Unknown)]);
    assert_eq!(error_code(&sent(&outputs)[0]), Some(ErrorCode::NoHello));
    assert_eq!(closed(&outputs), Some(CLOSE_NO_HELLO));

    let mut session = HouseSession::new(MediaTime::ZERO, Peer::Page);
    session.handle(MediaTime::from_millis(9_999), HouseInput::Timer, &history());
    session.handle(seconds(10), HouseInput::Timer, &history());
    let outputs: Vec<_> = std::iter::from_fn(|| session.poll()).collect();
    assert!(outputs.contains(&HouseOutput::WakeAt(Some(seconds(10)))));
    let close = |output: &HouseOutput| matches!(output, HouseOutput::Close { code, .. } if *code == CLOSE_NO_HELLO);
    assert_eq!(outputs.iter().filter(|output| close(output)).count(), 1);
}

#[test]
fn the_sixteenth_frame_that_is_no_message_is_the_last() {
    let mut inputs = vec![HouseInput::Received(hello(1, None))];
    inputs.extend(vec![HouseInput::Garbled; MAX_GARBLED as usize + 3]);
    let outputs = house_does(Peer::Box, inputs);
    let errors = sent(&outputs).iter().filter_map(error_code).count();
    assert_eq!(errors, MAX_GARBLED as usize);
    assert_eq!(closed(&outputs), Some(CLOSE_BAD_MESSAGE));
}

#[test]
fn whoever_asks_for_everything_again_and_again_is_sent_away() {
    let say = || HouseInput::Received(hello(PROTO, None));
    let most = usize::try_from(MAX_HELLOS).expect("few");
    let told = house_does(Peer::Page, std::iter::repeat_with(say).take(most).collect());
    assert_eq!((sent(&told).len(), closed(&told)), (most, None));
    let told = house_does(
        Peer::Page,
        std::iter::repeat_with(say).take(most + 1).collect(),
    );
    assert_eq!(
        (sent(&told).len(), closed(&told)),
        (most, Some(CLOSE_OVERLOADED))
    );
}

#[test]
fn the_answer_to_a_hello_depends_on_what_is_held() {
    let mut history = history();
    for n in 6..=300 {
        history.catch_up(Revision(n), json!({"house": {"n": n}}));
    }
    let answer = |held: Option<(&str, u64)>| -> Vec<Message> {
        let frames = history.answer(
            held.map(|(epoch, _)| Epoch::new(epoch)).as_ref(),
            held.map(|(_, rev)| Revision(rev)),
        );
        let read = |frame: &Frame| Message::read(frame.as_str()).expect("a message");
        frames.iter().map(read).collect()
    };
    match answer(Some(("e", 300))).as_slice() {
        [Message::Patch(patch)] => {
            assert_eq!((patch.base_rev, patch.rev), (Revision(300), Revision(300)));
            assert_eq!(patch.patch, json!({}));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(answer(Some(("e", 299))).len(), 1);
    let oldest = 300 - MAX_PATCHES as u64;
    assert_eq!(answer(Some(("e", oldest))).len(), MAX_PATCHES);
    for held in [
        None,
        Some(("e", oldest - 1)),
        Some(("e", 301)),
        Some(("e", u64::MAX)),
        Some(("f", 300)),
    ] {
        let messages = answer(held);
        assert!(
            matches!(messages.as_slice(), [Message::Snapshot(s)] if s.rev == Revision(300)),
            "{held:?}"
        );
    }
    match hello(1, Some(("e", 301))) {
        Message::Hello(hello) => assert!(history.is_behind(&hello)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn large_patches_are_not_kept_for_ever() {
    let mut history = history();
    for n in 6..=20_u64 {
        let text = format!("{n}").repeat(50_000);
        history.catch_up(Revision(n), json!({"house": {"text": text}}));
    }
    let far = history.answer(Some(&Epoch::new("e")), Some(Revision(5)));
    let near = history.answer(Some(&Epoch::new("e")), Some(Revision(19)));
    assert!(far[0].as_str().contains("snapshot") && near[0].as_str().contains("\"patch\""));
}

#[test]
fn pages_are_told_of_others_and_boxes_are_not() {
    let report = Message::Reported(Box::default());
    let inputs = || {
        vec![
            HouseInput::Received(hello(1, Some(("e", 5)))),
            HouseInput::Tell(Frame::from(&report)),
            HouseInput::Received(report.clone()),
            HouseInput::Command {
                id: CommandId::new("c"),
                command: HouseCommand::Play,
            },
        ]
    };
    let page = house_does(Peer::Page, inputs());
    assert!(sent(&page).contains(&report));
    assert!(
        !page
            .iter()
            .any(|output| matches!(output, HouseOutput::Reported { .. }))
    );
    assert!(
        page.iter()
            .any(|output| matches!(output, HouseOutput::Done { error: Some(_), .. }))
    );
    let of_box = house_does(Peer::Box, inputs());
    assert!(!sent(&of_box).contains(&report));
    assert!(
        of_box
            .iter()
            .any(|output| matches!(output, HouseOutput::Reported { .. }))
    );
}

#[test]
fn every_command_gets_exactly_one_answer() {
    let id = |n: usize| CommandId::new(format!("c{n}"));
    let command = |n| HouseInput::Command {
        id: id(n),
        command: HouseCommand::Play,
    };
    let mut inputs = vec![command(0), HouseInput::Received(hello(1, None))];
    inputs.extend((1..=66).map(command));
    let ack = Ack {
        id: "c2".to_owned(),
        error: None,
    };
    inputs.push(HouseInput::Received(Message::Ack(ack.clone())));
    inputs.push(HouseInput::Received(Message::Ack(ack)));
    inputs.extend([HouseInput::End(Closing::Revoked), command(67)]);
    let outputs = house_does(Peer::Box, inputs);
    for n in 0..=67 {
        let answers: Vec<bool> = outputs
            .iter()
            .filter_map(|output| {
                let HouseOutput::Done { id: done, error } = output else {
                    return None;
                };
                (*done == id(n)).then_some(error.is_none())
            })
            .collect();
        assert_eq!(answers, [n == 2], "{n}");
    }
    assert!(
        outputs.iter().any(
            |output| matches!(output, HouseOutput::Close { code, .. } if *code == CLOSE_REVOKED)
        )
    );
}

/// A box that is connected and holds revision 5.
fn connected_box() -> BoxSession {
    let held = Held {
        epoch: Epoch::new("e"),
        rev: Revision(5),
        document: json!({"house": {"n": 5}}).into(),
    };
    let mut session = BoxSession::new(MediaTime::ZERO, "0.1.0", Vec::new(), Some(held));
    session.handle(MediaTime::ZERO, BoxInput::Opened, 0.5);
    while session.poll().is_some() {}
    session
}

fn box_does(session: &mut BoxSession, text: &str) -> Vec<BoxOutput> {
    let input = match Message::read(text) {
        Ok(message) => BoxInput::Received(message),
        Err(_) => BoxInput::Garbled,
    };
    session.handle(MediaTime::ZERO, input, 0.5);
    std::iter::from_fn(|| session.poll())
        .filter(|output| !matches!(output, BoxOutput::WakeAt(_)))
        .collect()
}

fn patch(epoch: &str, base: u64, rev: u64, patch: &Value, sha256: &str) -> String {
    json!({"type": "patch", "epoch": epoch, "base_rev": base, "rev": rev, "patch": patch, "sha256": sha256}).to_string()
}

#[test]
fn a_patch_that_does_not_fit_is_answered_by_a_hello_without_a_revision() {
    let fits = musebox::domain::house::canonical::sha256(&json!({"house": {"n": 6}}));
    let change = json!({"house": {"n": 6}});
    for text in [
        patch("f", 5, 6, &change, fits.as_str()),
        patch("e", 6, 7, &change, fits.as_str()),
        patch("e", 5, 6, &change, &"0".repeat(64)),
        patch("e", 5, 5, &json!({}), &"0".repeat(64)),
    ] {
        let mut session = connected_box();
        let outputs = box_does(&mut session, &text);
        let [BoxOutput::Send(hello)] = outputs.as_slice() else {
            panic!("{text}: {outputs:?}");
        };
        assert!(
            matches!(&**hello, Message::Hello(hello) if hello.rev.is_none() && hello.epoch.is_none())
        );
        // Until the snapshot comes, patches are passed over.
        assert_eq!(
            box_does(&mut session, &patch("e", 5, 6, &change, fits.as_str())),
            []
        );
        assert!(matches!(session.link(), Link::Asking { .. }));
    }
    let mut session = connected_box();
    assert_eq!(
        box_does(&mut session, &patch("e", 3, 4, &change, fits.as_str())),
        []
    );
    let outputs = box_does(&mut session, &patch("e", 5, 6, &change, fits.as_str()));
    assert!(matches!(outputs.as_slice(), [BoxOutput::Adopt(held)] if held.rev == Revision(6)));
    assert!(matches!(session.link(), Link::InStep { .. }));
    // Twice is once.
    assert_eq!(
        box_does(&mut session, &patch("e", 5, 6, &change, fits.as_str())),
        []
    );
}

#[test]
fn a_snapshot_with_a_wrong_hash_is_never_adopted() {
    let mut session = connected_box();
    let text = json!({"type": "snapshot", "epoch": "e", "rev": 9, "sha256": "0", "document": {}});
    let outputs = box_does(&mut session, &text.to_string());
    assert!(
        matches!(outputs.as_slice(), [BoxOutput::Close { .. }]),
        "{outputs:?}"
    );
    assert!(matches!(session.link(), Link::Waiting { .. }));
}

#[test]
fn commands_of_later_versions_are_refused_and_messages_of_them_ignored() {
    let mut session = connected_box();
    assert_eq!(
        box_does(&mut session, r#"{"type": "dance", "id": [{}]}"#),
        []
    );
    let outputs = box_does(
        &mut session,
        r#"{"type": "command", "id": "c1", "command": "dance", "tempo": 3}"#,
    );
    assert!(
        matches!(outputs.as_slice(), [BoxOutput::Send(ack)]
            if matches!(&**ack, Message::Ack(Ack { id, error: Some(_) }) if id == "c1")),
        "{outputs:?}"
    );
}

#[test]
fn a_command_is_carried_out_once_and_its_answer_said_again() {
    let mut session = connected_box();
    let text = r#"{"type": "command", "id": "c1", "command": "goto", "position": "M0T0I1"}"#;
    let outputs = box_does(&mut session, text);
    assert!(matches!(outputs.as_slice(), [BoxOutput::Carry { .. }]));
    assert_eq!(box_does(&mut session, text), []);
    let done = || BoxInput::Done {
        id: CommandId::new("c1"),
        error: Some("nothing is playing".to_owned()),
    };
    session.handle(MediaTime::ZERO, done(), 0.5);
    let first: Vec<_> = std::iter::from_fn(|| session.poll()).collect();
    assert!(
        first
            .iter()
            .any(|output| matches!(output, BoxOutput::Send(_)))
    );
    let again = box_does(&mut session, text);
    assert!(matches!(again.as_slice(), [BoxOutput::Send(ack)]
        if matches!(&**ack, Message::Ack(Ack { error: Some(_), .. }))));
    session.handle(MediaTime::ZERO, done(), 0.5);
    assert_eq!(session.poll(), None);
}

/// What a box's session does at a time, but for timers.
fn box_does_at(session: &mut BoxSession, now: MediaTime, input: BoxInput) -> Vec<BoxOutput> {
    session.handle(now, input, 0.5);
    std::iter::from_fn(|| session.poll())
        .filter(|output| !matches!(output, BoxOutput::WakeAt(_)))
        .collect()
}

#[test]
fn entries_that_no_house_can_read_are_told_once_and_settled_with_the_others() {
    let mut session = connected_box();
    let sha256 = musebox::domain::house::canonical::sha256(&json!({"house": {"n": 5}}));
    box_does(&mut session, &patch("e", 5, 5, &json!({}), sha256.as_str()));
    let entry = |seq: u64, at: &str| -> Play {
        let entry = json!({"seq": seq, "at": at, "output": "main", "item": "i", "duration_ms": 9});
        serde_json::from_value(entry).expect("an entry")
    };
    let plays = vec![
        entry(1, "2026-11-25T10:00:00Z"),
        entry(2, "the day before yesterday"),
        entry(u64::MAX, "2026-11-25T10:00:10Z"),
    ];
    let played = BoxInput::Played(plays.clone());
    let told = box_does_at(&mut session, seconds(2), played);
    let [BoxOutput::Send(report)] = &told[..] else {
        panic!("{told:?}");
    };

    // The house hands all of them to who stores them, and says of the report as a whole that it is stored.
    let report = Message::read(&report.write()).expect("a message");
    let Message::Reported(sent_report) = &report else {
        panic!("{report:?}");
    };
    let id = sent_report.id.clone().expect("a name");
    let outputs = house_does(
        Peer::Box,
        vec![
            HouseInput::Received(hello(1, None)),
            HouseInput::Received(report.clone()),
            HouseInput::Stored {
                id: id.clone(),
                error: None,
            },
        ],
    );
    let heard = HouseOutput::Reported {
        id: Some(id),
        state: None,
        plays,
    };
    assert!(outputs.contains(&heard), "{outputs:?}");
    let ack = sent(&outputs).pop().expect("an answer");
    let settled = box_does_at(&mut session, seconds(3), BoxInput::Received(ack));
    assert_eq!(settled, [BoxOutput::Stored { seq: u64::MAX }]);
    for later in [40, 80, 120] {
        let outputs = box_does_at(&mut session, seconds(later), BoxInput::Heard);
        let is_report = |output: &BoxOutput| match output {
            BoxOutput::Send(message) => matches!(**message, Message::Reported(_)),
            BoxOutput::Connect
            | BoxOutput::Ping
            | BoxOutput::Close { .. }
            | BoxOutput::Adopt(_)
            | BoxOutput::Carry { .. }
            | BoxOutput::Stored { .. }
            | BoxOutput::Told(_)
            | BoxOutput::WakeAt(_) => false,
        };
        assert!(
            !outputs.iter().any(is_report),
            "it is told again: {outputs:?}"
        );
    }
}

#[test]
fn a_box_that_no_house_hears_keeps_a_bounded_part_of_its_play_log_in_memory() {
    let mut session = connected_box();
    let sha256 = musebox::domain::house::canonical::sha256(&json!({"house": {"n": 5}}));
    box_does(&mut session, &patch("e", 5, 5, &json!({}), sha256.as_str()));
    let entry = |seq: usize| -> Play {
        let at = "2026-11-25T10:00:00Z";
        let entry = json!({"seq": seq, "at": at, "output": "main", "item": "i", "duration_ms": 9});
        serde_json::from_value(entry).expect("an entry")
    };
    assert_eq!(session.room_for_plays(), MOST_WAITING);
    let plays = (1..=MOST_WAITING).map(entry).collect();
    let told = box_does_at(&mut session, seconds(2), BoxInput::Played(plays));
    assert_eq!(session.room_for_plays(), 0);
    // What the house has stored makes room for as many.
    let [BoxOutput::Send(report)] = &told[..] else {
        panic!("{told:?}");
    };
    let Message::Reported(report) = &**report else {
        panic!("{report:?}");
    };
    let ack = Message::read(&json!({"type": "ack", "id": report.id}).to_string());
    let ack = BoxInput::Received(ack.expect("a message"));
    let stored = box_does_at(&mut session, seconds(3), ack);
    let seq = MAX_PLAYS as u64;
    assert!(stored.contains(&BoxOutput::Stored { seq }), "{stored:?}");
    assert_eq!(session.room_for_plays(), MAX_PLAYS);
}

#[test]
fn a_frame_that_is_no_message_is_answered_before_the_hello_too() {
    for peer in [Peer::Box, Peer::Page] {
        let outputs = house_does(peer, vec![HouseInput::Garbled]);
        let messages = sent(&outputs);
        let codes: Vec<_> = messages.iter().filter_map(error_code).collect();
        assert_eq!(codes, [ErrorCode::BadMessage]);
        assert_eq!(closed(&outputs), None);
    }
}

#[test]
fn a_screenshot_names_its_output_and_an_older_peer_passes_over_that() {
    let named = HouseCommand::Screenshot {
        output: Some(ScreenName::new("left")),
    };
    let text = |command: &HouseCommand| serde_json::to_value(command).expect("JSON");
    assert_eq!(
        text(&named),
        json!({"command": "screenshot", "output": "left"})
    );
    let first = HouseCommand::Screenshot { output: None };
    assert_eq!(text(&first), json!({"command": "screenshot"}));
    let mut session = connected_box();
    for (id, frame, command) in [
        (
            "c1",
            r#"{"type": "command", "id": "c1", "command": "screenshot"}"#,
            &first,
        ),
        (
            "c2",
            r#"{"type": "command", "id": "c2", "command": "screenshot", "output": "left"}"#,
            &named,
        ),
        (
            "c3",
            r#"{"type": "command", "id": "c3", "command": "screenshot", "later": 1}"#,
            &first,
        ),
    ] {
        let carried = box_does(&mut session, frame);
        let id = CommandId::new(id);
        let command = command.clone();
        assert_eq!(carried, [BoxOutput::Carry { id, command }]);
    }

    /// As a box of the version before reads it.
    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(tag = "command", rename_all = "lowercase")]
    enum Older {
        Screenshot,
    }
    let read: Older = serde_json::from_value(text(&named)).expect("a command");
    assert_eq!(read, Older::Screenshot);
}

#[test]
fn reports_come_at_most_once_a_second_and_the_newest_counts() {
    let mut session = connected_box();
    let mut reports: Vec<Reported> = Vec::new();
    for tick in 0..100 {
        let state = musebox::domain::protocol::sync::BoxState {
            uptime_ms: Some(tick),
            ..Default::default()
        };
        let now = MediaTime::from_millis(100 * tick as i64);
        session.handle(now, BoxInput::Report(Box::new(state)), 0.5);
        while let Some(output) = session.poll() {
            if let BoxOutput::Send(message) = output
                && let Message::Reported(report) = *message
            {
                reports.push(*report);
            }
        }
    }
    let told: Vec<u64> = reports
        .iter()
        .filter_map(|report| report.state.as_ref()?.uptime_ms)
        .collect();
    assert_eq!(told, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
}

#[test]
fn a_box_that_is_refused_asks_seldom() {
    let mut session = connected_box();
    let code = Some(CLOSE_REVOKED);
    session.handle(seconds(1), BoxInput::Closed { code }, 0.99);
    assert!(matches!(session.link(), Link::Waiting { until } if until > seconds(59)));
}
