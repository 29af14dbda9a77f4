//! Files that survive a power cut: a reader finds the old text or the new one, never half of either.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// So many damaged files of one name are kept; after them the last one is overwritten.
const MOST_DAMAGED: u32 = 9;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Its owner only.
    Owner,
    /// Everybody.
    All,
}

impl Readers {
    fn mode(self) -> u32 {
        match self {
            Readers::Owner => 0o600,
            Readers::All => 0o644,
        }
    }
}

/// Makes a folder that only its owner may look into, and all above it; it may be there already.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o750).create(folder)
}

/// Replaces the file as a whole. When it returns, the new bytes are on the disk.
pub fn write(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let unfinished = beside(path, ".part");
    let written = (|| {
        // One that a power cut has left may have another mode.
        match fs::remove_file(&unfinished) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(err),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(readers.mode())
            .open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    })();
    match written {
        Ok(()) => sync_folder_of(path),
        Err(err) => {
            let _ = fs::remove_file(&unfinished);
            Err(err)
        }
    }
}

/// Renames a file that is whole and synced to its final name, so that the name survives, too.
pub fn publish(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder_of(to)
}

/// Removes a file, if it is there, so that it stays away.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder_of(path),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(err) => Err(err),
    }
}

/// The file's bytes; nothing where there is none.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(err) => Err(err),
    }
}

/// Puts a damaged file out of the way, under the first free of `NAME.damaged-1`, `-2` and so on, and tells where it
/// is now.
pub fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let mut aside = beside(path, ".damaged-1");
    for number in 2..=MOST_DAMAGED {
        if !aside.exists() {
            break;
        }
        aside = beside(path, &format!(".damaged-{number}"));
    }
    publish(path, &aside)?;
    Ok(aside)
}

/// A file in the same folder, whose name is longer by `ending`.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if folder != Path::new("") => File::open(folder)?.sync_all(),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_with_its_mode_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        fs::write(beside(&path, ".part"), "of a power cut").expect("written");
        for text in ["first", "second"] {
            write(&path, text.as_bytes(), Readers::Owner).expect("written");
            assert_eq!(read(&path).expect("read"), Some(text.into()));
        }
        let mode = fs::metadata(&path).expect("it is there").permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        remove(&path).expect("removed");
        remove(&path).expect("it is away already");
        assert_eq!(read(&path).expect("read"), None);
    }

    #[test]
    fn damaged_files_are_kept_apart_and_are_not_endless() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("environment.json");
        for number in 1..=12 {
            write(&path, number.to_string().as_bytes(), Readers::All).expect("written");
            let aside = set_aside(&path).expect("set aside");
            let expected = format!("environment.json.damaged-{}", number.min(9));
            assert!(aside.ends_with(expected), "{}", aside.display());
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 9);
    }
}
