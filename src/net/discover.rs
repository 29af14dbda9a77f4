//! Houses that announce themselves on the network (DNS-SD), so that nobody has to type an address on a box.

use std::{net::IpAddr, thread, time::Duration};

use mdns_sd::{ScopedIp, ServiceDaemon, ServiceEvent};
use tokio::sync::watch;

use crate::domain::{config::HouseUrl, protocol::SERVICE};

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

impl Found {
    /// A house of which nothing but the address is known.
    pub fn at(url: HouseUrl) -> Self {
        let name = url.short().to_owned();
        Self { name, url }
    }
}

/// Where houses are looked for.
#[derive(Clone, Debug, Default)]
pub enum Search {
    /// On the network.
    #[default]
    Network,
    /// In a list that somebody else keeps.
    List(watch::Receiver<Vec<Found>>),
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Here { full: String, found: Found },
    Gone { full: String },
}

/// Looks for houses while it lives.
pub struct Browser {
    daemon: Option<ServiceDaemon>,
    found: watch::Receiver<Vec<Found>>,
}

impl Browser {
    /// Begins to look.
    pub fn start(search: &Search) -> Result<Self, String> {
        match search {
            Search::Network => Self::on_network(),
            Search::List(list) => {
                let mut found = list.clone();
                // What is there already is news to whoever begins to look.
                found.mark_changed();
                Ok(Self {
                    daemon: None,
                    found,
                })
            }
        }
    }

    fn on_network() -> Result<Self, String> {
        let daemon = ServiceDaemon::new().map_err(|err| err.to_string())?;
        let events = daemon.browse(SERVICE).map_err(|err| err.to_string())?;
        let (tell, found) = watch::channel(Vec::new());
        let forward = move || {
            let mut here = Here::default();
            // It ends with the daemon, or with whoever listens.
            for event in events {
                if let Some(change) = change(event) {
                    here.take(change);
                    if tell.send(here.found()).is_err() {
                        return;
                    }
                }
            }
        };
        thread::Builder::new()
            .name("houses".into())
            .spawn(forward)
            .map_err(|err| err.to_string())?;
        Ok(Self {
            daemon: Some(daemon),
            found,
        })
    }

    /// The houses that are there now, in the order in which they were found.
    pub fn found(&self) -> Vec<Found> {
        self.found.borrow().clone()
    }

    /// Waits until a house comes or goes.
    pub async fn changed(&mut self) {
        if self.found.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(daemon) = &self.daemon
            && let Ok(ended) = daemon.shutdown()
        {
            let _ = ended.recv_timeout(END_LIMIT);
        }
    }
}

/// The houses that announce themselves now, by their full names.
#[derive(Debug, Default)]
struct Here(Vec<(String, Found)>);

impl Here {
    fn take(&mut self, change: Change) {
        let Self(here) = self;
        match change {
            Change::Here { full, found } => {
                let place = here.iter().position(|(known, _)| *known == full);
                match place {
                    // It keeps its place, so that codes that are shown do not change theirs.
                    Some(place) => here[place].1 = found,
                    None if here.len() < MOST => here.push((full, found)),
                    None => {}
                }
            }
            Change::Gone { full } => here.retain(|(known, _)| *known != full),
        }
    }

    fn found(&self) -> Vec<Found> {
        let Self(here) = self;
        let mut all: Vec<Found> = Vec::new();
        for (_, found) in here {
            // One that is on two networks is one house.
            if all.iter().all(|other| other.url != found.url) {
                all.push(found.clone());
            }
        }
        all
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
    fn houses_keep_their_places_while_they_are_there() {
        let found = |name: &str, url: &str| Found {
            name: name.to_owned(),
            url: url.parse().expect("an address"),
        };
        let mut here = Here::default();
        let mut come = |full: &str, url: &str| {
            let full = full.to_owned();
            let found = found(&full, url);
            here.take(Change::Here { full, found });
            here.found()
        };
        come("a", "https://a.example");
        come("b", "https://b.example");
        let all = come("b, by another network", "https://b.example");
        assert_eq!(all.len(), 2, "one house on two networks is one");
        let all = come("a", "https://a.example:8443");
        let urls: Vec<&str> = all.iter().map(|house| house.url.short()).collect();
        assert_eq!(urls, ["a.example:8443", "b.example"]);
        here.take(Change::Gone {
            full: "b".to_owned(),
        });
        assert_eq!(here.found().len(), 2, "it is still on the other");
        for number in 0..100 {
            let full = format!("{number}");
            let found = found(&full, &format!("https://{number}.example"));
            here.take(Change::Here { full, found });
        }
        assert_eq!(here.found().len(), MOST);
    }

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
