//! The media that are on the box: whole files, named after their SHA-256.
//!
//! This is the boundary behind which media come to the box. A file under its final name is whole and was checked.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use nix::errno::Errno;
use sha2::{Digest, Sha256};

use crate::{
    domain::{
        config::HouseUrl,
        house::{Format, HouseItem},
        ids::ItemId,
    },
    net::hex,
    os::durable,
};

const FOLDER: &str = "media";
/// What a file is called while it is not whole.
const PART: &str = ".part";
/// Where the ETag of an unfinished file is kept.
const TAG: &str = ".tag";
/// So much is left free for everything else, in bytes.
const RESERVE: u64 = 64 << 20;

/// A medium that a box wants to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The item that it belongs to.
    pub item: ItemId,
    /// Where it is, and how it is known to be whole.
    pub format: Format,
}

/// Where a medium is to come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The house itself.
    House(String),
    /// Some other server.
    World(String),
    /// It is played as it comes: a live stream.
    Live(String),
    /// Nowhere that a house may send a box to.
    Nowhere,
}

impl Origin {
    /// Where an environment's `src` leads, from a house.
    pub fn of(src: &str, house: &HouseUrl) -> Self {
        match src.split_once("://") {
            Some(("http" | "https", _)) if house.holds(src) => Origin::House(src.to_owned()),
            Some(("http" | "https", _)) => Origin::World(src.to_owned()),
            Some((scheme, _)) if is_live(scheme) => Origin::Live(src.to_owned()),
            Some(_) => Origin::Nowhere,
            None if src.starts_with('/') => Origin::House(house.join(src)),
            None => Origin::Nowhere,
        }
    }
}

/// Whether what has an address of this scheme is a live stream.
fn is_live(scheme: &str) -> bool {
    ["rtsp", "rtsps", "srt", "udp", "rtp"].contains(&scheme)
}

/// The encoding of an item that a box plays.
pub fn format_of(item: &HouseItem) -> Option<&Format> {
    let source = item.formats.get("source");
    source.or_else(|| item.formats.values().next())
}

