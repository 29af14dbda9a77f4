//! The text console that the player was started on: taken while it plays, so that nobody writes over the picture, and
//! given back at the end.
//!
//! The interface is that of `ioctl_console(2)`. Who owns a terminal as its controlling one may do all of this without
//! rights.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use nix::{
    errno::Errno,
    libc,
    sys::{
        stat::fstat,
        termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr},
    },
};

/// `KDSETMODE` with `KD_TEXT` and `KD_GRAPHICS`: who draws on the screen.
const KDSETMODE: libc::Ioctl = 0x4b3a;
const KD_TEXT: libc::c_int = 0;
const KD_GRAPHICS: libc::c_int = 1;
/// `VT_SETMODE` with `VT_AUTO` and `VT_PROCESS`: who decides on changes of the console.
const VT_SETMODE: libc::Ioctl = 0x5602;
const VT_AUTO: u8 = 0;
const VT_PROCESS: u8 = 1;
/// `VT_RELDISP`: 1 lets the console go, `VT_ACKACQ` takes it back.
const VT_RELDISP: libc::Ioctl = 0x5605;
const VT_ACKACQ: libc::c_int = 2;
/// `VT_ACTIVATE`: puts a console in front.
const VT_ACTIVATE: libc::Ioctl = 0x5606;
/// The major number of the consoles.
const TTY_MAJOR: u64 = 4;
/// Minor numbers from here on are serial lines.
const FIRST_SERIAL: u64 = 64;

/// Sent when somebody wants to see another console.
pub const LEAVE: libc::c_int = libc::SIGUSR1;
/// Sent when ours is in front again.
pub const RETURN: libc::c_int = libc::SIGUSR2;

/// `struct vt_mode`.
#[repr(C)]
struct VtMode {
    mode: u8,
    waitv: u8,
    relsig: i16,
    acqsig: i16,
    frsig: i16,
}

/// Whose the keyboard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyboard {
    /// Whoever sits before it: Ctrl-C ends the player.
    Person,
    /// Nobody's: a service is not ended by a key.
    Nobody,
}

/// A console that is ours.
#[derive(Debug)]
pub struct Console {
    tty: OwnedFd,
    before: Option<Termios>,
}

impl Console {
    /// Takes the console that is standard input, and puts it in front; nothing where that is no text console.
    ///
    /// From now on the process gets the signals [`LEAVE`] and [`RETURN`], and must answer them with [`Console::left`]
    /// and [`Console::returned`].
    pub fn of_process(keyboard: Keyboard) -> Option<Self> {
        use std::os::fd::AsFd;
        let stdin = io::stdin();
        let device = fstat(stdin.as_fd()).ok()?.st_rdev;
        let (major, number) = (libc::major(device), libc::minor(device));
        let is_console =
            u64::from(major) == TTY_MAJOR && (1..FIRST_SERIAL).contains(&u64::from(number));
        if !is_console {
            return None;
        }
        let tty = stdin.as_fd().try_clone_to_owned().ok()?;
        let mut console = Self { tty, before: None };
        console.order(KDSETMODE, KD_GRAPHICS).ok()?;
        let taken = console.set_mode(VT_PROCESS).and_then(|()| {
            let number = libc::c_int::try_from(number).unwrap_or(1);
            console.order(VT_ACTIVATE, number)
        });
        if let Err(err) = taken {
            log::warn!(err = err.to_string().as_str(); "the console cannot be kept in front");
        }
        if keyboard == Keyboard::Nobody {
            console.before = tcgetattr(&console.tty).ok();
            if let Some(mut raw) = console.before.clone() {
                cfmakeraw(&mut raw);
                let _ = tcsetattr(&console.tty, SetArg::TCSANOW, &raw);
            }
        }
        Some(console)
    }

    /// Lets another console to the front, once nothing of ours is on the screen any more.
    pub fn left(&self) {
        let _ = self.order(VT_RELDISP, 1);
    }

    /// Ours is in front again.
    pub fn returned(&self) {
        let _ = self.order(VT_RELDISP, VT_ACKACQ);
    }

    fn order(&self, request: libc::Ioctl, value: libc::c_int) -> io::Result<()> {
        // SAFETY: these requests take a number, and the descriptor is open as long as `self` is.
        let result = unsafe { libc::ioctl(self.tty.as_raw_fd(), request, value) };
        Ok(Errno::result(result).map(drop)?)
    }

    fn set_mode(&self, mode: u8) -> io::Result<()> {
        let mode = VtMode {
            mode,
            waitv: 0,
            relsig: LEAVE as i16,
            acqsig: RETURN as i16,
            frsig: 0,
        };
        // SAFETY: VT_SETMODE reads a `struct vt_mode`, which `mode` is, and keeps nothing of it.
        let result = unsafe { libc::ioctl(self.tty.as_raw_fd(), VT_SETMODE, &raw const mode) };
        Ok(Errno::result(result).map(drop)?)
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(&self.tty, SetArg::TCSANOW, before);
        }
        let _ = self.set_mode(VT_AUTO);
        let _ = self.order(KDSETMODE, KD_TEXT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_console_is_left_alone() {
        // Under a test runner, standard input is a pipe, a file or a pseudo-terminal.
        assert!(Console::of_process(Keyboard::Nobody).is_none());
    }

    #[test]
    fn the_mode_is_laid_out_as_the_kernel_has_it() {
        assert_eq!(size_of::<VtMode>(), 8);
    }
}
