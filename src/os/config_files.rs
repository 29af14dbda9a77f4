//! Finding and reading the configuration files. What they mean is the domain's business.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::domain::config::ConfigText;

/// Where the configuration is, if nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/musebox/musebox.toml";

/// Whether the first file may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MainFile {
    /// Somebody named it: it must be there.
    Required,
    /// It is the default one: without it, defaults hold.
    Optional,
}

/// A file or folder that cannot be read.
#[derive(Debug, Error)]
#[error("{}: {source}", path.display())]
pub struct ReadError {
    /// The file or folder.
    pub path: PathBuf,
    /// Why not.
    pub source: io::Error,
}

/// Reads `main`, then the `*.toml` files of the folder `main` + `.d` in the order of their names (hidden ones are
/// left out). A folder that is not there is an empty one.
pub fn read(main: &Path, presence: MainFile) -> Result<Vec<ConfigText>, ReadError> {
    let mut texts = Vec::new();
    match fs::read_to_string(main) {
        Ok(text) => texts.push(config_text(main, text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && presence == MainFile::Optional => {
        }
        Err(source) => return Err(failed(main, source)),
    }
    let mut folder = main.as_os_str().to_owned();
    folder.push(".d");
    let folder = PathBuf::from(folder);
    for path in fragments(&folder)? {
        let text = fs::read_to_string(&path).map_err(|source| failed(&path, source))?;
        texts.push(config_text(&path, text));
    }
    Ok(texts)
}

fn fragments(folder: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed(folder, source)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|source| failed(folder, source))?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.extension() == Some(OsStr::new("toml")) && !hidden {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn config_text(path: &Path, text: String) -> ConfigText {
    ConfigText {
        path: path.to_string_lossy().into_owned(),
        text,
    }
}

fn failed(path: &Path, source: io::Error) -> ReadError {
    ReadError {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let main = folder.path().join("musebox.toml");
        let extra = folder.path().join("musebox.toml.d");
        fs::create_dir(&extra).expect("a folder");
        fs::write(&main, "name = \"main\"").expect("a file");
        for name in ["20-b.toml", "10-a.toml", "readme.txt", ".30-hidden.toml"] {
            fs::write(extra.join(name), format!("# {name}")).expect("a file");
        }
        let texts = read(&main, MainFile::Required).expect("readable files");
        let texts: Vec<_> = texts.iter().map(|file| &*file.text).collect();
        assert_eq!(texts, ["name = \"main\"", "# 10-a.toml", "# 20-b.toml"]);
    }

    #[test]
    fn only_a_named_file_must_be_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let main = folder.path().join("musebox.toml");
        assert_eq!(read(&main, MainFile::Optional).expect("no files"), []);
        let error = read(&main, MainFile::Required).expect_err("a missing file");
        assert!(error.to_string().contains("musebox.toml"), "{error}");
    }

    #[test]
    fn what_is_no_text_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let main = folder.path().join("musebox.toml");
        fs::write(&main, [0xff, 0xfe, 0x00]).expect("a file");
        let error = read(&main, MainFile::Optional).expect_err("no UTF-8");
        assert!(error.to_string().contains("musebox.toml"), "{error}");
        fs::remove_file(&main).expect("the file goes");
        fs::create_dir(&main).expect("a folder in its place");
        assert!(read(&main, MainFile::Optional).is_err());
    }
}
