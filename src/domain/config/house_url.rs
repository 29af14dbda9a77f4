//! The address of a house.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// Where a house is reached, as in `https://gallery.example:8443`: always with TLS, but for one on this machine.
///
/// It has no slash at its end, no user, no query and no fragment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HouseUrl {
    text: String,
    /// Where the host begins and ends in it; an IPv6 address has its brackets.
    host: (usize, usize),
    port: u16,
}

/// Whether a house is spoken to with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// With TLS.
    Tls,
    /// In the open; on this machine only.
    Plain,
}

/// A text that is no address of a house.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadHouseUrl {
    /// It does not have the form of one.
    #[error("\"{0}\" is no address of a house: write it as in https://gallery.example:8443")]
    Form(String),
    /// It asks for plain HTTP to another machine.
    #[error(
        "\"{0}\" is plain HTTP to another machine, where anybody on the way could steer the box: write https://"
    )]
    Plain(String),
}

impl HouseUrl {
    /// The address as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether there is TLS.
    pub fn wire(&self) -> Wire {
        match self.text.starts_with("https:") {
            true => Wire::Tls,
            false => Wire::Plain,
        }
    }

    /// The name or the IP address of the machine, without the brackets of IPv6.
    pub fn host(&self) -> &str {
        let (start, end) = self.host;
        self.text[start..end].trim_matches(['[', ']'])
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address without `https://`: what people have to type.
    pub fn short(&self) -> &str {
        let (_, rest) = self.text.split_once("://").unwrap_or_default();
        rest
    }

    /// An address below this one. `path` begins with a slash.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Whether an address is this one or below it.
    pub fn holds(&self, url: &str) -> bool {
        url.strip_prefix(self.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
    }

    /// The name of a medium of this house, where an environment's `src` is one: at `/api/v1/media/NAME`, or where
    /// existing clients look, at `/wallmuse/ws/s3_get_file/NAME`.
    pub fn medium<'a>(&self, src: &'a str) -> Option<&'a str> {
        let path = src.strip_prefix(self.as_str()).unwrap_or(src);
        let path = path.split(['?', '#']).next()?;
        let name = ["/api/v1/media/", "/wallmuse/ws/s3_get_file/"]
            .iter()
            .find_map(|folder| path.strip_prefix(folder))?;
        (!name.is_empty() && !name.contains('/')).then_some(name)
    }
}

impl FromStr for HouseUrl {
    type Err = BadHouseUrl;

    /// Reads an address; `https://` may be left out.
    fn from_str(text: &str) -> Result<Self, BadHouseUrl> {
        let bad = || BadHouseUrl::Form(text.to_owned());
        let trimmed = text.trim().trim_end_matches('/');
        let (scheme, rest) = match trimmed.split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None => ("https".to_owned(), trimmed),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let strange = |c: char| !c.is_ascii_graphic() || "?#@\\\"<>".contains(c);
        if rest.chars().any(strange) {
            return Err(bad());
        }
        let (host, port) = match authority.rfind(':') {
            Some(at) if !authority.ends_with(']') => (&authority[..at], Some(&authority[at + 1..])),
            Some(_) | None => (authority, None),
        };
        let host = host.to_ascii_lowercase();
        let address = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .map(|host| host.parse::<std::net::Ipv6Addr>().map_err(|_| bad()))
            .transpose()?;
        if host.is_empty() || (address.is_none() && host.contains([':', '[', ']'])) {
            return Err(bad());
        }
        let local = match (address, host.parse::<std::net::Ipv4Addr>()) {
            (Some(address), _) => address.is_loopback(),
            (None, Ok(address)) => address.is_loopback(),
            (None, Err(_)) => host == "localhost",
        };
        let default = match scheme.as_str() {
            "https" => 443,
            "http" if local => 80,
            "http" => return Err(BadHouseUrl::Plain(text.to_owned())),
            _ => return Err(bad()),
        };
        let written = match port {
            None => None,
            Some(port) => Some(
                port.parse::<u16>()
                    .ok()
                    .filter(|port| *port != 0)
                    .ok_or_else(bad)?,
            ),
        };
        let port = written.filter(|port| *port != default);
        let port_text = port.map(|port| format!(":{port}")).unwrap_or_default();
        let start = scheme.len() + "://".len();
        Ok(Self {
            host: (start, start + host.len()),
            text: format!("{scheme}://{host}{port_text}{path}"),
            port: port.unwrap_or(default),
        })
    }
}

impl fmt::Display for HouseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for HouseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for HouseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_form() {
        for (text, url, host, port) in [
            (
                "https://Gallery.example/",
                "https://gallery.example",
                "gallery.example",
                443,
            ),
            (
                "gallery.local:8443",
                "https://gallery.local:8443",
                "gallery.local",
                8443,
            ),
            ("https://a:443/art//", "https://a/art", "a", 443),
            (
                "http://127.0.0.1:8080",
                "http://127.0.0.1:8080",
                "127.0.0.1",
                8080,
            ),
            ("HTTP://localhost", "http://localhost", "localhost", 80),
            ("http://[::1]:7/x", "http://[::1]:7/x", "::1", 7),
            (
                "https://[2001:db8::1]",
                "https://[2001:db8::1]",
                "2001:db8::1",
                443,
            ),
        ] {
            let read: HouseUrl = text.parse().expect(text);
            assert_eq!((read.as_str(), read.host(), read.port()), (url, host, port));
            assert_eq!(read.wire() == Wire::Tls, url.starts_with("https:"));
            assert_eq!(url.parse(), Ok(read), "reading it again changes nothing");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_remedy() {
        for text in [
            "",
            "https://",
            "https:///x",
            "ftp://a",
            "https://a:b",
            "https://a:0",
            "https://a:70000",
            "https://a b",
            "https://u@a",
            "https://a?x",
            "https://a/#x",
            "https://[::1",
            "https://::1",
            "https://[x]",
            "https://ä",
        ] {
            let error = text.parse::<HouseUrl>().expect_err(text).to_string();
            assert!(error.contains("https://gallery.example"), "{error}");
        }
        for text in [
            "http://gallery.example",
            "http://10.0.0.7:8080",
            "http://[2001:db8::1]",
        ] {
            let error = text.parse::<HouseUrl>().expect_err(text);
            assert_eq!(error, BadHouseUrl::Plain(text.to_owned()));
        }
    }

    #[test]
    fn a_house_holds_what_is_below_it() {
        let house: HouseUrl = "https://a.example/art".parse().expect("an address");
        assert_eq!(house.join("/api/v1"), "https://a.example/art/api/v1");
        for (url, inside) in [
            ("https://a.example/art", true),
            ("https://a.example/art/x", true),
            ("https://a.example/artist", false),
            ("https://a.example.evil/art/x", false),
            ("http://a.example/art/x", false),
        ] {
            assert_eq!(house.holds(url), inside, "{url}");
        }
        for (src, name) in [
            ("/api/v1/media/x.mp4", Some("x.mp4")),
            (
                "https://a.example/art/api/v1/media/x.mp4?a=b",
                Some("x.mp4"),
            ),
            ("/wallmuse/ws/s3_get_file/x.mp4?version=3", Some("x.mp4")),
            ("https://b.example/api/v1/media/x.mp4", None),
            ("/api/v1/media/", None),
            ("/api/v1/media/x/y", None),
            ("/other/x.mp4", None),
        ] {
            assert_eq!(house.medium(src), name, "{src}");
        }
        assert_eq!(house.short(), "a.example/art");
    }
}
