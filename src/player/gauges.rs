//! What the presenter shows about itself to other threads.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
};

use crate::domain::{counters::Counters, delays::Delays, units::MediaTime};

/// The display clock and the counters, to be read at any time.
#[derive(Debug, Default)]
pub struct Gauges {
    now: AtomicI64,
    counters: Mutex<Counters>,
    estimated: AtomicBool,
    commits: Mutex<Delays>,
    waits: AtomicU64,
    longest: AtomicI64,
}

impl Gauges {
    /// The display time of the last vblank.
    pub fn now(&self) -> MediaTime {
        MediaTime::from_nanos(self.now.load(Ordering::Relaxed))
    }

    /// The counters so far.
    pub fn counters(&self) -> Counters {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long it took from waking at a vblank to the commit's end.
    pub fn commits(&self) -> Delays {
        let commits = self.commits.lock();
        commits.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn committed(&self, delay: MediaTime) {
        let mut commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        commits.add(delay);
    }

    /// Whether vblanks are guessed because the device has none.
    pub fn is_estimated(&self) -> bool {
        self.estimated.load(Ordering::Relaxed)
    }

    /// How often lockstep waited for what was due, and the longest wait.
    pub fn waits(&self) -> (u64, MediaTime) {
        (
            self.waits.load(Ordering::Relaxed),
            MediaTime::from_nanos(self.longest.load(Ordering::Relaxed)),
        )
    }

    pub(super) fn at(&self, now: MediaTime) {
        self.now.store(now.nanos(), Ordering::Relaxed);
    }

    pub(super) fn set_estimated(&self, estimated: bool) {
        self.estimated.store(estimated, Ordering::Relaxed);
    }

    pub(super) fn add(&self, add: impl FnOnce(&mut Counters)) {
        add(&mut self.counters.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Lockstep begins to wait.
    pub(super) fn waits_begin(&self) {
        self.waits.fetch_add(1, Ordering::Relaxed);
    }

    /// A wait has lasted so long by now.
    pub(super) fn waiting(&self, time: MediaTime) {
        self.longest.fetch_max(time.nanos(), Ordering::Relaxed);
    }
}
