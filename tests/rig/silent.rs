//! Displays without vblanks, and older userlands.

use crate::{
    base::{Kernel, Userland},
    counted::pattern::Sight,
    pictures::look,
    scene::{LOOP, configure, configure_on, has_shown, playlist, restarts},
    warm::{self, Kind, USUAL},
};

#[test]
fn without_vblanks_it_plays_by_the_clock_and_says_so() {
    let kind = Kind {
        kernel: Kernel::Plain,
        ..USUAL
    };
    let mut guest = warm::guest(kind, "no_vblanks");
    playlist(&mut guest, &["loop.mp4"]);
    configure_on(&mut guest, "virtio_gpu", "", "mode = \"640x480@60\"");
    guest.sh("systemctl start museboxd");
    guest.until(20, &has_shown(5));
    let status = guest.status();
    println!("{}", status["display"]);
    assert_eq!(status["display"]["estimated"], true);
    // Paced all the same: five seconds at most are five items at most, not hundreds.
    let began = status["items_shown"].as_u64().expect("a count");
    guest.sh("sleep 5");
    let shown = guest.status()["items_shown"].as_u64().expect("a count") - began;
    assert!((4..=7).contains(&shown), "{shown} in five seconds");
    let dump = guest.screendump("picture.png");
    assert!(matches!(look(&dump), Sight::Frame(mark) if mark.id == LOOP));
    // A flip that never comes is noticed here, too.
    println!("{}", guest.sh("rig-fault swallow 0.7"));
    guest.until(
        5,
        "journalctl -b -u museboxd -o cat | grep -q 'a flip never came'",
    );
    guest.sh("sleep 1");
    let began = guest.status()["items_shown"].as_u64();
    guest.sh("sleep 3");
    assert!(guest.status()["items_shown"].as_u64() > began);
    let dump = guest.screendump("after-flip.png");
    assert!(matches!(look(&dump), Sight::Frame(mark) if mark.id == LOOP));
    assert_eq!(restarts(&mut guest), 0);
}

#[test]
fn with_gstreamer_1_22_it_plays_the_same() {
    let kind = Kind {
        userland: Userland::Bookworm,
        ..USUAL
    };
    let mut guest = warm::guest(kind, "gstreamer_1_22");
    let version = guest.sh("dpkg-query -W -f '${Version}' libgstreamer1.0-0");
    assert!(version.starts_with("1.22."), "{version}");
    guest.sh("rig-vkms make");
    configure(&mut guest, &["a.mp4", "b.mp4", "c.mp4"], "");
    let seen = crate::timing::record(&mut guest, "sleep 14");
    crate::timing::assert_perfect(&seen);
    assert!(
        seen.report["items_shown"].as_u64() >= Some(6),
        "{}",
        seen.report
    );
}
