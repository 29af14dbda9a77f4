//! Reading a document that may be of a later version: what is not understood is left out, and the rest holds.
//!
//! A part is what can be missing without taking anything else with it: one setting, the schedule of a playlist, one
//! encoding of an item, and at last a whole group, screen, playlist or item. Only a house without its id or name is
//! none. Deliberately absent: changing the document, which stays as it was sent, with its hash.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::domain::{
    house::environment::{Environment, EnvironmentError},
    ids::{GroupId, HouseScreenId, ItemId, PlaylistId},
};

/// The key of a resource whose entries are parts of their own.
const ENCODINGS: &str = "formats";

/// A document, as far as it is understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// What is understood.
    pub environment: Environment,
    /// What is not, and was left out; empty where the whole document is understood.
    pub left_out: Vec<EnvironmentError>,
}

impl Reading {
    /// Reads a document.
    pub fn of(document: &Value) -> Result<Self, EnvironmentError> {
        let error = match whole(document) {
            Ok(environment) => {
                return Ok(Self {
                    environment,
                    left_out: Vec::new(),
                });
            }
            Err(fault) => fault.error,
        };
        let house = document.get("house").ok_or(error)?;
        let mut left_out = Vec::new();
        let environment = Environment {
            house: part("house", house, &mut left_out)?,
            groups: parts(document, "groups", GroupId::new, &mut left_out),
            screens: parts(document, "screens", HouseScreenId::new, &mut left_out),
            playlists: parts(document, "playlists", PlaylistId::new, &mut left_out),
            items: parts(document, "items", ItemId::new, &mut left_out),
        };
        Ok(Self {
            environment,
            left_out,
        })
    }
}

/// What is wrong, and the way to it.
pub(super) struct Fault {
    pub error: EnvironmentError,
    way: Vec<Segment>,
}

/// Reads a value of which everything must be understood.
pub(super) fn whole<T: DeserializeOwned>(value: &Value) -> Result<T, Fault> {
    serde_path_to_error::deserialize(value).map_err(|error| Fault {
        way: error.path().iter().cloned().collect(),
        error: EnvironmentError {
            key: error.path().to_string(),
            message: error.inner().to_string(),
        },
    })
}

/// Reads the resources of one kind, each by itself.
fn parts<K: Ord, T: DeserializeOwned>(
    document: &Value,
    kind: &str,
    id: impl Fn(String) -> K,
    left_out: &mut Vec<EnvironmentError>,
) -> BTreeMap<K, T> {
    let resources = match document.get(kind) {
        Some(Value::Object(resources)) => resources,
        Some(_) => {
            left_out.push(EnvironmentError {
                key: kind.to_owned(),
                message: "this is no object with ids as keys".to_owned(),
            });
            return BTreeMap::new();
        }
        None => return BTreeMap::new(),
    };
    let mut read = BTreeMap::new();
    for (name, value) in resources {
        match part(&format!("{kind}.{name}"), value, left_out) {
            Ok(resource) => drop(read.insert(id(name.clone()), resource)),
            Err(error) => left_out.push(error),
        }
    }
    read
}

/// Reads a resource without those of its parts that are not understood. Where one of them must be there, the resource
/// cannot be read.
fn part<T: DeserializeOwned>(
    name: &str,
    value: &Value,
    left_out: &mut Vec<EnvironmentError>,
) -> Result<T, EnvironmentError> {
    let mut fault = match whole(value) {
        Ok(resource) => return Ok(resource),
        Err(fault) => fault,
    };
    let mut rest = value.clone();
    let mut cuts: Vec<EnvironmentError> = Vec::new();
    // Every round takes a key away, so there is an end.
    while cut(&mut rest, &fault.way) {
        cuts.push(within(name, fault.error));
        fault = match whole(&rest) {
            Ok(resource) => {
                left_out.append(&mut cuts);
                return Ok(resource);
            }
            Err(fault) => fault,
        };
    }
    // What was taken away last is what is missing now.
    Err(cuts.pop().unwrap_or_else(|| within(name, fault.error)))
}

fn within(name: &str, error: EnvironmentError) -> EnvironmentError {
    let key = match error.key.as_str() {
        "." => name.to_owned(),
        key => format!("{name}.{key}"),
    };
    EnvironmentError { key, ..error }
}

/// Takes the part away that this way leads into. False where there is none.
fn cut(resource: &mut Value, way: &[Segment]) -> bool {
    let (Value::Object(resource), Some(Segment::Map { key })) = (resource, way.first()) else {
        return false;
    };
    if key == ENCODINGS
        && let (Some(Value::Object(encodings)), Some(Segment::Map { key: tier })) =
            (resource.get_mut(key), way.get(1))
    {
        return encodings.remove(tier).is_some();
    }
    resource.remove(key).is_some()
}
