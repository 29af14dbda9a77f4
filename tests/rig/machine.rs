//! One virtual machine: QEMU's command line, its monitor, its power switch.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::wire::Wire;

/// How long the monitor may take to answer.
const LIMIT: Duration = Duration::from_secs(60);

/// What a machine is made of. A snapshot fits only the machine that it was taken of.
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

/// The second disk has always this size, so that a snapshot fits whatever is on it.
pub const PARCEL: u64 = 64 << 20;

/// A machine that runs.
pub struct Machine {
    folder: PathBuf,
    process: Child,
    monitor: Wire,
}

impl Machine {
    /// Starts it on the disk `disk.qcow2` of its folder, from a snapshot in it or from cold.
    ///
    /// Guest time goes by instructions, one a nanosecond, on one processor, whatever the host does meanwhile; an idle
    /// guest's time leaps to the next timer. Only so can vblanks be counted on.
    pub fn start(folder: &Path, plan: &Plan, snapshot: Option<&str>) -> anyhow::Result<Self> {
        let path = |name: &str| folder.join(name).display().to_string();
        let words = format!(
            "console=tty0 console=ttyS0 root=/dev/vda rw quiet loglevel=4 systemd.show_status=0 {}",
            plan.append
        );
        let log = File::create(folder.join("qemu.log"))?;
        // It ends with us, however we end.
        let mut qemu = Command::new("setpriv");
        qemu.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
        qemu.args(["-M", "q35", "-cpu", "max", "-m", "1024", "-smp", "1"])
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
                    path("disk.qcow2")
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
        if let Some(snapshot) = snapshot {
            qemu.args(["-loadvm", snapshot]);
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
        Ok(Self {
            folder: folder.to_owned(),
            process,
            monitor,
        })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Saves the running machine in its disk.
    pub fn snapshot(&mut self, name: &str) -> anyhow::Result<()> {
        let answer = self.human(&format!("savevm {name}"))?;
        ensure!(answer.is_empty(), "savevm: {answer}");
        Ok(())
    }

    /// A command of QEMU's monitor for people.
    pub fn human(&mut self, line: &str) -> anyhow::Result<String> {
        let line = json!({"command-line": line});
        let answer = self.monitor.ask("human-monitor-command", line, LIMIT)?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
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

    /// Ends the machine, with everything that QEMU still has to write on its disk.
    pub fn quit(mut self) -> anyhow::Result<()> {
        self.monitor.ask("quit", Value::Null, LIMIT)?;
        self.process.wait()?;
        Ok(())
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.end();
    }
}
