//! What a box makes of an environment: the settings that hold for a screen, and what plays when.

use jiff::civil::DateTime;
use musebox::domain::{
    config::Volume,
    fit::Fit,
    house::{Environment, Schedule, Window},
    ids::{HouseScreenId, PlaylistId},
    playlist::MediaKind,
    protocol::Power,
    units::MediaTime,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn document() -> Value {
    json!({
        "house": {"id": "h1", "rev": 7, "name": "Gallery", "time_zone": "Europe/Paris",
                  "autostart_playlist": true, "playlist": "p1", "default_playlist": "p2", "volume": 0.5},
        "groups": {"g1": {"rev": 3, "name": "Ground floor", "playlist": "p2", "volume": 0.2, "mute": true}},
        "screens": {"s1": {"rev": 5, "name": "Foyer", "group": "g1", "outputs": ["main"], "mute": false},
                    "s2": {"rev": 6, "name": "Stairs", "outputs": ["main"]}},
        "playlists": {
            "p1": {"rev": 4, "name": "Summer", "montages": [{"id": "m1", "tracks": [
                {"id": "t1", "screen": "main", "items": ["i1", "i2"]}]}]},
            "p2": {"rev": 4, "name": "Winter", "montages": [{"id": "m1", "tracks": [
                {"id": "t1", "items": ["i2"]}]}]},
            "p3": {"rev": 4, "name": "Saturdays", "montages": [{"id": "m1", "tracks": [
                {"id": "t1", "items": ["i1"]}]}],
                "schedule": {"priority": 5, "windows": [{"days": ["sat"], "from": "22:00", "to": "02:00"}]}},
            "p4": {"rev": 4, "name": "Christmas", "montages": [{"id": "m1", "tracks": [
                {"id": "t1", "items": ["i1"]}]}],
                "schedule": {"priority": 9, "from_date": "2026-12-24", "to_date": "2026-12-26"}},
            "p5": {"rev": 4, "name": "Nothing yet", "montages": [{"id": "m1", "tracks": [
                {"id": "t1", "items": []}, {"id": "t2", "items": ["gone"]}]}],
                "schedule": {"priority": 100}}},
        "items": {
            "i1": {"rev": 2, "title": "Waves", "kind": "video", "duration_ms": 10000,
                   "formats": {"source": {"src": "/api/v1/media/a", "sha256": "a".repeat(64), "size": 5, "mime": "video/mp4"}}},
            "i2": {"rev": 2, "kind": "image", "later": {"version": true}}},
        "later": [1, 2, null]
    })
}

fn environment(document: &Value) -> Environment {
    Environment::read(document).expect("an environment")
}

fn at(text: &str) -> DateTime {
    text.parse().expect("a local time")
}

fn screen(id: &str) -> HouseScreenId {
    HouseScreenId::new(id)
}

/// The playlist at a time, whether the display is on, and until when.
fn plan(document: &Value, when: Option<&str>) -> (Option<String>, Power, Option<DateTime>) {
    let orders = environment(document)
        .orders(&screen("s2"), when.map(at))
        .expect("the screen");
    let playlist = orders.playlist.map(|id| id.to_string());
    (playlist, orders.display, orders.until)
}

#[test]
fn the_screen_is_over_the_group_over_the_house() {
    let environment = environment(&document());
    let orders = environment.orders(&screen("s1"), None).expect("the screen");
    assert_eq!(orders.name, "Foyer");
    assert_eq!(Some(orders.volume), Volume::new(0.2));
    assert!(!orders.mute && orders.autostart_playlist && orders.auto_advance);
    assert_eq!((orders.fit, orders.display), (Fit::Contain, Power::On));
    let orders = environment.orders(&screen("s2"), None).expect("the screen");
    assert_eq!(Some(orders.volume), Volume::new(0.5));
    assert_eq!(environment.orders(&screen("s3"), None), None);
}

#[test]
fn an_unknown_clock_plays_the_default_playlist_with_the_display_on() {
    let mut document = document();
    document["house"]["display_hours"] = json!([{"days": ["mon"], "from": "08:00", "to": "09:00"}]);
    for when in [
        None,
        Some("1970-01-01T00:00:00"),
        Some("2025-12-31T23:59:59"),
    ] {
        let plan = plan(&document, when);
        assert_eq!(plan, (Some("p2".to_owned()), Power::On, None), "{when:?}");
    }
    document["house"]["standby"] = json!(true);
    assert_eq!(plan(&document, None).1, Power::Off);
    document["house"]
        .as_object_mut()
        .expect("an object")
        .remove("default_playlist");
    assert_eq!(plan(&document, None).0.as_deref(), Some("p1"));
}

#[test]
fn a_schedule_takes_over_and_gives_back() {
    let document = document();
    // 2026-11-28 is a Saturday.
    for (when, playlist, until) in [
        ("2026-11-25T12:00:00", "p1", "2026-11-28T22:00:00"),
        ("2026-11-28T21:59:59", "p1", "2026-11-28T22:00:00"),
        ("2026-11-28T22:00:00", "p3", "2026-11-29T02:00:00"),
        ("2026-11-29T01:59:59", "p3", "2026-11-29T02:00:00"),
        ("2026-11-29T02:00:00", "p1", "2026-12-05T22:00:00"),
        ("2026-12-23T12:00:00", "p1", "2026-12-24T00:00:00"),
        // On the 26th, a Saturday, the higher priority plays until midnight; then the window of that day goes on.
        ("2026-12-26T23:00:00", "p4", "2026-12-27T00:00:00"),
        ("2026-12-27T00:00:00", "p3", "2026-12-27T02:00:00"),
        ("2027-03-01T00:00:00", "p1", "2027-03-06T22:00:00"),
    ] {
        let expected = (Some(playlist.to_owned()), Power::On, Some(at(until)));
        assert_eq!(plan(&document, Some(when)), expected, "{when}");
    }
}

#[test]
fn a_box_that_wakes_in_the_middle_joins_what_has_begun() {
    let document = document();
    // Christmas has the higher priority. 2026-12-26 is a Saturday, whose window runs into Sunday.
    for (when, playlist, until) in [
        // It is looked again when that window opens.
        ("2026-12-25T15:00:00", "p4", "2026-12-26T22:00:00"),
        ("2026-12-26T22:30:00", "p4", "2026-12-27T00:00:00"),
        ("2026-12-27T00:30:00", "p3", "2026-12-27T02:00:00"),
        ("2026-12-27T02:00:00", "p1", "2027-01-02T22:00:00"),
    ] {
        let plan = plan(&document, Some(when));
        let expected = (Some(playlist.to_owned()), Power::On, Some(at(until)));
        assert_eq!(plan, expected, "{when}");
    }
}

#[test]
fn of_equal_priorities_the_smallest_id_plays() {
    let mut document = document();
    document["playlists"]["p1"]["schedule"] = json!({"priority": 5});
    assert_eq!(
        plan(&document, Some("2026-11-28T23:00:00")).0.as_deref(),
        Some("p1")
    );
    document["playlists"]["p1"]["schedule"] = json!({"priority": 4});
    assert_eq!(
        plan(&document, Some("2026-11-28T23:00:00")).0.as_deref(),
        Some("p3")
    );
}

#[test]
fn what_is_empty_is_never_chosen_and_what_comes_after_is_named() {
    let mut document = document();
    document["house"]["playlist"] = json!("p5");
    let environment = environment(&document);
    let orders = environment
        .orders(&screen("s2"), Some(at("2026-12-24T12:00:00")))
        .expect("the screen");
    assert_eq!(orders.playlist, Some(PlaylistId::new("p4")));
    assert_eq!(orders.fallbacks, [PlaylistId::new("p2")]);
    document["items"] = json!({});
    assert_eq!(
        plan(&document, Some("2026-12-24T12:00:00")),
        (None, Power::On, None)
    );
}

#[test]
fn hours_switch_the_display_and_run_past_midnight() {
    let mut document = document();
    document["playlists"] = json!({});
    document["house"]["display_hours"] = json!([
        {"days": ["mon", "tue"], "from": "08:00", "to": "20:00"},
        {"days": ["tue"], "from": "20:00", "to": "24:00"},
        {"days": ["sun"], "from": "23:00", "to": "01:30"},
    ]);
    // 2026-11-30 is a Monday.
    for (when, display, until) in [
        ("2026-11-29T22:59:59", Power::Off, "2026-11-29T23:00:00"),
        ("2026-11-30T00:00:00", Power::On, "2026-11-30T01:30:00"),
        ("2026-11-30T01:30:00", Power::Off, "2026-11-30T08:00:00"),
        // The two windows of Tuesday are one.
        ("2026-12-01T09:00:00", Power::On, "2026-12-02T00:00:00"),
        ("2026-12-02T00:00:00", Power::Off, "2026-12-06T23:00:00"),
    ] {
        let expected = (None, display, Some(at(until)));
        assert_eq!(plan(&document, Some(when)), expected, "{when}");
    }
    // An empty list of the screen's own means always on.
    document["screens"]["s2"]["display_hours"] = json!([]);
    assert_eq!(
        plan(&document, Some("2026-12-02T00:00:00")),
        (None, Power::On, None)
    );
    // Standby is over the hours.
    document["groups"]["g1"]["standby"] = json!(true);
    document["screens"]["s2"]["group"] = json!("g1");
    assert_eq!(plan(&document, Some("2026-12-02T00:00:00")).1, Power::Off);
}

#[test]
fn the_player_gets_what_is_on_the_box_and_nothing_empty() {
    let mut document = document();
    document["playlists"]["p1"]["montages"] = json!([
        {"id": "m0", "tracks": [{"id": "t", "items": ["i2"]}]},
        {"id": "m1", "tracks": [{"id": "t0", "screen": "side", "items": ["i2"]},
                                {"id": "t1", "screen": "main", "items": ["i1", "i2", "i1"]}]},
        {"id": "m2", "tracks": []},
    ]);
    let environment = environment(&document);
    let playlist = environment
        .playlist(&PlaylistId::new("p1"), |id, item| {
            (item.kind == MediaKind::Video).then(|| format!("/media/{id}"))
        })
        .expect("a playlist");
    assert_eq!(
        (playlist.name.as_str(), playlist.montages.len()),
        ("Summer", 1)
    );
    let montage = &playlist.montages[0];
    assert_eq!((montage.id.as_str(), montage.tracks.len()), ("m1", 1));
    let items = &montage.tracks[0].items;
    assert_eq!(items.len(), 2);
    assert_eq!(items[0].src, "/media/i1");
    assert_eq!(items[0].title.as_deref(), Some("Waves"));
    assert_eq!(items[0].duration, Some(MediaTime::from_seconds(10)));
    let none = environment.playlist(&PlaylistId::new("p1"), |_, _| None);
    assert_eq!(none, None);
    let gone = environment.playlist(&PlaylistId::new("p9"), |_, _| Some(String::new()));
    assert_eq!(gone, None);
}

#[test]
fn a_track_without_a_name_stays_on_its_output_or_is_left_out() {
    let mut document = document();
    document["playlists"]["p1"]["montages"] = json!([
        {"id": "m", "tracks": [{"id": "t0", "items": ["i1"]}, {"id": "t1", "items": []},
                               {"id": "t2", "items": ["i1"]}, {"id": "t3", "screen": "x", "items": ["i1"]}]},
    ]);
    let playlist = environment(&document)
        .playlist(&PlaylistId::new("p1"), |_, _| Some("/a".to_owned()))
        .expect("a playlist");
    let tracks: Vec<&str> = playlist.montages[0]
        .tracks
        .iter()
        .map(|track| track.id.as_str())
        .collect();
    assert_eq!(tracks, ["t0", "t3"]);
}

#[test]
fn what_cannot_be_read_is_named_by_its_key() {
    for (way, wrong, key) in [
        ("/house/volume", json!(1.5), "house.volume"),
        ("/house/name", json!(null), "house.name"),
        ("/screens/s1/mute", json!("yes"), "screens.s1.mute"),
        ("/groups/g1", json!([]), "groups.g1"),
        (
            "/playlists/p3/schedule/windows/0/from",
            json!("8:00"),
            "playlists.p3.schedule.windows[0].from",
        ),
        (
            "/playlists/p4/schedule/to_date",
            json!("2026-02-30"),
            "playlists.p4.schedule.to_date",
        ),
        ("/items/i1/kind", json!("film"), "items.i1.kind"),
    ] {
        let mut document = document();
        *document.pointer_mut(way).expect(way) = wrong;
        let error = Environment::read(&document).expect_err(way);
        assert_eq!(error.key, key, "{error}");
    }
    for wrong in [json!(null), json!([]), json!({}), json!({"house": {}})] {
        Environment::read(&wrong).expect_err("no environment");
    }
}

fn window() -> impl Strategy<Value = Window> {
    let days =
        prop::sample::subsequence(vec!["mon", "tue", "wed", "thu", "fri", "sat", "sun"], 0..=7);
    let times = prop::sample::select(vec!["00:00", "00:01", "08:00", "12:30", "23:59", "24:00"]);
    (days, times.clone(), times).prop_map(|(days, from, to)| {
        serde_json::from_value(json!({"days": days, "from": from, "to": to})).expect("a window")
    })
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let date = prop::option::of((1..=28_u8, 1..=12_u8));
    (prop::collection::vec(window(), 0..4), date.clone(), date).prop_map(|(windows, from, to)| {
        let written = |date: Option<(u8, u8)>| {
            date.map(|(day, month)| format!("2026-{month:02}-{day:02}").parse().expect("a date"))
        };
        Schedule {
            priority: 0,
            from_date: written(from),
            to_date: written(to),
            windows,
        }
    })
}

proptest! {
    #[test]
    fn between_two_changes_nothing_changes(
        schedule in schedule(),
        month in 1..=12_i8, day in 1..=28_i8, minute in 0..1440_i16,
    ) {
        let date = jiff::civil::date(2026, month, day);
        let mut time = date.at((minute / 60) as i8, (minute % 60) as i8, 0, 0);
        let change = schedule.next_change(time);
        let on = schedule.is_on(time);
        // Nothing shorter than a minute is written, so looking at every minute sees everything.
        for _ in 0..9 * 1440 {
            time = time.checked_add(jiff::Span::new().minutes(1)).expect("a time");
            if change.is_some_and(|change| change <= time) {
                break;
            }
            prop_assert_eq!(schedule.is_on(time), on, "{}", time);
        }
        if let Some(change) = change {
            prop_assert_ne!(schedule.is_on(change), on);
        }
    }

    #[test]
    fn orders_hold_until_they_say(
        schedules in prop::collection::vec((schedule(), 0..3_i32), 1..4),
        hours in prop::collection::vec(window(), 0..3),
        day in 1..=28_i8, minute in 0..1440_i16,
    ) {
        let mut document = document();
        document["house"]["display_hours"] = json!(hours);
        for (number, (mut schedule, priority)) in schedules.into_iter().enumerate() {
            schedule.priority = priority;
            document["playlists"][format!("p{}", number + 1)]["schedule"] = json!(schedule);
        }
        let environment = environment(&document);
        let mut time = jiff::civil::date(2026, 6, day).at((minute / 60) as i8, (minute % 60) as i8, 0, 0);
        let mut orders = environment.orders(&screen("s1"), Some(time)).expect("the screen");
        let until = orders.until.take();
        for _ in 0..200 {
            time = time.checked_add(jiff::Span::new().minutes(61)).expect("a time");
            if until.is_some_and(|until| until <= time) {
                break;
            }
            let mut later = environment.orders(&screen("s1"), Some(time)).expect("the screen");
            later.until = None;
            prop_assert_eq!(&later, &orders, "{}", time);
        }
    }
}
