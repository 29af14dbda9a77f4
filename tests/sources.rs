//! What is not a plain MP4 file: other containers, addresses on the network, and things that only look like media.
//!
//! The real player plays them, in lockstep where a capture can be held against the playlist frame by frame, in real
//! time where the source is live. Nothing depends on how fast the machine is: what is awaited is polled for.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

#[path = "support/counted/mod.rs"]
mod counted;
#[path = "support/servers/mod.rs"]
mod servers;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use counted::{
    expect::Expect,
    generate::{self, Audio, Clip, Codec},
    judge::judge,
    pattern::Rate,
    report::Verdict,
};
use serde_json::{Value, json};
use servers::{
    http::{Http, Manner},
    ports,
    rtsp::Rtsp,
};
use tempfile::TempDir;

/// How long anything may take at most. Only a hang takes so long.
const DEADLINE: Duration = Duration::from_secs(180);

/// A player that runs, and a judge of all that it shows.
struct Player {
    child: Child,
    socket: PathBuf,
    report: PathBuf,
    judge: Option<JoinHandle<Verdict>>,
}

impl Player {
    /// Starts a player in a folder. `items` are ids with what belongs to them.
    fn start(folder: &Path, items: &[(&str, Value)], arguments: &[&str], expect: Expect) -> Self {
        let items: Vec<Value> = items
            .iter()
            .map(|(id, item)| {
                let mut item = match item {
                    Value::String(src) => json!({ "src": src }),
                    item => item.clone(),
                };
                item["id"] = json!(id);
                item
            })
            .collect();
        let playlist = json!({ "id": "p", "name": "p", "montages":
            [{ "id": "m", "tracks": [{ "id": "t", "items": items }] }] });
        let path = folder.join("playlist.json");
        fs::write(&path, playlist.to_string()).expect("a file");
        let (socket, report) = (folder.join("control.sock"), folder.join("report.json"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_museboxd"))
            .arg("--playlist")
            .arg(&path)
            .arg("--socket")
            .arg(&socket)
            .arg("--report")
            .arg(&report)
            .arg("--state")
            .arg(folder.join("state"))
            .args(["--display", "virtual", "--capture", "-"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the player starts");
        let capture = child.stdout.take().expect("a pipe");
        let judge = thread::spawn(move || judge(capture, None, &expect).expect("a capture"));
        Self {
            child,
            socket,
            report,
            judge: Some(judge),
        }
    }

    /// A player in real time, of which only what is wrong in itself is judged.
    fn live(folder: &Path, items: &[(&str, Value)]) -> Self {
        Self::start(folder, items, &["--mode", "320x180@25"], Expect::default())
    }

    fn ask(&self) -> Option<Value> {
        let output = Command::new(env!("CARGO_BIN_EXE_museboxctl"))
            .arg("--socket")
            .arg(&self.socket)
            .args(["status", "--json"])
            .output()
            .expect("the command line starts");
        output
            .status
            .success()
            .then(|| serde_json::from_slice(&output.stdout).expect("a status"))
    }

    /// Asks for the status until it is as wanted.
    fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        let mut last = Value::Null;
        while begun.elapsed() < DEADLINE {
            if let Some(status) = self.ask() {
                if wanted(&status) {
                    return status;
                }
                last = status;
            }
            let ended = self.child.try_wait().expect("a child");
            assert!(
                ended.is_none(),
                "the player has ended before {what}: {last}"
            );
            thread::sleep(Duration::from_millis(50));
        }
        panic!("waited too long for {what}: {last:#}");
    }

    /// Waits for the planned end.
    fn finish(&mut self) -> (Value, Verdict) {
        let status = self.child.wait().expect("a child");
        let verdict = self.judge.take().expect("once").join().expect("a verdict");
        assert!(status.success(), "{status}: {verdict}");
        let report = fs::read(&self.report).expect("a report");
        (serde_json::from_slice(&report).expect("a status"), verdict)
    }

    /// Ends it, and gives what was on the screen from the first picture on.
    fn stop(&mut self) -> Verdict {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").arg(&id).status().expect("kill starts");
        assert!(sent.success());
        self.finish().1
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn make(folder: &Path, name: &str, clip: &Clip) -> PathBuf {
    let path = folder.join(name);
    generate::make(clip, &path).expect("a clip");
    path
}

fn small(id: u8) -> Clip {
    Clip {
        size: (320, 180),
        ..Clip::new(id)
    }
}

fn ffmpeg(arguments: &[&str]) {
    let status = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-nostdin", "-y"])
        .args(arguments)
        .status();
    assert!(
        status.expect("ffmpeg is installed").success(),
        "{arguments:?}"
    );
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// What a playlist must show, in so many rounds.
fn expected(items: &str, rounds: u64) -> Expect {
    let expect: Expect = items.parse().expect("a playlist");
    Expect {
        rounds: Some(rounds),
        ..expect
    }
}

fn shown(status: &Value) -> u64 {
    status["items_shown"].as_u64().expect("a count")
}

/// The kind of fault that an item is reported with, if it is.
fn fault<'a>(status: &'a Value, item: &str) -> Option<&'a str> {
    let errors = status["errors"].as_array().expect("a list");
    let error = errors.iter().find(|error| error["item"] == item)?;
    error["kind"].as_str()
}

fn is_playing(status: &Value, item: &str) -> bool {
    let slots = status["screens"][0]["slots"].as_array().expect("slots");
    slots.iter().any(|slot| {
        slot["item"] == item && (slot["state"] == "playing" || slot["state"] == "draining")
    })
}

const LOCKSTEP: [&str; 6] = [
    "--mode",
    "320x180@60",
    "--pace",
    "lockstep",
    "--rounds",
    "2",
];

#[test]
fn every_container_plays_whole_and_in_its_time_between_mp4_files() {
    let folder = folder();
    let dir = folder.path();
    let plain = make(dir, "plain.mp4", &small(1));
    let coded = |id, codec, rate, bframes| Clip {
        codec,
        rate: Rate::hertz(rate),
        bframes,
        ..small(id)
    };
    make(dir, "vp9.webm", &coded(2, Codec::Vp9, 25, 0));
    make(dir, "vp8.webm", &coded(3, Codec::Vp8, 30, 0));
    // The sound's encoder delay puts the first frame 21 ms after the start of the file.
    make(dir, "h264.mkv", &coded(4, Codec::H264, 25, 2));
    make(dir, "h264.ts", &coded(5, Codec::H264, 25, 2));
    for (id, name, codec) in [(6, "mjpeg.mov", "mjpeg"), (7, "prores.mov", "prores_ks")] {
        let clip = make(dir, &format!("{codec}.mp4"), &small(id));
        let output = dir.join(name);
        ffmpeg(&[
            "-i",
            text(&clip),
            "-c:v",
            codec,
            "-q:v",
            "3",
            "-c:a",
            "pcm_s16le",
            text(&output),
        ]);
    }
    let clip = make(dir, "theora.mp4", &small(8));
    let output = dir.join("theora.ogv");
    ffmpeg(&[
        "-i",
        text(&clip),
        "-c:v",
        "libtheora",
        "-q:v",
        "9",
        "-c:a",
        "libvorbis",
        text(&output),
    ]);

    let names = [
        "vp9.webm",
        "vp8.webm",
        "h264.mkv",
        "h264.ts",
        "mjpeg.mov",
        "prores.mov",
        "theora.ogv",
    ];
    let mut items = Vec::new();
    for name in names {
        items.push(("plain", json!(text(&plain))));
        items.push((name, json!(name)));
    }
    let spec = "1:50:25,2:50:25,1:50:25,3:50:30,1:50:25,4:50:25,1:50:25,5:50:25,1:50:25,6:50:25,1:50:25,7:50:25,\
                1:50:25,8:50:25";
    let mut player = Player::start(dir, &items, &LOCKSTEP, expected(spec, 2));
    let (report, verdict) = player.finish();
    assert!(verdict.passed(), "{verdict}");
    assert_eq!(verdict.frames, 2 * 14 * 50);
    assert_eq!(report["errors"], json!([]));
}

#[test]
fn addresses_play_like_files() {
    let (folder, site) = (folder(), folder());
    let dir = folder.path();
    let local = make(dir, "local.mp4", &small(1));
    make(site.path(), "a.mp4", &small(2));
    make(
        site.path(),
        "b.mkv",
        &Clip {
            bframes: 2,
            ..small(3)
        },
    );
    generate::image(4, (320, 180), &site.path().join("c.png")).expect("an image");
    generate::image(5, (320, 180), &site.path().join("d.jpg")).expect("an image");
    let http = Http::start(site.path(), Manner::Serves);
    let image = |name: &str| json!({ "src": http.url(name), "kind": "image", "duration_ms": 500 });
    let items = [
        ("local", json!(text(&local))),
        ("a", json!(http.url("a.mp4"))),
        ("c", image("c.png")),
        ("b", json!(http.url("b.mkv"))),
        ("d", image("d.jpg")),
    ];
    let spec = "1:50:25,2:50:25,4:still:500,3:50:25,5:still:500";
    let mut player = Player::start(dir, &items, &LOCKSTEP, expected(spec, 2));
    let (report, verdict) = player.finish();
    assert!(verdict.passed(), "{verdict}");
    assert_eq!(report["errors"], json!([]));
}

#[test]
fn what_only_looks_like_a_medium_is_reported_and_stepped_over() {
    let folder = folder();
    let dir = folder.path();
    let good = make(dir, "good.mp4", &small(1));
    let clip = make(dir, "sound.mkv", &small(2));
    fs::write(
        dir.join("text.mp4"),
        "This is a letter, not a film.\n".repeat(50),
    )
    .expect("a file");
    fs::write(
        dir.join("text.mkv"),
        "This is a letter, not a film.\n".repeat(50),
    )
    .expect("a file");
    fs::write(dir.join("empty.mkv"), "").expect("a file");
    let half = fs::read(&clip).expect("a clip");
    fs::write(dir.join("head.mkv"), &half[..400]).expect("a file");
    ffmpeg(&[
        "-i",
        text(&clip),
        "-vn",
        "-c:a",
        "copy",
        text(&dir.join("sound.mka")),
    ]);
    let bad = [
        ("text.mp4", "corrupt"),
        ("text.mkv", "corrupt"),
        ("empty.mkv", "corrupt"),
        ("head.mkv", "corrupt"),
        ("sound.mka", "unsupported"),
        ("missing.mkv", "missing"),
    ];
    let mut items = vec![("good", json!(text(&good)))];
    items.extend(bad.map(|(name, _)| (name, json!({ "src": name, "kind": "video" }))));
    let mut player = Player::start(dir, &items, &LOCKSTEP, expected("1:50:25", 2));
    let (report, verdict) = player.finish();
    assert!(verdict.passed(), "{verdict}");
    let kinds: BTreeMap<&str, &str> = bad
        .map(|(name, _)| (name, fault(&report, name).unwrap_or("none")))
        .into();
    assert_eq!(kinds, BTreeMap::from(bad), "{report:#}");
}

/// A mono-montage of what a server sends: the server goes and comes back, and the picture with it.
fn comes_back<S>(url: &str, folder: &Path, mut server: impl FnMut() -> S) -> Verdict {
    let first = server();
    let mut player = Player::live(folder, &[("net", json!(url))]);
    player.until("the first picture", |status| is_playing(status, "net"));
    drop(first);
    let lost = player.until("a report", |status| fault(status, "net") == Some("network"));
    let _second = server();
    player.until("the picture's return", |status| {
        is_playing(status, "net") && shown(status) > shown(&lost)
    });
    let verdict = player.stop();
    assert_eq!(verdict.black, 0, "{verdict}");
    assert_eq!(verdict.order_errors, 0, "{verdict}");
    verdict
}

#[test]
fn a_playlist_goes_on_while_a_server_is_away_and_takes_it_in_again() {
    let (folder, site) = (folder(), folder());
    let dir = folder.path();
    let local = make(dir, "local.mp4", &small(1));
    make(site.path(), "a.mkv", &small(2));
    let http = Http::start(site.path(), Manner::Serves);
    let (port, url) = (http.port(), http.url("a.mkv"));
    let items = [("local", json!(text(&local))), ("net", json!(url))];
    let mut player = Player::live(dir, &items);
    player.until("both items", |status| is_playing(status, "net"));
    drop(http);
    let lost = player.until("a report", |status| fault(status, "net") == Some("network"));
    player.until("the other item to go on", |status| {
        shown(status) >= shown(&lost) + 3 && is_playing(status, "local")
    });
    let _http = Http::again(site.path(), port, Manner::Serves);
    player.until("the item's return", |status| is_playing(status, "net"));
    let verdict = player.stop();
    assert_eq!((verdict.black, verdict.unreadable), (0, 0), "{verdict}");
}

#[test]
fn an_http_stream_that_breaks_off_in_its_middle_comes_back() {
    let (folder, site) = (folder(), folder());
    let clip = make(
        site.path(),
        "a.ts",
        &Clip {
            frames: 250,
            audio: Audio::None,
            ..small(2)
        },
    );
    let size = clip.metadata().expect("a file").len();
    let http = Http::start(site.path(), Manner::Serves);
    let (port, url) = (http.port(), http.url("a.ts"));
    drop(http);
    let mut manner = Manner::HoldsAt(size * 3 / 5);
    comes_back(&url, folder.path(), || {
        let http = Http::again(site.path(), port, manner);
        manner = Manner::Serves;
        http
    });
}

#[test]
fn a_server_that_never_answers_holds_up_nobody() {
    let (folder, site) = (folder(), folder());
    let dir = folder.path();
    let local = make(dir, "local.mp4", &small(1));
    let http = Http::start(site.path(), Manner::Silent);
    let items = [
        ("local", json!(text(&local))),
        ("net", json!(http.url("a.mkv"))),
    ];
    let mut player = Player::live(dir, &items);
    let failed = player.until("a report", |status| fault(status, "net").is_some());
    assert_eq!(fault(&failed, "net"), Some("stalled"));
    player.until("the other item", |status| {
        shown(status) > shown(&failed) + 1
    });
    let verdict = player.stop();
    assert_eq!((verdict.black, verdict.unreadable), (0, 0), "{verdict}");
}

/// Ten minutes of a counted clip of ten seconds, as a live source has no end.
fn endless(folder: &Path) -> PathBuf {
    let clip = Clip {
        frames: 250,
        gop: Some(25),
        audio: Audio::None,
        ..small(9)
    };
    let clip = make(folder, "endless.ts", &clip);
    let output = folder.join("endless.mkv");
    ffmpeg(&[
        "-stream_loop",
        "60",
        "-i",
        text(&clip),
        "-c",
        "copy",
        text(&output),
    ]);
    output
}

#[test]
fn an_rtsp_stream_comes_back() {
    let folder = folder();
    let clip = endless(folder.path());
    let port = ports::free();
    let url = format!("rtsp://127.0.0.1:{port}/live");
    let verdict = comes_back(&url, folder.path(), || Rtsp::start(&clip, port));
    assert!(verdict.frames > 3, "{verdict}");
}

#[test]
fn an_rtsp_stream_that_falls_silent_is_given_up_and_tried_again() {
    let folder = folder();
    let clip = endless(folder.path());
    let port = ports::free();
    let mut rtsp = Rtsp::start(&clip, port);
    let mut player = Player::live(folder.path(), &[("net", json!(rtsp.url()))]);
    player.until("the first picture", |status| is_playing(status, "net"));
    rtsp.fall_silent();
    let lost = player.until("a report", |status| fault(status, "net") == Some("stalled"));
    drop(rtsp);
    let _rtsp = Rtsp::start(&clip, port);
    player.until("the picture's return", |status| {
        is_playing(status, "net") && shown(status) > shown(&lost)
    });
    assert_eq!(player.stop().black, 0);
}

#[test]
fn hls_on_demand_loops_and_comes_back() {
    let (folder, site) = (folder(), folder());
    let clip = make(
        folder.path(),
        "clip.ts",
        &Clip {
            frames: 100,
            gop: Some(25),
            ..small(3)
        },
    );
    let list = site.path().join("list.m3u8");
    ffmpeg(&[
        "-i",
        text(&clip),
        "-c",
        "copy",
        "-f",
        "hls",
        "-hls_time",
        "1",
        "-hls_playlist_type",
        "vod",
        text(&list),
    ]);

    // Whole and in its time, first.
    let http = Http::start(site.path(), Manner::Serves);
    let items = [("net", json!(http.url("list.m3u8")))];
    let mut player = Player::start(folder.path(), &items, &LOCKSTEP, expected("3:100:25", 2));
    let (report, verdict) = player.finish();
    assert!(verdict.passed(), "{verdict}");
    assert_eq!(report["errors"], json!([]));

    let (port, url) = (http.port(), http.url("list.m3u8"));
    drop(http);
    comes_back(&url, folder.path(), || {
        Http::again(site.path(), port, Manner::Serves)
    });
}

/// An encoder that writes a sliding window of segments, until it is dropped.
struct Window(Child);

impl Window {
    fn start(clip: &Path, list: &Path) -> Self {
        let child = Command::new("ffmpeg")
            .args([
                "-loglevel",
                "error",
                "-nostdin",
                "-re",
                "-i",
                text(clip),
                "-c",
                "copy",
                "-f",
                "hls",
            ])
            .args([
                "-hls_time",
                "1",
                "-hls_list_size",
                "5",
                "-hls_flags",
                "delete_segments",
            ])
            .arg(list)
            .spawn();
        Self(child.expect("ffmpeg is installed"))
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_live_hls_stream_comes_back() {
    let (folder, site) = (folder(), folder());
    let clip = endless(folder.path());
    let list = site.path().join("list.m3u8");
    let _window = Window::start(&clip, &list);
    let begun = Instant::now();
    while fs::read_to_string(&list).map_or(0, |list| list.matches("#EXTINF").count()) < 3 {
        assert!(begun.elapsed() < DEADLINE, "no segments");
        thread::sleep(Duration::from_millis(50));
    }
    let http = Http::start(site.path(), Manner::Serves);
    let (port, url) = (http.port(), http.url("list.m3u8"));
    drop(http);
    let verdict = comes_back(&url, folder.path(), || {
        Http::again(site.path(), port, Manner::Serves)
    });
    assert!(verdict.frames > 25, "{verdict}");
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    fds: usize,
    threads: usize,
    memory_kb: u64,
}

fn held(id: u32) -> Option<Held> {
    let count = |folder: &str| fs::read_dir(format!("/proc/{id}/{folder}")).map(Iterator::count);
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let memory = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(Held {
        fds: count("fd").ok()?,
        threads: count("task").ok()?,
        memory_kb: memory.split_whitespace().next()?.parse().ok()?,
    })
}

#[test]
fn a_medium_that_is_opened_anew_for_each_showing_leaves_nothing_behind() {
    let folder = folder();
    let clip = Clip {
        codec: Codec::Vp8,
        frames: 25,
        size: (160, 90),
        ..Clip::new(3)
    };
    let clip = make(folder.path(), "clip.webm", &clip);
    let items = [("webm", json!(text(&clip)))];
    let arguments = [
        "--mode",
        "160x90@25",
        "--pace",
        "lockstep",
        "--rounds",
        "301",
    ];
    let mut player = Player::start(folder.path(), &items, &arguments, expected("3:25:25", 301));
    let id = player.child.id();
    // What opens and closes by the way comes and goes; what leaks stays. So the least of many moments counts.
    let least = |player: &mut Player, from: u64| {
        let mut least: Option<Held> = None;
        loop {
            let status = player.until("the rounds", |status| shown(status) >= from);
            let Some(now) = held(id) else { break };
            least = Some(least.map_or(now, |least| Held {
                fds: least.fds.min(now.fds),
                threads: least.threads.min(now.threads),
                memory_kb: least.memory_kb.min(now.memory_kb),
            }));
            if shown(&status) >= from + 80 {
                break;
            }
        }
        least.expect("the player lives")
    };
    let early = least(&mut player, 10);
    let late = least(&mut player, 210);
    let (report, verdict) = player.finish();
    assert!(verdict.passed(), "{verdict}");
    assert_eq!(report["reloads"], 300);
    // What each showing leaves behind would be there more than a hundred times.
    assert!(late.fds <= early.fds + 10, "{early:?} {late:?}");
    assert!(late.threads <= early.threads + 10, "{early:?} {late:?}");
    assert!(
        late.memory_kb <= early.memory_kb + 8 * 1024,
        "{early:?} {late:?}"
    );
}
