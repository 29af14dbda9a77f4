//! The play log: what was shown, kept on disk until the house has it.
//!
//! A file of lines, each a JSON object: an entry, or a mark up to which entries are settled. Lines are only appended; a
//! line that a power cut has torn is dropped. When most of the file is settled it is written anew.
//!
//! An entry names the house whose item was shown, and no other house gets it.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    domain::{ids::HouseId, protocol::sync::Play},
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
    Play(Entry),
    Settled { settled: u64 },
}

/// A showing, and the house whose item it was; none where that is not known.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    house: Option<HouseId>,
    #[serde(flatten)]
    play: Play,
}

/// The play log of a box.
#[derive(Debug)]
pub struct PlayLog {
    path: PathBuf,
    file: File,
    waiting: VecDeque<Entry>,
    /// The number of the next entry.
    next: u64,
    /// How many lines of the file do not wait.
    settled: usize,
    most: usize,
    is_overflowing: bool,
    is_dirty: bool,
}

impl PlayLog {
    /// The log of this state folder, with what waits in it. Entries of earlier versions name no house: they are of
    /// the one `before`.
    pub fn open(folder: &Path, before: Option<&HouseId>) -> io::Result<Self> {
        Self::open_with(folder, before, MOST)
    }

    fn open_with(folder: &Path, before: Option<&HouseId>, most: usize) -> io::Result<Self> {
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
                Ok(Line::Play(mut entry)) => {
                    next = next.max(entry.play.seq + 1);
                    entry.house = entry.house.or_else(|| before.cloned());
                    waiting.push_back(entry);
                }
                Ok(Line::Settled { settled }) => {
                    next = next.max(settled + 1);
                    waiting.retain(|entry: &Entry| entry.play.seq > settled);
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

    /// What waits for this house, the oldest first.
    pub fn waiting(&self, house: &HouseId) -> impl Iterator<Item = &Play> {
        let of_house = |entry: &&Entry| entry.house.as_ref() == Some(house);
        self.waiting
            .iter()
            .filter(of_house)
            .map(|entry| &entry.play)
    }

    /// Appends a showing of an item of this house, whose number is given here; answers it.
    pub fn append(&mut self, house: HouseId, play: Play) -> io::Result<Play> {
        let play = Play {
            seq: self.next,
            ..play
        };
        self.next += 1;
        let entry = Entry {
            house: Some(house),
            play: play.clone(),
        };
        self.line(&Line::Play(entry.clone()))?;
        self.waiting.push_back(entry);
        self.shed()?;
        Ok(play)
    }

    /// The house has everything up to this entry. What waits for others until then is of no use to anybody any more.
    pub fn settle(&mut self, seq: u64) -> io::Result<()> {
        let before = self.waiting.len();
        while self
            .waiting
            .front()
            .is_some_and(|entry| entry.play.seq <= seq)
        {
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
        match self.waiting.get(too_many - 1).map(|entry| entry.play.seq) {
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
        let first = self.waiting.front().map(|entry| entry.play.seq);
        let settled = first.unwrap_or(self.next) - 1;
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

    fn house() -> HouseId {
        HouseId::new("h1")
    }

    fn open(folder: &Path) -> PlayLog {
        PlayLog::open(folder, Some(&house())).expect("a log")
    }

    fn waiting(log: &PlayLog) -> Vec<(u64, String)> {
        waiting_for(log, &house())
    }

    fn waiting_for(log: &PlayLog, house: &HouseId) -> Vec<(u64, String)> {
        let plays = log.waiting(house);
        plays
            .map(|play| (play.seq, play.item.to_string()))
            .collect()
    }

    #[test]
    fn numbers_go_on_over_restarts_even_when_all_is_settled() {
        let folder = tempfile::tempdir().expect("a folder");
        for round in 0..3 {
            let mut log = open(folder.path());
            assert_eq!(waiting(&log), []);
            let seq = log.append(house(), play("a")).expect("written").seq;
            assert_eq!(seq, round + 1);
            log.settle(seq).expect("written");
        }
    }

    #[test]
    fn a_torn_line_is_dropped_and_the_rest_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        let mut log = open(folder.path());
        for item in ["a", "b", "c"] {
            log.append(house(), play(item)).expect("written");
        }
        log.sync().expect("synced");
        drop(log);
        let bytes = fs::read(&path).expect("the file");
        for cut in [1, 5, 40] {
            fs::write(&path, &bytes[..bytes.len() - cut]).expect("written");
            let mut log = open(folder.path());
            assert_eq!(waiting(&log).len(), 2, "{cut}");
            assert_eq!(log.append(house(), play("d")).expect("written").seq, 3);
            drop(log);
            let log = open(folder.path());
            let expected = [(1, "a"), (2, "b"), (3, "d")].map(|(seq, item)| (seq, item.to_owned()));
            assert_eq!(waiting(&log), expected);
        }
    }

    #[test]
    fn the_log_is_bounded_and_its_file_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = PlayLog::open_with(folder.path(), None, 10).expect("a log");
        for _ in 0..10_000 {
            log.append(house(), play("a")).expect("written");
        }
        let kept: Vec<u64> = log.waiting(&house()).map(|play| play.seq).collect();
        assert_eq!(kept, (9_991..=10_000).collect::<Vec<_>>());
        let length = fs::metadata(folder.path().join(FILE))
            .expect("a file")
            .len();
        assert!(length < 1_000_000, "{length} bytes");
        drop(log);
        let log = PlayLog::open_with(folder.path(), None, 10).expect("a log");
        assert_eq!(log.waiting(&house()).count(), 10);
    }

    #[test]
    fn lines_that_are_no_lines_are_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = open(folder.path());
        log.append(house(), play("a")).expect("written");
        drop(log);
        let path = folder.path().join(FILE);
        let mut bytes = vec![0; 512];
        bytes.push(b'\n');
        bytes.extend(fs::read(&path).expect("the file"));
        fs::write(&path, bytes).expect("written");
        let log = open(folder.path());
        assert_eq!(waiting(&log), [(1, "a".to_owned())]);
    }

    #[test]
    fn a_house_gets_nothing_that_was_shown_for_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let other = HouseId::new("h2");
        let mut log = open(folder.path());
        log.append(house(), play("a")).expect("written");
        log.append(other.clone(), play("b")).expect("written");
        drop(log);
        let mut log = PlayLog::open(folder.path(), Some(&other)).expect("a log");
        assert_eq!(waiting(&log), [(1, "a".to_owned())]);
        assert_eq!(waiting_for(&log, &other), [(2, "b".to_owned())]);
        // Once the other house has its own, nothing is left.
        log.settle(2).expect("written");
        assert_eq!((waiting(&log), waiting_for(&log, &other)), (vec![], vec![]));
    }

    #[test]
    fn what_an_earlier_version_has_written_is_of_the_house_before() {
        let line = "{\"seq\":7,\"at\":\"2026-11-25T10:00:00Z\",\"output\":\"main\",\"item\":\"a\",\"duration_ms\":9800}\n";
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(FILE), line).expect("written");
        let log = PlayLog::open(folder.path(), None).expect("a log");
        assert_eq!(waiting(&log), []);
        let mut log = open(folder.path());
        assert_eq!(waiting(&log), [(7, "a".to_owned())]);
        assert_eq!(waiting_for(&log, &HouseId::new("h2")), []);
        assert_eq!(log.append(house(), play("b")).expect("written").seq, 8);
    }
}
