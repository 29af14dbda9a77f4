//! Files that failed, watched for being replaced.

use std::{
    collections::HashMap,
    time::{Duration, Instant, SystemTime},
};

use crate::{gst::Source, player::loader};

/// How often each file is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// What a file looked like: its length and the time of its last change.
type Look = Option<(u64, SystemTime)>;

/// The watched files.
#[derive(Debug, Default)]
pub struct Changes {
    looks: HashMap<String, Look>,
    last: Option<Instant>,
}

impl Changes {
    /// Watches an item's source; anything but a local file is ignored.
    pub fn watch(&mut self, src: &str) {
        if matches!(loader::source(src), Source::File(_)) {
            self.looks.insert(src.to_owned(), look(src));
        }
    }

    /// The source plays: no need to watch it.
    pub fn forget(&mut self, src: &str) {
        self.looks.remove(src);
    }

    /// The sources that have changed since they failed.
    pub fn changed(&mut self) -> Vec<String> {
        if self.looks.is_empty() || self.last.is_some_and(|last| last.elapsed() < EVERY) {
            return Vec::new();
        }
        self.last = Some(Instant::now());
        let mut changed = Vec::new();
        for (src, before) in &mut self.looks {
            let now = look(src);
            if now != *before {
                *before = now;
                changed.push(src.clone());
            }
        }
        changed
    }
}

fn look(src: &str) -> Look {
    let Source::File(path) = loader::source(src) else {
        return None;
    };
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}
