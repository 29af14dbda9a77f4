//! A card: the device node of a display controller, and what it can do.

use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
};

use drm::{ClientCapability, Device, DriverCapability, control};
use nix::libc;

/// Where the kernel puts cards.
const FOLDER: &str = "/dev/dri";

/// An open card. The first program that opens it while nobody is master becomes its master.
pub struct Card {
    file: File,
    path: PathBuf,
    driver: String,
    modifiers: bool,
}

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Device for Card {}
impl control::Device for Card {}

impl Card {
    /// Opens a card for atomic commits.
    ///
    /// Fails with `Unsupported` if it is no display controller or its driver knows no atomic commits.
    pub fn open(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::OpenOptionsExt;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_CLOEXEC | libc::O_NONBLOCK)
            .open(path)?;
        let mut card = Self {
            file,
            path: path.to_owned(),
            driver: String::new(),
            modifiers: false,
        };
        let unsupported =
            |_| io::Error::new(io::ErrorKind::Unsupported, "it knows no atomic modesetting");
        card.set_client_capability(ClientCapability::UniversalPlanes, true)
            .map_err(unsupported)?;
        card.set_client_capability(ClientCapability::Atomic, true)
            .map_err(unsupported)?;
        card.driver = card.get_driver()?.name().to_string_lossy().into_owned();
        card.modifiers = card
            .get_driver_capability(DriverCapability::AddFB2Modifiers)
            .is_ok_and(|value| value == 1);
        Ok(card)
    }

    /// The device nodes of all cards, in the order of their numbers.
    pub fn paths() -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(FOLDER) else {
            return Vec::new();
        };
        let number = |path: &PathBuf| {
            let name = path.file_name()?.to_str()?;
            name.strip_prefix("card")?.parse::<u32>().ok()
        };
        let mut cards: Vec<(u32, PathBuf)> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter_map(|path| Some((number(&path)?, path)))
            .collect();
        cards.sort();
        cards.into_iter().map(|(_, path)| path).collect()
    }

    /// The device node.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The kernel driver's name.
    pub fn driver(&self) -> &str {
        &self.driver
    }

    /// Whether framebuffers can be made with explicit modifiers.
    pub fn has_modifiers(&self) -> bool {
        self.modifiers
    }
}
