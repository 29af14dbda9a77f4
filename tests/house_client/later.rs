//! A house that is newer than the box, one that is not the house any more, and another one after it.

use std::fs;

use serde_json::{Value, json};

use crate::{
    CERTIFICATE, KEY, OTHER_CERTIFICATE, OTHER_KEY, Pair,
    fake_house::{FakeHouse, Wire},
    is,
    player_box::{Running, until},
};

#[test]
fn a_box_obeys_what_it_understands_of_a_newer_house() {
    let pair = Pair::new(Wire::Plain);
    let running = pair.paired();
    pair.exhibit(&["waves"]);
    pair.house.change(|document| {
        document["items"]["i9"] = json!({"rev": 3, "kind": "scene", "camera": {"angle": 30}});
        let tracks = &mut document["playlists"]["p1"]["montages"][0]["tracks"];
        tracks[0]["items"] = json!(["i9", "waves"]);
        document["house"]["fit"] = json!("zoom");
        document["house"]["autostart_playlist"] = json!(true);
    });
    let status = pair.wait("it plays what it understands", is("playing"));
    assert_eq!(status["settings"]["fit"], "contain", "by default");
    assert_eq!(status["house"]["media"], json!({"complete": 1, "total": 1}));
    // Every change after that is obeyed, and no more is said of it.
    for volume in [0.25, 0.5] {
        pair.set("volume", json!(volume));
        pair.wait("the volume has changed", |status| {
            status["settings"]["volume"] == volume
        });
    }
    let rev = pair.house.rev();
    let obeyed = |state: &Value| state["rev"] == rev;
    until("the house hears which revision is obeyed", || {
        let known = pair.house.known();
        known.states.iter().any(obeyed).then_some(())
    });
    let log = pair.end(running);
    let told = |log: &[String]| {
        let lines = log.iter().filter(|line| line.contains("left out"));
        lines.cloned().collect::<Vec<_>>()
    };
    let lines = told(&log);
    assert_eq!(lines.len(), 1, "{lines:?}");
    for key in ["items.i9.kind", "house.fit"] {
        assert!(lines[0].contains(key), "{lines:?}");
    }

    // It was kept as it was sent: the house has nothing to send again.
    let hellos = pair.house.known().hellos.len();
    let running = pair.start();
    pair.wait("it is connected", |status| {
        status["house"]["online"] == true
    });
    pair.wait("it plays", is("playing"));
    let hello = until("it greets the house", || {
        pair.house.known().hellos.get(hellos).cloned()
    });
    assert_eq!(
        (&hello["epoch"], &hello["rev"]),
        (&json!("e1"), &json!(rev))
    );
    assert_eq!(told(&pair.end(running)).len(), 1, "once a start");
}

