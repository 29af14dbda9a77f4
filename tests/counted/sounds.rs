//! The judge's ear: beeps early, late, drifting, absent and too many, and the files that they come in.

use crate::counted::{
    pattern::Rate,
    report::{FaultKind, Verdict},
    sound::{Heard, beep, hear, samples, write_wav},
};

use super::stage::{Shot, Stage};

const HZ60: Rate = Rate::hertz(60);

fn stage() -> Stage {
    Stage::new("1:75:25,2:still:1000,3:60:30", 4, HZ60)
}

fn judge_moved(stage: &Stage, by: impl Fn(usize, u64) -> u64) -> Verdict {
    let beeps = stage.beeps();
    let moved: Vec<u64> = beeps
        .iter()
        .enumerate()
        .map(|(index, start)| by(index, *start))
        .collect();
    stage.judge_with(&stage.wav(&moved))
}

#[test]
fn sound_in_time_passes_with_an_offset_of_nothing() {
    let stage = stage();
    let verdict = judge_moved(&stage, |_, start| start);
    assert!(verdict.passed(), "{verdict}");
    let sound = verdict.sound.expect("there is sound");
    assert_eq!((sound.flashes, sound.beeps, sound.pairs), (20, 20, 20));
    assert_eq!(sound.seconds, 24.0);
    for offset in [
        sound.min_ms,
        sound.max_ms,
        sound.mean_ms,
        sound.first_ms,
        sound.last_ms,
        sound.drift_ms,
    ] {
        assert!(offset.abs() < 0.2, "{sound:?}");
    }
}

#[test]
fn sound_40_ms_late_or_early_is_found() {
    let stage = stage();
    let verdict = judge_moved(&stage, |_, start| start + 1920);
    assert_eq!(
        verdict.faults.kinds(),
        [FaultKind::SoundOffset],
        "{verdict}"
    );
    assert_eq!(verdict.faults.count(FaultKind::SoundOffset), 20);
    assert!(verdict.faults.told()[0].message.contains("late"));
    let sound = verdict.sound.expect("there is sound");
    assert!((sound.mean_ms - 40.0).abs() < 0.2, "{sound:?}");

    // The first beep cannot come before the capture begins.
    let verdict = judge_moved(
        &stage,
        |index, start| if index == 0 { start } else { start - 1920 },
    );
    assert_eq!(verdict.faults.count(FaultKind::SoundOffset), 19);
    assert!(verdict.faults.told()[0].message.contains("early"));
    let sound = verdict.sound.expect("there is sound");
    assert!(
        (sound.min_ms + 40.0).abs() < 0.2 && sound.first_ms.abs() < 0.2,
        "{sound:?}"
    );
}

#[test]
fn a_limit_on_the_offset_can_be_set() {
    let mut stage = stage();
    stage.expect.limits.offset_ms = 41.0;
    assert!(judge_moved(&stage, |_, start| start + 1920).passed());
}

#[test]
fn drift_is_found_long_before_the_offset_is_wrong() {
    let stage = stage();
    let verdict = judge_moved(&stage, |_, start| start + start / 4800);
    assert_eq!(verdict.faults.kinds(), [FaultKind::SoundDrift], "{verdict}");
    let sound = verdict.sound.expect("there is sound");
    assert!((sound.drift_ms - 4.6).abs() < 0.2, "{sound:?}");
    assert!(
        (sound.last_ms - sound.first_ms - 4.6).abs() < 0.2,
        "{sound:?}"
    );
    assert!(sound.max_ms > 4.5 && sound.min_ms < 0.2, "{sound:?}");
}

#[test]
fn rounding_to_vblanks_is_no_drift() {
    let stage = Stage::new("1:41:30000/1001,2:31:24", 9, HZ60);
    let verdict = judge_moved(&stage, |_, start| start);
    assert!(verdict.passed(), "{verdict}");
    let sound = verdict.sound.expect("there is sound");
    assert!(
        sound.max_ms - sound.min_ms > 5.0,
        "flashes are rounded: {sound:?}"
    );
    assert!(sound.drift_ms.abs() < 0.1, "{sound:?}");
    let verdict = judge_moved(&stage, |_, start| start + start / 10_000);
    assert_eq!(verdict.faults.kinds(), [FaultKind::SoundDrift], "{verdict}");
}

#[test]
fn a_beep_too_few_or_too_many_is_found() {
    let stage = stage();
    let mut beeps = stage.beeps();
    let lost = beeps.remove(7);
    let verdict = stage.judge_with(&stage.wav(&beeps));
    assert_eq!(
        verdict.faults.kinds(),
        [FaultKind::FlashWithoutBeep],
        "{verdict}"
    );
    assert_eq!(verdict.sound.expect("there is sound").pairs, 19);
    beeps.extend([lost, 180_000]);
    let verdict = stage.judge_with(&stage.wav(&beeps));
    assert_eq!(
        verdict.faults.kinds(),
        [FaultKind::BeepWithoutFlash],
        "{verdict}"
    );
    assert_eq!(verdict.faults.count(FaultKind::BeepWithoutFlash), 1);
}

