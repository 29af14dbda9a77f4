//! The kernel's HDMI-CEC adapters: a wire in the HDMI cable on which devices talk to each other.
//!
//! The kernel answers for us what any device must answer: our name, our version, our address. Calls wait for the bus,
//! which is slow: this belongs on a thread of its own.

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    path::{Path, PathBuf},
};

use cec_linux::{
    CecDevice, CecEvent, CecLogAddrMask, CecLogAddrType, CecLogAddrs, CecLogicalAddress,
    CecModeFollower, CecModeInitiator, CecMsg, CecOpcode, CecPhysicalAddress, CecPrimDevType,
    OSDStr, VendorID, Version,
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};

use crate::{
    domain::{
        tv::{Heard, Say},
        units::MediaTime,
    },
    os::doorbell::Doorbell,
};

/// The longest name that a television shows for us, in bytes.
const NAME: usize = 13;

/// Our power status, as others ask for it: on.
const ON: u8 = 0;

/// Why a message is not obeyed: it is not known.
const UNRECOGNIZED: u8 = 0;

/// The box's adapters, in the order of their numbers.
pub fn adapters() -> Vec<PathBuf> {
    let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            let number = name.and_then(|name| name.strip_prefix("cec"));
            number.is_some_and(|number| number.parse::<u32>().is_ok())
        })
        .collect();
    found.sort();
    found
}

/// An open adapter that plays the part of a playback device.
pub struct Adapter {
    device: CecDevice,
    /// Our logical address, while a television is there.
    own: Option<CecLogicalAddress>,
    place: CecPhysicalAddress,
}

impl Adapter {
    /// Opens an adapter and takes an address on its bus, as soon as there is a television.
    pub fn open(path: &Path, name: &str) -> io::Result<Self> {
        let device = CecDevice::open(path)?;
        device.set_mode(CecModeInitiator::Send, CecModeFollower::All)?;
        let shown: String = name
            .chars()
            .filter(char::is_ascii_graphic)
            .take(NAME)
            .collect();
        let addresses = CecLogAddrs::new(
            VendorID::NONE,
            Version::V1_4,
            OSDStr::from(shown.as_bytes()),
            &[CecPrimDevType::PLAYBACK],
            &[CecLogAddrType::PLAYBACK],
        );
        // Whatever another program has left there.
        device.set_log(CecLogAddrs::default())?;
        device.set_log(addresses)?;
        let mut adapter = Self {
            place: CecPhysicalAddress::INVALID,
            own: None,
            device,
        };
        let mask = adapter.device.get_log()?.mask();
        let place = adapter.device.get_phys()?;
        adapter.settle(place, mask);
        Ok(adapter)
    }

    /// Whether there is a bus to talk on.
    pub fn is_reachable(&self) -> bool {
        self.own.is_some()
    }

    fn settle(&mut self, place: CecPhysicalAddress, mask: CecLogAddrMask) {
        let addresses = [
            (CecLogAddrMask::Playback1, CecLogicalAddress::Playback1),
            (CecLogAddrMask::Playback2, CecLogicalAddress::Playback2),
            (CecLogAddrMask::Playback3, CecLogicalAddress::Playback3),
        ];
        let own = addresses.iter().find(|(bit, _)| mask.contains(*bit));
        self.place = place;
        self.own = own
            .map(|(_, address)| *address)
            .filter(|_| place != CecPhysicalAddress::INVALID);
    }

    /// Says something; answers what came back, if anything is to.
    pub fn say(&self, say: Say) -> Option<Heard> {
        let own = self.own?;
        let (tv, all) = (
            CecLogicalAddress::Tv,
            CecLogicalAddress::UnregisteredBroadcast,
        );
        let said = match say {
            Say::ImageViewOn => self.device.transmit(own, tv, CecOpcode::ImageViewOn),
            Say::Standby => self.device.transmit(own, tv, CecOpcode::Standby),
            Say::ActiveSource => {
                let place = self.place.to_bytes();
                let opcode = CecOpcode::ActiveSource;
                self.device.transmit_data(own, all, opcode, &place)
            }
            Say::GiveDevicePowerStatus => {
                let (ask, answer) = (
                    CecOpcode::GiveDevicePowerStatus,
                    CecOpcode::ReportPowerStatus,
                );
                let status = self.device.request_data(own, tv, ask, &[], answer);
                return Some(status.map_or(Heard::Nothing, |status| power(&status)));
            }
        };
        // A command that nobody took: the question that follows tells the rest.
        said.err().map(|_| Heard::Nothing)
    }

