//! Editing a house: what is written, what is refused, and in which words.

use std::collections::BTreeMap;

use musebox::domain::{
    house::{
        Edit, EditError, Editor, Environment, Kind, canonical,
        edit::{document, new_house, resource, resources},
        merge,
    },
    ids::{HouseId, HouseScreenId, Revision, ScreenName},
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn is_time_zone(name: &str) -> bool {
    matches!(name, "UTC" | "Europe/Paris")
}

/// A house on its server: the document, and what is stored of it.
struct Server {
    document: Value,
    rev: Revision,
    stored: BTreeMap<(Kind, String), Value>,
}

impl Server {
    fn new() -> Self {
        let house = new_house(&HouseId::new("h1"), "Gallery").expect("a name");
        let stored = BTreeMap::from([((Kind::House, "h1".to_owned()), house.clone())]);
        Self {
            document: document([(Kind::House, "h1".to_owned(), house)]),
            rev: Revision(1),
            stored,
        }
    }

    /// With a screen, a group, an item and a playlist that shows it.
    fn furnished() -> Self {
        let mut server = Self::new();
        let outputs = [ScreenName::new("main")];
        server.go(|e| e.enrol(&HouseScreenId::new("s1"), "Foyer", &outputs));
        server.go(|e| e.create(Kind::Group, "g1", &json!({"name": "Ground floor"})));
        server.go(|e| {
            e.create(
                Kind::Item,
                "i1",
                &json!({"kind": "image", "title": "Waves"}),
            )
        });
        let playlist = json!({"name": "Summer", "montages": [
            {"id": "m1", "tracks": [{"id": "t1", "screen": "main", "items": ["i1"]}]}]});
        server.go(|e| e.create(Kind::Playlist, "p1", &playlist));
        server
    }

    fn editor(&self) -> Editor<'_> {
        Editor {
            document: &self.document,
            rev: self.rev,
            is_time_zone: &is_time_zone,
        }
    }

    /// An edit that is accepted and stored.
    fn go(&mut self, edit: impl Fn(&Editor<'_>) -> Result<Edit, EditError>) -> Edit {
        let edit = edit(&self.editor()).expect("an edit");
        self.store(&edit);
        edit
    }

    /// Stores an edit, with everything that must hold of it.
    fn store(&mut self, edit: &Edit) {
        let mut patched = self.document.clone();
        merge::apply(&mut patched, &edit.patch);
        assert_eq!(patched, edit.document, "the patch brings the document");
        assert_eq!(canonical::sha256(&edit.document), edit.sha256);
        match edit.writes.is_empty() {
            true => {
                assert_eq!((edit.rev, &edit.patch), (self.rev, &json!({})));
                assert_eq!(edit.document, self.document);
            }
            false => assert_eq!(edit.rev, self.rev.next()),
        }
        for write in &edit.writes {
            let key = (write.kind, write.id.clone());
            match &write.body {
                Some(body) => {
                    assert_eq!(body["rev"], json!(edit.rev));
                    self.stored.insert(key, body.clone());
                }
                None => drop(self.stored.remove(&key).expect("it was there")),
            }
        }
        self.document = edit.document.clone();
        self.rev = edit.rev;
        let stored = self
            .stored
            .iter()
            .map(|((kind, id), body)| (*kind, id.clone(), body.clone()));
        assert_eq!(
            document(stored),
            self.document,
            "what is stored is the document"
        );
        assert_eq!(without_nulls(&self.document), self.document);
        Environment::read(&self.document).expect("boxes can read it");
    }

    fn refused(&self, edit: impl Fn(&Editor<'_>) -> Result<Edit, EditError>) -> EditError {
        edit(&self.editor()).expect_err("a refusal")
    }

    fn refused_key(&self, kind: Kind, id: &str, patch: &Value) -> String {
        match self.refused(|e| e.change(kind, id, patch)) {
            EditError::Invalid { key, message } => {
                assert!(message.len() > 10, "{key}: {message}");
                key
            }
            other @ (EditError::NotFound { .. } | EditError::InUse { .. }) => panic!("{other}"),
        }
    }
}

fn without_nulls(value: &Value) -> Value {
    merge::without_nulls(value.clone())
}

#[test]
fn a_new_house_has_every_default() {
    let server = Server::new();
    assert_eq!(
        server.document,
        json!({"house": {"id": "h1", "rev": 1, "name": "Gallery", "time_zone": "UTC", "autostart_playlist": false,
                         "auto_advance": true, "volume": 0.8, "mute": false, "fit": "contain", "standby": false},
               "groups": {}, "screens": {}, "playlists": {}, "items": {}})
    );
    assert!(new_house(&HouseId::new("h1"), " ").is_err());
}

#[test]
fn the_toggle_is_one_write_and_a_small_patch() {
    let mut server = Server::furnished();
    let before = server.rev;
    let edit = server.go(|e| e.change(Kind::House, "h1", &json!({"autostart_playlist": true})));
    assert_eq!(edit.rev, before.next());
    assert_eq!(edit.writes.len(), 1);
    assert_eq!(
        edit.patch,
        json!({"house": {"autostart_playlist": true, "rev": edit.rev}})
    );
    // The other resources keep their revision, and so their ETag.
    assert_eq!(edit.document["screens"]["s1"]["rev"], json!(2));
}

#[test]
fn what_changes_nothing_is_no_revision() {
    let mut server = Server::furnished();
    for (kind, id, patch) in [
        (Kind::House, "h1", json!({})),
        (
            Kind::House,
            "h1",
            json!({"volume": 0.8, "playlist": null, "display_hours": []}),
        ),
        (Kind::Screen, "s1", json!({"mute": null})),
        (Kind::Playlist, "p1", json!({"name": "Summer"})),
    ] {
        let edit = server.go(|e| e.change(kind, id, &patch));
        assert_eq!(edit.writes, [], "{patch}");
    }
    let outputs = [ScreenName::new("main")];
    let edit = server.go(|e| e.outputs(&HouseScreenId::new("s1"), &outputs));
    assert_eq!(edit.writes, []);
}

#[test]
fn null_takes_a_setting_back() {
    let mut server = Server::furnished();
    server.go(|e| {
        e.change(
            Kind::House,
            "h1",
            &json!({"volume": 0, "time_zone": "Europe/Paris"}),
        )
    });
    server.go(|e| e.change(Kind::Screen, "s1", &json!({"volume": 1, "group": "g1"})));
    assert_eq!(server.document["screens"]["s1"]["volume"], json!(1.0));
    let edit = server.go(|e| {
        e.change(
            Kind::House,
            "h1",
            &json!({"volume": null, "time_zone": null}),
        )
    });
    let house = &edit.document["house"];
    assert_eq!(
        (&house["volume"], &house["time_zone"]),
        (&json!(0.8), &json!("UTC"))
    );
    let edit = server.go(|e| e.change(Kind::Screen, "s1", &json!({"volume": null})));
    assert_eq!(edit.patch["screens"]["s1"]["volume"], Value::Null);
    assert_eq!(edit.document["screens"]["s1"].get("volume"), None);
}

#[test]
fn what_goes_takes_its_name_out_of_the_settings() {
    let mut server = Server::furnished();
    server.go(|e| {
        let patch = json!({"playlist": "p1", "default_playlist": "p1"});
        e.change(Kind::House, "h1", &patch)
    });
    server.go(|e| {
        e.change(
            Kind::Screen,
            "s1",
            &json!({"playlist": "p1", "group": "g1"}),
        )
    });
    server.go(|e| e.change(Kind::Group, "g1", &json!({"playlist": "p1"})));
    let item = server.refused(|e| e.remove(Kind::Item, "i1"));
    assert_eq!(
        item.to_string(),
        "the item \"i1\" is in use: take it out of the playlist \"Summer\" first"
    );
    let edit = server.go(|e| e.remove(Kind::Playlist, "p1"));
    let written: Vec<_> = edit
        .writes
        .iter()
        .map(|w| (w.kind, w.id.as_str()))
        .collect();
    assert_eq!(
        written,
        [
            (Kind::Playlist, "p1"),
            (Kind::House, "h1"),
            (Kind::Group, "g1"),
            (Kind::Screen, "s1")
        ]
    );
    let environment = Environment::read(&edit.document).expect("an environment");
    assert_eq!(environment.house.playlist, None);
    assert_eq!(environment.house.default_playlist, None);
    let edit = server.go(|e| e.remove(Kind::Group, "g1"));
    assert_eq!(edit.document["screens"]["s1"].get("group"), None);
    server.go(|e| e.remove(Kind::Item, "i1"));
    server.go(|e| e.remove(Kind::Screen, "s1"));
    assert_eq!(resources(&server.document).len(), 1);
}

#[test]
fn what_is_not_there_is_not_found() {
    let server = Server::furnished();
    for kind in Kind::ALL {
        let changed = server.refused(|e| e.change(kind, "x9", &json!({"name": "X"})));
        let removed = server.refused(|e| e.remove(kind, "x9"));
        for error in [changed, removed] {
            assert!(matches!(error, EditError::NotFound { .. }), "{error}");
        }
        assert_eq!(Kind::named(kind.name()), Some(kind));
    }
    assert_eq!(Kind::named("houses"), None);
    assert!(matches!(
        server.refused(|e| e.remove(Kind::House, "h1")),
        EditError::Invalid { .. }
    ));
    assert_eq!(resource(&server.document, Kind::House, "h2"), None);
}

#[test]
fn people_cannot_set_everything() {
    let server = Server::furnished();
    for (kind, id) in [
        (Kind::House, "h1"),
        (Kind::Screen, "s1"),
        (Kind::Item, "i1"),
    ] {
        for key in ["id", "rev", "outputs"] {
            assert_eq!(server.refused_key(kind, id, &json!({key: null})), key);
        }
    }
    for kind in [Kind::House, Kind::Screen] {
        server.refused(|e| e.create(kind, "x1", &json!({"name": "X"})));
    }
}

#[test]
fn every_fault_is_named_by_its_key() {
    let server = Server::furnished();
    let window =
        |days: Value, from: &str, to: &str| json!([{"days": days, "from": from, "to": to}]);
    for (kind, id, patch, key) in [
        (Kind::House, "h1", json!([]), "."),
        (Kind::House, "h1", json!({"nme": "X"}), "nme"),
        (Kind::House, "h1", json!({"name": null}), "name"),
        (Kind::House, "h1", json!({"name": ""}), "name"),
        (Kind::House, "h1", json!({"name": "a\nb"}), "name"),
        (Kind::House, "h1", json!({"name": "x".repeat(201)}), "name"),
        (Kind::House, "h1", json!({"volume": 1.01}), "volume"),
        (Kind::House, "h1", json!({"volume": "loud"}), "volume"),
        (Kind::House, "h1", json!({"mute": 1}), "mute"),
        (Kind::House, "h1", json!({"fit": "zoom"}), "fit"),
        (Kind::House, "h1", json!({"time_zone": "Mars"}), "time_zone"),
        (Kind::House, "h1", json!({"playlist": "p9"}), "playlist"),
        (
            Kind::House,
            "h1",
            json!({"default_playlist": "p9"}),
            "default_playlist",
        ),
        (
            Kind::House,
            "h1",
            json!({"display_hours": window(json!([]), "08:00", "09:00")}),
            "display_hours[0].days",
        ),
        (
            Kind::Screen,
            "s1",
            json!({"display_hours": window(json!(["mon", "mon"]), "08:00", "09:00")}),
            "display_hours[0].days",
        ),
        (
            Kind::Group,
            "g1",
            json!({"display_hours": window(json!(["mon"]), "24:00", "09:00")}),
            "display_hours[0].from",
        ),
        (
            Kind::Group,
            "g1",
            json!({"display_hours": window(json!(["mon"]), "08:00", "24:01")}),
            "display_hours[0].to",
        ),
        (
            Kind::Group,
            "g1",
            json!({"display_hours": [{"days": ["mon"], "from": "08:00", "to": "09:00", "x": 1}]}),
            "display_hours[0].x",
        ),
        (
            Kind::Group,
            "g1",
            json!({"autostart_playlist": true}),
            "autostart_playlist",
        ),
        (Kind::Screen, "s1", json!({"time_zone": "UTC"}), "time_zone"),
        (Kind::Screen, "s1", json!({"group": "g9"}), "group"),
        (
            Kind::Playlist,
            "p1",
            json!({"schedule": {"from_date": "2026-12-24", "to_date": "2026-12-01"}}),
            "schedule.to_date",
        ),
        (
            Kind::Playlist,
            "p1",
            json!({"schedule": {"priority": 1.5}}),
            "schedule.priority",
        ),
        (
            Kind::Playlist,
            "p1",
            json!({"montages": [{"id": "m", "tracks": []}, {"id": "m", "tracks": []}]}),
            "montages[1].id",
        ),
        (
            Kind::Playlist,
            "p1",
            json!({"montages": [{"id": "m", "tracks": [{"id": "t", "items": []}, {"id": "t", "items": []}]}]}),
            "montages[0].tracks[1].id",
        ),
        (
            Kind::Playlist,
            "p1",
            json!({"montages": [{"id": "m", "tracks": [{"id": "t", "items": ["i1", "i9"]}]}]}),
            "montages[0].tracks[0].items[1]",
        ),
        (
            Kind::Playlist,
            "p1",
            json!({"montages": [null]}),
            "montages[0]",
        ),
        (
            Kind::Playlist,
            "p1",
            json!({"montages": [{"tracks": []}]}),
            "montages[0].id",
        ),
        (Kind::Item, "i1", json!({"kind": null}), "kind"),
        (Kind::Item, "i1", json!({"duration_ms": 0}), "duration_ms"),
        (Kind::Item, "i1", json!({"duration_ms": -1}), "duration_ms"),
        (
            Kind::Item,
            "i1",
            json!({"formats": {"source": {"src": "a.mp4", "sha256": "a".repeat(64), "size": 1}}}),
            "formats.source.src",
        ),
        (
            Kind::Item,
            "i1",
            json!({"formats": {"source": {"src": "https://a/b", "sha256": "A".repeat(64), "size": 1}}}),
            "formats.source.sha256",
        ),
        (
            Kind::Item,
            "i1",
            json!({"formats": {"source": {"src": "/a", "sha256": "a".repeat(64), "size": 0}}}),
            "formats.source.size",
        ),
        (
            Kind::Item,
            "i1",
            json!({"formats": {"source": {"src": "/a", "size": 1}}}),
            "formats.source.sha256",
        ),
    ] {
        assert_eq!(server.refused_key(kind, id, &patch), key, "{patch}");
    }
    for id in ["", "a/b", "ä", &"a".repeat(65)] {
        match server.refused(|e| e.create(Kind::Group, id, &json!({"name": "X"}))) {
            EditError::Invalid { key, .. } => assert_eq!(key, "id"),
            other @ (EditError::NotFound { .. } | EditError::InUse { .. }) => panic!("{other}"),
        }
    }
    server.refused(|e| e.create(Kind::Group, "g1", &json!({"name": "Again"})));
    server.refused(|e| e.create(Kind::Group, "g2", &json!("X")));
}

#[test]
fn a_house_does_not_outgrow_a_frame() {
    let mut server = Server::new();
    let long = "i".repeat(64);
    let items = vec![long.clone(); 100_000];
    server.go(|e| e.create(Kind::Item, &long, &json!({"kind": "image"})));
    let body =
        json!({"name": "Long", "montages": [{"id": "m", "tracks": [{"id": "t", "items": items}]}]});
    for id in ["p1", "p2"] {
        let edit = server
            .editor()
            .create(Kind::Playlist, id, &body)
            .expect("it fits");
        (server.document, server.rev) = (edit.document, edit.rev);
    }
    let error = server
        .refused(|e| e.create(Kind::Playlist, "p3", &body))
        .to_string();
    assert!(error.contains("remove playlists or items"), "{error}");
    let items = vec![long; 100_001];
    let patch = json!({"montages": [{"id": "m", "tracks": [{"id": "t", "items": items}]}]});
    assert_eq!(server.refused_key(Kind::Playlist, "p1", &patch), "montages");
}

/// Some edit of some resource, valid or not.
#[derive(Clone, Debug)]
enum Op {
    Create(Kind, String, Value),
    Change(Kind, String, Value),
    Remove(Kind, String),
    Enrol(String),
}

fn op() -> impl Strategy<Value = Op> {
    let kind = prop::sample::select(Kind::ALL.to_vec());
    let id = |kind: Kind| match kind {
        Kind::House => "h1".to_owned(),
        Kind::Group | Kind::Screen | Kind::Playlist | Kind::Item => String::new(),
    };
    let id = (kind, 1..4_u8).prop_map(move |(kind, n)| match id(kind) {
        id if id.is_empty() => (kind, format!("{}{n}", &kind.name()[..1])),
        id => (kind, id),
    });
    let body = prop::sample::select(vec![
        json!({"name": "A"}),
        json!({"name": "B", "volume": 0.25}),
        json!({"kind": "image"}),
        json!({"kind": "video", "duration_ms": 5}),
        json!({"playlist": "p1", "mute": true}),
        json!({"playlist": null, "mute": null}),
        json!({"default_playlist": "p2"}),
        json!({"group": "g1"}),
        json!({"schedule": {"priority": 2, "windows": []}}),
        json!({"schedule": null}),
        json!({"name": "C", "montages": [{"id": "m", "tracks": [{"id": "t", "items": ["i1", "i2"]}]}]}),
        json!({"montages": []}),
        json!({"display_hours": [{"days": ["sun"], "from": "10:00", "to": "02:00"}]}),
        json!({"formats": {"source": {"src": "/a", "sha256": "0".repeat(64), "size": 1}}}),
        json!({"formats": {"source": {"size": 2}}}),
        json!({"formats": {"source": null}}),
    ]);
    prop_oneof![
        (id.clone(), body.clone()).prop_map(|((kind, id), body)| Op::Create(kind, id, body)),
        (id.clone(), body).prop_map(|((kind, id), body)| Op::Change(kind, id, body)),
        id.prop_map(|(kind, id)| Op::Remove(kind, id)),
        (1..4_u8).prop_map(|n| Op::Enrol(format!("s{n}"))),
    ]
}

proptest! {
    #[test]
    fn every_edit_leaves_a_whole_house(ops in prop::collection::vec(op(), 1..60)) {
        let mut server = Server::new();
        for op in ops {
            let editor = server.editor();
            let edit = match &op {
                Op::Create(kind, id, body) => editor.create(*kind, id, body),
                Op::Change(kind, id, patch) => editor.change(*kind, id, patch),
                Op::Remove(kind, id) => editor.remove(*kind, id),
                Op::Enrol(id) => editor.enrol(&HouseScreenId::new(id), id, &[]),
            };
            if let Ok(edit) = edit {
                server.store(&edit);
                let house = Environment::read(&server.document).expect("an environment");
                let named = house.house.playlist.iter().chain(&house.house.default_playlist)
                    .chain(house.groups.values().filter_map(|group| group.playlist.as_ref()))
                    .chain(house.screens.values().filter_map(|screen| screen.playlist.as_ref()));
                for id in named {
                    prop_assert!(house.playlists.contains_key(id), "{op:?}");
                }
                let groups = house.screens.values().filter_map(|screen| screen.group.as_ref());
                for id in groups {
                    prop_assert!(house.groups.contains_key(id), "{op:?}");
                }
                for playlist in house.playlists.values() {
                    let tracks = playlist.montages.iter().flat_map(|montage| &montage.tracks);
                    for id in tracks.flat_map(|track| &track.items) {
                        prop_assert!(house.items.contains_key(id), "{op:?}");
                    }
                }
            }
        }
    }
}
