//! The television, over the kernel's emulated CEC wire: `vivid` is the wire and both its ends' adapters, and
//! `cec-follower` of v4l-utils is the television at one of them.

use crate::{
    scene::{configure_on, has_shown, playing, playlist},
    warm::{self, USUAL},
};

/// Leads the cable from vivid's HDMI output, which is ours, to its HDMI input, which is the television's.
const CONNECT: &str = "v4l2-ctl -d /dev/video0 -c hdmi_000_0_is_connected_to=2";

/// To CEC, a cable is what brings the television's EDID, for that tells our address.
const UNPLUG: &str = "v4l2-ctl -d /dev/video0 --clear-edid=3";
const PLUG: &str = "v4l2-ctl -d /dev/video0 --set-edid=pad=3,type=hdmi";

/// A script that succeeds once the player says this of the television.
fn says(power: &str) -> String {
    format!("museboxctl status --json | tr -d ' \\n' | grep -q '\"power\":\"{power}\"}}'")
}

/// A script that succeeds once the television has noted this so often.
fn noted(line: &str, times: u32) -> String {
    format!("[ \"$(grep -c '{line}' /tmp/tv.log)\" -ge {times} ]")
}

#[test]
fn a_television_is_switched_on_and_off_asked_and_told_again() {
    let mut guest = warm::guest(USUAL, "tv");
    guest.sh("modprobe vivid && for i in $(seq 50); do [ -e /dev/cec1 ] && break; sleep 0.1; done");
    guest.sh(CONNECT);
    guest.sh("cec-ctl -d /dev/cec0 --tv --skip-info");
    // It sleeps, and does not listen to every second message to wake up.
    let follower =
        "cec-follower -d /dev/cec0 --standby --ignore-view-on 2 --show-msgs --show-state";
    guest.sh(&format!("setsid stdbuf -oL {follower} >/tmp/tv.log 2>&1 &"));
    guest.sh("rig-vkms make");
    playlist(&mut guest, &["loop.mp4"]);
    let display = "mode = \"640x480@59.94\"\ncec = \"/dev/cec1\"";
    configure_on(&mut guest, "vkms", "", display);

    guest.sh("systemctl start museboxd");
    guest.until(20, &has_shown(1));
    guest.until(60, &says("on"));
    guest.sh(&noted("IMAGE_VIEW_ON", 1));
    guest.sh(&noted("ACTIVE_SOURCE", 1));
    let tv = guest.status()["display"]["tv"].clone();
    assert_eq!(tv["adapter"], "/dev/cec1");

    guest.sh("museboxctl display off");
    guest.until(60, &says("standby"));
    guest.sh(&noted("Changing state to standby", 1));

    // The second message to wake up is the one that is not listened to.
    guest.sh("museboxctl display on");
    guest.until(120, &says("on"));
    guest.sh(&noted("IMAGE_VIEW_ON", 3));

    guest.sh(UNPLUG);
    guest.until(30, &says("unknown"));
    guest.sh(PLUG);
    guest.until(120, &says("on"));

    // A television that says nothing any more.
    guest.sh("pkill cec-follower; museboxctl display off");
    guest.until(60, &says("unknown"));
    let told = guest.sh("cat /tmp/tv.log; museboxctl logs --lines 200 | grep -i television");
    println!("{told}");
    assert!(
        told.contains("the television is reached by /dev/cec1"),
        "{told}"
    );
}

#[test]
fn without_an_adapter_nothing_is_said_of_a_television() {
    let mut guest = playing("no_tv");
    assert!(guest.status()["display"]["tv"].is_null());
}
