//! By which addresses the server is reached, as far as it can know.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
};

use nix::{ifaddrs::getifaddrs, net::if_::InterfaceFlags};

use super::folder::write_private;

/// Where the data folder keeps the address that was served last.
const FILE: &str = "url";

/// The addresses of a server; without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// For links, codes and boxes.
    pub url: String,
    /// The same by number, for whoever cannot resolve a name that ends in `.local`.
    pub by_number: Option<String>,
}

impl Whereabouts {
    /// The addresses of a server that listens there, on this machine.
    pub fn of(address: SocketAddr, public: Option<&str>, secure: bool) -> Self {
        let name = local_name(host_name().as_deref());
        Self::on(address, public, secure, &name, first_number)
    }

    fn on(
        address: SocketAddr,
        public: Option<&str>,
        secure: bool,
        name: &str,
        number: impl Fn() -> Option<Ipv4Addr>,
    ) -> Self {
        let scheme = match secure {
            true => "https",
            false => "http",
        };
        let port = address.port();
        match public {
            Some(public) => Self {
                url: public.trim_end_matches('/').to_owned(),
                by_number: None,
            },
            None if address.ip().is_unspecified() => Self {
                url: format!("{scheme}://{name}:{port}"),
                by_number: number().map(|number| format!("{scheme}://{number}:{port}")),
            },
            None => Self {
                url: format!("{scheme}://{address}"),
                by_number: None,
            },
        }
    }
}

/// What the machine is called, if it is called something.
pub fn host_name() -> Option<String> {
    let host = nix::unistd::gethostname().ok()?.into_string().ok()?;
    Some(host).filter(|host| !host.is_empty())
}

/// The name in the local network (RFC 6762) of a machine that is called so.
pub fn local_name(host: Option<&str>) -> String {
    let host = host.and_then(|name| name.split('.').next());
    let host = host.filter(|name| !name.is_empty());
    format!("{}.local", host.unwrap_or("musebox-house"))
}

/// The machine's first IPv4 address that others can reach.
fn first_number() -> Option<Ipv4Addr> {
    let up = |flags: InterfaceFlags| {
        flags.contains(InterfaceFlags::IFF_UP) && !flags.contains(InterfaceFlags::IFF_LOOPBACK)
    };
    let all = getifaddrs().ok()?.filter(|one| up(one.flags));
    let mut numbers = all.filter_map(|one| Some(one.address?.as_sockaddr_in()?.ip()));
    numbers.find(|number| !number.is_loopback() && !number.is_link_local())
}

/// Keeps the address that is served, for links that are made at the command line.
pub fn remember(folder: &Path, url: &str) -> anyhow::Result<()> {
    write_private(&folder.join(FILE), url)
}

/// The address that was served last from this folder, if any was.
pub fn remembered(folder: &Path) -> Option<String> {
    let url = fs::read_to_string(folder.join(FILE)).ok()?;
    Some(url.trim().to_owned())
}

/// The address by which boxes are told to find the house; none where it is plain HTTP, which boxes take from nobody.
pub fn announced(port: u16, public: Option<&str>, secure: bool) -> Option<String> {
    // By name: the number may be another tomorrow.
    let name = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    let url = Whereabouts::of(name, public, secure).url;
    url.starts_with("https://").then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(listen: &str, public: Option<&str>, secure: bool) -> Whereabouts {
        let number = || Some(Ipv4Addr::new(192, 168, 1, 5));
        let listen = listen.parse().expect(listen);
        Whereabouts::on(listen, public, secure, "pi.local", number)
    }

    #[test]
    fn a_server_that_listens_everywhere_is_found_by_its_name_and_its_number() {
        let numbered = Some("https://192.168.1.5:8470".to_owned());
        for listen in ["0.0.0.0:8470", "[::]:8470"] {
            let place = on(listen, None, true);
            assert_eq!(place.url, "https://pi.local:8470");
            assert_eq!(place.by_number, numbered);
        }
        let place = on("0.0.0.0:8470", Some("https://house.example/"), true);
        assert_eq!(place.url, "https://house.example");
        assert_eq!(place.by_number, None);
        for (listen, url) in [
            ("127.0.0.1:8470", "http://127.0.0.1:8470"),
            ("[::1]:8470", "http://[::1]:8470"),
        ] {
            assert_eq!(on(listen, None, false).url, url);
        }
    }

    #[test]
    fn only_an_address_with_tls_is_announced() {
        assert_eq!(announced(8470, None, false), None);
        assert_eq!(announced(8470, Some("http://house.example"), true), None);
        let public = announced(8470, Some("https://house.example/"), false);
        assert_eq!(public.as_deref(), Some("https://house.example"));
        let own = announced(8470, None, true).expect("an address");
        assert!(
            own.starts_with("https://") && own.ends_with(".local:8470"),
            "{own}"
        );
    }

    #[test]
    fn the_address_that_was_served_last_is_remembered() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(remembered(folder.path()), None);
        for url in ["https://pi.local:8470", "https://house.example"] {
            remember(folder.path(), url).expect("kept");
            assert_eq!(remembered(folder.path()).as_deref(), Some(url));
        }
    }
}
