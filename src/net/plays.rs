//! The play log: what was shown, kept on disk until the house has it.
//!
//! A file of lines, each a JSON object: an entry, or a mark up to which entries are settled. Lines are only appended; a
//! line that a power cut has torn is dropped. When most of the file is settled it is written anew.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    domain::protocol::sync::Play,
    os::durable::{self, Readers},
};

const FILE: &str = "plays.jsonl";
/// The most entries that wait for the house; then the oldest go.
const MOST: usize = 100_000;
/// The file is written anew when it has so many lines that are settled.
const MOST_SETTLED: usize = 2_000;

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Play(Play),
    Settled { settled: u64 },
}

/// The play log of a box.
#[derive(Debug)]
pub struct PlayLog {
    path: PathBuf,
    file: File,
    waiting: VecDeque<Play>,
    /// The number of the next entry.
    next: u64,
    /// How many lines of the file do not wait.
    settled: usize,
    most: usize,
    is_overflowing: bool,
    is_dirty: bool,
}

impl PlayLog {
    /// The log of this state folder, with what waits in it.
    pub fn open(folder: &Path) -> io::Result<Self> {
        Self::open_with(folder, MOST)
    }

    fn open_with(folder: &Path, most: usize) -> io::Result<Self> {
        durable::make_folder(folder)?;
        let path = folder.join(FILE);
        let bytes = durable::read(&path)?.unwrap_or_default();
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let (mut waiting, mut next, mut lines, mut strange) = (VecDeque::new(), 1, 0, 0);
        for line in bytes[..whole]
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            lines += 1;
            match serde_json::from_slice(line) {
                Ok(Line::Play(play)) => {
                    next = next.max(play.seq + 1);
                    waiting.push_back(play);
                }
                Ok(Line::Settled { settled }) => {
                    next = next.max(settled + 1);
                    waiting.retain(|play: &Play| play.seq > settled);
                }
                Err(_) => strange += 1,
            }
        }
        if strange > 0 {
            log::warn!("{strange} lines of the play log cannot be read and are left out");
        }
        let file = OpenOptions::new().append(true).create(true).open(&path)?;
        let mut log = Self {
            settled: lines - waiting.len().min(lines),
            path,
            file,
            waiting,
            next,
            most,
            is_overflowing: false,
            is_dirty: false,
        };
        if whole < bytes.len() {
            log.file.set_len(whole as u64)?;
        }
        log.shed()?;
        Ok(log)
    }

    /// What waits for the house, the oldest first.
    pub fn waiting(&self) -> impl Iterator<Item = &Play> {
        self.waiting.iter()
    }

    /// Appends an entry, whose number is given here; answers it.
    pub fn append(&mut self, play: Play) -> io::Result<Play> {
        let play = Play {
            seq: self.next,
            ..play
        };
        self.next += 1;
        self.line(&Line::Play(play.clone()))?;
        self.waiting.push_back(play.clone());
        self.shed()?;
        Ok(play)
    }

    /// The house has everything up to this entry.
    pub fn settle(&mut self, seq: u64) -> io::Result<()> {
        let before = self.waiting.len();
        while self.waiting.front().is_some_and(|play| play.seq <= seq) {
            self.waiting.pop_front();
        }
        self.is_overflowing &= self.waiting.len() + 1 >= self.most;
        self.line(&Line::Settled { settled: seq })?;
        self.settled += 1 + before - self.waiting.len();
        match self.settled >= MOST_SETTLED.max(self.waiting.len()) {
            true => self.write_anew(),
            false => Ok(()),
        }
    }

    /// Brings what was appended onto the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        match std::mem::take(&mut self.is_dirty) {
            true => self.file.sync_data(),
            false => Ok(()),
        }
    }

    /// Lets the oldest entries go where there are too many.
    fn shed(&mut self) -> io::Result<()> {
        let Some(too_many) = self.waiting.len().checked_sub(self.most).filter(|n| *n > 0) else {
            return Ok(());
        };
        if !std::mem::replace(&mut self.is_overflowing, true) {
            log::warn!(
                "the play log has {} entries that the house does not have: the oldest go from now on",
                self.most
            );
        }
        match self.waiting.get(too_many - 1).map(|play| play.seq) {
            Some(last) => self.settle(last),
            None => Ok(()),
        }
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line).map_err(io::Error::other)?;
        text.push(b'\n');
        self.is_dirty = true;
        self.file.write_all(&text)
    }

    fn write_anew(&mut self) -> io::Result<()> {
        let settled = self.waiting.front().map_or(self.next, |play| play.seq) - 1;
        let marks = std::iter::once(Line::Settled { settled });
        let plays = self.waiting.iter().cloned().map(Line::Play);
        let mut text = Vec::new();
        for line in marks.chain(plays) {
            serde_json::to_writer(&mut text, &line).map_err(io::Error::other)?;
            text.push(b'\n');
        }
        durable::write(&self.path, &text, Readers::Owner)?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        (self.settled, self.is_dirty) = (1, false);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::domain::ids::{ItemId, ScreenName};

    fn play(item: &str) -> Play {
        Play {
            seq: 0,
            at: "2026-11-25T10:00:00Z".to_owned(),
            output: ScreenName::new("main"),
            playlist: None,
            item: ItemId::new(item),
            duration_ms: 10_000,
        }
    }

    fn waiting(log: &PlayLog) -> Vec<(u64, String)> {
        let plays = log.waiting();
        plays
            .map(|play| (play.seq, play.item.to_string()))
            .collect()
    }

    #[test]
    fn numbers_go_on_over_restarts_even_when_all_is_settled() {
        let folder = tempfile::tempdir().expect("a folder");
        for round in 0..3 {
            let mut log = PlayLog::open(folder.path()).expect("a log");
            assert_eq!(waiting(&log), []);
            let seq = log.append(play("a")).expect("written").seq;
            assert_eq!(seq, round + 1);
            log.settle(seq).expect("written");
        }
    }

    #[test]
    fn a_torn_line_is_dropped_and_the_rest_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        let mut log = PlayLog::open(folder.path()).expect("a log");
        for item in ["a", "b", "c"] {
            log.append(play(item)).expect("written");
        }
        log.sync().expect("synced");
        drop(log);
        let bytes = fs::read(&path).expect("the file");
        for cut in [1, 5, 40] {
            fs::write(&path, &bytes[..bytes.len() - cut]).expect("written");
            let mut log = PlayLog::open(folder.path()).expect("a log");
            assert_eq!(waiting(&log).len(), 2, "{cut}");
            assert_eq!(log.append(play("d")).expect("written").seq, 3);
            drop(log);
            let log = PlayLog::open(folder.path()).expect("a log");
            let expected = [(1, "a"), (2, "b"), (3, "d")].map(|(seq, item)| (seq, item.to_owned()));
            assert_eq!(waiting(&log), expected);
        }
    }

    #[test]
    fn the_log_is_bounded_and_its_file_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = PlayLog::open_with(folder.path(), 10).expect("a log");
        for _ in 0..10_000 {
            log.append(play("a")).expect("written");
        }
        let kept: Vec<u64> = log.waiting().map(|play| play.seq).collect();
        assert_eq!(kept, (9_991..=10_000).collect::<Vec<_>>());
        let length = fs::metadata(folder.path().join(FILE))
            .expect("a file")
            .len();
        assert!(length < 1_000_000, "{length} bytes");
        drop(log);
        let log = PlayLog::open_with(folder.path(), 10).expect("a log");
        assert_eq!(log.waiting().count(), 10);
    }

    #[test]
    fn lines_that_are_no_lines_are_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = PlayLog::open(folder.path()).expect("a log");
        log.append(play("a")).expect("written");
        drop(log);
        let path = folder.path().join(FILE);
        let mut bytes = vec![0; 512];
        bytes.push(b'\n');
        bytes.extend(fs::read(&path).expect("the file"));
        fs::write(&path, bytes).expect("written");
        let log = PlayLog::open(folder.path()).expect("a log");
        assert_eq!(waiting(&log), [(1, "a".to_owned())]);
    }
}
