//! How playback behaves, rule by rule, on the model stage.

#[path = "support/stage.rs"]
mod stage;

use musebox::domain::{
    ids::{Position, SlotId},
    player::State,
    sequencer::{Card, Command, LEAD, Report},
    slots::SlotState,
    units::MediaTime,
};
use stage::{Medium, Stage, ms, playlist, s};

/// One screen with three videos of 20 s.
fn three() -> Stage {
    let mut stage = Stage::new(&["one"], None);
    for name in ["a", "b", "c", "d"] {
        stage.media.insert(name.into(), Medium::video(s(20)));
    }
    stage
}

fn after(start: MediaTime, lengths: &[i64]) -> Vec<MediaTime> {
    let mut at = start;
    let mut times = vec![start];
    for &length in lengths {
        at += s(length);
        times.push(at);
    }
    times
}

#[test]
fn mono_montage_loops_without_reload() {
    let mut stage = Stage::new(&["one"], None).with("a", Medium::video(ms(2_500)));
    stage.environment(Some(playlist(&[&["a"]])));
    stage.run_for(s(3600));
    let counters = stage.player.snapshot().counters;
    assert!(counters.items_shown >= 1438, "{counters:?}");
    assert_eq!(counters.replays, counters.items_shown - 1);
    assert_eq!(counters.reloads, 0);
    assert_eq!(stage.loads, 1);
    let starts = stage.starts(0);
    for (count, start) in starts.iter().enumerate() {
        let exact = starts[0] + ms(2_500).times(count as i64);
        assert_eq!(*start, exact, "no drift");
    }
}

#[test]
fn items_follow_each_other_at_exact_sums() {
    let mut stage = three();
    stage.environment(Some(playlist(&[&["a b"], &["c"]])));
    stage.run_for(s(125));
    assert_eq!(stage.shown(0), ["a", "b", "c", "a", "b", "c", "a"]);
    let starts = stage.starts(0);
    assert_eq!(starts, after(starts[0], &[20; 6]));
    assert_eq!(stage.player.snapshot().counters.rounds, 2);
}

#[test]
fn the_next_item_is_asked_for_ten_seconds_ahead() {
    assert!(LEAD >= s(2));
    let mut stage = three();
    stage.environment(Some(playlist(&[&["a b c"]])));
    stage.run_for(s(65));
    let starts = stage.starts(0);
    let loads = stage.loaded();
    assert_eq!(loads[0].2, SlotId::A);
    for (number, (at, _, slot, name)) in loads.iter().enumerate().skip(1) {
        let before = starts[number] - *at;
        assert!(before >= s(2), "{name} was asked for only {before} ahead");
        assert_eq!(before, LEAD);
        assert_eq!(*slot, SlotId::BOTH[number % 2], "the slots take turns");
    }
    assert!(loads.len() >= 4);
}

#[test]
fn the_next_of_a_short_item_is_asked_for_when_it_begins() {
    let mut stage = three().with("a", Medium::video(ms(900)));
    stage.environment(Some(playlist(&[&["a b"]])));
    stage.run_for(s(4));
    let (at, ..) = stage.loaded()[1];
    assert!(at - stage.starts(0)[0] < ms(20));
    assert_eq!(stage.starts(0)[1], stage.starts(0)[0] + ms(900));
}

#[test]
fn an_image_stands_ten_seconds_and_a_duration_caps_a_video() {
    let mut stage = three().with("i.png", Medium::still());
    stage.environment(Some(playlist(&[&["i.png a@5 i.png@3 b@60"]])));
    stage.run_for(s(40));
    let starts = stage.starts(0);
    assert_eq!(starts, after(starts[0], &[10, 5, 3, 20]));
}

#[test]
fn a_late_item_is_shown_as_soon_as_it_is_ready_while_the_one_before_loops() {
    let mut stage = three().with("b", Medium::video(s(20)).taking(s(13)));
    stage.environment(Some(playlist(&[&["a b"]])));
    stage.run_for(s(40));
    let starts = stage.starts(0);
    assert_eq!(stage.shown(0), ["a", "b"], "a hold-over is no showing");
    // Asked for at 10 s, ready at 23 s: 3 s late.
    assert!(starts[1] - starts[0] >= s(23) && starts[1] - starts[0] < s(23) + ms(50));
}

