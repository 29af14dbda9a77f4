//! What the service has written to the journal, read back by `journalctl`.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use anyhow::Context;
use serde_json::Value;

/// The unit whose lines are read.
const UNIT: &str = "museboxd.service";

/// The fields that a line may carry, by their names in the journal.
const FIELDS: [&str; 5] = ["SCREEN", "SLOT", "POSITION", "ITEM", "ERR"];

/// Which lines are wanted.
pub struct Wanted {
    /// Also those to come.
    pub follow: bool,
    /// So many at most; 0 is all.
    pub lines: u32,
    /// Not older than this.
    pub since: Option<String>,
    /// Only about this item.
    pub item: Option<String>,
    /// Only about this screen.
    pub screen: Option<String>,
}

impl Wanted {
    /// journalctl's arguments.
    fn arguments(&self) -> Vec<String> {
        let mut words: Vec<String> = ["--output=json", "--all", "--no-pager", "--quiet"]
            .map(str::to_owned)
            .into();
        words.push(format!("--unit={UNIT}"));
        words.push(match self.lines {
            0 => "--lines=all".to_owned(),
            lines => format!("--lines={lines}"),
        });
        words.extend(self.since.iter().map(|since| format!("--since={since}")));
        words.extend(self.follow.then(|| "--follow".to_owned()));
        words.extend(self.item.iter().map(|item| format!("ITEM={item}")));
        words.extend(self.screen.iter().map(|screen| format!("SCREEN={screen}")));
        words
    }
}

/// Prints the lines, as JSON objects or for people.
pub fn print(wanted: &Wanted, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let mut journal = Command::new("journalctl")
        .args(wanted.arguments())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting journalctl, which comes with systemd")?;
    let lines = journal.stdout.take().context("reading journalctl")?;
    for line in BufReader::new(lines).lines() {
        let line = line.context("reading journalctl")?;
        match json {
            true => writeln!(out, "{line}")?,
            false => {
                let entry: Value = serde_json::from_str(&line).context("reading the journal")?;
                writeln!(out, "{}", sentence(&entry))?;
            }
        }
        out.flush()?;
    }
    let ended = journal.wait().context("waiting for journalctl")?;
    // It has said itself what is wrong.
    anyhow::ensure!(ended.success(), "journalctl failed ({ended})");
    Ok(())
}

/// An entry for people: time, level, message, fields.
fn sentence(entry: &Value) -> String {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let level = match text("PRIORITY") {
        Some("0" | "1" | "2" | "3") => "error",
        Some("4") => "warn",
        Some("7") => "debug",
        _ => "info",
    };
    let micros = text("__REALTIME_TIMESTAMP").and_then(|text| text.parse().ok());
    let time = micros
        .and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok())
        .map(|time| time.to_zoned(jiff::tz::TimeZone::system()))
        .map_or_else(String::new, |time| {
            time.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
        });
    let message = text("MESSAGE").unwrap_or_default();
    let fields: String = FIELDS
        .iter()
        .filter_map(|name| Some(format!("  {}={}", name.to_lowercase(), text(name)?)))
        .collect();
    format!("{time} {level:5} {message}{fields}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_as_a_sentence_with_its_fields() {
        let entry = serde_json::json!({
            "__REALTIME_TIMESTAMP": "1767225600250000",
            "PRIORITY": "6",
            "MESSAGE": "Water lilies",
            "ITEM": "lilies",
            "SLOT": "A",
            "POSITION": "M0T0I1",
            "SCREEN": "main",
            "_PID": "7",
        });
        let text = sentence(&entry);
        assert!(
            text.ends_with("info  Water lilies  screen=main  slot=A  position=M0T0I1  item=lilies"),
            "{text}"
        );
        assert!(text.contains(".250 "), "{text}");
        assert!(sentence(&Value::Null).contains("info"));
    }

    #[test]
    fn what_is_wanted_is_asked_of_journalctl() {
        let wanted = Wanted {
            follow: true,
            lines: 0,
            since: Some("-1h".to_owned()),
            item: Some("lilies".to_owned()),
            screen: None,
        };
        let words = wanted.arguments();
        for word in ["--lines=all", "--since=-1h", "--follow", "ITEM=lilies"] {
            assert!(words.iter().any(|given| given == word), "{word}: {words:?}");
        }
    }
}
