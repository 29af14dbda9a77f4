//! The warm snapshot: a booted machine with our package installed, from which every scenario goes on in a second.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    time::Instant,
};

use anyhow::Context;

use crate::{
    base::{self, Hash, Kernel, Userland},
    guest::Guest,
    machine::{Beginning, Machine, Plan, make_disk},
    parcel,
};

/// What kind of guest it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its Debian.
    pub userland: Userland,
    /// Its kernel.
    pub kernel: Kernel,
}

/// The kind that most scenarios run in.
pub const USUAL: Kind = Kind {
    userland: Userland::Trixie,
    kernel: Kernel::Backports,
};

/// What is done in the guest before the snapshot. The registry of GStreamer's plugins is looked through once, as the
/// player's user sees it.
const PREPARE: &str = "set -e
systemctl is-system-running --wait || systemctl --failed
mkdir -p /srv/rig && tar -xf /dev/vdb -C /srv/rig
install -m 755 /srv/rig/tools/* /usr/local/bin/
DEBIAN_FRONTEND=noninteractive dpkg -i /srv/rig/musebox.deb
for i in $(seq 100); do museboxctl status >/dev/null && break; sleep 0.5; done
museboxctl status
systemctl stop museboxd
mkdir -p /etc/systemd/system/museboxd.service.d
cat >/etc/systemd/system/museboxd.service.d/report.conf <<END
[Service]
ExecStart=
ExecStart=/usr/bin/museboxd --report /var/lib/musebox/report.json
# The guest's time leaps while it waits for its disk.
TimeoutStartSec=infinity
END
systemctl daemon-reload
modprobe vkms create_default_dev=0 || true
sync";

/// A guest that has just been prepared, for one scenario. Its folder is named after the scenario.
pub fn guest(kind: Kind, scenario: &str) -> Guest {
    let started = warm(kind).and_then(|warm| restore(kind, &warm, scenario));
    started.unwrap_or_else(|err| panic!("{scenario}: {err:#}"))
}

/// Boots a machine again from the disk that it had.
pub fn boot_again(kind: Kind, folder: &Path) -> Guest {
    let started =
        plan(kind).and_then(|plan| Guest::new(Machine::start(folder, &plan, Beginning::Cold)?));
    started.unwrap_or_else(|err| panic!("{}: {err:#}", folder.display()))
}

fn restore(kind: Kind, warm: &Path, scenario: &str) -> anyhow::Result<Guest> {
    let begun = Instant::now();
    let folder = runs().join(scenario);
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder)?;
    let machine = Machine::start(&folder, &plan(kind)?, Beginning::Kept(warm))?;
    let guest = Guest::new(machine)?;
    let seconds = begun.elapsed().as_secs_f64();
    println!("{scenario}: restored in {seconds:.1} s");
    Ok(guest)
}

/// Where scenarios have their folders; that of one that failed stays.
pub fn runs() -> PathBuf {
    // Cargo names the folder to tests, and not to the shell.
    let named = option_env!("CARGO_TARGET_TMPDIR").map(PathBuf::from);
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp");
    named.unwrap_or_else(usual).join("rig")
}

fn plan(kind: Kind) -> anyhow::Result<Plan> {
    Ok(Plan {
        kernel: base::kernel(kind.kernel)?,
        parcel: runs().join("parcel.tar"),
        append: String::new(),
        extra: Vec::new(),
    })
}

/// The folder with the warm machine, made now if nothing that it was made of is as it was.
fn warm(kind: Kind) -> anyhow::Result<PathBuf> {
    static MAKING: Mutex<()> = Mutex::new(());
    let _one = MAKING
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let image = base::image(kind.userland)?;
    let plan = plan(kind)?;
    let mut hash = Hash::default();
    hash.add(&parcel::pack(&plan.parcel)?);
    for path in [&image, &plan.kernel] {
        hash.add(path.to_string_lossy().as_bytes());
    }
    hash.tree(&base::scripts().join("machine.rs"))?;
    // Another QEMU may not go on from the snapshot of this one.
    let qemu = Command::new("qemu-system-x86_64")
        .arg("--version")
        .output()
        .context("starting qemu-system-x86_64")?;
    hash.add(&qemu.stdout);
    hash.add(PREPARE.as_bytes());
    let name = format!("warm-{:?}-{:?}", kind.userland, kind.kernel).to_lowercase();
    let folder = base::cache().join(format!("{name}-{}", hash.short()));
    if folder.exists() {
        return Ok(folder);
    }
    base::prune(&name)?;
    let unfinished = base::cache().join(format!("{name}.part"));
    fs::remove_dir_all(&unfinished).ok();
    fs::create_dir_all(&unfinished)?;
    make_disk(&unfinished.join("disk.qcow2"), &image, "raw")?;
    let mut guest = Guest::new(Machine::start(&unfinished, &plan, Beginning::ToBeKept)?)?;
    let (status, output) = guest.run(PREPARE)?;
    if status != 0 {
        panic!("the guest cannot be prepared (status {status}):\n{output}");
    }
    guest.into_machine().keep()?;
    fs::rename(&unfinished, &folder)?;
    Ok(folder)
}
