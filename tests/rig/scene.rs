//! What the player in the guest is told to play, and where.

use serde_json::{Value, json};

use crate::{
    guest::Guest,
    warm::{self, USUAL},
};

/// The looping clip's id.
pub const LOOP: u8 = 4;

/// A playlist of one montage with one track of these files of the parcel.
pub fn playlist(guest: &mut Guest, files: &[&str]) {
    let items: Vec<Value> = files
        .iter()
        .map(|file| json!({"id": file, "src": format!("/srv/rig/{file}")}))
        .collect();
    let montages = json!([{"id": "m", "tracks": [{"id": "t", "items": items}]}]);
    let playlist = json!({"id": "p", "name": "Rig", "montages": montages});
    guest.write("/etc/musebox/playlist.json", &playlist.to_string());
}

/// The player's configuration: the playlist, on the card of a driver. `more` are keys at the top.
pub fn configure_on(guest: &mut Guest, driver: &str, more: &str, display: &str) {
    let card = guest.sh(&format!("rig-card {driver}"));
    guest.write(
        "/etc/musebox/musebox.toml",
        &format!(
            "playlist = \"playlist.json\"\nautostart_playlist = true\n{more}\n\
             [audio]\nenabled = false\n[display]\nkind = \"kms\"\ncard = \"{}\"\n{display}\n",
            card.trim()
        ),
    );
}

/// Lets the service play these files on vkms, at the size of the clips, once it is started.
pub fn configure(guest: &mut Guest, files: &[&str], more: &str) {
    playlist(guest, files);
    configure_on(guest, "vkms", more, "mode = \"640x480@59.94\"");
}

/// A guest whose player shows the looping clip on vkms.
pub fn playing(name: &str) -> Guest {
    let mut guest = warm::guest(USUAL, name);
    guest.sh("rig-vkms make");
    configure(&mut guest, &["loop.mp4"], "");
    guest.sh("systemctl start museboxd");
    guest.until(20, &has_shown(2));
    guest
}

/// A script that succeeds once so many items began.
pub fn has_shown(items: u32) -> String {
    format!(
        "[ \"$(museboxctl status --json | sed -n 's/.*\"items_shown\": \\([0-9]*\\).*/\\1/p')\" -ge {items} ]"
    )
}

/// How often the service was started again.
pub fn restarts(guest: &mut Guest) -> u32 {
    let text = guest.sh("systemctl show -P NRestarts museboxd");
    text.trim().parse().expect("a number")
}
