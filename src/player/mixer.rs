//! The mixer: the sound that belongs to each vblank, cut out of the feeds by the programme.
//!
//! Sample positions are whole numbers on the display clock, so sound and picture cannot drift apart.

use std::sync::mpsc::Sender;

use crate::{
    domain::{pacing::Showing, units::MediaTime},
    os::feed::{Coverage, SOUND_CHANNELS, SOUND_RATE},
    player::head::Head,
};

/// A stretch of mixed sound: the display time at which it begins, and interleaved samples.
pub struct Mixed {
    /// The first sample's number on the display clock, at 48 kHz.
    pub start: i64,
    /// When display time 0 was, on the monotonic clock.
    pub epoch: MediaTime,
    /// Interleaved samples.
    pub samples: Vec<f32>,
}

/// Mixes all heads' sound for whoever listens.
pub struct Mixer {
    listener: Option<Listener>,
    epoch: MediaTime,
    volume: f32,
    /// Up to where the sound is mixed; nothing before the first item.
    position: Option<MediaTime>,
}

/// Somebody who wants the sound.
pub struct Listener {
    /// How much before its time the sound is wanted.
    pub lead: MediaTime,
    /// Where it goes. Ignored once the other end is gone.
    pub sender: Sender<Mixed>,
}

/// A part of a stretch that comes from one showing.
struct Part {
    head: usize,
    showing: Showing,
    from: MediaTime,
    to: MediaTime,
}

impl Mixer {
    /// A mixer for at most one listener: two that want different leads would empty each other's queues.
    pub fn new(listener: Option<Listener>, volume: f32) -> Self {
        Self {
            listener,
            epoch: MediaTime::ZERO,
            volume,
            position: None,
        }
    }

    /// Changes the loudness, 0 to 1.
    pub fn set_volume(&mut self, volume: f32) {
        self.volume = volume;
    }

    /// The first item begins at this display time; display time 0 was at `epoch` on the monotonic clock.
    pub fn begin(&mut self, at: MediaTime, epoch: MediaTime) {
        self.epoch = epoch;
        self.position = Some(at);
    }

    fn lead(&self) -> MediaTime {
        self.listener
            .as_ref()
            .map_or(MediaTime::ZERO, |listener| listener.lead)
    }

    /// Whether all sound that is wanted by the vblank at `vblank` has been decoded.
    pub fn is_covered(&self, heads: &[Head], vblank: MediaTime) -> bool {
        let Some(start) = self.position else {
            return true;
        };
        parts(heads, start, vblank + self.lead()).all(|part| {
            let Some(feed) = heads[part.head].feed(part.showing.load) else {
                return true;
            };
            let end = sample(part.to) - sample(part.showing.start);
            feed.sound.covers(part.showing.round, end) == Coverage::Complete
        })
    }

    /// Mixes the sound up to the vblank at `vblank` and sends it off. It leaves the feeds also if nobody listens.
    pub fn mix(&mut self, heads: &[Head], vblank: MediaTime) {
        let Some(start) = self.position else { return };
        let end = vblank + self.lead();
        self.position = Some(end.max(start));
        let first = sample(start);
        let mut samples =
            vec![0.0; usize::try_from(sample(end) - first).unwrap_or(0) * SOUND_CHANNELS];
        for part in parts(heads, start, end) {
            let Some(feed) = heads[part.head].feed(part.showing.load) else {
                continue;
            };
            let place = |at: MediaTime| (sample(at) - first).max(0) as usize * SOUND_CHANNELS;
            let (from, to) = (place(part.from), place(part.to).min(samples.len()));
            if from < to {
                let local = sample(part.from) - sample(part.showing.start);
                feed.sound.mix(
                    part.showing.round,
                    local,
                    self.volume,
                    &mut samples[from..to],
                );
            }
        }
        let mixed = Mixed {
            start: first,
            epoch: self.epoch,
            samples,
        };
        if self
            .listener
            .as_ref()
            .is_some_and(|listener| listener.sender.send(mixed).is_err())
        {
            self.listener = None;
        }
    }
}

/// A display time's sample number.
fn sample(at: MediaTime) -> i64 {
    at.samples(SOUND_RATE)
}

fn parts(heads: &[Head], start: MediaTime, end: MediaTime) -> impl Iterator<Item = Part> + '_ {
    heads.iter().enumerate().flat_map(move |(head, state)| {
        let mut at = start;
        std::iter::from_fn(move || {
            (at < end).then(|| {
                let sounding = state.programme.sounding(at);
                let to = sounding.until.min(end).max(at + MediaTime::from_nanos(1));
                let from = std::mem::replace(&mut at, to);
                sounding.source.map(|showing| Part {
                    head,
                    showing,
                    from,
                    to,
                })
            })
        })
        .flatten()
    })
}
