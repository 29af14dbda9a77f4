//! The playlist file: JSON into a [`Playlist`], or an error that says where and what to do.
//!
//! The format's other description is `docs/schema/playlist.schema.json`; `tests/playlist_file.rs` holds the two
//! together. Deliberately absent: reading the file, and looking whether the media exist.

use std::{collections::HashMap, fmt, path::Path, sync::Arc};

use serde::Deserialize;
use thiserror::Error;

use crate::domain::{
    ids::{ItemId, MontageId, PlaylistId, ScreenName, TrackId},
    playlist::{
        Item, Montage, Playlist, Track,
        fields::{Id, Kind, Millis, Object, Sha256Digits, Text, id, src, text},
        locate::{Step, locate, written},
    },
};

/// The longest playlist file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// The most items that a playlist may have, all tracks together.
pub const MAX_ITEMS: usize = 100_000;

/// A playlist file that cannot be played, with the place and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaylistError {
    /// The line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// The column, counted from 1, where it is known.
    pub column: Option<usize>,
    /// The key, as in `montages[0].tracks[1].items[2].duration_ms`; empty for the document itself.
    pub key: String,
    /// What is wrong there.
    pub fault: PlaylistFault,
}

/// What is wrong with a playlist file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlaylistFault {
    /// The text is not JSON.
    #[error("this is not JSON: {0}")]
    Syntax(String),
    /// The JSON has another form than a playlist.
    #[error("{0}")]
    Form(String),
    /// Two things of one parent have the same id.
    #[error("the id \"{id}\" is already that of {first}: give each of them an id of its own")]
    DuplicateId {
        /// The id.
        id: String,
        /// The key of the thing that had it first.
        first: String,
    },
    /// There are more items than [`MAX_ITEMS`].
    #[error("the playlist has {0} items, and {MAX_ITEMS} at most are played: split it")]
    TooManyItems(usize),
    /// The file is longer than [`MAX_FILE_BYTES`].
    #[error("the playlist is {0} bytes long, and {MAX_FILE_BYTES} at most are read: split it")]
    TooLong(usize),
}

impl fmt::Display for PlaylistError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}")?;
            if let Some(column) = self.column {
                write!(f, ", column {column}")?;
            }
            f.write_str(": ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        self.fault.fmt(f)
    }
}

impl std::error::Error for PlaylistError {}

impl Playlist {
    /// Reads a playlist file's text. Every `src` stays as written; see [`Playlist::resolve`].
    pub fn from_json(text: &str) -> Result<Playlist, PlaylistError> {
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(PlaylistError {
                line: None,
                column: None,
                key: String::new(),
                fault: PlaylistFault::TooLong(text.len()),
            });
        }
        // Some editors put a byte order mark before everything.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = serde_json::Deserializer::from_str(text);
        let Object(written): Object<WrittenPlaylist> =
            serde_path_to_error::deserialize(&mut reader)
                .map_err(|error| read_error(error.path(), error.inner()))?;
        reader
            .end()
            .map_err(|error| read_error_at(String::new(), &error))?;
        written.check(text)?;
        Ok(written.into())
    }

    /// The same playlist with every relative `src` joined to `base`, the folder of the playlist's file.
    /// Absolute paths and URLs (`scheme://...`) stay as they are.
    pub fn resolve(mut self, base: &str) -> Playlist {
        for item in self
            .montages
            .iter_mut()
            .flat_map(|montage| &mut montage.tracks)
            .flat_map(|track| &mut track.items)
        {
            if let Some(src) = joined(base, &item.src) {
                Arc::make_mut(item).src = src;
            }
        }
        self
    }
}

/// `src` in the folder `base`, or nothing where it does not depend on a folder.
fn joined(base: &str, src: &str) -> Option<String> {
    if is_url(src) || src.starts_with('/') {
        return None;
    }
    // Going through the components drops every "./".
    let path: std::path::PathBuf = Path::new(base).join(src).components().collect();
    Some(path.to_string_lossy().into_owned())
}

/// Whether a `src` is a URL: a scheme (RFC 3986, section 3.1) followed by `://`.
fn is_url(src: &str) -> bool {
    src.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    })
}

fn read_error(path: &serde_path_to_error::Path, error: &serde_json::Error) -> PlaylistError {
    // "." is the root, and "?" a key that has not been read to its end.
    let key = path.to_string();
    let mut key = key.trim_end_matches('?').trim_end_matches('.').to_owned();
    // serde tells of a second key where it has not begun to read its value, so the path ends at the object.
    let message = error.to_string();
    if let Some((field, _)) = message
        .strip_prefix("duplicate field `")
        .and_then(|rest| rest.split_once('`'))
    {
        key.extend((!key.is_empty()).then_some("."));
        key.push_str(field);
    }
    read_error_at(key, error)
}

