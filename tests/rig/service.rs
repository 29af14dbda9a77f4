//! The service: what it may, what it says, what its package does.

use std::panic;

use crate::{
    guest::Guest,
    scene::{configure, configure_on, has_shown, playing, playlist, restarts},
    warm::{self, USUAL},
};

/// Whether somebody in the service's control group may open a device.
fn opens(guest: &mut Guest, device: &str) -> bool {
    let group = "/sys/fs/cgroup$(systemctl show -P ControlGroup museboxd)/cgroup.procs";
    guest.sh(&format!("test -e {device}"));
    let opened = guest.run(&format!("echo $BASHPID >{group} && exec 3<>{device}"));
    opened.expect("it runs").0 == 0
}

fn is_active(guest: &mut Guest, unit: &str) -> bool {
    let active = guest.run(&format!("systemctl is-active -q {unit}"));
    active.expect("it runs").0 == 0
}

#[test]
fn it_runs_without_rights_and_with_little_exposure() {
    let mut guest = playing("service");
    let table = guest.sh("systemd-analyze security --no-pager museboxd.service");
    let last = table.lines().last().unwrap_or_default();
    println!("{last}");
    let exposure: f64 = last
        .split_whitespace()
        .find_map(|word| word.parse().ok())
        .expect("the exposure");
    assert!(exposure <= 2.0, "{table}");
    // As a packager asks, without the service running: the threshold is ten times the exposure.
    guest.sh(
        "systemd-analyze security --no-pager --offline=yes --threshold=20 /usr/lib/systemd/system/museboxd.service",
    );
    let status = guest.sh("cat /proc/$(systemctl show -P MainPID museboxd)/status");
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.unwrap_or_default()
            .split_whitespace()
            .skip(1)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let own = guest.sh(
        "id -u musebox; for name in video render audio; do getent group $name | cut -d: -f3; done",
    );
    let mut own = own.lines();
    let user = own.next().expect("a user");
    assert_ne!(user, "0");
    assert_eq!(field("Uid:"), [user; 4].join(" "));
    let groups = field("Groups:");
    for group in own {
        assert!(groups.split(' ').any(|id| id == group), "{group}: {status}");
    }
    for capabilities in ["CapEff:", "CapPrm:", "CapBnd:"] {
        assert_eq!(field(capabilities), "0000000000000000");
    }
    assert_eq!(field("NoNewPrivs:"), "1");
    // The presenter comes before all others, and nobody else does.
    let ranks = guest.sh("ps -L -o comm=,cls=,rtprio= -p $(systemctl show -P MainPID museboxd)");
    let real_time = ranks
        .lines()
        .filter(|line| line.contains(" FF "))
        .collect::<Vec<_>>();
    assert!(
        matches!(real_time[..], [one] if one.starts_with("presenter")),
        "{ranks}"
    );
    let known = guest.sh("systemctl status --no-pager museboxd | head -20");
    assert!(known.contains("M0T0I0 loop.mp4"), "{known}");
    // The target holds it.
    guest.sh("systemctl stop musebox.target");
    assert!(!is_active(&mut guest, "museboxd"));
}

/// A class of devices can be allowed only where the kernel knows it, so the service has its modules loaded first.
#[test]
fn it_may_use_devices_that_come_after_it_and_no_others() {
    let mut guest = warm::guest(USUAL, "classes");
    guest.sh("rig-vkms make; modprobe -r snd; modprobe -r videodev mc");
    let known = guest.sh("cat /proc/devices");
    assert!(
        !known.contains("alsa") && !known.contains("video4linux"),
        "{known}"
    );
    configure(&mut guest, &["loop.mp4"], "");
    guest.sh("systemctl start museboxd; modprobe -a snd-dummy visl; udevadm settle");
    for device in [
        "/dev/snd/controlC0",
        "/dev/video0",
        "/dev/media0",
        "$(rig-card vkms)",
    ] {
        assert!(opens(&mut guest, device), "{device}");
    }
    assert!(!opens(&mut guest, "/dev/vda"), "the disk");
}

