//! The control socket: a running box obeys, and tells the truth about its screen.

use serde_json::json;

use crate::{
    counted::{
        generate::{Audio, Clip},
        pattern::Rate,
    },
    player_box::{PlayerBox, Running},
};

/// A box that plays three clips in two montages, at real pace.
fn playing() -> (PlayerBox, Running) {
    let player = PlayerBox::new();
    let small = Clip {
        size: (320, 180),
        audio: Audio::None,
        ..Clip::new(1)
    };
    player.clip("a.mp4", &small);
    player.clip(
        "b.mp4",
        &Clip {
            id: 2,
            rate: Rate::hertz(30),
            frames: 60,
            ..small.clone()
        },
    );
    player.clip("c.mp4", &Clip { id: 3, ..small });
    let items = |names: &[&str]| {
        names
            .iter()
            .map(|name| json!({"id": name, "src": name}))
            .collect::<Vec<_>>()
    };
    let playlist = player.playlist_of(json!([
        {"id": "m0", "tracks": [{"id": "t", "items": items(&["a.mp4", "b.mp4"])}]},
        {"id": "m1", "tracks": [{"id": "t", "items": items(&["c.mp4"])}]},
    ]));
    let running = Running::start(player.daemon(&[
        "--playlist",
        playlist.to_str().expect("UTF-8"),
        "--mode",
        "320x180@60",
    ]));
    player.wait_for("it plays", |status| {
        status["state"] == "playing" && status["items_shown"] != 0
    });
    (player, running)
}