fn read_error_at(key: String, error: &serde_json::Error) -> PlaylistError {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = error.to_string();
    let message = message.strip_suffix(&place).unwrap_or(&message);
    let fault = match error.classify() {
        serde_json::error::Category::Data => PlaylistFault::Form(with_advice(message)),
        serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof
        | serde_json::error::Category::Io => PlaylistFault::Syntax(message.to_owned()),
    };
    PlaylistError {
        line: (error.line() > 0).then_some(error.line()),
        column: (error.line() > 0).then_some(error.column()),
        key,
        fault,
    }
}

/// Adds what to do to those of serde's messages that only say what is wrong.
fn with_advice(message: &str) -> String {
    match message.split(' ').next().unwrap_or_default() {
        "missing" => format!("{message}: add it"),
        "duplicate" => format!("{message}: remove all but one"),
        "unknown" => format!("{message}: correct its spelling or remove it"),
        _ => message.to_owned(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPlaylist {
    #[serde(deserialize_with = "id")]
    id: String,
    #[serde(deserialize_with = "text")]
    name: String,
    montages: Vec<Object<WrittenMontage>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenMontage {
    #[serde(deserialize_with = "id")]
    id: String,
    tracks: Vec<Object<WrittenTrack>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTrack {
    #[serde(deserialize_with = "id")]
    id: String,
    #[serde(default)]
    screen: Option<Id>,
    items: Vec<Object<WrittenItem>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenItem {
    #[serde(deserialize_with = "id")]
    id: String,
    #[serde(deserialize_with = "src")]
    src: String,
    #[serde(default)]
    kind: Option<Kind>,
    #[serde(default)]
    duration_ms: Option<Millis>,
    #[serde(default)]
    sha256: Option<Sha256Digits>,
    #[serde(default)]
    title: Option<Text>,
}

impl WrittenPlaylist {
    /// The rules that a single value cannot break.
    fn check(&self, text: &str) -> Result<(), PlaylistError> {
        let fault = |steps: &[Step], fault| {
            let place = locate(text, steps);
            PlaylistError {
                line: place.map(|(line, _)| line),
                column: place.map(|(_, column)| column),
                key: written(steps),
                fault,
            }
        };
        let empty = |steps: &[Step], what: &str| {
            let form = format!("there is no {what} here: add one, or remove what holds it");
            fault(steps, PlaylistFault::Form(form))
        };
        let montages = [Step::Key("montages")];
        let tracks = |number| [montages[0], Step::Index(number), Step::Key("tracks")];
        // First what the schema can say, too: then an error of the second part means that the schema is content.
        if self.montages.is_empty() {
            return Err(empty(&montages, "montage"));
        }
        let mut count = 0;
        for (number, Object(montage)) in self.montages.iter().enumerate() {
            let steps = tracks(number);
            if montage.tracks.is_empty() {
                return Err(empty(&steps, "track"));
            }
            for (number, Object(track)) in montage.tracks.iter().enumerate() {
                if track.items.is_empty() {
                    let rest = [Step::Index(number), Step::Key("items")];
                    return Err(empty(&[&steps[..], &rest].concat(), "item"));
                }
                count += track.items.len();
            }
        }
        let ids = self.montages.iter().map(|Object(montage)| &*montage.id);
        unique(ids, &montages, fault)?;
        for (number, Object(montage)) in self.montages.iter().enumerate() {
            let ids = montage.tracks.iter().map(|Object(track)| &*track.id);
            unique(ids, &tracks(number), fault)?;
        }
        match count > MAX_ITEMS {
            true => Err(fault(&montages, PlaylistFault::TooManyItems(count))),
            false => Ok(()),
        }
    }
}

/// Refuses the second of two equal ids in the list at `parent`.
fn unique<'a>(
    ids: impl Iterator<Item = &'a str>,
    parent: &[Step],
    fault: impl Fn(&[Step], PlaylistFault) -> PlaylistError,
) -> Result<(), PlaylistError> {
    let mut seen = HashMap::new();
    for (number, id) in ids.enumerate() {
        if let Some(first) = seen.insert(id, number) {
            let at = |number| [parent, &[Step::Index(number)]].concat();
            let duplicate = PlaylistFault::DuplicateId {
                id: id.to_owned(),
                first: written(&at(first)),
            };
            let steps = [at(number), vec![Step::Key("id")]].concat();
            return Err(fault(&steps, duplicate));
        }
    }
    Ok(())
}

impl From<WrittenPlaylist> for Playlist {
    fn from(playlist: WrittenPlaylist) -> Self {
        let item = |Object(item): Object<WrittenItem>| {
            Arc::new(Item {
                id: ItemId::new(item.id),
                src: item.src,
                kind: item.kind.map(|Kind(kind)| kind),
                duration: item.duration_ms.map(|Millis(time)| time),
                sha256: item.sha256.map(|Sha256Digits(digits)| digits),
                title: item.title.map(|Text(title)| title),
            })
        };
        let track = |Object(track): Object<WrittenTrack>| Track {
            id: TrackId::new(track.id),
            screen: track.screen.map(|Id(name)| ScreenName::new(name)),
            items: track.items.into_iter().map(item).collect(),
        };
        let montage = |Object(montage): Object<WrittenMontage>| Montage {
            id: MontageId::new(montage.id),
            tracks: montage.tracks.into_iter().map(track).collect(),
        };
        Playlist {
            id: PlaylistId::new(playlist.id),
            name: playlist.name,
            montages: playlist.montages.into_iter().map(montage).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ids::Position, playlist::MediaKind, units::MediaTime};

    const GOOD: &str = r#"{
  "id": "p", "name": "A summer",
  "montages": [
    {"id": "m", "tracks": [
      {"id": "t", "screen": "main", "items": [
        {"id": "a", "src": "a.mp4"},
        {"id": "b", "src": "b", "kind": "image", "duration_ms": 2500, "title": "B",
         "sha256": "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"}
      ]}
    ]}
  ]
}"#;

    fn refused(from: &str, to: &str) -> PlaylistError {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from} is not there");
        Playlist::from_json(&text).expect_err(to)
    }

    #[test]
    fn every_field_arrives() {
        let playlist = Playlist::from_json(GOOD).expect("a good playlist");
        assert_eq!((playlist.id.as_str(), &*playlist.name), ("p", "A summer"));
        let track = &playlist.montages[0].tracks[0];
        assert_eq!(track.screen, Some(ScreenName::new("main")));
        let a = playlist.item(Position::new(0, 0, 0)).expect("item a");
        assert_eq!((a.kind, a.duration, &a.sha256), (None, None, &None));
        let b = playlist.item(Position::new(0, 0, 1)).expect("item b");
        assert_eq!(b.kind, Some(MediaKind::Image));
        assert_eq!(b.duration, Some(MediaTime::from_millis(2500)));
        assert_eq!(b.title.as_deref(), Some("B"));
        let sha = b.sha256.as_deref().expect("a hash");
        assert!(sha.starts_with("e3b0c442"), "hashes are lower-case: {sha}");
        assert_eq!(
            Playlist::from_json(&format!("\u{feff}{GOOD}\n")),
            Ok(playlist)
        );
    }

    #[test]
    fn errors_name_line_key_and_remedy() {
        let item = "montages[0].tracks[0].items[1]";
        for (from, to, line, key, words) in [
            (
                "2500",
                "\"2500\"",
                7,
                format!("{item}.duration_ms"),
                "whole number",
            ),
            ("2500", "0", 7, format!("{item}.duration_ms"), "from 1"),
            (
                "2500",
                "2.5",
                7,
                format!("{item}.duration_ms"),
                "whole number",
            ),
            (
                "2500",
                "1e300",
                7,
                format!("{item}.duration_ms"),
                "whole number",
            ),
            (
                "\"image\"",
                "\"film\"",
                7,
                format!("{item}.kind"),
                "\"video\" or \"image\"",
            ),
            (
                "\"image\"",
                "{\"image\": null}",
                7,
                format!("{item}.kind"),
                "\"video\"",
            ),
            ("E3B0", "x3B0", 8, format!("{item}.sha256"), "sha256sum"),
            (
                "\"title\"",
                "\"tilte\"",
                7,
                format!("{item}.tilte"),
                "correct its spelling",
            ),
            (
                "\"id\": \"b\", ",
                "",
                8,
                item.to_owned(),
                "missing field `id`: add it",
            ),
            (
                "\"id\": \"b\"",
                "\"id\": \"\"",
                7,
                format!("{item}.id"),
                "1 to 256",
            ),
            (
                "\"src\": \"b\"",
                "\"src\": \"b\", \"src\": \"c\"",
                7,
                format!("{item}.src"),
                "remove all but one",
            ),
            (
                "{\"id\": \"a\", \"src\": \"a.mp4\"}",
                "[\"a\", \"a.mp4\"]",
                6,
                "montages[0].tracks[0].items[0]".to_owned(),
                "an object",
            ),
            ("2500,", "2500", 7, item.to_owned(), "not JSON"),
        ] {
            let error = refused(from, to);
            assert_eq!((error.line, &error.key), (Some(line), &key), "{error}");
            assert!(error.to_string().contains(words), "{error}");
            assert!(
                error.to_string().contains(&format!("line {line}")),
                "{error}"
            );
        }
        let end = Playlist::from_json(&format!("{GOOD} x")).expect_err("text after the end");
        assert_eq!(end.line, Some(12), "{end}");
        assert!(Playlist::from_json("").is_err());
        assert!(Playlist::from_json(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn empty_lists_are_refused_where_they_stand() {
        for (text, key, line) in [
            (r#"{"id":"p","name":"n","montages":[]}"#, "montages", 1),
            (
                "{\"id\":\"p\",\"name\":\"n\",\"montages\":[\n{\"id\":\"m\",\n\"tracks\":[]}]}",
                "montages[0].tracks",
                3,
            ),
            (
                "{\"id\":\"p\",\"name\":\"n\",\"montages\":[\n{\"id\":\"m\",\"tracks\":[{\"id\":\"t\",\n\"items\":[]\n}]}]}",
                "montages[0].tracks[0].items",
                3,
            ),
        ] {
            let error = Playlist::from_json(text).expect_err(text);
            assert_eq!((&*error.key, error.line), (key, Some(line)), "{error}");
            assert!(error.to_string().contains("add one"), "{error}");
        }
    }

    #[test]
    fn the_same_id_twice_in_a_parent_is_refused_and_items_may_repeat() {
        let item = r#"{"id":"i","src":"a.mp4"}"#;
        let track = format!(r#"{{"id":"t","items":[{item},{item}]}}"#);
        let montage = |tracks: &str| format!(r#"{{"id":"m","tracks":[{tracks}]}}"#);
        let list = |montages: &str| format!(r#"{{"id":"p","name":"","montages":[{montages}]}}"#);

        Playlist::from_json(&list(&montage(&track))).expect("an item may stand twice");

        let error = Playlist::from_json(&list(&montage(&format!("{track},\n{track}"))));
        let error = error.expect_err("two tracks of one id");
        assert_eq!(error.key, "montages[0].tracks[1].id");
        assert_eq!(error.line, Some(2));
        assert!(
            error.to_string().contains("montages[0].tracks[0]"),
            "{error}"
        );

        let montage = montage(&track);
        let error = Playlist::from_json(&list(&format!("{montage},{montage}")));
        let error = error.expect_err("two montages of one id");
        assert_eq!(error.key, "montages[1].id");
    }

    #[test]
    fn too_many_items_are_refused() {
        let items = vec![r#"{"id":"i","src":"a.mp4"}"#; MAX_ITEMS + 1].join(",");
        let text = format!(
            r#"{{"id":"p","name":"","montages":[{{"id":"m","tracks":[{{"id":"t","items":[{items}]}}]}}]}}"#
        );
        let error = Playlist::from_json(&text).expect_err("too many");
        assert_eq!(error.fault, PlaylistFault::TooManyItems(MAX_ITEMS + 1));
    }

    #[test]
    fn only_relative_paths_are_joined_to_the_folder() {
        for (src, whole) in [
            ("a.mp4", "/media/art/a.mp4"),
            ("./x/./a.mp4", "/media/art/x/a.mp4"),
            ("../a.mp4", "/media/art/../a.mp4"),
            ("a:b.mp4", "/media/art/a:b.mp4"),
            ("take 1://a.mp4", "/media/art/take 1:/a.mp4"),
            ("/abs/a.mp4", "/abs/a.mp4"),
            ("https://example.org/a.mp4", "https://example.org/a.mp4"),
            ("rtsp://h/s", "rtsp://h/s"),
            ("file:///a.mp4", "file:///a.mp4"),
        ] {
            let playlist = Playlist::from_json(&GOOD.replacen("a.mp4", src, 1)).expect(src);
            let playlist = playlist.resolve("/media/art");
            let item = playlist.item(Position::default()).expect("an item");
            assert_eq!(item.src, whole);
        }
    }
}
