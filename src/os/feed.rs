//! What an opened medium delivers: a mailbox of frames and a queue of sound.
//!
//! A decoder fills it, the presenter empties it, and neither knows the other. Nothing in it needs the decoder to be in
//! this process: a worker that passes dma-bufs over a socket can fill the same feed.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::{
    domain::pacing::{FrameKey, Traits},
    os::{
        doorbell::Doorbell,
        frame::{Frame, Prepare, Way},
        mailbox::{Closed, Mailbox},
    },
};

/// Frames that wait for the screen, beyond those inside the decoder.
pub const FRAME_DEPTH: usize = 3;

/// Samples a second of all sound in the player.
pub const SOUND_RATE: u32 = 48_000;

/// Channels of all sound in the player, interleaved.
pub const SOUND_CHANNELS: usize = 2;

/// How much decoded sound may wait, in samples of one channel.
const SOUND_DEPTH: i64 = 2 * SOUND_RATE as i64;

/// A frame and when it is due.
#[derive(Clone, Debug)]
pub struct TimedFrame {
    /// Which frame of the medium it is.
    pub key: FrameKey,
    /// The picture.
    pub frame: Arc<Frame>,
}

/// One opened medium.
pub struct Feed {
    /// The pictures.
    pub frames: Mailbox<TimedFrame>,
    /// The sound; it is there, and ended, also where the medium has none.
    pub sound: SoundQueue,
    restart: AtomicU64,
    display: Option<Target>,
    lent: AtomicBool,
}

/// Why a feed does not take a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody wants the medium any more.
    Closed,
    /// The display cannot show the medium's first frame, for this reason.
    Unfit(String),
}

/// The head of a display on which a feed's frames will be.
#[derive(Clone)]
pub struct Target {
    /// The display.
    pub display: Arc<dyn Prepare>,
    /// Its head.
    pub head: usize,
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Some(target) = &self.display {
            target.display.tidy();
        }
    }
}

impl Feed {
    /// A feed that rings `bell` when something arrives; `target` makes its frames ready before.
    pub fn new(bell: Doorbell, target: Option<Target>) -> Self {
        let frames = Mailbox::new(FRAME_DEPTH, bell.clone());
        Self {
            frames,
            sound: SoundQueue::new(bell),
            restart: AtomicU64::new(0),
            display: target,
            lent: AtomicBool::new(false),
        }
    }

    /// Makes a frame ready and posts it; waits for room.
    pub fn post(&self, frame: TimedFrame) -> Result<u64, Refusal> {
        if let Some(target) = &self.display {
            let way = match target.display.prepare(target.head, &frame.frame) {
                Ok(way) => way,
                // What could be shown before may be so again.
                Err(_) if self.frames.count().0 > 0 => Way::Copied,
                Err(err) => return Err(Refusal::Unfit(err.to_string())),
            };
            self.lent.store(way == Way::Lent, Ordering::Relaxed);
        }
        self.frames.post(frame).map_err(|Closed| Refusal::Closed)
    }

    /// How its latest frame comes to the screen.
    pub fn way(&self) -> Way {
        match self.lent.load(Ordering::Relaxed) {
            true => Way::Lent,
            false => Way::Copied,
        }
    }

    /// Asks the source to begin the medium anew, as this round.
    pub fn restart(&self, round: u64) {
        self.restart.fetch_max(round, Ordering::Relaxed);
    }

    /// The round that the source should be in at least.
    pub fn wanted_round(&self) -> u64 {
        self.restart.load(Ordering::Relaxed)
    }

    /// Ends the source's waits, since it is being closed and another may follow.
    pub fn flush(&self) {
        self.frames.flush();
        self.sound.flush();
    }

    /// Another source begins, with nothing of the one before.
    pub fn begin_anew(&self) {
        self.frames.begin_anew();
        self.sound.begin_anew();
    }

    /// Ends the source's waits for good.
    pub fn close(&self) {
        self.frames.close();
        self.sound.close();
    }
}

/// A feed and what it can do, as the presenter gets it.
#[derive(Clone)]
pub struct Attached {
    /// The medium.
    pub feed: Arc<Feed>,
    /// What it can do.
    pub traits: Traits,
}

/// Decoded sound: 48 kHz, two interleaved channels, placed by sample within its round.
pub struct SoundQueue {
    state: Mutex<SoundState>,
    space: Condvar,
    bell: Doorbell,
}

#[derive(Default)]
struct SoundState {
    blocks: VecDeque<SoundBlock>,
    /// What was heard, for the producer to drop: the listener has no time for it.
    heard: Vec<SoundBlock>,
    depth: i64,
    ended: bool,
    flushing: bool,
    closed: bool,
}

impl SoundState {
    /// Whether nothing is taken in any more, for now or for good.
    fn refuses(&self) -> bool {
        self.flushing || self.closed
    }
}

struct SoundBlock {
    round: u64,
    start: i64,
    samples: Vec<f32>,
}

impl SoundBlock {
    fn length(&self) -> i64 {
        (self.samples.len() / SOUND_CHANNELS) as i64
    }
}

