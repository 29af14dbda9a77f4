//! A place before all others for the one thread that must never be late.

use nix::{libc, sys::prctl};

/// The presenter's priority among real-time threads: above what is merely quick, below the kernel's interrupt threads.
const PRIORITY: libc::c_int = 20;

/// Asks for real-time scheduling of the calling thread (`SCHED_FIFO`, not inherited by threads that it starts), and
/// for memory that, once touched, is never swapped out. Tells what was granted.
///
/// A service gets it by `LimitRTPRIO` and `LimitMEMLOCK`; anybody else plays without.
///
/// The process's memory is no longer joined into huge pages either: for that the kernel's `khugepaged` takes pages away
/// and holds the lock of all memory maps, at the lowest priority. Who touches one meanwhile waits for as long as others
/// keep the processor from it.
pub fn ask() -> Granted {
    let parameter = libc::sched_param {
        sched_priority: PRIORITY,
    };
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: 0 is the calling thread, and the parameter lives as long as the call.
    let scheduled = unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) } == 0;
    // Every kernel since 3.15 grants it to anybody.
    let _ = prctl::set_thp_disable(true);
    let flags = libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT;
    // SAFETY: it takes a number, and changes only what the kernel may do with our pages.
    let locked = unsafe { libc::mlockall(flags) } == 0;
    Granted { scheduled, locked }
}

/// What the kernel has granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Real-time scheduling.
    pub scheduled: bool,
    /// Memory that is not swapped out.
    pub locked: bool,
}