#[test]
fn what_cannot_be_replayed_in_place_goes_back_and_forth_between_the_slots() {
    let mut stage = Stage::new(&["one"], None).with("a", Medium::reopened(s(20)));
    stage.environment(Some(playlist(&[&["a"]])));
    stage.run_for(s(70));
    let starts = stage.starts(0);
    assert_eq!(stage.shown(0), ["a"; 4]);
    assert_eq!(starts, after(starts[0], &[20; 3]));
    let counters = stage.player.snapshot().counters;
    assert_eq!((counters.replays, counters.reloads), (0, 3));
    let reopened = stage
        .reports()
        .filter(|(_, report)| matches!(report, Report::Reopened { .. }))
        .count();
    assert_eq!(reopened, 3);
}

#[test]
fn a_worn_decoder_is_swapped_before_its_next_showing() {
    let mut stage = Stage::new(&["one"], None).with("a", Medium::video(s(20)).worn_after(s(5)));
    stage.environment(Some(playlist(&[&["a"]])));
    stage.run_for(s(30));
    assert_eq!(stage.shown(0), ["a", "a"], "reopened, not replayed");
    assert_eq!(stage.starts(0)[1] - stage.starts(0)[0], s(20));
    assert_eq!(stage.player.snapshot().counters.reloads, 1);
}

#[test]
fn rounds_end_with_a_finish_at_the_last_items_end() {
    let mut stage = Stage::new(&["one"], Some(5)).with("a", Medium::video(s(2)));
    stage.environment(Some(playlist(&[&["a"]])));
    stage.run_for(s(60));
    let counters = stage.player.snapshot().counters;
    assert_eq!(
        (
            counters.items_shown,
            counters.replays,
            counters.reloads,
            counters.rounds
        ),
        (5, 4, 0, 5)
    );
    assert_eq!(stage.finished, Some(stage.starts(0)[0] + s(10)));

    let mut stage = Stage::new(&["one"], Some(2));
    for name in ["a", "b", "c"] {
        stage.media.insert(name.into(), Medium::video(s(20)));
    }
    stage.environment(Some(playlist(&[&["a b"], &["c"]])));
    stage.run_for(s(200));
    assert_eq!(stage.shown(0), ["a", "b", "c", "a", "b", "c"]);
    assert_eq!(stage.finished, Some(stage.starts(0)[0] + s(120)));
}

#[test]
fn a_command_takes_a_finish_back() {
    let mut stage = Stage::new(&["one"], Some(1)).with("a", Medium::video(s(20)));
    stage.media.insert("b".into(), Medium::video(s(20)));
    stage.environment(Some(playlist(&[&["a b"]])));
    stage.run_for(s(30));
    assert!(stage.finished.is_some());
    stage.command(Command::Previous);
    assert_eq!(stage.finished, None);
    stage.run_for(s(60));
    assert_eq!(stage.shown(0), ["a", "b", "a", "b"]);
    assert_eq!(stage.finished, Some(stage.starts(0)[3] + s(20)));
}

#[test]
fn a_bad_item_is_reported_and_skipped_without_a_gap() {
    let mut stage = three().with("x", Medium::bad());
    stage.environment(Some(playlist(&[&["a x b"]])));
    stage.run_for(s(165));
    let starts = stage.starts(0);
    assert_eq!(
        stage.shown(0),
        ["a", "b", "a", "b", "a", "b", "a", "b", "a"]
    );
    assert_eq!(starts, after(starts[0], &[20; 8]));
    assert_eq!(stage.failures("x"), 4, "once a round");
    let errors = stage.player.snapshot().errors;
    assert_eq!((errors.len(), errors[0].count), (1, 4));
    assert_eq!(errors[0].message, "x is bad");
}

#[test]
fn what_was_shown_well_or_is_played_no_more_is_no_error() {
    let mut stage = three().with("x", Medium::bad()).with("y", Medium::bad());
    stage.environment(Some(playlist(&[&["a x y b"]])));
    stage.run_for(s(100));
    let failed = |stage: &Stage| -> Vec<String> {
        let errors = stage.player.snapshot().errors;
        errors.iter().map(|entry| entry.item.to_string()).collect()
    };
    assert_eq!(failed(&stage).len(), 2);
    stage.media.insert("x".into(), Medium::video(s(20)));
    stage.handle(musebox::domain::sequencer::Input::MediaChanged { src: "x".into() });
    while stage.shown(0).last().is_none_or(|name| name != "x") {
        stage.run_for(s(1));
    }
    assert_eq!(failed(&stage).len(), 2, "it may fail in the middle");
    stage.run_for(s(21));
    assert_eq!(failed(&stage).len(), 1);
    stage.environment(Some(playlist(&[&["a x b"]])));
    assert_eq!(failed(&stage), [""; 0]);
}

