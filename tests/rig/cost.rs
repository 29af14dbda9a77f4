//! What presenting costs, in the guest's time by instructions: one a nanosecond.

use crate::{
    flips,
    guest::Guest,
    scene::{configure, has_shown},
    warm::{self, USUAL},
};

/// How much of the guest's processor the presenter's thread takes over so many seconds, in per cent.
fn share(guest: &mut Guest, seconds: u32) -> f64 {
    let text = guest.sh(&format!(
        "pid=$(systemctl show -P MainPID museboxd)
         for task in /proc/$pid/task/*; do [ $(cat $task/comm) = presenter ] && presenter=$task; done
         cut -d' ' -f1 $presenter/schedstat; cut -d' ' -f1 /proc/uptime
         sleep {seconds}
         cut -d' ' -f1 $presenter/schedstat; cut -d' ' -f1 /proc/uptime"
    ));
    let figures: Vec<f64> = text
        .split_whitespace()
        .map(|word| word.parse().expect("a figure"))
        .collect();
    let [ran, began, ran_then, ended] = figures[..] else {
        panic!("four figures: {text}");
    };
    (ran_then - ran) / 1e9 / (ended - began) * 100.0
}

#[test]
fn presenting_costs_little_more_than_waiting_and_is_quick() {
    let mut guest = warm::guest(USUAL, "cost");
    guest.sh("rig-vkms make");
    // 60 Hz on 59.94: a picture for each vblank.
    configure(&mut guest, &["c.mp4"], "");
    guest.sh("sed -i s/^autostart_playlist.*/autostart_playlist=false/ /etc/musebox/musebox.toml");
    guest.sh("systemctl start museboxd; sleep 2");
    // The kernel may not join its pages into huge ones: who touches one meanwhile waits, here for as long as 80 ms.
    let memory = guest.sh("cat /proc/$(systemctl show -P MainPID museboxd)/status");
    assert!(memory.contains("THP_enabled:\t0"), "{memory}");
    let waiting = share(&mut guest, 10);
    guest.sh("museboxctl play");
    guest.until(20, &has_shown(1));
    guest.sh("rig-flips begin");
    let presenting = share(&mut guest, 10);
    let tracks = flips::read(&guest.sh("rig-flips end"));
    let (_, track) = tracks.iter().next().expect("a screen");
    assert!(track.flips.len() > 500, "{} flips", track.flips.len());
    assert_eq!(track.missed(), 0);
    let status = guest.status();
    let commit = &status["display"]["commit"];
    println!(
        "{waiting:.2} % waiting for vblanks, {presenting:.2} % presenting; commits {commit} (icount shift 0)"
    );
    assert_eq!(status["display"]["missed_vblanks"], 0);
    // Only the idle card may have been drawn: the pictures go to the plane as they are.
    let composed = status["display"]["copies"]["composed"].as_u64();
    assert!(composed <= Some(2), "{}", status["display"]);
    assert!(
        presenting - waiting <= 2.0,
        "{waiting:.2} %, {presenting:.2} %"
    );
    let figure = |name: &str| commit[name].as_u64().expect("a figure");
    assert!(figure("p999_us") < 2000, "{commit}");
    assert!(figure("median_us") > 0, "{commit}");
}

#[test]
fn the_presenter_of_the_installed_player_neither_allocates_nor_frees() {
    let mut guest = warm::guest(USUAL, "allocations");
    guest.sh("rig-vkms make");
    configure(&mut guest, &["a.mp4", "b.mp4"], "");
    guest.sh("systemctl start museboxd");
    guest.until(30, &has_shown(3));
    let text = guest.sh("rig-allocations 10");
    let status = guest.status();
    println!("{text}{}", status["items_shown"]);
    let count = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|count| count.trim().parse().ok())
            .unwrap_or_else(|| panic!("no {name}: {text}"))
    };
    assert!(count("waits") > 500 && count("others") > 100, "{text}");
    assert_eq!(count("presenter"), 0, "{text}");
}
