//! Several screens: each plays its track, and montages change on all of them together.

use serde_json::json;

use crate::{
    counted::generate::{Audio, Clip},
    lockstep::expect,
    player_box::{PlayerBox, Sound, play},
};

#[test]
fn a_montage_ends_for_all_screens_with_its_longest_track() {
    let player = PlayerBox::new();
    let mute = Clip {
        audio: Audio::None,
        ..Clip::new(1)
    };
    player.clip("short.mp4", &mute);
    player.clip(
        "long.mp4",
        &Clip {
            id: 2,
            frames: 125,
            ..mute.clone()
        },
    );
    player.clip("after.mp4", &Clip { id: 3, ..mute });
    let item = |name: &str| json!([{"id": name, "src": name}]);
    let playlist = player.playlist_of(json!([
        {"id": "m0", "tracks": [
            {"id": "wall", "screen": "wall", "items": item("long.mp4")},
            {"id": "foyer", "screen": "foyer", "items": item("short.mp4")},
        ]},
        {"id": "m1", "tracks": [
            {"id": "wall", "screen": "wall", "items": item("after.mp4")},
            {"id": "foyer", "screen": "foyer", "items": item("after.mp4")},
        ]},
    ]));
    // The first screen is the one that is captured: it shows the short track for as long as the long one lasts.
    let arguments = [
        "--playlist",
        playlist.to_str().expect("UTF-8"),
        "--pace",
        "lockstep",
        "--mode",
        "640x360@60",
        "--rounds",
        "2",
        "--screen",
        "foyer",
        "--screen",
        "wall",
    ];
    let items = "1:50:25:mute,1:50:25:mute,1:25:25:mute,3:50:25:mute";
    let played = play(&player, &arguments, &expect(items, 2), Sound::Ignored);
    assert_eq!(played.verdict.vblanks, 2 * 7 * 60, "{}", played.verdict);
    assert_eq!(
        (
            played.verdict.black,
            played.verdict.order_errors,
            played.verdict.repeated
        ),
        (0, 0, 0),
        "{}",
        played.verdict
    );
    let shown: Vec<(u8, u64)> = played
        .verdict
        .showings
        .iter()
        .map(|showing| (showing.id, showing.first_vblank))
        .collect();
    assert_eq!(
        shown,
        [
            (1, 0),
            (1, 120),
            (1, 240),
            (3, 300),
            (1, 420),
            (1, 540),
            (1, 660),
            (3, 720)
        ]
    );
    assert_eq!(played.report["screens"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_track_for_no_screen_of_the_box_is_not_played_and_told_once() {
    let player = PlayerBox::new();
    player.clip(
        "a.mp4",
        &Clip {
            audio: Audio::None,
            ..Clip::new(1)
        },
    );
    player.clip(
        "b.mp4",
        &Clip {
            audio: Audio::None,
            ..Clip::new(2)
        },
    );
    let playlist = player.playlist_of(json!([{"id": "m", "tracks": [
        {"id": "other", "screen": "elsewhere", "items": [{"id": "b", "src": "b.mp4"}]},
        {"id": "mine", "screen": "here", "items": [{"id": "a", "src": "a.mp4"}]},
    ]}]));
    let arguments = [
        "--playlist",
        playlist.to_str().expect("UTF-8"),
        "--pace",
        "lockstep",
        "--mode",
        "640x360@60",
        "--rounds",
        "3",
        "--screen",
        "here",
    ];
    let played = play(
        &player,
        &arguments,
        &expect("1:50:25:mute", 3),
        Sound::Ignored,
    );
    played.assert_perfect();
    let told = played
        .log
        .iter()
        .filter(|line| line.contains("for no screen"))
        .count();
    assert_eq!(told, 1, "{}", played.log.join("\n"));
}
