//! The display: scenes go in, vblanks and flips come out.
//!
//! [`Display`] is an enum, not a trait object: there are few displays and each is known. `Virtual` is here; the
//! kernel's (`KmsAtomic`) takes the same scenes and gives the same events, and comes with an issue of its own.
//! Nothing here knows GStreamer: a frame is planes in memory.

pub mod capture;
pub mod compose;
pub mod scene;
pub mod virtual_display;
pub mod y4m;

use std::sync::Arc;

use crate::{
    domain::units::{MediaTime, Mode},
    kms::{
        capture::CaptureError,
        scene::{Reject, Scene},
        virtual_display::VirtualDisplay,
    },
    os::doorbell::Doorbell,
};

/// What a display tells its presenter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisplayEvent {
    /// A vblank came: what was committed before is on the screen now.
    Vblank {
        /// The vblank's number; steps of more than one are vblanks that nobody was there for.
        sequence: u64,
        /// When, on the display clock.
        time: MediaTime,
    },
    /// Somebody rang.
    Bell,
    /// The connected screen went away or came back.
    Connected(bool),
    /// The device is gone for good.
    Lost,
}

/// A commit that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The scene cannot be shown by this display.
    #[error("the display refused the scene: {0}")]
    Refused(#[from] Reject),
    /// A commit is pending already: wait for the vblank.
    #[error("a commit is pending")]
    Busy,
    /// The device is gone.
    #[error("the display is lost")]
    Lost,
}

/// An output device. The presenter owns it and makes every commit.
pub enum Display {
    /// No device: vblanks by the clock or on demand, pictures kept and captured.
    Virtual(VirtualDisplay),
}

impl Display {
    /// What the display's heads show, in the order of the screens.
    pub fn modes(&self) -> &[Mode] {
        match self {
            Display::Virtual(display) => display.modes(),
        }
    }

    /// Whether the head could show the scene; asked when the scene's shape changes, not for every frame.
    pub fn test(&self, head: usize, scene: &Scene) -> Result<(), Reject> {
        match self {
            Display::Virtual(display) => display.test(head, scene),
        }
    }

    /// Puts a scene onto a head at the next vblank. One commit may be pending for each head.
    pub fn commit(&mut self, head: usize, scene: Arc<Scene>) -> Result<(), CommitError> {
        match self {
            Display::Virtual(display) => display.commit(head, scene),
        }
    }

    /// Waits for the next event. The bell wakes it.
    pub fn wait(&mut self, bell: &Doorbell) -> DisplayEvent {
        match self {
            Display::Virtual(display) => display.wait(bell),
        }
    }

    /// What is on the screen: the scene that was latched last.
    pub fn latched(&self, head: usize) -> Option<Arc<Scene>> {
        match self {
            Display::Virtual(display) => display.latched(head),
        }
    }

    /// A scene that was on the screen and no longer is; its frames may be given back now.
    pub fn take_retired(&mut self) -> Option<Arc<Scene>> {
        match self {
            Display::Virtual(display) => display.take_retired(),
        }
    }

    /// Whether a capture has stopped early, because it failed.
    pub fn capture_failed(&self) -> bool {
        match self {
            Display::Virtual(display) => display.capture_failed(),
        }
    }

    /// Ends a capture and writes out the rest; tells how many pictures were written.
    pub fn finish_capture(&mut self) -> Result<u64, CaptureError> {
        match self {
            Display::Virtual(display) => display.finish_capture(),
        }
    }

    /// Whether vblanks are guessed because the device has none.
    pub fn is_estimated(&self) -> bool {
        match self {
            Display::Virtual(_) => false,
        }
    }
}