#[test]
fn a_bad_item_backs_off_and_is_tried_at_most_once_a_round() {
    let mut stage = three()
        .with("x", Medium::bad())
        .with("a", Medium::video(s(3)));
    stage.environment(Some(playlist(&[&["a x"]])));
    stage.run_for(s(600));
    let tries: Vec<_> = stage
        .loaded()
        .into_iter()
        .filter(|(.., name)| name == "x")
        .map(|(at, ..)| at)
        .collect();
    for pair in tries.windows(2).skip(6) {
        assert!(pair[1] - pair[0] >= s(60), "{:?}", pair[1] - pair[0]);
    }
    for (pair, wait) in tries.windows(2).zip([2, 4, 8, 16, 32]) {
        assert!(pair[1] - pair[0] >= s(wait));
    }
    let counters = stage.player.snapshot().counters;
    assert_eq!(counters.reloads, 0, "the good one replays");
    let starts = stage.starts(0);
    let sums: Vec<_> = (0..starts.len())
        .map(|count| starts[0] + s(3).times(count as i64))
        .collect();
    assert_eq!(starts, sums);
    assert_eq!(stage.card(0), None);
}

#[test]
fn an_opening_without_news_fails_as_stalled_after_fifteen_seconds() {
    let mut stage = three().with("x", Medium::silent());
    stage.environment(Some(playlist(&[&["a x b"]])));
    stage.run_for(s(40));
    assert_eq!(stage.shown(0), ["a", "b"]);
    let failed = stage
        .reports()
        .find(|(_, report)| matches!(report, Report::Failed { .. }));
    let (at, Report::Failed { failure, .. }) = failed.expect("a failure") else {
        panic!("no failure");
    };
    assert_eq!(
        failure.kind,
        musebox::domain::sequencer::FailureKind::Stalled
    );
    assert_eq!(at - stage.starts(0)[0], s(25));
    assert!(stage.starts(0)[1] - at < ms(300), "the next one at once");
}

#[test]
fn only_bad_items_put_up_a_card_and_are_tried_again_slowly_until_one_is_replaced() {
    let mut stage = Stage::new(&["one"], None);
    let names: Vec<String> = (0..40).map(|number| format!("x{number}")).collect();
    stage.environment(Some(playlist(&[&[&names.join(" ")]])));
    stage.run_for(s(60));
    assert_eq!(stage.card(0), Some(Card::AllFailed));
    assert_eq!(stage.player.snapshot().state, State::Failed);
    let before = stage.loads;
    stage.run_for(s(100));
    assert!(
        stage.loads - before <= 100,
        "one a second: {}",
        stage.loads - before
    );
    assert!(stage.loads - before >= 50, "it goes on trying");
    assert_eq!(stage.player.snapshot().errors.len(), 40);
    stage.media.insert("x7".into(), Medium::video(s(20)));
    stage.handle(musebox::domain::sequencer::Input::MediaChanged { src: "x7".into() });
    let changed = stage.now;
    stage.run_for(s(5));
    assert_eq!(stage.shown(0), ["x7"]);
    assert!(stage.starts(0)[0] - changed < s(2));
    assert_eq!(stage.player.snapshot().state, State::Playing);
}

#[test]
fn one_bad_item_alone_is_tried_every_five_seconds() {
    let mut stage = Stage::new(&["one"], None);
    stage.environment(Some(playlist(&[&["x"]])));
    stage.run_for(s(300));
    assert_eq!(stage.card(0), Some(Card::AllFailed));
    assert!(
        (55..=65).contains(&stage.failures("x")),
        "{}",
        stage.failures("x")
    );
    stage.media.insert("x".into(), Medium::video(s(20)));
    stage.run_for(s(6));
    assert_eq!(stage.shown(0), ["x"], "found without being told");
}

