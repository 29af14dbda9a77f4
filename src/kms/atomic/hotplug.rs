//! Cables that are moved: the kernel's uevents of display controllers, and what hangs on the sockets then.
//!
//! A thread of its own listens and asks: reading a screen's EDID takes tens of milliseconds, which the presenter has not.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::{
        socket::{
            AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv,
            socket,
        },
        time::TimeSpec,
    },
};

use crate::{
    domain::units::MediaTime,
    kms::atomic::{card::Card, objects::Connector},
    os::{clock, doorbell::Doorbell},
};

/// The kernel's own multicast group, as against udev's.
const KERNEL_GROUP: u32 = 1;

/// How long cables must be still before they are looked at.
const DEBOUNCE: MediaTime = MediaTime::from_millis(500);

/// How long it takes until screens that could not be asked are asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// What the thread has found out.
pub struct Cables {
    bell: Doorbell,
    question: Doorbell,
    found: Arc<Mutex<Option<Vec<Connector>>>>,
}

impl AsFd for Cables {
    /// Readable once something was found.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

impl Cables {
    /// Begins to watch a card's cables, until the process ends.
    pub fn watch(card: Arc<Card>) -> io::Result<Self> {
        let question = Doorbell::new()?;
        let mut hotplug = Hotplug::open(question.clone())?;
        let bell = Doorbell::new()?;
        let found = Arc::new(Mutex::new(None));
        let cables = Self {
            bell: bell.clone(),
            question,
            found: found.clone(),
        };
        let work = move || {
            loop {
                hotplug.settle();
                let connectors = loop {
                    match Connector::read_all(&card) {
                        Ok(connectors) => break connectors,
                        // One that came and went in between.
                        Err(err) => {
                            log::warn!(err = err.to_string().as_str(); "the screens cannot be asked");
                            std::thread::sleep(AGAIN);
                        }
                    }
                };
                *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(connectors);
                bell.ring();
            }
        };
        std::thread::Builder::new()
            .name("cables".into())
            .spawn(work)?;
        Ok(cables)
    }

    /// Asks the screens, as if a cable had been moved: the kernel asks none for those who are not its master.
    pub fn ask(&self) {
        self.question.ring();
    }

    /// All connectors as they are now, if a cable was moved.
    pub fn take(&self) -> Option<Vec<Connector>> {
        self.bell.answer();
        self.found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// A netlink socket on which the kernel tells of devices, and a bell for the same from us.
struct Hotplug {
    socket: OwnedFd,
    question: Doorbell,
}

impl Hotplug {
    /// Begins to listen. No rights are needed.
    fn open(question: Doorbell) -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkKObjectUEvent,
        )?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP))?;
        Ok(Self { socket, question })
    }

    /// Waits until a cable was moved, and then until all of them are still.
    fn settle(&mut self) {
        while !self.moved(None) {}
        let mut until = clock::monotonic() + DEBOUNCE;
        loop {
            let left = until - clock::monotonic();
            if left <= MediaTime::ZERO {
                return;
            }
            if self.moved(Some(left)) {
                until = clock::monotonic() + DEBOUNCE;
            }
        }
    }

    /// Waits for the kernel to tell something, of whatever device; answers whether a cable may have been moved.
    fn moved(&mut self, limit: Option<MediaTime>) -> bool {
        let mut fds = [
            PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.question.as_fd(), PollFlags::POLLIN),
        ];
        let limit = limit.map(|limit| TimeSpec::from_duration(limit.duration()));
        let told = matches!(ppoll(&mut fds, limit, None), Ok(1..)) && self.take();
        self.question.answer() || told
    }

    /// Reads all that was told; answers whether a cable may have been moved.
    fn take(&mut self) -> bool {
        let mut message = [0; 4096];
        let mut moved = false;
        // An overflow (ENOBUFS) loses messages: then a cable may have been moved, too.
        loop {
            match recv(self.socket.as_raw_fd(), &mut message, MsgFlags::empty()) {
                Ok(length) => moved |= is_hotplug(&message[..length]),
                Err(nix::Error::ENOBUFS) => moved = true,
                Err(nix::Error::EINTR) => {}
                Err(_) => return moved,
            }
        }
    }
}

/// Whether a message (`ACTION@DEVPATH`, then `KEY=VALUE`, each ended by a zero byte) tells of a display's cables.
fn is_hotplug(message: &[u8]) -> bool {
    let has = |wanted: &[u8]| message.split(|byte| *byte == 0).any(|line| line == wanted);
    has(b"SUBSYSTEM=drm") && has(b"HOTPLUG=1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_display_s_hotplug_counts() {
        assert!(is_hotplug(
            b"change@/devices/card0\0ACTION=change\0SUBSYSTEM=drm\0HOTPLUG=1\0CONNECTOR=36\0"
        ));
        assert!(!is_hotplug(
            b"add@/devices/card0\0ACTION=add\0SUBSYSTEM=drm\0"
        ));
        assert!(!is_hotplug(b"change@/x\0SUBSYSTEM=block\0HOTPLUG=1\0"));
        assert!(!is_hotplug(b""));
    }

    #[test]
    fn the_kernel_can_be_listened_to_without_rights() {
        let bell = Doorbell::new().expect("an eventfd");
        let mut hotplug = Hotplug::open(bell.clone()).expect("a socket");
        assert!(!hotplug.take());
        assert!(!hotplug.moved(Some(MediaTime::ZERO)));
        bell.ring();
        assert!(hotplug.moved(None));
    }
}
