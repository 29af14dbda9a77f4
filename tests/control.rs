//! The real museboxctl against the real server, with a host that plays nothing.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use musebox::{
    control_server::{BindError, Host, HttpServer, Refused, Request, UnixServer},
    domain::{
        ids::Position,
        protocol::{
            Check, CheckResult, DoctorReport, Event, EventKind, PictureFormat, State, Status,
            WireCommand,
        },
    },
};
use tempfile::TempDir;
use tokio::sync::{broadcast, oneshot};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nnot really a picture";
const JPEG: &[u8] = b"\xff\xd8\xff not really a picture";

fn example() -> Status {
    serde_json::from_str(include_str!("../docs/schema/status.example.json")).expect("the example")
}

/// What the host was asked, and how it answers.
struct Seen {
    commands: Vec<WireCommand>,
    widths: Vec<Option<u32>>,
    screens: Vec<Option<String>>,
    doctor: CheckResult,
}

/// A box with both servers, in a thread of its own.
struct TestBox {
    folder: TempDir,
    http: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    events: broadcast::Sender<Event>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl TestBox {
    fn new() -> Self {
        Self::with(|seen, events| {
            Host::new(move |request| {
                answer(&seen, &events, request);
                Ok(())
            })
        })
    }

    fn with(host: impl FnOnce(Arc<Mutex<Seen>>, broadcast::Sender<Event>) -> Host) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("run/control.sock");
        let seen = Arc::new(Mutex::new(Seen {
            commands: Vec::new(),
            widths: Vec::new(),
            screens: Vec::new(),
            doctor: CheckResult::Warn,
        }));
        let (events, _) = broadcast::channel(8);
        let host = host(seen.clone(), events.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let (bound, listening) = std::sync::mpsc::channel();
        let server = std::thread::spawn(move || {
            runtime().block_on(async move {
                let unix = UnixServer::bind(&socket).await.expect("the socket");
                let http = HttpServer::bind(([127, 0, 0, 1], 0).into()).await;
                let http = http.expect("an address");
                bound.send(http.address()).expect("the test waits");
                let (quit, _) = broadcast::channel::<()>(1);
                let wait = |mut quit: broadcast::Receiver<()>| async move {
                    let _ = quit.recv().await;
                };
                let unix = unix.serve(host.clone(), wait(quit.subscribe()));
                let http = http.serve(host, wait(quit.subscribe()));
                let end = async move {
                    let _ = stopped.await;
                    drop(quit);
                };
                let (unix, http, ()) = tokio::join!(unix, http, end);
                unix.expect("the socket is served");
                http.expect("the page is served");
            });
        });
        let http = listening.recv().expect("the servers are up");
        Self {
            folder,
            http,
            seen,
            events,
            stop: Some(stop),
            server: Some(server),
        }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("run/control.sock")
    }

    fn ctl(&self, words: &[&str]) -> Output {
        ctl(&self.socket(), words)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("no test has failed within")
    }

    /// Stops the servers and waits for them.
    fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(server) = self.server.take() {
            server.join().expect("the servers end in peace");
        }
    }

    /// One request on the Unix socket, as another HTTP client would write it.
    fn raw(&self, request: &str) -> String {
        exchange(
            UnixStream::connect(self.socket()).expect("a connection"),
            request,
        )
    }

    /// One request on the live page's address.
    fn web(&self, request: &str) -> String {
        exchange(
            TcpStream::connect(self.http).expect("a connection"),
            request,
        )
    }
}

