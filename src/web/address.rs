//! Where a request comes from, for counting tries.

use std::{convert::Infallible, net::SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::request::Parts,
};

use crate::web::Server;

/// The asker's address as text. Behind a proxy it is the last entry of `X-Forwarded-For`, which is the proxy's own; the
/// ones before it can be invented by anybody.
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
        let peer = peer.map_or_else(String::new, |peer| peer.0.ip().to_string());
        Ok(Self(match server.behind_proxy {
            true => forwarded.unwrap_or(peer),
            false => peer,
        }))
    }
}
