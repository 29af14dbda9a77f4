//! Playlists in lockstep: every frame in order, nothing black, every boundary at its vblank.

use serde_json::json;

use crate::{
    counted::{
        expect::Expect,
        generate::{Audio, Clip, Codec, Layout},
        pattern::Rate,
    },
    player_box::{PlayerBox, Sound, play},
};

pub fn expect(items: &str, rounds: u64) -> Expect {
    Expect {
        rounds: Some(rounds),
        ..items.parse().expect("an expectation")
    }
}

#[test]
fn three_items_of_three_rates_play_without_a_gap_for_three_rounds() {
    let player = PlayerBox::new();
    player.clip(
        "a.mp4",
        &Clip {
            bframes: 2,
            ..Clip::new(1)
        },
    );
    let hevc = Clip {
        rate: Rate::hertz(30),
        frames: 60,
        codec: Codec::Hevc,
        ..Clip::new(2)
    };
    player.clip("b.mp4", &hevc);
    player.clip(
        "c.mp4",
        &Clip {
            rate: Rate::hertz(60),
            frames: 120,
            layout: Layout::Fragmented,
            ..Clip::new(3)
        },
    );
    player.playlist(&["a.mp4", "b.mp4", "c.mp4"]);
    let playlist = player.path("playlist.json");
    let arguments = [
        "--playlist",
        playlist.to_str().expect("UTF-8"),
        "--pace",
        "lockstep",
        "--mode",
        "640x360@60",
        "--rounds",
        "3",
    ];
    let played = play(
        &player,
        &arguments,
        &expect("1:50:25,2:60:30,3:120:60", 3),
        Sound::Judged,
    );
    played.assert_perfect();
    assert_eq!(played.verdict.vblanks, 3 * 360);
    let boundaries = played.verdict.boundaries.as_ref().expect("boundaries");
    assert_eq!((boundaries.max, boundaries.growth), (0, 0.0));
    assert_eq!(played.report["items_shown"], 9);
    assert_eq!(played.report["rounds"], 3);
    assert_eq!(played.report["display"]["presented"], 3 * (50 + 60 + 120));
    for counter in ["late", "dropped", "repeated", "starved", "missed_vblanks"] {
        assert_eq!(played.report["display"][counter], 0, "{counter}");
    }
}

#[test]
fn images_between_videos_stand_for_their_time() {
    let player = PlayerBox::new();
    player.clip(
        "a.mp4",
        &Clip {
            bframes: 2,
            ..Clip::new(1)
        },
    );
    for (name, id) in [("b.png", 2), ("c.jpg", 3), ("d.webp", 4)] {
        player.image(name, id);
    }
    let item = |src: &str, ms: u64| json!({"id": src, "src": src, "duration_ms": ms});
    player.playlist_of(json!([{"id": "m", "tracks": [{"id": "t", "items": [
        json!({"id": "a", "src": "a.mp4"}), item("b.png", 1500), item("c.jpg", 700), json!({"id": "a2", "src": "a.mp4"}),
        item("d.webp", 40), json!({"id": "d2", "src": "d.webp"}),
    ]}]}]));
    let playlist = player.path("playlist.json");
    let arguments = [
        "--playlist",
        playlist.to_str().expect("UTF-8"),
        "--pace",
        "lockstep",
        "--mode",
        "640x360@60",
        "--rounds",
        "2",
    ];
    let items = "1:50:25,2:still:1500,3:still:700,1:50:25,4:still:10040";
    let played = play(&player, &arguments, &expect(items, 2), Sound::Judged);
    // The same picture twice in a row is one picture to whoever looks: 40 ms and the default of ten seconds.
    played.assert_perfect();
    assert_eq!(played.report["items_shown"], 12);
}

#[test]
fn odd_rates_fall_on_the_nearest_vblanks_of_odd_displays() {
    let player = PlayerBox::new();
    let small = Clip {
        size: (320, 180),
        ..Clip::new(1)
    };
    player.clip(
        "film.mp4",
        &Clip {
            rate: "24000/1001".parse().expect("a rate"),
            frames: 31,
            ..small.clone()
        },
    );
    player.clip(
        "pal.mp4",
        &Clip {
            id: 2,
            frames: 33,
            bframes: 3,
            ..small.clone()
        },
    );
    player.clip(
        "ntsc.mp4",
        &Clip {
            id: 3,
            rate: "30000/1001".parse().expect("a rate"),
            frames: 37,
            ..small
        },
    );
    player.playlist(&["film.mp4", "pal.mp4", "ntsc.mp4"]);
    let playlist = player.path("playlist.json");
    for mode in [
        "320x180@59.94",
        "320x180@60000/1001",
        "320x180@50",
        "320x180@24",
        "320x180@6",
    ] {
        let arguments = [
            "--playlist",
            playlist.to_str().expect("UTF-8"),
            "--pace",
            "lockstep",
            "--mode",
            mode,
            "--rounds",
            "4",
        ];
        let expect = expect("1:31:24000/1001,2:33:25,3:37:30000/1001", 4);
        let played = play(&player, &arguments, &expect, Sound::Ignored);
        played.assert_perfect();
        assert_eq!(
            played.report["display"]["dropped"], played.verdict.dropped,
            "{mode}"
        );
    }
}