impl Drop for TestBox {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn answer(seen: &Mutex<Seen>, events: &broadcast::Sender<Event>, request: Request) {
    let mut seen = seen.lock().expect("no test has failed within");
    // An asker may have gone: then nobody wants the answer.
    match request {
        Request::Status(reply) => drop(reply.send(example())),
        Request::Command(command, reply) => {
            let beyond = Position::new(9, 9, 9);
            let result = match command {
                WireCommand::Goto { position } if position == beyond => {
                    Err(format!("the playlist has no item at {position}"))
                }
                other => {
                    seen.commands.push(other);
                    Ok(())
                }
            };
            drop(reply.send(result));
        }
        Request::Screenshot {
            format,
            max_width,
            screen,
            reply,
            ..
        } => {
            seen.screens.push(screen.map(|screen| screen.to_string()));
            seen.widths.push(max_width);
            let picture = match format {
                PictureFormat::Png => PNG,
                PictureFormat::Jpeg => JPEG,
            };
            drop(reply.send(Ok(picture.to_vec())));
        }
        Request::Pair(Some(url), reply) => drop(reply.send(Ok(url))),
        Request::Pair(None, reply) => {
            drop(reply.send(Err("no house is known: name one".to_owned())))
        }
        Request::Unpair(reply) => drop(reply.send(Ok(()))),
        Request::Watch(reply) => drop(reply.send(events.subscribe())),
        Request::Doctor(reply) => {
            let check = Check {
                name: "disk".to_owned(),
                ok: seen.doctor,
                detail: "92 % full".to_owned(),
                advice: Some("make room".to_owned()),
            };
            drop(reply.send(DoctorReport {
                checks: vec![check],
            }));
        }
    }
}

fn ctl(socket: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_museboxctl"))
        .arg("--socket")
        .arg(socket)
        .args(words)
        .output()
        .expect("museboxctl runs")
}

fn exchange(mut stream: impl Read + Write, request: &str) -> String {
    stream
        .write_all(request.as_bytes())
        .expect("the request goes out");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

fn request(line: &str, host: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", stderr(output));
}

#[test]
fn status_is_the_host_s_report() {
    let test = TestBox::new();
    let output = test.ctl(&["status", "--json"]);
    assert_code(&output, 0);
    let status: Status = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(status, example());

    let output = test.ctl(&["status"]);
    assert_code(&output, 0);
    assert!(stdout(&output).starts_with("Foyer is playing"));
}

#[test]
fn commands_arrive_in_order_and_refusals_come_back() {
    let test = TestBox::new();
    for words in [
        &["play"][..],
        &["pause"],
        &["stop"],
        &["next"],
        &["previous"],
        &["goto", "M0T0I1"],
        &["replay"],
    ] {
        let output = test.ctl(words);
        assert_code(&output, 0);
        assert_eq!((stdout(&output), stderr(&output)), Default::default());
    }
    let position = Position::new(0, 0, 1);
    let expected = [
        WireCommand::Play,
        WireCommand::Pause,
        WireCommand::Stop,
        WireCommand::Next,
        WireCommand::Previous,
        WireCommand::Goto { position },
        WireCommand::Replay,
    ];
    assert_eq!(test.seen().commands, expected);

    let output = test.ctl(&["goto", "M9T9I9"]);
    assert_code(&output, 1);
    assert_eq!(
        stderr(&output),
        "museboxctl: the playlist has no item at M9T9I9\n"
    );

    let output = test.ctl(&["goto", "first"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("as in M0T0I0"));
    assert_eq!(
        test.seen().commands.len(),
        7,
        "what is no position is not sent"
    );
}

#[test]
fn pairing_names_a_house_or_says_why_not() {
    let test = TestBox::new();
    // The example's box belongs to this house already.
    let output = test.ctl(&["pair", "gallery.example:8443"]);
    assert_code(&output, 0);
    let told = stdout(&output);
    assert!(
        told.contains("belongs to the house at https://gallery.example:8443"),
        "{told}"
    );
    let output = test.ctl(&["pair"]);
    assert_code(&output, 1);
    assert_eq!(stderr(&output), "museboxctl: no house is known: name one\n");
    assert_code(&test.ctl(&["unpair"]), 0);
    let output = test.ctl(&["status"]);
    assert!(
        stdout(&output).contains("https://gallery.example:8443, connected, 3 of 8 media files")
    );
}

#[test]
fn a_screenshot_is_written_whole_or_not_at_all() {
    let test = TestBox::new();
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();

    fs::write(path("a.png"), "an older file").expect("a file");
    for (name, bytes) in [("a.png", PNG), ("a.JPG", JPEG), ("a", PNG)] {
        let output = test.ctl(&["screenshot", &path(name)]);
        assert_code(&output, 0);
        assert_eq!(fs::read(path(name)).expect(name), bytes);
    }
    test.ctl(&["screenshot", "-", "--screen", "left & right"]);
    let screens = test.seen().screens.clone();
    assert_eq!(screens.last(), Some(&Some("left & right".to_owned())));
    let output = test.ctl(&["screenshot", "-"]);
    assert_code(&output, 0);
    assert_eq!(output.stdout, PNG);

    let output = test.ctl(&["screenshot", &path("no/such/folder.png")]);
    assert_code(&output, 1);
    assert!(
        stderr(&output).contains("no/such/folder.png"),
        "{}",
        stderr(&output)
    );
    let left: Vec<_> = fs::read_dir(folder.path())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(left.len(), 3, "no half-written file is left: {left:?}");
}

#[test]
fn watch_prints_events_as_they_happen_until_the_daemon_ends() {
    let mut test = TestBox::new();
    let mut watch = Command::new(env!("CARGO_BIN_EXE_museboxctl"))
        .args(["watch", "--json", "--socket"])
        .arg(test.socket())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("museboxctl runs");
    let mut lines = BufReader::new(watch.stdout.take().expect("its output")).lines();
    wait_until(|| test.events.receiver_count() == 1);
    for at_ms in 0..3 {
        let event = Event {
            at_ms,
            kind: EventKind::State {
                state: State::Playing,
            },
        };
        test.events.send(event).expect("somebody watches");
        let line = lines.next().expect("a line").expect("text");
        assert_eq!(
            line,
            format!(r#"{{"at_ms":{at_ms},"event":"state","state":"playing"}}"#)
        );
    }
    test.stop();
    assert!(lines.next().is_none(), "the daemon has ended");
    let output = watch.wait_with_output().expect("it ends");
    assert_code(&output, 1);
    assert!(
        stderr(&output).contains("the connection"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_watcher_that_is_too_slow_is_told_so() {
    let test = TestBox::new();
    let mut stream = UnixStream::connect(test.socket()).expect("a connection");
    stream
        .write_all(request("GET /v1/events", "x", "").as_bytes())
        .expect("the request goes out");
    wait_until(|| test.events.receiver_count() == 1);
    // Nothing is read, so at some time the socket is full, and then the host's buffer.
    let name = "x".repeat(10_000);
    for at_ms in 0..2000 {
        let event = Event {
            at_ms,
            kind: EventKind::ItemReopened {
                screen: musebox::domain::ids::ScreenName::new(&name),
                position: Position::default(),
            },
        };
        test.events.send(event).expect("somebody watches");
        std::thread::yield_now();
    }
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while !line.contains("\"lagged\"") {
        line.clear();
        let length = reader.read_line(&mut line).expect("a line");
        assert_ne!(length, 0, "the stream has ended without a word");
    }
}

/// Asks again and again, for ten seconds at most.
fn wait_until(condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < end, "it does not come about");
        std::thread::yield_now();
    }
}

#[test]
fn the_doctor_s_worst_finding_is_the_exit_status() {
    let test = TestBox::new();
    let output = test.ctl(&["doctor"]);
    assert_code(&output, 0);
    assert!(stdout(&output).contains("WARN  disk      92 % full"));
    assert!(stdout(&output).contains("make room"));

    test.seen().doctor = CheckResult::Fail;
    let output = test.ctl(&["doctor", "--json"]);
    assert_code(&output, 1);
    let report: DoctorReport = serde_json::from_slice(&output.stdout).expect("findings");
    assert_eq!(report.worst(), CheckResult::Fail);
}

#[test]
fn without_a_daemon_the_message_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("control.sock");
    let listener = UnixListener::bind(folder.path().join("dead.sock")).expect("a socket");
    drop(listener);
    for (path, reason) in [
        (socket, "No such file or directory (os error 2)"),
        (
            folder.path().join("dead.sock"),
            "Connection refused (os error 111)",
        ),
    ] {
        let output = ctl(&path, &["status"]);
        assert_code(&output, 1);
        let message = format!(
            "museboxctl: is museboxd running? socket {}: {reason}\n",
            path.display()
        );
        assert_eq!(stderr(&output), message);
    }
}

#[test]
fn a_daemon_that_hangs_is_given_five_seconds() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("control.sock");
    // The system accepts for it; nobody ever reads.
    let _listener = UnixListener::bind(&socket).expect("a socket");
    let began = Instant::now();
    let output = ctl(&socket, &["play"]);
    assert_code(&output, 1);
    assert!(
        stderr(&output).contains("museboxd does not answer") && stderr(&output).contains("5s"),
        "{}",
        stderr(&output)
    );
    let took = began.elapsed();
    assert!((5..15).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn a_player_that_hangs_behind_the_server_is_told_apart() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeper = kept.clone();
    let test = TestBox::with(|_, _| {
        Host::new(move |request| {
            keeper.lock().expect("no fault within").push(request);
            Ok(())
        })
    });
    let output = test.ctl(&["play"]);
    assert_code(&output, 1);
    assert!(
        stderr(&output).contains("the player does not answer"),
        "{}",
        stderr(&output)
    );
    assert_eq!(kept.lock().expect("no fault within").len(), 1);
}

#[test]
fn a_busy_or_parting_player_says_so() {
    for (refused, words) in [
        (Some(Refused::Busy), "too much to do"),
        (Some(Refused::Gone), "shutting down"),
        (None, "shutting down"),
    ] {
        // Without a refusal, the request is dropped unanswered.
        let test = TestBox::with(move |_, _| Host::new(move |_| refused.map_or(Ok(()), Err)));
        let output = test.ctl(&["status"]);
        assert_code(&output, 1);
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
}

#[test]
fn a_host_s_channel_that_is_full_is_busy() {
    let (host, requests) = Host::channel(1);
    let test = TestBox::with(|_, _| host);
    // The first request fills the channel, and nobody reads it.
    let mut first = UnixStream::connect(test.socket()).expect("a connection");
    first
        .write_all(request("GET /v1/status", "x", "").as_bytes())
        .expect("the request goes out");
    wait_until(|| requests.len() == 1);
    let output = test.ctl(&["status"]);
    assert_code(&output, 1);
    assert!(stderr(&output).contains("too much to do"));
    drop(requests);
    let output = test.ctl(&["status"]);
    assert!(stderr(&output).contains("shutting down"));
}

#[test]
fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
    let mut test = TestBox::new();
    let socket = test.socket();
    let mode = |path: &Path| {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(&socket), 0o660);
    assert_eq!(
        mode(socket.parent().expect("a folder")) & 0o007,
        0,
        "closed to others"
    );

    let bind = |path: &Path| runtime().block_on(UnixServer::bind(path)).map(drop);
    let error = bind(&socket).expect_err("somebody listens");
    assert!(matches!(error, BindError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("--socket"), "{error}");
    assert_code(&test.ctl(&["play"]), 0);

    test.stop();
    assert!(!socket.exists(), "the socket goes with its server");

    drop(UnixListener::bind(&socket).expect("a socket"));
    assert!(socket.exists(), "a dead socket");
    bind(&socket).expect("a dead socket is replaced");
    assert_eq!(mode(&socket), 0o660);

    let file = test.folder.path().join("notes.txt");
    fs::write(&file, "dear to somebody").expect("a file");
    let error = bind(&file).expect_err("no socket");
    assert!(matches!(error, BindError::NoSocket { .. }), "{error}");
    assert_eq!(fs::read(&file).expect("the file"), b"dear to somebody");

    let long = test.folder.path().join("x".repeat(108));
    let error = bind(&long).expect_err("too long");
    assert!(matches!(error, BindError::TooLong { .. }), "{error}");

    let left: Vec<_> = fs::read_dir(socket.parent().expect("a folder"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(left, ["control.sock"], "nothing half made is left");
}

#[test]
fn other_clients_get_clear_answers() {
    let test = TestBox::new();
    for (line, body, status, words) in [
        ("GET /v1/status", "", "200", "\"items_shown\":412"),
        ("GET /v1/nothing", "", "404", "/v1/nothing"),
        ("GET /v1/command", "", "405", "GET"),
        ("POST /v1/status", "", "405", "POST"),
        ("POST /v1/command", "{}", "400", "command"),
        ("POST /v1/command", "play", "400", "no command"),
        (
            "POST /v1/command",
            r#"{"command":"goto","position":"x"}"#,
            "400",
            "M0T0I0",
        ),
        (
            "POST /v1/command",
            r#"{"command":"goto","position":"M9T9I9"}"#,
            "409",
            "M9T9I9",
        ),
        ("POST /v1/command", r#"{"command":"play"}"#, "204", ""),
        ("POST /v1/command", &"x".repeat(5000), "413", ""),
        ("GET /v1/screenshot.png?max_width=4", "", "200", "image/png"),
        (
            "GET /v1/screenshot.png?max_width=wide",
            "",
            "400",
            "max_width",
        ),
    ] {
        let answer = test.raw(&request(line, "x", body));
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{line} {body}: {answer}"
        );
        assert!(answer.contains(words), "{line} {body}: {answer}");
    }
    assert_eq!(test.seen().widths, [Some(16)], "a width has bounds");
    assert_eq!(test.seen().commands, [WireCommand::Play]);
}

#[test]
fn the_live_page_shows_and_does_not_steer() {
    let test = TestBox::new();
    let host = test.http.to_string();
    let page = test.web(&request("GET /", &host, ""));
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    for header in [
        "content-security-policy: default-src 'none'; style-src 'sha256-",
        "x-content-type-options: nosniff",
        "content-type: text/html; charset=utf-8",
    ] {
        assert!(page.contains(header), "{header}: {page}");
    }
    assert!(page.contains("alt=\"The screen of the box\""));

    let status = test.web(&request("GET /v1/status", &host, ""));
    assert!(status.contains("\"items_shown\":412"), "{status}");
    let picture = test.web(&request("GET /screen.jpg?max_width=640", &host, ""));
    assert!(picture.contains("content-type: image/jpeg"), "{picture}");
    assert_eq!(test.seen().widths, [Some(640)]);

    for line in [
        "POST /v1/command",
        "GET /v1/command",
        "GET /v1/events",
        "GET /v1/doctor",
        "GET /v1/screenshot.png",
    ] {
        let answer = test.web(&request(line, &host, r#"{"command":"stop"}"#));
        assert!(answer.starts_with("HTTP/1.1 404 "), "{line}: {answer}");
    }
    let answer = test.web(&request("POST /v1/status", &host, ""));
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert_eq!(test.seen().commands, []);
}

#[test]
fn the_live_page_is_for_this_machine_only() {
    let test = TestBox::new();
    for host in ["evil.example", "evil.example:8480", "192.0.2.1"] {
        let answer = test.web(&request("GET /v1/status", host, ""));
        assert!(answer.starts_with("HTTP/1.1 421 "), "{host}: {answer}");
        assert!(!answer.contains("items_shown"), "{host}");
    }
    let bind = HttpServer::bind(([0, 0, 0, 0], 0).into());
    let error = runtime().block_on(bind).expect_err("an open address");
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
}

#[test]
fn completions_need_no_daemon() {
    for (shell, words) in [
        ("bash", "_museboxctl"),
        ("zsh", "#compdef"),
        ("fish", "complete"),
    ] {
        let output = ctl(Path::new("/nonexistent"), &["completions", shell]);
        assert_code(&output, 0);
        assert!(stdout(&output).contains(words), "{shell}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let test = TestBox::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_museboxctl"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("museboxctl runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_code(&output, 0);
    assert_eq!(stderr(&output), "");
    drop(test);
}