#[test]
fn silence_is_a_fault_but_for_mute_clips() {
    let stage = Stage::new("1:50:25", 2, HZ60);
    let verdict = stage.judge_with(&stage.wav(&[]));
    assert_eq!(
        verdict.faults.count(FaultKind::FlashWithoutBeep),
        4,
        "{verdict}"
    );
    let stage = Stage::new("1:50:25:mute,2:60:60", 2, HZ60);
    let beeps: Vec<u64> = [2, 5].map(|second| second * 48_000).to_vec();
    let verdict = stage.judge_with(&stage.wav(&beeps));
    assert!(verdict.passed(), "{verdict}");
    assert_eq!(verdict.sound.expect("there is sound").flashes, 2);
    let stage = Stage::new("1:still:500", 2, HZ60);
    assert!(
        !stage.judge_with(&stage.wav(&[])).passed(),
        "what was to be heard?"
    );
}

#[test]
fn a_flash_that_is_not_seen_leaves_its_beep_alone() {
    let mut stage = Stage::new("1:60:30", 1, HZ60);
    let wav = stage.wav(&stage.beeps());
    let place = stage.place(1, 30, 0);
    for shot in &mut stage.shots[place..place + 4] {
        *shot = Shot::Frame { id: 1, number: 29 };
    }
    let verdict = stage.judge_with(&wav);
    assert_eq!(
        verdict.faults.count(FaultKind::BeepWithoutFlash),
        1,
        "{verdict}"
    );
}

/// A WAV file with this format and data; `length` is what the data chunk says of itself.
fn wav(format: &[u8], length: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"RIFF\xff\xff\xff\xffWAVELIST\x03\0\0\0abc\0fmt ".to_vec();
    bytes.extend((format.len() as u32).to_le_bytes());
    bytes.extend(format);
    bytes.extend(b"data");
    bytes.extend(length.to_le_bytes());
    bytes.extend(data);
    bytes
}

fn format(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
    let mut bytes = [tag.to_le_bytes(), channels.to_le_bytes()].concat();
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * u32::from(channels * bits / 8)).to_le_bytes());
    bytes.extend((channels * bits / 8).to_le_bytes());
    bytes.extend(bits.to_le_bytes());
    bytes
}

#[test]
fn beeps_are_heard_in_every_form_and_at_every_volume() {
    let mut clip = vec![0; 100_000];
    for start in [0, 20_000, 70_000] {
        beep(&mut clip, start);
    }
    let near = |heard: Heard| {
        let found: Vec<u64> = heard
            .onsets
            .iter()
            .map(|onset| (onset + 500) / 1000 * 1000)
            .collect();
        let late = heard
            .onsets
            .iter()
            .zip(&found)
            .map(|(onset, start)| onset - start)
            .max();
        (found, late < Some(5), heard.samples)
    };
    let expected = (vec![0, 20_000, 70_000], true, 100_000);
    for volume in [1.0, 0.8, 0.08] {
        let float: Vec<u8> = clip
            .iter()
            .flat_map(|sample| {
                let level = (f32::from(*sample) / 32768.0 * volume).to_le_bytes();
                [level, 0f32.to_le_bytes()].concat()
            })
            .collect();
        for length in [float.len() as u32, 0, u32::MAX] {
            let bytes = wav(&format(3, 2, 48_000, 32), length, &float);
            assert_eq!(
                near(hear(bytes.as_slice()).expect("a WAV file")),
                expected,
                "volume {volume}"
            );
        }
    }
    let whole: Vec<u8> = clip
        .iter()
        .flat_map(|sample| sample.to_le_bytes())
        .collect();
    let mut extensible = format(0xFFFE, 1, 48_000, 16);
    extensible.extend([22, 0, 16, 0, 4, 0, 0, 0, 1, 0]);
    extensible.extend(*b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71");
    let bytes = wav(&extensible, whole.len() as u32, &whole);
    assert_eq!(near(hear(bytes.as_slice()).expect("a WAV file")), expected);
    let mut bytes = Vec::new();
    write_wav(&mut bytes, &clip, 1).expect("memory takes all");
    assert_eq!(near(hear(bytes.as_slice()).expect("a WAV file")), expected);
}

#[test]
fn other_sound_is_refused_with_its_reason() {
    for (bytes, reason) in [
        (wav(&format(1, 2, 44_100, 16), 0, &[]), "44100"),
        (wav(&format(1, 2, 48_000, 24), 0, &[]), "24 bits"),
        (wav(&format(1, 0, 48_000, 16), 0, &[]), "0 channels"),
        (b"OggS, and so on".to_vec(), "RIFF"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0".to_vec(), "before fmt"),
        (Vec::new(), "reading"),
    ] {
        let error = hear(bytes.as_slice()).expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_clips_sound_is_as_long_as_its_picture_and_beeps_with_its_flashes() {
    assert_eq!(samples(Rate::hertz(25), 50).len(), 96_000);
    let ntsc = Rate {
        numerator: 30_000,
        denominator: 1001,
    };
    let sound = samples(ntsc, 61);
    assert_eq!(sound.len(), (61 * 1001 * 48_000 + 15_000) / 30_000);
    let mut bytes = Vec::new();
    write_wav(&mut bytes, &sound, 1).expect("memory takes all");
    // Frame 30 begins at 1.001 s; frame 60 has less than 200 ms after it, and no flash.
    let onsets = hear(bytes.as_slice()).expect("a WAV file").onsets;
    assert_eq!(onsets.len(), 2);
    assert!((48_048..48_053).contains(&onsets[1]), "{onsets:?}");
}
