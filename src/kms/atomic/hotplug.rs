//! Cables that are moved: the kernel's uevents of display controllers.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};

/// The kernel's own multicast group, as against udev's.
const KERNEL_GROUP: u32 = 1;

/// A netlink socket on which the kernel tells of devices.
pub struct Hotplug {
    socket: OwnedFd,
}

impl AsFd for Hotplug {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Hotplug {
    /// Begins to listen. No rights are needed.
    pub fn open() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkKObjectUEvent,
        )?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP))?;
        Ok(Self { socket })
    }

    /// Reads all that was told; answers whether a cable may have been moved.
    pub fn take(&mut self) -> bool {
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
        assert!(!Hotplug::open().expect("a socket").take());
    }
}
