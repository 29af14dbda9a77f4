//! Houses that announce themselves on the network (DNS-SD), so that nobody has to type an address on a box.

use std::{net::IpAddr, thread, time::Duration};

use mdns_sd::{ScopedIp, ServiceDaemon, ServiceEvent};
use tokio::sync::mpsc;

use crate::domain::config::HouseUrl;

/// The service that a house announces.
pub const SERVICE: &str = "_musebox-house._tcp.local.";
/// The most houses that are remembered.
const MOST: usize = 16;
/// How long the daemon may take to end.
const END_LIMIT: Duration = Duration::from_millis(500);

/// A house on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub url: HouseUrl,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Here { full: String, found: Found },
    Gone { full: String },
}

/// Looks for houses while it lives.
pub struct Browser {
    daemon: ServiceDaemon,
    changes: mpsc::UnboundedReceiver<Change>,
    here: Vec<(String, Found)>,
}

impl Browser {
    /// Begins to look.
    pub fn start() -> Result<Self, String> {
        let daemon = ServiceDaemon::new().map_err(|err| err.to_string())?;
        let events = daemon.browse(SERVICE).map_err(|err| err.to_string())?;
        let (tell, changes) = mpsc::unbounded_channel();
        let forward = move || {
            // It ends with the daemon, or with whoever listens.
            for event in events {
                if let Some(change) = change(event)
                    && tell.send(change).is_err()
                {
                    return;
                }
            }
        };
        thread::Builder::new()
            .name("houses".into())
            .spawn(forward)
            .map_err(|err| err.to_string())?;
        Ok(Self {
            daemon,
            changes,
            here: Vec::new(),
        })
    }

    /// The houses that are there now, in the order in which they were found.
    pub fn found(&self) -> Vec<Found> {
        let mut all: Vec<Found> = Vec::new();
        for (_, found) in &self.here {
            // One that is on two networks is one house.
            if all.iter().all(|other| other.url != found.url) {
                all.push(found.clone());
            }
        }
        all
    }

    /// Waits until a house comes or goes.
    pub async fn changed(&mut self) {
        match self.changes.recv().await {
            Some(change) => self.take(change),
            None => std::future::pending().await,
        }
    }

    fn take(&mut self, change: Change) {
        match change {
            Change::Here { full, found } => {
                self.here.retain(|(other, _)| *other != full);
                if self.here.len() < MOST {
                    self.here.push((full, found));
                }
            }
            Change::Gone { full } => self.here.retain(|(other, _)| *other != full),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Ok(ended) = self.daemon.shutdown() {
            let _ = ended.recv_timeout(END_LIMIT);
        }
    }
}

fn change(event: ServiceEvent) -> Option<Change> {
    match event {
        ServiceEvent::ServiceResolved(service) => {
            let url: HouseUrl = service.get_property_val_str("url")?.parse().ok()?;
            let url = reachable(url, service.addresses.iter().map(ScopedIp::to_ip_addr));
            let full = service.fullname.clone();
            let name = full.strip_suffix(SERVICE).unwrap_or(&full);
            let name = name.trim_end_matches('.').replace('\\', "");
            Some(Change::Here {
                full,
                found: Found { name, url },
            })
        }
        ServiceEvent::ServiceRemoved(_, full) => Some(Change::Gone { full }),
        ServiceEvent::SearchStarted(_)
        | ServiceEvent::ServiceFound(_, _)
        | ServiceEvent::SearchStopped(_) => None,
        // The crate may add kinds.
        _ => None,
    }
}

/// The address with the machine's IP instead of its name, where that is a name which only mDNS knows: a box has no
/// resolver for those. The certificate is believed for its key, whatever name it is for.
fn reachable(url: HouseUrl, addresses: impl Iterator<Item = IpAddr>) -> HouseUrl {
    if !url.host().ends_with(".local") {
        return url;
    }
    let usable = |address: &IpAddr| match address {
        IpAddr::V4(address) => !address.is_loopback(),
        // A link-local address is of no use without its network.
        IpAddr::V6(address) => !address.is_loopback() && (address.segments()[0] & 0xffc0) != 0xfe80,
    };
    let address = addresses
        .filter(usable)
        .min_by_key(|address| (address.is_ipv6(), *address));
    let host = match address {
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => format!("[{address}]"),
        None => return url,
    };
    let written = url.as_str().replacen(url.host(), &host, 1);
    written.parse().unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_only_mdns_knows_becomes_an_address() {
        let url = |text: &str| text.parse::<HouseUrl>().expect("an address");
        let addresses = [
            "fe80::1",
            "2001:db8::7",
            "127.0.0.1",
            "192.0.2.9",
            "192.0.2.7",
        ];
        let addresses = || {
            addresses
                .iter()
                .map(|text| text.parse().expect("an IP address"))
        };
        for (announced, reached) in [
            ("https://house.local:8443/art", "https://192.0.2.7:8443/art"),
            ("https://gallery.example", "https://gallery.example"),
        ] {
            assert_eq!(reachable(url(announced), addresses()), url(reached));
        }
        let only_six = addresses().filter(IpAddr::is_ipv6);
        let reached = reachable(url("https://house.local"), only_six);
        assert_eq!(reached, url("https://[2001:db8::7]"));
    }
}
