//! Time: every picture at its vblank, by the kernel's own count.

use serde_json::Value;

use crate::{
    flips::{self, Track},
    guest::Guest,
    scene::configure,
    warm::{self, USUAL},
};

/// So many times as long where `make soak` asks for it.
fn longer() -> usize {
    match std::env::var_os("MUSEBOX_SOAK") {
        Some(_) => 10,
        None => 1,
    }
}

/// An item of a test: how many pictures it has, and how many vblanks they stand at 59.94 Hz.
///
/// A rate that is within 0.2 % of a whole part of the display's is shown at that part, and 25 Hz at its own.
const A: (usize, f64) = (50, 2.0 * 59.94);
const B: (usize, f64) = (60, 120.0);
const C: (usize, f64) = (120, 120.0);
const LOOP: (usize, f64) = (30, 60.0);

/// What was seen of one playing.
pub struct Seen {
    /// From the first picture of the first item to the last that was shown.
    pub track: Track,
    /// The player's report at its end.
    pub report: Value,
}

impl Seen {
    fn display(&self, counter: &str) -> u64 {
        let value = &self.report["display"][counter];
        value
            .as_u64()
            .unwrap_or_else(|| panic!("no counter {counter}"))
    }
}

/// Plays under the tracepoint from the service's start to its end, while `script` runs in the guest.
///
/// The idle card comes first, and once more for each second that it stands: the flip that sets the mode has an old number,
/// and is no item's. At the end the player stands still for a moment, so that nothing comes on that nobody counts.
pub fn record(guest: &mut Guest, script: &str) -> Seen {
    guest.sh("sed -i s/^autostart_playlist.*/autostart_playlist=false/ /etc/musebox/musebox.toml");
    let text = guest.sh(&format!(
        "rig-flips begin; systemctl start museboxd; sleep 1; rig-flips mark; museboxctl play; \
         {script}; museboxctl pause; sleep 0.2; systemctl stop museboxd; rig-flips end"
    ));
    let report = guest
        .read("/var/lib/musebox/report.json")
        .expect("the report");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    let mut tracks = flips::read(&text);
    assert_eq!(tracks.len(), 1, "one screen flips");
    let (_, track) = tracks.pop_first().expect("one");
    let presented = report["display"]["presented"].as_u64().expect("a count") as usize;
    let cards = track.flips.len().saturating_sub(presented);
    assert!(
        cards >= track.marked.max(1),
        "{cards} cards, {} before the mark",
        track.marked
    );
    // Nearer to each other they would be pictures that the player has not counted.
    let steps = track.part(0, cards).steps();
    assert!(
        steps.iter().skip(1).all(|step| *step >= 50),
        "the cards' steps are {steps:?}"
    );
    let track = track.part(cards, presented);
    println!(
        "{presented} pictures after {cards} cards, steps {:?}, missed {}, {}",
        track.histogram(),
        track.missed(),
        report["display"]
    );
    Seen { track, report }
}

/// No vblank was missed and no picture was late or lost, by the kernel's count and by the player's.
pub fn assert_perfect(seen: &Seen) {
    assert_eq!(seen.track.missed(), 0);
    for counter in ["missed_vblanks", "late", "dropped", "repeated", "starved"] {
        assert_eq!(seen.display(counter), 0, "{counter}");
    }
}

#[test]
fn three_items_of_three_rates_stand_at_their_vblanks_for_a_minute() {
    let mut guest = warm::guest(USUAL, "three_items");
    guest.sh("rig-vkms make");
    configure(&mut guest, &["a.mp4", "b.mp4", "c.mp4"], "");
    let seen = record(&mut guest, &format!("sleep {}", 65 * longer()));
    assert_perfect(&seen);
    let deviations = flips::deviations(&seen.track.flips, &[A, B, C]);
    println!("deviations of {} items: {deviations:?}", deviations.len());
    // Two seconds each.
    assert!(deviations.len() >= 30 * longer(), "a minute of items");
    // 25 Hz does not divide 59.94, so a hand-over is at the vblank nearest to its moment; so is the one from 30 Hz to
    // 60 Hz, which divide, as its moment goes on from there. Counted from the first, which may be half a vblank off itself.
    let mut off: f64 = 0.0;
    for (number, deviation) in deviations.iter().enumerate() {
        off += deviation;
        assert!(
            off.abs() <= 1.0 && deviation.abs() <= 1.0,
            "item {number} is {deviation} vblanks off, its end {off}"
        );
    }
}

#[test]
fn a_mono_montage_loops_a_hundred_times_in_place() {
    let mut guest = warm::guest(USUAL, "mono_montage");
    guest.sh("rig-vkms make");
    configure(&mut guest, &["loop.mp4"], "");
    let seen = record(&mut guest, &format!("sleep {}", 104 * longer()));
    assert_perfect(&seen);
    let deviations = flips::deviations(&seen.track.flips, &[LOOP]);
    assert!(
        deviations.len() >= 100 * longer(),
        "{} loops",
        deviations.len()
    );
    assert!(
        deviations.iter().all(|deviation| *deviation == 0.0),
        "{deviations:?}"
    );
    assert_eq!(seen.track.histogram().into_keys().collect::<Vec<_>>(), [2]);
    assert!(
        seen.report["replays"].as_u64() >= Some(100 * longer() as u64),
        "replays"
    );
    assert_eq!(seen.report["reloads"], 0);
}

#[test]
fn a_planted_stall_is_counted_by_the_kernel_and_by_the_player() {
    let mut guest = warm::guest(USUAL, "planted_stall");
    guest.sh("rig-vkms make");
    configure(&mut guest, &["c.mp4"], "");
    let stop =
        "pid=$(systemctl show -P MainPID museboxd); kill -STOP $pid; sleep 0.2; kill -CONT $pid";
    let seen = record(&mut guest, &format!("sleep 5; {stop}; sleep 5"));
    let missed = seen.track.missed();
    assert!(
        (8..=16).contains(&missed),
        "0.2 s are 12 vblanks, not {missed}"
    );
    assert_eq!(seen.display("missed_vblanks"), missed);
}
