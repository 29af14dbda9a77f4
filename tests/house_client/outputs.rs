//! A box with several outputs sends a picture of each.

use serde_json::{Value, json};

use crate::{
    Pair, Running,
    fake_house::{Picture, Wire},
    is,
    player_box::until,
};

/// How much two pictures differ, from 0 to 255 for a pixel's channel.
fn difference(one: &[u8], other: &[u8]) -> f64 {
    let [one, other] = [one, other].map(|bytes| {
        let picture = image::load_from_memory(bytes).expect("a picture");
        picture.to_rgb8()
    });
    assert_eq!(one.dimensions(), other.dimensions());
    let all = one.as_raw().iter().zip(other.as_raw());
    let sum: f64 = all.map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
    sum / one.as_raw().len() as f64
}

#[test]
fn the_house_gets_a_picture_of_the_output_that_it_names() {
    let pair = Pair::new(Wire::Plain);
    let url = pair.house.url();
    let daemon = pair.player.daemon(&[
        "--mode",
        "640x360@30",
        "--house",
        &url,
        "--screen",
        "left",
        "--screen",
        "north wall",
    ]);
    let running = Running::start(daemon);
    pair.decide("approved");
    pair.wait("the box is connected", |status| {
        status["house"]["online"] == true
    });
    pair.exhibit(&["waves", "storm"]);
    pair.house.change(|document| {
        document["playlists"]["p1"]["montages"][0]["tracks"] = json!([
            {"id": "t1", "screen": "left", "items": ["waves"]},
            {"id": "t2", "screen": "north wall", "items": ["storm"]},
        ]);
        document["house"]["autostart_playlist"] = json!(true);
    });
    pair.wait("both outputs play", |status| {
        let items = [0, 1].map(|screen| &status["screens"][screen]["item"]["id"]);
        is("playing")(status) && items == [&json!("waves"), &json!("storm")]
    });
    let here = ["left", "north wall"].map(|screen| {
        let output = pair.player.ctl(&["screenshot", "--screen", screen, "-"]);
        assert!(output.status.success(), "{output:?}");
        output.stdout
    });
    assert!(
        difference(&here[0], &here[1]) > 1.0,
        "they can be told apart"
    );

    let ask = |id: &str, command: Value| {
        pair.house.command(id, command);
        until("the command is answered", || pair.house.outcome(id))
    };
    let picture = |id: &str, output: Option<&str>| -> Picture {
        let mut command = json!({"command": "screenshot"});
        if let Some(output) = output {
            command["output"] = json!(output);
        }
        assert_eq!(ask(id, command), None);
        let known = pair.house.known();
        known.pictures.last().expect("a picture").clone()
    };
    for (id, output, query, screen) in [
        ("c1", None, "", 0),
        ("c2", Some("north wall"), "output=north+wall", 1),
        ("c3", Some("left"), "output=left", 0),
    ] {
        let picture = picture(id, output);
        assert_eq!(picture.query, query);
        assert!(picture.jpeg.starts_with(b"\xff\xd8\xff"), "a JPEG");
        let [same, other] = [screen, 1 - screen].map(|at| difference(&picture.jpeg, &here[at]));
        assert!(same * 2.0 < other, "{id}: {same} and {other}");
    }
    let why = ask("c4", json!({"command": "screenshot", "output": "attic"}));
    let why = why.expect("there is none");
    assert!(why.contains("left, north wall"), "{why}");
    assert_eq!(pair.house.known().pictures.len(), 3);
    pair.end(running);
}
