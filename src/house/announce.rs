//! Tells the local network that a house is here (DNS-SD, RFC 6763), so that nobody types an address on a box.

use anyhow::Context;
use mdns_sd::{ServiceDaemon, ServiceInfo};

use super::whereabouts::{host_name, local_name};
use crate::domain::protocol::SERVICE;

/// An announcement; it is taken back when this is dropped.
pub struct Announcement {
    daemon: ServiceDaemon,
    name: String,
}

impl Announcement {
    /// Announces a server that is reached at this URL and listens on this port.
    pub fn start(port: u16, url: &str) -> anyhow::Result<Self> {
        let local = local_name(host_name().as_deref());
        let host = local.trim_end_matches(".local");
        let properties = [("url", url), ("proto", "1")];
        let info = ServiceInfo::new(
            SERVICE,
            host,
            &format!("{local}."),
            "",
            port,
            &properties[..],
        )
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
