//! musebox beside other players on the same display of the same machine, judged by the kernel's tracepoint:
//! `make bench-rig`.
//!
//! It measures and judges nothing: it prints a table. A row counts only where every picture was seen.

#![allow(clippy::disallowed_methods)] // The list is for the domain.
#![allow(dead_code)] // It takes the parts of the rig that it needs.

mod base;
mod clips;
#[path = "../support/counted/mod.rs"]
mod counted;
mod flips;
mod guest;
mod joins;
mod machine;
mod parcel;
mod scene;
mod warm;
mod wire;

use base::{Kernel, Userland};
use flips::Track;
use guest::Guest;
use joins::Joins;
use warm::Kind;

/// How long each player plays, in seconds of guest time.
const SECONDS: u32 = 20;

/// How many vblanks each picture of 30 Hz should stand.
const IDEAL: u64 = 2;

/// Pictures of one item of the playlist, and of the loop.
const ITEM: usize = 90;
const LOOP: usize = 30;

/// The first pictures are a player's start, and no join.
const START: usize = 10;

const PEERS: Kind = Kind {
    userland: Userland::Peers,
    kernel: Kernel::Backports,
};

/// What a player is asked to play.
#[derive(Clone, Copy, PartialEq)]
enum Task {
    Playlist,
    Loop,
}

/// A player: its name, and its command for a task, if it can do that.
struct Player {
    name: fn(Task) -> &'static str,
    command: fn(Task) -> Option<String>,
}

fn mpv(task: Task) -> Option<String> {
    let files = match task {
        Task::Playlist => "--loop-playlist=inf /srv/rig/p.mp4 /srv/rig/q.mp4",
        Task::Loop => "--loop-file=inf /srv/rig/loop.mp4",
    };
    let options = "--no-config --no-audio --no-osc --vo=drm --drm-mode=640x480";
    Some(format!(
        "mpv {options} --drm-device=$(rig-card vkms) {files}"
    ))
}

fn gst_launch(task: Task) -> Option<String> {
    let file =
        |name: &str| format!("filesrc location=/srv/rig/{name}.mp4 ! qtdemux ! h264parse ! c.");
    let sources: Vec<String> = ["p", "q", "p", "q", "p", "q", "p", "q"].map(file).into();
    let sink = "avdec_h264 ! videoconvert ! kmssink driver-name=vkms force-modesetting=true";
    (task == Task::Playlist).then(|| {
        format!(
            "gst-launch-1.0 -q concat name=c ! {sink} {}",
            sources.join(" ")
        )
    })
}

const PLAYERS: [Player; 2] = [
    Player {
        name: |task| match task {
            Task::Playlist => "mpv --loop-playlist",
            Task::Loop => "mpv --loop-file",
        },
        command: mpv,
    },
    Player {
        name: |_| "gst-launch-1.0 with kmssink",
        command: gst_launch,
    },
];

/// What was seen of one player.
struct Row {
    track: Track,
    cpu_s: f64,
    memory_mib: f64,
    said: String,
}

fn play(guest: &mut Guest, unit: &str, start: &str) -> Row {
    let text = guest.sh(&format!(
        "rig-flips begin; {start}; sleep {SECONDS}
         systemctl show -P CPUUsageNSec {unit} || true
         systemctl show -P MemoryPeak {unit} || true
         journalctl -q -b -u {unit} -o cat | tail -n 3 >/tmp/said
         systemctl stop {unit} || true; echo flips; rig-flips end"
    ));
    let (figures, flips) = text.split_once("flips\n").expect("figures and flips");
    let mut numbers = figures
        .split_whitespace()
        .filter_map(|word| word.parse::<f64>().ok());
    let mut track = flips::read(flips)
        .pop_first()
        .map(|(_, track)| track)
        .unwrap_or_default();
    track.flips.drain(..START.min(track.flips.len()));
    Row {
        track,
        cpu_s: numbers.next().unwrap_or(0.0) / 1e9,
        memory_mib: numbers.next().unwrap_or(0.0) / f64::from(1 << 20),
        said: guest.sh("cat /tmp/said"),
    }
}

/// What a table says of joins that were seen.
fn told(found: &Joins, joins: usize) -> String {
    let slips = match found.slips {
        0 => String::new(),
        slips => format!(", fewer than {IDEAL} at {slips} elsewhere"),
    };
    let (least, most) = (found.stood.start(), found.stood.end());
    match (found.odd, least == most) {
        (0, _) => format!("{IDEAL} at every join{slips}"),
        (odd, true) => format!("{most} at {odd} of {joins} joins{slips}"),
        (odd, false) => format!("{least} to {most} at {odd} of {joins} joins{slips}"),
    }
}

/// A line of the table.
fn line(name: &str, row: &Row, item: usize) -> String {
    let steps = row.track.steps();
    if steps.len() < item {
        let said = row.said.lines().last().unwrap_or("nothing").to_owned();
        return format!(
            "| {name} | did not play: {} pictures; it said: {said} | | | |",
            steps.len()
        );
    }
    let due = SECONDS as usize * 30;
    if steps.len() < due * 4 / 5 {
        return format!(
            "| {name} | did not play all frames: {} pictures in {SECONDS} s, where {due} are due | | | |",
            steps.len()
        );
    }
    let joins = (START + steps.len()) / item;
    let stood = match joins::judge(&steps, item, IDEAL) {
        Ok(found) => told(&found, joins),
        Err(odd) => format!("did not play all frames: {odd}"),
    };
    format!(
        "| {name} | {} | {stood} | {:.1} | {:.0} |",
        steps.len() + 1,
        row.cpu_s,
        row.memory_mib
    )
}

fn main() {
    let mut guest = warm::guest(PEERS, "bench");
    guest.sh("rig-vkms make");
    println!(
        "Each plays for {SECONDS} s of guest time (icount shift 0): 30 Hz on 59.94 Hz, where 2 vblanks a picture are ideal."
    );
    for (task, files, item, title) in [
        (
            Task::Playlist,
            &["p.mp4", "q.mp4"][..],
            ITEM,
            "A playlist of two clips of 3 s",
        ),
        (Task::Loop, &["loop.mp4"], LOOP, "One clip of 1 s in a loop"),
    ] {
        println!("\n{title}:\n");
        println!(
            "| player | pictures | vblanks that a picture stood at a join | CPU, s | memory, MiB |"
        );
        println!("|---|---|---|---|---|");
        for player in PLAYERS {
            let name = (player.name)(task);
            match (player.command)(task) {
                Some(command) => {
                    let start = format!(
                        "systemctl reset-failed peer 2>/dev/null || true; systemd-run -q --unit=peer bash -c '{command}'"
                    );
                    let row = play(&mut guest, "peer", &start);
                    println!("{}", line(name, &row, item));
                }
                None => println!("| {name} | did not play: it cannot loop | | | |"),
            }
        }
        scene::configure(&mut guest, files, "");
        let row = play(&mut guest, "museboxd", "systemctl start museboxd");
        println!("{}", line("musebox", &row, item));
    }
}
