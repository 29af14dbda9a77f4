//! Documents of a house that is newer than the box: what is not understood is left out, and all the rest holds.

use std::collections::BTreeSet;

use musebox::domain::{
    house::{Environment, Reading},
    ids::{GroupId, HouseScreenId, ItemId, PlaylistId},
};
use proptest::prelude::*;
use schemars::schema_for;
use serde_json::{Value, json};

fn document() -> Value {
    let format =
        json!({"src": "/api/v1/media/a", "sha256": "a".repeat(64), "size": 5, "mime": "video/mp4"});
    let hours = json!([
        {"days": ["mon", "tue"], "from": "08:00", "to": "20:00"},
        {"days": ["sat"], "from": "10:00", "to": "02:00"},
    ]);
    let montages = json!([{"id": "m1", "tracks": [{"id": "t1", "screen": "main", "items": ["i1", "i2", "i3"]}]}]);
    json!({
        "house": {"id": "h1", "rev": 7, "name": "Gallery", "time_zone": "Europe/Paris",
                  "autostart_playlist": true, "auto_advance": false, "playlist": "p1", "default_playlist": "p2",
                  "volume": 0.5, "mute": true, "fit": "cover", "standby": false, "display_hours": hours},
        "groups": {"g1": {"rev": 3, "name": "Ground floor", "playlist": "p2", "volume": 0.2, "fit": "stretch",
                          "display_hours": hours},
                   "g2": {"rev": 3, "name": "Upper floor", "mute": false}},
        "screens": {"s1": {"rev": 5, "name": "Foyer", "group": "g1", "outputs": ["main"], "fit": "contain",
                           "display_hours": hours},
                    "s2": {"rev": 6, "name": "Stairs", "outputs": ["main", "side"]}},
        "playlists": {
            "p1": {"rev": 4, "name": "Summer", "montages": montages},
            "p2": {"rev": 4, "name": "Winter", "montages": montages,
                   "schedule": {"priority": 5, "from_date": "2026-12-01", "windows": hours}}},
        "items": {
            "i1": {"rev": 2, "title": "Waves", "kind": "video", "duration_ms": 10000,
                   "formats": {"source": format, "HD": format}},
            "i2": {"rev": 2, "kind": "image", "formats": {"source": format}},
            "i3": {"rev": 2, "title": "Storm", "kind": "image"}},
    })
}

/// Every place of a word of which a later version may know more: the way to it, and to what is left out with it.
const PLACES: [(&str, &str); 14] = [
    ("/house/fit", "/house/fit"),
    ("/house/display_hours/0/days/1", "/house/display_hours"),
    ("/house/display_hours/1/days/0", "/house/display_hours"),
    ("/groups/g1/fit", "/groups/g1/fit"),
    (
        "/groups/g1/display_hours/0/days/0",
        "/groups/g1/display_hours",
    ),
    (
        "/groups/g1/display_hours/1/days/0",
        "/groups/g1/display_hours",
    ),
    ("/screens/s1/fit", "/screens/s1/fit"),
    (
        "/screens/s1/display_hours/0/days/1",
        "/screens/s1/display_hours",
    ),
    (
        "/screens/s1/display_hours/1/days/0",
        "/screens/s1/display_hours",
    ),
    (
        "/playlists/p2/schedule/windows/0/days/0",
        "/playlists/p2/schedule",
    ),
    (
        "/playlists/p2/schedule/windows/1/days/0",
        "/playlists/p2/schedule",
    ),
    ("/items/i1/kind", "/items/i1"),
    ("/items/i2/kind", "/items/i2"),
    ("/items/i3/kind", "/items/i3"),
];

fn reading(document: &Value) -> Reading {
    Reading::of(document).expect("an environment")
}

/// The same document without what these ways lead to.
fn without<'a>(document: &Value, ways: impl IntoIterator<Item = &'a &'a str>) -> Value {
    let mut document = document.clone();
    for way in ways {
        let (parent, key) = way.rsplit_once('/').expect("a way has a slash");
        let parent = document.pointer_mut(parent).expect("the parent");
        let gone = parent.as_object_mut().expect("an object").remove(key);
        gone.expect("what is left out");
    }
    document
}

#[test]
fn the_places_are_all_that_there_are() {
    let schema = serde_json::to_value(schema_for!(Environment)).expect("JSON");
    let types = schema["$defs"].as_object().expect("types").iter();
    let words = types.filter(|(_, kind)| kind.get("oneOf").or(kind.get("enum")).is_some());
    let words: Vec<&str> = words.map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        words,
        ["Fit", "MediaKind", "Weekday"],
        "where the document has words of another type, add their places here"
    );
    let document = document();
    for (way, part) in PLACES {
        assert!(document.pointer(way).expect(way).is_string(), "{way}");
        assert!(way.starts_with(part), "{way}");
    }
}

#[test]
fn a_document_that_is_understood_is_read_whole() {
    let Reading {
        environment,
        left_out,
    } = reading(&document());
    assert_eq!(left_out, []);
    assert_eq!(Environment::read(&document()), Ok(environment));
}

#[test]
fn what_is_left_out_is_named_with_its_reason() {
    for (way, wrong, key, says) in [
        (
            "/items/i1/kind",
            json!("scene"),
            "items.i1.kind",
            "unknown variant `scene`",
        ),
        ("/house/volume", json!(1.5), "house.volume", "1.5"),
        ("/groups/g2/mute", json!("yes"), "groups.g2.mute", "yes"),
        ("/groups/g1", json!([]), "groups.g1", ""),
        ("/groups/g1/name", json!(null), "groups.g1.name", "null"),
        ("/screens", json!(7), "screens", "no object"),
        (
            "/playlists/p2/schedule/from_date",
            json!("2026-02-30"),
            "playlists.p2.schedule.from_date",
            "2026-02-30",
        ),
        (
            "/items/i1/formats/HD/size",
            json!("5 MB"),
            "items.i1.formats.HD.size",
            "5 MB",
        ),
    ] {
        let mut document = document();
        *document.pointer_mut(way).expect(way) = wrong;
        let left_out = reading(&document).left_out;
        let [fault] = &left_out[..] else {
            panic!("{way}: {left_out:?}");
        };
        assert_eq!(fault.key, key);
        assert!(fault.message.contains(says), "{fault}");
    }
}

