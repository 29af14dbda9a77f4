//! How playback behaves on several screens, and when the environment changes while it plays.

#[path = "support/stage.rs"]
mod stage;

use std::sync::Arc;

use musebox::domain::{
    ids::{PlaylistId, Position, ScreenIndex, ScreenName},
    playlist::Playlist,
    sequencer::{Card, Command, Input, Replayable, Report},
    units::MediaTime,
};
use stage::{Manner, Medium, Stage, ms, playlist, s};

/// Screens with media named after their lengths: `a5` is a video of 5 s.
fn house(screens: &[&str], rounds: Option<u64>) -> Stage {
    let mut stage = Stage::new(screens, rounds);
    for letter in ["a", "b", "c", "d", "e"] {
        for length in [3, 5, 7, 20, 30, 60] {
            let name = format!("{letter}{length}");
            stage.media.insert(name, Medium::video(s(length)));
        }
    }
    stage
}

fn starts(stage: &Stage, screen: usize) -> Vec<i64> {
    let first = stage.starts(0)[0];
    let starts = stage.starts(screen).into_iter();
    starts.map(|at| (at - first).nanos() / 1_000_000).collect()
}

#[test]
fn all_screens_enter_a_montage_together() {
    let mut stage = house(&["left", "right"], None);
    stage
        .media
        .insert("slow".into(), Medium::video(s(20)).taking(s(7)));
    stage.environment(Some(playlist(&[&["a20", "slow"], &["b20", "c20"]])));
    stage.run_for(s(6));
    assert!(stage.began.is_empty(), "the first waits for the slow one");
    assert!(
        stage.player.expecting(ScreenIndex(0)),
        "and a picture is expected"
    );
    stage.run_for(s(44));
    for screen in [0, 1] {
        assert_eq!(starts(&stage, screen), [0, 20_000, 40_000]);
    }
    assert_eq!(stage.shown(1), ["slow", "c20", "slow"]);
}

#[test]
fn a_montage_ends_with_its_longest_track_and_shorter_ones_loop_until_then() {
    let mut stage = house(&["left", "right"], None);
    stage.environment(Some(playlist(&[&["a20 b30", "c7 d5"], &["e20", "e7"]])));
    stage.run_for(s(55));
    assert_eq!(stage.shown(0), ["a20", "b30", "e20"]);
    // 50 s in all; what would begin at 43 s ends at 48 s, less than ten seconds before: d5 stays from 36 s on.
    assert_eq!(
        stage.shown(1),
        ["c7", "d5", "c7", "d5", "c7", "d5", "c7", "e7"]
    );
    assert_eq!(
        starts(&stage, 1),
        [0, 7_000, 12_000, 19_000, 24_000, 31_000, 36_000, 50_000]
    );
    assert_eq!(starts(&stage, 0), [0, 20_000, 50_000]);
}

#[test]
fn a_shorter_mono_track_replays_in_place_and_begins_again_with_the_montage() {
    let mut stage = house(&["left", "right"], None);
    stage.environment(Some(playlist(&[&["a30", "b7"]])));
    stage.run_for(s(70));
    assert_eq!(stage.shown(0), ["a30", "+a30", "+a30"]);
    assert_eq!(starts(&stage, 0), [0, 30_000, 60_000]);
    // At 14 s there are 16 s left: again. At 21 s there are 9: b7 goes round by itself until 30 s.
    assert_eq!(
        starts(&stage, 1),
        [0, 7_000, 14_000, 30_000, 37_000, 44_000, 60_000, 67_000]
    );
    assert_eq!(stage.loads, 2);
    let counters = stage.player.snapshot().counters;
    assert_eq!((counters.reloads, counters.rounds), (0, 2));
    assert_eq!(counters.replays + 2, counters.items_shown);
}

#[test]
fn a_live_stream_keeps_the_montage_going_until_it_ends() {
    let mut stage = house(&["left", "right"], None);
    stage
        .media
        .insert("live".into(), Medium::live(Some(s(100))));
    stage.environment(Some(playlist(&[&["live", "b20"], &["c20", "d20"]])));
    stage.run_for(s(99));
    assert_eq!(stage.shown(1), ["b20", "+b20", "+b20", "+b20", "+b20"]);
    stage.run_for(s(15));
    assert_eq!(stage.shown(0), ["live", "c20"]);
    assert_eq!(stage.shown(1).last().map(String::as_str), Some("d20"));
    assert_eq!(stage.starts(0).last(), stage.starts(1).last());
}

