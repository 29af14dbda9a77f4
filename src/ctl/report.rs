//! Reports for people: what the daemon says, in words and columns.

use std::fmt::Write;

use crate::domain::protocol::{
    CheckResult, DoctorReport, Event, EventKind, HouseOffer, HouseStatus, ItemStatus, MediaStatus,
    MemoryKind, SettingsStatus, SlotState, Status,
};

/// How the box is, on a dozen lines.
pub(super) fn status(status: &Status) -> String {
    let mut text = format!(
        "{} is {}  (musebox {}, up {})\n\n",
        plain(&status.name),
        status.state.word(),
        plain(&status.version),
        duration(status.uptime_ms)
    );
    let mut row = |name: &str, value: String| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "  {name:<10}{value}");
    };
    row(
        "Now",
        match (&status.item, status.position) {
            (Some(showing), Some(position)) => format!("{}, at {position}", item(showing)),
            (Some(showing), None) => item(showing),
            (None, _) => "nothing".to_owned(),
        },
    );
    if let Some(playlist) = &status.playlist {
        row(
            "Playlist",
            match playlist.name.is_empty() {
                true => plain(playlist.id.as_str()),
                false => plain(&playlist.name),
            },
        );
    }
    row(
        "Shown",
        format!(
            "{}, {}, {}, {}",
            count(status.items_shown, "item"),
            count(status.replays, "replay"),
            count(status.reloads, "reload"),
            count(status.rounds, "round")
        ),
    );
    let display = &status.display;
    let kind = match display.kind {
        crate::domain::protocol::DisplayDriver::Kms => "kms",
        crate::domain::protocol::DisplayDriver::Virtual => "virtual",
    };
    let mode = match display.mode {
        Some(mode) => mode.to_string(),
        None => "none connected".to_owned(),
    };
    row("Display", format!("{kind}, {mode}"));
    let estimated = match display.estimated {
        true => " (estimated)",
        false => "",
    };
    row(
        "Frames",
        format!(
            "{} presented, {} late, {} dropped, {} repeated, {} starved, {} missed{estimated}",
            display.presented,
            display.late,
            display.dropped,
            display.repeated,
            display.starved,
            count(display.missed_vblanks, "vblank"),
        ),
    );
    if let Some(house) = &status.house {
        row("House", self::house(house));
    }
    row("Sound", sound(status));
    row("Settings", settings(&status.settings));
    if status.lockstep_waits > 0 {
        let waits = count(status.lockstep_waits, "wait");
        row(
            "Lockstep",
            format!("{waits}, {} ms at most", status.max_wait_ms),
        );
    }

    for screen in &status.screens {
        let absent = match screen.mode {
            Some(_) => "",
            None => ", not connected",
        };
        let position = screen.position.map(|position| format!(", at {position}"));
        let showing = screen.item.as_ref().map(|item| format!("  {}", name(item)));
        let _ = writeln!(
            text,
            "\nScreen {}{absent}{}{}",
            plain(screen.name.as_str()),
            position.unwrap_or_default(),
            showing.unwrap_or_default(),
        );
        for slot in &screen.slots {
            let what = slot.item.as_ref().map(|id| plain(id.as_str()));
            let decoder = slot.decoder.as_ref().map(|name| plain(name));
            let memory = match slot.memory {
                MemoryKind::None => "",
                MemoryKind::System => " in system memory",
                MemoryKind::Dmabuf => " in its own memory",
            };
            let line = format!(
                "  {} {:<11}{:<20} {}{memory}",
                slot.slot,
                slot_state(slot.state),
                what.unwrap_or_default(),
                decoder.unwrap_or_default(),
            );
            let _ = writeln!(text, "{}", line.trim_end());
            if let Some(reason) = &slot.reason {
                let _ = writeln!(text, "    {}", plain(reason));
            }
        }
    }

    if !status.errors.is_empty() {
        text.push_str("\nCould not be played\n");
    }
    for error in &status.errors {
        let _ = writeln!(
            text,
            "  {} ({}): {}, {}",
            plain(error.item.as_str()),
            plain(&error.src),
            plain(&error.message),
            count(error.count, "time"),
        );
    }
    text
}

/// How it stands with the house.
fn house(house: &HouseStatus) -> String {
    let url = &house.url;
    let mut text = match (&house.code, &house.check) {
        (Some(code), Some(check)) => format!(
            "type the code {} at {url}/pair, where the number must be {}",
            plain(code),
            plain(check)
        ),
        (_, _) => match (house.linked, house.online) {
            (true, true) => format!("{url}, connected"),
            (true, false) => format!("{url}, not connected"),
            (false, _) if !house.offers.is_empty() => offers(&house.offers),
            (false, _) => format!("{url}, not paired"),
        },
    };
    let MediaStatus { complete, total } = house.media;
    if total > 0 {
        text.push_str(&format!(
            ", {complete} of {} here",
            count(total, "media file")
        ));
    }
    if let Some(problem) = &house.problem {
        text.push_str(&format!(": {}", plain(problem)));
    }
    text
}

