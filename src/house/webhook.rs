//! Sends words to webhooks, which anybody who may edit a house can name.
//!
//! A webhook is asked from inside the operator's network. So it must be an address of the public internet, unless the
//! operator has said otherwise, and what is checked is the address that is really connected to: names are resolved
//! here, redirections are not followed, and no proxy resolves the name again.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, anyhow};
use reqwest::{Client, ClientBuilder, Url, redirect};
use serde_json::Value;

use super::post::Failure;

/// How long a webhook may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which addresses a webhook may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of the public internet.
    Public,
    /// Those of the operator's own network and machine, too.
    Anywhere,
}

/// Sends a document.
pub async fn send(reach: Reach, url: &str, document: &Value) -> Result<(), Failure> {
    let url: Url = url
        .parse()
        .context("reading its address")
        .map_err(Failure::Lasting)?;
    let client = match reach {
        Reach::Anywhere => client(),
        Reach::Public => {
            let (host, addresses) = resolve(&url).await?;
            client().no_proxy().resolve_to_addrs(&host, &addresses)
        }
    };
    let client = client.build().map_err(|err| Failure::Passing(err.into()))?;
    let sent = client.post(url).json(document).send().await;
    // The address may have a secret in it, which is not for the log.
    let answer = sent.map_err(|err| Failure::Passing(err.without_url().into()))?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status if status.is_redirection() => Err(Failure::Lasting(anyhow!(
            "it answered {status}: redirections are not followed"
        ))),
        status => Err(Failure::Passing(anyhow!("it answered {status}"))),
    }
}

fn client() -> ClientBuilder {
    Client::builder()
        .timeout(PATIENCE)
        .redirect(redirect::Policy::none())
}

/// The host of a URL and those of its addresses that are public.
async fn resolve(url: &Url) -> Result<(String, Vec<SocketAddr>), Failure> {
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(Failure::Lasting(anyhow!("its address has no host")));
    };
    let bare = host.trim_matches(['[', ']']);
    let found = tokio::net::lookup_host((bare, port))
        .await
        .context("resolving its name")
        .map_err(Failure::Passing)?;
    let public: Vec<SocketAddr> = found.filter(|found| is_public(found.ip())).collect();
    match public.is_empty() {
        false => Ok((host.to_owned(), public)),
        true => Err(Failure::Lasting(anyhow!(
            "{host} is in a private network, where webhooks may not go: the server's operator can allow it with \
             --allow-private-webhooks"
        ))),
    }
}

/// Whether an address is one of the public internet (IANA's registries of special-purpose addresses, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => {
            let segments = address.segments();
            let local = segments[0] & 0xffc0 == 0xfec0;
            let special = address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_multicast()
                || local;
            // NAT64 (RFC 6052), 6to4 (RFC 3056), and the oldest form, of which :: and ::1 are two.
            let within = match segments {
                [0x64, 0xff9b, 0, 0, 0, 0, high, low]
                | [0x2002, high, low, ..]
                | [0, 0, 0, 0, 0, 0, high, low] => Some((high, low)),
                _ => None,
            };
            let within = within.map(|(high, low)| {
                let [a, b] = high.to_be_bytes();
                let [c, d] = low.to_be_bytes();
                Ipv4Addr::new(a, b, c, d)
            });
            !special && within.is_none_or(is_public_v4)
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // "This network", shared address space (RFC 6598), protocols, benchmarks (RFC 2544), and what is reserved.
        [0, ..] | [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18 | 19, ..] | [240..=255, ..] => {
            true
        }
        _ => {
            address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_multicast()
        }
    };
    !special
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, sync::Once};

    use serde_json::json;

    use super::*;

    /// Whoever makes a client for TLS needs it; the server's own start does it in the program.
    fn with_crypto() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
    }

    #[test]
    fn addresses_of_networks_of_one_s_own_are_not_public() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.251",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::fb",
        ] {
            let address = private.parse().expect(private);
            assert!(!is_public(address), "{private}");
        }
        for public in [
            "1.1.1.1",
            "100.63.0.1",
            "172.32.0.1",
            "192.169.0.1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2001:db8::1",
            "2606:4700:4700::1111",
        ] {
            let address = public.parse().expect(public);
            assert!(is_public(address), "{public}");
        }
    }

    #[tokio::test]
    async fn however_a_private_address_is_written_nobody_connects_to_it() {
        with_crypto();
        let sink = TcpListener::bind("127.0.0.1:0").expect("a port");
        sink.set_nonblocking(true).expect("it can be asked");
        let port = sink.local_addr().expect("its address").port();
        for host in [
            "127.0.0.1",
            "localhost",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "0.0.0.0",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "user@127.0.0.1",
        ] {
            let url = format!("http://{host}:{port}/");
            let sent = send(Reach::Public, &url, &json!({})).await;
            let Err(Failure::Lasting(err)) = sent else {
                panic!("{host}: {sent:?}");
            };
            assert!(
                err.to_string().contains("--allow-private-webhooks"),
                "{err}"
            );
        }
        let nobody = sink.accept().expect_err("nobody has connected");
        assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
    }

    #[tokio::test]
    async fn what_is_no_address_is_not_tried_again() {
        for url in ["https://", "no address", "data:text/plain,x"] {
            let sent = send(Reach::Public, url, &json!({})).await;
            assert!(matches!(sent, Err(Failure::Lasting(_))), "{url}: {sent:?}");
        }
    }
}
