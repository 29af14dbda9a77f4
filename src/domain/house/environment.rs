//! The environment document, read: what a house tells its boxes.
//!
//! Reading is tolerant of keys that it does not know, since the house may be newer than the box; a box is also tolerant
//! of values, see [`crate::domain::house::reading`]. What a person may write is narrower; see
//! [`crate::domain::house::edit`]. The document's other description is `docs/schema/environment.schema.json`, which is
//! made of these types.

use std::{collections::BTreeMap, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use thiserror::Error;

use crate::domain::{
    config::Volume,
    fit::Fit,
    house::{
        reading,
        times::{Schedule, Window},
    },
    ids::{
        GroupId, HouseId, HouseScreenId, ItemId, MontageId, PlaylistId, Revision, ScreenName,
        TrackId,
    },
    playlist::{Item, MediaKind, Montage, Playlist, Track},
    units::MediaTime,
};

/// Everything that a house tells its boxes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// The house and its settings.
    pub house: House,
    /// Groups of screens.
    #[serde(default)]
    pub groups: BTreeMap<GroupId, Group>,
    /// Its screens.
    #[serde(default)]
    pub screens: BTreeMap<HouseScreenId, HouseScreen>,
    /// Its playlists.
    #[serde(default)]
    pub playlists: BTreeMap<PlaylistId, HousePlaylist>,
    /// Its items.
    #[serde(default)]
    pub items: BTreeMap<ItemId, HouseItem>,
}

/// A house and the settings of all its screens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct House {
    /// Its id.
    pub id: HouseId,
    /// The revision at which this part last changed.
    #[serde(default)]
    pub rev: Revision,
    /// What people call it.
    pub name: String,
    /// The time zone of its schedules, by its name in the IANA database.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// Whether a box starts to play by itself.
    #[serde(default)]
    pub autostart_playlist: bool,
    /// Whether an item that ended is followed by the next; if not, its last frame stays until told.
    #[serde(default = "yes")]
    pub auto_advance: bool,
    /// The playlist to play while none is scheduled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playlist: Option<PlaylistId>,
    /// The playlist to play where there is no other, or the time is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_playlist: Option<PlaylistId>,
    /// How loud.
    #[serde(default = "default_volume")]
    pub volume: Volume,
    /// Whether sound is off.
    #[serde(default)]
    pub mute: bool,
    /// What to do where picture and screen differ in shape.
    #[serde(default)]
    pub fit: Fit,
    /// Whether the displays are off now, whatever the hours say.
    #[serde(default)]
    pub standby: bool,
    /// When the displays are on; none means always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub display_hours: Vec<Window>,
}

/// The time zone where none is set.
fn utc() -> String {
    "UTC".to_owned()
}

fn yes() -> bool {
    true
}

fn default_volume() -> Volume {
    Volume::DEFAULT
}

impl House {
    /// A house that has only its name: every setting has its default.
    pub fn new(id: HouseId, name: impl Into<String>) -> Self {
        Self {
            id,
            rev: Revision(1),
            name: name.into(),
            time_zone: utc(),
            autostart_playlist: false,
            auto_advance: true,
            playlist: None,
            default_playlist: None,
            volume: Volume::DEFAULT,
            mute: false,
            fit: Fit::default(),
            standby: false,
            display_hours: Vec::new(),
        }
    }
}

/// Screens that take a setting together. What is absent is as in the house.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// The revision at which it last changed.
    #[serde(default)]
    pub rev: Revision,
    /// What people call it.
    pub name: String,
    /// As in the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_advance: Option<bool>,
    /// As in the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playlist: Option<PlaylistId>,
    /// As in the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Volume>,
    /// As in the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mute: Option<bool>,
    /// As in the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    /// As in the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby: Option<bool>,
    /// As in the house; an empty list means always on, whatever the house says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_hours: Option<Vec<Window>>,
}

/// An enrolled box with what hangs on it. What is absent is as in its group, or else as in the house.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HouseScreen {
    /// The revision at which it last changed.
    #[serde(default)]
    pub rev: Revision,
    /// What people call it.
    pub name: String,
    /// The group that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    /// The names of its outputs, as the box tells them.
    #[serde(default)]
    pub outputs: Vec<ScreenName>,
    /// As in the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_advance: Option<bool>,
    /// As in the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playlist: Option<PlaylistId>,
    /// As in the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Volume>,
    /// As in the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mute: Option<bool>,
    /// As in the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    /// As in the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby: Option<bool>,
    /// As in the house; an empty list means always on, whatever the group and the house say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_hours: Option<Vec<Window>>,
}

