//! The sound output's thread: opens the device, and does without where there is none.
//!
//! A device that hangs while it is opened or closed holds up nobody: both happen on threads of their own, and what
//! cannot be played meanwhile is dropped.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel},
    },
    time::{Duration, Instant},
};

use crate::{
    domain::{config::AudioSettings, units::MediaTime},
    gst::{LEAD, Speaker},
    os::clock,
    player::{
        mixer::{self, Listener, Mixed, Overflow, Sound},
        status::SoundGauge,
    },
};

/// How long to wait before a device that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// How often the offset is measured.
const MEASURE: Duration = Duration::from_secs(1);

/// The offset that is told is the median of so many measurements: single ones are off by a period of the device.
const MEASUREMENTS: usize = 9;

/// A device whose clock was wrong so often in a row plays no more.
const WRONG: u32 = 3;

/// What the sound output tells about itself.
#[derive(Debug, Default)]
pub struct SoundState {
    told: Mutex<(Option<String>, Option<f64>)>,
}

impl SoundState {
    fn tell(&self, device: Option<String>, offset_ms: Option<f64>) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = (device, offset_ms);
    }
}

impl SoundGauge for SoundState {
    fn device(&self) -> Option<String> {
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .clone()
    }

    fn offset_ms(&self) -> Option<f64> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

/// Starts the output; it ends when the listener is dropped.
pub fn start(settings: AudioSettings) -> std::io::Result<(Listener, Arc<SoundState>)> {
    let (listener, sound) = mixer::way(LEAD, Overflow::Lose);
    let state = Arc::new(SoundState::default());
    let mut output = Output {
        settings,
        told: state.clone(),
        device: Device::Closed { since: None },
        complained: false,
    };
    std::thread::Builder::new()
        .name("sound".into())
        .spawn(move || output.run(&sound))?;
    Ok((listener, state))
}

/// The way to the device.
enum Device {
    /// It is not there; it failed at this time, or was never tried.
    Closed { since: Option<Instant> },
    /// It is being opened.
    Opening(Receiver<Result<Speaker, String>>),
    /// It plays.
    Open {
        speaker: Speaker,
        measured: Instant,
        offsets: Offsets,
        pulse: Pulse,
    },
}

struct Output {
    settings: AudioSettings,
    told: Arc<SoundState>,
    device: Device,
    /// Whether it was told that there is no sound, since there last was.
    complained: bool,
}

impl Output {
    /// Plays what comes, until nothing will come any more.
    fn run(&mut self, sound: &Sound) {
        loop {
            self.open();
            match sound.hear(MEASURE, |mixed| self.play(mixed)) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Goes on with opening the device, if it is not open.
    fn open(&mut self) {
        match &self.device {
            Device::Open { .. } => {}
            Device::Closed { since } => {
                if since.is_none_or(|since| since.elapsed() >= RETRY) {
                    self.device = match opening(self.settings.clone()) {
                        Ok(opening) => Device::Opening(opening),
                        Err(_) => closed_now(),
                    };
                }
            }
            Device::Opening(answer) => match answer.try_recv() {
                Ok(Ok(speaker)) => {
                    log::info!(device = speaker.device(); "sound output opened");
                    self.told.tell(Some(speaker.device().to_owned()), None);
                    self.device = Device::Open {
                        speaker,
                        measured: Instant::now(),
                        offsets: Offsets::default(),
                        pulse: Pulse::default(),
                    };
                }
                Ok(Err(err)) => self.fail(&err),
                Err(TryRecvError::Disconnected) => self.fail("opening it failed"),
                Err(TryRecvError::Empty) => {}
            },
        }
    }

    fn play(&mut self, mixed: &Mixed) {
        let Device::Open {
            speaker,
            measured,
            offsets,
            pulse,
        } = &mut self.device
        else {
            return;
        };
        if let Err(err) = speaker.play(mixed.epoch, mixed.start, &mixed.samples) {
            return self.fail(&err);
        }
        if measured.elapsed() >= MEASURE {
            *measured = Instant::now();
            if let Some(played) = speaker.played()
                && pulse.feel(clock::monotonic(), played) == Life::Gone
            {
                let device = speaker.device().to_owned();
                return self.fail(&format!("{device} has stopped playing"));
            }
            if let Some(offset) = speaker.offset_ms() {
                offsets.add(offset);
            }
            self.complained = false;
            self.told
                .tell(Some(speaker.device().to_owned()), offsets.median());
        }
    }

    /// There is no device now; says so once.
    fn fail(&mut self, err: &str) {
        if !self.complained {
            log::warn!(err; "no sound output; playing without sound, and trying again");
            self.complained = true;
        }
        self.told.tell(None, None);
        let failed = std::mem::replace(&mut self.device, closed_now());
        if let Device::Open { speaker, .. } = failed {
            let closing = std::thread::Builder::new().name("sound-close".into());
            if let Err(err) = closing.spawn(move || drop(speaker)) {
                log::warn!(err = err.to_string().as_str(); "no thread to close the sound output");
            }
        }
    }
}

fn closed_now() -> Device {
    Device::Closed {
        since: Some(Instant::now()),
    }
}

/// Opens a device on a thread of its own.
fn opening(settings: AudioSettings) -> std::io::Result<Receiver<Result<Speaker, String>>> {
    let (sender, answer) = channel();
    std::thread::Builder::new()
        .name("sound-open".into())
        .spawn(move || {
            // If nobody waits any more, the device is closed again.
            let opened = Speaker::open(&settings.sink, settings.device.as_deref());
            let _ = sender.send(opened);
        })?;
    Ok(answer)
}

/// The last measurements of the offset, oldest first.
#[derive(Debug, Default)]
struct Offsets(VecDeque<f64>);

impl Offsets {
    fn add(&mut self, offset_ms: f64) {
        if self.0.len() == MEASUREMENTS {
            self.0.pop_front();
        }
        self.0.push_back(offset_ms);
    }

    fn median(&self) -> Option<f64> {
        let mut sorted: Vec<f64> = self.0.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }
}

/// Whether a device plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// As far as is known.
    Lives,
    /// It does not.
    Gone,
}

/// A device's clock beside ours.
///
/// Not every sink says that its device is gone: GStreamer's `alsasink` then throws the sound away as fast as it comes,
/// for all faults but ENODEV. Its clock races or stands still.
#[derive(Debug, Default)]
struct Pulse {
    last: Option<(MediaTime, MediaTime)>,
    wrong: u32,
}

impl Pulse {
    /// The device has played so much by now.
    fn feel(&mut self, now: MediaTime, played: MediaTime) -> Life {
        let Some((then, before)) = self.last.replace((now, played)) else {
            return Life::Lives;
        };
        let (passed, gone) = (now - then, played - before);
        let is_right = gone.times(2) > passed && gone < passed.times(2);
        self.wrong = if is_right { 0 } else { self.wrong + 1 };
        match self.wrong < WRONG {
            true => Life::Lives,
            false => Life::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_whose_clock_races_or_stands_still_is_gone() {
        let ms = MediaTime::from_millis;
        for step in [0, 400, 3000, 500_000, -1000] {
            let mut pulse = Pulse::default();
            assert_eq!(pulse.feel(ms(0), ms(70)), Life::Lives);
            // One wrong beat may come from a device that was restarted.
            assert_eq!(pulse.feel(ms(1000), ms(70 + step)), Life::Lives);
            assert_eq!(pulse.feel(ms(2000), ms(1070 + step)), Life::Lives);
            for wrong in 1..=3 {
                let life = pulse.feel(ms(2000 + 1000 * wrong), ms(1070 + step + wrong * step));
                assert_eq!(life == Life::Gone, wrong == 3, "{step} {wrong}");
            }
        }
    }

    #[test]
    fn one_measurement_that_is_far_off_does_not_count() {
        let mut offsets = Offsets::default();
        assert_eq!(offsets.median(), None);
        for offset in [3.0, 900.0, 4.0] {
            offsets.add(offset);
        }
        assert_eq!(offsets.median(), Some(4.0));
        for _ in 0..MEASUREMENTS {
            offsets.add(-7.0);
        }
        assert_eq!(offsets.median(), Some(-7.0));
        assert_eq!(offsets.0.len(), MEASUREMENTS);
    }
}
