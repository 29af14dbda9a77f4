//! One virtual machine: QEMU's command line, its monitor, its power switch.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::wire::Wire;

/// How long the monitor may take to answer.
const LIMIT: Duration = Duration::from_secs(60);

/// What a machine is made of. What one machine has kept fits only another that is made of the same.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The folder with `vmlinuz` and `initrd.img`.
    pub kernel: PathBuf,
    /// A tar file that the guest finds as its second disk; it is as large as [`PARCEL`].
    pub parcel: PathBuf,
    /// More words for the kernel.
    pub append: String,
    /// More arguments for QEMU.
    pub extra: Vec<String>,
}

/// The second disk has always this size, so that a kept machine fits whatever is on it.
pub const PARCEL: u64 = 64 << 20;

/// The files of a machine that was kept: its disk, its memory, and all else.
const DISK: &str = "disk.qcow2";
const MEMORY: &str = "memory";
const STATE: &str = "state";

/// How a machine begins.
#[derive(Clone, Copy, Debug)]
pub enum Beginning<'a> {
    /// It boots.
    Cold,
    /// It boots, with its memory in its folder, so that it can be kept.
    ToBeKept,
    /// It goes on from the machine that was kept in this folder, whose files stay as they are.
    Kept(&'a Path),
}

impl Beginning<'_> {
    /// Where the memory is: in a file only if it is to be kept or was; from a kept one each machine goes its own way.
    fn memory(self, folder: &Path) -> String {
        let file = |folder: &Path, share: &str| {
            let path = folder.join(MEMORY);
            format!(
                "memory-backend-file,mem-path={},share={share}",
                path.display()
            )
        };
        let memory = match self {
            Self::Cold => "memory-backend-ram".to_owned(),
            Self::ToBeKept => file(folder, "on"),
            Self::Kept(kept) => file(kept, "off"),
        };
        format!("{memory},id=memory,size={MEMORY_SIZE}")
    }
}

/// How much memory a machine has.
const MEMORY_SIZE: &str = "1024M";

/// A machine that runs.
pub struct Machine {
    folder: PathBuf,
    process: Child,
    monitor: Wire,
}

impl Machine {
    /// Starts it on the disk `disk.qcow2` of its folder, which is made here upon that of a kept one.
    ///
    /// Guest time goes by instructions, one a nanosecond, on one processor, whatever the host does meanwhile; an idle
    /// guest's time leaps to the next timer. Only so can vblanks be counted on.
    pub fn start(folder: &Path, plan: &Plan, beginning: Beginning<'_>) -> anyhow::Result<Self> {
        let path = |name: &str| folder.join(name).display().to_string();
        if let Beginning::Kept(kept) = beginning {
            make_disk(&folder.join(DISK), &kept.join(DISK), "qcow2")?;
        }
        let words = format!(
            "console=tty0 console=ttyS0 root=/dev/vda rw quiet loglevel=4 systemd.show_status=0 {}",
            plan.append
        );
        let log = File::create(folder.join("qemu.log"))?;
        // It ends with us, however we end.
        let mut qemu = Command::new("setpriv");
        qemu.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
        qemu.args(["-M", "q35,memory-backend=memory", "-object"])
            .arg(beginning.memory(folder))
            .args(["-cpu", "max", "-m", MEMORY_SIZE, "-smp", "1"])
            .args([
                "-accel",
                "tcg,thread=single,tb-size=512",
                "-icount",
                "shift=0,sleep=off",
            ])
            .args(["-nodefaults", "-display", "none"])
            .args([
                "-kernel",
                &plan.kernel.join("vmlinuz").display().to_string(),
            ])
            .args([
                "-initrd",
                &plan.kernel.join("initrd.img").display().to_string(),
            ])
            .args(["-append", &words])
            .args([
                "-drive",
                &format!(
                    "file={},if=none,id=root,format=qcow2,cache=writeback",
                    path(DISK)
                ),
            ])
            .args(["-device", "virtio-blk-pci,drive=root"])
            .args([
                "-drive",
                &format!(
                    "file={},if=none,id=parcel,format=raw,readonly=on",
                    plan.parcel.display()
                ),
            ])
            .args(["-device", "virtio-blk-pci,drive=parcel"])
            .args([
                "-netdev",
                "user,id=net0,restrict=on",
                "-device",
                "virtio-net-pci,netdev=net0,id=nic0,romfile=",
            ])
            .args([
                "-device",
                "virtio-rng-pci",
                "-device",
                "virtio-gpu-pci,xres=1280,yres=720,id=gpu",
            ])
            .args(["-vnc", &format!("unix:{}", path("vnc"))])
            .args(["-serial", &format!("file:{}", path("console.log"))])
            .args(["-qmp", &format!("unix:{},server=on,wait=off", path("qmp"))])
            .args(["-device", "virtio-serial-pci"])
            .args([
                "-chardev",
                &format!("socket,path={},server=on,wait=off,id=agent", path("agent")),
            ])
            .args([
                "-device",
                "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
            ])
            .args(&plan.extra);
        if matches!(beginning, Beginning::Kept(_)) {
            qemu.args(["-incoming", "defer"]);
        }
        let process = qemu
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting qemu-system-x86_64")?;
        let mut monitor = Wire::connect(&folder.join("qmp"), LIMIT)
            .and_then(|mut wire| wire.receive(LIMIT).map(|_| wire))
            .with_context(|| fs::read_to_string(folder.join("qemu.log")).unwrap_or_default())?;
        monitor.ask("qmp_capabilities", Value::Null, LIMIT)?;
        let mut machine = Self {
            folder: folder.to_owned(),
            process,
            monitor,
        };
        if let Beginning::Kept(kept) = beginning {
            machine.go_on(&kept.join(STATE))?;
        }
        Ok(machine)
    }

