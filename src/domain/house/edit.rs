//! Changing the environment: what a person asks for becomes a new document, its patch and what is to be stored.
//!
//! An edit is whole or not at all: everything is checked before anything is answered. Deliberately absent: who may
//! edit, making ids, and storing.

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::domain::{
    house::{
        canonical,
        checks::{self, MAX_DOCUMENT_BYTES},
        environment::House,
        merge,
    },
    ids::{DocumentHash, HouseId, HouseScreenId, PlaylistId, Revision, ScreenName},
};

/// The kinds of resources of which a document is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The house itself; there is one.
    House,
    /// A group of screens.
    Group,
    /// A screen.
    Screen,
    /// A playlist.
    Playlist,
    /// An item.
    Item,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 5] = [
        Kind::House,
        Kind::Group,
        Kind::Screen,
        Kind::Playlist,
        Kind::Item,
    ];

    /// Its key in the document.
    pub fn key(self) -> &'static str {
        match self {
            Kind::House => "house",
            Kind::Group => "groups",
            Kind::Screen => "screens",
            Kind::Playlist => "playlists",
            Kind::Item => "items",
        }
    }

    /// Its name, as it is stored and as people say it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::House => "house",
            Kind::Group => "group",
            Kind::Screen => "screen",
            Kind::Playlist => "playlist",
            Kind::Item => "item",
        }
    }

    /// The kind of this [`Kind::name`], if there is one.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A resource to be stored or deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// What kind.
    pub kind: Kind,
    /// Which.
    pub id: String,
    /// What stands in the document for it, with its new `rev`; nothing where it is to be deleted.
    pub body: Option<Value>,
}

/// A change of a house.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// The house's revision now: one more than before, or as before where nothing changed.
    pub rev: Revision,
    /// What to store; empty where nothing changed.
    pub writes: Vec<Write>,
    /// The merge patch from the document before to this one.
    pub patch: Value,
    /// The document now.
    pub document: Value,
    /// Its hash.
    pub sha256: DocumentHash,
}

/// Why an edit is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EditError {
    /// There is no such resource.
    #[error("there is no {} \"{id}\" in this house: it may have been deleted meanwhile; load the page again", kind.name())]
    NotFound {
        /// What kind.
        kind: Kind,
        /// Which.
        id: String,
    },
    /// A value cannot be as asked for.
    #[error("{key}: {message}")]
    Invalid {
        /// The key in the resource, as in `schedule.windows[0].from`; `.` for the resource itself.
        key: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// Something else needs it.
    #[error("the {} \"{id}\" is in use: take it out of {} first", kind.name(), listed(by))]
    InUse {
        /// What kind.
        kind: Kind,
        /// Which.
        id: String,
        /// What needs it, in people's words, as in `the playlist "Summer"`.
        by: Vec<String>,
    },
}

fn listed(by: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = by.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    match by.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// An `Invalid` of this key.
pub(super) fn invalid(key: impl Into<String>, message: impl Into<String>) -> EditError {
    EditError::Invalid {
        key: key.into(),
        message: message.into(),
    }
}

/// A new house's part of the document, with every setting at its default.
pub fn new_house(id: &HouseId, name: &str) -> Result<Value, EditError> {
    checks::name("name", name)?;
    Ok(to_value(&House::new(id.clone(), name)))
}

/// A document made of stored resources. Of several houses the last counts; there should be one.
pub fn document(resources: impl IntoIterator<Item = (Kind, String, Value)>) -> Value {
    let mut document: Map<String, Value> = Kind::ALL
        .into_iter()
        .map(|kind| (kind.key().to_owned(), json!({})))
        .collect();
    for (kind, id, body) in resources {
        match (kind, document.get_mut(kind.key())) {
            (Kind::House, Some(place)) => *place = body,
            (_, Some(Value::Object(map))) => drop(map.insert(id, body)),
            (_, _) => {}
        }
    }
    Value::Object(document)
}

/// What stands in a document for a resource, if it is there.
pub fn resource<'a>(document: &'a Value, kind: Kind, id: &str) -> Option<&'a Value> {
    let place = document.get(kind.key())?;
    match kind {
        Kind::House => (place.get("id")?.as_str()? == id).then_some(place),
        Kind::Group | Kind::Screen | Kind::Playlist | Kind::Item => place.get(id),
    }
}

/// Every resource of a document, in order.
pub fn resources(document: &Value) -> Vec<(Kind, &str, &Value)> {
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let Some(Value::Object(place)) = document.get(kind.key()) else {
            continue;
        };
        match kind {
            Kind::House => {
                let id = place.get("id").and_then(Value::as_str).unwrap_or_default();
                found.push((kind, id, &document[kind.key()]));
            }
            Kind::Group | Kind::Screen | Kind::Playlist | Kind::Item => {
                found.extend(place.iter().map(|(id, body)| (kind, id.as_str(), body)));
            }
        }
    }
    found
}

