//! The play log: what was shown, kept on disk until the house has it.
//!
//! A file of lines, each a JSON object: an entry, or a mark up to which entries are settled. Lines are only appended; a
//! line that a power cut has torn is dropped. When most of the file is settled it is written anew.
//!
//! An entry names the house whose item was shown, and no other house gets it. It waits for that house once it is on the
//! disk: the number of one that a power cut takes is given again.

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
    /// All entries before this one are on the disk.
    synced: u64,
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
        let bytes = match durable::read(&path)? {
            Some(bytes) => bytes,
            None => {
                durable::write(&path, &[], Readers::Owner)?;
                Vec::new()
            }
        };
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
        let file = OpenOptions::new().append(true).open(&path)?;
        let mut log = Self {
            settled: lines - waiting.len().min(lines),
            path,
            file,
            waiting,
            next,
            synced: 0,
            most,
            is_overflowing: false,
            // A process before may not have come to it.
            is_dirty: true,
        };
        if whole < bytes.len() {
            log.file.set_len(whole as u64)?;
        }
        log.shed()?;
        Ok(log)
    }

    /// What is on the disk and waits for this house, the oldest first: of all entries after this one.
    pub fn waiting(&self, house: &HouseId, after: u64) -> impl Iterator<Item = &Play> {
        let first = self
            .waiting
            .partition_point(|entry| entry.play.seq <= after);
        let synced = self.synced;
        let entries = self.waiting.range(first..);
        let entries = entries.take_while(move |entry| entry.play.seq < synced);
        let of_house = |entry: &&Entry| entry.house.as_ref() == Some(house);
        entries.filter(of_house).map(|entry| &entry.play)
    }

    /// Appends a showing of an item of this house, whose number is given here.
    pub fn append(&mut self, house: HouseId, play: Play) -> io::Result<()> {
        let play = Play {
            seq: self.next,
            ..play
        };
        self.next += 1;
        let entry = Entry {
            house: Some(house),
            play,
        };
        self.line(&Line::Play(entry.clone()))?;
        self.waiting.push_back(entry);
        self.shed()
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

    /// Brings what was appended onto the disk, also by a process before.
    pub fn sync(&mut self) -> io::Result<()> {
        if self.is_dirty {
            self.file.sync_data()?;
            (self.synced, self.is_dirty) = (self.next, false);
        }
        Ok(())
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
        let length = self.file.metadata()?.len();
        let written = self.file.write_all(&text);
        if written.is_err() {
            // A full disk may take half a line, which would spoil the next one.
            self.file.set_len(length)?;
        }
        written
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
        (self.settled, self.synced, self.is_dirty) = (1, self.next, false);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process::Command};

    use nix::sys::resource::{Resource, getrlimit, setrlimit};

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

    fn append(log: &mut PlayLog, item: &str) {
        log.append(house(), play(item)).expect("written");
    }

    fn waiting(log: &mut PlayLog) -> Vec<(u64, String)> {
        waiting_for(log, &house())
    }

    /// What waits for a house once all is on the disk.
    fn waiting_for(log: &mut PlayLog, house: &HouseId) -> Vec<(u64, String)> {
        log.sync().expect("synced");
        let plays = log.waiting(house, 0);
        plays
            .map(|play| (play.seq, play.item.to_string()))
            .collect()
    }

    #[test]
    fn numbers_go_on_over_restarts_even_when_all_is_settled() {
        let folder = tempfile::tempdir().expect("a folder");
        for round in 1..4 {
            let mut log = open(folder.path());
            assert_eq!(waiting(&mut log), []);
            append(&mut log, "a");
            assert_eq!(waiting(&mut log), [(round, "a".to_owned())]);
            log.settle(round).expect("written");
        }
    }

    #[test]
    fn a_torn_line_is_dropped_and_the_rest_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        let mut log = open(folder.path());
        for item in ["a", "b", "c"] {
            append(&mut log, item);
        }
        log.sync().expect("synced");
        drop(log);
        let bytes = fs::read(&path).expect("the file");
        for cut in [1, 5, 40] {
            fs::write(&path, &bytes[..bytes.len() - cut]).expect("written");
            let mut log = open(folder.path());
            assert_eq!(waiting(&mut log).len(), 2, "{cut}");
            append(&mut log, "d");
            drop(log);
            let mut log = open(folder.path());
            let expected = [(1, "a"), (2, "b"), (3, "d")].map(|(seq, item)| (seq, item.to_owned()));
            assert_eq!(waiting(&mut log), expected);
        }
    }

    #[test]
    fn the_log_is_bounded_and_its_file_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = PlayLog::open_with(folder.path(), None, 10).expect("a log");
        for _ in 0..10_000 {
            append(&mut log, "a");
        }
        let kept: Vec<u64> = waiting(&mut log).into_iter().map(|(seq, _)| seq).collect();
        assert_eq!(kept, (9_991..=10_000).collect::<Vec<_>>());
        let length = fs::metadata(folder.path().join(FILE))
            .expect("a file")
            .len();
        assert!(length < 1_000_000, "{length} bytes");
        drop(log);
        let mut log = PlayLog::open_with(folder.path(), None, 10).expect("a log");
        assert_eq!(waiting(&mut log).len(), 10);
    }

    #[test]
    fn a_line_that_a_full_disk_cuts_spoils_no_other() {
        // A disk is full for a whole process: this test is one of its own.
        const ALONE: &str = "MUSEBOX_TEST_FULL_DISK";
        if env::var_os(ALONE).is_none() {
            let name = "net::plays::tests::a_line_that_a_full_disk_cuts_spoils_no_other";
            let output = Command::new("bash")
                .args(["-c", "trap '' XFSZ; exec \"$0\" --exact \"$1\""])
                .args([
                    env::current_exe().expect("a test").as_os_str(),
                    name.as_ref(),
                ])
                .env(ALONE, "1")
                .output()
                .expect("bash starts");
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{text}");
            assert!(text.contains("1 passed"), "{text}");
            return;
        }
        let (_, most) = getrlimit(Resource::RLIMIT_FSIZE).expect("a limit");
        let room = |bytes| setrlimit(Resource::RLIMIT_FSIZE, bytes, most).expect("set");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        let mut log = open(folder.path());
        append(&mut log, "a");
        let length = fs::metadata(&path).expect("a file").len();
        room(length + 20);
        log.append(house(), play("b")).expect_err("no room");
        assert_eq!(fs::metadata(&path).expect("a file").len(), length);
        room(most);
        append(&mut log, "c");
        drop(log);
        let expected = [(1, "a"), (3, "c")].map(|(seq, item)| (seq, item.to_owned()));
        assert_eq!(waiting(&mut open(folder.path())), expected);
    }

    #[test]
    fn lines_that_are_no_lines_are_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = open(folder.path());
        append(&mut log, "a");
        drop(log);
        let path = folder.path().join(FILE);
        let mut bytes = vec![0; 512];
        bytes.push(b'\n');
        bytes.extend(fs::read(&path).expect("the file"));
        fs::write(&path, bytes).expect("written");
        let mut log = open(folder.path());
        assert_eq!(waiting(&mut log), [(1, "a".to_owned())]);
    }

    #[test]
    fn a_house_gets_nothing_that_was_shown_for_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let other = HouseId::new("h2");
        let mut log = open(folder.path());
        append(&mut log, "a");
        log.append(other.clone(), play("b")).expect("written");
        drop(log);
        let mut log = PlayLog::open(folder.path(), Some(&other)).expect("a log");
        assert_eq!(waiting(&mut log), [(1, "a".to_owned())]);
        assert_eq!(waiting_for(&mut log, &other), [(2, "b".to_owned())]);
        // Once the other house has its own, nothing is left.
        log.settle(2).expect("written");
        assert_eq!(waiting(&mut log), []);
        assert_eq!(waiting_for(&mut log, &other), []);
    }

    #[test]
    fn what_an_earlier_version_has_written_is_of_the_house_before() {
        let line = "{\"seq\":7,\"at\":\"2026-11-25T10:00:00Z\",\"output\":\"main\",\"item\":\"a\",\"duration_ms\":9800}\n";
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(FILE), line).expect("written");
        let mut log = PlayLog::open(folder.path(), None).expect("a log");
        assert_eq!(waiting(&mut log), []);
        let mut log = open(folder.path());
        assert_eq!(waiting(&mut log), [(7, "a".to_owned())]);
        assert_eq!(waiting_for(&mut log, &HouseId::new("h2")), []);
        append(&mut log, "b");
        let expected = [(7, "a"), (8, "b")].map(|(seq, item)| (seq, item.to_owned()));
        assert_eq!(waiting(&mut log), expected);
    }

    #[test]
    fn no_number_is_handed_over_that_a_power_cut_can_take_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        let mut log = open(folder.path());
        append(&mut log, "a");
        log.sync().expect("synced");
        let synced = fs::read(&path).expect("the file");
        append(&mut log, "b");
        let handed: Vec<u64> = log.waiting(&house(), 0).map(|play| play.seq).collect();
        assert_eq!(handed, [1]);
        drop(log);

        // The power is cut, and the second entry with it.
        fs::write(&path, synced).expect("written");
        let mut log = open(folder.path());
        assert_eq!(
            log.waiting(&house(), 0).count(),
            0,
            "nobody knows whether it is on the disk"
        );
        append(&mut log, "c");
        let expected = [(1, "a"), (2, "c")].map(|(seq, item)| (seq, item.to_owned()));
        assert_eq!(waiting(&mut log), expected);
        let rest: Vec<u64> = log.waiting(&house(), 1).map(|play| play.seq).collect();
        assert_eq!(rest, [2], "only what was not handed over before");
    }
}
