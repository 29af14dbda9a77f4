//! The doctor: looks at the box and says in plain words what to mend.

use tokio::sync::oneshot;

use crate::domain::{
    config::Settings,
    protocol::{Check, CheckResult, DoctorReport, Status},
};

/// Answers a question for a check-up, from a thread that has time.
pub fn answer(settings: Settings, status: Status, reply: oneshot::Sender<DoctorReport>) {
    let work = move || {
        let checks = vec![display(&status)];
        let _ = (settings, reply.send(DoctorReport { checks }));
    };
    if let Err(err) = std::thread::Builder::new()
        .name("doctor".into())
        .spawn(work)
    {
        log::warn!(err = err.to_string().as_str(); "no thread for the doctor");
    }
}

fn display(status: &Status) -> Check {
    Check {
        name: "display".to_owned(),
        ok: CheckResult::Ok,
        detail: format!("{} vblanks were missed", status.display.missed_vblanks),
        advice: None,
    }
}
