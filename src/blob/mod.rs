//! Where media lie: a folder of files, each complete and hashed before it gets its name.
//!
//! An upload grows in `partial/ID`; once it is whole and sound it is moved to its name, so a name never stands for half
//! a medium. Its bytes are hashed as they come; only where another process had the beginning are they read again.
//! Deliberately absent: who may read, and object storage, which comes with its own issue.

use std::{
    collections::HashMap,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::{
    fs::{self, File, OpenOptions},
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, SeekFrom, Take},
};

use crate::domain::hex;

/// What went wrong with a file.
#[derive(Debug, Error)]
pub enum BlobError {
    /// There is none of this name.
    #[error("there is no file of the name {0}")]
    Missing(String),
    /// The name could lead out of the folder.
    #[error("{0:?} is no name for a file")]
    Name(String),
    /// Less of an upload is there than was noted: a disk has lost it.
    #[error("only {0} bytes of the upload are there")]
    Short(u64),
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// Anything else that the system says.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The folder of media.
#[derive(Clone, Debug)]
pub struct Files {
    folder: PathBuf,
    hashing: Arc<Mutex<HashMap<String, Hashed>>>,
}

/// An upload as far as it is hashed.
#[derive(Clone, Debug, Default)]
struct Hashed {
    length: u64,
    hash: Sha256,
}

/// So many uploads are remembered as far as they are hashed; others are read again.
const REMEMBERED: usize = 1000;

impl Files {
    /// Opens the folder; makes it where it is missing.
    pub async fn open(folder: &Path) -> Result<Self, BlobError> {
        let partial = folder.join("partial");
        fs::create_dir_all(&partial)
            .await
            .map_err(fault(&partial))?;
        Ok(Self {
            folder: folder.to_owned(),
            hashing: Arc::default(),
        })
    }

    /// Opens an upload to write on at `offset`; what stood behind that is cut off.
    ///
    /// # Errors
    /// [`BlobError::Short`] if so much is not there.
    pub async fn append(&self, upload: &str, offset: u64) -> Result<Append, BlobError> {
        let path = self.partial(upload)?;
        let opened = OpenOptions::new()
            .create(offset == 0)
            .truncate(false)
            .write(true)
            .open(&path)
            .await;
        let mut file = match opened {
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Err(BlobError::Short(0)),
            opened => opened.map_err(fault(&path))?,
        };
        let length = file.metadata().await.map_err(fault(&path))?.len();
        if length < offset {
            return Err(BlobError::Short(length));
        }
        file.set_len(offset).await.map_err(fault(&path))?;
        file.seek(SeekFrom::Start(offset))
            .await
            .map_err(fault(&path))?;
        let known = self.hashing().remove(upload).unwrap_or_default();
        Ok(Append {
            files: self.clone(),
            upload: upload.to_owned(),
            file,
            path,
            offset,
            hashed: (known.length == offset).then_some(known),
        })
    }

    /// The SHA-256 of an upload of `size` bytes, in lower-case hexadecimal digits; also when it has its name already.
    ///
    /// # Errors
    /// [`BlobError::Short`] if it has another size.
    pub async fn sha256(&self, upload: &str, name: &str, size: u64) -> Result<String, BlobError> {
        let (partial, named) = (self.partial(upload)?, self.path(name)?);
        let path = match fs::try_exists(&partial).await.map_err(fault(&partial))? {
            true => partial,
            false => named,
        };
        let length = match fs::metadata(&path).await {
            Err(err) if err.kind() == io::ErrorKind::NotFound => 0,
            found => found.map_err(fault(&path))?.len(),
        };
        if length != size {
            return Err(BlobError::Short(length));
        }
        let known = self.hashing().remove(upload);
        let hash = match known.filter(|known| known.length == length) {
            Some(known) => known.hash,
            None => {
                let read = path.clone();
                let hash = tokio::task::spawn_blocking(move || hash_of(&read)).await;
                hash.map_err(io::Error::other)
                    .flatten()
                    .map_err(fault(&path))?
            }
        };
        Ok(hex::write(&hash.finalize()))
    }

    /// Gives a whole upload its name; nothing changes where it has it already.
    pub async fn finish(&self, upload: &str, name: &str) -> Result<(), BlobError> {
        let (from, to) = (self.partial(upload)?, self.path(name)?);
        match fs::rename(&from, &to).await {
            Err(err) if err.kind() == io::ErrorKind::NotFound && to.is_file() => {}
            renamed => renamed.map_err(fault(&from))?,
        }
        let folder = File::open(&self.folder)
            .await
            .map_err(fault(&self.folder))?;
        folder.sync_all().await.map_err(fault(&self.folder))
    }

    /// Forgets an upload.
    pub async fn give_up(&self, upload: &str) -> Result<(), BlobError> {
        self.hashing().remove(upload);
        remove(&self.partial(upload)?).await
    }

    /// Removes a file.
    pub async fn remove(&self, name: &str) -> Result<(), BlobError> {
        remove(&self.path(name)?).await
    }

    /// Writes a small file whole.
    pub async fn put(&self, name: &str, bytes: &[u8]) -> Result<(), BlobError> {
        let (path, fresh) = (self.path(name)?, self.partial(name)?);
        fs::write(&fresh, bytes).await.map_err(fault(&fresh))?;
        fs::rename(&fresh, &path).await.map_err(fault(&path))
    }

