//! The monotonic clock, the one that the kernel stamps vblanks with.

use nix::time::{ClockId, clock_gettime};

use crate::domain::units::MediaTime;

/// CLOCK_MONOTONIC in nanoseconds since some fixed point, as DRM events carry it.
pub fn monotonic() -> MediaTime {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux always has CLOCK_MONOTONIC");
    MediaTime::from_nanos(time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}