#[test]
fn an_item_that_dies_midway_keeps_its_picture_until_the_next_is_ready() {
    let mut stage = three().with("a", Medium::video(s(20)).dying_after(s(4)));
    stage.environment(Some(playlist(&[&["a b"]])));
    stage.run_for(s(4) + ms(100));
    assert_eq!(
        stage.on_screen(0).as_deref(),
        Some("a"),
        "the last picture stays"
    );
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a", "b"]);
    assert_eq!(stage.card(0), None);
}

#[test]
fn a_live_stream_that_ends_is_opened_again() {
    let mut stage = Stage::new(&["one"], None).with("live", Medium::live(Some(s(30))));
    stage.environment(Some(playlist(&[&["live"]])));
    stage.run_for(s(100));
    assert_eq!(stage.shown(0), ["live"; 4]);
}

#[test]
fn a_killed_live_source_leaves_its_picture_then_a_card_and_comes_back() {
    let mut stage = Stage::new(&["one"], None).with("live", Medium::live(Some(s(30))));
    stage.environment(Some(playlist(&[&["live"]])));
    stage.run_for(s(29));
    stage.media.insert("live".into(), Medium::bad());
    stage.run_for(s(5));
    assert_eq!(
        stage.on_screen(0).as_deref(),
        Some("live"),
        "the last picture stays"
    );
    stage.run_for(s(10));
    assert_eq!(stage.card(0), Some(Card::AllFailed));
    stage.media.insert("live".into(), Medium::live(None));
    stage.run_for(s(6));
    assert_eq!(stage.shown(0), ["live", "live"]);
    let loads = stage.loads;
    stage.run_for(s(10_000));
    assert_eq!(stage.loads, loads, "an endless stream is left alone");
}

#[test]
fn an_endless_stream_goes_on_until_its_cap_with_the_next_ready() {
    let mut stage = three().with("live", Medium::live(None));
    stage.environment(Some(playlist(&[&["live@30 a"]])));
    stage.run_for(s(45));
    assert_eq!(stage.starts(0), after(stage.starts(0)[0], &[30]));
    let mut stage = three().with("live", Medium::live(Some(s(90))));
    stage.environment(Some(playlist(&[&["live a"]])));
    stage.run_for(s(2));
    assert_eq!(stage.loaded().len(), 2, "the next one is opened at once");
    stage.run_for(s(95));
    assert_eq!(stage.shown(0), ["live", "a"]);
    assert!(stage.starts(0)[1] - stage.starts(0)[0] < s(90) + ms(50));
}

#[test]
fn a_better_known_end_moves_the_cue() {
    for (told, length) in [(s(12), s(16)), (s(18), s(26))] {
        let mut stage = three().with("a", Medium::video(s(20)).telling(told, length));
        stage.environment(Some(playlist(&[&["a b"]])));
        stage.run_for(s(34));
        assert_eq!(
            stage.starts(0),
            after(stage.starts(0)[0], &[length.nanos() / 1_000_000_000])
        );
    }
    let mut stage = Stage::new(&["one"], None).with("a", Medium::video(s(20)).telling(s(1), s(7)));
    stage.environment(Some(playlist(&[&["a"]])));
    stage.run_for(s(30));
    assert_eq!(stage.starts(0), after(stage.starts(0)[0], &[7, 7, 7, 7]));
}

#[test]
fn without_autostart_the_idle_card_waits_for_a_command() {
    let mut stage = three();
    stage.autostart = false;
    stage.environment(Some(playlist(&[&["a b"]])));
    stage.run_for(s(30));
    assert_eq!(stage.card(0), Some(Card::Idle));
    assert_eq!(stage.player.snapshot().state, State::Idle);
    assert_eq!(stage.loads, 0);
    stage.command(Command::Play);
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a"]);
    assert_eq!(stage.card(0), None);
}

#[test]
fn autostart_turned_on_starts_and_turned_off_goes_on() {
    let mut stage = three();
    stage.autostart = false;
    stage.environment(Some(playlist(&[&["a b"]])));
    stage.settings(true, true);
    stage.run_for(s(5));
    stage.settings(false, true);
    stage.run_for(s(20));
    assert_eq!(stage.shown(0), ["a", "b"]);
    assert_eq!(stage.starts(0).len(), 2);
}

