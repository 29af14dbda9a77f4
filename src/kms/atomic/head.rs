//! One head: the way to its screen, what it shows, and whether its vblanks come from the kernel or from the clock.

use std::sync::Arc;

use crate::{
    domain::units::{MediaTime, Mode, Rate, Size},
    kms::{
        atomic::{
            ready::Ready,
            route::{Route, Wish},
        },
        scene::Scene,
        vblanks::Vblanks,
    },
};

/// The mode of the void.
const VOID: Mode = Mode {
    size: Size::new(1920, 1080),
    rate: Rate::hertz(60),
};

/// How long a picture stands until it is committed again.
const RENEWAL: MediaTime = MediaTime::from_seconds(1);

/// Whether a head is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Light {
    /// The next commit sets the mode.
    Dark,
    /// It shows what is committed.
    Lit,
    /// It is switched off on purpose.
    Off,
}

/// Commits that were refused in a row. After some of them the head plays into the void for a while, longer each time, and
/// then its mode is set anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusals {
    count: u32,
    until: Option<MediaTime>,
}

impl Refusals {
    /// So many in a row are borne.
    const BORNE: u32 = 3;
    /// The first pause, and how often it may double.
    const PAUSE: MediaTime = MediaTime::from_millis(500);
    const DOUBLINGS: u32 = 6;

    /// One more.
    pub(super) fn add(&mut self, now: MediaTime) {
        self.count = self.count.saturating_add(1);
        if self.count.is_multiple_of(Self::BORNE) {
            let doublings = (self.count / Self::BORNE - 1).min(Self::DOUBLINGS);
            self.until = Some(now + Self::PAUSE.times(1 << doublings));
        }
    }

    /// A commit was taken.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// When the pause is over, if there is one.
    pub(super) fn until(&self) -> Option<MediaTime> {
        self.until
    }

    /// The pause is over.
    pub(super) fn end_pause(&mut self) {
        self.until = None;
    }
}

/// A scene on its way or on the screen, and what keeps its pictures.
pub(super) struct Latch {
    pub(super) scene: Scene,
    /// Kept until the scene is no longer on the screen.
    pub(super) ready: Option<Arc<Ready>>,
    pub(super) since: MediaTime,
}

pub(super) struct Head {
    pub(super) wish: Wish,
    pub(super) route: Option<Route>,
    /// The mode's property blob.
    pub(super) blob: u64,
    /// The properties that set the mode.
    pub(super) modeset: Vec<(u32, u32, u64)>,
    pub(super) mode: Mode,
    pub(super) light: Light,
    pub(super) vblanks: Vblanks,
    /// Whether the kernel counts vblanks.
    pub(super) counted: bool,
    /// Whether the vblank that comes next is the first of a mode.
    pub(super) settling: bool,
    /// Flips in a row that came with a vblank known before.
    pub(super) frozen: u32,
    /// Whether a vblank event is on its way.
    pub(super) armed: bool,
    /// Whether a vblank has just come, and the presenter may have had nothing new for the next.
    pub(super) ticked: bool,
    pub(super) pending: Option<Latch>,
    /// Whether the pending flip is done; then only the vblank is awaited.
    pub(super) flipped: bool,
    pub(super) shown: Option<Latch>,
    /// What the kernel still shows while the head plays into the void: its memory is not to be written.
    pub(super) standing: Option<Latch>,
    pub(super) failures: u32,
    pub(super) refusals: Refusals,
    pub(super) background: [u8; 3],
}

impl Head {
    pub(super) fn void(wish: Wish, now: MediaTime) -> Self {
        let mode = wish.mode.unwrap_or(VOID);
        Self {
            wish,
            route: None,
            blob: 0,
            modeset: Vec::new(),
            mode,
            light: Light::Dark,
            vblanks: Vblanks::new(mode.rate, now),
            counted: true,
            settling: false,
            frozen: 0,
            armed: false,
            ticked: false,
            pending: None,
            flipped: false,
            shown: None,
            standing: None,
            failures: 0,
            refusals: Refusals::default(),
            background: [0; 3],
        }
    }

    /// Whether what is committed goes to the kernel.
    pub(super) fn is_driven(&self, master: bool) -> bool {
        let pausing = self.refusals.until().is_some();
        master && self.route.is_some() && self.light != Light::Off && !pausing
    }

    /// Whether a plane, by its place, may show something of what is on the screen.
    pub(super) fn may_show_on(&self, plane: usize) -> bool {
        let shown = self.shown.as_ref().and_then(|shown| shown.ready.as_ref());
        shown.is_none_or(|ready| ready.on(plane).is_some())
    }

    /// Since when a flip of the kernel's is on its way.
    pub(super) fn flip_awaited(&self, master: bool) -> Option<MediaTime> {
        let pending = self.pending.as_ref().filter(|_| !self.flipped)?;
        let kernel_s = self.is_driven(master) && pending.ready.is_some();
        kernel_s.then_some(pending.since)
    }

    /// The card has taken a picture, which is on its way to the screen.
    pub(super) fn taken(&mut self, scene: Scene, ready: Arc<Ready>, now: MediaTime) {
        self.flipped = false;
        self.refusals.clear();
        self.pending = Some(Latch {
            scene,
            ready: Some(ready),
            since: now,
        });
    }

    /// What has stood on the screen for so long that it is to be committed again: only a commit tells that the screen was
    /// turned off underneath, or that another program has the card.
    pub(super) fn worn(&self, master: bool, now: MediaTime) -> Option<&Latch> {
        let is_driven = self.is_driven(master) && self.light == Light::Lit;
        let shown = self.shown.as_ref().filter(|_| self.pending.is_none())?;
        let is_worn = shown.ready.is_some() && now - shown.since >= RENEWAL;
        (is_driven && is_worn).then_some(shown)
    }

    /// Whether its vblanks come from the clock.
    pub(super) fn is_timed(&self, master: bool) -> bool {
        !self.is_driven(master) || !self.counted || self.light != Light::Lit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_after_refusals_grow_and_end_with_the_first_success() {
        let at = MediaTime::from_millis;
        let mut refusals = Refusals::default();
        let mut pauses = Vec::new();
        for _ in 0..30 {
            refusals.add(at(0));
            if let Some(until) = refusals.until() {
                pauses.push(until);
                refusals.end_pause();
            }
        }
        let seconds = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 32.0, 32.0, 32.0];
        assert_eq!(pauses, seconds.map(|seconds| at((seconds * 1000.0) as i64)));
        refusals.clear();
        refusals.add(at(0));
        refusals.add(at(0));
        assert_eq!(refusals.until(), None);
    }
}
