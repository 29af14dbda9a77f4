//! Several screens on one card: each plays the track that belongs to it, at its own pace.

use serde_json::json;

use crate::{
    counted::pattern::Sight,
    flips,
    pictures::look,
    scene::{configure_on, has_shown},
    warm::{self, USUAL},
};

#[test]
fn two_connectors_of_a_card_play_their_own_tracks() {
    let mut guest = warm::guest(USUAL, "two_screens");
    guest.sh("rig-vkms make tv 2");
    let track = |name: &str, file: &str| {
        let item = json!({"id": file, "src": format!("/srv/rig/{file}")});
        json!({"id": name, "screen": name, "items": [item]})
    };
    let montages =
        json!([{"id": "m", "tracks": [track("left", "c.mp4"), track("right", "slow.mp4")]}]);
    let playlist = json!({"id": "p", "name": "Rig", "montages": montages});
    guest.write("/etc/musebox/playlist.json", &playlist.to_string());
    // Crossed, so that the order alone would be wrong: the first screen takes what the second does not name.
    let mut connectors: Vec<String> = guest
        .sh("for c in /sys/class/drm/$(basename $(rig-card vkms))-*; do basename $c | cut -d- -f2-; done")
        .lines()
        .map(str::to_owned)
        .collect();
    connectors.sort();
    println!("{connectors:?}");
    let screens = format!(
        "mode = \"640x480@59.94\"\n[[screen]]\nname = \"left\"\n[[screen]]\nname = \"right\"\nconnector = \"{}\"\nmode = \"800x600@56.25\"",
        connectors[0]
    );
    configure_on(&mut guest, "vkms", "", &screens);
    guest.sh("sed -i s/^autostart_playlist.*/autostart_playlist=false/ /etc/musebox/musebox.toml");
    guest.sh("systemctl start museboxd; sleep 2");
    let before = guest.status();
    guest.sh("rig-flips begin; museboxctl play");
    guest.until(60, &has_shown(12));
    let status = guest.status();
    for (screen, mode) in [(0, "640x480@59.94"), (1, "800x600@56.25")] {
        let mode_is = status["screens"][screen]["mode"].as_str();
        assert!(
            mode_is.is_some_and(|is| is.starts_with(mode)),
            "{mode_is:?}"
        );
    }
    for (screen, id) in [("left", 3), ("right", 8)] {
        guest.sh(&format!(
            "museboxctl screenshot --scanned-out /tmp/{screen}.png --screen {screen}"
        ));
        let bytes = guest
            .read(&format!("/tmp/{screen}.png"))
            .expect("a picture");
        let path = guest.path(&format!("{screen}.png"));
        std::fs::write(&path, bytes).expect("written");
        assert!(
            matches!(look(&path), Sight::Frame(mark) if mark.id == id),
            "{screen}: {:?}",
            look(&path)
        );
    }
    guest.sh("systemctl stop museboxd");
    let tracks = flips::read(&guest.sh("rig-flips end"));
    assert_eq!(tracks.len(), 2, "two screens flip");
    // 60 Hz on 59.94 Hz stands for one vblank. Half a second is 28 1/8 vblanks of the other screen, and 29.97 of this.
    for (number, steps) in [(0, &[28, 29][..]), (1, &[1])] {
        let track = &tracks[&number];
        // The idle card may be there once more.
        let settled = track.part(2, track.flips.len() - 2);
        println!(
            "CRTC {number}: {:?}, missed {}",
            settled.histogram(),
            settled.missed()
        );
        assert_eq!(settled.missed(), 0);
        let usual: usize = steps
            .iter()
            .filter_map(|step| settled.histogram().remove(step))
            .sum();
        assert!(
            usual * 100 >= settled.flips.len() * 97,
            "{:?}",
            settled.histogram()
        );
    }
    let report = guest
        .read("/var/lib/musebox/report.json")
        .expect("the report");
    let report: serde_json::Value = serde_json::from_slice(&report).expect("JSON");
    // The player saw the same, from the moment on at which it was told to play.
    let missed = |report: &serde_json::Value| report["display"]["missed_vblanks"].as_u64();
    println!("{} before, {}", before["display"], report["display"]);
    assert_eq!(missed(&report), missed(&before));
}