/// The houses that the box may be paired with, on one line.
fn offers(offers: &[HouseOffer]) -> String {
    let written = |offer: &HouseOffer| {
        let (name, url) = (plain(&offer.name), &offer.url);
        match (&offer.code, &offer.check) {
            (Some(code), Some(check)) => {
                let (code, check) = (plain(code), plain(check));
                format!("{code} at {url}/pair ({name}), where the number must be {check}")
            }
            (_, _) => format!("no code yet from {url} ({name})"),
        }
    };
    let written: Vec<String> = offers.iter().map(written).collect();
    format!("type one of these codes: {}", written.join("; "))
}

/// What the doctor found, a line a check, with what to do below it.
pub(super) fn doctor(report: &DoctorReport) -> String {
    let mut text = String::new();
    for check in &report.checks {
        let mark = match check.ok {
            CheckResult::Ok => "ok  ",
            CheckResult::Warn => "WARN",
            CheckResult::Fail => "FAIL",
        };
        let (name, detail) = (plain(&check.name), plain(&check.detail));
        let _ = writeln!(text, "{mark}  {name:<10}{detail}");
        if let Some(advice) = &check.advice {
            let _ = writeln!(text, "                {}", plain(advice));
        }
    }
    let number = |wanted| {
        let checks = report.checks.iter();
        checks.filter(|check| check.ok == wanted).count() as u64
    };
    let (warned, failed) = (number(CheckResult::Warn), number(CheckResult::Fail));
    let _ = match (report.checks.is_empty(), warned, failed) {
        (true, _, _) => writeln!(text, "Nothing was checked."),
        (false, 0, 0) => writeln!(text, "\nAll is well."),
        (false, _, 0) => writeln!(text, "\nIt works; {} to look at.", count(warned, "thing")),
        (false, _, _) => writeln!(text, "\n{} to mend.", count(failed, "thing")),
    };
    text
}

/// One event on one line.
pub(super) fn event(event: &Event) -> String {
    let what = match &event.kind {
        EventKind::ItemBegan {
            screen,
            position,
            item,
            title,
            replay,
        } => {
            let name = title.as_deref().unwrap_or(item.as_str());
            let again = match replay {
                true => " again",
                false => "",
            };
            let screen = screen.as_str();
            plain(&format!("{screen}: {name}{again}, at {position}"))
        }
        EventKind::ItemFailed {
            screen,
            position,
            item,
            src,
            message,
            kind: _,
        } => plain(&format!(
            "{screen}: {item} at {position} could not be played: {message} ({src})"
        )),
        EventKind::ItemReopened { screen, position } => {
            plain(&format!("{screen}: the item at {position} is opened again"))
        }
        EventKind::TrackEnded { screen, position } => plain(&format!(
            "{screen}: no more items in current track, after {position}"
        )),
        EventKind::RoundEnded { rounds } => format!("round {rounds} has ended"),
        EventKind::State { state: now } => format!("the box is {}", now.word()),
        EventKind::Settings { settings: now } => format!("settings: {}", settings(now)),
        EventKind::Lagged { missed } => format!("{} left out here", count(*missed, "event")),
    };
    let seconds = event.at_ms / 1000;
    let millis = event.at_ms % 1000;
    format!("{seconds:>8}.{millis:03}  {what}")
}

fn slot_state(state: SlotState) -> &'static str {
    match state {
        SlotState::Idle => "idle",
        SlotState::Prerolling => "prerolling",
        SlotState::Ready => "ready",
        SlotState::Playing => "playing",
        SlotState::Draining => "draining",
        SlotState::Failed => "failed",
    }
}

fn name(item: &ItemStatus) -> String {
    plain(item.title.as_deref().unwrap_or(item.id.as_str()))
}

fn item(item: &ItemStatus) -> String {
    let kind = match item.kind {
        crate::domain::playlist::MediaKind::Video => "video",
        crate::domain::playlist::MediaKind::Image => "image",
    };
    let length = item.duration_ms.map(|ms| match ms {
        0..10_000 => format!(" of {}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!(" of {}", duration(ms)),
    });
    format!("{} ({kind}{})", name(item), length.unwrap_or_default())
}

fn sound(status: &Status) -> String {
    let volume = match status.settings.mute {
        true => "muted".to_owned(),
        false => format!("volume {:.0} %", status.settings.volume.get() * 100.0),
    };
    let device = match &status.audio.device {
        Some(device) => plain(device),
        None => "no device".to_owned(),
    };
    let offset = status.audio.av_offset_ms.map(|ms| match ms < 0.0 {
        true => format!(", {:.1} ms ahead of the picture", -ms),
        false => format!(", {ms:.1} ms behind the picture"),
    });
    format!("{volume}, {device}{}", offset.unwrap_or_default())
}

fn settings(settings: &SettingsStatus) -> String {
    let switch = |on| match on {
        true => "on",
        false => "off",
    };
    let fit = match settings.fit {
        crate::domain::fit::Fit::Contain => "contain",
        crate::domain::fit::Fit::Cover => "cover",
        crate::domain::fit::Fit::Stretch => "stretch",
    };
    format!(
        "autostart {}, auto-advance {}, fit {fit}",
        switch(settings.autostart_playlist),
        switch(settings.auto_advance)
    )
}

fn count(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, _, _) => format!("{days} d {hours} h"),
    }
}

