//! What runs in a machine: scripts, files and the player's service, by way of the guest agent.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{machine::Machine, wire::Wire};

/// How long the agent may take for one answer.
const LIMIT: Duration = Duration::from_secs(60);

/// How long a script may take, on a machine that is busy with something else; `make soak` plays for much longer.
fn patience() -> Duration {
    match std::env::var_os("MUSEBOX_SOAK") {
        Some(_) => Duration::from_secs(6000),
        None => Duration::from_secs(600),
    }
}

/// A machine with its agent. When a test fails in the middle, it leaves what it knows where the message says.
pub struct Guest {
    machine: Option<Machine>,
    agent: Wire,
    folder: PathBuf,
    token: u64,
}

impl Guest {
    /// A machine whose agent answers, however long it takes to boot.
    pub fn new(machine: Machine) -> anyhow::Result<Self> {
        let folder = machine.folder().to_owned();
        let agent = Wire::connect(&folder.join("agent"), LIMIT)?;
        let mut guest = Self {
            machine: Some(machine),
            agent,
            folder,
            token: 1,
        };
        let there = guest.synchronise();
        if there.is_err() {
            // Without its machine it leaves its folder, which the message names.
            let picture = guest.path("last-picture.png");
            if let Some(mut machine) = guest.machine.take() {
                let _ = machine.screendump(&picture);
            }
        }
        there.map(|()| guest)
    }

    /// Waits until the agent is there. What it answers to earlier questions is passed over.
    fn synchronise(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + patience();
        while Instant::now() < until {
            self.token += 1;
            self.agent.send("guest-sync", json!({"id": self.token}))?;
            while let Ok(answer) = self.agent.receive(Duration::from_secs(2)) {
                if answer["return"] == self.token {
                    return Ok(());
                }
            }
        }
        bail!(
            "no guest agent: see {}",
            self.folder.join("console.log").display()
        )
    }

    /// The machine itself.
    pub fn machine(&mut self) -> &mut Machine {
        self.machine
            .as_mut()
            .expect("it is there until it is given away")
    }

    /// Gives the machine away.
    pub fn into_machine(mut self) -> Machine {
        self.machine
            .take()
            .expect("it is there until it is given away")
    }

    /// Pulls the plug; answers the folder with its disk.
    pub fn pull_power(mut self) -> PathBuf {
        if let Some(machine) = self.machine.take() {
            machine.pull_power();
        }
        self.folder.clone()
    }

