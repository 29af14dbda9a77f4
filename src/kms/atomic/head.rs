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
    pub(super) mode: Mode,
    pub(super) light: Light,
    pub(super) vblanks: Vblanks,
    /// Whether the kernel counts vblanks.
    pub(super) counted: bool,
    /// Whether the flip on its way is the first of a mode.
    pub(super) settling: bool,
    /// Flips in a row that came with a vblank known before.
    pub(super) frozen: u32,
    /// Whether a vblank event is on its way.
    pub(super) armed: bool,
    pub(super) pending: Option<Latch>,
    /// Whether the pending flip is done; then only the vblank is awaited.
    pub(super) flipped: bool,
    pub(super) shown: Option<Latch>,
    pub(super) failures: u32,
    pub(super) background: [u8; 3],
}

impl Head {
    pub(super) fn void(wish: Wish, now: MediaTime) -> Self {
        let mode = wish.mode.unwrap_or(VOID);
        Self {
            wish,
            route: None,
            blob: 0,
            mode,
            light: Light::Dark,
            vblanks: Vblanks::new(mode.rate, now),
            counted: true,
            settling: false,
            frozen: 0,
            armed: false,
            pending: None,
            flipped: false,
            shown: None,
            failures: 0,
            background: [0; 3],
        }
    }

    /// Whether what is committed goes to the kernel.
    pub(super) fn is_driven(&self, master: bool) -> bool {
        master && self.route.is_some() && self.light != Light::Off
    }

    /// Whether a plane, by its place, may show something of what is on the screen.
    pub(super) fn may_show_on(&self, plane: usize) -> bool {
        let shown = self.shown.as_ref().and_then(|shown| shown.ready.as_ref());
        shown.is_none_or(|ready| ready.on(plane).is_some())
    }

    /// Whether its vblanks come from the clock.
    pub(super) fn is_timed(&self, master: bool) -> bool {
        !self.is_driven(master) || !self.counted || self.light != Light::Lit
    }
}
