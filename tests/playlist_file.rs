//! The playlist parser and `docs/schema/playlist.schema.json` say the same.
//!
//! What a schema cannot say is listed in [`beyond_schema`] and in the schema's own description.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

use std::{fs, path::PathBuf};

use jsonschema::Validator;
use musebox::domain::playlist::{Playlist, PlaylistError, PlaylistFault};
use proptest::prelude::*;
use serde_json::{Value, json};

fn schema() -> Validator {
    let text = fs::read_to_string("docs/schema/playlist.schema.json").expect("the schema");
    let schema: Value = serde_json::from_str(&text).expect("the schema is JSON");
    jsonschema::meta::validate(&schema).expect("the schema is a schema");
    jsonschema::validator_for(&schema).expect("the schema compiles")
}

fn corpus(folder: &str) -> Vec<(PathBuf, String)> {
    let mut files: Vec<_> = fs::read_dir(format!("tests/data/playlists/{folder}"))
        .expect("the corpus")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(files.len() >= 10, "the corpus is there");
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a document");
            (path, text)
        })
        .collect()
}

/// The rules of the parser that a schema cannot say.
fn beyond_schema(error: &PlaylistError) -> bool {
    match &error.fault {
        // Two montages of the playlist, or two tracks of a montage, have the same id.
        PlaylistFault::DuplicateId { .. } => true,
        // All items of all tracks together are more than 100,000.
        PlaylistFault::TooManyItems(_) => true,
        // The text is longer than 64 MiB.
        PlaylistFault::TooLong(_) => true,
        // A key stands twice in one object: JSON values in memory have no such thing.
        PlaylistFault::Form(message) => message.starts_with("duplicate field"),
        PlaylistFault::Syntax(_) => false,
    }
}

#[test]
fn good_documents_pass_both() {
    let schema = schema();
    for (path, text) in corpus("good") {
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert!(schema.is_valid(&value), "{}", path.display());
        if let Err(error) = Playlist::from_json(&text) {
            panic!("{}: {error}", path.display());
        }
    }
}

#[test]
fn bad_documents_fail_both_and_say_where() {
    let schema = schema();
    for (path, text) in corpus("bad") {
        let name = path.display();
        let error = Playlist::from_json(&text).expect_err(&text);
        assert!(error.line.is_some(), "{name}: {error}");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        let named_so = name.to_string().contains("beyond_schema");
        assert_eq!(beyond_schema(&error), named_so, "{name}: {error}");
        assert_eq!(schema.is_valid(&value), named_so, "{name}");
    }
}

#[test]
fn the_schema_s_own_examples_are_playlists() {
    let text = fs::read_to_string("docs/schema/playlist.schema.json").expect("the schema");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let examples = schema["examples"].as_array().expect("examples");
    assert!(!examples.is_empty());
    for example in examples {
        Playlist::from_json(&example.to_string()).expect("an example");
    }
}

fn word() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!("")),
        Just(json!("a")),
        "[a-z]{1,3}".prop_map(Value::from),
        ".{0,300}".prop_map(Value::from),
        "[0-9a-fA-F]{63,65}".prop_map(Value::from),
        Just(json!("video")),
        Just(json!("image")),
    ]
}

/// Any small JSON value, with those in it that are nearly right somewhere.
fn anything() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0i64..3).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (3_155_759_999_999u64..3_155_760_000_002).prop_map(Value::from),
        (-2.0f64..4e12).prop_map(Value::from),
        (-2i32..9).prop_map(|n| Value::from(f64::from(n))),
        word(),
    ];
    scalar.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..3)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "id",
        "name",
        "montages",
        "tracks",
        "items",
        "screen",
        "src",
        "kind",
        "duration_ms",
        "sha256",
        "title",
        "other",
    ])
    .prop_map(str::to_owned)
}