#[test]
fn stop_stays_stopped_until_told() {
    let mut stage = three();
    stage.environment(Some(playlist(&[&["a b"]])));
    stage.run_for(s(5));
    stage.command(Command::Stop);
    assert_eq!(stage.card(0), Some(Card::Idle));
    stage.environment(Some(playlist(&[&["a c"]])));
    stage.run_for(s(60));
    assert_eq!(
        stage.shown(0),
        ["a"],
        "a new playlist does not start what was stopped"
    );
    let slots = &stage.player.snapshot().screens[0].slots;
    assert!(slots.iter().all(|slot| slot.state == SlotState::Idle));
    stage.command(Command::Play);
    stage.run_for(s(5));
    assert_eq!(stage.shown(0), ["a", "a"]);
}

#[test]
fn without_auto_advance_the_last_frame_is_held_until_told() {
    let mut stage = three();
    stage.auto_advance = false;
    stage.environment(Some(playlist(&[&["a b c"]])));
    stage.run_for(s(100));
    assert_eq!(stage.shown(0), ["a"]);
    assert!(stage.is_held(0));
    assert!(!stage.player.expecting(musebox::domain::ids::ScreenIndex(0)));
    stage.command(Command::Next);
    stage.run_for(s(100));
    assert_eq!(stage.shown(0), ["a", "b"]);
    assert!(stage.is_held(0));
    stage.command(Command::Replay);
    stage.run_for(s(100));
    assert_eq!(stage.shown(0), ["a", "b", "+b"]);
    stage.settings(true, true);
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a", "b", "+b", "c"], "turned on: at once");
}

#[test]
fn auto_advance_turned_off_takes_the_cue_back() {
    let mut stage = three();
    stage.environment(Some(playlist(&[&["a b c"]])));
    stage.run_for(s(15));
    stage.settings(true, false);
    stage.run_for(s(60));
    assert_eq!(stage.shown(0), ["a"]);
    assert!(stage.is_held(0));
    let other = &stage.player.snapshot().screens[0].slots[1];
    assert_eq!(other.state, SlotState::Idle, "b is no longer next");
    stage.settings(true, true);
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a", "b"]);
}

#[test]
fn a_mono_montage_without_auto_advance_is_held_and_then_replays_in_place() {
    let mut stage = three();
    stage.auto_advance = false;
    stage.environment(Some(playlist(&[&["a"]])));
    stage.run_for(s(60));
    assert_eq!(stage.shown(0), ["a"]);
    stage.settings(true, true);
    stage.run_for(s(50));
    assert_eq!(stage.shown(0), ["a", "+a", "+a", "+a"]);
    assert_eq!(stage.loads, 1);
}

#[test]
fn a_pause_moves_everything_by_its_length() {
    let mut stage = three();
    stage.environment(Some(playlist(&[&["a b"]])));
    stage.run_for(s(15));
    stage.command(Command::Pause);
    assert_eq!(stage.player.snapshot().state, State::Paused);
    stage.run_for(s(1000));
    assert_eq!(stage.shown(0), ["a"]);
    stage.command(Command::Pause);
    stage.command(Command::Play);
    stage.run_for(s(30));
    assert_eq!(stage.shown(0), ["a", "b", "a"]);
    let starts = stage.starts(0);
    assert_eq!(starts[1] - starts[0], s(1020));
    assert_eq!(starts[2] - starts[1], s(20));
}

#[test]
fn nothing_stalls_while_paused_and_a_command_ends_the_pause() {
    let mut stage = three().with("b", Medium::silent());
    stage.environment(Some(playlist(&[&["a b c"]])));
    stage.run_for(s(15));
    stage.command(Command::Pause);
    stage.run_for(s(100));
    assert_eq!(stage.failures("b"), 0);
    stage.command(Command::Next);
    assert!(!stage.is_paused());
    stage.command(Command::Pause);
    stage.command(Command::Stop);
    assert!(!stage.is_paused());
    assert_eq!(stage.player.snapshot().state, State::Idle);
}

#[test]
fn next_and_previous_walk_the_playlist_and_wrap() {
    let mut stage = three();
    stage.environment(Some(playlist(&[&["a b"], &["c"]])));
    stage.run_for(s(1));
    for command in [
        Command::Previous,
        Command::Next,
        Command::Next,
        Command::Previous,
    ] {
        stage.command(command);
        stage.run_for(s(1));
    }
    assert_eq!(stage.shown(0), ["a", "c", "a", "b", "a"]);
}

