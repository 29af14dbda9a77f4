//! The sound output's thread: opens the device when there is sound, and does without where there is none.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, Instant},
};

use crate::{
    domain::config::AudioSettings,
    gst::{LEAD, Speaker},
    player::{
        mixer::{Listener, Mixed},
        status::SoundGauge,
    },
};

/// How long to wait before a device that failed is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// How often the offset is measured.
const MEASURE: Duration = Duration::from_secs(1);

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
    let (sender, receiver): (Sender<Mixed>, Receiver<Mixed>) = channel();
    let state = Arc::new(SoundState::default());
    let told = state.clone();
    std::thread::Builder::new()
        .name("sound".into())
        .spawn(move || play(&settings, &receiver, &told))?;
    Ok((Listener { lead: LEAD, sender }, state))
}

fn play(settings: &AudioSettings, sound: &Receiver<Mixed>, state: &SoundState) {
    let mut speaker: Option<Speaker> = None;
    let (mut tried, mut measured, mut complained): (Option<Instant>, Instant, bool) =
        (None, Instant::now(), false);
    while let Ok(mixed) = sound.recv() {
        if speaker.is_none() && tried.is_none_or(|tried| tried.elapsed() >= RETRY) {
            tried = Some(Instant::now());
            match Speaker::open(&settings.sink, settings.device.as_deref(), mixed.epoch) {
                Ok(opened) => {
                    log::info!(device = opened.device(); "sound output opened");
                    state.tell(Some(opened.device().to_owned()), None);
                    (speaker, complained) = (Some(opened), false);
                }
                Err(err) if !complained => {
                    complained = true;
                    log::warn!(err = err.as_str(); "no sound output; playing without sound, and trying again");
                }
                Err(_) => {}
            }
        }
        let Some(open) = &mut speaker else { continue };
        if let Err(err) = open.play(mixed.start, &mixed.samples) {
            log::warn!(err = err.as_str(); "the sound output failed; trying again");
            state.tell(None, None);
            (speaker, tried) = (None, Some(Instant::now()));
            continue;
        }
        if measured.elapsed() >= MEASURE {
            measured = Instant::now();
            state.tell(Some(open.device().to_owned()), open.offset_ms());
        }
    }
}
