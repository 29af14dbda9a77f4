//! How a box says it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{
    ids::{Epoch, ItemId, PlaylistId, Position, Revision, ScreenName},
    protocol::{ErrorKind, Power, State},
};

/// How a box is. Every report holds all of it; only `state` must be there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BoxState {
    /// What the box does.
    pub state: State,
    /// The playlist that is played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playlist: Option<PlaylistId>,
    /// What the first output shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// The item there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// What people call that item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Every output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputState>,
    /// Whether the displays are on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<Power>,
    /// The version of musebox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Milliseconds since the player began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime_ms: Option<u64>,
    /// The revision of the environment that the box obeys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<Revision>,
    /// The epoch of that revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// What the displays have counted since the player began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counters: Option<BoxCounters>,
    /// What could not be played.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<BoxError>,
    /// How many media are on the box.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<BoxMedia>,
}

/// One output of a box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutputState {
    /// Its name.
    pub name: ScreenName,
    /// What it shows; nothing where it shows no item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// The item there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
}

/// What the displays of a box have counted, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BoxCounters {
    /// Frames that came onto a screen.
    pub presented: u64,
    /// Frames that came on late.
    pub late: u64,
    /// Frames that were never shown.
    pub dropped: u64,
    /// Vblanks that passed with nobody there.
    pub missed_vblanks: u64,
    /// How often an item began.
    pub items_shown: u64,
}

/// Something that could not be played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BoxError {
    /// The item; nothing where it is not about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// The class of the fault.
    pub kind: ErrorKind,
    /// Why, in plain words.
    pub message: String,
    /// How often.
    pub count: u64,
}

/// How many of the media that a box needs are whole on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BoxMedia {
    /// So many are.
    pub complete: u64,
    /// Of so many.
    pub total: u64,
}
