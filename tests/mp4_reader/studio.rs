//! Files made by foreign programs, and what foreign programs say of them.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

use musebox::domain::mp4::{Movie, ReadAt, ReadError};
use serde_json::Value;
use tempfile::TempDir;

/// Sources and coders for ffmpeg's command line.
pub const PICTURES: &str = "-f lavfi -i testsrc2=s=160x96:r=30:d=2";
pub const SOUND: &str = "-f lavfi -i sine=440:d=2";
pub const X264: &str = "-c:v libx264 -preset veryfast -g 15 -pix_fmt yuv420p";

/// A file as the reader's medium.
pub struct Medium {
    file: File,
    pub size: u64,
}

impl Medium {
    pub fn open(path: &Path) -> Self {
        let file = File::open(path).expect("the file was just made");
        let size = file.metadata().expect("metadata").len();
        Self { file, size }
    }
}

impl ReadAt for Medium {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.file
            .read_exact_at(buffer, offset)
            .map_err(|error| ReadError(error.to_string()))
    }
}

/// A folder of files made by foreign programs.
pub struct Studio {
    folder: TempDir,
}

impl Studio {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a program in the folder, with its arguments in one text.
    pub fn run(&self, program: &str, arguments: &str) {
        let output = Command::new(program)
            .current_dir(self.folder.path())
            .args(arguments.split_whitespace())
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(
            output.status.success(),
            "{program} {arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Makes a file with ffmpeg.
    pub fn ffmpeg(&self, arguments: &str, name: &str) -> PathBuf {
        self.run(
            "ffmpeg",
            &format!("-nostdin -v error -y -threads 2 {arguments} {name}"),
        );
        self.path(name)
    }
}

/// What ffprobe says of a file, in JSON.
pub fn ffprobe(path: &Path, arguments: &str) -> Value {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "json"])
        .args(arguments.split_whitespace())
        .arg(path)
        .output()
        .expect("ffprobe is installed");
    serde_json::from_slice(&output.stdout).expect("ffprobe writes JSON")
}

pub fn number(value: &Value) -> i64 {
    match value {
        Value::String(text) => text.parse().expect("a number"),
        other => other.as_i64().expect("a number"),
    }
}

/// Opens a file that must be good.
pub fn open(path: &Path) -> (Movie, Medium) {
    let mut medium = Medium::open(path);
    let movie = Movie::open(&mut medium).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    (movie, medium)
}
