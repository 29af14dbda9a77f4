//! Exit statuses and messages, as scripts and administrators rely on them.

use std::process::Stdio;

use crate::{
    counted::generate::{Audio, Clip},
    player_box::{PlayerBox, Running, Sound, play},
};

/// Runs the daemon until it ends by itself; answers its status and what it told.
fn run(player: &PlayerBox, arguments: &[&str]) -> (Option<i32>, String) {
    let (status, log) = Running::start(player.daemon(arguments)).end();
    (status.code(), log.join("\n"))
}

#[test]
fn bad_input_is_refused_with_status_2_and_a_message_that_names_the_place() {
    let player = PlayerBox::new();
    let playlist = player.file(
        "bad.json",
        b"{\"id\": \"p\",\n \"name\": \"x\",\n \"montages\": [{\"id\": \"m\", \"trakcs\": []}]}",
    );
    let (status, told) = run(&player, &["--playlist", playlist.to_str().expect("UTF-8")]);
    assert_eq!(status, Some(2), "{told}");
    for word in ["bad.json", "line 3", "trakcs"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    let config = player.file(
        "bad.toml",
        b"volume = 0.5\n\n[display]\nmode = \"1921x1080@60\"\n",
    );
    let (status, told) = run(&player, &["--config", config.to_str().expect("UTF-8")]);
    assert_eq!(status, Some(2), "{told}");
    for word in ["bad.toml", "4", "mode", "1921x1080"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    let (status, told) = run(&player, &["--playlist", "/nowhere/playlist.json"]);
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("/nowhere/playlist.json"), "{told}");
    let (status, told) = run(&player, &["--mode", "big"]);
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("--mode"), "{told}");
}

#[test]
fn a_capture_that_cannot_be_written_ends_with_status_1() {
    let player = PlayerBox::new();
    player.clip(
        "a.mp4",
        &Clip {
            audio: Audio::None,
            ..Clip::new(1)
        },
    );
    let playlist = player.playlist(&["a.mp4"]);
    let playlist = playlist.to_str().expect("UTF-8");
    let arguments = [
        "--playlist",
        playlist,
        "--pace",
        "lockstep",
        "--mode",
        "640x360@60",
        "--rounds",
        "50",
    ];
    let (status, told) = run(
        &player,
        &[&arguments[..], &["--capture", "/nowhere/x.y4m"]].concat(),
    );
    assert_eq!(status, Some(1), "{told}");
    assert!(told.contains("/nowhere/x.y4m"), "{told}");

    let mut command = player.daemon(&[&arguments[..], &["--capture", "-"]].concat());
    command.stdout(Stdio::piped());
    let mut running = Running::start(command);
    // Whoever reads the capture goes away.
    drop(running.output());
    let (status, log) = running.end();
    assert_eq!(status.code(), Some(1), "{}", log.join("\n"));
}

#[test]
fn the_report_has_the_form_that_is_promised() {
    let player = PlayerBox::new();
    player.clip("a.mp4", &Clip::new(1));
    let playlist = player.playlist(&["a.mp4", "missing.mp4"]);
    let playlist = playlist.to_str().expect("UTF-8");
    let arguments = [
        "--playlist",
        playlist,
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
        &crate::lockstep::expect("1:50:25", 2),
        Sound::Ignored,
    );
    let schema = include_str!("../../docs/schema/status.schema.json");
    let schema = serde_json::from_str(schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(&played.report)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{:#}", played.report);
    assert_eq!(played.report["errors"][0]["item"], "missing.mp4");
}
