//! Planes that lie above each other: a coloured background beneath a frame that nobody copies.

use crate::{
    counted::pattern::Sight,
    guest::Guest,
    pictures::look,
    scene::{configure, has_shown},
    warm::{self, USUAL},
};

/// The planes that are lit, by the kernel's debugfs: each one's number and its rectangle on the screen.
fn lit(state: &str) -> Vec<String> {
    let planes = state.split("plane[").skip(1);
    let planes = planes.zip(0..).filter_map(|(plane, number)| {
        let plane = plane.split("\ncrtc[").next().unwrap_or_default();
        let value = |name: &str| {
            let mut lines = plane.lines();
            lines.find_map(|line| line.trim().strip_prefix(name))
        };
        let place = value("crtc-pos=").filter(|_| value("fb=") != Some("0"))?;
        Some(format!("{number}: {place}"))
    });
    planes.collect()
}

/// Shows a clip that leaves bars above and below to its end, on a coloured background; answers the planes that are lit,
/// and the kernel's checksum of what goes over the cable.
fn with_bars(guest: &mut Guest, name: &str) -> (Vec<String>, String) {
    guest.sh("rig-vkms make");
    let keys = "background = \"#c04000\"\nauto_advance = false";
    configure(guest, &["wide.mp4"], keys);
    guest.sh("systemctl start museboxd");
    guest.until(20, &has_shown(1));
    guest.sh("sleep 4");
    let path = guest.screenshot(name);
    let sight = look(&path);
    assert!(
        matches!(sight, Sight::Frame(mark) if (mark.id, mark.number) == (7, 29)),
        "{sight:?}"
    );
    let picture = image::open(&path).expect("a picture").to_rgb8();
    let [red, green, blue] = picture.get_pixel(2, 2).0;
    let near = |part: u8, wanted: u8| part.abs_diff(wanted) <= 2;
    assert!(near(red, 0xc0) && near(green, 0x40) && near(blue, 0));
    let copies = guest.status()["display"]["copies"].clone();
    assert!(copies["composed"].as_u64() <= Some(2), "{copies}");
    let planes = lit(&guest.sh("cat /sys/kernel/debug/dri/tv/state"));
    let sum = guest.sh(
        "cd /sys/kernel/debug/dri/tv/crtc-0/crc; echo auto >control; \
         head -n 3 data 2>/dev/null | tr -d '\\0' | tail -n 1 | cut -d' ' -f2",
    );
    println!("{name}: {planes:?}, {copies}, checksum {}", sum.trim());
    guest.sh("systemctl stop museboxd; rig-vkms remove");
    // The kernel lets go of a card some time after it was removed.
    guest.until(20, "modprobe -r vkms");
    (planes, sum)
}

#[test]
fn a_background_is_the_same_from_the_controller_and_from_a_plane_beneath_the_frame() {
    let mut guest = warm::guest(USUAL, "planes");
    let (alone, painted) = with_bars(&mut guest, "painted.png");
    assert_eq!(alone, ["0: 640x360+0+60"]);
    // A controller that paints nothing.
    guest.sh("modprobe vkms create_default_dev=0 background=0");
    let (both, beneath) = with_bars(&mut guest, "beneath.png");
    assert_eq!(both, ["0: 640x480+0+0", "1: 640x360+0+60"]);
    assert!(painted.starts_with("0x"), "{painted}");
    assert_eq!(painted, beneath);
}
