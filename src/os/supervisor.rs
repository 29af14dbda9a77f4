//! The service manager that has started us: it is told when we play, what we play and that we are alive.
//!
//! The protocol is that of `sd_notify(3)`: a datagram of `KEY=value` lines to the socket that `NOTIFY_SOCKET` names.
//! It is written out here, over a socket that stays open, since the presenter's sign of life must neither allocate nor
//! wait.

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
};

use crate::domain::units::MediaTime;

/// The way to the service manager, if there is one.
#[derive(Debug, Default)]
pub struct Supervisor {
    socket: Option<UnixDatagram>,
    /// How often a sign of life is due; nothing where none is wanted.
    beat_every: Option<MediaTime>,
    beat_at: MediaTime,
}

impl Supervisor {
    /// The one that the environment names.
    pub fn of_process() -> Self {
        let socket = env::var("NOTIFY_SOCKET")
            .ok()
            .and_then(|name| connect(&name).ok());
        let own = env::var("WATCHDOG_PID")
            .ok()
            .is_none_or(|pid| pid == std::process::id().to_string());
        let limit = env::var("WATCHDOG_USEC").ok().filter(|_| own);
        let limit: Option<i64> = limit.and_then(|text| text.parse().ok());
        Self {
            socket,
            // Three signs within the limit, so that one may be late.
            beat_every: limit.map(|micros| MediaTime::from_nanos(micros.saturating_mul(1000) / 3)),
            beat_at: MediaTime::ZERO,
        }
    }

    /// Another handle, for another thread; it gives no signs of life.
    pub fn share(&self) -> Self {
        let socket = self.socket.as_ref();
        Self {
            socket: socket.and_then(|socket| socket.try_clone().ok()),
            ..Self::default()
        }
    }

    /// Whether somebody listens.
    pub fn is_there(&self) -> bool {
        self.socket.is_some()
    }

    /// The service is up.
    pub fn ready(&self) {
        self.send(b"READY=1");
    }

    /// The service ends.
    pub fn stopping(&self) {
        self.send(b"STOPPING=1");
    }

    /// One line for `systemctl status`.
    pub fn status(&self, text: &str) {
        if self.socket.is_some() {
            let line = text.replace('\n', " ");
            self.send(format!("STATUS={line}").as_bytes());
        }
    }

    /// A sign of life, if one is due at `now`. It neither allocates nor waits.
    pub fn beat(&mut self, now: MediaTime) {
        if let Some(every) = self.beat_every
            && now >= self.beat_at
        {
            self.beat_at = now + every;
            self.send(b"WATCHDOG=1");
        }
    }

    fn send(&self, message: &[u8]) {
        if let Some(socket) = &self.socket {
            // A manager that does not listen is no reason to stop playing.
            let _ = socket.send(message);
        }
    }
}

/// A name that begins with `@` is abstract.
fn connect(name: &str) -> io::Result<UnixDatagram> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn the_manager_hears_each_word_and_a_sign_of_life_when_it_is_due() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).expect("a socket");
        let mut supervisor = Supervisor {
            socket: connect(&path.to_string_lossy()).ok(),
            beat_every: Some(MediaTime::from_millis(100)),
            beat_at: MediaTime::ZERO,
        };
        supervisor.ready();
        supervisor.share().status("two\nlines");
        for millis in [5, 50, 104, 105, 110] {
            supervisor.beat(MediaTime::from_millis(millis));
        }
        supervisor.stopping();
        let words: Vec<String> = (0..5).map(|_| heard(&manager)).collect();
        assert_eq!(
            words,
            [
                "READY=1",
                "STATUS=two lines",
                "WATCHDOG=1",
                "WATCHDOG=1",
                "STOPPING=1"
            ]
        );
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        let mut nobody = Supervisor::default();
        nobody.ready();
        nobody.status("plays");
        nobody.beat(MediaTime::from_seconds(9));
        assert!(connect("/nowhere/at/all").is_err());
    }
}
