//! What the guest gets from us, as one tar file: the packages, the clips, the tools, and what `make demo` runs.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

use anyhow::{Context, ensure};

use crate::{
    base::{self, Hash},
    clips,
    machine::PARCEL,
    warm::runs,
};

/// Packs it, once a process; answers a hash of what is in it.
pub fn pack(path: &Path) -> anyhow::Result<Vec<u8>> {
    static PACKED: Mutex<Option<Vec<u8>>> = Mutex::new(None);
    let mut packed = PACKED
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(hash) = &*packed {
        return Ok(hash.clone());
    }
    let folder = runs().join("parcel");
    fs::create_dir_all(&folder)?;
    clips::make(&folder)?;
    for entry in fs::read_dir(base::scripts().join("tools"))? {
        let name = entry?.file_name();
        copy(
            &base::scripts().join("tools").join(&name),
            &folder.join("tools").join(&name),
        )?;
    }
    package(&folder.join("musebox.deb"), &[])?;
    package(&folder.join("musebox-house.deb"), &["--variant", "house"])?;
    demo(&folder.join("demo"))?;
    run(Command::new("tar")
        .args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "-C"])
        .arg(&folder)
        .arg("-cf")
        .arg(path)
        .arg("."))?;
    let mut hash = Hash::default();
    hash.tree(path)?;
    let file = File::options().write(true).open(path)?;
    let length = file.metadata()?.len();
    ensure!(
        length <= PARCEL,
        "the parcel is too large: {length} of {PARCEL} bytes"
    );
    file.set_len(PARCEL)?;
    let hash = hash.short().into_bytes();
    *packed = Some(hash.clone());
    Ok(hash)
}

/// Runs a command that must succeed; what it said.
fn run(command: &mut Command) -> anyhow::Result<String> {
    let program = command.get_program().to_owned();
    let starting = || format!("starting {}", program.display());
    let done = command.output().with_context(starting)?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(
        done.status.success(),
        "{} failed: {said}",
        program.display()
    );
    Ok(String::from_utf8(done.stdout)?)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    fs::copy(from, to).with_context(|| from.display().to_string())?;
    Ok(())
}

/// Makes a package of the binaries that this test was built with.
fn package(path: &Path, variant: &[&str]) -> anyhow::Result<()> {
    // Where tests/setup puts the tools that cargo installs.
    let tools = base::cache().join("../bin");
    let path_of = env::var("PATH").unwrap_or_default();
    run(Command::new(env!("CARGO"))
        .env("PATH", format!("{}:{path_of}", tools.display()))
        .args([
            "deb",
            "--no-build",
            "--profile",
            "dev",
            "--strip",
            "--no-separate-debug-symbols",
        ])
        .args(variant)
        .arg("--output")
        .arg(path)
        .current_dir(env!("CARGO_MANIFEST_DIR")))?;
    Ok(())
}

/// The part of a checkout that `make demo` needs once everything is built, but for what the packages have.
fn demo(folder: &Path) -> anyhow::Result<()> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sample = "tests/data/sample";
    for name in ["tests/demo", "tests/data/sample/make"] {
        copy(&checkout.join(name), &folder.join(name))?;
    }
    for name in ["render.rs", "sample.json"] {
        let name = format!("{sample}/{name}");
        copy(&checkout.join(&name), &folder.join(&name))?;
    }
    let playlist = run(&mut Command::new(checkout.join(sample).join("make")))?;
    let made = Path::new(playlist.trim()).parent().context("a folder")?;
    let kept = folder
        .join("cache/musebox")
        .join(made.file_name().context("a name")?);
    for entry in fs::read_dir(made)? {
        let entry = entry?;
        copy(&entry.path(), &kept.join(entry.file_name()))?;
    }
    // Beside this one, which is in `deps` or in `examples`.
    let own = env::current_exe()?;
    let built = own.parent().and_then(Path::parent).map(PathBuf::from);
    let house = built.context("a folder")?.join("examples/demo-house");
    ensure!(
        house.exists(),
        "{} is not there: cargo build --example demo-house",
        house.display()
    );
    let target = folder.join("target/debug/examples/demo-house");
    copy(&house, &target)?;
    run(Command::new("strip").arg(&target))?;
    Ok(())
}