/// The folder of media.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// The shelf of this state folder.
    pub fn new(state: &Path) -> Self {
        Self {
            folder: state.join(FOLDER),
        }
    }

    /// What to open to play this: the file, if it is there as a whole, or the address of a live stream.
    pub fn src(&self, format: &Format) -> Option<String> {
        match format.src.split_once("://") {
            Some((scheme, _)) if is_live(scheme) => Some(format.src.clone()),
            Some(_) | None => Some(self.path(format)?.to_string_lossy().into_owned()),
        }
    }

    /// The file, if it is there as a whole.
    pub fn path(&self, format: &Format) -> Option<PathBuf> {
        let path = self.folder.join(name(format));
        let length = fs::metadata(&path).ok()?.len();
        (length == format.size || format.size == 0).then_some(path)
    }

    /// Where the file is to be in the end.
    pub(super) fn place(&self, format: &Format) -> PathBuf {
        self.folder.join(name(format))
    }

    /// Where it is while it is not whole.
    pub(super) fn part(&self, format: &Format) -> PathBuf {
        durable::beside(&self.place(format), PART)
    }

    /// Where the ETag of that is.
    pub(super) fn tag(&self, format: &Format) -> PathBuf {
        durable::beside(&self.place(format), TAG)
    }

    /// Makes the folder.
    pub(super) fn make(&self) -> io::Result<()> {
        durable::make_folder(&self.folder)
    }

    /// Whether there is room for so many bytes more.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        // Where it cannot be known, writing will tell.
        nix::sys::statvfs::statvfs(&self.folder).map_or(true, |disk| {
            let free = disk.blocks_available().saturating_mul(disk.fragment_size());
            free >= bytes.saturating_add(RESERVE)
        })
    }

    /// Removes what is not wanted; answers how many files that were.
    pub(super) fn clear(&self, wanted: &[Wanted]) -> io::Result<usize> {
        let names: HashSet<String> = wanted.iter().map(|wanted| name(&wanted.format)).collect();
        let mut removed = 0;
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let file = entry.file_name();
            let file = file.to_string_lossy();
            let stem = file.trim_end_matches(PART).trim_end_matches(TAG);
            if !names.contains(stem) {
                fs::remove_file(entry.path())?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Whether a medium is no longer what it was when it came, as its name tells, or the disk does not give it back. What is
    /// not on the shelf, or came without a SHA-256, is not known to be that.
    ///
    /// # Errors
    /// It cannot be told now: the file is gone, or may not be opened.
    pub(super) fn is_damaged(&self, file: &Path) -> io::Result<bool> {
        let name = file.file_name().and_then(|name| name.to_str());
        if file.parent() != Some(&self.folder) || !name.is_some_and(is_hash) {
            return Ok(false);
        }
        match sha256_of(file) {
            Ok(found) => Ok(Some(found.as_str()) != name),
            Err(error) if is_lost(&error) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Removes the last of what is wanted, one after the other, until there is room; nothing that is also among the
    /// first. Answers how many media that were.
    pub(super) fn give_up(
        &self,
        first: &[Wanted],
        last: &[Wanted],
        has_room: impl Fn(&Self) -> bool,
    ) -> io::Result<usize> {
        let kept: HashSet<String> = first.iter().map(|wanted| name(&wanted.format)).collect();
        let mut removed = 0;
        for Wanted { format, .. } in last.iter().rev() {
            if has_room(self) {
                break;
            }
            if kept.contains(&name(format)) {
                continue;
            }
            let (place, part) = (self.place(format), self.part(format));
            removed += usize::from(place.exists() || part.exists());
            for path in [place, part, self.tag(format)] {
                durable::remove(&path)?;
            }
        }
        Ok(removed)
    }
}

/// What a medium's file is called: its SHA-256, or where the house gives none, that of where it comes from.
fn name(format: &Format) -> String {
    match is_hash(&format.sha256) {
        true => format.sha256.to_ascii_lowercase(),
        false => {
            let origin = format!("{}\n{}", format.src, format.size);
            format!("unknown-{}", hex::write(&Sha256::digest(origin)))
        }
    }
}

/// Whether a text is a SHA-256; one that is not never becomes part of a path.
pub(super) fn is_hash(text: &str) -> bool {
    hex::read::<32>(text).is_some()
}

/// Whether a disk says by this that it cannot give back what was written: the block cannot be read, or the file system
/// finds it damaged.
fn is_lost(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw);
    matches!(number, Some(Errno::EIO | Errno::EBADMSG | Errno::EUCLEAN))
}

/// The SHA-256 of a file, in small letters.
pub(super) fn sha256_of(path: &Path) -> io::Result<String> {
    use std::io::Read;
    let mut file = std::fs::File::open(path)?;
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::write(&digest.finalize())),
            length => digest.update(&buffer[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(src: &str, sha256: &str, size: u64) -> Format {
        Format {
            src: src.to_owned(),
            sha256: sha256.to_owned(),
            size,
            mime: None,
        }
    }

    #[test]
    fn only_a_whole_file_is_on_the_shelf() {
        let state = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::new(state.path());
        let wanted = format("/api/v1/media/a", &"ab".repeat(32), 4);
        assert_eq!(shelf.path(&wanted), None);
        shelf.make().expect("made");
        fs::write(shelf.part(&wanted), "four").expect("written");
        assert_eq!(shelf.path(&wanted), None);
        fs::write(shelf.place(&wanted), "thr").expect("written");
        assert_eq!(shelf.path(&wanted), None, "it has another size");
        fs::write(shelf.place(&wanted), "four").expect("written");
        assert_eq!(shelf.path(&wanted), Some(shelf.place(&wanted)));
        let live = format("rtsp://camera/1", "", 0);
        assert_eq!(shelf.src(&live).as_deref(), Some("rtsp://camera/1"));
    }

    #[test]
    fn only_what_is_not_what_its_name_says_is_damaged() {
        let state = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::new(state.path());
        shelf.make().expect("made");
        let sound = format("/a", &hex::write(&Sha256::digest("four")), 4);
        let other = format("/a", &"ab".repeat(32), 4);
        let unnamed = format("/a", "", 4);
        let elsewhere = state.path().join("ab".repeat(32));
        let files = [&sound, &other, &unnamed].map(|format| shelf.place(format));
        for file in files.iter().chain([&elsewhere]) {
            fs::write(file, "four").expect("written");
        }
        let is_damaged = |file: &PathBuf| shelf.is_damaged(file).expect("read");
        assert_eq!(files.each_ref().map(is_damaged), [false, true, false]);
        assert!(!is_damaged(&elsewhere));
        fs::remove_file(&files[1]).expect("removed");
        assert!(shelf.is_damaged(&files[1]).is_err(), "it is gone");
    }

    #[test]
    fn what_the_disk_does_not_give_back_is_damaged() {
        let state = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::new(state.path());
        shelf.make().expect("made");
        let file = shelf.place(&format("/a", &"ab".repeat(32), 4));
        // Its first page is nobody's, and the kernel says EIO to who reads it.
        std::os::unix::fs::symlink("/proc/self/mem", &file).expect("a link");
        assert!(shelf.is_damaged(&file).expect("told"));
        // What cannot be read for another reason may be sound.
        fs::remove_file(&file).expect("removed");
        fs::create_dir(&file).expect("a folder");
        assert!(shelf.is_damaged(&file).is_err());
    }

    #[test]
    fn no_hash_leads_out_of_the_folder() {
        let shelf = Shelf::new(Path::new("/state"));
        for sha256 in ["../../etc/passwd", "", "/etc/passwd", &"x".repeat(64)] {
            let place = shelf.place(&format("/a", sha256, 1));
            assert_eq!(place.parent(), Some(Path::new("/state/media")));
            let name = place.file_name().expect("a name").to_string_lossy();
            assert!(name.starts_with("unknown-"), "{name}");
        }
    }

    #[test]
    fn a_house_sends_a_box_only_where_media_are() {
        let house: HouseUrl = "https://a.example:8443".parse().expect("an address");
        let inside = |path: &str| Origin::House(format!("https://a.example:8443{path}"));
        let world = |url: &str| Origin::World(url.to_owned());
        for (src, origin) in [
            ("/api/v1/media/x", inside("/api/v1/media/x")),
            (
                "https://a.example:8443/api/v1/media/x?exp=1",
                inside("/api/v1/media/x?exp=1"),
            ),
            (
                "https://a.example:84433/x",
                world("https://a.example:84433/x"),
            ),
            ("http://cdn.example/x", world("http://cdn.example/x")),
            (
                "rtsp://camera/1",
                Origin::Live("rtsp://camera/1".to_owned()),
            ),
            ("file:///etc/passwd", Origin::Nowhere),
            ("x.mp4", Origin::Nowhere),
        ] {
            assert_eq!(Origin::of(src, &house), origin, "{src}");
        }
    }

    #[test]
    fn what_is_wanted_least_makes_room_and_nothing_more_than_that() {
        let state = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::new(state.path());
        shelf.make().expect("made");
        let media: Vec<Wanted> = ["aa", "bb", "cc", "dd", "bb"]
            .into_iter()
            .map(|hash| Wanted {
                item: ItemId::new("i1"),
                format: format("/a", &hash.repeat(32), 1),
            })
            .collect();
        for wanted in &media[1..4] {
            fs::write(shelf.place(&wanted.format), "x").expect("written");
        }
        let is_there = |shelf: &Shelf, at: usize| shelf.path(&media[at].format).is_some();
        // The last is among the first two, too.
        let (first, last) = media.split_at(2);
        let removed = shelf.give_up(first, last, |shelf| !is_there(shelf, 3));
        assert_eq!(removed.expect("removed"), 1);
        assert!(is_there(&shelf, 1) && is_there(&shelf, 2) && !is_there(&shelf, 3));
        let removed = shelf.give_up(first, last, |_| false);
        assert_eq!(removed.expect("removed"), 1);
        assert!(is_there(&shelf, 1), "what is wanted more stays");
    }

    #[test]
    fn what_is_not_wanted_goes_with_all_its_files() {
        let state = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::new(state.path());
        shelf.make().expect("made");
        let (keep, drop) = (
            format("/a", &"aa".repeat(32), 1),
            format("/b", &"bb".repeat(32), 1),
        );
        for format in [&keep, &drop] {
            for path in [shelf.place(format), shelf.part(format), shelf.tag(format)] {
                fs::write(path, "x").expect("written");
            }
        }
        let wanted = [Wanted {
            item: ItemId::new("i1"),
            format: keep.clone(),
        }];
        assert_eq!(shelf.clear(&wanted).expect("cleared"), 3);
        assert!(shelf.path(&keep).is_some() && shelf.path(&drop).is_none());
        assert!(shelf.part(&keep).exists() && shelf.tag(&keep).exists());
    }
}
