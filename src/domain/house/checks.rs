//! What people may write into an environment: narrower than what a box reads.

use std::collections::HashSet;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::domain::{
    house::{
        edit::{EditError, Editor, Kind, invalid, resource, to_value},
        environment::{self, Format, Group, House, HouseItem, HousePlaylist, HouseScreen},
        times::{Schedule, TimeOfDay, Window},
    },
    ids::{PlaylistId, ScreenName},
    playlist::MAX_ITEMS,
    protocol::sync::MAX_HOUSE_FRAME,
};

/// The longest document, in bytes of its canonical form: what a frame holds, but for the rest of a snapshot.
pub const MAX_DOCUMENT_BYTES: usize = MAX_HOUSE_FRAME - (1 << 20);
/// The longest id, in characters.
const MAX_ID: usize = 64;
/// The longest name or title, in characters.
pub const MAX_NAME: usize = 200;
/// The longest address of a medium, in characters.
const MAX_SRC: usize = 4096;
/// The most windows of one list.
const MAX_WINDOWS: usize = 100;
/// The most outputs of a box.
pub const MAX_OUTPUTS: usize = 16;
/// The longest duration: a hundred years, in milliseconds, as in a playlist file.
const MAX_DURATION_MS: u64 = 3_155_760_000_000;

/// Checks the body of a resource, and answers it in the form in which it is stored.
pub(super) fn body(editor: &Editor<'_>, kind: Kind, body: &Value) -> Result<Value, EditError> {
    match kind {
        Kind::House => {
            let house: House = known(body)?;
            name("name", &house.name)?;
            if !(editor.is_time_zone)(&house.time_zone) {
                let message = format!(
                    "\"{}\" is no time zone: write its name in the IANA database, as in Europe/Paris",
                    house.time_zone
                );
                return Err(invalid("time_zone", message));
            }
            playlist(editor, "playlist", house.playlist.as_ref())?;
            playlist(editor, "default_playlist", house.default_playlist.as_ref())?;
            windows("display_hours", &house.display_hours)?;
            Ok(to_value(&house))
        }
        Kind::Group => {
            let group: Group = known(body)?;
            name("name", &group.name)?;
            playlist(editor, "playlist", group.playlist.as_ref())?;
            windows(
                "display_hours",
                group.display_hours.as_deref().unwrap_or_default(),
            )?;
            Ok(to_value(&group))
        }
        Kind::Screen => {
            let screen: HouseScreen = known(body)?;
            name("name", &screen.name)?;
            if let Some(id) = &screen.group
                && resource(editor.document, Kind::Group, id.as_str()).is_none()
            {
                let message = format!("there is no group \"{id}\": choose one of the house's");
                return Err(invalid("group", message));
            }
            outputs(&screen.outputs)?;
            playlist(editor, "playlist", screen.playlist.as_ref())?;
            windows(
                "display_hours",
                screen.display_hours.as_deref().unwrap_or_default(),
            )?;
            Ok(to_value(&screen))
        }
        Kind::Playlist => {
            let playlist: HousePlaylist = known(body)?;
            name("name", &playlist.name)?;
            if let Some(given) = &playlist.schedule {
                schedule(given)?;
            }
            montages(editor, &playlist)?;
            Ok(to_value(&playlist))
        }
        Kind::Item => {
            let item: HouseItem = known(body)?;
            if let Some(title) = &item.title {
                text("title", title)?;
            }
            if item
                .duration_ms
                .is_some_and(|ms| !(1..=MAX_DURATION_MS).contains(&ms))
            {
                let message =
                    format!("write a whole number of milliseconds from 1 to {MAX_DURATION_MS}");
                return Err(invalid("duration_ms", message));
            }
            for (tier, encoding) in &item.formats {
                format(tier, encoding)?;
            }
            Ok(to_value(&item))
        }
    }
}