#[test]
fn commands_in_quick_succession_count_from_where_the_last_one_leads() {
    let mut stage = three();
    stage.environment(Some(playlist(&[&["a b c d"]])));
    stage.run_for(s(1));
    stage.command(Command::Next);
    stage.command(Command::Next);
    stage.command(Command::Next);
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a", "d"]);
    let mut stage = three();
    stage.environment(Some(playlist(&[&["a"], &["b"], &["c"], &["d"]])));
    stage.run_for(s(1));
    stage.command(Command::Next);
    stage.command(Command::Next);
    stage.command(Command::Previous);
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a", "b"]);
}

#[test]
fn next_on_a_mono_montage_replays_in_place_at_once() {
    let mut stage = three();
    stage.environment(Some(playlist(&[&["a"]])));
    stage.run_for(s(5));
    for command in [Command::Next, Command::Previous, Command::Replay] {
        stage.command(command);
        stage.run_for(s(5));
    }
    assert_eq!(stage.shown(0), ["a", "+a", "+a", "+a"]);
    assert_eq!(stage.loads, 1);
    assert_eq!(
        stage.player.snapshot().counters.rounds,
        0,
        "a jump ends no round"
    );
}

#[test]
fn a_goto_while_something_else_is_being_opened_wins() {
    let mut stage = three();
    stage.environment(Some(playlist(&[&["a b c d"]])));
    stage.run_for(s(10) + ms(300));
    stage.command(Command::Goto(Position::new(0, 0, 3)));
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a", "d"]);
    assert_eq!(
        stage.loaded().last().map(|(.., name)| name.as_str()),
        Some("d")
    );
}

#[test]
fn goto_what_is_next_shows_what_is_ready_already() {
    let mut stage = three();
    stage.environment(Some(playlist(&[&["a b"], &["c"]])));
    stage.run_for(s(15));
    stage.command(Command::Goto(Position::new(0, 0, 1)));
    stage.run_for(ms(50));
    assert_eq!(stage.shown(0), ["a", "b"]);
    assert_eq!(stage.loads, 2);
}

#[test]
fn a_duplicate_goto_changes_nothing() {
    let mut stage = three();
    stage.environment(Some(playlist(&[&["a b"], &["c"]])));
    stage.run_for(s(5));
    let before = stage.told.len();
    for _ in 0..5 {
        stage.command(Command::Goto(Position::new(0, 0, 0)));
    }
    assert_eq!(stage.told.len(), before);
    stage.command(Command::Goto(Position::new(1, 0, 0)));
    let loads = stage.loads;
    stage.command(Command::Goto(Position::new(1, 0, 0)));
    assert_eq!(stage.loads, loads);
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a", "c"]);
}

#[test]
fn a_goto_into_a_failed_item_tries_it_and_goes_on_after_it() {
    let mut stage = three().with("x", Medium::bad());
    stage.environment(Some(playlist(&[&["a x b c"], &["x"]])));
    stage.run_for(s(1));
    stage.command(Command::Goto(Position::new(0, 0, 1)));
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a", "b"]);
    stage.command(Command::Goto(Position::new(0, 0, 1)));
    stage.run_for(s(1));
    assert_eq!(stage.failures("x"), 2, "asked for by name: tried again");
    assert_eq!(stage.shown(0), ["a", "b"], "it leads to what is shown");
    stage.command(Command::Goto(Position::new(1, 0, 0)));
    stage.run_for(s(1));
    assert_eq!(
        stage.on_screen(0).as_deref(),
        Some("b"),
        "nothing else there: it stays"
    );
}