/// A playlist of the house. Unlike one that is played, it may be empty, in whole or in part: it is being edited.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HousePlaylist {
    /// The revision at which it last changed.
    #[serde(default)]
    pub rev: Revision,
    /// What people call it.
    pub name: String,
    /// When it plays instead of the selected playlist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// The montages, in order.
    #[serde(default)]
    pub montages: Vec<HouseMontage>,
}

/// Tracks that play at the same time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HouseMontage {
    /// Its id, unique in its playlist.
    pub id: MontageId,
    /// The tracks.
    #[serde(default)]
    pub tracks: Vec<HouseTrack>,
}

/// A row of items for one output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HouseTrack {
    /// Its id, unique in its montage.
    pub id: TrackId,
    /// The output that plays it; without a name, track n is for output n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screen: Option<ScreenName>,
    /// The ids of what it shows, in order.
    #[serde(default)]
    pub items: Vec<ItemId>,
}

/// An artwork or advertisement, in one or several encodings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HouseItem {
    /// The revision at which it last changed.
    #[serde(default)]
    pub rev: Revision,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it holds.
    pub kind: MediaKind,
    /// How long it stands, in milliseconds: an image's whole time, an upper limit for a video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Its encodings by tier; `source` is what was uploaded.
    #[serde(default)]
    pub formats: BTreeMap<String, Format>,
}

/// One encoding of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Format {
    /// Where it is: an absolute path on the house, or an http or https URL.
    pub src: String,
    /// The SHA-256 of the file, in lower-case hexadecimal digits.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// Its bytes.
    pub size: u64,
    /// Its media type, as in `video/mp4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
}

/// A document that is no environment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
#[error("the environment cannot be read: {key}: {message}")]
pub struct EnvironmentError {
    /// The key, as in `screens.s1.volume`; `.` for the document itself.
    pub key: String,
    /// What is wrong there.
    pub message: String,
}

impl Environment {
    /// Reads a document of which every value must be understood.
    pub fn read(document: &Value) -> Result<Environment, EnvironmentError> {
        read(document)
    }

    /// A playlist as the player wants it: with those items for which `src` knows where the medium is. What is empty
    /// then is left out, and where nothing is left there is no playlist.
    ///
    /// `src` answers with a path or URL, or with nothing where the item cannot be played yet.
    pub fn playlist(
        &self,
        id: &PlaylistId,
        src: impl Fn(&ItemId, &HouseItem) -> Option<String>,
    ) -> Option<Playlist> {
        let playlist = self.playlists.get(id)?;
        let mut made: BTreeMap<&ItemId, Option<Arc<Item>>> = BTreeMap::new();
        let mut item = |id| {
            made.entry(id)
                .or_insert_with(|| {
                    let item = self.items.get(id)?;
                    src(id, item).map(|src| Arc::new(item.playable(id, src)))
                })
                .clone()
        };
        let mut montages = Vec::new();
        for montage in &playlist.montages {
            let mut tracks: Vec<Track> = Vec::new();
            for (number, track) in montage.tracks.iter().enumerate() {
                // Without a name, track n is for output n: rather none than one that has moved to another output.
                if track.screen.is_none() && number != tracks.len() {
                    continue;
                }
                let items: Vec<Arc<Item>> = track.items.iter().filter_map(&mut item).collect();
                if !items.is_empty() {
                    tracks.push(Track {
                        id: track.id.clone(),
                        screen: track.screen.clone(),
                        items,
                    });
                }
            }
            if !tracks.is_empty() {
                montages.push(Montage {
                    id: montage.id.clone(),
                    tracks,
                });
            }
        }
        (!montages.is_empty()).then(|| Playlist {
            id: id.clone(),
            name: playlist.name.clone(),
            montages,
        })
    }

    /// Whether a playlist has any item at all.
    pub(super) fn has_items(&self, id: &PlaylistId) -> bool {
        self.playlists.get(id).is_some_and(|playlist| {
            let mut tracks = playlist.montages.iter().flat_map(|m| &m.tracks);
            tracks.any(|track| track.items.iter().any(|id| self.items.contains_key(id)))
        })
    }
}

impl HouseItem {
    fn playable(&self, id: &ItemId, src: String) -> Item {
        let millis = self.duration_ms.and_then(|ms| i64::try_from(ms).ok());
        Item {
            id: id.clone(),
            src,
            kind: Some(self.kind),
            duration: millis.filter(|ms| *ms > 0).map(MediaTime::from_millis),
            // The file was checked when it came; it is not hashed again at every opening.
            sha256: None,
            title: self.title.clone(),
        }
    }
}

/// Reads a part of a document, and names the key where that fails.
pub(super) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, EnvironmentError> {
    reading::whole(value).map_err(|fault| fault.error)
}