#[test]
fn one_encoding_that_is_not_understood_leaves_the_others() {
    let mut document = document();
    document["items"]["i1"]["formats"]["AV2"] = json!({"manifest": "/a.json"});
    let read = reading(&document);
    let item = &read.environment.items[&ItemId::new("i1")];
    assert_eq!(item.formats.keys().collect::<Vec<_>>(), ["HD", "source"]);
    assert_eq!(read.left_out.len(), 1);
}

#[test]
fn only_what_is_no_house_is_no_environment() {
    for (way, wrong) in [
        ("/house/id", json!(null)),
        ("/house/name", json!(7)),
        ("/house", json!({})),
        ("/house", json!("h1")),
    ] {
        let mut document = document();
        *document.pointer_mut(way).expect(way) = wrong;
        let error = Reading::of(&document).expect_err(way);
        assert!(error.key.starts_with("house"), "{error}");
    }
    for wrong in [json!(null), json!([]), json!({}), json!("house")] {
        Reading::of(&wrong).expect_err("no environment");
    }
}

#[test]
fn thousands_of_items_of_a_later_kind_are_left_out_one_by_one() {
    let mut document = document();
    for number in 0..20_000 {
        document["items"][format!("n{number}")] = json!({"kind": "scene", "angle": number});
    }
    let read = reading(&document);
    assert_eq!(read.left_out.len(), 20_000);
    assert_eq!(read.environment, reading(&self::document()).environment);
}

/// The ways to every value in a document.
fn ways(value: &Value, way: &str, into: &mut Vec<String>) {
    into.push(way.to_owned());
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                ways(value, &format!("{way}/{key}"), into);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                ways(value, &format!("{way}/{index}"), into);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Anything that a later version may write.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-10.0..10.0).prop_map(Value::from),
        "[a-z:0-9-]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}|kind|id|name|rev|days", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Every resource, as a way and what is read of it.
fn resources(environment: &Environment) -> Vec<(String, String)> {
    let Environment {
        house: _,
        groups,
        screens,
        playlists,
        items,
    } = environment;
    let groups = groups
        .iter()
        .map(|(id, it)| (format!("/groups/{id}"), format!("{it:?}")));
    let screens = screens
        .iter()
        .map(|(id, it)| (format!("/screens/{id}"), format!("{it:?}")));
    let playlists = playlists
        .iter()
        .map(|(id, it)| (format!("/playlists/{id}"), format!("{it:?}")));
    let items = items
        .iter()
        .map(|(id, it)| (format!("/items/{id}"), format!("{it:?}")));
    groups
        .chain(screens)
        .chain(playlists)
        .chain(items)
        .collect()
}

proptest! {
    #[test]
    fn unknown_words_leave_out_only_what_has_them(
        places in prop::sample::subsequence(PLACES.to_vec(), 1..=PLACES.len()),
        word in "later-[a-z]{0,12}",
    ) {
        let whole = document();
        let mut later = whole.clone();
        for (way, _) in &places {
            *later.pointer_mut(way).expect(way) = json!(word);
        }
        let parts: BTreeSet<&str> = places.iter().map(|(_, part)| *part).collect();
        let expected = Environment::read(&without(&whole, &parts)).expect("an environment");
        let read = reading(&later);
        prop_assert_eq!(read.environment, expected);
        let left_out: BTreeSet<String> =
            read.left_out.iter().map(|part| format!("/{}", part.key.replace('.', "/"))).collect();
        prop_assert_eq!(left_out.len(), parts.len());
        for part in parts {
            prop_assert!(left_out.iter().any(|way| way.starts_with(part)), "{} {:?}", part, left_out);
        }
    }

    #[test]
    fn one_value_of_any_kind_anywhere_spoils_nothing_but_its_own_resource(
        place in any::<prop::sample::Index>(), value in anything(),
    ) {
        let whole = document();
        let mut all = Vec::new();
        ways(&whole, "", &mut all);
        let way = &all[place.index(all.len())];
        let mut later = whole.clone();
        *later.pointer_mut(way).expect(way) = value;
        let before = resources(&Environment::read(&whole).expect("an environment"));
        match Reading::of(&later) {
            Ok(read) => {
                let after = resources(&read.environment);
                for resource in before {
                    let is_spoilt = way.starts_with(&resource.0) || resource.0.starts_with(way.as_str());
                    prop_assert!(is_spoilt || after.contains(&resource), "{} {:?}", way, resource);
                }
            }
            Err(_) => {
                let needed = ["", "/house", "/house/id", "/house/name"];
                prop_assert!(needed.contains(&way.as_str()), "{}", way);
            }
        }
    }
}

#[test]
fn ids_are_read_as_they_are_written() {
    let mut document = document();
    document["items"]["i9"] = json!({"kind": "scene"});
    let environment = reading(&document).environment;
    assert!(environment.groups.contains_key(&GroupId::new("g2")));
    assert!(environment.screens.contains_key(&HouseScreenId::new("s2")));
    assert!(environment.playlists.contains_key(&PlaylistId::new("p2")));
    assert!(environment.items.contains_key(&ItemId::new("i3")));
}
