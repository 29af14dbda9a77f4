//! A decoder in hardware, as far as a kernel without hardware has one: visl takes real H.264 through the stateless
//! (request) interface, and draws what it was asked to decode instead of the picture.

use crate::{
    scene::{configure, has_shown},
    warm::{self, USUAL},
};

#[test]
fn frames_of_a_v4l2_decoder_reach_the_plane_without_a_copy() {
    let mut guest = warm::guest(USUAL, "zero_copy");
    guest.sh("rig-vkms make; modprobe visl; udevadm settle");
    // GStreamer makes elements of the decoders that it finds.
    guest.sh("GST_REGISTRY=/var/cache/gstreamer.bin gst-inspect-1.0 v4l2slh264dec >/dev/null");
    configure(&mut guest, &["loop.mp4"], "");
    guest.sh("systemctl start museboxd");
    guest.until(60, &has_shown(4));
    let shot = guest.screenshot("visl.png");
    guest.sh("systemctl stop museboxd");
    let report = guest
        .read("/var/lib/musebox/report.json")
        .expect("the report");
    let report: serde_json::Value = serde_json::from_slice(&report).expect("JSON");
    println!(
        "{} {} {}",
        report["display"],
        report["screens"],
        shot.display()
    );
    let copies = &report["display"]["copies"];
    let imported = copies["imported"].as_u64().expect("a count");
    assert!(imported >= 90, "{copies}");
    // The idle card is the only picture that was not a decoder's.
    assert!(copies["copied"].as_u64() <= Some(2), "{copies}");
    assert!(copies["composed"].as_u64() <= Some(2), "{copies}");
}