#[test]
fn tracks_find_their_screens_by_name_or_number() {
    let mut stage = house(&["left", "right"], None);
    stage.environment(Some(playlist(&[
        &["right: a20", "left: b20"],
        &["c20", "d20", "other: e20"],
        &["right: e20"],
    ])));
    stage.run_for(s(65));
    assert_eq!(stage.shown(0), ["b20", "c20", "b20"]);
    assert_eq!(stage.shown(1), ["a20", "d20", "e20", "a20"]);
    let homeless: Vec<_> = stage
        .reports()
        .filter_map(|(_, report)| match report {
            Report::TrackWithoutScreen { position } => Some(*position),
            _ => None,
        })
        .collect();
    assert_eq!(homeless, [Position::new(1, 2, 0)], "told once");
}

#[test]
fn a_screen_without_a_track_shows_the_idle_card_meanwhile() {
    let mut stage = house(&["left", "right"], None);
    stage.environment(Some(playlist(&[&["left: a20"], &["b20", "c20"]])));
    stage.run_for(s(5));
    assert_eq!(stage.card(1), Some(Card::Idle));
    stage.run_for(s(20));
    assert_eq!(
        (stage.card(1), stage.shown(1)),
        (None, vec!["c20".to_owned()])
    );
    stage.run_for(s(20));
    assert_eq!(stage.card(1), Some(Card::Idle));
    assert_eq!(starts(&stage, 0), [0, 20_000, 40_000]);
}

#[test]
fn montages_for_other_boxes_are_left_out() {
    let mut stage = house(&["left"], None);
    stage.environment(Some(playlist(&[
        &["x: a20"],
        &["left: b20"],
        &["x: c20"],
        &["d20"],
    ])));
    stage.run_for(s(65));
    assert_eq!(stage.shown(0), ["b20", "d20", "b20", "d20"]);
    assert_eq!(stage.player.snapshot().counters.rounds, 1);
    let mut stage = house(&["left"], None);
    stage.environment(Some(playlist(&[&["x: a20"]])));
    assert_eq!(stage.card(0), Some(Card::Idle), "nothing here is ours");
    stage.environment(Some(playlist(&[&["a20"]])));
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a20"], "it starts once there is something");
}

#[test]
fn a_screen_whose_track_fails_does_not_hold_the_others_up() {
    let mut stage = house(&["left", "right"], None);
    stage.media.insert("x".into(), Medium::bad());
    stage.media.insert("y".into(), Medium::silent());
    stage.environment(Some(playlist(&[
        &["a20", "b20"],
        &["c20", "x"],
        &["d20", "y e7"],
    ])));
    stage.run_for(s(78));
    assert_eq!(stage.shown(0), ["a20", "c20", "d20", "a20"]);
    let exact = starts(&stage, 0);
    assert_eq!(exact[..2], [0, 20_000]);
    // The silent one is asked for ten seconds ahead, and is given up 5 s after the time.
    assert!((45_000..45_100).contains(&exact[2]), "{exact:?}");
    assert_eq!(stage.shown(1)[0], "b20");
    assert!(stage.shown(1).contains(&"e7".to_owned()));
    assert_eq!(stage.card(1), None, "the last good picture goes on");
}

#[test]
fn a_screen_where_nothing_can_be_shown_gets_its_card_and_recovers_alone() {
    let mut stage = house(&["left", "right"], None);
    stage.environment(Some(playlist(&[&["a60", "x y"]])));
    stage.run_for(s(30));
    assert_eq!(stage.shown(0), ["a60"]);
    assert_eq!(stage.card(1), Some(Card::AllFailed));
    stage.media.insert("y".into(), Medium::video(s(3)));
    stage.run_for(s(6));
    assert_eq!(stage.card(1), None);
    assert_eq!(stage.shown(0), ["a60"], "the other is not disturbed");
    assert_eq!(stage.on_screen(1).as_deref(), Some("y"));
}

#[test]
fn a_goto_moves_the_montage_everywhere_and_the_item_on_its_screen() {
    let mut stage = house(&["left", "right"], None);
    stage.environment(Some(playlist(&[
        &["a20 b20", "c20"],
        &["d20 e20", "a30 b30"],
    ])));
    stage.run_for(s(5));
    stage.command(Command::Goto(Position::new(1, 1, 1)));
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a20", "d20"]);
    assert_eq!(stage.shown(1), ["c20", "b30"]);
    stage.command(Command::Goto(Position::new(1, 0, 1)));
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a20", "d20", "e20"]);
    assert_eq!(stage.shown(1), ["c20", "b30"], "the other goes on");
}