#[test]
fn commands_that_cannot_be_carried_out_say_why_and_change_nothing() {
    let mut stage = three();
    let refused = |stage: &Stage, command: Command| {
        stage
            .player
            .check(&command)
            .expect_err("refused")
            .to_string()
    };
    for command in [
        Command::Play,
        Command::Next,
        Command::Goto(Position::default()),
    ] {
        assert!(refused(&stage, command).contains("nothing to play"));
    }
    stage.autostart = false;
    stage.environment(Some(playlist(&[&["a b", "other: c"], &["c"]])));
    for command in [
        Command::Pause,
        Command::Next,
        Command::Previous,
        Command::Replay,
    ] {
        assert!(refused(&stage, command).contains("nothing is playing"));
        stage.command(command);
        assert_eq!(stage.player.snapshot().state, State::Idle);
    }
    for (position, reason) in [
        (
            Position::new(2, 0, 0),
            "there is no position M2T0I0: the playlist has montages M0 to M1",
        ),
        (
            Position::new(0, 3, 0),
            "there is no position M0T3I0: montage M0 has tracks T0 to T1",
        ),
        (
            Position::new(0, 0, 2),
            "there is no position M0T0I2: track M0T0 has items I0 to I1",
        ),
        (
            Position::new(1, 0, 9),
            "there is no position M1T0I9: track M1T0 has item I0 only",
        ),
        (
            Position::new(0, 1, 0),
            "no screen of this box plays the track of M0T1I0: the tracks of montage M0 that are played here: T0",
        ),
    ] {
        assert_eq!(refused(&stage, Command::Goto(position)), reason);
        stage.command(Command::Goto(position));
        assert_eq!(stage.loads, 0);
    }
    stage.command(Command::Goto(Position::new(1, 0, 0)));
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["c"], "a goto starts what is idle");
}

#[test]
fn an_end_that_is_told_after_it_has_passed_holds_nothing_up() {
    let told = Medium::reopened(ms(13_776)).telling(ms(3_776), ms(500));
    let mut stage = Stage::new(&["left", "right"], None)
        .with("a", Medium::video(ms(500)))
        .with("d", told)
        .with("e", Medium::silent());
    stage.environment(Some(playlist(&[&["d e a"]])));
    stage.run_for(s(60));
    assert_eq!(stage.shown(0)[..3], ["d", "a", "d"]);
}

#[test]
fn without_auto_advance_what_has_not_been_shown_is_tried_again() {
    let mut stage = Stage::new(&["left", "right"], None).with("a", Medium::bad());
    stage.auto_advance = false;
    stage.environment(Some(playlist(&[&["b", "right: a"]])));
    stage.run_for(s(100));
    stage.media.insert("a".to_owned(), Medium::video(s(5)));
    stage.run_for(s(100));
    assert_eq!(stage.shown(1), ["a"]);
}

#[test]
fn a_stop_that_crosses_the_first_picture_on_its_way_leaves_the_card() {
    let mut stage = Stage::new(&["left"], None).with("a", Medium::video(s(5)));
    stage.latency = |_| ms(30);
    stage.autostart = false;
    stage.environment(Some(playlist(&[&["a"]])));
    stage.command(Command::Play);
    stage.run_for(ms(220));
    assert_eq!(stage.on_screen(0).as_deref(), Some("a"));
    assert!(stage.began.is_empty(), "the player has not heard of it");
    stage.command(Command::Stop);
    stage.run_for(s(1));
    assert_eq!(
        (stage.on_screen(0), stage.card(0)),
        (None, Some(Card::Idle))
    );
}

#[test]
fn a_screen_that_has_run_out_does_not_wait_for_one_that_never_ends() {
    let mut stage = Stage::new(&["left", "right"], None)
        .with("a", Medium::live(Some(s(20))))
        .with("b", Medium::live(None));
    stage.environment(Some(playlist(&[&["b", "a"]])));
    stage.run_for(s(200));
    assert_eq!(stage.shown(0), ["b"]);
    assert!(stage.shown(1).len() > 8, "{:?}", stage.shown(1));
}

#[test]
fn items_that_come_into_a_track_while_its_end_is_prepared_are_played() {
    let mut stage = Stage::new(&["left"], None)
        .with("a", Medium::video(ms(500)).taking(ms(0)))
        .with("b", Medium::video(ms(500)).taking(ms(0)))
        .with("e", Medium::video(ms(11_835)).taking(ms(7_767)));
    stage.latency = |count| ms((count % 4) as i64 * 10);
    stage.environment(Some(playlist(&[&["a"]])));
    stage.environment(Some(playlist(&[&["a e"]])));
    stage.run_for(ms(29_252));
    stage.run_until(stage.next_event().expect("it plays"));
    stage.environment(Some(playlist(&[&["a b e"]])));
    stage.environment(Some(playlist(&[&["b a b e"]])));
    let before = stage.began.len();
    stage.run_for(s(60));
    assert_eq!(stage.shown(0)[before..][..4], ["a", "b", "e", "b"]);
}
