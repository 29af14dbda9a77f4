//! The data folder, which is for nobody else's eyes, and the files in it.

use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;

/// The data folder: what is said, else the usual one.
pub fn data_folder(said: Option<PathBuf>) -> PathBuf {
    said.unwrap_or_else(|| {
        let home = std::env::var_os("XDG_STATE_HOME")
            .map(PathBuf::from)
            .or_else(|| {
                std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"))
            });
        match (nix::unistd::geteuid().is_root(), home) {
            (false, Some(home)) => home.join("musebox-house"),
            (true, _) | (false, None) => PathBuf::from("/var/lib/musebox-house"),
        }
    })
}

/// Makes the folder where it is missing, so that only its owner may look into it. One that is there is left as it is.
pub fn make_private(folder: &Path) -> anyhow::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o700)))
        .with_context(|| format!("making the folder {}", folder.display()))
}

/// Writes a file that only its owner may read; a file that was there is replaced in one step.
pub fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let fresh = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options
        .open(&fresh)
        .with_context(|| format!("writing {}", fresh.display()))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path).with_context(|| format!("writing {}", path.display()))
}
