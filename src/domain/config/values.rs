//! The values that keys may have, each valid by construction.

use std::{fmt, net::SocketAddr, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use thiserror::Error;

/// How loud: 0 is silence, 1 is as recorded.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("minimum" = 0, "maximum" = 1))]
pub struct Volume(f64);

impl Volume {
    /// The volume where nothing is said.
    pub const DEFAULT: Volume = Volume(0.8);

    /// A volume, or nothing where it is not within 0 and 1.
    pub fn new(volume: f64) -> Option<Self> {
        // Adding zero makes an ordinary zero of a negative one.
        (0.0..=1.0).contains(&volume).then_some(Self(volume + 0.0))
    }

    /// The volume, from 0 to 1.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Volume {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let volume = f64::deserialize(deserializer)?;
        Self::new(volume).ok_or_else(|| {
            de::Error::custom(format!("{volume} is no volume: write 0.0 (silence) to 1.0"))
        })
    }
}

/// An opaque colour, written `#rrggbb`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Color {
    /// Red, from 0 to 255.
    pub red: u8,
    /// Green, from 0 to 255.
    pub green: u8,
    /// Blue, from 0 to 255.
    pub blue: u8,
}

impl Color {
    /// The colour where nothing is said.
    pub const BLACK: Color = Color {
        red: 0,
        green: 0,
        blue: 0,
    };

    /// Red, green and blue.
    pub fn rgb(self) -> [u8; 3] {
        [self.red, self.green, self.blue]
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { red, green, blue } = self;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// A text that is not a colour.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "\"{0}\" is no colour: write # and two hexadecimal digits each for red, green and blue, as in \"#102030\""
)]
pub struct BadColor(String);

impl FromStr for Color {
    type Err = BadColor;

    fn from_str(text: &str) -> Result<Self, BadColor> {
        let bad = || BadColor(text.to_owned());
        let digits = text.strip_prefix('#').ok_or_else(bad)?;
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad());
        }
        let number = u32::from_str_radix(digits, 16).map_err(|_| bad())?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self { red, green, blue })
    }
}

/// Which display to play on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DisplayKind {
    /// The kernel's display where there is one, else the virtual one.
    #[default]
    Auto,
    /// The kernel's display (DRM/KMS).
    Kms,
    /// A display in memory, for tests, demonstrations and captures.
    Virtual,
}

impl fmt::Display for DisplayKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DisplayKind::Auto => "auto",
            DisplayKind::Kms => "kms",
            DisplayKind::Virtual => "virtual",
        })
    }
}

/// A text that names no kind of display.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{0}\" is no kind of display: write auto, kms or virtual")]
pub struct BadDisplayKind(String);

impl FromStr for DisplayKind {
    type Err = BadDisplayKind;

    fn from_str(text: &str) -> Result<Self, BadDisplayKind> {
        match text {
            "auto" => Ok(DisplayKind::Auto),
            "kms" => Ok(DisplayKind::Kms),
            "virtual" => Ok(DisplayKind::Virtual),
            other => Err(BadDisplayKind(other.to_owned())),
        }
    }
}

/// Whether decoders in hardware are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hardware {
    /// Where there is one for the medium; software is the fallback.
    #[default]
    Auto,
    /// Software only.
    Never,
}

/// What is left on the screen when the player ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnExit {
    /// The last picture.
    #[default]
    Last,
    /// Nothing.
    Black,
}

/// Which HDMI-CEC adapter switches the television.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Cec {
    /// The box's first, if it has one.
    #[default]
    Auto,
    /// None: the television is left alone.
    Never,
    /// This device node.
    Device(String),
}

/// What names no adapter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected \"auto\", \"never\" or a device node, as in \"/dev/cec0\"; got {0:?}")]
pub struct BadCec(String);

impl TryFrom<String> for Cec {
    type Error = BadCec;

    fn try_from(text: String) -> Result<Self, BadCec> {
        match text.as_str() {
            "auto" => Ok(Cec::Auto),
            "never" => Ok(Cec::Never),
            path if path.starts_with('/') => Ok(Cec::Device(text)),
            _ => Err(BadCec(text)),
        }
    }
}

impl From<Cec> for String {
    fn from(cec: Cec) -> Self {
        match cec {
            Cec::Auto => "auto".to_owned(),
            Cec::Never => "never".to_owned(),
            Cec::Device(path) => path,
        }
    }
}

/// After how many frames a decoder is replaced by a fresh one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FrameLimit {
    /// Never, but for the decoders that are known to need it.
    #[default]
    None,
    /// After this many.
    Frames(u64),
}

impl FrameLimit {
    /// The least limit: below it, decoders would be changed all the time.
    pub const LEAST: u64 = 100;
}

impl Serialize for FrameLimit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            FrameLimit::None => serializer.serialize_str("none"),
            FrameLimit::Frames(frames) => serializer.serialize_u64(*frames),
        }
    }
}

