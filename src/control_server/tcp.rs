//! The live page's server: on this machine only, to look at only.

use std::{future::Future, io, net::SocketAddr};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tokio::net::TcpListener;

use crate::control_server::{host::Host, routes, serve};

/// The live page's server, bound and not served yet.
#[derive(Debug)]
pub struct HttpServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl HttpServer {
    /// Listens on a loopback address; another is refused. Port 0 takes any free one.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{address} can be reached by other machines: use 127.0.0.1 or [::1]"),
            ));
        }
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`.
    pub async fn serve(
        self,
        host: Host,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let routes = routes::live(host).layer(middleware::from_fn(guard));
        serve(self.listener, routes, shutdown).await
    }
}

/// Answers only those who came for this machine by name, and tells browsers to keep what they get to themselves.
///
/// A foreign page may have its own name resolve to 127.0.0.1 and then read what is here as if it were its own; the
/// name still stands in the `Host` header.
async fn guard(headers: HeaderMap, request: Request, next: Next) -> Response {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let mut response = match host.is_some_and(names_this_machine) {
        true => next.run(request).await,
        false => (
            StatusCode::MISDIRECTED_REQUEST,
            "this page is for this machine: ask for it as localhost\n",
        )
            .into_response(),
    };
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

fn names_this_machine(host: &str) -> bool {
    let port_is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        // An IPv6 address has colons of its own, within brackets.
        Some((name, port)) if port_is_number(port) && !host.ends_with(']') => name,
        _ => host,
    };
    let ip = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || ip
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for good in [
            "localhost",
            "LOCALHOST:8480",
            "127.0.0.1",
            "127.0.0.1:8480",
            "[::1]",
            "[::1]:8480",
        ] {
            assert!(names_this_machine(good), "{good}");
        }
        for bad in [
            "",
            "example.org",
            "example.org:8480",
            "localhost.example.org",
            "192.168.1.2:8480",
            "[2001:db8::1]:80",
            "127.0.0.1.example.org",
        ] {
            assert!(!names_this_machine(bad), "{bad}");
        }
    }
}
