//! Names of things: every id is a type of its own, so that a track's id is never taken for an item's.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Defines a text id as a newtype.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a text; any text is a valid id.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// Names a playlist.
    PlaylistId
);
text_id!(
    /// Names a montage within a playlist.
    MontageId
);
text_id!(
    /// Names a track within a montage.
    TrackId
);
text_id!(
    /// Names an item within a track.
    ItemId
);
text_id!(
    /// Names a screen, an output of a box.
    ScreenName
);
text_id!(
    /// Names a house.
    HouseId
);
text_id!(
    /// Names a screen of a house: an enrolled box with what hangs on it.
    HouseScreenId
);
text_id!(
    /// Names a group of screens of a house.
    GroupId
);
text_id!(
    /// Names one history of a house's revisions; a house that was restored from a backup has another one.
    Epoch
);
text_id!(
    /// The SHA-256 of an environment document in RFC 8785 form, in lower-case hexadecimal digits.
    DocumentHash
);
text_id!(
    /// Names a command that a house sent; it is carried out once.
    CommandId
);
text_id!(
    /// Names a report of a box, within one connection.
    ReportId
);

/// How often a house's environment has changed: it grows by one with every edit, and never goes back in one epoch.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision after this one; saturates.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The number of a screen of this box, counted from 0 in the order of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScreenIndex(pub usize);

/// One of the two decode chains of a screen: one is shown while the other prerolls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SlotId {
    /// The first slot.
    A,
    /// The second slot.
    B,
}

impl SlotId {
    /// Both slots, in order.
    pub const BOTH: [SlotId; 2] = [SlotId::A, SlotId::B];

    /// The slot that is not this one.
    pub fn other(self) -> Self {
        match self {
            SlotId::A => SlotId::B,
            SlotId::B => SlotId::A,
        }
    }

    /// 0 for A, 1 for B.
    pub fn index(self) -> usize {
        match self {
            SlotId::A => 0,
            SlotId::B => 1,
        }
    }
}

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SlotId::A => "A",
            SlotId::B => "B",
        })
    }
}

/// The number of one opening of a medium in a slot. It never repeats while the process lives, so a late report
/// about something that is no longer loaded is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoadId(pub u64);

impl fmt::Display for LoadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A place in a playlist: montage, track and item, counted from 0 and written `M0T0I0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The montage's number in the playlist.
    pub montage: usize,
    /// The track's number in the montage.
    pub track: usize,
    /// The item's number in the track.
    pub item: usize,
}

impl Position {
    /// The position `M{montage}T{track}I{item}`.
    pub const fn new(montage: usize, track: usize, item: usize) -> Self {
        Self {
            montage,
            track,
            item,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "M{}T{}I{}", self.montage, self.track, self.item)
    }
}

/// A text that is not a position.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{0}\" is not a position: write montage, track and item counted from 0, as in M0T0I0")]
pub struct BadPosition(String);

impl FromStr for Position {
    type Err = BadPosition;

    fn from_str(text: &str) -> Result<Self, BadPosition> {
        let bad = || BadPosition(text.to_owned());
        let (montage, rest) = text
            .strip_prefix(['M', 'm'])
            .and_then(|t| t.split_once(['T', 't']))
            .ok_or_else(bad)?;
        let (track, item) = rest.split_once(['I', 'i']).ok_or_else(bad)?;
        let number = |t: &str| match t.bytes().all(|b| b.is_ascii_digit()) {
            true => t.parse().map_err(|_| bad()),
            false => Err(bad()),
        };
        Ok(Self {
            montage: number(montage)?,
            track: number(track)?,
            item: number(item)?,
        })
    }
}

impl Serialize for Position {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Position {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Position".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A place in a playlist: montage, track and item, counted from 0.",
            "type": "string",
            "pattern": "^[Mm][0-9]+[Tt][0-9]+[Ii][0-9]+$",
        })
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_what_it_wrote() {
        let position = Position::new(3, 0, 12);
        assert_eq!(position.to_string(), "M3T0I12");
        assert_eq!("M3T0I12".parse(), Ok(position));
        assert_eq!("m3t0i12".parse(), Ok(position));
    }

    #[test]
    fn what_is_no_position_is_refused_with_an_example() {
        for text in [
            "",
            "M0",
            "M0T0",
            "M0T0I",
            "M-1T0I0",
            "M0T0I+1",
            "0.0.0",
            "M0T0I99999999999999999999999",
        ] {
            let error = text.parse::<Position>().expect_err(text);
            assert!(error.to_string().contains("M0T0I0"), "{error}");
        }
    }
}
