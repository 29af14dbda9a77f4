//! The clock, the disk, the memory and the network.

use std::{
    collections::BTreeMap,
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use nix::{
    ifaddrs::getifaddrs,
    net::if_::InterfaceFlags,
    sys::statvfs::{FsFlags, statvfs},
};

use crate::{
    domain::{playlist::Playlist, protocol::Check},
    gst::Source,
    player::{
        doctor::{Finding, Patient, check, in_time},
        loader,
    },
};

/// 1 January 2026, the year of this version: a clock before it is certainly wrong.
const EARLIEST: Duration = Duration::from_secs(1_767_225_600);

/// systemd-timesyncd makes this file when it has set the clock.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";

const MB: u64 = 1_000_000;

/// Less free space than this and something will fail soon.
const DISK_FULL: u64 = 50 * MB;
/// Less than this is little.
const DISK_LITTLE: u64 = 500 * MB;
/// More than this is enough, whatever part of the disk it is.
const DISK_ENOUGH: u64 = 20_000 * MB;

/// Less available memory than this and the kernel will soon end programs.
const MEMORY_FULL: u64 = 32 * MB;
/// Less than this is little.
const MEMORY_LITTLE: u64 = 128 * MB;

/// The date, and whether somebody keeps it right.
pub(super) fn clock() -> Check {
    let since_1970 = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let synchronised = match Path::new(SYNCHRONISED).exists() {
        true => Some(true),
        false => in_time(ask_timedatectl).flatten(),
    };
    check("clock", vec![time(since_1970, synchronised)])
}

/// What systemd knows about the kernel's clock; nothing where there is no systemd to ask.
fn ask_timedatectl() -> Option<bool> {
    let output = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    match output.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

fn time(since_1970: Duration, synchronised: Option<bool>) -> Finding {
    let set =
        "Connect the network so that the clock is set, or set it by hand (timedatectl set-time).";
    if since_1970 < EARLIEST {
        return Finding::fail("the clock is wrong: it is before 2026", set);
    }
    match synchronised {
        Some(true) => Finding::ok("the clock is set by the network"),
        Some(false) => Finding::warn("the clock was not set by the network: it may be off", set),
        None => Finding::warn(
            "nothing tells whether the clock is set by the network",
            "Check that a time service (systemd-timesyncd, chrony) runs.",
        ),
    }
}

/// Room for what is stored, and whether it can be stored.
pub(super) fn disk(patient: &Patient) -> Check {
    let state = patient.settings.state_dir.clone();
    let media = patient.playlist.as_deref().map(media).unwrap_or_default();
    let findings = in_time(move || {
        let mut findings = vec![writable(&state)];
        findings.extend(rooms(&state, &media));
        findings
    });
    let silent = || {
        vec![Finding::fail(
            "the disk does not answer",
            "Check the disk; a worn-out card must be replaced.",
        )]
    };
    check("disk", findings.unwrap_or_else(silent))
}

/// The folders of all local media.
fn media(playlist: &Playlist) -> Vec<PathBuf> {
    let tracks = playlist.montages.iter().flat_map(|montage| &montage.tracks);
    let mut folders: Vec<PathBuf> = tracks
        .flat_map(|track| &track.items)
        .filter_map(|item| match loader::source(&item.src) {
            Source::File(path) => path.parent().map(Path::to_owned),
            Source::Uri(_) => None,
        })
        .collect();
    folders.sort();
    folders.dedup();
    folders
}

fn writable(folder: &Path) -> Finding {
    let shown = folder.display();
    let probe = folder.join(format!(".doctor.{}", std::process::id()));
    let written = fs::create_dir_all(folder)
        .and_then(|()| fs::write(&probe, "can this be written?"))
        .and_then(|()| fs::remove_file(&probe));
    match written {
        Ok(()) => Finding::ok(format!("{shown} can be written")),
        Err(err) => Finding::fail(
            format!("{shown} cannot be written: {err}"),
            "Give museboxd a folder that it may write (state.dir), on a disk that is not read-only; the installed service also needs ReadWritePaths= for it (systemctl edit museboxd).",
        ),
    }
}

/// The free space of every file system that is used, once each.
#[allow(clippy::useless_conversion)] // Sizes are narrower than 64 bits on some machines.
fn rooms(state: &Path, media: &[PathBuf]) -> Vec<Finding> {
    let mut seen = BTreeMap::new();
    let mut findings = Vec::new();
    for folder in std::iter::once(state).chain(media.iter().map(PathBuf::as_path)) {
        // A folder that is not there is told elsewhere.
        let Ok(device) =
            fs::metadata(folder).map(|data| std::os::unix::fs::MetadataExt::dev(&data))
        else {
            continue;
        };
        if seen.insert(device, ()).is_some() {
            continue;
        }
        let Ok(room) = statvfs(folder) else { continue };
        // Where nothing can be written anyway, as on a read-only root, no room is needed.
        if folder != state && room.flags().contains(FsFlags::ST_RDONLY) {
            continue;
        }
        let unit = u64::from(room.fragment_size());
        let (free, total) = (
            u64::from(room.blocks_available()).saturating_mul(unit),
            u64::from(room.blocks()).saturating_mul(unit),
        );
        findings.push(space(folder, free, total));
    }
    findings
}

fn space(folder: &Path, free: u64, total: u64) -> Finding {
    let detail = format!(
        "{} of {} free at {}",
        size(free),
        size(total),
        folder.display()
    );
    let advice = "Delete what is not needed, or use a larger disk.";
    let little = free < DISK_LITTLE || (free < total / 10 && free < DISK_ENOUGH);
    match (free < DISK_FULL, little) {
        (true, _) => Finding::fail(detail, advice),
        (false, true) => Finding::warn(detail, advice),
        (false, false) => Finding::ok(detail),
    }
}

/// A size as people write it.
fn size(bytes: u64) -> String {
    match bytes >= 1000 * MB {
        true => format!("{:.1} GB", bytes as f64 / (1000 * MB) as f64),
        false => format!("{} MB", bytes / MB),
    }
}

/// The memory that is left.
pub(super) fn memory() -> Check {
    let known = fs::read_to_string("/proc/meminfo")
        .and_then(|machine| Ok((machine, fs::read_to_string("/proc/self/status")?)));
    check("memory", vec![left(known)])
}

fn left(known: io::Result<(String, String)>) -> Finding {
    let numbers = known.ok().and_then(|(machine, own)| {
        Some((
            kilobytes(&machine, "MemAvailable:")?,
            kilobytes(&machine, "MemTotal:")?,
            kilobytes(&own, "VmRSS:")?,
        ))
    });
    let Some((free, total, own)) = numbers else {
        return Finding::warn(
            "the system does not tell how much memory is left",
            "Mount /proc.",
        );
    };
    let detail = format!(
        "{} of {} free; museboxd uses {}",
        size(free),
        size(total),
        size(own)
    );
    let advice = "Stop other programs, use smaller videos, or a box with more memory.";
    match (
        free < MEMORY_FULL,
        free < MEMORY_LITTLE || free < total / 20,
    ) {
        (true, _) => Finding::fail(detail, advice),
        (false, true) => Finding::warn(detail, advice),
        (false, false) => Finding::ok(detail),
    }
}

/// The bytes that a line of /proc says, such as `MemTotal:  1024 kB`.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

/// Addresses by which the box can be reached. It plays without.
pub(super) fn network(playlist: Option<&Playlist>) -> Check {
    let addresses = match getifaddrs() {
        Ok(found) => found
            .filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP))
            .filter_map(|interface| {
                let address = interface.address?;
                let ip = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
                    (Some(address), _) => IpAddr::V4(address.ip()),
                    (None, Some(address)) => IpAddr::V6(address.ip()),
                    (None, None) => return None,
                };
                Some((interface.interface_name, ip))
            })
            .collect(),
        Err(_) => Vec::new(),
    };
    let remote = playlist.is_some_and(|playlist| {
        let tracks = playlist.montages.iter().flat_map(|montage| &montage.tracks);
        tracks
            .flat_map(|track| &track.items)
            .any(|item| matches!(loader::source(&item.src), Source::Uri(_)))
    });
    check("network", vec![reachable(&addresses, remote)])
}