#[test]
fn next_and_previous_move_every_screen() {
    let mut stage = house(&["left", "right"], None);
    stage.environment(Some(playlist(&[
        &["a20 b20", "c20 d20 e20"],
        &["a30", "b30"],
    ])));
    stage.run_for(s(5));
    for _ in 0..3 {
        stage.command(Command::Next);
        stage.run_for(s(1));
    }
    assert_eq!(stage.shown(0), ["a20", "b20", "a30"]);
    assert_eq!(stage.shown(1), ["c20", "d20", "e20", "b30"]);
    stage.command(Command::Previous);
    stage.run_for(s(1));
    assert_eq!(stage.shown(0).last().map(String::as_str), Some("b20"));
    assert_eq!(stage.shown(1).last().map(String::as_str), Some("e20"));
    stage.command(Command::Previous);
    stage.run_for(s(1));
    assert_eq!(stage.shown(0).last().map(String::as_str), Some("a20"));
    assert_eq!(stage.shown(1).last().map(String::as_str), Some("d20"));
}

#[test]
fn rounds_on_several_screens_finish_with_the_longest() {
    let mut stage = house(&["left", "right"], Some(2));
    stage.environment(Some(playlist(&[&["a30", "b7"]])));
    stage.run_for(s(100));
    assert_eq!(stage.finished, Some(stage.starts(0)[0] + s(60)));
    assert_eq!(stage.shown(0), ["a30", "+a30"]);
}

#[test]
fn a_playlist_that_changes_around_the_shown_item_does_not_disturb_it() {
    let mut stage = house(&["one"], None);
    stage.environment(Some(playlist(&[&["a20 b20 c20"]])));
    stage.run_for(s(25));
    let loads = stage.loads;
    stage.environment(Some(playlist(&[&["d20"], &["e20 b20 a20"]])));
    assert_eq!(stage.loads, loads);
    assert_eq!(
        stage.player.snapshot().position,
        Some(Position::new(1, 0, 1))
    );
    stage.run_for(s(20));
    assert_eq!(stage.shown(0), ["a20", "b20", "a20"]);
    assert_eq!(starts(&stage, 0), [0, 20_000, 40_000]);
}

#[test]
fn what_is_opened_and_no_longer_next_is_closed_and_what_still_is_next_is_kept() {
    let mut stage = house(&["one"], None);
    stage.environment(Some(playlist(&[&["a20 b20 c20"]])));
    stage.run_for(s(15));
    stage.environment(Some(playlist(&[&["d20 a20 b20 e20"]])));
    assert_eq!(stage.loads, 2, "b20 is still next");
    stage.environment(Some(playlist(&[&["d20 a20 e20"]])));
    assert_eq!(stage.loads, 3, "e20 is");
    stage.run_for(s(10));
    assert_eq!(stage.shown(0), ["a20", "e20"]);
    assert_eq!(starts(&stage, 0), [0, 20_000]);
}

#[test]
fn a_vanished_item_is_followed_by_what_stands_in_its_place() {
    let mut stage = house(&["one"], None);
    stage.environment(Some(playlist(&[&["a20 b20 c20"]])));
    stage.run_for(s(25));
    stage.environment(Some(playlist(&[&["a20 c20"]])));
    assert_eq!(
        stage.on_screen(0).as_deref(),
        Some("b20"),
        "until the next is ready"
    );
    assert_eq!(stage.player.snapshot().position, None);
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a20", "b20", "c20"]);
    stage.environment(Some(playlist(&[&["a20"]])));
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a20", "b20", "c20", "a20"]);
}

#[test]
fn another_playlist_begins_at_its_first_montage() {
    let mut stage = house(&["one"], None);
    stage.environment(Some(playlist(&[&["a20"], &["b20"]])));
    stage.run_for(s(25));
    let other = Playlist {
        id: PlaylistId::new("other"),
        ..Playlist::clone(&playlist(&[&["c20"], &["d20"]]))
    };
    stage.environment(Some(Arc::new(other)));
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a20", "b20", "c20"]);
}

#[test]
fn no_playlist_is_the_idle_card() {
    let mut stage = house(&["one"], None);
    stage.environment(Some(playlist(&[&["a20"]])));
    stage.run_for(s(5));
    stage.environment(None);
    assert_eq!(stage.card(0), Some(Card::Idle));
    stage.run_for(s(5));
    stage.environment(Some(playlist(&[&["b20"]])));
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a20", "b20"], "it starts by itself again");
}

#[test]
fn a_changed_duration_holds_for_what_is_shown() {
    let mut stage = house(&["one"], None);
    stage.environment(Some(playlist(&[&["a20 b20"]])));
    stage.run_for(s(5));
    stage.environment(Some(playlist(&[&["a20@8 b20"]])));
    stage.run_for(s(5));
    assert_eq!(starts(&stage, 0), [0, 8_000]);
}

