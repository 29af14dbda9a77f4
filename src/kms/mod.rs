//! The display: scenes go in, vblanks and flips come out.
//!
//! [`Display`] is an enum, not a trait object: there are few displays and each is known. The kernel's and the virtual
//! one take the same scenes and give the same events.
//! Nothing here knows GStreamer: a frame is planes in memory.

pub mod atomic;
pub mod capture;
pub mod compose;
pub mod formats;
pub mod scene;
mod vblanks;
pub mod virtual_display;
pub mod y4m;

use crate::{
    domain::{
        config::OnExit,
        fit::Fit,
        protocol::Power,
        units::{MediaTime, Mode},
    },
    kms::{
        atomic::KmsAtomic,
        capture::CaptureError,
        scene::{Reject, Scene},
        virtual_display::VirtualDisplay,
    },
    os::doorbell::Doorbell,
};

/// What a display tells its presenter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisplayEvent {
    /// A vblank came: what was committed before on this head is on its screen now.
    Vblank {
        /// Whose.
        head: usize,
        /// Its number on this head; steps of more than one are vblanks that nobody was there for.
        sequence: u64,
        /// When, on the monotonic clock.
        stamp: MediaTime,
        /// Whether there is a screen that could show it.
        lit: bool,
    },
    /// Somebody rang.
    Bell,
    /// A screen went away, or came with a mode. What it shows must be committed anew.
    Connected {
        /// Whose.
        head: usize,
        /// What it shows from now on; nothing where there is no screen.
        mode: Option<Mode>,
    },
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
    /// The kernel's.
    Kms(KmsAtomic),
    /// No device: vblanks by the clock or on demand, pictures kept and captured.
    Virtual(VirtualDisplay),
}

impl Display {
    /// What the display's heads show, in the order of the screens.
    pub fn modes(&self) -> &[Mode] {
        match self {
            Display::Kms(display) => display.modes(),
            Display::Virtual(display) => display.modes(),
        }
    }

    /// How pictures are laid onto a head from now on.
    pub fn set_layout(&mut self, head: usize, fit: Fit, background: [u8; 3]) {
        match self {
            Display::Kms(display) => display.set_layout(head, fit, background),
            Display::Virtual(_) => {}
        }
    }

    /// Whether the head could show the scene; asked when the scene's shape changes, not for every frame.
    pub fn test(&self, head: usize, scene: &Scene) -> Result<(), Reject> {
        match self {
            Display::Kms(display) => display.test(head, scene),
            Display::Virtual(display) => display.test(head, scene),
        }
    }

    /// Puts a scene onto a head at the next vblank. One commit may be pending for each head.
    pub fn commit(&mut self, head: usize, scene: Scene) -> Result<(), CommitError> {
        match self {
            Display::Kms(display) => display.commit(head, scene),
            Display::Virtual(display) => display.commit(head, scene),
        }
    }

    /// Waits for the next event. The bell wakes it.
    pub fn wait(&mut self, bell: &Doorbell) -> DisplayEvent {
        match self {
            Display::Kms(display) => display.wait(bell),
            Display::Virtual(display) => display.wait(bell),
        }
    }

    /// When the device last had something to say: the times of commits count from here.
    pub fn woken(&self) -> MediaTime {
        match self {
            Display::Kms(display) => display.woken(),
            Display::Virtual(display) => display.woken(),
        }
    }

    /// What is on the screen: the scene that was latched last.
    pub fn latched(&self, head: usize) -> Option<Scene> {
        match self {
            Display::Kms(display) => display.latched(head),
            Display::Virtual(display) => display.latched(head),
        }
    }

    /// A scene that was on the screen and no longer is; its frames may be given back now.
    pub fn take_retired(&mut self) -> Option<Scene> {
        match self {
            Display::Kms(display) => display.take_retired(),
            Display::Virtual(display) => display.take_retired(),
        }
    }

    /// Whether a capture has stopped early, because it failed.
    pub fn capture_failed(&self) -> bool {
        match self {
            Display::Kms(_) => false,
            Display::Virtual(display) => display.capture_failed(),
        }
    }

    /// Ends a capture and writes out the rest; tells how many pictures were written.
    pub fn finish_capture(&mut self) -> Result<u64, CaptureError> {
        match self {
            Display::Kms(_) => Ok(0),
            Display::Virtual(display) => display.finish_capture(),
        }
    }

    /// Whether its rate is only near what it says, so that display time may be locked to the content's rate.
    pub fn is_locked(&self) -> bool {
        match self {
            Display::Kms(_) => true,
            Display::Virtual(_) => false,
        }
    }

    /// Switches all screens on or off; what is committed goes on.
    pub fn set_power(&mut self, power: Power) {
        match self {
            Display::Kms(display) => display.set_power(power),
            Display::Virtual(_) => {}
        }
    }

    /// Gives the device to whoever comes to the front.
    pub fn leave(&mut self) {
        match self {
            Display::Kms(display) => display.leave(),
            Display::Virtual(_) => {}
        }
    }

    /// Takes the device back.
    pub fn come_back(&mut self) {
        match self {
            Display::Kms(display) => display.come_back(),
            Display::Virtual(_) => {}
        }
    }

    /// Leaves on the screens what is to stay there.
    pub fn finish(&mut self, on_exit: OnExit) {
        match self {
            Display::Kms(display) => display.finish(on_exit),
            Display::Virtual(_) => {}
        }
    }

    /// Whether a head has a screen.
    pub fn is_connected(&self, head: usize) -> bool {
        match self {
            Display::Kms(display) => display.is_connected(head),
            Display::Virtual(_) => true,
        }
    }

    /// Whether vblanks are guessed because the device has none.
    pub fn is_estimated(&self) -> bool {
        match self {
            Display::Kms(display) => display.is_estimated(),
            Display::Virtual(_) => false,
        }
    }
}
