//! A live RTSP server in a process of its own. Dropping it kills it.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

/// A server that runs until it is dropped.
pub struct Rtsp {
    child: Child,
    port: u16,
}

impl Rtsp {
    /// Serves a Matroska file as a live stream.
    pub fn start(clip: &Path, port: u16) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/servers/rtsp.py");
        // Debian's own Python: the bindings of GStreamer belong to no other.
        let mut child = Command::new("/usr/bin/python3")
            .arg(script)
            .arg(port.to_string())
            .arg(clip)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed");
        let mut line = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a line");
        assert_eq!(line, "listening\n", "the RTSP server does not start");
        Self { child, port }
    }

    /// The stream's address.
    pub fn url(&self) -> String {
        format!("rtsp://127.0.0.1:{}/live", self.port)
    }

    /// The connections stay, and nothing more comes.
    pub fn fall_silent(&mut self) {
        let input = self.child.stdin.as_mut().expect("a pipe");
        input.write_all(b"\n").expect("the server lives");
    }
}

impl Drop for Rtsp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