    /// A path on the host, in the folder that is kept when a test fails.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn ask(&mut self, what: &str, with: Value) -> anyhow::Result<Value> {
        self.agent.ask(what, with, LIMIT)
    }

    /// Runs a shell script as root; its status and its output, both streams together.
    pub fn run(&mut self, script: &str) -> anyhow::Result<(i64, String)> {
        let pid = self.start(script)?;
        let until = Instant::now() + patience();
        let mut pause = Duration::from_millis(20);
        loop {
            let status = self.ask("guest-exec-status", json!({"pid": pid}))?;
            if status["exited"] == true {
                let output = decoded(status["out-data"].as_str().unwrap_or_default());
                let output = String::from_utf8_lossy(&output).into_owned();
                let code = status["exitcode"].as_i64();
                return Ok((
                    code.unwrap_or_else(|| -status["signal"].as_i64().unwrap_or(0)),
                    output,
                ));
            }
            ensure!(Instant::now() < until, "the guest is still at: {script}");
            // Every question costs the guest some of its time.
            std::thread::sleep(pause);
            pause = (pause * 3 / 2).min(Duration::from_millis(500));
        }
    }

    /// Starts a shell script as root and leaves it running; answers its process.
    pub fn start(&mut self, script: &str) -> anyhow::Result<u64> {
        let script = format!("exec 2>&1\n{script}");
        let what = json!({"path": "/bin/bash", "arg": ["-c", script], "capture-output": true});
        let answer = self.ask("guest-exec", what)?;
        answer["pid"].as_u64().context("no pid")
    }

    /// Runs a shell script that must succeed; its output.
    pub fn sh(&mut self, script: &str) -> String {
        match self.run(&format!("set -e\n{script}")) {
            Ok((0, output)) => output,
            Ok((code, output)) => panic!("status {code} of: {script}\n{output}"),
            Err(err) => panic!("{err:#}: {script}"),
        }
    }

    /// Writes a file.
    pub fn write(&mut self, path: &str, text: &str) {
        let mut script = String::new();
        let folder = Path::new(path).parent().unwrap_or(Path::new("/"));
        let _ = write!(
            script,
            "mkdir -p {}\ncat >{path} <<'RIG-END'\n{text}\nRIG-END\n",
            folder.display()
        );
        self.sh(&script);
    }

    /// A file's bytes.
    pub fn read(&mut self, path: &str) -> anyhow::Result<Vec<u8>> {
        let handle = self.ask("guest-file-open", json!({"path": path, "mode": "r"}))?;
        let mut bytes = Vec::new();
        loop {
            let part = self.ask(
                "guest-file-read",
                json!({"handle": handle, "count": 1 << 20}),
            )?;
            bytes.extend(decoded(part["buf-b64"].as_str().unwrap_or_default()));
            if part["eof"] == true {
                break;
            }
        }
        self.ask("guest-file-close", json!({"handle": handle}))?;
        Ok(bytes)
    }

    /// The player's report.
    pub fn status(&mut self) -> Value {
        let text = self.sh("museboxctl status --json");
        serde_json::from_str(&text).unwrap_or_else(|err| panic!("{err}: {text}"))
    }

    /// Waits, in guest time, until a shell script succeeds; fails after `seconds` of it.
    pub fn until(&mut self, seconds: u32, script: &str) {
        let loops = format!(
            "for i in $(seq {}); do if {script}; then exit 0; fi; sleep 0.25; done; exit 1",
            4 * seconds
        );
        if let Ok((0, _)) = self.run(&loops) {
            return;
        }
        panic!("not within {seconds} s: {script}");
    }

    /// What the player's screen is, as `museboxctl screenshot` reads it back.
    pub fn screenshot(&mut self, name: &str) -> PathBuf {
        self.sh("museboxctl screenshot --scanned-out /tmp/screenshot.png");
        let bytes = self.read("/tmp/screenshot.png").expect("the screenshot");
        let path = self.path(name);
        fs::write(&path, bytes).expect("the picture is written");
        path
    }

    /// What the virtio display scans out, seen from outside.
    pub fn screendump(&mut self, name: &str) -> PathBuf {
        let path = self.path(name);
        self.machine().screendump(&path).expect("a screendump");
        path
    }

    /// Leaves in the folder what helps to see why a test failed.
    fn testify(&mut self) {
        if let Ok((_, journal)) =
            self.run("journalctl -b --no-pager -o short-monotonic | tail -n 400")
        {
            let _ = fs::write(self.path("journal.log"), journal);
        }
        let picture = self.path("last-picture.png");
        if let Some(machine) = &mut self.machine {
            let _ = machine.screendump(&picture);
        }
        if let Ok((0, _)) = self.run("timeout 20 museboxctl screenshot /tmp/last.png")
            && let Ok(bytes) = self.read("/tmp/last.png")
        {
            let _ = fs::write(self.path("last-screenshot.png"), bytes);
        }
        eprintln!(
            "\nrig: console.log, journal.log, last-picture.png and last-screenshot.png are in {}",
            self.folder.display()
        );
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if self.machine.is_none() {
            return;
        }
        if std::thread::panicking() {
            self.testify();
        } else {
            self.machine = None;
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn decoded(text: &str) -> Vec<u8> {
    BASE64_STANDARD
        .decode(text)
        .expect("the agent sends base64")
}