    /// Opens a file for reading `length` bytes from `start`.
    pub async fn read(&self, name: &str, start: u64, length: u64) -> Result<Take<File>, BlobError> {
        let path = self.path(name)?;
        let mut file = match File::open(&path).await {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                return Err(BlobError::Missing(name.to_owned()));
            }
            opened => opened.map_err(fault(&path))?,
        };
        file.seek(SeekFrom::Start(start))
            .await
            .map_err(fault(&path))?;
        Ok(file.take(length))
    }

    /// When a file was written, in milliseconds since 1970; nothing where there is none.
    pub async fn modified_ms(&self, name: &str) -> Result<Option<i64>, BlobError> {
        let path = self.path(name)?;
        match fs::metadata(&path).await {
            Ok(found) => {
                let modified = found.modified().map_err(fault(&path))?;
                let since = modified.duration_since(std::time::UNIX_EPOCH);
                Ok(since
                    .ok()
                    .and_then(|since| i64::try_from(since.as_millis()).ok()))
            }
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(err) => Err(fault(&path)(err)),
        }
    }

    /// A small file whole.
    pub async fn whole(&self, name: &str) -> Result<Vec<u8>, BlobError> {
        let path = self.path(name)?;
        match fs::read(&path).await {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                Err(BlobError::Missing(name.to_owned()))
            }
            read => read.map_err(fault(&path)),
        }
    }

    fn hashing(&self) -> std::sync::MutexGuard<'_, HashMap<String, Hashed>> {
        self.hashing
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }

    fn path(&self, name: &str) -> Result<PathBuf, BlobError> {
        is_name(name)
            .then(|| self.folder.join(name))
            .ok_or_else(|| BlobError::Name(name.to_owned()))
    }

    fn partial(&self, upload: &str) -> Result<PathBuf, BlobError> {
        is_name(upload)
            .then(|| self.folder.join("partial").join(upload))
            .ok_or_else(|| BlobError::Name(upload.to_owned()))
    }
}

/// An upload that is being written.
pub struct Append {
    files: Files,
    upload: String,
    file: File,
    path: PathBuf,
    offset: u64,
    /// Nothing where the beginning was not seen here.
    hashed: Option<Hashed>,
}

impl Append {
    /// Writes a piece.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        self.file
            .write_all(bytes)
            .await
            .map_err(fault(&self.path))?;
        self.offset += bytes.len() as u64;
        if let Some(hashed) = &mut self.hashed {
            hashed.hash.update(bytes);
            hashed.length = self.offset;
        }
        Ok(())
    }

    /// Puts everything onto the disk; answers how long the upload is now.
    pub async fn close(mut self) -> Result<u64, BlobError> {
        self.file.flush().await.map_err(fault(&self.path))?;
        self.file.sync_all().await.map_err(fault(&self.path))?;
        if let Some(hashed) = self.hashed {
            let mut all = self.files.hashing();
            if all.len() < REMEMBERED {
                all.insert(self.upload, hashed);
            }
        }
        Ok(self.offset)
    }

    /// How long the upload is so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

/// Whether a name stays in its folder: letters, digits, `-`, `_` and `.`, and no dot in front.
fn is_name(name: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    (1..=128).contains(&name.len())
        && name != "partial"
        && !name.starts_with('.')
        && name.bytes().all(known)
}

fn hash_of(path: &Path) -> io::Result<Sha256> {
    let mut file = std::fs::File::open(path)?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hash),
            read => hash.update(&piece[..read]),
        }
    }
}

async fn remove(path: &Path) -> Result<(), BlobError> {
    match fs::remove_file(path).await {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(fault(path)(err)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn fault(path: &Path) -> impl Fn(io::Error) -> BlobError + use<'_> {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull => BlobError::Full,
        _ => BlobError::Io {
            path: path.to_owned(),
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_upload_goes_on_where_it_was_cut_and_gets_its_name_when_it_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::open(folder.path()).await.expect("opened");
        let mut upload = files.append("u1", 0).await.expect("begun");
        upload.write(b"hello").await.expect("written");
        assert_eq!(upload.close().await.expect("closed"), 5);
        let mut upload = files.append("u1", 2).await.expect("goes on");
        upload.write(b"y!").await.expect("written");
        assert_eq!(upload.close().await.expect("closed"), 4);
        // What was cut off is in no hash, whoever saw it come.
        for files in [&files, &Files::open(folder.path()).await.expect("opened")] {
            let hash = files.sha256("u1", "a.mp4", 4).await.expect("hashed");
            assert!(hash.starts_with("d827e9f3"), "{hash}");
        }
        for _ in 0..2 {
            files.finish("u1", "a.mp4").await.expect("named");
        }
        let hash = files.sha256("u1", "a.mp4", 4).await.expect("hashed");
        assert!(hash.starts_with("d827e9f3"), "{hash}");
        let lost = files.append("u1", 4).await.err();
        assert!(matches!(lost, Some(BlobError::Short(0))), "{lost:?}");
        let lost = files.sha256("u1", "a.mp4", 5).await.err();
        assert!(matches!(lost, Some(BlobError::Short(4))), "{lost:?}");
        let mut text = String::new();
        let mut read = files.read("a.mp4", 1, 2).await.expect("opened");
        read.read_to_string(&mut text).await.expect("read");
        assert_eq!(text, "ey");
        files.remove("a.mp4").await.expect("removed");
        let gone = files.read("a.mp4", 0, 1).await;
        assert!(matches!(gone, Err(BlobError::Missing(_))));
        for name in ["", "../a", ".a", "a/b", "partial", "a\0"] {
            assert!(
                matches!(files.read(name, 0, 1).await, Err(BlobError::Name(_))),
                "{name}"
            );
        }
    }
}