/// The text without characters that would steer a terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c.is_control() {
            true => '\u{fffd}',
            false => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        ids::{ItemId, Position, ScreenName},
        protocol::Check,
    };

    fn example() -> Status {
        serde_json::from_str(include_str!("../../docs/schema/status.example.json"))
            .expect("the example is a report")
    }

    #[test]
    fn a_status_reads_well() {
        let expected = "\
Foyer is playing  (musebox 0.1.0, up 2 h 1 min)

  Now       Waves (video of 1 min 0 s), at M0T0I1
  Playlist  Foyer by day
  Shown     412 items, 205 replays, 0 reloads, 103 rounds
  Display   kms, 1920x1080@60000/1001
  Frames    435464 presented, 2 late, 1 dropped, 3 repeated, 0 starved, 0 vblanks missed
  House     https://gallery.example:8443, connected, 3 of 8 media files here
  Sound     volume 80 %, hw:CARD=vc4hdmi0, 3.2 ms ahead of the picture
  Settings  autostart on, auto-advance on, fit contain

Screen left, at M0T0I1  Waves
  A playing    waves                v4l2slh264dec in its own memory
    hardware decoder for H.264
  B prerolling opening-hours

Screen right, at M0T1I0  opening-hours
  A failed     storm
    the file ends within the box mdat
  B playing    opening-hours        image in system memory

Could not be played
  storm (/srv/art/storm.mp4): the file ends within the box mdat, 4 times
";
        assert_eq!(status(&example()), expected);
    }

    #[test]
    fn a_screen_that_is_not_connected_is_told() {
        let mut report = example();
        report.screens[1].mode = None;
        let text = status(&report);
        assert!(text.contains("\nScreen left, at"), "{text}");
        assert!(text.contains("\nScreen right, not connected, at"), "{text}");
    }

    #[test]
    fn a_title_cannot_steer_the_terminal() {
        let mut report = example();
        if let Some(item) = &mut report.item {
            item.title = Some("\u{1b}[2Jgone\nx".to_owned());
        }
        let text = status(&report);
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.contains("[2Jgone\u{fffd}x"), "{text}");
    }

    #[test]
    fn a_doctor_s_report_says_what_to_mend() {
        let check = |name: &str, ok, advice: Option<&str>| Check {
            name: name.to_owned(),
            ok,
            detail: "as found".to_owned(),
            advice: advice.map(str::to_owned),
        };
        let mut report = DoctorReport {
            checks: vec![
                check("display", CheckResult::Ok, None),
                check("audio", CheckResult::Warn, Some("plug it in")),
            ],
        };
        assert_eq!(
            doctor(&report),
            "ok    display   as found\nWARN  audio     as found\n                plug it in\n\nIt works; 1 thing to look at.\n"
        );
        report.checks.push(check("disk", CheckResult::Fail, None));
        assert!(doctor(&report).ends_with("\n1 thing to mend.\n"));
        report.checks.truncate(1);
        assert!(doctor(&report).ends_with("\nAll is well.\n"));
        assert_eq!(doctor(&DoctorReport::default()), "Nothing was checked.\n");
    }

    #[test]
    fn every_event_is_one_line() {
        let (screen, position) = (ScreenName::new("main"), Position::new(0, 0, 1));
        for (kind, words) in [
            (
                EventKind::ItemBegan {
                    screen: screen.clone(),
                    position,
                    item: ItemId::new("waves"),
                    title: Some("Wa\nves".to_owned()),
                    replay: true,
                },
                "main: Wa\u{fffd}ves again, at M0T0I1",
            ),
            (
                EventKind::TrackEnded { screen, position },
                "main: no more items in current track, after M0T0I1",
            ),
            (EventKind::RoundEnded { rounds: 2 }, "round 2 has ended"),
            (EventKind::Lagged { missed: 1 }, "1 event left out here"),
        ] {
            let line = event(&Event {
                at_ms: 61_007,
                kind,
            });
            assert_eq!(line, format!("      61.007  {words}"));
        }
    }

    #[test]
    fn durations_have_two_units_at_most() {
        for (ms, text) in [
            (999, "0 s"),
            (59_000, "59 s"),
            (61_000, "1 min 1 s"),
            (3_660_000, "1 h 1 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }
}
