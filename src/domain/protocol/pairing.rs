//! Pairing over the control socket, and how it stands with the house.

use serde::{Deserialize, Serialize};

use crate::domain::{
    config::HouseUrl,
    ids::{HouseId, HouseScreenId, Revision},
};

/// A request to pair, as in `{"url":"https://gallery.example"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairRequest {
    /// The house; nothing is the one that the box knows or finds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<HouseUrl>,
}

/// The house that the box wants to be paired with; the first of several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairAnswer {
    /// Where it is.
    pub url: HouseUrl,
}

/// How it stands with the house.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HouseStatus {
    /// Where it is; the first of several.
    pub url: HouseUrl,
    /// Whether the box belongs to it.
    pub linked: bool,
    /// Whether there is a connection to it.
    pub online: bool,
    /// Its id; nothing before the box belongs to it.
    pub house: Option<HouseId>,
    /// What it calls the box.
    pub screen: Option<HouseScreenId>,
    /// The revision of the environment that the box obeys; nothing where it has none.
    pub rev: Option<Revision>,
    /// The code to type into its page, while the box waits to be paired.
    pub code: Option<String>,
    /// The number that its page must show as well.
    pub check: Option<String>,
    /// Where several houses are in question: each with a code of its own. The first that says yes has the box.
    #[serde(default)]
    pub offers: Vec<HouseOffer>,
    /// What stands in the way, in plain words.
    pub problem: Option<String>,
    /// The media of its items.
    pub media: MediaStatus,
}

/// One of several houses that the box may be paired with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HouseOffer {
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub url: HouseUrl,
    /// The code to type into its page; nothing before it has answered.
    pub code: Option<String>,
    /// The number that its page must show as well.
    pub check: Option<String>,
    /// Why it gives no code, in plain words.
    pub problem: Option<String>,
}

/// How many media are on the box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaStatus {
    /// So many are there as a whole.
    pub complete: u64,
    /// So many are wanted.
    pub total: u64,
}
