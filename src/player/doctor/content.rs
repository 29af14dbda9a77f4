//! The playlist and its media.

use std::{fs::File, io, path::Path};

use crate::{
    domain::{
        playlist::Playlist,
        protocol::{Check, ErrorStatus, State, Status},
    },
    gst::Source,
    player::{
        doctor::{Finding, Patient, check, count, in_time},
        loader,
    },
};

/// So many bad items are named; more are counted.
const NAMED: usize = 3;

/// Whether there is something to play, and whether it can be read.
pub(super) fn playlist(patient: &Patient) -> Check {
    let Some(playlist) = &patient.playlist else {
        let advice =
            "Name a playlist in the configuration (playlist = \"...\") or with --playlist.";
        return check(
            "playlist",
            vec![Finding::warn(
                "there is no playlist: the box shows its card",
                advice,
            )],
        );
    };
    let looked = playlist.clone();
    let files = match in_time(move || read_all(&looked)) {
        Some(read) => files(&read),
        None => Finding::fail(
            "the disk with the media does not answer",
            "Check the disk and its cable.",
        ),
    };
    check("playlist", vec![files, troubles(&patient.status)])
}

/// Every file once, with what reading it gave; nothing for what is not a file.
fn read_all(playlist: &Playlist) -> Vec<(String, Option<io::Result<()>>)> {
    let mut found: Vec<(String, Option<io::Result<()>>)> = Vec::new();
    let tracks = playlist.montages.iter().flat_map(|montage| &montage.tracks);
    let mut seen = std::collections::HashSet::new();
    for item in tracks.flat_map(|track| &track.items) {
        if seen.insert(item.src.as_str()) {
            let result = match loader::source(&item.src) {
                Source::File(path) => Some(read(&path)),
                Source::Uri(_) => None,
            };
            found.push((item.src.clone(), result));
        }
    }
    found
}

fn read(path: &Path) -> io::Result<()> {
    let data = path.metadata()?;
    if !data.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    if data.len() == 0 {
        return Err(io::Error::other("it is empty"));
    }
    File::open(path).map(drop)
}

fn files(read: &[(String, Option<io::Result<()>>)]) -> Finding {
    let files = read.iter().filter(|(_, result)| result.is_some()).count();
    let bad: Vec<String> = read
        .iter()
        .filter_map(|(src, result)| match result {
            Some(Err(err)) => Some(format!("{src} ({})", reason(err))),
            Some(Ok(())) | None => None,
        })
        .collect();
    let remote = match read.len() - files {
        0 => String::new(),
        number => format!(", {} from the network", count(number, "item", "items")),
    };
    if bad.is_empty() {
        let files = count(files, "file is there", "files are there");
        return Finding::ok(format!("{files}{remote}"));
    }
    let detail = format!(
        "{} of {} cannot be read: {}{remote}",
        bad.len(),
        count(files, "file", "files"),
        listed(&bad)
    );
    let advice = "Put the files in their place, or take them out of the playlist.";
    match bad.len() == read.len() {
        true => Finding::fail(detail, advice),
        false => Finding::warn(detail, advice),
    }
}

fn reason(err: &io::Error) -> String {
    match err.kind() {
        io::ErrorKind::NotFound => "it is not there".to_owned(),
        io::ErrorKind::PermissionDenied => "museboxd may not read it".to_owned(),
        _ => err.to_string(),
    }
}

fn listed(names: &[String]) -> String {
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    format!("{}{more}", named.join(", "))
}

/// What could not be played since the start.
fn troubles(status: &Status) -> Finding {
    let errors = &status.errors;
    if errors.is_empty() {
        return Finding::ok("nothing has failed so far");
    }
    let told: Vec<String> = errors.iter().map(told).collect();
    let detail = format!(
        "{} failed: {}",
        count(errors.len(), "medium has", "media have"),
        listed(&told)
    );
    let advice = "Replace these media; museboxctl status lists them all.";
    match status.state {
        State::Failed => Finding::fail(format!("nothing can be played; {detail}"), advice),
        State::Idle | State::Playing | State::Paused | State::Standby => {
            Finding::warn(detail, advice)
        }
    }
}

fn told(error: &ErrorStatus) -> String {
    let times = match error.count {
        1 => String::new(),
        count => format!(", {count} times"),
    };
    format!("{} ({}{times})", error.item, error.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::CheckResult;

    fn missing() -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }

    #[test]
    fn missing_files_are_counted_and_named() {
        let read: Vec<_> = (0..5)
            .map(|number| (format!("{number}.mp4"), Some(missing())))
            .chain([
                ("good.mp4".to_owned(), Some(Ok(()))),
                ("rtsp://a/b".to_owned(), None),
            ])
            .collect();
        let found = files(&read);
        assert_eq!(found.result, CheckResult::Warn);
        assert_eq!(
            found.detail,
            "5 of 6 files cannot be read: 0.mp4 (it is not there), 1.mp4 (it is not there), \
             2.mp4 (it is not there) and 2 more, 1 item from the network"
        );
        assert_eq!(files(&read[..5]).result, CheckResult::Fail);
        assert_eq!(
            files(&read[5..]),
            Finding::ok("1 file is there, 1 item from the network")
        );
    }

    #[test]
    fn what_is_no_file_or_empty_cannot_be_played() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        assert_eq!(
            reason(&read(&path).expect_err("missing")),
            "it is not there"
        );
        assert_eq!(
            reason(&read(folder.path()).expect_err("a folder")),
            "it is no file"
        );
        std::fs::write(&path, "").expect("written");
        assert_eq!(reason(&read(&path).expect_err("empty")), "it is empty");
        std::fs::write(&path, "x").expect("written");
        assert!(read(&path).is_ok());
    }
}
