//! When to ping, and when the other side counts as gone.

use crate::domain::units::MediaTime;

/// How often either side pings.
pub const PING_EVERY: MediaTime = MediaTime::from_seconds(30);
/// After so long without anything from the other side it is given up.
pub const SILENCE: MediaTime = MediaTime::from_seconds(75);

/// The heartbeat of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heartbeat {
    heard: MediaTime,
    next_ping: MediaTime,
}

/// What a heartbeat says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// There is nothing to do.
    Wait,
    /// A ping is due.
    Ping,
    /// The other side is gone.
    Gone,
}

impl Heartbeat {
    pub(super) fn new(now: MediaTime) -> Self {
        Self {
            heard: now,
            next_ping: now + PING_EVERY,
        }
    }

    pub(super) fn heard(&mut self, now: MediaTime) {
        self.heard = self.heard.max(now);
    }

    pub(super) fn beat(&mut self, now: MediaTime) -> Beat {
        if now >= self.heard + SILENCE {
            return Beat::Gone;
        }
        if now < self.next_ping {
            return Beat::Wait;
        }
        self.next_ping = now + PING_EVERY;
        Beat::Ping
    }

    /// When to look again.
    pub(super) fn next(&self) -> MediaTime {
        self.next_ping.min(self.heard + SILENCE)
    }
}