/// Edits one document.
#[derive(Clone, Copy)]
pub struct Editor<'a> {
    /// The document as it is.
    pub document: &'a Value,
    /// Its revision.
    pub rev: Revision,
    /// Whether a name is that of a time zone.
    pub is_time_zone: &'a dyn Fn(&str) -> bool,
}

/// What only the house itself sets.
const NOT_SET_BY_PEOPLE: [(&str, &str); 3] = [
    ("id", "an id never changes: leave it out"),
    ("rev", "the house counts revisions itself: leave it out"),
    ("outputs", "the box tells what outputs it has: leave it out"),
];

impl Editor<'_> {
    /// Adds a group, playlist or item. Nulls in `body` count as absent.
    pub fn create(&self, kind: Kind, id: &str, body: &Value) -> Result<Edit, EditError> {
        match kind {
            Kind::Group | Kind::Playlist | Kind::Item => {}
            Kind::House => return Err(invalid(".", "this document has its house already")),
            Kind::Screen => {
                let advice = "a screen comes by pairing: enter the code that the box shows";
                return Err(invalid(".", advice));
            }
        }
        self.refuse_what_people_do_not_set(body)?;
        self.insert(kind, id, merge::without_nulls(body.clone()))
    }

    /// Changes a resource by a merge patch: null takes a setting back to its default, or to what is inherited.
    pub fn change(&self, kind: Kind, id: &str, patch: &Value) -> Result<Edit, EditError> {
        self.refuse_what_people_do_not_set(patch)?;
        self.merge(kind, id, patch)
    }

    /// Removes a group, screen, playlist or item. Settings that name it are cleared with it; an item that a playlist
    /// shows is not removed.
    pub fn remove(&self, kind: Kind, id: &str) -> Result<Edit, EditError> {
        self.existing(kind, id)?;
        let mut new = self.document.clone();
        match kind {
            Kind::House => {
                return Err(invalid(".", "a house is not removed from its own document"));
            }
            Kind::Screen => {}
            Kind::Group => clear(&mut new, &[Kind::Screen], "group", id),
            Kind::Playlist => {
                clear(
                    &mut new,
                    &[Kind::House, Kind::Group, Kind::Screen],
                    "playlist",
                    id,
                );
                clear(&mut new, &[Kind::House], "default_playlist", id);
            }
            Kind::Item => {
                let by = self.shown_by(id);
                if !by.is_empty() {
                    let id = id.to_owned();
                    return Err(EditError::InUse { kind, id, by });
                }
            }
        }
        if let Some(Value::Object(map)) = new.get_mut(kind.key()) {
            map.remove(id);
        }
        self.finish(new)
    }

    /// Adds a screen: a box was approved.
    pub fn enrol(
        &self,
        id: &HouseScreenId,
        name: &str,
        outputs: &[ScreenName],
    ) -> Result<Edit, EditError> {
        let body = json!({"name": name, "outputs": outputs});
        self.insert(Kind::Screen, id.as_str(), body)
    }

    /// A box that the house knows was approved once more, with another name if one is given.
    pub fn enrol_again(
        &self,
        id: &HouseScreenId,
        name: Option<&str>,
        outputs: &[ScreenName],
    ) -> Result<Edit, EditError> {
        let patch = match name {
            Some(name) => json!({"name": name, "outputs": outputs}),
            None => json!({"outputs": outputs}),
        };
        self.merge(Kind::Screen, id.as_str(), &patch)
    }

    /// Notes the outputs that a box says it has.
    pub fn outputs(&self, id: &HouseScreenId, outputs: &[ScreenName]) -> Result<Edit, EditError> {
        self.merge(Kind::Screen, id.as_str(), &json!({"outputs": outputs}))
    }

    fn refuse_what_people_do_not_set(&self, body: &Value) -> Result<(), EditError> {
        for (key, message) in NOT_SET_BY_PEOPLE {
            if body.get(key).is_some() {
                return Err(invalid(key, message));
            }
        }
        Ok(())
    }

    fn existing(&self, kind: Kind, id: &str) -> Result<&Value, EditError> {
        resource(self.document, kind, id).ok_or_else(|| EditError::NotFound {
            kind,
            id: id.to_owned(),
        })
    }

    fn insert(&self, kind: Kind, id: &str, body: Value) -> Result<Edit, EditError> {
        checks::id("id", id)?;
        if resource(self.document, kind, id).is_some() {
            let message = format!(
                "there is a {} of this id already: choose another",
                kind.name()
            );
            return Err(invalid("id", message));
        }
        self.put(kind, id, &body)
    }

    fn merge(&self, kind: Kind, id: &str, patch: &Value) -> Result<Edit, EditError> {
        let mut body = self.existing(kind, id)?.clone();
        if !patch.is_object() {
            return Err(invalid(
                ".",
                "a change is an object, as in {\"name\": \"Foyer\"}",
            ));
        }
        merge::apply(&mut body, patch);
        self.put(kind, id, &body)
    }

    /// Checks a body and puts it into the document.
    fn put(&self, kind: Kind, id: &str, body: &Value) -> Result<Edit, EditError> {
        let body = checks::body(self, kind, body)?;
        let mut new = self.document.clone();
        match kind {
            Kind::House => new[kind.key()] = body,
            Kind::Group | Kind::Screen | Kind::Playlist | Kind::Item => {
                new[kind.key()][id] = body;
            }
        }
        self.finish(new)
    }

    /// What shows an item, in people's words.
    fn shown_by(&self, item: &str) -> Vec<String> {
        let shows = |body: &Value| {
            let list = |value: &Value, key| value.get(key).and_then(Value::as_array).cloned();
            list(body, "montages")
                .into_iter()
                .flatten()
                .flat_map(|montage| list(&montage, "tracks").unwrap_or_default())
                .flat_map(|track| list(&track, "items").unwrap_or_default())
                .any(|id| id == item)
        };
        resources(self.document)
            .into_iter()
            .filter(|(kind, _, body)| *kind == Kind::Playlist && shows(body))
            .map(|(_, id, body)| {
                let name = body.get("name").and_then(Value::as_str).unwrap_or(id);
                format!("the playlist \"{name}\"")
            })
            .collect()
    }

    /// The edit that brings this document, in which no `rev` has been moved yet.
    fn finish(&self, mut new: Value) -> Result<Edit, EditError> {
        let rev = self.rev.next();
        let changed: Vec<(Kind, String)> = resources(&new)
            .into_iter()
            .filter(|(kind, id, body)| resource(self.document, *kind, id) != Some(*body))
            .map(|(kind, id, _)| (kind, id.to_owned()))
            .collect();
        let gone = resources(self.document)
            .into_iter()
            .filter(|(kind, id, _)| resource(&new, *kind, id).is_none())
            .map(|(kind, id, _)| (kind, id.to_owned()));
        let mut writes: Vec<Write> = gone
            .map(|(kind, id)| Write {
                kind,
                id,
                body: None,
            })
            .collect();
        for (kind, id) in changed {
            let body = match kind {
                Kind::House => &mut new[kind.key()],
                Kind::Group | Kind::Screen | Kind::Playlist | Kind::Item => {
                    &mut new[kind.key()][id.as_str()]
                }
            };
            body["rev"] = json!(rev);
            let body = Some(body.clone());
            writes.push(Write { kind, id, body });
        }
        let bytes = canonical::bytes(&new);
        if bytes.len() > MAX_DOCUMENT_BYTES && !writes.is_empty() {
            let message = format!(
                "with this the house would be {} bytes long, and {MAX_DOCUMENT_BYTES} at most are sent to its boxes: \
                 remove playlists or items that are no longer needed",
                bytes.len()
            );
            return Err(invalid(".", message));
        }
        Ok(Edit {
            rev: match writes.is_empty() {
                true => self.rev,
                false => rev,
            },
            writes,
            patch: merge::diff(self.document, &new),
            sha256: canonical::sha256_of(&bytes),
            document: new,
        })
    }
}

/// Takes a setting out of every resource of some kinds in which it names `id`.
fn clear(document: &mut Value, kinds: &[Kind], key: &str, id: &str) {
    let names = |body: &Value| body.get(key).and_then(Value::as_str) == Some(id);
    for kind in kinds {
        let Some(Value::Object(place)) = document.get_mut(kind.key()) else {
            continue;
        };
        match kind {
            Kind::House => {
                if place.get(key).and_then(Value::as_str) == Some(id) {
                    place.remove(key);
                }
            }
            Kind::Group | Kind::Screen | Kind::Playlist | Kind::Item => {
                for body in place.values_mut().filter(|body| names(body)) {
                    if let Value::Object(body) = body {
                        body.remove(key);
                    }
                }
            }
        }
    }
}

/// A type of ours as JSON.
pub(super) fn to_value<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("our types have text keys and finite numbers")
}

impl Editor<'_> {
    /// Whether the house has this playlist.
    pub(super) fn has_playlist(&self, id: &PlaylistId) -> bool {
        resource(self.document, Kind::Playlist, id.as_str()).is_some()
    }
}