    /// Waits for the bell, something on the bus, or the end of a time; tells whether the bus has something.
    ///
    /// Fails once the adapter is gone.
    pub fn wait(&self, bell: &Doorbell, time: MediaTime) -> io::Result<bool> {
        let mut fds = [
            PollFd::new(self.bus(), PollFlags::POLLIN | PollFlags::POLLPRI),
            PollFd::new(bell.as_fd(), PollFlags::POLLIN),
        ];
        let timeout = TimeSpec::from_duration(time.max(MediaTime::ZERO).duration());
        match ppoll(&mut fds, Some(timeout), None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(err) => return Err(err.into()),
        }
        let of_bus = fds[0].revents().unwrap_or(PollFlags::empty());
        let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
        if of_bus.intersects(gone) {
            return Err(io::Error::from(io::ErrorKind::NotConnected));
        }
        bell.answer();
        Ok(of_bus.intersects(PollFlags::POLLIN | PollFlags::POLLPRI))
    }

    /// Takes what the bus has, and answers for us; tells what the television said. To be called when
    /// [`Adapter::wait`] says so.
    pub fn take(&mut self) -> io::Result<Option<Heard>> {
        let waiting = self.ready()?;
        if waiting.contains(PollFlags::POLLPRI)
            && let CecEvent::StateChange(change) = self.device.get_event()?
        {
            self.settle(change.phys_addr, change.log_addr_mask);
        }
        if !waiting.contains(PollFlags::POLLIN) {
            return Ok(None);
        }
        let message = self.device.rec_for(1)?;
        Ok(self.understand(&message))
    }

    fn bus(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is open as long as the device, which `self` keeps.
        unsafe { BorrowedFd::borrow_raw(self.device.as_raw_fd()) }
    }

    fn ready(&self) -> io::Result<PollFlags> {
        let mut fds = [PollFd::new(
            self.bus(),
            PollFlags::POLLIN | PollFlags::POLLPRI,
        )];
        ppoll(&mut fds, Some(TimeSpec::new(0, 0)), None)?;
        Ok(fds[0].revents().unwrap_or(PollFlags::empty()))
    }

    fn understand(&self, message: &CecMsg) -> Option<Heard> {
        let (own, from) = (self.own?, message.initiator());
        let opcode = message.opcode()?;
        match opcode {
            Ok(CecOpcode::RequestActiveSource) => Some(Heard::RequestActiveSource),
            Ok(CecOpcode::SetStreamPath) if message.parameters() == self.place.to_bytes() => {
                Some(Heard::RequestActiveSource)
            }
            Ok(CecOpcode::ReportPowerStatus) if from == CecLogicalAddress::Tv => {
                Some(power(message.parameters()))
            }
            Ok(CecOpcode::Standby) if from == CecLogicalAddress::Tv => Some(Heard::Standby),
            Ok(CecOpcode::GiveDevicePowerStatus) => {
                let answer = CecOpcode::ReportPowerStatus;
                // Who has asked and is gone needs no answer.
                let _ = self.device.transmit_data(own, from, answer, &[ON]);
                None
            }
            Ok(CecOpcode::FeatureAbort) => None,
            opcode if !message.is_broadcast() => {
                let unknown = opcode.map_or_else(|err| err.number, u8::from);
                let refusal = [unknown, UNRECOGNIZED];
                let _ = self
                    .device
                    .transmit_data(own, from, CecOpcode::FeatureAbort, &refusal);
                None
            }
            Ok(_) | Err(_) => None,
        }
    }
}

/// The operand of `<Report Power Status>`; an abort has more than one byte.
fn power(operand: &[u8]) -> Heard {
    match operand {
        [0] => Heard::On,
        [1] => Heard::Standby,
        [2 | 3] => Heard::OnItsWay,
        _ => Heard::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_power_status_is_taken_for_one() {
        assert_eq!(power(&[0]), Heard::On);
        assert_eq!(power(&[1]), Heard::Standby);
        assert_eq!(power(&[3]), Heard::OnItsWay);
        for other in [&[][..], &[4], &[0x8f, 0], &[0xff]] {
            assert_eq!(power(other), Heard::Nothing);
        }
    }
}
