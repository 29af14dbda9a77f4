//! A box for tests: a folder with media and a playlist, and the daemon that plays it.

#![allow(dead_code)] // Every test takes the part that it needs.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::counted::{
    expect::Expect,
    generate::{self, Clip},
    judge,
    report::Verdict,
};

/// Long enough for anything on a machine that is busy with something else.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A folder of its own, with what the daemon needs.
pub struct PlayerBox {
    folder: tempfile::TempDir,
}

impl PlayerBox {
    /// An empty box.
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// A path in the box.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a counted clip into the box. Clips are made once and kept for later runs.
    pub fn clip(&self, name: &str, clip: &Clip) -> PathBuf {
        self.kept(name, &format!("{clip:?}"), |path| {
            generate::make(clip, path).expect("a clip")
        })
    }

    /// Puts a counted image into the box.
    pub fn image(&self, name: &str, id: u8) -> PathBuf {
        self.kept(name, &id.to_string(), |path| {
            generate::image(id, (640, 360), path).expect("an image")
        })
    }

    fn kept(&self, name: &str, recipe: &str, make: impl FnOnce(&Path)) -> PathBuf {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clips");
        std::fs::create_dir_all(&cache).expect("a folder");
        let key: String = recipe
            .chars()
            .filter(|letter| letter.is_ascii_alphanumeric())
            .collect();
        let kept = cache.join(format!("{key}-{name}"));
        if !kept.exists() {
            let making = tempfile::tempdir_in(&cache).expect("a folder");
            let made = making.path().join(name);
            make(&made);
            std::fs::rename(made, &kept).expect("renamed");
        }
        let target = self.path(name);
        std::fs::copy(kept, &target).expect("copied");
        target
    }

    /// Puts a file into the box.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("written");
        path
    }

    /// A playlist of one montage with one track of these files; the files' names are the items' ids.
    pub fn playlist(&self, files: &[&str]) -> PathBuf {
        let items: Vec<Value> = files
            .iter()
            .map(|file| json!({"id": file, "src": file}))
            .collect();
        self.playlist_of(json!([{"id": "m", "tracks": [{"id": "t", "items": items}]}]))
    }

    /// A playlist of these montages.
    pub fn playlist_of(&self, montages: Value) -> PathBuf {
        let playlist = json!({"id": "p", "name": "Test", "montages": montages});
        self.file("playlist.json", playlist.to_string().as_bytes())
    }

    /// The daemon's command line: virtual display, sockets and state in the box, no sound device.
    pub fn daemon(&self, arguments: &[&str]) -> Command {
        // What the network around has to offer is no part of a test.
        self.file("musebox.toml", b"[house]\ndiscover = false\n");
        let mut command = Command::new(env!("CARGO_BIN_EXE_museboxd"));
        command.args(["--display", "virtual"]).args(arguments);
        if !arguments.contains(&"--config") {
            command.arg("--config").arg(self.path("musebox.toml"));
        }
        command.arg("--socket").arg(self.path("control.sock"));
        command.arg("--state").arg(self.path("state"));
        command.arg("--report").arg(self.path("report.json"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// Runs `museboxctl` on the box's daemon.
    pub fn ctl(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_museboxctl"));
        command
            .arg("--socket")
            .arg(self.path("control.sock"))
            .args(arguments);
        command.output().expect("museboxctl runs")
    }

    /// The daemon's status, once it answers.
    pub fn status(&self) -> Value {
        until("the daemon answers", || {
            let output = self.ctl(&["status", "--json"]);
            output
                .status
                .success()
                .then(|| serde_json::from_slice(&output.stdout).expect("JSON"))
        })
    }

    /// Waits until the status is as wanted.
    pub fn wait_for(&self, what: &str, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        until(what, || Some(self.status()).filter(|status| wanted(status)))
    }

    /// The report that the daemon wrote at its end.
    pub fn report(&self) -> Value {
        let file = File::open(self.path("report.json")).expect("a report");
        serde_json::from_reader(file).expect("JSON")
    }
}

/// Asks again and again until there is an answer.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A running daemon. It is ended with the test.
pub struct Running {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    logging: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts a daemon and keeps its log.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("museboxd starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = log.clone();
        let errors = child.stderr.take().expect("piped");
        let logging = std::thread::spawn(move || {
            for line in BufReader::new(errors).lines() {
                kept.lock().expect("the log").push(line.expect("text"));
            }
        });
        Self {
            child,
            log,
            logging: Some(logging),
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().expect("the log").clone()
    }

    /// Takes its standard output.
    pub fn output(&mut self) -> std::process::ChildStdout {
        self.child.stdout.take().expect("piped")
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.id().to_string())
            .status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits for its end.
    pub fn end(mut self) -> (ExitStatus, Vec<String>) {
        let status = self.child.wait().expect("it ends");
        self.logging.take().expect("once").join().expect("the log");
        (status, self.log())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came out of a run.
pub struct Played {
    /// The judge's verdict on the capture.
    pub verdict: Verdict,
    /// The daemon's report.
    pub report: Value,
    /// The daemon's log.
    pub log: Vec<String>,
}

impl Played {
    /// Fails with everything that is known unless the judge found nothing wrong.
    #[track_caller]
    pub fn assert_perfect(&self) {
        assert!(
            self.verdict.passed(),
            "{}\n{}\n{:#}",
            self.verdict,
            self.log.join("\n"),
            self.report
        );
    }
}

/// Plays a playlist with its capture, and its sound where `sound` says so, going to the judge.
pub fn play(player: &PlayerBox, arguments: &[&str], expect: &Expect, sound: Sound) -> Played {
    play_watched(player, arguments, expect, sound, |_| ())
}

/// The same; meanwhile `watch` may look at the running daemon.
pub fn play_watched(
    player: &PlayerBox,
    arguments: &[&str],
    expect: &Expect,
    sound: Sound,
    watch: impl FnOnce(&Running),
) -> Played {
    let mut command = player.daemon(arguments);
    let wav = player.path("sound.wav");
    if sound == Sound::Judged {
        command.arg("--capture-audio").arg(&wav);
    }
    command.args(["--capture", "-"]).stdout(Stdio::piped());
    let mut running = Running::start(command);
    let capture = BufReader::with_capacity(1 << 20, running.output());
    let ended = Arc::new(Mutex::new(()));
    let (verdict, status, log) = std::thread::scope(|scope| {
        // The sound is whole once the daemon has ended, which this lock tells.
        let alive = ended.lock().expect("a lock");
        let mut late = LateFile {
            path: wav,
            file: None,
            ended: ended.clone(),
        };
        let judged = scope.spawn(move || {
            let listen: Option<&mut dyn std::io::Read> = match sound {
                Sound::Judged => Some(&mut late),
                Sound::Ignored => None,
            };
            judge::judge(capture, listen, expect)
        });
        watch(&running);
        let (status, log) = running.end();
        drop(alive);
        (judged.join().expect("the judge"), status, log)
    });
    assert!(status.success(), "{status}: {}", log.join("\n"));
    Played {
        verdict: verdict.expect("a capture"),
        report: player.report(),
        log,
    }
}

/// Whether the sound is judged with the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// It is.
    Judged,
    /// It is not.
    Ignored,
}

/// A file that is opened when it is first read, once its writer has ended.
struct LateFile {
    path: PathBuf,
    file: Option<File>,
    ended: Arc<Mutex<()>>,
}

impl std::io::Read for LateFile {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.file.is_none() {
            drop(self.ended.lock().expect("a lock"));
            self.file = Some(File::open(&self.path)?);
        }
        self.file.as_mut().map_or(Ok(0), |file| file.read(buffer))
    }
}
