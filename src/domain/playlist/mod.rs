//! The playlist: montages of tracks of items, as the operator arranged them.
//!
//! A playlist that exists is playable in form: it has at least one montage, every montage at least one track, every
//! track at least one item. Whether the media can be decoded is only known when they are opened.

mod fields;
mod file;
mod locate;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{
    ids::{ItemId, MontageId, PlaylistId, Position, ScreenName, TrackId},
    units::MediaTime,
};

pub use file::{MAX_FILE_BYTES, MAX_ITEMS, PlaylistError, PlaylistFault};

/// How long an image stands where no duration is given.
pub const DEFAULT_IMAGE_DURATION: MediaTime = MediaTime::from_seconds(10);

/// What an item holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// Moving pictures, with or without sound.
    Video,
    /// One still picture.
    Image,
}

/// One artwork or advertisement to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The item's id, unique in its playlist or not: positions tell items apart.
    pub id: ItemId,
    /// Where the medium is: an absolute path or a URL.
    pub src: String,
    /// What it holds; where nothing is said, the name's ending tells.
    pub kind: Option<MediaKind>,
    /// How long it stands: an image's whole time, an upper limit for a video.
    pub duration: Option<MediaTime>,
    /// The SHA-256 that the file must have, in lower-case hexadecimal digits.
    pub sha256: Option<String>,
    /// What people call it.
    pub title: Option<String>,
}

impl Item {
    /// What the item holds: what the playlist says, else an image if `src` ends like one, else a video.
    pub fn kind(&self) -> MediaKind {
        self.kind.unwrap_or_else(|| {
            let path = self.src.split(['?', '#']).next().unwrap_or_default();
            let ending = path
                .rsplit('.')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            match matches!(ending.as_str(), "jpg" | "jpeg" | "png" | "webp") {
                true => MediaKind::Image,
                false => MediaKind::Video,
            }
        })
    }

    /// How long one showing lasts, given the medium's own length (nothing for an image or an endless stream).
    pub fn length(&self, media: Option<MediaTime>) -> Option<MediaTime> {
        match self.kind() {
            MediaKind::Image => Some(self.duration.unwrap_or(DEFAULT_IMAGE_DURATION)),
            MediaKind::Video => match (self.duration, media) {
                (Some(cap), Some(length)) => Some(cap.min(length)),
                (cap, length) => cap.or(length),
            },
        }
    }
}

/// A row of items for one screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// The track's id.
    pub id: TrackId,
    /// The screen that plays it; without a name, track n is for screen n.
    pub screen: Option<ScreenName>,
    /// What it shows, in order; never empty.
    pub items: Vec<Arc<Item>>,
}

/// Tracks that play at the same time, each on its screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Montage {
    /// The montage's id.
    pub id: MontageId,
    /// The tracks; never empty.
    pub tracks: Vec<Track>,
}

/// What a house plays: montages, one after the other, for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Playlist {
    /// The playlist's id.
    pub id: PlaylistId,
    /// What people call it.
    pub name: String,
    /// The montages; never empty.
    pub montages: Vec<Montage>,
}

impl Playlist {
    /// The item at a position, if there is one.
    pub fn item(&self, position: Position) -> Option<&Arc<Item>> {
        self.montages
            .get(position.montage)?
            .tracks
            .get(position.track)?
            .items
            .get(position.item)
    }
}
