//! Items that cannot be played: told, skipped, tried again with patience, and never black.

use std::time::Duration;

use serde_json::Value;

use crate::{
    counted::generate::{Audio, Clip},
    lockstep::expect,
    player_box::{PlayerBox, Running, Sound, play, until},
};

/// The bad items, with the kind under which each must be reported.
const BAD: [(&str, &str); 6] = [
    ("corrupt.mp4", "corrupt"),
    ("truncated.mp4", "corrupt"),
    ("missing.mp4", "missing"),
    ("text.mp4", "corrupt"),
    ("empty.mp4", "corrupt"),
    ("huge.png", "unsupported"),
];

/// Puts the bad items into a box that has a good `a.mp4`.
fn spoil(player: &PlayerBox) {
    let good = std::fs::read(player.path("a.mp4")).expect("the good clip");
    let mdat = good
        .windows(4)
        .position(|bytes| bytes == b"mdat")
        .expect("media")
        + 4;
    let moov = good
        .windows(4)
        .position(|bytes| bytes == b"moov")
        .expect("an index");
    assert!(mdat < moov, "the clip has its index last");
    let mut corrupt = good.clone();
    // Any bytes will do that are no coded picture: a fixed sequence that does not repeat soon.
    let mut noise = 1_u32;
    for byte in &mut corrupt[mdat..moov - 4] {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (noise >> 24) as u8;
    }
    player.file("corrupt.mp4", &corrupt);
    player.file("truncated.mp4", &good[..good.len() / 2]);
    player.file(
        "text.mp4",
        "This is a letter and no film.\n".repeat(40).as_bytes(),
    );
    player.file("empty.mp4", b"");
    player.file("huge.png", &huge_png());
}

/// A PNG that says it is 100,000 pixels wide and high.
fn huge_png() -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend(100_000_u32.to_be_bytes());
    header.extend(100_000_u32.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    for (name, data) in [
        (b"IHDR", header),
        (b"IDAT", vec![0x78, 0x9c, 0x03, 0, 0, 0, 0, 1]),
        (b"IEND", Vec::new()),
    ] {
        png.extend((data.len() as u32).to_be_bytes());
        let from = png.len();
        png.extend(name);
        png.extend(data);
        let sum = crc32(&png[from..]);
        png.extend(sum.to_be_bytes());
    }
    png
}

/// The checksum of PNG chunks (ISO/IEC 15948, annex D).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

#[test]
fn bad_items_among_good_ones_are_told_and_cost_no_vblank() {
    let player = PlayerBox::new();
    player.clip("a.mp4", &Clip::new(1));
    player.clip(
        "b.mp4",
        &Clip {
            bframes: 2,
            ..Clip::new(2)
        },
    );
    spoil(&player);
    let names: Vec<&str> = BAD.iter().map(|(name, _)| *name).collect();
    let playlist = player.playlist(&[&["a.mp4"], &names[..3], &["b.mp4"], &names[3..]].concat());
    let arguments = [
        "--playlist",
        playlist.to_str().expect("UTF-8"),
        "--pace",
        "lockstep",
        "--mode",
        "640x360@60",
        "--rounds",
        "4",
    ];
    let played = play(
        &player,
        &arguments,
        &expect("1:50:25,2:50:25", 4),
        Sound::Judged,
    );
    played.assert_perfect();
    let errors = played.report["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), BAD.len(), "{errors:#?}");
    for (name, kind) in BAD {
        let error = errors
            .iter()
            .find(|error| error["item"] == name)
            .expect(name);
        assert_eq!(error["kind"], kind, "{error:#}");
        assert!(
            error["message"].as_str().expect("a message").contains(name),
            "{error:#}"
        );
        let count = error["count"].as_u64().expect("a number");
        assert!(
            (1..=4).contains(&count),
            "{name} was tried {count} times in 4 rounds"
        );
    }
}

#[test]
fn bad_items_only_give_a_card_and_rest_until_one_is_mended() {
    let player = PlayerBox::new();
    player.clip(
        "a.mp4",
        &Clip {
            audio: Audio::None,
            ..Clip::new(1)
        },
    );
    spoil(&player);
    let names: Vec<&str> = BAD.iter().map(|(name, _)| *name).collect();
    let playlist = player.playlist(&names);
    let running = Running::start(player.daemon(&[
        "--playlist",
        playlist.to_str().expect("UTF-8"),
        "--mode",
        "640x360@60",
    ]));
    player.wait_for("all items have failed", |status| {
        status["state"] == "failed"
            && status["errors"]
                .as_array()
                .is_some_and(|errors| errors.len() == BAD.len())
    });
    let tries = |status: &Value| -> u64 {
        let errors = status["errors"].as_array().expect("errors");
        errors
            .iter()
            .map(|error| error["count"].as_u64().expect("a number"))
            .sum()
    };
    let before = (tries(&player.status()), cpu_ticks(running.id()));
    std::thread::sleep(Duration::from_secs(4));
    let after = (tries(&player.status()), cpu_ticks(running.id()));
    assert!(
        after.0 - before.0 <= 12,
        "{} tries in 4 seconds",
        after.0 - before.0
    );
    assert!(
        after.1 - before.1 < 300,
        "{} ticks of 10 ms in 4 seconds",
        after.1 - before.1
    );

    let picture = player.path("card.png");
    assert!(
        player
            .ctl(&["screenshot", picture.to_str().expect("UTF-8")])
            .status
            .success()
    );
    let bytes = std::fs::read(&picture).expect("a picture");
    assert!(bytes.len() > 4000, "a card with words on it");

    std::fs::copy(player.path("a.mp4"), player.path("text.mp4")).expect("mended");
    let playing = player.wait_for("the mended item plays", |status| {
        status["state"] == "playing"
    });
    assert_eq!(playing["item"]["id"], "text.mp4");
    running.signal("TERM");
    assert!(running.end().0.success());
}

/// Processor time that a process has used, in ticks of 10 ms.
fn cpu_ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .expect("fields")
        .split_whitespace()
        .collect();
    [11, 12]
        .iter()
        .map(|field| fields[*field].parse::<u64>().expect("a number"))
        .sum()
}

#[test]
fn a_file_of_another_hash_is_not_played() {
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
    let output = std::process::Command::new("sha256sum")
        .arg(player.path("b.mp4"))
        .output()
        .expect("sha256sum");
    let right = String::from_utf8(output.stdout).expect("text")[..64].to_owned();
    let item = |id: &str, hash: &str| serde_json::json!({"id": id, "src": id, "sha256": hash});
    let items = [item("a.mp4", &"0".repeat(64)), item("b.mp4", &right)];
    let playlist = player
        .playlist_of(serde_json::json!([{"id": "m", "tracks": [{"id": "t", "items": items}]}]));
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
        &expect("2:50:25:mute", 2),
        Sound::Ignored,
    );
    played.assert_perfect();
    let error = &played.report["errors"][0];
    assert_eq!(
        (error["item"].as_str(), error["kind"].as_str()),
        (Some("a.mp4"), Some("hash")),
        "{error:#}"
    );
    assert!(until("told", || Some(
        played.log.iter().any(|line| line.contains("SHA-256"))
    )));
}
