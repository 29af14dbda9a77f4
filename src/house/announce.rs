//! Tells the local network that a house is here (DNS-SD, RFC 6763), so that nobody types an address on a box.

use std::net::SocketAddr;

use anyhow::Context;
use mdns_sd::{ServiceDaemon, ServiceInfo};

/// What boxes look for.
pub const SERVICE: &str = "_musebox-house._tcp.local.";

/// An announcement; it is taken back when this is dropped.
pub struct Announcement {
    daemon: ServiceDaemon,
    name: String,
}

impl Announcement {
    /// Announces a server that is reached at this URL.
    pub fn start(address: SocketAddr, url: Option<&str>, secure: bool) -> anyhow::Result<Self> {
        let host = nix::unistd::gethostname()
            .ok()
            .and_then(|name| name.into_string().ok())
            .unwrap_or_else(|| "musebox-house".to_owned());
        let host = host.split('.').next().unwrap_or("musebox-house").to_owned();
        let local = format!("{host}.local.");
        let scheme = match secure {
            true => "https",
            false => "http",
        };
        let url = url.map_or_else(
            || format!("{scheme}://{host}.local:{}", address.port()),
            str::to_owned,
        );
        let properties = [("url", url.as_str()), ("proto", "1")];
        let info = ServiceInfo::new(SERVICE, &host, &local, "", address.port(), &properties[..])
            .context("describing the server for the local network")?
            .enable_addr_auto();
        let name = info.get_fullname().to_owned();
        let daemon = ServiceDaemon::new().context("opening the port of DNS-SD")?;
        daemon.register(info).context("announcing the server")?;
        Ok(Self { daemon, name })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // The network forgets it by itself, only later.
        if let Ok(done) = self.daemon.unregister(&self.name) {
            let _ = done.recv_timeout(std::time::Duration::from_millis(300));
        }
        let _ = self.daemon.shutdown();
    }
}