#[test]
fn a_changed_content_is_opened_anew_for_its_next_showing() {
    let mut stage = house(&["one"], None);
    let list = playlist(&[&["a20"]]);
    stage.environment(Some(list.clone()));
    stage.run_for(s(5));
    let mut changed = Playlist::clone(&list);
    Arc::make_mut(&mut changed.montages[0].tracks[0].items[0]).sha256 = Some("00".repeat(32));
    stage.environment(Some(Arc::new(changed)));
    stage.run_for(s(20));
    assert_eq!(stage.shown(0), ["a20", "a20"]);
    stage.handle(Input::MediaChanged { src: "a20".into() });
    stage.run_for(s(20));
    assert_eq!(stage.shown(0), ["a20", "a20", "a20"], "a replaced file too");
    assert_eq!(starts(&stage, 0), [0, 20_000, 40_000]);
}

#[test]
fn an_environment_while_a_jump_is_under_way_lets_it_arrive() {
    let mut stage = house(&["one"], None);
    stage.environment(Some(playlist(&[&["a20"], &["b20 c20"]])));
    stage.run_for(s(5));
    stage.command(Command::Goto(Position::new(1, 0, 1)));
    stage.environment(Some(playlist(&[&["a20"], &["d20"], &["b20 c20"]])));
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a20", "c20"]);
    stage.command(Command::Goto(Position::new(2, 0, 0)));
    stage.environment(Some(playlist(&[&["b20 a20 c20"]])));
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a20", "c20", "b20"]);
}

#[test]
fn a_montage_that_vanishes_is_followed_by_the_one_in_its_place() {
    let mut stage = house(&["left", "right"], None);
    stage.environment(Some(playlist(&[
        &["a20", "b20"],
        &["c20", "d20"],
        &["e20", "e30"],
    ])));
    stage.run_for(s(25));
    stage.environment(Some(playlist(&[&["a20", "b20"], &["e20", "e30"]])));
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a20", "c20", "e20"]);
    assert_eq!(stage.shown(1), ["b20", "d20", "e30"]);
    // One screen's item stays, the other's is gone.
    stage.environment(Some(playlist(&[&["e20", "c20"], &["a20", "b20"]])));
    stage.run_for(s(1));
    assert_eq!(stage.shown(0), ["a20", "c20", "e20"]);
    assert_eq!(stage.shown(1), ["b20", "d20", "e30", "c20"]);
}

#[test]
fn a_loop_quicker_than_the_cue_counts_as_the_replay() {
    let mut stage = house(&["one"], None);
    // News comes so late that a video of 50 ms has gone round by itself before it can be cued.
    stage.latency = |_| ms(120);
    stage.media.insert("blink".into(), Medium::video(ms(50)));
    stage.environment(Some(playlist(&[&["blink"]])));
    stage.run_for(s(10));
    let counters = stage.player.snapshot().counters;
    assert!(counters.items_shown > 30, "{counters:?}");
    assert_eq!(
        (counters.replays, stage.loads),
        (counters.items_shown - 1, 1)
    );
}

#[test]
fn a_slot_that_is_swapped_too_late_is_no_catastrophe() {
    // News is half a second late: what is taken back has often happened.
    let mut stage = house(&["one"], None);
    stage.latency = |_| ms(500);
    stage.environment(Some(playlist(&[&["a3 b3 c3", "d3"], &["e3"]])));
    for number in 0..200 {
        stage.run_for(ms(437));
        let position = Position::new(0, 0, number % 3);
        stage.command(Command::Goto(position));
    }
    stage.run_for(s(60));
    assert!(stage.now - stage.last_began[0] < s(5));
}

#[test]
fn a_capped_stream_without_in_place_replay_is_reopened_in_time() {
    let mut stage = house(&["one"], None);
    let mut live = Medium::live(None);
    if let Manner::Plays { replayable, .. } = &mut live.manner {
        *replayable = Replayable::Reopen;
    }
    stage.media.insert("live".into(), live);
    stage.environment(Some(playlist(&[&["live@30"]])));
    stage.run_for(s(100));
    assert_eq!(starts(&stage, 0), [0, 30_000, 60_000, 90_000]);
}

#[test]
fn screens_keep_their_names_in_the_snapshot() {
    let mut stage = house(&["left", "right"], None);
    stage.environment(Some(playlist(&[&["a20", "b20"]])));
    stage.run_for(s(5));
    let snapshot = stage.player.snapshot();
    let names: Vec<_> = snapshot.screens.iter().map(|it| it.name.clone()).collect();
    assert_eq!(names, [ScreenName::new("left"), ScreenName::new("right")]);
    let shown = &snapshot.screens[1];
    assert_eq!(
        shown.item.as_ref().map(|item| item.src.as_str()),
        Some("b20")
    );
    assert_eq!(
        shown.end.zip(shown.start).map(|(end, start)| end - start),
        Some(s(20))
    );
    assert_eq!(shown.start.map(|start| start > MediaTime::ZERO), Some(true));
}
