//! A house that is newer than the box, and one that is not the house any more.

use serde_json::{Value, json};

use crate::{Pair, fake_house::Wire, is, player_box::until};

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
    let running = pair.start();
    let status = pair.wait("the house is not believed", |status| {
        status["house"]["problem"].is_string()
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
