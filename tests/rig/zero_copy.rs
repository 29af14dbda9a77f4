//! A decoder in hardware, as far as a kernel without hardware has one: visl takes real H.264 through the stateless
//! (request) interface, and writes on each picture what it was asked to decode.

use std::{collections::HashMap, path::Path, process::Command};

use serde_json::Value;

use crate::{
    clips,
    guest::Guest,
    scene::{configure, has_shown},
    warm::{self, USUAL},
};

/// A guest whose player has visl as its decoder and plays one clip.
fn playing_by_visl(name: &str, clip: &str, shown: u32) -> Guest {
    let mut guest = warm::guest(USUAL, name);
    guest.sh("rig-vkms make; modprobe visl; udevadm settle");
    // GStreamer makes elements of the decoders that it finds.
    guest.sh("GST_REGISTRY=/var/cache/gstreamer.bin gst-inspect-1.0 v4l2slh264dec >/dev/null");
    configure(&mut guest, &[clip], "");
    guest.sh("systemctl start museboxd");
    guest.until(60, &has_shown(shown));
    guest
}

/// How many framebuffers the card has.
fn framebuffers(guest: &mut Guest) -> u32 {
    let count = guest.sh("grep -c '^framebuffer' /sys/kernel/debug/dri/tv/framebuffer");
    count.trim().parse().expect("a count")
}

/// One of the counts of `rig-calls`.
fn count(calls: &str, name: &str) -> u64 {
    let line = calls.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|count| count.trim().parse().ok())
        .unwrap_or_else(|| panic!("no {name}: {calls}"))
}

#[test]
fn frames_of_a_v4l2_decoder_reach_the_plane_without_a_copy() {
    let mut guest = playing_by_visl("zero_copy", "loop.mp4", 4);
    let slot = guest.status()["screens"][0]["slots"]
        .as_array()
        .and_then(|slots| {
            slots
                .iter()
                .find(|slot| slot["state"] == "playing")
                .cloned()
        })
        .expect("a slot plays");
    assert_eq!(
        (slot["decoder"].as_str(), slot["memory"].as_str()),
        (Some("v4l2slh264dec"), Some("dmabuf")),
        "{slot}"
    );
    // By the kernel's layouts, with nothing between the decoder and us.
    guest.sh("journalctl -b -u museboxd -o verbose | grep -q 'FRAMES=lent'");
    // The planes and the pool are known by now: what follows is nothing but commits.
    guest.until(60, &has_shown(8));
    let made = framebuffers(&mut guest);
    let calls = guest.sh("rig-calls 5");
    println!("{made} framebuffers; in five seconds: {calls}");
    assert!(count(&calls, "commits") >= 50, "{calls}");
    assert_eq!(
        count(&calls, "framebuffers"),
        0,
        "each is made once: {calls}"
    );
    assert_eq!(
        count(&calls, "tests"),
        0,
        "only new shapes are tested: {calls}"
    );
    assert_eq!(framebuffers(&mut guest), made);
    guest.sh("systemctl stop museboxd");
    let report = guest
        .read("/var/lib/musebox/report.json")
        .expect("the report");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    println!("{} {}", report["display"], report["screens"]);
    let copies = &report["display"]["copies"];
    let imported = copies["imported"].as_u64().expect("a count");
    assert!(imported >= 90, "{copies}");
    // The idle card is the only picture that was not a decoder's.
    assert!(copies["copied"].as_u64() <= Some(2), "{copies}");
    assert!(copies["composed"].as_u64() <= Some(2), "{copies}");

    // At the start they are made and tested, and counted.
    let calls = guest.sh("(sleep 1; systemctl start museboxd) & rig-calls 15; wait");
    println!("in fifteen seconds with the start: {calls}");
    assert!(count(&calls, "framebuffers") >= 1, "{calls}");
    assert!(count(&calls, "tests") >= 1, "{calls}");
}

