//! Where log lines go: to the journal under systemd, else to standard error in a form for people.

use std::io::{IsTerminal, Write};

use log::{Level, LevelFilter, Log, Metadata, Record, kv};

/// Sends the log where it belongs; only once.
pub fn init(level: LevelFilter) {
    let journal = systemd_journal_logger::connected_to_journal()
        .then(systemd_journal_logger::JournalLog::new)
        .and_then(Result::ok)
        .is_some_and(|journal| journal.install().is_ok());
    if !journal {
        let plain = Plain {
            colour: std::io::stderr().is_terminal(),
        };
        if log::set_boxed_logger(Box::new(plain)).is_err() {
            return;
        }
    }
    log::set_max_level(level);
}

/// One line a record: level, message, then the fields.
struct Plain {
    colour: bool,
}

impl Log for Plain {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The libraries' chatter is not the operator's.
        metadata.target().starts_with("musebox") || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (name, colour) = match record.level() {
            Level::Error => ("error", "\x1b[31m"),
            Level::Warn => ("warn", "\x1b[33m"),
            Level::Info => ("info", "\x1b[32m"),
            Level::Debug => ("debug", "\x1b[2m"),
            Level::Trace => ("trace", "\x1b[2m"),
        };
        let mut fields = Fields(String::new());
        // Writing into a string cannot fail.
        let _ = record.key_values().visit(&mut fields);
        let line = match self.colour {
            true => format!(
                "{colour}{name:5}\x1b[0m {}\x1b[2m{}\x1b[0m\n",
                record.args(),
                fields.0
            ),
            false => format!("{name:5} {}{}\n", record.args(), fields.0),
        };
        // There is nobody left to tell if standard error is gone.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }

    fn flush(&self) {}
}

struct Fields(String);

impl<'kvs> kv::VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        self.0
            .push_str(&format!("  {}={value}", key.as_str().to_ascii_lowercase()));
        Ok(())
    }
}