fn playlist() -> impl Strategy<Value = Value> {
    let item = (any::<[bool; 4]>(), 1u32..100_000).prop_map(|(has, ms)| {
        let mut item = json!({"id": "i", "src": "a.mp4"});
        if has[0] {
            item["kind"] = json!("video");
        }
        if has[1] {
            item["duration_ms"] = json!(ms);
        }
        if has[2] {
            item["sha256"] = json!("0f".repeat(32));
        }
        if has[3] {
            item["title"] = json!("Waves");
        }
        item
    });
    let items = prop::collection::vec(item, 1..3);
    let tracks = prop::collection::vec((items, any::<bool>()), 1..3).prop_map(|tracks| {
        let tracks = tracks.into_iter().enumerate();
        tracks
            .map(|(number, (items, named))| match named {
                true => json!({"id": format!("t{number}"), "screen": "main", "items": items}),
                false => json!({"id": format!("t{number}"), "items": items}),
            })
            .collect::<Vec<_>>()
    });
    prop::collection::vec(tracks, 1..3).prop_map(|montages| {
        let montages: Vec<_> = montages
            .into_iter()
            .enumerate()
            .map(|(number, tracks)| json!({"id": format!("m{number}"), "tracks": tracks}))
            .collect();
        json!({"id": "p", "name": "n", "montages": montages})
    })
}

/// One change somewhere in a document.
#[derive(Clone, Debug)]
enum Mutation {
    Replace(Value),
    Remove,
    Insert(String, Value),
    Repeat,
    AsArray,
}

fn mutation() -> impl Strategy<Value = (Vec<prop::sample::Index>, Mutation)> {
    let what = prop_oneof![
        4 => anything().prop_map(Mutation::Replace),
        1 => Just(Mutation::Remove),
        3 => (key(), anything()).prop_map(|(key, value)| Mutation::Insert(key, value)),
        1 => Just(Mutation::Repeat),
        1 => Just(Mutation::AsArray),
    ];
    (
        prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        what,
    )
}

/// Goes down by the indices as far as there is something below, and changes what is there.
fn mutate(value: &mut Value, way: &[prop::sample::Index], what: Mutation) {
    if let Some((first, rest)) = way.split_first() {
        match value {
            Value::Object(map) if !map.is_empty() => {
                let key = map.keys().nth(first.index(map.len())).cloned();
                if let (Mutation::Remove, []) = (&what, rest) {
                    map.remove(&key.expect("a key"));
                } else if let Some(below) = map.get_mut(&key.expect("a key")) {
                    mutate(below, rest, what);
                }
                return;
            }
            Value::Array(list) if !list.is_empty() => {
                let index = first.index(list.len());
                match (&what, rest) {
                    (Mutation::Remove, []) => drop(list.remove(index)),
                    (Mutation::Repeat, []) => list.push(list[index].clone()),
                    _ => mutate(&mut list[index], rest, what),
                }
                return;
            }
            _ => {}
        }
    }
    match what {
        Mutation::Replace(new) => *value = new,
        Mutation::Insert(key, new) => {
            if let Value::Object(map) = value {
                map.insert(key, new);
            }
        }
        Mutation::AsArray => {
            if let Value::Object(map) = value {
                *value = map.values().cloned().collect();
            }
        }
        Mutation::Remove | Mutation::Repeat => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parser_and_schema_agree_on_mutated_documents(
        mut document in playlist(),
        mutations in prop::collection::vec(mutation(), 0..3),
    ) {
        thread_local!(static SCHEMA: Validator = schema());
        for (way, what) in mutations {
            mutate(&mut document, &way, what);
        }
        let valid = SCHEMA.with(|schema| schema.is_valid(&document));
        match Playlist::from_json(&document.to_string()) {
            Ok(_) => prop_assert!(valid, "only the parser takes {document}"),
            Err(error) => prop_assert_eq!(valid, beyond_schema(&error), "{}: {}", error, document),
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}", cut in any::<prop::sample::Index>()) {
        let _ = Playlist::from_json(&text);
        let good = include_str!("data/playlists/good/every_field.json");
        let at = cut.index(good.len());
        prop_assert!(Playlist::from_json(&good[..at]).is_err() || good[at..].trim().is_empty());
    }
}
