//! Sound that leaves the box: the real daemon plays into a PulseAudio server that runs in real time without a sound
//! card, and what its monitor records is listened to. Both ways lead there, ALSA's and PulseAudio's own.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

#[path = "support/counted/mod.rs"]
mod counted;
#[path = "support/player_box.rs"]
mod player_box;

use std::{
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use counted::generate::Clip;
use player_box::{PlayerBox, Running, until};
use serde_json::Value;

const RATE: usize = 48_000;
/// A beep is a sine of half the full scale: so loud it is at volume 1, as a root mean square.
const FULL: f32 = 0.353_55;
/// So far from a whole second a beep may be.
const OFF: f64 = 0.020;

/// A sound server whose only device plays into the void, at the speed of a real one.
struct Server {
    child: Child,
    folder: tempfile::TempDir,
    address: String,
}

impl Server {
    fn start(socket: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // One that was killed leaves its socket behind.
        let _ = std::fs::remove_file(socket);
        let protocol = format!(
            "module-native-protocol-unix socket={} auth-anonymous=1",
            socket.display()
        );
        let mut command = quiet("pulseaudio", &folder);
        command.args(["--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]);
        command.args(["--disable-shm=yes", "-n"]);
        command.args(["-L", "module-null-sink sink_name=void rate=48000"]);
        command.args(["-L", &protocol]).stdout(Stdio::null());
        let child = command.spawn().expect("pulseaudio starts");
        let server = Self {
            child,
            folder,
            address: format!("unix:{}", socket.display()),
        };
        until("the sound server answers", || {
            let mut info = quiet("pactl", &server.folder);
            info.args(["--server", &server.address, "info"]);
            let info = info.output().expect("pactl runs");
            info.status.success().then_some(())
        });
        server
    }

    /// Records what is played from now on.
    fn record(&self) -> Recorder {
        let mut command = quiet("parec", &self.folder);
        command.args(["--server", &self.address, "--device=void.monitor", "--raw"]);
        command.args(["--rate=48000", "--channels=1", "--format=float32le"]);
        let mut child = command
            .arg("--latency-msec=20")
            .stdout(Stdio::piped())
            .spawn()
            .expect("parec starts");
        let mut output = child.stdout.take().expect("piped");
        let samples = Arc::new(Mutex::new(Vec::new()));
        let recorded = samples.clone();
        let thread = std::thread::spawn(move || {
            let mut frame = [0; 4 * 480];
            while output.read_exact(&mut frame).is_ok() {
                let block = frame
                    .chunks_exact(4)
                    .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
                recorded.lock().expect("samples").extend(block);
            }
        });
        Recorder {
            child,
            samples,
            thread: Some(thread),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("dead");
    }
}

/// A command that looks for nothing in the user's own folders.
fn quiet(program: &str, folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new(program);
    command.env("HOME", folder.path());
    command.env("XDG_RUNTIME_DIR", folder.path());
    command.env("PULSE_RUNTIME_PATH", folder.path());
    command.env_remove("PULSE_SERVER");
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command
}

struct Recorder {
    child: Child,
    samples: Arc<Mutex<Vec<f32>>>,
    thread: Option<JoinHandle<()>>,
}

/// A beep: when it began, in seconds of the recording, and how loud it was, as a root mean square.
#[derive(Clone, Copy, Debug)]
struct Beep {
    onset: f64,
    level: f32,
}

impl Recorder {
    fn seconds(&self) -> usize {
        self.samples.lock().expect("samples").len() / RATE
    }

    /// The loudest sample of the last so many seconds.
    fn peak(&self, seconds: usize) -> f32 {
        let samples = self.samples.lock().expect("samples");
        let from = samples.len().saturating_sub(seconds * RATE);
        samples[from..]
            .iter()
            .fold(0.0, |peak, sample| peak.max(sample.abs()))
    }

    /// All beeps that have ended.
    fn beeps(&self) -> Vec<Beep> {
        let samples = self.samples.lock().expect("samples");
        let (quiet, length) = (RATE * 30 / 1000, RATE * 60 / 1000);
        let (mut beeps, mut last): (Vec<usize>, Option<usize>) = (Vec::new(), None);
        for (at, sample) in samples.iter().enumerate() {
            if sample.abs() > 0.02 {
                if last.is_none_or(|last| at - last > quiet) {
                    beeps.push(at);
                }
                last = Some(at);
            }
        }
        let ended = beeps.into_iter().filter(|at| at + length < samples.len());
        let beep = |at: usize| {
            // Its middle: a codec rings at both ends.
            let middle = &samples[at + RATE / 100..at + RATE * 4 / 100];
            let power = middle.iter().map(|sample| sample * sample).sum::<f32>();
            Beep {
                onset: at as f64 / RATE as f64,
                level: (power / middle.len() as f32).sqrt(),
            }
        };
        ended.map(beep).collect()
    }

    /// Waits until so many beeps in a row have come at whole seconds from the first of them, and gives those.
    ///
    /// A machine that stands still for a moment may swallow one; what is wrong in the player is wrong each time.
    fn steady(&self, number: usize) -> Vec<Beep> {
        let before = self.beeps().len();
        until("beeps come each second", || {
            let beeps = self.beeps();
            let new = &beeps[before.min(beeps.len())..];
            let last = &new[new.len().checked_sub(number)?..];
            are_each_second(last).then(|| last.to_vec())
        })
    }

    /// Waits for so many beeps more than there are now, and gives those.
    fn more(&self, number: usize) -> Vec<Beep> {
        let before = self.beeps().len();
        until("beeps are recorded", || {
            let beeps = self.beeps();
            (beeps.len() >= before + number).then(|| beeps[before..].to_vec())
        })
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("dead");
        if let Some(thread) = self.thread.take() {
            thread.join().expect("all is read");
        }
    }
}

/// A box with a looped clip of four seconds, with a flash and a beep each second.
fn beeping() -> PlayerBox {
    let player = PlayerBox::new();
    let clip = Clip {
        size: (320, 180),
        frames: 100,
        ..Clip::new(1)
    };
    player.clip("beeps.mp4", &clip);
    player.playlist(&["beeps.mp4"]);
    player
}

/// ALSA with PulseAudio for its default device.
fn alsa_over(player: &PlayerBox, server: &str) {
    let text = format!(
        "</usr/share/alsa/alsa.conf>\npcm.!default {{ type pulse server \"{server}\" }}\n\
         ctl.!default {{ type pulse server \"{server}\" }}\n"
    );
    player.file("alsa.conf", text.as_bytes());
}

fn start(player: &PlayerBox, config: &str) -> Running {
    let path = player.file("box.toml", config.as_bytes());
    let playlist = player.path("playlist.json");
    let (path, playlist) = (
        path.to_str().expect("text"),
        playlist.to_str().expect("text"),
    );
    let arguments = [
        "--config",
        path,
        "--playlist",
        playlist,
        "--mode",
        "320x180@50",
    ];
    let mut command = player.daemon(&arguments);
    command.env("ALSA_CONFIG_PATH", player.path("alsa.conf"));
    command.env("HOME", player.path("home"));
    Running::start(command)
}

/// Ends the daemon in good order, and gives its log.
fn end(running: Running) -> Vec<String> {
    running.signal("TERM");
    let (status, log) = running.end();
    assert!(status.success(), "{status}: {}", log.join("\n"));
    log
}

fn lines_with<'a>(log: &'a [String], text: &str) -> Vec<&'a String> {
    log.iter().filter(|line| line.contains(text)).collect()
}

/// Whether beeps come at whole seconds from the first, none missing and none twice.
fn are_each_second(beeps: &[Beep]) -> bool {
    let at = |beep: &Beep| beep.onset - beeps[0].onset;
    (0_u32..)
        .zip(beeps)
        .all(|(second, beep)| (at(beep) - f64::from(second)).abs() <= OFF)
}

/// The usual loudness of some beeps, against volume 1.
fn volume(beeps: &[Beep]) -> f32 {
    let mut levels: Vec<f32> = beeps.iter().map(|beep| beep.level).collect();
    levels.sort_by(f32::total_cmp);
    levels[levels.len() / 2] / FULL
}

#[track_caller]
fn assert_volume(beeps: &[Beep], wanted: f32) {
    let found = volume(beeps);
    assert!(
        (found / wanted - 1.0).abs() < 0.1,
        "volume {found}, wanted {wanted}: {beeps:?}"
    );
}

#[test]
fn aac_reaches_the_default_device_at_the_default_volume_through_every_loop() {
    let player = beeping();
    let server = Server::start(&player.path("pulse.sock"));
    alsa_over(&player, &server.address);
    let recorder = server.record();
    let running = start(&player, "");
    // Three rounds of the clip.
    let beeps = recorder.steady(12);
    let status = player.wait_for("the offset is measured", |status| {
        status["audio"]["av_offset_ms"].is_number()
    });
    assert_eq!(status["audio"]["device"], "alsasink");
    let offset = status["audio"]["av_offset_ms"].as_f64().expect("a number");
    assert!(offset.abs() < 60.0, "{offset}");
    assert!(status["replays"].as_u64() >= Some(2), "{status:#}");
    let doctor = doctor(&player);
    assert_eq!(doctor["ok"], "ok", "{doctor}");
    let detail = doctor["detail"].as_str().expect("text");
    assert!(
        detail.contains("alsasink plays") && detail.ends_with("volume 80 %"),
        "{detail}"
    );
    assert_volume(&beeps, 0.8);
    let log = end(running);
    assert_eq!(lines_with(&log, "no sound output"), [""; 0]);
}

#[test]
fn mute_and_volume_change_while_playing() {
    let player = beeping();
    let server = Server::start(&player.path("pulse.sock"));
    let config = |keys: &str| {
        format!(
            "{keys}\n[audio]\nsink = \"pulsesink server={}\"\n",
            server.address
        )
    };
    let recorder = server.record();
    let running = start(&player, &config("mute = true"));
    let change = |keys: &str| {
        player.file("box.toml", config(keys).as_bytes());
        running.signal("HUP");
    };
    // Two rounds of the clip have eight beeps.
    player.wait_for("two rounds are shown", |status| {
        status["replays"].as_u64() >= Some(2) && status["audio"]["device"].is_string()
    });
    until("some of it is recorded", || {
        (recorder.seconds() >= 4).then_some(())
    });
    assert!(
        recorder.peak(usize::MAX / RATE) < 1e-4,
        "muted sound is heard"
    );

    change("volume = 0.8");
    // The first may have begun before the change.
    assert_volume(&recorder.more(4)[1..], 0.8);

    change("volume = 0.2");
    until("it is softer", || {
        let beeps = recorder.more(1);
        ((volume(&beeps) / 0.2 - 1.0).abs() < 0.1).then_some(())
    });
    assert_volume(&recorder.steady(3), 0.2);
    assert_eq!(player.status()["settings"]["volume"], 0.2);

    change("volume = 0.2\nmute = true");
    until("it is silent", || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        (recorder.peak(3) < 1e-4).then_some(())
    });
    let status = player.status();
    assert_eq!(
        (&status["state"], &status["settings"]["mute"]),
        (&"playing".into(), &true.into())
    );

    change("volume = 0.0");
    change("volume = 1.0");
    assert_volume(&recorder.more(4)[1..], 1.0);
    end(running);
}

#[test]
fn without_a_device_it_plays_on_and_says_so_once() {
    let player = beeping();
    player.file("alsa.conf", b"# No device at all.\n");
    let running = start(&player, "");
    // More than two attempts.
    let status = player.wait_for("it has tried again", |status| {
        status["uptime_ms"].as_u64() > Some(12_000) && status["replays"].as_u64() >= Some(2)
    });
    assert_eq!(status["audio"]["device"], Value::Null);
    assert_eq!(status["audio"]["av_offset_ms"], Value::Null);
    assert_eq!(status["state"], "playing");
    assert_eq!(status["errors"], serde_json::json!([]));
    let doctor = doctor(&player);
    assert_eq!(doctor["ok"], "warn", "{doctor}");
    assert!(doctor["advice"].is_string());
    let log = end(running);
    assert_eq!(lines_with(&log, "no sound output").len(), 1, "{log:#?}");
}

#[test]
fn a_device_that_dies_and_returns_is_heard_again() {
    for sink in ["pulsesink", "alsasink"] {
        let player = beeping();
        let socket = player.path("pulse.sock");
        let server = Server::start(&socket);
        alsa_over(&player, &server.address);
        let sink = match sink {
            "pulsesink" => format!("pulsesink server={}", server.address),
            other => other.to_owned(),
        };
        let recorder = server.record();
        let running = start(&player, &format!("[audio]\nsink = \"{sink}\"\n"));
        recorder.steady(3);
        drop((recorder, server));
        let without = player.wait_for("the loss is noticed", |status| {
            status["audio"]["device"].is_null()
        });
        player.wait_for("it plays on", |status| {
            status["replays"].as_u64() > without["replays"].as_u64()
        });
        let server = Server::start(&socket);
        let recorder = server.record();
        assert_volume(&recorder.steady(4), 0.8);
        let status = player.status();
        assert_eq!(status["audio"]["device"], sink.as_str());
        assert_eq!(status["errors"], serde_json::json!([]));
        let log = end(running);
        assert_eq!(lines_with(&log, "no sound output").len(), 1, "{log:#?}");
        assert_eq!(lines_with(&log, "sound output opened").len(), 2, "{log:#?}");
    }
}

/// The doctor's word on sound.
fn doctor(player: &PlayerBox) -> Value {
    let output = player.ctl(&["doctor", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("findings");
    let checks = report["checks"].as_array().expect("checks");
    let audio = checks.iter().find(|check| check["name"] == "audio");
    audio.expect("it looks at the sound").clone()
}
