//! The plug is pulled at random moments, and the box plays again without a hand on it.

use std::{
    hash::{BuildHasher, RandomState},
    thread,
    time::Duration,
};

use crate::{
    counted::pattern::Sight,
    guest::Guest,
    pictures::look,
    scene::{configure_on, playlist},
    warm::{self, USUAL},
};

/// How often the plug is pulled; more often where `make soak` asks for it.
fn pulls() -> u32 {
    match std::env::var_os("MUSEBOX_SOAK") {
        Some(_) => 20,
        None => 3,
    }
}

/// The moments, in milliseconds after the picture is there, from a seed that is printed.
fn moments() -> impl Iterator<Item = u64> {
    let given = std::env::var("MUSEBOX_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed: u64 = given.unwrap_or_else(|| RandomState::new().hash_one(0) >> 32);
    println!("seed {seed}: MUSEBOX_SEED={seed} pulls the plug at the same moments again");
    let mut state = seed;
    std::iter::repeat_with(move || {
        // Knuth's constants for a linear congruential generator of 64 bits; its upper bits are good.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % 3000
    })
}

/// Waits until the clip is on the screen, as seen from outside.
fn picture_comes(guest: &mut Guest, name: &str) {
    for _ in 0..600 {
        if let Sight::Frame(mark) = look(&guest.screendump(name)) {
            assert_eq!(mark.id, 4, "the looping clip");
            return;
        }
        thread::sleep(Duration::from_millis(250));
    }
    panic!("no picture: see {}", guest.path(name).display());
}

#[test]
fn after_each_power_cut_the_picture_comes_back_by_itself() {
    let mut guest = warm::guest(USUAL, "power_cuts");
    playlist(&mut guest, &["loop.mp4"]);
    // Numbers of cards may change from boot to boot; this is the only one with a screen then.
    configure_on(&mut guest, "virtio_gpu", "", "mode = \"640x480@60\"");
    guest.sh("sed -i /^card/d /etc/musebox/musebox.toml; systemctl start museboxd; sync");
    for (number, moment) in moments().take(pulls() as usize).enumerate() {
        picture_comes(&mut guest, &format!("before-{number}.png"));
        // Something is being written when the plug is pulled.
        guest
            .start("while :; do date >>/var/lib/musebox/scribble; done")
            .expect("a script");
        thread::sleep(Duration::from_millis(moment));
        println!("pulled after {moment} ms");
        let folder = guest.pull_power();
        guest = warm::boot_again(USUAL, &folder);
    }
    picture_comes(&mut guest, "after.png");
    let state = guest.sh("systemctl is-active museboxd; systemctl show -P NRestarts museboxd");
    assert_eq!(
        state.split_whitespace().collect::<Vec<_>>(),
        ["active", "0"]
    );
}