/// Reads a body that may have no key of which its type does not know.
fn known<T: DeserializeOwned + Serialize>(body: &Value) -> Result<T, EditError> {
    if !body.is_object() {
        let advice = "a resource is an object, as in {\"name\": \"Foyer\"}";
        return Err(invalid(".", advice));
    }
    let read: T =
        environment::read(body).map_err(|error| with_advice(&error.key, &error.message))?;
    match unknown_key(body, &to_value(&read), "") {
        None => Ok(read),
        Some(key) => {
            let advice = "there is no such key: correct its spelling or remove it";
            Err(invalid(key, advice))
        }
    }
}

/// serde's message about a key, with what to do.
fn with_advice(key: &str, message: &str) -> EditError {
    let missing = message
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split_once('`'));
    match missing {
        Some((field, _)) if key == "." => invalid(field, "this is missing: add it"),
        Some((field, _)) => invalid(format!("{key}.{field}"), "this is missing: add it"),
        None => invalid(key, message),
    }
}

/// The first key in `given` that its type did not write back.
fn unknown_key(given: &Value, written: &Value, way: &str) -> Option<String> {
    match (given, written) {
        (Value::Object(given), Value::Object(written)) => {
            given.iter().find_map(|(key, given)| {
                let way = match way {
                    "" => key.clone(),
                    way => format!("{way}.{key}"),
                };
                match written.get(key) {
                    Some(written) => unknown_key(given, written, &way),
                    // An empty list or a null is as good as absent, where the key is known; it is not stored.
                    None => (!absent(given) || !may_be_absent(key)).then_some(way),
                }
            })
        }
        (Value::Array(given), Value::Array(written)) => given
            .iter()
            .zip(written)
            .enumerate()
            .find_map(|(index, (given, written))| {
                unknown_key(given, written, &format!("{way}[{index}]"))
            }),
        (_, _) => None,
    }
}

fn absent(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// The keys that are not written where they say nothing: those of an empty list, and the one within a list.
fn may_be_absent(key: &str) -> bool {
    matches!(key, "display_hours" | "windows" | "screen")
}

/// An id that is given to a resource: it stands in addresses and file names as it is.
pub(super) fn id(key: &str, id: &str) -> Result<(), EditError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    match (1..=MAX_ID).contains(&id.len()) && id.bytes().all(plain) {
        true => Ok(()),
        false => Err(invalid(
            key,
            format!("an id has 1 to {MAX_ID} letters, digits, hyphens and underscores"),
        )),
    }
}

/// What people call something: not empty.
pub(super) fn name(key: &str, name: &str) -> Result<(), EditError> {
    match name.trim().is_empty() {
        true => Err(invalid(key, "this is empty: give it a name")),
        false => text(key, name),
    }
}

fn text(key: &str, text: &str) -> Result<(), EditError> {
    if text.chars().nth(MAX_NAME).is_some() {
        let message = format!("this is longer than {MAX_NAME} characters: shorten it");
        return Err(invalid(key, message));
    }
    match text.chars().any(char::is_control) {
        true => Err(invalid(
            key,
            "this has a control character in it: write one line",
        )),
        false => Ok(()),
    }
}

fn playlist(editor: &Editor<'_>, key: &str, id: Option<&PlaylistId>) -> Result<(), EditError> {
    match id {
        Some(id) if !editor.has_playlist(id) => {
            let message = format!("there is no playlist \"{id}\": choose one of the house's");
            Err(invalid(key, message))
        }
        Some(_) | None => Ok(()),
    }
}

fn outputs(outputs: &[ScreenName]) -> Result<(), EditError> {
    if outputs.len() > MAX_OUTPUTS {
        let message = format!("a box has {MAX_OUTPUTS} outputs at most");
        return Err(invalid("outputs", message));
    }
    for (index, output) in outputs.iter().enumerate() {
        name(&format!("outputs[{index}]"), output.as_str())?;
    }
    Ok(())
}

