//! The display, the decoders and the sound.

use std::time::Duration;

use crate::{
    domain::{
        config::{DisplayKind, Settings},
        protocol::{
            AudioStatus, Check, DisplayDriver, DisplayStatus, ScreenStatus, TvPower, TvStatus,
        },
    },
    gst::{self, DecoderOptions, Heard, Trial},
    player::doctor::{Finding, check, in_time},
};

/// A tiny pattern in H.264 with a tone in AAC.
const H264_AAC: &[u8] = include_bytes!("h264-aac.mp4");
/// The same pattern in HEVC.
const HEVC: &[u8] = include_bytes!("hevc.mp4");

/// Longer than this, a decoder does not answer.
const TRIAL: Duration = Duration::from_secs(20);

/// What to do about a screen that is not there.
const CABLE: &str = "Check the screen's cable, that the screen is switched on, and that screen.connector, where it is written, is \
                     one that the card has: museboxctl logs tells which.";

/// From this many frames in a thousand on, trouble can be seen.
const SEEN: u64 = 10;

/// From this many milliseconds on, sound and picture are seen to be apart (ITU-R BT.1359: 45 ms early, 125 ms late).
const APART: f64 = 80.0;

/// The screens that are not connected, where others are: by their names.
fn absent(screens: &[ScreenStatus]) -> Option<Finding> {
    let (there, absent): (Vec<_>, Vec<_>) =
        screens.iter().partition(|screen| screen.mode.is_some());
    if there.is_empty() || absent.is_empty() {
        return None;
    }
    let names: Vec<&str> = absent.iter().map(|screen| screen.name.as_str()).collect();
    Some(Finding::fail(
        format!("not connected: {}", names.join(", ")),
        CABLE,
    ))
}

/// The display, its screens and what it has counted.
pub(super) fn display(
    status: &DisplayStatus,
    screens: &[ScreenStatus],
    wanted: DisplayKind,
) -> Check {
    let mode = screens.iter().find_map(|screen| screen.mode);
    let mut findings = vec![match (status.kind, mode, wanted) {
        (DisplayDriver::Kms, Some(mode), _) => {
            let card = status.card.as_deref().unwrap_or("the card");
            Finding::ok(format!("a real screen, {mode}, on {card}"))
        }
        (DisplayDriver::Virtual, Some(mode), DisplayKind::Virtual) => {
            Finding::ok(format!("the display in memory, {mode}, as configured"))
        }
        (DisplayDriver::Virtual, Some(mode), DisplayKind::Auto | DisplayKind::Kms) => {
            Finding::warn(
                format!("the display in memory, {mode}: no screen shows anything"),
                "Connect a screen to a box that has one, or write display.kind = \"virtual\" if this is meant.",
            )
        }
        (DisplayDriver::Kms | DisplayDriver::Virtual, None, _) => {
            Finding::fail("no screen is connected", CABLE)
        }
    }];
    findings.extend(absent(screens));
    findings.push(pictures(status));
    findings.extend(copies(status));
    findings.extend(status.tv.as_ref().map(television));
    check("display", findings)
}

/// How frames come to the screen, once there were any.
fn copies(status: &DisplayStatus) -> Option<Finding> {
    let copies = status.copies;
    let ways = [
        (copies.imported, "from the decoder's own memory"),
        (copies.copied, "copied"),
        (copies.composed, "scaled or converted by the processor"),
    ];
    let taken: Vec<String> = ways
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    (!taken.is_empty()).then(|| Finding::ok(format!("pictures: {}", taken.join(", "))))
}

fn television(tv: &TvStatus) -> Finding {
    let told = format!("the television is {} ({})", tv.power.word(), tv.adapter);
    match tv.power {
        TvPower::On | TvPower::Standby => Finding::ok(told),
        TvPower::Unknown => Finding::warn(
            told,
            "If it is connected: switch CEC on in its menu, or write display.cec = \"never\".",
        ),
    }
}

fn pictures(status: &DisplayStatus) -> Finding {
    let troubles = [
        (status.late, "late"),
        (status.dropped, "never shown"),
        (status.missed_vblanks, "refreshes missed"),
    ];
    let counted: Vec<String> = troubles
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    let about = match status.estimated {
        true => " (estimated: the screen does not tell)",
        false => "",
    };
    if status.presented == 0 {
        return Finding::ok("no moving picture was shown so far");
    }
    let shown = format!("{} pictures shown", status.presented);
    if counted.is_empty() {
        return Finding::ok(format!("{shown}, all in time{about}"));
    }
    let detail = format!("{shown}, {}{about}", counted.join(", "));
    let sum = troubles
        .iter()
        .fold(0u64, |sum, (number, _)| sum.saturating_add(*number));
    match sum.saturating_mul(1000) >= status.presented.saturating_mul(SEEN) {
        true => Finding::warn(
            detail,
            "The box is too slow for this: use smaller videos or a lower mode, and stop other programs.",
        ),
        false => Finding::ok(detail),
    }
}