#[test]
fn pictures_are_scaled_and_framed_as_asked() {
    let player = PlayerBox::new();
    player.clip(
        "a.mp4",
        &Clip {
            frames: 10,
            audio: Audio::None,
            ..Clip::new(1)
        },
    );
    let playlist = player.playlist(&["a.mp4"]);
    let expect = expect("1:10:25:mute", 1);
    for (mode, fit, readable) in [
        ("1280x720@60", "contain", true),
        ("640x640@60", "contain", true),
        ("1000x300@60", "contain", true),
        ("640x640@60", "stretch", true),
        ("360x640@60", "cover", false),
    ] {
        let config = player.file("fit.toml", format!("fit = \"{fit}\"").as_bytes());
        let arguments = [
            "--playlist",
            playlist.to_str().expect("UTF-8"),
            "--pace",
            "lockstep",
            "--mode",
            mode,
            "--rounds",
            "1",
            "--config",
            config.to_str().expect("UTF-8"),
        ];
        let played = play(&player, &arguments, &expect, Sound::Ignored);
        assert_eq!(
            played.verdict.passed(),
            readable,
            "{mode} {fit}: {}",
            played.verdict
        );
        assert_eq!(played.verdict.black, 0, "{mode} {fit}");
    }
}

#[test]
fn a_cap_ends_a_video_early_and_never_prolongs_it() {
    let player = PlayerBox::new();
    player.clip(
        "a.mp4",
        &Clip {
            bframes: 2,
            audio: Audio::None,
            ..Clip::new(1)
        },
    );
    player.clip(
        "b.mp4",
        &Clip {
            id: 2,
            audio: Audio::None,
            ..Clip::new(2)
        },
    );
    player.playlist_of(json!([{"id": "m", "tracks": [{"id": "t", "items": [
        {"id": "a", "src": "a.mp4", "duration_ms": 800}, {"id": "b", "src": "b.mp4", "duration_ms": 9000},
    ]}]}]));
    let playlist = player.path("playlist.json");
    let arguments = [
        "--playlist",
        playlist.to_str().expect("UTF-8"),
        "--pace",
        "lockstep",
        "--mode",
        "640x360@60",
        "--rounds",
        "3",
    ];
    let played = play(
        &player,
        &arguments,
        &expect("1:20:25:mute,2:50:25:mute", 3),
        Sound::Ignored,
    );
    played.assert_perfect();
}

#[test]
fn a_montage_follows_a_montage() {
    let player = PlayerBox::new();
    player.clip("a.mp4", &Clip::new(1));
    player.clip(
        "b.mp4",
        &Clip {
            id: 2,
            rate: Rate::hertz(30),
            frames: 60,
            ..Clip::new(2)
        },
    );
    let montage = |id: &str, src: &str| json!({"id": id, "tracks": [{"id": "t", "items": [{"id": id, "src": src}]}]});
    player.playlist_of(json!([montage("m0", "a.mp4"), montage("m1", "b.mp4")]));
    let playlist = player.path("playlist.json");
    let arguments = [
        "--playlist",
        playlist.to_str().expect("UTF-8"),
        "--pace",
        "lockstep",
        "--mode",
        "640x360@60",
        "--rounds",
        "2",
    ];
    let played = play(
        &player,
        &arguments,
        &expect("1:50:25,2:60:30", 2),
        Sound::Judged,
    );
    played.assert_perfect();
    assert_eq!(played.report["position"], "M1T0I0");
}

#[test]
fn duration_ends_a_run_by_display_time() {
    let player = PlayerBox::new();
    player.clip("a.mp4", &Clip::new(1));
    let playlist = player.playlist(&["a.mp4"]);
    let arguments = [
        "--playlist",
        playlist.to_str().expect("UTF-8"),
        "--pace",
        "lockstep",
        "--mode",
        "640x360@60",
        "--duration",
        "7s",
    ];
    let expect = Expect {
        rounds: None,
        ..expect("1:50:25", 1)
    };
    let played = play(&player, &arguments, &expect, Sound::Judged);
    played.assert_perfect();
    assert_eq!(played.verdict.vblanks, 7 * 60);
}

#[test]
fn a_decoder_is_changed_before_its_frame_limit_without_a_gap() {
    let player = PlayerBox::new();
    player.clip(
        "a.mp4",
        &Clip {
            bframes: 2,
            ..Clip::new(1)
        },
    );
    let playlist = player.playlist(&["a.mp4"]);
    let config = player.file("limit.toml", b"[decoder]\nframe_limit = 250\n");
    let arguments = [
        "--playlist",
        playlist.to_str().expect("UTF-8"),
        "--pace",
        "lockstep",
        "--mode",
        "640x360@60",
        "--rounds",
        "12",
        "--config",
        config.to_str().expect("UTF-8"),
    ];
    let played = play(&player, &arguments, &expect("1:50:25", 12), Sound::Judged);
    played.assert_perfect();
    let reloads = played.report["reloads"].as_u64().expect("a number");
    assert!((2..=11).contains(&reloads), "{reloads} reloads");
    assert_eq!(played.report["items_shown"], 12);
}