    /// Ends it, and leaves in its folder what others go on from.
    pub fn keep(mut self) -> anyhow::Result<()> {
        let uri = format!("exec:cat > '{}'", self.folder.join(STATE).display());
        self.without_memory()?;
        self.monitor.ask("migrate", json!({"uri": uri}), LIMIT)?;
        self.until("query-migrate", "completed")?;
        // With everything that QEMU still has to write on its disk.
        self.monitor.ask("quit", Value::Null, LIMIT)?;
        self.process.wait()?;
        Ok(())
    }

    /// Takes in what was kept, and goes on.
    fn go_on(&mut self, state: &Path) -> anyhow::Result<()> {
        let uri = format!("exec:cat '{}'", state.display());
        self.without_memory()?;
        self.monitor
            .ask("migrate-incoming", json!({"uri": uri}), LIMIT)?;
        self.until("query-status", "running")
    }

    /// The memory is not sent: its file is there already.
    fn without_memory(&mut self) -> anyhow::Result<()> {
        let off = json!({"capabilities": [{"capability": "x-ignore-shared", "state": true}]});
        self.monitor
            .ask("migrate-set-capabilities", off, LIMIT)
            .map(drop)
    }

    /// Asks until the status is as awaited.
    fn until(&mut self, what: &str, awaited: &str) -> anyhow::Result<()> {
        let until = Instant::now() + LIMIT;
        loop {
            let answer = self.monitor.ask(what, Value::Null, LIMIT)?;
            if answer["status"] == awaited {
                return Ok(());
            }
            let lost = answer["status"] == "failed" || Instant::now() > until;
            ensure!(!lost, "{what}: {awaited} was awaited: {answer}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the virtio display scans out, as a PNG.
    pub fn screendump(&mut self, png: &Path) -> anyhow::Result<()> {
        let what = json!({"filename": png, "format": "png", "device": "gpu", "head": 0});
        self.monitor.ask("screendump", what, LIMIT).map(drop)
    }

    /// Plugs the network's cable in or pulls it.
    pub fn cable(&mut self, plugged: bool) -> anyhow::Result<()> {
        let what = json!({"name": "nic0", "up": plugged});
        self.monitor.ask("set_link", what, LIMIT).map(drop)
    }

    /// Pulls the plug: nothing in the guest gets to run any more, and nothing is written back.
    pub fn pull_power(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A disk that holds what is written to it, upon another that stays as it is.
pub fn make_disk(disk: &Path, upon: &Path, format: &str) -> anyhow::Result<()> {
    let made = Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-F", format, "-b"])
        .args([upon, disk])
        .status()
        .context("starting qemu-img")?;
    ensure!(made.success(), "qemu-img failed ({made})");
    Ok(())
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.end();
    }
}