/// Really decodes a picture of each kind, and sound.
pub(super) fn decoders(options: &DecoderOptions) -> Check {
    let (h264, hevc) = (
        gst::trial(H264_AAC, options, TRIAL),
        gst::trial(HEVC, options, TRIAL),
    );
    let mut findings = vec![
        match &h264 {
            Ok(trial) => by("H.264", trial),
            Err(why) => Finding::fail(
                format!("H.264 cannot be decoded: {why}"),
                "Install a decoder for H.264 (the package gstreamer1.0-libav has one), or free it in decoder.avoid.",
            ),
        },
        match &hevc {
            Ok(trial) => by("HEVC", trial),
            Err(why) => Finding::warn(
                format!("HEVC cannot be decoded: {why}"),
                "Use H.264 videos only, or install a decoder for HEVC (the package gstreamer1.0-libav has one).",
            ),
        },
    ];
    if let Ok(trial) = &h264 {
        findings.push(sound(trial));
    }
    check("decoders", findings)
}

fn by(codec: &str, trial: &Trial) -> Finding {
    let how = match trial.hardware {
        true => "hardware",
        false => "software",
    };
    Finding::ok(format!("{codec} is decoded in {how} by {}", trial.decoder))
}

fn sound(trial: &Trial) -> Finding {
    let advice = "Install a decoder for AAC (the package gstreamer1.0-libav has one).";
    match (&trial.sound_decoder, trial.sound) {
        (Some(decoder), Some(Heard::Tone)) => {
            Finding::ok(format!("AAC sound is decoded by {decoder}"))
        }
        (Some(decoder), Some(Heard::Silence)) => {
            Finding::warn(format!("{decoder} makes silence of AAC sound"), advice)
        }
        (None, Some(_)) => Finding::warn("no decoder for AAC sound is installed", advice),
        (_, None) => Finding::warn("AAC sound was not decoded in time", advice),
    }
}

/// The sound output. A box without one plays on in silence.
pub(super) fn audio(settings: &Settings, status: &AudioStatus) -> Check {
    let (sink, device) = (settings.audio.sink.clone(), settings.audio.device.clone());
    let output = match (settings.audio.enabled, &status.device) {
        (false, _) => {
            return check(
                "audio",
                vec![Finding::ok("sound is turned off (audio.enabled = false)")],
            );
        }
        (true, Some(device)) => Finding::ok(format!("{device} plays")),
        (true, None) => {
            let named = match &device {
                Some(device) => format!("{sink} {device}"),
                None => sink.clone(),
            };
            match in_time(move || gst::probe(&sink, device.as_deref())) {
                Some(Ok(())) => {
                    Finding::ok(format!("{named} can be opened, and is not in use now"))
                }
                Some(Err(why)) => Finding::warn(
                    format!("no sound: {named}: {why}"),
                    "If sound is wanted, connect an output and name it in audio.device (aplay -L lists them); \
                     if not, write audio.enabled = false.",
                ),
                None => Finding::warn(
                    format!("no sound: {named} does not answer"),
                    "Restart the sound server, or the box.",
                ),
            }
        }
    };
    let mut findings = vec![output];
    findings.extend(status.av_offset_ms.map(offset));
    findings.push(Finding::ok(match (settings.mute, settings.volume.get()) {
        (true, _) => "muted".to_owned(),
        (false, volume) => format!("volume {:.0} %", volume * 100.0),
    }));
    check("audio", findings)
}

