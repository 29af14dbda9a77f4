//! The sound capture: mixed sound as a WAV file of 32-bit floats.

use std::{path::Path, thread::JoinHandle, time::Duration};

use anyhow::{Context, anyhow};

use crate::{
    os::feed::{SOUND_CHANNELS, SOUND_RATE},
    player::mixer::{Mixed, Sound},
};

/// A running sound capture.
pub struct WavCapture(JoinHandle<anyhow::Result<()>>);

impl WavCapture {
    /// Writes everything that arrives, until the sender is gone.
    pub fn start(path: &Path, sound: Sound) -> anyhow::Result<Self> {
        let spec = hound::WavSpec {
            channels: SOUND_CHANNELS as u16,
            sample_rate: SOUND_RATE,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let writer = hound::WavWriter::create(path, spec);
        let mut writer =
            writer.with_context(|| format!("writing the sound capture {}", path.display()))?;
        let writing = std::thread::Builder::new()
            .name("capture-audio".into())
            .spawn(move || {
                let mut write = |mixed: &Mixed| {
                    let mut samples = mixed.samples.iter();
                    samples.try_for_each(|sample| writer.write_sample(*sample))
                };
                while let Ok(written) = sound.hear(Duration::MAX, &mut write) {
                    written.context("writing the sound capture")?;
                }
                writer.finalize().context("writing the sound capture")
            })?;
        Ok(Self(writing))
    }

    /// Waits until everything is written; the sender must be gone.
    pub fn finish(self) -> anyhow::Result<()> {
        self.0
            .join()
            .map_err(|_| anyhow!("the sound capture's writer has died"))?
    }
}