/// Whether a stretch of sound is as it will ever be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// All sound that there is was there.
    Complete,
    /// More may arrive.
    Partial,
}

impl SoundQueue {
    fn new(bell: Doorbell) -> Self {
        Self {
            state: Mutex::default(),
            space: Condvar::new(),
            bell,
        }
    }

    fn lock(&self) -> MutexGuard<'_, SoundState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds interleaved samples that begin at sample `start` of their round; waits while too much is waiting.
    pub fn push(&self, round: u64, start: i64, samples: Vec<f32>) -> Result<(), Closed> {
        let mut state = self.lock();
        while state.depth >= SOUND_DEPTH && !state.refuses() {
            state = self
                .space
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.refuses() {
            return Err(Closed);
        }
        let block = SoundBlock {
            round,
            start,
            samples,
        };
        state.depth += block.length();
        state.blocks.push_back(block);
        let more = Vec::with_capacity(state.blocks.len() + state.heard.len());
        let heard = std::mem::replace(&mut state.heard, more);
        drop(state);
        drop(heard);
        self.bell.ring();
        Ok(())
    }

    /// Says that no more sound will come.
    pub fn end(&self) {
        self.lock().ended = true;
        self.bell.ring();
    }

    /// Ends the producer's wait: nothing is taken in until [`SoundQueue::begin_anew`].
    fn flush(&self) {
        self.lock().flushing = true;
        self.space.notify_all();
    }

    /// As if nothing had been pushed: another producer begins.
    fn begin_anew(&self) {
        let mut state = self.lock();
        state.flushing = false;
        state.ended = state.closed;
        state.depth = 0;
        let blocks = std::mem::take(&mut state.blocks);
        drop(state);
        drop(blocks);
    }

    /// Ends the producer's wait for good; what is queued can still be heard.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.ended = true;
        drop(state);
        self.space.notify_all();
    }

    /// Whether the samples from `start` to `end` of a round are all there, or never will be.
    pub fn covers(&self, round: u64, end: i64) -> Coverage {
        let state = self.lock();
        let beyond =
            |block: &SoundBlock| (block.round, block.start + block.length()) >= (round, end);
        match state.ended || state.blocks.iter().any(beyond) {
            true => Coverage::Complete,
            false => Coverage::Partial,
        }
    }

    /// Adds `gain` times the round's samples from `start` on to `out` (interleaved), and forgets what is older.
    pub fn mix(&self, round: u64, start: i64, gain: f32, out: &mut [f32]) {
        let end = start + (out.len() / SOUND_CHANNELS) as i64;
        let mut state = self.lock();
        for block in state.blocks.iter().filter(|block| block.round == round) {
            let (from, to) = (
                start.max(block.start),
                end.min(block.start + block.length()),
            );
            if from < to {
                let place = |sample: i64, origin: i64| (sample - origin) as usize * SOUND_CHANNELS;
                let source = &block.samples[place(from, block.start)..place(to, block.start)];
                let target = &mut out[place(from, start)..place(to, start)];
                target
                    .iter_mut()
                    .zip(source)
                    .for_each(|(target, sample)| *target += gain * sample);
            }
        }
        while let Some(block) = state.blocks.front()
            && (block.round, block.start + block.length()) <= (round, end)
        {
            state.depth -= block.length();
            if let Some(block) = state.blocks.pop_front() {
                state.heard.push(block);
            }
        }
        drop(state);
        self.space.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_placed_by_its_samples_and_gaps_are_silent() {
        let queue = SoundQueue::new(Doorbell::new().expect("an eventfd"));
        queue.push(0, -2, vec![0.1; 8]).expect("open");
        queue.push(0, 4, vec![0.2; 4]).expect("open");
        assert_eq!(queue.covers(0, 6), Coverage::Complete);
        assert_eq!(queue.covers(0, 7), Coverage::Partial);
        let mut out = [0.0; 12];
        queue.mix(0, 0, 2.0, &mut out);
        assert_eq!(
            out,
            [0.2, 0.2, 0.2, 0.2, 0.0, 0.0, 0.0, 0.0, 0.4, 0.4, 0.4, 0.4]
        );
        queue.push(1, 0, vec![0.3; 2]).expect("open");
        assert_eq!(queue.covers(0, 1000), Coverage::Complete);
    }

    #[test]
    fn a_full_queue_waits_for_its_listener() {
        let queue = Arc::new(SoundQueue::new(Doorbell::new().expect("an eventfd")));
        let second = vec![0.0; SOUND_RATE as usize * SOUND_CHANNELS];
        queue.push(0, 0, second.clone()).expect("open");
        queue.push(0, 48_000, second.clone()).expect("open");
        let producer = std::thread::spawn({
            let queue = queue.clone();
            move || queue.push(0, 96_000, second)
        });
        queue.mix(
            0,
            0,
            1.0,
            &mut vec![0.0; SOUND_RATE as usize * SOUND_CHANNELS],
        );
        assert_eq!(producer.join().expect("no panic"), Ok(()));
        queue.close();
        assert_eq!(queue.push(0, 0, Vec::new()), Err(Closed));
    }
}
