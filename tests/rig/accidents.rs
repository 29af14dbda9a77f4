//! What happens in a player's life: cables, consoles, other programs, drivers that fall silent, crashes.

use crate::{
    clips,
    counted::pattern::Sight,
    flips,
    guest::Guest,
    pictures::{look, on_screen},
    scene::{LOOP, configure, configure_on, has_shown, playing, playlist, restarts},
    viewer::Viewer,
    warm::{self, USUAL},
};

/// A script that succeeds where the journal has this.
fn logged(text: &str) -> String {
    format!("journalctl -b -u museboxd -o cat | grep -q '{text}'")
}

fn shown_mode(guest: &mut Guest) -> String {
    let status = guest.status();
    status["display"]["mode"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// The kernel's state of the card that rig-vkms has made.
const STATE: &str = "cat /sys/kernel/debug/dri/tv/state";

/// The clip or image is in the planes, and the CRTC is lit.
#[track_caller]
fn assert_shows(guest: &mut Guest, id: u8, name: &str) {
    assert_eq!(on_screen(guest, name).id, id);
    let state = guest.sh(STATE);
    assert!(state.contains("active=1"), "{state}");
}

#[track_caller]
fn assert_shows_the_loop(guest: &mut Guest, name: &str) {
    assert_shows(guest, LOOP, name);
}

/// A guest whose player shows an image that stands for as long as nobody asks for another.
fn standing(name: &str) -> (Guest, u8) {
    let mut guest = warm::guest(USUAL, name);
    guest.sh("rig-vkms make");
    let (file, id) = clips::STILLS[0];
    configure(&mut guest, &[file], "auto_advance = false");
    guest.sh("systemctl start museboxd");
    guest.until(20, &has_shown(1));
    guest.sh("sleep 2");
    (guest, id)
}

/// The player's vblanks are the kernel's.
#[track_caller]
fn assert_counts(guest: &mut Guest) {
    let status = guest.status();
    assert_eq!(status["display"]["estimated"], false, "{status:#}");
}

#[test]
fn without_a_screen_it_plays_into_the_void_until_one_is_plugged_in() {
    let mut guest = warm::guest(USUAL, "no_screen");
    guest.sh("rig-vkms make; rig-vkms unplug tv");
    configure(&mut guest, &["loop.mp4"], "");
    guest.sh("systemctl start museboxd");
    guest.until(20, &has_shown(3));
    let status = guest.status();
    assert!(status["display"]["mode"].is_null(), "{status:#}");
    assert!(status["screens"][0]["mode"].is_null(), "{status:#}");
    assert_eq!(status["state"], "playing");
    let doctor = guest.sh("museboxctl doctor || true");
    assert!(doctor.contains("no screen is connected"), "{doctor}");
    guest.sh("rig-vkms plug tv");
    guest.until(
        10,
        "museboxctl status --json | grep -q '\"mode\": \"640x480@'",
    );
    guest.sh("sleep 1");
    assert_shows_the_loop(&mut guest, "plugged.png");
}

#[test]
fn a_cable_that_is_pulled_and_plugged_stops_nothing() {
    let mut guest = playing("unplugged");
    let before = guest.status()["items_shown"].as_u64();
    guest.sh("rig-vkms unplug tv");
    guest.until(10, "museboxctl status --json | grep -q '\"mode\": null'");
    guest.sh("sleep 3");
    assert!(guest.status()["items_shown"].as_u64() >= before.map(|count| count + 2));
    guest.sh("rig-vkms plug tv");
    guest.until(
        10,
        "museboxctl status --json | grep -q '\"mode\": \"640x480@'",
    );
    guest.sh("sleep 1");
    assert_shows_the_loop(&mut guest, "plugged-again.png");
    assert_eq!(restarts(&mut guest), 0);
}

#[test]
fn a_display_that_another_program_takes_comes_back() {
    let mut guest = playing("master");
    guest.sh("rig-fault steal-master 3");
    guest.until(5, &logged("another program has the display"));
    guest.until(5, &logged("the display is ours again"));
    guest.sh("sleep 1");
    assert_shows_the_loop(&mut guest, "ours-again.png");
    assert_eq!(restarts(&mut guest), 0);
}

#[test]
fn a_display_that_another_program_has_is_waited_for() {
    let mut guest = warm::guest(USUAL, "waits");
    guest.sh("rig-vkms make");
    configure(&mut guest, &["loop.mp4"], "");
    // Who has it open first is its master.
    guest.sh(
        "(exec 9<>$(rig-card vkms); sleep 4) >/dev/null 2>&1 & sleep 0.2; systemctl start --no-block museboxd",
    );
    guest.until(10, &logged("another program is its master"));
    guest.until(20, &has_shown(1));
    guest.sh("sleep 1");
    assert_shows_the_loop(&mut guest, "waited.png");
}

#[test]
fn a_flip_that_never_comes_sets_the_mode_anew() {
    let mut guest = playing("lost_flip");
    let set = "journalctl -b -u museboxd | grep -c ' shows 640x480@'";
    let before = guest.sh(set);
    println!("{}", guest.sh("rig-fault swallow 0.7"));
    guest.until(5, &logged("a flip never came"));
    guest.sh("sleep 2");
    assert_ne!(guest.sh(set), before, "only setting a mode is told so");
    assert_shows_the_loop(&mut guest, "after-flip.png");
    assert_eq!(restarts(&mut guest), 0);
    // For good: then, after three in a row, only a fresh start helps.
    println!("{}", guest.sh("rig-fault swallow 4 || true"));
    guest.until(20, "[ $(systemctl show -P NRestarts museboxd) -ge 1 ]");
    let told = guest.sh("journalctl -b -u museboxd -o json | grep '\"TIMES\"'");
    let told: Vec<(String, u64)> = told
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .map(|entry: serde_json::Value| {
            let text = |name: &str| entry[name].as_str().expect("a text").to_owned();
            let micros = text("__MONOTONIC_TIMESTAMP").parse().expect("a time");
            (text("TIMES"), micros)
        })
        .collect();
    let last: Vec<&str> = told
        .iter()
        .rev()
        .take(3)
        .map(|(times, _)| &**times)
        .collect();
    assert_eq!(last, ["3", "2", "1"], "flips that never came: {told:?}");
    for pair in told[told.len() - 3..].windows(2) {
        let waited = pair[1].1 - pair[0].1;
        println!("{waited} us until the next");
        assert!((450_000..750_000).contains(&waited), "{told:?}");
    }
    guest.until(20, &has_shown(1));
    guest.sh("sleep 1");
    assert_shows_the_loop(&mut guest, "after-restart.png");
}

#[test]
fn a_still_whose_own_flip_never_comes_is_there_after_all() {
    let mut guest = warm::guest(USUAL, "lost_still");
    guest.sh("rig-vkms make");
    let [(first, _), (second, id)] = clips::STILLS;
    configure(&mut guest, &[first, second], "auto_advance = false");
    guest.sh("systemctl start museboxd");
    guest.until(20, &has_shown(1));
    guest.sh("sleep 1; rig-fault swallow 0.8 & sleep 0.1; museboxctl goto M0T0I1; wait");
    guest.until(5, &logged("a flip never came"));
    guest.sh("sleep 2");
    assert_eq!(on_screen(&mut guest, "still.png").id, id);
    assert_eq!(restarts(&mut guest), 0);
}

#[test]
fn a_screen_that_is_turned_off_underneath_comes_back() {
    let mut guest = playing("turned_off");
    for number in 0..2 {
        assert_eq!(guest.sh("rig-fault dark").trim(), "active=0");
        guest.until(5, &format!("{STATE} | grep -q active=1"));
        guest.sh("sleep 1");
        assert_shows_the_loop(&mut guest, &format!("lit-{number}.png"));
    }
    assert_counts(&mut guest);
    let copies = guest.status()["display"]["copies"].clone();
    println!("{copies}");
    // What was refused in the dark is taken again afterwards.
    let composed = copies["composed"].as_u64();
    guest.sh("sleep 2");
    assert_eq!(
        guest.status()["display"]["copies"]["composed"].as_u64(),
        composed
    );
    assert_eq!(restarts(&mut guest), 0);
}

#[test]
fn a_still_that_is_turned_off_underneath_comes_back() {
    let (mut guest, id) = standing("still_turned_off");
    for number in 0..2 {
        assert_eq!(guest.sh("rig-fault dark").trim(), "active=0");
        guest.until(5, &format!("{STATE} | grep -q active=1"));
        guest.sh("sleep 2");
        assert_shows(&mut guest, id, &format!("lit-{number}.png"));
        assert_counts(&mut guest);
    }
    assert_eq!(restarts(&mut guest), 0);
}

#[test]
fn a_still_is_there_again_after_another_program_had_the_display() {
    let (mut guest, id) = standing("still_master");
    guest.sh("rig-fault steal-master 3");
    guest.until(5, &logged("another program has the display"));
    guest.until(5, &logged("the display is ours again"));
    guest.sh("sleep 2");
    assert_shows(&mut guest, id, "ours-again.png");
    assert_counts(&mut guest);
    assert_eq!(restarts(&mut guest), 0);
}

#[test]
fn a_still_s_own_planes_are_put_back() {
    let (mut guest, id) = standing("still_planes");
    guest.sh("rig-fault blank; sleep 3");
    assert_shows(&mut guest, id, "put-back.png");
    assert_eq!(restarts(&mut guest), 0);
}

#[test]
fn whoever_may_choose_plays_in_memory_where_another_program_has_the_card() {
    let mut guest = warm::guest(USUAL, "taken");
    guest.sh("rig-vkms make");
    configure(&mut guest, &["loop.mp4"], "");
    // Root may open it and ask for much all the same.
    let said = guest.sh(
        "exec 9<>$(rig-card vkms)
         museboxd --config /etc/musebox/musebox.toml --display auto --socket /tmp/other.sock --state /tmp/other 9<&- &
         for i in $(seq 240); do museboxctl --socket /tmp/other.sock status && break; sleep 0.25; done
         kill $!
         wait || true",
    );
    assert!(
        said.contains("playing on the virtual display, since")
            && said.contains("another program is its master"),
        "{said}"
    );
    assert!(said.contains("virtual, 640x480@"), "{said}");
}

#[test]
fn a_cable_that_is_put_into_another_socket_is_found_there() {
    let mut guest = warm::guest(USUAL, "other_socket");
    guest.sh("rig-vkms make tv 2; rig-vkms unplug tv 1");
    configure(&mut guest, &["loop.mp4"], "");
    guest.sh("systemctl start museboxd");
    guest.until(20, &has_shown(2));
    assert_shows_the_loop(&mut guest, "first-socket.png");
    for (from, to) in [(0, 1), (1, 0)] {
        guest.sh(&format!("rig-vkms unplug tv {from}"));
        guest.until(10, "museboxctl status --json | grep -q '\"mode\": null'");
        guest.sh(&format!("rig-vkms plug tv {to}"));
        guest.until(
            10,
            "museboxctl status --json | grep -q '\"mode\": \"640x480@'",
        );
        guest.sh("sleep 1");
        assert_shows_the_loop(&mut guest, &format!("socket-{to}.png"));
        let state = guest.sh("cat /sys/kernel/debug/dri/tv/state");
        let crtcs: Vec<bool> = state
            .split("\ncrtc[")
            .skip(1)
            .map(|crtc| crtc.contains("active=1"))
            .collect();
        assert_eq!(crtcs, [to == 0, to == 1], "one CRTC is lit: {state}");
    }
    assert_eq!(restarts(&mut guest), 0);
}

/// By the kernel's own count since `rig-flips begin`: the player was told of every vblank.
#[track_caller]
fn assert_follows_every_vblank(guest: &mut Guest) {
    let tracks = flips::read(&guest.sh("rig-flips end"));
    assert_eq!(tracks.len(), 1, "one screen");
    for track in tracks.into_values() {
        assert!(track.flips.len() > 30, "{} flips", track.flips.len());
        assert_eq!(track.missed(), 0);
    }
}

#[test]
fn while_somebody_else_s_flip_is_pending_the_picture_waits_for_the_next_vblank() {
    let mut guest = playing("busy");
    let counters = |guest: &mut Guest| {
        let display = guest.status()["display"].clone();
        ["missed_vblanks", "repeated", "late"]
            .map(|counter| display[counter].as_u64().expect("a count"))
    };
    let before = counters(&mut guest);
    guest.sh("rig-flips begin");
    let told = guest.sh("rig-fault busy 2");
    guest.sh("sleep 1");
    assert_follows_every_vblank(&mut guest);
    let after = counters(&mut guest);
    println!(
        "{}; missed, repeated, late: {before:?}, then {after:?}",
        told.trim()
    );
    let flips: u64 = told
        .split(' ')
        .next()
        .and_then(|count| count.parse().ok())
        .expect("a count");
    assert!(flips > 20, "{told}");
    // Pictures came a vblank later, the ones before stood longer, and both were counted.
    assert!(
        after[1] - before[1] >= 10 && after[2] - before[2] >= 10,
        "{before:?}, then {after:?}"
    );
    assert_eq!(after[0], before[0], "missed");
    guest.sh("sleep 2");
    assert_eq!(counters(&mut guest), after, "it is over");
    assert_shows_the_loop(&mut guest, "after-busy.png");
    assert_eq!(restarts(&mut guest), 0);
}

#[test]
fn another_screen_with_other_modes_is_shown_in_its_own() {
    let mut guest = warm::guest(USUAL, "other_modes");
    playlist(&mut guest, &["loop.mp4"]);
    configure_on(&mut guest, "virtio_gpu", "", "");
    guest.sh("systemctl start museboxd");
    guest.until(30, &has_shown(2));
    let first = shown_mode(&mut guest);
    assert!(first.starts_with("1280x720@"), "{first}");
    let socket = guest.path("vnc");
    let mut viewer = Viewer::connect(&socket).expect("a viewer");
    for (width, height) in [(800, 600), (1024, 768)] {
        viewer.resize(width, height).expect("QEMU listens");
        let mode = format!("{width}x{height}@");
        guest.until(
            60,
            &format!("museboxctl status --json | grep -q '\"mode\": \"{mode}'"),
        );
        guest.sh("sleep 1");
        let path = guest.screendump(&format!("{mode}.png"));
        let picture = image::open(&path).expect("a picture");
        assert_eq!(
            (picture.width(), picture.height()),
            (width.into(), height.into())
        );
        let sight = look(&path);
        assert!(
            matches!(sight, Sight::Frame(mark) if mark.id == LOOP),
            "{mode}: {sight:?}"
        );
    }
    assert_eq!(restarts(&mut guest), 0);
}

#[test]
fn a_suspended_machine_goes_on_where_it_was() {
    let mut guest = playing("suspend");
    // The kernel's own test of suspend: all programs are frozen for five seconds and woken again. Devices go on, since
    // the machine's virtual ones do not come back from it.
    guest.sh("echo freezer >/sys/power/pm_test && echo freeze >/sys/power/state");
    guest.sh("sleep 2");
    assert_shows_the_loop(&mut guest, "woken.png");
    assert_counts(&mut guest);
    assert_eq!(restarts(&mut guest), 0);
}

#[test]
fn a_hung_presenter_is_restarted_and_a_hung_control_socket_is_not() {
    let mut guest = playing("watchdog");
    guest.sh("rig-fault hang control 15");
    assert_eq!(restarts(&mut guest), 0);
    guest.sh("rig-fault hang presenter 30 || true");
    guest.until(30, "[ $(systemctl show -P NRestarts museboxd) -ge 1 ]");
    guest.until(20, &has_shown(1));
    guest.sh("sleep 1");
    assert_shows_the_loop(&mut guest, "after-watchdog.png");
}

#[test]
fn screens_are_switched_off_and_on_by_command() {
    let mut guest = playing("power");
    guest.sh("museboxctl display off; sleep 2");
    let dark = guest.sh(STATE);
    assert!(dark.contains("active=0"), "{dark}");
    let status = guest.status();
    assert_eq!(
        (
            status["display"]["power"].as_str(),
            status["state"].as_str()
        ),
        (Some("off"), Some("playing"))
    );
    // What would be shown can be seen, and what is scanned out is nothing.
    guest.sh("museboxctl screenshot /tmp/would.png");
    let (status, said) = guest
        .run("museboxctl screenshot --scanned-out /tmp/dark.png")
        .expect("it runs");
    println!("{said}");
    assert!(status != 0 && !said.trim().is_empty(), "{said}");
    // A cable that is moved meanwhile is told of, and lights nothing.
    for (moved, mode) in [("unplug", "null"), ("plug", "\"640x480@")] {
        guest.sh(&format!("rig-vkms {moved} tv"));
        let told = format!("museboxctl status --json | grep -q '\"mode\": {mode}'");
        guest.until(10, &told);
    }
    guest.sh("sleep 1");
    let dark = guest.sh(STATE);
    assert!(dark.contains("active=0"), "{dark}");
    guest.sh("museboxctl display on; sleep 1");
    assert_shows_the_loop(&mut guest, "on-again.png");
}

#[test]
fn a_network_that_goes_away_is_not_noticed() {
    let mut guest = playing("network");
    guest.sh("rig-flips begin");
    guest.machine().cable(false).expect("unplugged");
    guest.sh("sleep 12");
    assert_shows_the_loop(&mut guest, "offline.png");
    guest.machine().cable(true).expect("plugged in");
    guest.sh("sleep 1");
    assert_follows_every_vblank(&mut guest);
    let status = guest.status();
    assert_eq!(
        (
            restarts(&mut guest),
            status["display"]["missed_vblanks"].as_u64()
        ),
        (0, Some(0))
    );
}

/// A guest whose player shows the looping clip on the screen that is seen from outside.
fn playing_on_virtio(name: &str, display: &str) -> Guest {
    let mut guest = warm::guest(USUAL, name);
    playlist(&mut guest, &["loop.mp4"]);
    configure_on(
        &mut guest,
        "virtio_gpu",
        "",
        &format!("mode = \"640x480@60\"\n{display}"),
    );
    guest.sh("systemctl start museboxd");
    guest.until(20, &has_shown(2));
    guest
}

fn seen(guest: &mut Guest, name: &str) -> Sight {
    look(&guest.screendump(name))
}

/// Writes a text console full, so that it is told from a black screen.
fn fill(guest: &mut Guest, console: u32) {
    guest.sh(&format!(
        "for i in $(seq 60); do printf '%0150d\\n' $i; done >/dev/tty{console}; sleep 1"
    ));
}

#[test]
fn no_console_writes_over_the_picture_and_each_has_its_turn() {
    let mut guest = playing_on_virtio("consoles", "");
    guest.sh("systemctl is-active getty@tty1 && exit 1; sleep 1");
    guest.sh("for i in $(seq 60); do echo 'written over the picture' >/dev/tty1; done; echo '<1>kernel talks' >/dev/kmsg; sleep 0.5");
    assert_eq!(guest.sh("rig-fault console-mode 1").trim(), "1");
    assert!(matches!(seen(&mut guest, "undisturbed.png"), Sight::Frame(mark) if mark.id == LOOP));
    guest.sh("rig-fault front 2; sleep 1");
    fill(&mut guest, 2);
    assert_eq!(seen(&mut guest, "second-console.png"), Sight::Unreadable);
    guest.sh("rig-fault front 1; sleep 2");
    assert!(matches!(seen(&mut guest, "first-again.png"), Sight::Frame(mark) if mark.id == LOOP));
    assert_eq!(restarts(&mut guest), 0);
}

#[test]
fn it_ends_in_time_and_gives_the_console_back() {
    let mut guest = playing_on_virtio("ends", "");
    assert_ends_in_time(&mut guest);
    assert_eq!(guest.sh("rig-fault console-mode 1").trim(), "0");
    guest.sh("systemctl start getty@tty1; sleep 1");
    fill(&mut guest, 1);
    assert_eq!(seen(&mut guest, "console.png"), Sight::Unreadable);
}

#[test]
fn without_a_screen_it_ends_in_time() {
    let mut guest = playing("ends_in_the_void");
    guest.sh("rig-vkms unplug tv");
    guest.until(10, "museboxctl status --json | grep -q '\"mode\": null'");
    guest.sh("sleep 1");
    assert_ends_in_time(&mut guest);
}

/// The service ends within a second of being told.
#[track_caller]
fn assert_ends_in_time(guest: &mut Guest) {
    let took = guest.sh("a=$(cut -d' ' -f1 /proc/uptime); systemctl stop museboxd; b=$(cut -d' ' -f1 /proc/uptime); echo $a $b");
    let times: Vec<f64> = took
        .split_whitespace()
        .map(|word| word.parse().expect("seconds"))
        .collect();
    println!("ended in {:.2} s", times[1] - times[0]);
    assert!(times[1] - times[0] < 1.0, "{took}");
    assert_eq!(
        guest
            .sh("systemctl show -P Result museboxd; systemctl show -P ExecMainStatus museboxd")
            .split_whitespace()
            .collect::<Vec<_>>(),
        ["success", "0"]
    );
}

#[test]
fn a_crash_leaves_a_usable_console_and_the_service_comes_back() {
    let mut guest = playing_on_virtio("crash", "");
    guest.sh("systemctl kill -s ABRT museboxd");
    guest.until(20, "[ $(systemctl show -P NRestarts museboxd) -ge 1 ]");
    guest.until(20, &has_shown(1));
    guest.sh("sleep 1");
    assert!(matches!(seen(&mut guest, "restarted.png"), Sight::Frame(mark) if mark.id == LOOP));
    guest.sh("mkdir -p /run/systemd/system/museboxd.service.d; cd /run/systemd/system/museboxd.service.d; \
              printf '[Service]\\nRestart=no\\n' >no.conf; systemctl daemon-reload; systemctl kill -s KILL museboxd");
    guest.until(10, "! systemctl is-active -q museboxd");
    assert_eq!(guest.sh("rig-fault console-mode 1").trim(), "0");
    fill(&mut guest, 1);
    assert_eq!(seen(&mut guest, "after-crash.png"), Sight::Unreadable);
}

#[test]
fn the_last_picture_or_black_stays_as_configured() {
    for on_exit in ["last", "black"] {
        let mut guest = warm::guest(USUAL, &format!("on_exit_{on_exit}"));
        // As a firmware has it: the kernel draws no text console, so nothing comes back over what stays.
        guest.sh(
            "for console in /sys/class/vtconsole/vtcon*/bind; do echo 0 >$console; done; modprobe -r virtio_gpu; \
             echo 0 >/sys/module/drm_kms_helper/parameters/fbdev_emulation; modprobe virtio_gpu; udevadm settle",
        );
        playlist(&mut guest, &["loop.mp4"]);
        let display = format!("mode = \"640x480@60\"\non_exit = \"{on_exit}\"");
        configure_on(&mut guest, "virtio_gpu", "", &display);
        guest.sh("systemctl start museboxd");
        guest.until(20, &has_shown(2));
        guest.sh("systemctl stop museboxd; sleep 0.5");
        let left = seen(&mut guest, "left.png");
        match on_exit {
            "last" => assert!(
                matches!(left, Sight::Frame(mark) if mark.id == LOOP),
                "{left:?}"
            ),
            _ => assert_eq!(left, Sight::Black),
        }
    }
}
