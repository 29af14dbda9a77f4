//! The mixer: the sound that belongs to each vblank, cut out of the feeds by the programme.
//!
//! Sample positions are whole numbers on the display clock, so sound and picture cannot drift apart. The buffers go
//! around between the mixer and its listener, so that mixing allocates nothing.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel},
    time::Duration,
};

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

/// Buffers between the mixer and its listener: more than a second of vblanks.
const BUFFERS: usize = 64;

/// Room in each buffer, in samples of all channels: a vblank at 24 Hz. One that needs more is made larger once.
const ROOM: usize = SOUND_RATE as usize / 24 * SOUND_CHANNELS;

/// Mixes all heads' sound for whoever listens.
pub struct Mixer {
    listener: Option<Listener>,
    /// For sound that nobody takes.
    spare: Vec<f32>,
    epoch: MediaTime,
    volume: f32,
    /// Up to where the sound is mixed; nothing before the first item.
    position: Option<MediaTime>,
}

/// What becomes of sound when the listener has all the buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Mixing waits for one: no sound is lost.
    Wait,
    /// It is lost.
    Lose,
}

/// The mixer's end of the way to somebody who wants the sound.
pub struct Listener {
    lead: MediaTime,
    overflow: Overflow,
    full: SyncSender<Mixed>,
    empty: Receiver<Vec<f32>>,
}

/// The listener's end.
pub struct Sound {
    full: Receiver<Mixed>,
    empty: SyncSender<Vec<f32>>,
}

/// A way from the mixer to somebody who wants the sound so much before its time.
pub fn way(lead: MediaTime, overflow: Overflow) -> (Listener, Sound) {
    let (full, mixed) = sync_channel(BUFFERS);
    let (spent, empty) = sync_channel(BUFFERS);
    for _ in 0..BUFFERS {
        // There is room for all of them.
        let _ = spent.try_send(Vec::with_capacity(ROOM));
    }
    let listener = Listener {
        lead,
        overflow,
        full,
        empty,
    };
    let sound = Sound {
        full: mixed,
        empty: spent,
    };
    (listener, sound)
}

impl Listener {
    /// An empty buffer, if the listener has left one; fails once it is gone.
    fn buffer(&self) -> Result<Option<Vec<f32>>, Gone> {
        match self.overflow {
            Overflow::Wait => self.empty.recv().map(Some).map_err(|_| Gone),
            Overflow::Lose => match self.empty.try_recv() {
                Ok(buffer) => Ok(Some(buffer)),
                Err(TryRecvError::Empty) => Ok(None),
                Err(TryRecvError::Disconnected) => Err(Gone),
            },
        }
    }
}

/// Nobody listens any more.
struct Gone;

impl Sound {
    /// Waits for the next stretch, has it heard, and gives its buffer back.
    pub fn hear<R>(
        &self,
        patience: Duration,
        hear: impl FnOnce(&Mixed) -> R,
    ) -> Result<R, RecvTimeoutError> {
        let mut mixed = self.full.recv_timeout(patience)?;
        let heard = hear(&mixed);
        mixed.samples.clear();
        // The mixer may be gone, and then nobody needs it.
        let _ = self.empty.try_send(mixed.samples);
        Ok(heard)
    }
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
            spare: Vec::with_capacity(ROOM),
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
        let buffer = self.listener.as_ref().map(Listener::buffer);
        if matches!(buffer, Some(Err(Gone))) {
            self.listener = None;
        }
        let buffer = buffer.and_then(|buffer| buffer.ok().flatten());
        let is_heard = buffer.is_some();
        let mut samples = buffer.unwrap_or_else(|| std::mem::take(&mut self.spare));
        let length = usize::try_from(sample(end) - first).unwrap_or(0);
        samples.clear();
        samples.resize(length * SOUND_CHANNELS, 0.0);
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
        match &self.listener {
            Some(listener) if is_heard => {
                let mixed = Mixed {
                    start: first,
                    epoch: self.epoch,
                    samples,
                };
                // There is room for as many as there are buffers; a listener that is gone is noticed at the next.
                let _ = listener.full.try_send(mixed);
            }
            Some(_) | None => self.spare = samples,
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
