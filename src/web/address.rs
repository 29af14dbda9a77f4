//! Where a request comes from: for counting tries, and for what only this machine is told.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::request::Parts,
};

use crate::web::Server;

/// The asker's address as text; of IPv6 its first 64 bits, since the rest is the asker's own choice. Behind a proxy it
/// is the last entry of `X-Forwarded-For`, which is the proxy's own; the ones before it can be invented by anybody.
pub struct Address(pub String);

impl FromRequestParts<Server> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Infallible> {
        let forwarded = parts.headers.get_all("x-forwarded-for").iter().next_back();
        let forwarded = forwarded
            .and_then(|value| value.to_str().ok())
            .and_then(|list| list.rsplit(',').next())
            .map(|last| last.trim().to_owned());
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or_else(String::new, |peer| counted(peer.0.ip()));
        Ok(Self(match server.behind_proxy {
            true => forwarded.map_or(peer, |text| read(&text)),
            false => peer,
        }))
    }
}

/// Whether the asker is on this machine, with no proxy in between. Behind a proxy nobody is: not every proxy says that it
/// is one.
pub struct IsHere(pub bool);

impl FromRequestParts<Server> for IsHere {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Infallible> {
        let forwarded = parts.headers.contains_key("x-forwarded-for");
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let here = peer.is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
        Ok(Self(here && !forwarded && !server.behind_proxy))
    }
}

/// What a proxy wrote: an address, with or without a port.
fn read(text: &str) -> String {
    let bare = text.trim_matches(['[', ']']).parse::<IpAddr>();
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    match bare.or_else(|_| with_port()) {
        Ok(address) => counted(address),
        Err(_) => text.to_owned(),
    }
}

/// The name by which an address is counted: a site has at least a /64 of IPv6 (RFC 6177).
fn counted(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let site = u128::from(address) & !u128::from(u64::MAX);
            format!("{}/64", Ipv6Addr::from(site))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_has_one_name_however_its_addresses_are_written() {
        for (text, name) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:4711", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
            ("[2001:DB8:1:2::9]", "2001:db8:1:2::/64"),
            ("[2001:db8:1:2::9]:4711", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("::1", "::/64"),
            ("unknown", "unknown"),
        ] {
            assert_eq!(read(text), name, "{text}");
        }
    }
}
