//! Pictures: what is really on the screen, read from PNG files.

use std::path::Path;

use crate::{
    clips,
    counted::pattern::{Eye, Luma, Mark, Sight},
    guest::Guest,
    scene::{configure_on, playlist},
    warm::{self, USUAL},
};

/// What a PNG shows.
pub fn look(path: &Path) -> Sight {
    let picture = image::open(path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    let grey = picture.to_luma8();
    Eye::default().look(Luma {
        width: grey.width() as usize,
        height: grey.height() as usize,
        pixels: grey.as_raw(),
    })
}

/// The clip and frame that are on the player's screen, read back by the player.
pub fn on_screen(guest: &mut Guest, name: &str) -> Mark {
    let path = guest.screenshot(name);
    match look(&path) {
        Sight::Frame(mark) => mark,
        other => panic!("{}: {other:?}", path.display()),
    }
}

#[test]
fn each_item_is_on_the_screen_as_seen_from_outside() {
    let mut guest = warm::guest(USUAL, "each_item");
    // None of 60 Hz: this guest's processor cannot turn that into RGB in time, and an item that starves ends where it is.
    let files = ["a.mp4", "b.mp4", "fragments.mp4"];
    playlist(&mut guest, &files);
    // Each item holds its last frame, so it is known which one has to be there.
    let keys = "auto_advance = false";
    configure_on(&mut guest, "virtio_gpu", keys, "mode = \"640x480@60\"");
    guest.sh("systemctl start museboxd");
    for (item, name) in files.into_iter().enumerate() {
        let (_, clip) = clips::all()
            .into_iter()
            .find(|(known, _)| *known == name)
            .expect("a clip");
        guest.sh(&format!("museboxctl goto M0T0I{item}"));
        guest.until(20, &format!("museboxctl status | grep -q {name}"));
        guest.sh("sleep 5");
        let dump = guest.screendump(&format!("dump-{item}.png"));
        let Sight::Frame(seen) = look(&dump) else {
            panic!("{}: {:?}", dump.display(), look(&dump));
        };
        let read = on_screen(&mut guest, &format!("shot-{item}.png"));
        println!("{name}: {seen:?} from outside, {read:?} from inside");
        assert_eq!((seen.id, seen), (clip.id, read), "{name}");
        assert_eq!(seen.number, clip.frames - 1, "{name}");
    }
}