fn reachable(addresses: &[(String, IpAddr)], remote: bool) -> Finding {
    let is_local = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let outside: Vec<&(String, IpAddr)> = addresses
        .iter()
        .filter(|(_, ip)| !ip.is_loopback())
        .collect();
    let routable: Vec<String> = outside
        .iter()
        .filter(|(_, ip)| !is_local(ip))
        .map(|(name, ip)| format!("{ip} ({name})"))
        .collect();
    if !routable.is_empty() {
        return Finding::ok(format!("reachable at {}", routable.join(", ")));
    }
    let meaning = match remote {
        true => "items from the network cannot be played",
        false => "what is on the box plays on",
    };
    match outside.is_empty() {
        true => Finding::warn(
            format!("no network: {meaning}"),
            "Plug in the network cable or set up the wireless network, if the box should be reached.",
        ),
        false => Finding::warn(
            format!("the network gives the box no address: {meaning}"),
            "Check that the router hands out addresses (DHCP).",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::CheckResult;

    #[test]
    fn a_clock_of_another_year_is_wrong_and_an_unset_one_may_be() {
        let year = Duration::from_secs(365 * 86_400);
        assert_eq!(time(Duration::ZERO, Some(true)).result, CheckResult::Fail);
        assert_eq!(time(EARLIEST + year, Some(true)).result, CheckResult::Ok);
        assert_eq!(time(EARLIEST + year, Some(false)).result, CheckResult::Warn);
        assert_eq!(time(EARLIEST + year, None).result, CheckResult::Warn);
    }

    #[test]
    fn a_disk_is_judged_by_what_is_left() {
        let folder = Path::new("/data");
        let judge = |free, total| space(folder, free * MB, total * MB).result;
        assert_eq!(judge(49, 100), CheckResult::Fail);
        assert_eq!(judge(50, 100), CheckResult::Warn);
        assert_eq!(judge(499, 1000), CheckResult::Warn);
        assert_eq!(judge(500, 1000), CheckResult::Ok);
        assert_eq!(judge(900, 10_000), CheckResult::Warn);
        assert_eq!(judge(30_000, 1_000_000), CheckResult::Ok);
        assert_eq!(
            space(folder, 900 * MB, 10_500 * MB).detail,
            "900 MB of 10.5 GB free at /data"
        );
    }

    #[test]
    fn a_file_system_is_told_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let media = folder.path().join("media");
        fs::create_dir(&media).expect("a folder");
        let found = rooms(folder.path(), &[media.clone(), media.join("missing")]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn memory_is_judged_by_what_the_kernel_says() {
        let judge = |free: u64, total: u64| {
            let machine = format!("MemTotal:  {total} kB\nMemAvailable:   {free} kB\n");
            left(Ok((
                machine,
                "VmPeak: 9 kB\nVmRSS:\t 70000 kB\n".to_owned(),
            )))
        };
        assert_eq!(judge(30_000, 1_000_000).result, CheckResult::Fail);
        assert_eq!(judge(100_000, 1_000_000).result, CheckResult::Warn);
        let good = judge(500_000, 1_000_000);
        assert_eq!(
            good,
            Finding::ok("512 MB of 1.0 GB free; museboxd uses 71 MB")
        );
        assert_eq!(
            left(Err(io::ErrorKind::NotFound.into())).result,
            CheckResult::Warn
        );
    }

    #[test]
    fn without_an_address_the_box_plays_on() {
        let address = |name: &str, ip: &str| (name.to_owned(), ip.parse().expect("an address"));
        let lo = address("lo", "127.0.0.1");
        let found = reachable(
            &[
                lo.clone(),
                address("eth0", "fe80::1"),
                address("eth0", "192.0.2.7"),
            ],
            false,
        );
        assert_eq!(found, Finding::ok("reachable at 192.0.2.7 (eth0)"));
        let none = reachable(std::slice::from_ref(&lo), false);
        assert_eq!(none.result, CheckResult::Warn);
        assert_eq!(none.detail, "no network: what is on the box plays on");
        let unleased = reachable(&[lo, address("eth0", "169.254.3.4")], true);
        assert_eq!(
            unleased.detail,
            "the network gives the box no address: items from the network cannot be played"
        );
    }
}