#[test]
fn a_house_with_another_key_is_not_believed_and_the_box_says_why() {
    let pair = Pair::new(Wire::Plain);
    pair.played_before();

    let hellos = pair.house.known().hellos.len();
    pair.house.rekey(7);
    // Neither when it lets boxes in, nor when it says that this one is none of its own.
    pair.house.set_up_anew(true);
    let running = pair.start();
    let status = pair.wait("the house is not believed", |status| {
        status["house"]["problem"].is_string()
    });
    let tries = pair.house.challenges();
    pair.house.set_up_anew(false);
    until("it asks again", || {
        (pair.house.challenges() > tries).then_some(())
    });
    let says = "is not the house that this box was paired with: it does not have its key";
    let problem = status["house"]["problem"].as_str().expect("why");
    assert!(problem.contains(says), "{problem}");
    assert_eq!(status["house"]["linked"], true);
    assert_eq!(status["house"]["online"], false);
    let output = pair.player.ctl(&["status"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains(says), "{text}");
    pair.wait("it plays what it has", is("playing"));
    pair.set("autostart_playlist", json!(false));
    assert_eq!(pair.house.known().hellos.len(), hellos, "it did not go in");
    let logged = |line: &String| line.contains(says);
    assert!(running.log().iter().any(logged), "it is in the log");

    // Its own house is let in as before.
    pair.house.rekey(42);
    let status = pair.wait("the house is back", |status| {
        status["house"]["online"] == true
    });
    assert_eq!(status["house"]["problem"], Value::Null);
    pair.wait("it is told what it has missed", |status| {
        status["settings"]["autostart_playlist"] == false
    });
    pair.end(running);
}

#[test]
fn a_house_hears_nothing_of_what_the_box_has_shown_for_the_one_before() {
    let pair = Pair::new(Wire::Plain);
    let running = pair.paired();
    pair.plays_waves();
    pair.house.revoke();
    pair.wait("it is told", |status| status["house"]["linked"] == false);
    let log = pair.player.path("state/plays.jsonl");
    until("what is shown after that waits in the log", || {
        let text = fs::read_to_string(&log).ok()?;
        let last = text.lines().rev();
        let plays = last.take_while(|line| !line.contains("settled"));
        (plays.count() >= 3).then_some(())
    });

    // The next house has the same names for its things.
    let next = Pair {
        player: pair.player,
        house: FakeHouse::numbered(2, Wire::Plain),
    };
    next.exhibit(&["storm"]);
    next.set("autostart_playlist", json!(true));
    let paired = next.player.ctl(&["pair", &next.house.url()]);
    assert!(paired.status.success(), "{paired:?}");
    next.decide("approved");
    let plays = until("plays are reported", || {
        Some(next.house.known().plays.clone()).filter(|plays| plays.len() >= 2)
    });
    assert!(
        plays.iter().all(|play| play["item"] == "storm"),
        "{plays:?}"
    );
    next.end(running);
}

#[test]
fn the_configuration_names_another_house_and_the_box_keeps_its_own_until_that_says_yes() {
    let own = Pair::new(Wire::tls(CERTIFICATE, KEY));
    own.played_before();
    let link = || fs::read_to_string(own.player.path("state/link.json")).expect("a link");
    let before = link();

    for wire in [Wire::Plain, Wire::tls(OTHER_CERTIFICATE, OTHER_KEY)] {
        let next = FakeHouse::numbered(2, wire);
        next.rekey(7);
        let url = next.url();
        let running = Running::start(
            own.player
                .daemon(&["--mode", "640x360@30", "--house", &url]),
        );
        let status = own.wait("there is a code", |status| {
            status["house"]["code"].is_string()
        });
        let enrolment = next.known().enrolments.last().expect("one").clone();
        assert_eq!(status["house"]["code"], enrolment.code);
        own.wait("it plays what it has", is("playing"));
        assert_eq!(link(), before, "nobody has said yes");
        own.end(running);
    }

    let running = own.start();
    own.wait("its own house has it as before", |status| {
        status["house"]["online"] == true
    });
    own.end(running);

    let next = FakeHouse::numbered(2, Wire::Plain);
    next.rekey(7);
    let url = next.url();
    let running = Running::start(
        own.player
            .daemon(&["--mode", "640x360@30", "--house", &url]),
    );
    own.wait("there is a code", |status| {
        status["house"]["code"].is_string()
    });
    next.decide("approved");
    own.wait("the next house has it", |status| {
        status["house"]["online"] == true && status["house"]["url"] == url
    });
    own.end(running);
}

#[test]
fn a_document_without_the_boxs_screen_darkens_no_screen() {
    let pair = Pair::new(Wire::Plain);
    let running = pair.paired();
    pair.plays_waves();
    pair.house
        .change(|document| document["screens"] = json!({}));
    pair.house
        .change(|document| document["house"]["name"] = json!("Another"));
    until("the box has heard of it", || {
        let says = "without this box's screen; the one before stays";
        running
            .log()
            .iter()
            .any(|line| line.contains(says))
            .then_some(())
    });
    assert_eq!(pair.player.status()["state"], "playing");
    pair.house.revoke();
    pair.wait("it is told", |status| status["house"]["linked"] == false);
    assert_eq!(pair.player.status()["state"], "playing");
    pair.end(running);
    let running = pair.start();
    pair.wait("it plays what it last knew", is("playing"));
    pair.end(running);
}
