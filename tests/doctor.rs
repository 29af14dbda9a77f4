//! `museboxctl doctor` against the real daemon: on a healthy box, and on boxes with one thing wrong each.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

#[path = "support/counted/mod.rs"]
mod counted;
#[path = "support/player_box.rs"]
mod player_box;

use std::process::Command;

use counted::generate::Clip;
use gstreamer as gst;
use gstreamer::prelude::*;
use player_box::{PlayerBox, Running};
use serde_json::Value;

/// The doctor's findings, and museboxctl's exit status.
fn doctor(player: &PlayerBox) -> (Vec<Value>, Option<i32>) {
    let output = player.ctl(&["doctor", "--json"]);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|err| panic!("{err}: {output:?}"));
    let checks = report["checks"].as_array().expect("checks").clone();
    for check in &checks {
        let is_fine = check["ok"] == "ok";
        assert_eq!(
            check["advice"].is_null(),
            is_fine,
            "advice where it helps: {check}"
        );
    }
    (checks, output.status.code())
}

#[track_caller]
fn about<'a>(checks: &'a [Value], name: &str) -> (&'a str, &'a str) {
    let check = checks.iter().find(|check| check["name"] == name);
    let check = check.unwrap_or_else(|| panic!("no word about {name}"));
    (
        check["ok"].as_str().expect("a result"),
        check["detail"].as_str().expect("words"),
    )
}

/// A box with a small clip.
fn small_box() -> PlayerBox {
    let player = PlayerBox::new();
    let clip = Clip {
        size: (320, 180),
        ..Clip::new(1)
    };
    player.clip("clip.mp4", &clip);
    player
}

fn start(player: &PlayerBox, config: &str) -> Running {
    let config = player.file("box.toml", config.as_bytes());
    let playlist = player.path("playlist.json");
    let (config, playlist) = (
        config.to_str().expect("text"),
        playlist.to_str().expect("text"),
    );
    let arguments = [
        "--config",
        config,
        "--playlist",
        playlist,
        "--mode",
        "320x180@50",
    ];
    let running = Running::start(player.daemon(&arguments));
    player.wait_for("something is shown", |status| {
        status["display"]["presented"].as_u64() > Some(10)
    });
    running
}

/// All decoders that GStreamer has for some caps, best first.
fn decoders(caps: &str) -> Vec<String> {
    gst::init().expect("GStreamer");
    let caps: gst::Caps = caps.parse().expect("caps");
    let kinds = gst::ElementFactoryType::DECODER;
    let found = gst::ElementFactory::factories_with_type(kinds, gst::Rank::NONE);
    let fits = found
        .iter()
        .filter(|factory| factory.can_sink_any_caps(&caps));
    fits.map(|factory| factory.name().to_string()).collect()
}

#[test]
fn a_healthy_box_is_well() {
    let player = small_box();
    player.playlist(&["clip.mp4"]);
    let _running = start(&player, "[audio]\nenabled = false\n");
    let (checks, code) = doctor(&player);
    let names: Vec<&str> = checks
        .iter()
        .filter_map(|check| check["name"].as_str())
        .collect();
    let all = [
        "display", "decoders", "audio", "playlist", "clock", "disk", "memory", "network",
    ];
    assert_eq!(names, all);

    let (_, display) = about(&checks, "display");
    assert!(
        display.starts_with("the display in memory, 320x180@50, as configured; "),
        "{display}"
    );
    assert!(display.contains(" pictures shown"), "{display}");

    let (result, words) = about(&checks, "decoders");
    assert_eq!(result, "ok", "{words}");
    for (codec, caps) in [
        ("H.264", "video/x-h264"),
        ("HEVC", "video/x-h265"),
        ("AAC", "audio/mpeg,mpegversion=4"),
    ] {
        let part = words
            .split("; ")
            .find(|part| part.starts_with(codec))
            .expect(codec);
        let (_, decoder) = part.rsplit_once(" by ").expect("by whom");
        assert!(
            decoders(caps).iter().any(|known| known == decoder),
            "{part}"
        );
    }
    // What the doctor tried is what plays.
    let status = player.status();
    let slots = status["screens"][0]["slots"].as_array().expect("slots");
    let playing = slots
        .iter()
        .find_map(|slot| slot["decoder"].as_str())
        .expect("a decoder");
    assert!(
        words.contains(&format!("by {playing};")),
        "{playing}: {words}"
    );

    assert_eq!(about(&checks, "audio").0, "ok");
    assert_eq!(
        about(&checks, "playlist"),
        ("ok", "1 file is there; nothing has failed so far")
    );
    let (_, disk) = about(&checks, "disk");
    assert!(disk.contains("state can be written; "), "{disk}");
    let left = std::fs::read_dir(player.path("state")).expect("a folder");
    let left: Vec<_> = left
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(left, ["device.key"], "what was tried leaves nothing");

    // Somebody else's view of the network and the memory.
    let known = Command::new("hostname")
        .arg("-I")
        .output()
        .expect("hostname runs");
    let known = String::from_utf8(known.stdout).expect("text");
    let (result, words) = about(&checks, "network");
    match known
        .split_whitespace()
        .find(|ip| !ip.starts_with("169.254."))
    {
        Some(address) => {
            assert_eq!(result, "ok", "{words}");
            assert!(words.contains(address), "{words}");
        }
        None => assert_eq!(result, "warn", "{words}"),
    }

    let fails = checks.iter().any(|check| check["ok"] == "fail");
    assert_eq!(code, Some(i32::from(fails)));
    let output = player.ctl(&["doctor"]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("\nok    playlist  1 file is there"), "{text}");
}