impl<'de> Deserialize<'de> for FrameLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Limit;

        impl de::Visitor<'_> for Limit {
            type Value = FrameLimit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(
                    f,
                    "\"none\" or a number of frames from {} on",
                    FrameLimit::LEAST
                )
            }

            fn visit_i64<E: de::Error>(self, frames: i64) -> Result<FrameLimit, E> {
                match u64::try_from(frames) {
                    Ok(frames) => self.visit_u64(frames),
                    Err(_) => Err(E::invalid_value(de::Unexpected::Signed(frames), &self)),
                }
            }

            fn visit_u64<E: de::Error>(self, frames: u64) -> Result<FrameLimit, E> {
                match frames >= FrameLimit::LEAST {
                    true => Ok(FrameLimit::Frames(frames)),
                    false => Err(E::invalid_value(de::Unexpected::Unsigned(frames), &self)),
                }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<FrameLimit, E> {
                match text {
                    "none" => Ok(FrameLimit::None),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }
        }

        deserializer.deserialize_any(Limit)
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Faults of musebox itself.
    Error,
    /// And where the world misbehaved.
    Warn,
    /// And one line for every item shown and every state entered.
    #[default]
    Info,
    /// And what helps to find a fault.
    Debug,
    /// And everything.
    Trace,
}

impl LogLevel {
    /// The same for the `log` crate.
    pub fn filter(self) -> log::LevelFilter {
        match self {
            LogLevel::Error => log::LevelFilter::Error,
            LogLevel::Warn => log::LevelFilter::Warn,
            LogLevel::Info => log::LevelFilter::Info,
            LogLevel::Debug => log::LevelFilter::Debug,
            LogLevel::Trace => log::LevelFilter::Trace,
        }
    }
}

/// Where the live page is served: always on this machine only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HttpAddress(SocketAddr);

impl HttpAddress {
    /// The address; its IP is a loopback one.
    pub fn get(self) -> SocketAddr {
        self.0
    }
}

impl fmt::Display for HttpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is not an address for the live page.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadHttpAddress {
    /// The text has another form.
    #[error("\"{0}\" is no address: write IP and port, as in \"127.0.0.1:8480\"")]
    Form(String),
    /// The address can be reached from outside.
    #[error(
        "{0} can be reached by other machines, and the live page asks nobody for a password: \
         write 127.0.0.1 or [::1] for the IP"
    )]
    Open(SocketAddr),
}

impl FromStr for HttpAddress {
    type Err = BadHttpAddress;

    fn from_str(text: &str) -> Result<Self, BadHttpAddress> {
        let address: SocketAddr = text
            .parse()
            .map_err(|_| BadHttpAddress::Form(text.to_owned()))?;
        match address.ip().is_loopback() {
            true => Ok(Self(address)),
            false => Err(BadHttpAddress::Open(address)),
        }
    }
}

/// A path as written; never empty. A relative one belongs to the folder of the file that names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path(String);

impl Path {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path, joined to `folder` if it is relative.
    pub fn within(self, folder: &str) -> Self {
        match self.0.starts_with('/') || folder.is_empty() {
            true => self,
            false => Self(format!("{}/{}", folder.trim_end_matches('/'), self.0)),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no path.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a path must not be empty: write one, or leave the key out")]
pub struct BadPath;

impl FromStr for Path {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        match text.is_empty() || text.contains('\0') {
            true => Err(BadPath),
            false => Ok(Self(text.to_owned())),
        }
    }
}

/// Reads and writes a type as the text that its `FromStr` and `Display` know.
macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

as_text!(Color, DisplayKind, HttpAddress, Path);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_lie_within_silence_and_full() {
        for good in [0.0, 0.8, 1.0] {
            assert_eq!(Volume::new(good).expect("a volume").get(), good);
        }
        for bad in [-0.01, 1.01, f64::NAN, f64::INFINITY] {
            assert_eq!(Volume::new(bad), None);
        }
        let zero = Volume::new(-0.0).expect("zero is a volume").get();
        assert!(zero.is_sign_positive());
    }

    #[test]
    fn colours_read_as_written() {
        let color: Color = "#10Ab3f".parse().expect("a colour");
        assert_eq!(color.to_string(), "#10ab3f");
        for bad in ["", "10ab3f", "#10ab3", "#10ab3g", "#+0ab3f", "#ééé", "red"] {
            let error = bad.parse::<Color>().expect_err(bad);
            assert!(error.to_string().contains("#102030"), "{error}");
        }
    }

    #[test]
    fn the_live_page_stays_on_this_machine() {
        for good in ["127.0.0.1:8480", "[::1]:0", "127.3.2.1:1"] {
            good.parse::<HttpAddress>().expect(good);
        }
        for bad in [
            "0.0.0.0:80",
            "[::]:80",
            "192.168.1.3:80",
            "localhost:80",
            ":80",
            "",
        ] {
            assert!(bad.parse::<HttpAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn relative_paths_belong_to_the_file_s_folder() {
        let path = |text: &str| text.parse::<Path>().expect(text);
        assert_eq!(path("a.json").within("/etc/m/").as_str(), "/etc/m/a.json");
        assert_eq!(path("/a.json").within("/etc/m").as_str(), "/a.json");
        assert_eq!(path("a.json").within("").as_str(), "a.json");
        assert_eq!("".parse::<Path>(), Err(BadPath));
    }
}