/// The kernel's own font, in which visl writes: a character for 16 rows of 8 pixels.
fn font(guest: &mut Guest) -> HashMap<Vec<u8>, char> {
    let text = guest.sh("rig-font");
    let row = |line: &str, at: usize| u8::from_str_radix(&line[at..at + 2], 16).expect("hex");
    let glyph = |line: &str| (0..32).step_by(2).map(|at| row(line, at)).collect();
    let lines = text.lines().zip(0_u8..).skip(32).take(95);
    lines
        .map(|(line, code)| (glyph(line), char::from(code)))
        .collect()
}

/// The first line of what visl wrote: 8x16 pixels a character, from (16, 16) on, up to the first that is none.
fn first_line(path: &Path, font: &HashMap<Vec<u8>, char>) -> String {
    let picture = image::open(path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    let picture = picture.to_luma8();
    let glyph = |column: u32| -> Vec<u8> {
        let bright = |x: u32, y: u32| u8::from(picture.get_pixel(x, y)[0] >= 128);
        let row = |y: u32| (0..8).fold(0, |bits, x| bits << 1 | bright(16 + 8 * column + x, y));
        (16..32).map(row).collect()
    };
    (0..picture.width() / 8 - 4)
        .map_while(|column| font.get(&glyph(column)))
        .collect()
}

/// In which order a clip's samples are shown, by their places in the file, as ffprobe sees it.
fn display_order(clip: &Path) -> Vec<u64> {
    let probe = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-select_streams",
            "v",
            "-show_entries",
            "packet=pts",
            "-of",
            "csv=p=0",
        ])
        .arg(clip)
        .output()
        .expect("ffprobe runs");
    let text = String::from_utf8(probe.stdout).expect("text");
    let mut samples: Vec<(i64, u64)> = text
        .lines()
        .zip(0..)
        .map(|(line, place)| (line.trim_matches(',').parse().expect("a time"), place))
        .collect();
    samples.sort_unstable();
    samples.into_iter().map(|(_, place)| place).collect()
}

#[test]
fn a_v4l2_decoder_s_frames_come_in_their_order_round_after_round() {
    let mut guest = playing_by_visl("visl_order", "slow.mp4", 1);
    let font = font(&mut guest);
    // Two pictures a second, looked at as often as the guest can.
    guest.sh("mkdir /tmp/shots; for i in $(seq -w 120); do museboxctl screenshot --scanned-out /tmp/shots/$i.png; sleep 0.02; done");
    let mut seen: Vec<u64> = Vec::new();
    let mut last = String::new();
    for number in 1..=120 {
        let bytes = guest
            .read(&format!("/tmp/shots/{number:03}.png"))
            .expect("a picture");
        let path = guest.path("shot.png");
        std::fs::write(&path, bytes).expect("written");
        let line = first_line(&path, &font);
        let number = line
            .strip_prefix("sequence:")
            .and_then(|rest| rest.split(' ').next()?.parse().ok())
            .unwrap_or_else(|| panic!("not what visl writes: {line:?} in {}", path.display()));
        if seen.last() != Some(&number) {
            seen.push(number);
            last = line;
        }
    }
    println!("{seen:?}; {last}");
    // visl numbers what it decodes, and never begins anew; a round has as many as the clip has frames.
    let order = display_order(&clips::path("slow.mp4"));
    let round = order.len() as u64;
    assert!(
        order.windows(2).any(|pair| pair[1] < pair[0]),
        "the clip has B-frames: {order:?}"
    );
    let expected: Vec<u64> = (0..100)
        .flat_map(|number| order.iter().map(move |place| number * round + place))
        .skip_while(|number| *number != seen[0])
        .take(seen.len())
        .collect();
    assert_eq!(seen, expected);
    assert!(
        seen.len() as u64 > round + 2,
        "more than one round was seen: {seen:?}"
    );
    let status = guest.status();
    assert_eq!(status["display"]["dropped"], 0, "{status:#}");
    assert_eq!(status["reloads"], 0, "{status:#}");
}
