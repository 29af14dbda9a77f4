//! The bug that began this project: a playlist of one montage with one item must replay in place, for ever.

use std::ops::Range;

use crate::{
    counted::{generate::Clip, pattern::Rate},
    lockstep::expect,
    player_box::{PlayerBox, Running, Sound, play, play_watched, until},
};

const ROUNDS: u64 = 1001;

#[test]
fn one_item_replays_a_thousand_times_without_reload_stall_or_leak() {
    let player = PlayerBox::new();
    let clip = Clip {
        size: (192, 108),
        rate: Rate::hertz(30),
        frames: 60,
        bframes: 2,
        ..Clip::new(1)
    };
    player.clip("a.mp4", &clip);
    let playlist = player.playlist(&["a.mp4"]);
    let arguments = [
        "--playlist",
        playlist.to_str().expect("UTF-8"),
        "--pace",
        "lockstep",
        "--mode",
        "192x108@60",
        "--rounds",
        "1001",
    ];
    let (mut early, mut late) = (0, 0);
    let played = play_watched(
        &player,
        &arguments,
        &expect("1:60:30", ROUNDS),
        Sound::Judged,
        |running| {
            early = resident(running, 100..200).into_iter().max().unwrap_or(0);
            late = resident(running, 800..990).into_iter().min().unwrap_or(0);
        },
    );
    played.assert_perfect();
    let verdict = &played.verdict;
    assert_eq!(
        (verdict.frames, verdict.vblanks),
        (60 * ROUNDS, 120 * ROUNDS)
    );
    let sound = verdict.sound.as_ref().expect("sound");
    assert!(
        sound.drift_ms.abs() < 1.0 && sound.pairs == 2 * ROUNDS,
        "{verdict}"
    );
    assert_eq!(played.report["items_shown"], 1001);
    assert_eq!(played.report["replays"], 1000);
    assert_eq!(played.report["reloads"], 0);
    println!("{verdict}resident: {early} KiB in rounds 100 to 200, {late} KiB in 800 to 990");
    assert!(
        late < early + 2048,
        "resident memory grew from {early} to {late} KiB"
    );
}

/// The daemon's resident memory at ten of these rounds, in KiB: a single reading may fall upon a busy moment.
fn resident(running: &Running, rounds: Range<usize>) -> Vec<u64> {
    let step = rounds.len() / 10;
    rounds
        .step_by(step)
        .map(|round| resident_at(running, round))
        .collect()
}

/// The daemon's resident memory when a round has begun, in KiB.
fn resident_at(running: &Running, round: usize) -> u64 {
    until(&format!("round {round} begins"), || {
        let begun = running
            .log()
            .iter()
            .filter(|line| line.contains("item=a.mp4"))
            .count();
        (begun >= round).then_some(())
    });
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", running.id())).expect("still playing");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("a line");
    line.split_whitespace()
        .nth(1)
        .expect("a number")
        .parse()
        .expect("a number")
}

#[test]
fn a_single_image_is_replayed_in_place_as_well() {
    let player = PlayerBox::new();
    player.image("a.png", 1);
    let item = serde_json::json!({"id": "a", "src": "a.png", "duration_ms": 500});
    player.playlist_of(serde_json::json!([{"id": "m", "tracks": [{"id": "t", "items": [item]}]}]));
    let playlist = player.path("playlist.json");
    let arguments = [
        "--playlist",
        playlist.to_str().expect("UTF-8"),
        "--pace",
        "lockstep",
        "--mode",
        "640x360@60",
        "--rounds",
        "20",
    ];
    let played = play(
        &player,
        &arguments,
        &expect("1:still:10000", 1),
        Sound::Ignored,
    );
    assert_eq!(played.verdict.vblanks, 600);
    assert_eq!((played.verdict.black, played.verdict.unreadable), (0, 0));
    assert_eq!(played.report["replays"], 19);
    assert_eq!(played.report["reloads"], 0);
}