#[test]
fn missing_media_are_counted_and_what_failed_is_told() {
    let player = small_box();
    player.file("notes.mp4", b"this is no film");
    player.playlist(&["clip.mp4", "notes.mp4", "gone.mp4"]);
    let running = start(&player, "[audio]\nenabled = false\n");
    player.wait_for("both bad ones were tried", |status| {
        status["errors"]
            .as_array()
            .is_some_and(|errors| errors.len() == 2)
    });
    let (checks, _) = doctor(&player);
    let (result, words) = about(&checks, "playlist");
    assert_eq!(result, "warn", "{words}");
    assert!(
        words.starts_with("1 of 3 files cannot be read: "),
        "{words}"
    );
    assert!(
        words.contains("/gone.mp4 (it is not there); 2 media have failed: "),
        "{words}"
    );
    assert!(
        words.contains("notes.mp4 (") && !words.contains("clip.mp4 ("),
        "{words}"
    );
    drop(running);
}

#[test]
fn a_box_that_cannot_decode_store_or_sound_says_what_to_mend() {
    let player = small_box();
    player.playlist(&["clip.mp4"]);
    let sick =
        "[audio]\nsink = \"alsasink\"\ndevice = \"hw:CARD=nosuchcard\"\n[decoder]\navoid = [";
    let avoid: Vec<String> = decoders("video/x-h265")
        .iter()
        .map(|name| format!("\"{name}\""))
        .collect();
    let running = start(&player, &format!("{sick}{}]\n", avoid.join(", ")));
    // A file in the place of the folder: not even root can write into that.
    let state = player.path("state");
    let _ = std::fs::remove_dir_all(&state);
    std::fs::write(&state, "").expect("written");
    let (checks, code) = doctor(&player);
    assert_eq!(code, Some(1));

    let (result, words) = about(&checks, "disk");
    assert_eq!(result, "fail", "{words}");
    assert!(words.contains("state cannot be written: "), "{words}");

    let (result, words) = about(&checks, "audio");
    assert_eq!(result, "warn", "{words}");
    assert!(
        words.starts_with("no sound: alsasink hw:CARD=nosuchcard: "),
        "{words}"
    );

    let (result, words) = about(&checks, "decoders");
    assert_ne!(result, "ok", "{words}");
    assert!(words.contains("HEVC cannot be decoded: "), "{words}");
    assert!(!words.contains("/proc/"), "{words}");

    let output = player.ctl(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("FAIL  disk"), "{text}");
    assert!(text.contains("to mend."), "{text}");
    drop(running);
}

#[test]
fn without_a_decoder_for_the_usual_videos_the_box_is_not_well() {
    let player = small_box();
    player.image("still.png", 7);
    player.playlist(&["still.png"]);
    let avoid: Vec<String> = decoders("video/x-h264")
        .iter()
        .map(|name| format!("\"{name}\""))
        .collect();
    let config = format!(
        "[audio]\nenabled = false\n[decoder]\navoid = [{}]\n",
        avoid.join(", ")
    );
    let config = player.file("box.toml", config.as_bytes());
    let playlist = player.path("playlist.json");
    let (config, playlist) = (
        config.to_str().expect("text"),
        playlist.to_str().expect("text"),
    );
    let _running = Running::start(player.daemon(&["--config", config, "--playlist", playlist]));
    player.wait_for("the picture stands", |status| status["items_shown"] == 1);
    let (checks, code) = doctor(&player);
    assert_eq!(code, Some(1));
    let (result, words) = about(&checks, "decoders");
    assert_eq!(result, "fail", "{words}");
    assert!(words.starts_with("H.264 cannot be decoded: "), "{words}");
}