#[test]
fn a_box_obeys_play_pause_stop_next_previous_goto_and_replay() {
    let (player, running) = playing();
    let ask = |words: &[&str]| {
        let output = player.ctl(words);
        assert!(
            output.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    ask(&["goto", "M1T0I0"]);
    player.wait_for("it is at M1T0I0", |status| status["position"] == "M1T0I0");
    ask(&["pause"]);
    let paused = player.wait_for("it is paused", |status| status["state"] == "paused");
    let shown = paused["items_shown"].clone();
    std::thread::sleep(std::time::Duration::from_millis(2500));
    let later = player.status();
    assert_eq!(
        (&later["items_shown"], &later["position"]),
        (&shown, &json!("M1T0I0")),
        "it stands still"
    );
    ask(&["play"]);
    player.wait_for("it goes on and loops to M0", |status| {
        status["position"] == "M0T0I0"
    });
    ask(&["pause"]);
    ask(&["next"]);
    player.wait_for("it went on to the next", |status| {
        status["position"] == "M0T0I1"
    });
    ask(&["pause"]);
    ask(&["previous"]);
    player.wait_for("it went back", |status| status["position"] == "M0T0I0");
    let before = player.status()["items_shown"].as_u64().expect("a number");
    ask(&["replay"]);
    player.wait_for("it begins again", |status| {
        status["items_shown"].as_u64() > Some(before)
    });
    ask(&["stop"]);
    let idle = player.wait_for("it is idle", |status| status["state"] == "idle");
    assert_eq!(
        (&idle["position"], &idle["item"]),
        (&json!(null), &json!(null))
    );
    ask(&["play"]);
    player.wait_for("it plays again", |status| {
        status["state"] == "playing" && status["item"]["id"] == "a.mp4"
    });

    let refused = player.ctl(&["goto", "M7T0I0"]);
    assert!(!refused.status.success());
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("M7T0I0"),
        "{refused:?}"
    );
    running.signal("TERM");
    let (status, log) = running.end();
    assert!(status.success(), "{}", log.join("\n"));
    assert!(
        !player.path("control.sock").exists(),
        "the socket is cleared away"
    );
}

#[test]
fn a_screenshot_is_the_picture_on_the_screen() {
    let player = PlayerBox::new();
    player.image("a.png", 77);
    let playlist = player.playlist(&["a.png"]);
    let _running = Running::start(player.daemon(&[
        "--playlist",
        playlist.to_str().expect("UTF-8"),
        "--mode",
        "640x360@60",
    ]));
    player.wait_for("it plays", |status| status["items_shown"] != 0);
    let picture = player.path("screen.png");
    assert!(
        player
            .ctl(&["screenshot", picture.to_str().expect("UTF-8")])
            .status
            .success()
    );
    // A foreign reader decodes the file; the judge's eye reads the number in it.
    let capture = player.path("screen.y4m");
    let ffmpeg = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(&picture)
        .args(["-pix_fmt", "yuv420p"])
        .arg(&capture)
        .status();
    assert!(ffmpeg.expect("ffmpeg runs").success());
    let verdict = crate::counted::judge::judge(
        std::fs::File::open(&capture).expect("a capture"),
        None,
        &crate::counted::expect::Expect::default(),
    )
    .expect("a verdict");
    assert_eq!(
        verdict
            .showings
            .iter()
            .map(|showing| showing.id)
            .collect::<Vec<_>>(),
        [77],
        "{verdict}"
    );
}

#[test]
fn the_configuration_is_read_again_on_sighup_and_a_bad_one_is_refused() {
    let player = PlayerBox::new();
    player.image("a.png", 1);
    player.playlist(&["a.png"]);
    let config = player.file("box.toml", b"playlist = \"playlist.json\"\nvolume = 0.5\n");
    let running = Running::start(player.daemon(&[
        "--config",
        config.to_str().expect("UTF-8"),
        "--mode",
        "320x240@60",
    ]));
    let idle = player.wait_for("it answers", |_| true);
    assert_eq!(
        (&idle["state"], &idle["settings"]["volume"]),
        (&json!("idle"), &json!(0.5))
    );

    player.file(
        "box.toml",
        b"playlist = \"playlist.json\"\nvolume = 0.25\nautostart_playlist = true\n",
    );
    running.signal("HUP");
    let status = player.wait_for("it starts by itself", |status| status["state"] == "playing");
    assert_eq!(status["settings"]["volume"], 0.25);

    // The image is wide: the background is above it and below it, also of what stands already.
    let above = || {
        let path = player.path("above.png");
        let taken = player.ctl(&["screenshot", path.to_str().expect("UTF-8")]);
        let picture = taken.status.success().then(|| image::open(&path).ok())??;
        Some(picture.to_rgb8().get_pixel(160, 5).0)
    };
    crate::player_box::until("it is black there", || (above()? == [0; 3]).then_some(()));
    player.file(
        "box.toml",
        b"playlist = \"playlist.json\"\nvolume = 0.25\nautostart_playlist = true\nbackground = \"#c04000\"\n\
          log = { level = \"error\" }\n",
    );
    running.signal("HUP");
    crate::player_box::until("another colour is there", || {
        // Videos' colours are in between, so it is off by a little.
        let off = |(is, wanted): (u8, u8)| is.abs_diff(wanted) <= 2;
        let is = above()?.into_iter().zip([0xc0, 0x40, 0]);
        is.into_iter().all(off).then_some(())
    });
    let read_again = || {
        let log = running.log();
        let told = log.iter().filter(|line| line.contains("was read again"));
        told.count()
    };
    crate::player_box::until("that is told", || (read_again() == 2).then_some(()));
    // From now on only errors are.
    player.file(
        "box.toml",
        b"playlist = \"playlist.json\"\nvolume = 0.125\nautostart_playlist = true\nlog = { level = \"error\" }\n",
    );
    running.signal("HUP");
    player.wait_for("it is quieter", |status| {
        status["settings"]["volume"] == 0.125
    });

    player.file("box.toml", b"volume = 7\n");
    running.signal("HUP");
    crate::player_box::until("the refusal is told", || {
        running
            .log()
            .iter()
            .any(|line| line.contains("box.toml") && line.contains("volume"))
            .then_some(())
    });
    assert_eq!(read_again(), 2);
    let status = player.status();
    assert_eq!(
        (&status["state"], &status["settings"]["volume"]),
        (&json!("playing"), &json!(0.125))
    );
}

#[test]
fn autostart_off_shows_the_idle_card_and_waits() {
    let player = PlayerBox::new();
    player.image("a.png", 1);
    player.playlist(&["a.png"]);
    let config = player.file(
        "box.toml",
        b"name = \"Foyer\"\nplaylist = \"playlist.json\"\n",
    );
    let _running = Running::start(player.daemon(&[
        "--config",
        config.to_str().expect("UTF-8"),
        "--mode",
        "640x360@60",
    ]));
    player.wait_for("it answers", |status| status["state"] == "idle");
    let picture = player.path("card.png");
    crate::player_box::until("the card is on the screen", || {
        player
            .ctl(&["screenshot", picture.to_str().expect("UTF-8")])
            .status
            .success()
            .then_some(())
    });
    assert!(
        std::fs::metadata(&picture).expect("a picture").len() > 4000,
        "a card with words on it"
    );
    assert!(player.ctl(&["play"]).status.success());
    player.wait_for("it plays", |status| status["state"] == "playing");
}
