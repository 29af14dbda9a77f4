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
        json!([{"id": "m", "tracks": [track("left", "c.mp4"), track("right", "loop.mp4")]}]);
    let playlist = json!({"id": "p", "name": "Rig", "montages": montages});
    guest.write("/etc/musebox/playlist.json", &playlist.to_string());
    // Crossed, so that the order alone would be wrong.
    let mut connectors: Vec<String> = guest
        .sh("for c in /sys/class/drm/$(basename $(rig-card vkms))-*; do basename $c | cut -d- -f2-; done")
        .lines()
        .map(str::to_owned)
        .collect();
    connectors.sort();
    println!("{connectors:?}");
    let screens = format!(
        "mode = \"640x480@59.94\"\n[[screen]]\nname = \"left\"\nconnector = \"{}\"\n[[screen]]\nname = \"right\"\nconnector = \"{}\"",
        connectors[1], connectors[0]
    );
    configure_on(&mut guest, "vkms", "", &screens);
    guest.sh("rig-flips begin; systemctl start museboxd");
    guest.until(30, &has_shown(12));
    for (screen, id) in [("left", 3), ("right", 4)] {
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
    for (number, step) in [(0, 2), (1, 1)] {
        let track = &tracks[&number];
        // After the cards and the setting of modes.
        let settled = track.part(4, track.flips.len() - 4);
        println!(
            "CRTC {number}: {:?}, missed {}",
            settled.histogram(),
            settled.missed()
        );
        assert_eq!(settled.missed(), 0);
        let usual = settled.histogram()[&step];
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
    assert_eq!(
        report["display"]["missed_vblanks"], 0,
        "{}",
        report["display"]
    );
}
