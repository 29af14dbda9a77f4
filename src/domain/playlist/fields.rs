//! The values of a playlist file, each read with its bounds.
//!
//! The bounds are those of `docs/schema/playlist.schema.json`.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::domain::{playlist::MediaKind, units::MediaTime};

/// The longest id or screen name, in characters.
const MAX_ID_CHARS: usize = 256;
/// The longest `src`, name or title, in characters.
const MAX_TEXT_CHARS: usize = 4096;
/// The longest duration: a hundred years, in milliseconds.
const MAX_DURATION_MS: f64 = 3_155_760_000_000.0;

/// An object and nothing else: serde's derived readers would take an array of the fields in order, too.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object, as in {\"id\": ...}")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Fields(std::marker::PhantomData))
    }
}

/// Reads a text of `least` to `most` characters.
fn bounded<'de, D: Deserializer<'de>>(
    deserializer: D,
    least: usize,
    most: usize,
) -> Result<String, D::Error> {
    struct Bounded(usize, usize);

    impl Visitor<'_> for Bounded {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a text of {} to {} characters", self.0, self.1)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
            match text.chars().nth(self.1).is_some() || (self.0 > 0 && text.is_empty()) {
                true => Err(E::invalid_length(text.chars().count(), &self)),
                false => Ok(text.to_owned()),
            }
        }
    }

    deserializer.deserialize_str(Bounded(least, most))
}

pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    bounded(deserializer, 1, MAX_ID_CHARS)
}

pub(super) fn src<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    bounded(deserializer, 1, MAX_TEXT_CHARS)
}

pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    bounded(deserializer, 0, MAX_TEXT_CHARS)
}

pub(super) struct Id(pub(super) String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        id(deserializer).map(Id)
    }
}

pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer).map(Text)
    }
}

pub(super) struct Kind(pub(super) MediaKind);

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;

        impl Visitor<'_> for Word {
            type Value = Kind;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"video\" or \"image\"")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Kind, E> {
                match word {
                    "video" => Ok(Kind(MediaKind::Video)),
                    "image" => Ok(Kind(MediaKind::Image)),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }
        }

        deserializer.deserialize_str(Word)
    }
}

pub(super) struct Sha256Digits(pub(super) String);

impl<'de> Deserialize<'de> for Sha256Digits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;

        impl Visitor<'_> for Digits {
            type Value = Sha256Digits;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the 64 hexadecimal digits that sha256sum prints")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Sha256Digits, E> {
                match text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
                    true => Ok(Sha256Digits(text.to_ascii_lowercase())),
                    false => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_str(Digits)
    }
}

pub(super) struct Millis(pub(super) MediaTime);

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl Number {
            /// JSON does not tell 10000 from 10000.0 or 1e4; f64 holds every whole number in bounds exactly.
            fn millis<E: de::Error>(
                self,
                value: f64,
                found: de::Unexpected<'_>,
            ) -> Result<Millis, E> {
                match value.fract() == 0.0 && (1.0..=MAX_DURATION_MS).contains(&value) {
                    true => Ok(Millis(MediaTime::from_millis(value as i64))),
                    false => Err(E::invalid_value(found, &self)),
                }
            }
        }

        impl Visitor<'_> for Number {
            type Value = Millis;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number of milliseconds from 1 to 3155760000000, as in 10000")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Millis, E> {
                self.millis(value as f64, de::Unexpected::Unsigned(value))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Millis, E> {
                self.millis(value as f64, de::Unexpected::Signed(value))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Millis, E> {
                self.millis(value, de::Unexpected::Float(value))
            }
        }

        deserializer.deserialize_any(Number)
    }
}