fn offset(offset_ms: f64) -> Finding {
    let way = match offset_ms < 0.0 {
        true => "before",
        false => "after",
    };
    let detail = format!("sound comes {:.0} ms {way} the picture", offset_ms.abs());
    match offset_ms.abs() < APART {
        true => Finding::ok(detail),
        false => Finding::warn(
            detail,
            "Ask the screen for less delay (its game mode), or the sound output for a shorter buffer.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        ids::ScreenName,
        protocol::{CheckResult, CommitStatus, CopiesStatus, Power},
    };

    /// A screen that is there, and one that is not.
    fn screens() -> [ScreenStatus; 2] {
        let screen = |name: &str, mode: Option<&str>| ScreenStatus {
            name: ScreenName::new(name),
            mode: mode.map(|mode| mode.parse().expect("a mode")),
            position: None,
            item: None,
            slots: Vec::new(),
        };
        [screen("left", Some("1920x1080@60")), screen("right", None)]
    }

    fn one() -> Vec<ScreenStatus> {
        screens()[..1].to_vec()
    }

    fn shown() -> DisplayStatus {
        DisplayStatus {
            kind: DisplayDriver::Kms,
            mode: Some("1920x1080@60".parse().expect("a mode")),
            card: Some("/dev/dri/card1".to_owned()),
            power: Power::On,
            tv: None,
            copies: CopiesStatus::default(),
            commit: CommitStatus::default(),
            estimated: false,
            presented: 10_000,
            late: 0,
            dropped: 0,
            repeated: 0,
            starved: 0,
            missed_vblanks: 0,
        }
    }

    #[test]
    fn trouble_is_told_in_proportion() {
        let smooth = display(&shown(), &one(), DisplayKind::Auto);
        assert_eq!(smooth.ok, CheckResult::Ok);
        assert_eq!(
            smooth.detail,
            "a real screen, 1920x1080@60, on /dev/dri/card1; 10000 pictures shown, all in time"
        );
        let mut status = shown();
        (status.late, status.dropped, status.missed_vblanks) = (33, 33, 33);
        assert_eq!(
            display(&status, &one(), DisplayKind::Auto).ok,
            CheckResult::Ok
        );
        status.dropped = 34;
        let rough = display(&status, &one(), DisplayKind::Auto);
        assert_eq!(rough.ok, CheckResult::Warn);
        assert!(
            rough
                .detail
                .contains("33 late, 34 never shown, 33 refreshes missed"),
            "{rough:?}"
        );
        assert!(rough.advice.is_some());
    }

    #[test]
    fn the_way_of_the_pictures_and_the_television_are_told() {
        let mut status = shown();
        (status.copies.imported, status.copies.composed) = (9_000, 1_000);
        status.tv = Some(TvStatus {
            adapter: "/dev/cec0".to_owned(),
            power: TvPower::On,
        });
        let told = display(&status, &one(), DisplayKind::Kms);
        assert_eq!(told.ok, CheckResult::Ok);
        for part in [
            "pictures: 9000 from the decoder's own memory, 1000 scaled or converted by the processor",
            "the television is on (/dev/cec0)",
        ] {
            assert!(told.detail.contains(part), "{told:?}");
        }
        status.tv = Some(TvStatus {
            adapter: "/dev/cec0".to_owned(),
            power: TvPower::Unknown,
        });
        assert_eq!(
            display(&status, &one(), DisplayKind::Kms).ok,
            CheckResult::Warn
        );
    }

    #[test]
    fn a_screen_that_is_not_there_is_told() {
        let mut status = shown();
        let [left, right] = screens();
        let told = |screens: &[ScreenStatus]| display(&shown(), screens, DisplayKind::Kms);
        let none = told(std::slice::from_ref(&right));
        assert_eq!(none.ok, CheckResult::Fail);
        assert!(
            none.detail.starts_with("no screen is connected;"),
            "{none:?}"
        );
        for pair in [[left.clone(), right.clone()], [right, left]] {
            let told = told(&pair);
            assert_eq!(told.ok, CheckResult::Fail);
            assert!(told.detail.contains("not connected: right;"), "{told:?}");
            assert!(told.detail.contains("1920x1080@60"), "{told:?}");
        }
        status.kind = DisplayDriver::Virtual;
        assert_eq!(
            display(&status, &one(), DisplayKind::Auto).ok,
            CheckResult::Warn
        );
        assert_eq!(
            display(&status, &one(), DisplayKind::Virtual).ok,
            CheckResult::Ok
        );
        (status.presented, status.estimated) = (0, true);
        assert_eq!(
            display(&status, &one(), DisplayKind::Virtual).ok,
            CheckResult::Ok
        );
    }

    #[test]
    fn sound_far_from_its_picture_is_told() {
        assert_eq!(offset(-79.0).result, CheckResult::Ok);
        let late = offset(80.4);
        assert_eq!(late.result, CheckResult::Warn);
        assert_eq!(late.detail, "sound comes 80 ms after the picture");
    }

    #[test]
    fn no_decoder_for_sound_is_a_warning() {
        let trial = |sound_decoder: Option<&str>, heard| Trial {
            decoder: "some264".to_owned(),
            hardware: true,
            sound: heard,
            sound_decoder: sound_decoder.map(str::to_owned),
        };
        let tone = sound(&trial(Some("someaac"), Some(Heard::Tone)));
        assert_eq!(tone, Finding::ok("AAC sound is decoded by someaac"));
        for bad in [
            trial(None, Some(Heard::Silence)),
            trial(Some("someaac"), Some(Heard::Silence)),
            trial(Some("someaac"), None),
        ] {
            assert_eq!(sound(&bad).result, CheckResult::Warn);
        }
        assert_eq!(
            by("H.264", &trial(None, None)).detail,
            "H.264 is decoded in hardware by some264"
        );
    }
}