fn windows(key: &str, windows: &[Window]) -> Result<(), EditError> {
    if windows.len() > MAX_WINDOWS {
        let message = format!(
            "{} windows, and {MAX_WINDOWS} at most: join some",
            windows.len()
        );
        return Err(invalid(key, message));
    }
    for (index, window) in windows.iter().enumerate() {
        let days = format!("{key}[{index}].days");
        let distinct: HashSet<_> = window.days.iter().collect();
        if distinct.is_empty() {
            return Err(invalid(
                days,
                "there is no day: choose at least one, as in [\"mon\"]",
            ));
        }
        if distinct.len() < window.days.len() {
            return Err(invalid(days, "a day stands there twice: remove one"));
        }
        if window.from == TimeOfDay::MIDNIGHT {
            let message = "a window begins at 23:59 at the latest: write 00:00 of the next day";
            return Err(invalid(format!("{key}[{index}].from"), message));
        }
    }
    Ok(())
}

fn schedule(schedule: &Schedule) -> Result<(), EditError> {
    if let (Some(from), Some(to)) = (schedule.from_date, schedule.to_date)
        && to < from
    {
        let message = format!("{to} is before {from}: the last date is not before the first");
        return Err(invalid("schedule.to_date", message));
    }
    windows("schedule.windows", &schedule.windows)
}

fn montages(editor: &Editor<'_>, playlist: &HousePlaylist) -> Result<(), EditError> {
    let twice = |key: String, what: &str| {
        invalid(
            key,
            format!("another {what} has this id: give each of them an id of its own"),
        )
    };
    let mut items = 0;
    let mut montages = HashSet::new();
    for (m, montage) in playlist.montages.iter().enumerate() {
        let key = format!("montages[{m}].id");
        id(&key, montage.id.as_str())?;
        if !montages.insert(&montage.id) {
            return Err(twice(key, "montage"));
        }
        let mut tracks = HashSet::new();
        for (t, track) in montage.tracks.iter().enumerate() {
            let way = format!("montages[{m}].tracks[{t}]");
            let key = format!("{way}.id");
            id(&key, track.id.as_str())?;
            if !tracks.insert(&track.id) {
                return Err(twice(key, "track"));
            }
            if let Some(screen) = &track.screen {
                name(&format!("{way}.screen"), screen.as_str())?;
            }
            for (i, item) in track.items.iter().enumerate() {
                if resource(editor.document, Kind::Item, item.as_str()).is_none() {
                    let message = format!("there is no item \"{item}\": upload it first");
                    return Err(invalid(format!("{way}.items[{i}]"), message));
                }
            }
            items += track.items.len();
        }
    }
    if items > MAX_ITEMS {
        let message = format!("the playlist has {items} items, and {MAX_ITEMS} at most: split it");
        return Err(invalid("montages", message));
    }
    Ok(())
}

fn format(tier: &str, format: &Format) -> Result<(), EditError> {
    id("formats", tier)?;
    let way = format!("formats.{tier}");
    let src = &format.src;
    let path = src.starts_with('/') && !src.starts_with("//");
    let url = src
        .strip_prefix("https://")
        .or_else(|| src.strip_prefix("http://"))
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    let plain = src.chars().all(|c| !c.is_control() && !c.is_whitespace());
    if !(path || url) || !plain || src.chars().nth(MAX_SRC).is_some() {
        let message =
            "write an absolute path on this house, or a URL that begins with http:// or https://";
        return Err(invalid(format!("{way}.src"), message));
    }
    let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if format.sha256.len() != 64 || !format.sha256.bytes().all(digits) {
        let message = "write the 64 hexadecimal digits that sha256sum prints";
        return Err(invalid(format!("{way}.sha256"), message));
    }
    if format.size == 0 {
        return Err(invalid(
            format!("{way}.size"),
            "an empty file cannot be shown",
        ));
    }
    match &format.mime {
        Some(mime) if !mime.contains('/') => {
            let message = "write a media type, as in video/mp4";
            Err(invalid(format!("{way}.mime"), message))
        }
        Some(mime) => text(&format!("{way}.mime"), mime),
        None => Ok(()),
    }
}
