//! The doorbell: an eventfd that wakes a thread which waits in `ppoll`, together with its other descriptors.

use std::{
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
};

use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::{
        eventfd::{EfdFlags, EventFd},
        time::TimeSpec,
    },
};

use crate::domain::units::MediaTime;

/// Wakes one waiting thread; rings before the wait are not lost. Clones ring the same bell.
#[derive(Clone, Debug)]
pub struct Doorbell(Arc<EventFd>);

impl Doorbell {
    /// A bell that has not rung. Fails only where the process has no descriptors left.
    pub fn new() -> std::io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self(Arc::new(EventFd::from_value_and_flags(0, flags)?)))
    }

    /// Wakes the waiting thread, or the next that waits.
    pub fn ring(&self) {
        // It can only fail when 2^64 - 2 rings are unanswered: then it rings already.
        let _ = self.0.write(1);
    }

    /// Waits for a ring, at most until `timeout` from now; tells whether it rang.
    pub fn wait(&self, timeout: Option<MediaTime>) -> bool {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let timeout = timeout.map(|time| TimeSpec::from_duration(time.duration()));
        let ready = matches!(ppoll(&mut fds, timeout, None), Ok(count) if count > 0);
        ready && self.answer()
    }

    /// Takes the rings so far; tells whether there were any.
    pub fn answer(&self) -> bool {
        self.0.read().is_ok()
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_before_the_wait_is_not_lost() {
        let bell = Doorbell::new().expect("an eventfd");
        bell.clone().ring();
        assert!(bell.wait(None));
        assert!(!bell.wait(Some(MediaTime::ZERO)));
    }
}
