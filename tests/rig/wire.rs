//! A Unix socket that carries one JSON object a line, as QEMU's monitor (QMP) and the guest agent do.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde_json::{Value, json};

/// One end of such a socket.
pub struct Wire {
    reader: BufReader<UnixStream>,
}

impl Wire {
    /// Connects, however long the other end takes to be there.
    pub fn connect(path: &Path, limit: Duration) -> anyhow::Result<Self> {
        let until = Instant::now() + limit;
        loop {
            match UnixStream::connect(path) {
                Ok(stream) => {
                    return Ok(Self {
                        reader: BufReader::new(stream),
                    });
                }
                Err(err) if Instant::now() > until => {
                    return Err(err).with_context(|| path.display().to_string());
                }
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// The next object that comes.
    pub fn receive(&mut self, limit: Duration) -> anyhow::Result<Value> {
        self.reader.get_ref().set_read_timeout(Some(limit))?;
        let mut line = Vec::new();
        if self.reader.read_until(b'\n', &mut line)? == 0 {
            bail!("the other end has closed");
        }
        // The agent sends this byte before its answer to a synchronisation.
        let text = line.strip_prefix(b"\xff").unwrap_or(&line);
        Ok(serde_json::from_slice(text)?)
    }

    /// Asks without waiting for the answer.
    pub fn send(&mut self, what: &str, with: Value) -> anyhow::Result<()> {
        let mut text = serde_json::to_vec(&match with {
            Value::Null => json!({"execute": what}),
            with => json!({"execute": what, "arguments": with}),
        })?;
        text.push(b'\n');
        self.reader.get_mut().write_all(&text)?;
        Ok(())
    }

    /// Asks, and gives what is returned. What comes in between is news that nobody asked for.
    pub fn ask(&mut self, what: &str, with: Value, limit: Duration) -> anyhow::Result<Value> {
        self.send(what, with)?;
        loop {
            let mut answer = self
                .receive(limit)
                .with_context(|| format!("no answer to {what}"))?;
            if let Some(error) = answer.get("error") {
                bail!("{what}: {}", error["desc"]);
            }
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
        }
    }
}