#[test]
fn a_guest_that_fails_leaves_what_helps_where_the_message_says() {
    let failed = panic::catch_unwind(|| {
        let mut guest = playing("fails");
        guest.sh("echo what went wrong; false");
    });
    let failed = failed.expect_err("it fails");
    let message = failed.downcast_ref::<String>().expect("a message");
    assert!(message.contains("what went wrong"), "{message}");
    let folder = warm::runs().join("fails");
    let length = |name: &str| {
        let file = std::fs::metadata(folder.join(name));
        file.unwrap_or_else(|err| panic!("{name}: {err}")).len()
    };
    // A console on which nothing has gone wrong since the snapshot is empty.
    length("console.log");
    for name in ["journal.log", "last-picture.png", "last-screenshot.png"] {
        assert!(length(name) > 100, "{name}");
    }
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn from_power_on_it_may_use_sound_and_decoders() {
    let mut guest = warm::guest(USUAL, "devices");
    playlist(&mut guest, &["loop.mp4"]);
    configure_on(&mut guest, "virtio_gpu", "", "mode = \"640x480@60\"");
    guest.sh(
        "sed -i -e /^card/d -e 's/^enabled = false/enabled = true/' /etc/musebox/musebox.toml
         printf 'snd-dummy\nvisl\n' >/etc/modules-load.d/rig.conf; systemctl enable museboxd musebox.target; sync",
    );
    let folder = guest.pull_power();
    let mut guest = warm::boot_again(USUAL, &folder);
    guest.until(120, &has_shown(2));
    let status = guest.status();
    println!("{} {}", status["audio"], status["screens"][0]["slots"]);
    assert!(status["audio"]["device"].is_string(), "{}", status["audio"]);
    let slots = status["screens"][0]["slots"].to_string();
    assert!(slots.contains("v4l2slh264dec"), "{slots}");
}

#[test]
fn the_journal_tells_what_was_shown_where() {
    let mut guest = playing("journal");
    let lines = guest.sh("museboxctl logs --lines 0 --item loop.mp4 --screen main");
    let line = lines.lines().next().unwrap_or_default();
    println!("{line}");
    for word in [
        "info",
        "screen=main",
        "slot=A",
        "position=M0T0I0",
        "item=loop.mp4",
    ] {
        assert!(line.contains(word), "{word}: {line}");
    }
    let json = guest.sh("museboxctl logs --json -n 1 --item loop.mp4");
    assert!(json.contains("\"POSITION\":\"M0T0I0\""), "{json}");
    assert_eq!(guest.sh("museboxctl logs --item another"), "");
    // A person of the group may steer the box, others may not.
    guest.sh("printf 'u keeper -\\nm keeper musebox\\nu stranger -\\n' | systemd-sysusers -");
    guest.sh("setpriv --reuid keeper --regid keeper --init-groups museboxctl status");
    let stranger = "setpriv --reuid stranger --regid stranger --init-groups museboxctl status";
    assert_ne!(guest.run(stranger).expect("it runs").0, 0);
}

#[test]
fn the_package_can_be_removed_and_installed_again() {
    let mut guest = playing("package");
    guest.sh("systemctl reload museboxd; sleep 1");
    assert_eq!(restarts(&mut guest), 0);
    guest.sh("dpkg -r musebox; test -e /etc/musebox/playlist.json");
    assert!(!is_active(&mut guest, "museboxd"));
    assert_eq!(guest.sh("ls /usr/bin | grep musebox || true"), "");
    guest.sh("dpkg -i /srv/rig/musebox.deb; systemctl is-active museboxd musebox.target");
    guest.until(20, &has_shown(2));
    guest.sh("test -e /var/lib/musebox/report.json; dpkg -P musebox");
    assert_eq!(guest.sh("ls /var/lib/musebox 2>/dev/null || true"), "");
}
