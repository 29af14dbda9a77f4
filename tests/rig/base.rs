//! What every machine is made from: the root disk and the kernels, built once and kept under the hash of their recipes.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};

/// A Debian whose user land the guest has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Userland {
    /// Debian 13, with GStreamer 1.26.
    Trixie,
    /// Debian 12, with GStreamer 1.22.
    Bookworm,
    /// Debian 13 with other players: for the bench.
    #[allow(dead_code)]
    Peers,
}

/// A kernel that the guest runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// The newest that Debian has, with vkms, visl and vicodec.
    Backports,
    /// Debian 13's own, as it is: its virtio-gpu has no vblanks.
    Plain,
}

/// Where everything that takes long to make is kept.
pub fn cache() -> PathBuf {
    let home = || PathBuf::from(env::var_os("HOME").expect("HOME is set"));
    let cache = env::var_os("XDG_CACHE_HOME").map_or_else(|| home().join(".cache"), PathBuf::from);
    cache.join("musebox/rig")
}

/// The folder with the rig's scripts.
pub fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rig")
}

/// The root disk.
pub fn image(userland: Userland) -> anyhow::Result<PathBuf> {
    let (name, suite, more) = match userland {
        Userland::Trixie => ("image-trixie", "trixie", &[][..]),
        Userland::Bookworm => ("image-bookworm", "bookworm", &[][..]),
        Userland::Peers => ("image-peers", "trixie", &["--add", "mpv"][..]),
    };
    let recipe = ["build-image", "guest"];
    let arguments = [&["--suite", suite][..], more].concat();
    let folder = built(name, "build-image", &recipe, &arguments)?;
    Ok(folder.join("root.img"))
}

/// The folder with `vmlinuz` and `initrd.img`.
pub fn kernel(kernel: Kernel) -> anyhow::Result<PathBuf> {
    let recipe = [
        "build-kernel",
        "make-initrd",
        "select-modules",
        "modules.list",
    ];
    let (name, arguments) = match kernel {
        Kernel::Backports => ("kernel-backports", &["--suite", "trixie-backports"][..]),
        Kernel::Plain => ("kernel-plain", &["--suite", "trixie", "--plain"][..]),
    };
    built(name, "build-kernel", &recipe, arguments)
}

/// The folder that a script has filled, now or earlier. It is whole or not there; older ones of its name are removed.
fn built(name: &str, script: &str, recipe: &[&str], arguments: &[&str]) -> anyhow::Result<PathBuf> {
    let mut hash = Hash::default();
    for part in recipe {
        hash.tree(&scripts().join(part))?;
    }
    arguments.iter().for_each(|word| hash.add(word.as_bytes()));
    let folder = cache().join(format!("{name}-{}", hash.short()));
    if folder.exists() {
        return Ok(folder);
    }
    prune(name)?;
    let unfinished = cache().join(format!("{name}.part"));
    fs::remove_dir_all(&unfinished).ok();
    fs::create_dir_all(cache())?;
    eprintln!("rig: {name} is made, which takes minutes the first time");
    let status = Command::new(scripts().join(script))
        .arg(&unfinished)
        .args(arguments)
        .status()
        .with_context(|| script.to_owned())?;
    ensure!(status.success(), "{script} failed ({status})");
    fs::rename(&unfinished, &folder)?;
    Ok(folder)
}

/// Removes what was made under this name from other recipes.
pub fn prune(name: &str) -> anyhow::Result<()> {
    let Ok(entries) = fs::read_dir(cache()) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        let found = entry.file_name();
        let old = found
            .to_string_lossy()
            .strip_prefix(name)
            .is_some_and(|rest| {
                rest.len() == Hash::SHORT + 1 && rest.starts_with('-') && !rest[1..].contains('-')
            });
        if old {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// A hash over names and contents.
#[derive(Default)]
pub struct Hash(Sha256);

impl Hash {
    const SHORT: usize = 12;

    /// Adds bytes, kept apart from those before.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// Adds a file, or a folder with all that is in it.
    pub fn tree(&mut self, path: &Path) -> anyhow::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.add(name.as_bytes());
        if !path.is_dir() {
            let bytes = fs::read(path).with_context(|| path.display().to_string())?;
            self.add(&bytes);
            return Ok(());
        }
        let mut entries: Vec<PathBuf> = fs::read_dir(path)?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<_>>()?;
        entries.sort();
        entries.iter().try_for_each(|entry| self.tree(entry))
    }

    /// Twelve digits of it.
    pub fn short(self) -> String {
        let digits: String = self
            .0
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        digits[..Self::SHORT].to_owned()
    }
}
