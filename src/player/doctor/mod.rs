//! The doctor: looks at the box and says in plain words what to mend.
//!
//! Every check does what playing does, or reads what playing has counted: it decodes clips, opens the sound output,
//! writes into the folders. Deliberately absent: mending anything.

mod content;
mod devices;
mod machine;

use std::{
    sync::{Arc, mpsc::channel},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    domain::{
        config::Settings,
        playlist::Playlist,
        protocol::{Check, CheckResult, DoctorReport, Status},
    },
    gst::DecoderOptions,
};

/// Longer than this, a disk or a sound output has not answered.
const LIMIT: Duration = Duration::from_secs(10);

/// What the doctor looks at.
#[derive(Clone)]
pub struct Patient {
    /// The settings in force.
    pub settings: Settings,
    /// What the box is doing, and has counted.
    pub status: Status,
    /// What it plays.
    pub playlist: Option<Arc<Playlist>>,
    /// How it chooses decoders.
    pub decoders: DecoderOptions,
}

/// Answers a question for a check-up, from a thread that has time.
pub fn answer(patient: Patient, reply: oneshot::Sender<DoctorReport>) {
    let work = move || {
        // Whoever asked may be gone.
        let _ = reply.send(examine(&patient));
    };
    if let Err(err) = std::thread::Builder::new()
        .name("doctor".into())
        .spawn(work)
    {
        log::warn!(err = err.to_string().as_str(); "no thread for the doctor");
    }
}

fn examine(patient: &Patient) -> DoctorReport {
    let checks = vec![
        devices::display(
            &patient.status.display,
            &patient.status.screens,
            patient.settings.display.kind,
        ),
        devices::decoders(&patient.decoders),
        devices::audio(&patient.settings, &patient.status.audio),
        content::playlist(patient),
        machine::clock(),
        machine::disk(patient),
        machine::memory(),
        machine::network(patient.playlist.as_deref()),
    ];
    DoctorReport { checks }
}

/// What was found about one part of a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    result: CheckResult,
    detail: String,
    advice: Option<String>,
}

impl Finding {
    fn ok(detail: impl Into<String>) -> Self {
        Self {
            result: CheckResult::Ok,
            detail: detail.into(),
            advice: None,
        }
    }

    fn warn(detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            result: CheckResult::Warn,
            detail: detail.into(),
            advice: Some(advice.into()),
        }
    }

    fn fail(detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            result: CheckResult::Fail,
            detail: detail.into(),
            advice: Some(advice.into()),
        }
    }
}

/// One check out of all that was found about a thing: the worst counts, the same advice is given once.
fn check(name: &str, findings: Vec<Finding>) -> Check {
    let mut advice: Vec<String> = Vec::new();
    for one in findings.iter().filter_map(|finding| finding.advice.clone()) {
        if !advice.contains(&one) {
            advice.push(one);
        }
    }
    let details: Vec<&str> = findings
        .iter()
        .map(|finding| finding.detail.as_str())
        .collect();
    Check {
        name: name.to_owned(),
        ok: findings
            .iter()
            .map(|finding| finding.result)
            .max()
            .unwrap_or_default(),
        detail: details.join("; "),
        advice: (!advice.is_empty()).then(|| advice.join(" ")),
    }
}

/// Does work that may hang on a thread of its own; nothing if it takes longer than [`LIMIT`].
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = channel();
    let work = move || drop(sender.send(work()));
    let thread = std::thread::Builder::new().name("doctor-hand".into());
    thread.spawn(work).ok()?;
    receiver.recv_timeout(LIMIT).ok()
}

/// A number of things, in words.
fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_counts_and_the_same_advice_is_given_once() {
        let found = check(
            "disk",
            vec![
                Finding::ok("a"),
                Finding::fail("b", "Make room."),
                Finding::warn("c", "Make room."),
            ],
        );
        assert_eq!(
            (found.ok, found.detail.as_str()),
            (CheckResult::Fail, "a; b; c")
        );
        assert_eq!(found.advice.as_deref(), Some("Make room."));
        assert_eq!(check("clock", vec![Finding::ok("a")]).advice, None);
    }
}
