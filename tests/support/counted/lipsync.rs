//! How far the beeps are from their flashes, and whether they drift apart.

use super::{
    expect::Limits,
    pattern::Rate,
    report::{FaultKind, Faults, Sound},
    sound::{Heard, SAMPLE_RATE},
};

/// A beep is looked for this far from its flash.
const PAIR_SECONDS: f64 = 0.25;

/// A flash's onset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flash {
    /// The vblank that shows it.
    pub vblank: u64,
    /// The same time without the rounding of ideal times to vblanks.
    pub exact: f64,
}

/// A flash and its beep.
struct Pair {
    seconds: f64,
    offset_ms: f64,
    /// The offset from the flash's exact time.
    exact_ms: f64,
}

/// Finds the beep of each flash, and tells what is wrong with the sound.
pub fn compare(
    flashes: &[Flash],
    heard: &Heard,
    display: Rate,
    limits: &Limits,
    faults: &mut Faults,
) -> Sound {
    let seconds = |samples: u64| samples as f64 / f64::from(SAMPLE_RATE);
    let beeps: Vec<f64> = heard.onsets.iter().map(|onset| seconds(*onset)).collect();
    let mut taken = vec![false; beeps.len()];
    let (mut from, mut pairs) = (0, Vec::new());
    for flash in flashes {
        let time = flash.vblank as f64 / display.as_hertz();
        let away = |beep: usize| (beeps[beep] - time).abs();
        while from < beeps.len() && beeps[from] < time - PAIR_SECONDS {
            from += 1;
        }
        let nearest = (from..beeps.len())
            .take_while(|beep| beeps[*beep] <= time + PAIR_SECONDS)
            .filter(|beep| !taken[*beep])
            .min_by(|one, other| away(*one).total_cmp(&away(*other)));
        let Some(beep) = nearest else {
            let told = || "a flash, and no beep within a quarter of a second".to_owned();
            faults.add(FaultKind::FlashWithoutBeep, 1, Some(flash.vblank), told);
            continue;
        };
        taken[beep] = true;
        let offset_ms = (beeps[beep] - time) * 1000.0;
        if offset_ms.abs() > limits.offset_ms {
            let side = if offset_ms > 0.0 { "late" } else { "early" };
            let told = || format!("the sound is {:.1} ms {side}", offset_ms.abs());
            faults.add(FaultKind::SoundOffset, 1, Some(flash.vblank), told);
        }
        pairs.push(Pair {
            seconds: time,
            offset_ms,
            exact_ms: (beeps[beep] - flash.exact / display.as_hertz()) * 1000.0,
        });
    }
    for (beep, _) in beeps.iter().zip(&taken).filter(|(_, taken)| !**taken) {
        let vblank = (beep * display.as_hertz()).round() as u64;
        let told = || "a beep, and no flash within a quarter of a second".to_owned();
        faults.add(FaultKind::BeepWithoutFlash, 1, Some(vblank), told);
    }
    if flashes.is_empty() && beeps.is_empty() {
        let told = || "there is neither a flash nor a beep".to_owned();
        faults.add(FaultKind::FlashWithoutBeep, 1, None, told);
    }
    let sound = measure(&pairs, flashes.len(), beeps.len(), seconds(heard.samples));
    if sound.drift_ms.abs() > limits.drift_ms {
        let told = || format!("sound and picture drift apart by {:+.2} ms", sound.drift_ms);
        faults.add(FaultKind::SoundDrift, 1, None, told);
    }
    sound
}

fn measure(pairs: &[Pair], flashes: usize, beeps: usize, seconds: f64) -> Sound {
    let mut sound = Sound {
        seconds,
        flashes: flashes as u64,
        beeps: beeps as u64,
        pairs: pairs.len() as u64,
        ..Sound::default()
    };
    if let (Some(first), Some(last)) = (pairs.first(), pairs.last()) {
        let offsets = || pairs.iter().map(|pair| pair.offset_ms);
        sound.first_ms = first.offset_ms;
        sound.last_ms = last.offset_ms;
        sound.min_ms = offsets().fold(f64::MAX, f64::min);
        sound.max_ms = offsets().fold(f64::MIN, f64::max);
        sound.mean_ms = offsets().sum::<f64>() / pairs.len() as f64;
        sound.drift_ms = slope(pairs) * (last.seconds - first.seconds);
    }
    sound
}

/// The slope of the straight line nearest to all exact offsets, in milliseconds a second.
fn slope(pairs: &[Pair]) -> f64 {
    let count = pairs.len() as f64;
    let mean_seconds = pairs.iter().map(|pair| pair.seconds).sum::<f64>() / count;
    let mean_ms = pairs.iter().map(|pair| pair.exact_ms).sum::<f64>() / count;
    let (mut product, mut square) = (0.0, 0.0);
    for pair in pairs {
        product += (pair.seconds - mean_seconds) * (pair.exact_ms - mean_ms);
        square += (pair.seconds - mean_seconds).powi(2);
    }
    match square > 0.0 {
        true => product / square,
        false => 0.0,
    }
}
