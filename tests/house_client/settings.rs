//! What a house sets reaches its boxes, by way of groups too, and outlives a restart without the house.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{Pair, fake_house::Wire, is, player_box::until};

impl Pair {
    /// Two playlists: `p1` of waves, which is selected, and `p2` of storm.
    fn two_playlists(&self) {
        self.exhibit(&["waves", "storm"]);
        self.house.change(|document| {
            let mut other = document["playlists"]["p1"].clone();
            other["name"] = json!("Winter");
            other["montages"][0]["tracks"][0]["items"] = json!(["storm"]);
            document["playlists"]["p2"] = other;
            let tracks = &mut document["playlists"]["p1"]["montages"][0]["tracks"];
            tracks[0]["items"] = json!(["waves"]);
        });
        self.wait("the media are here", |status| {
            status["house"]["media"] == json!({"complete": 2, "total": 2})
        });
    }

    fn plays(&self, playlist: &str, item: &str) -> Value {
        self.wait(&format!("{playlist} plays"), |status| {
            is("playing")(status)
                && status["playlist"]["id"] == playlist
                && status["item"]["id"] == item
        })
    }
}

fn remove(value: &mut Value, key: &str) {
    value.as_object_mut().expect("an object").remove(key);
}

#[test]
fn another_playlist_is_selected_while_one_plays() {
    let pair = Pair::new(Wire::Plain);
    let running = pair.paired();
    pair.two_playlists();
    pair.set("autostart_playlist", json!(true));
    pair.plays("p1", "waves");
    pair.set("playlist", json!("p2"));
    pair.plays("p2", "storm");
    // The screen's own goes before the house's.
    pair.house
        .change(|document| document["screens"]["s1"]["playlist"] = json!("p1"));
    pair.plays("p1", "waves");
    pair.house
        .change(|document| remove(&mut document["screens"]["s1"], "playlist"));
    pair.plays("p2", "storm");
    pair.end(running);
}

#[test]
fn the_default_playlist_plays_where_none_is_selected() {
    let pair = Pair::new(Wire::Plain);
    let running = pair.paired();
    pair.two_playlists();
    pair.house.change(|document| {
        remove(&mut document["house"], "playlist");
        document["house"]["default_playlist"] = json!("p2");
        document["house"]["autostart_playlist"] = json!(true);
    });
    pair.plays("p2", "storm");
    pair.set("playlist", json!("p1"));
    pair.plays("p1", "waves");
    // One that is empty counts as none.
    pair.house
        .change(|document| document["playlists"]["p1"]["montages"] = json!([]));
    pair.plays("p2", "storm");
    pair.end(running);
}

#[test]
fn without_auto_advance_an_item_stays_until_somebody_says_next() {
    let pair = Pair::new(Wire::Plain);
    let running = pair.paired();
    pair.exhibit(&["waves", "storm"]);
    pair.set("autostart_playlist", json!(true));
    let shown = |status: &Value| status["items_shown"].as_u64().expect("a count");
    pair.wait("items follow each other", |status| shown(status) >= 3);
    pair.set("auto_advance", json!(false));
    // Each item stands for a second.
    let mut before: Option<Value> = None;
    let still = pair.wait("one item stays for three seconds", |status| {
        let uptime = |status: &Value| status["uptime_ms"].as_u64().expect("a time");
        if status["settings"]["auto_advance"] == true {
            return false;
        }
        match &before {
            Some(seen) if shown(seen) == shown(status) => uptime(status) >= uptime(seen) + 3000,
            Some(_) | None => {
                before = Some(status.clone());
                false
            }
        }
    });
    assert_eq!(still["state"], "playing");
    assert!(pair.player.ctl(&["next"]).status.success());
    let next = pair.wait("the next is there", |status| {
        status["item"]["id"] != still["item"]["id"]
    });
    pair.set("auto_advance", json!(true));
    pair.wait("items follow each other again", |status| {
        shown(status) >= shown(&next) + 2
    });
    pair.end(running);
}

#[test]
fn another_fit_is_seen_on_what_is_shown_already() {
    let pair = Pair::new(Wire::Plain);
    let running = pair.paired_in("640x480@30");
    pair.plays_waves();
    let differs_from = |seen: &[&[u8]]| {
        until("it looks otherwise", || {
            let picture = pair.picture();
            let is_new = seen.iter().all(|seen| *seen != picture);
            is_new.then_some(picture)
        })
    };
    // The image is 640x360: there is nothing in the 60 rows above it and below it.
    let whole = until("the whole image is shown", || {
        let bytes = pair.picture();
        let picture = image::load_from_memory(&bytes)
            .expect("a picture")
            .to_rgb8();
        let black = |row: u32| (0..640).all(|x| picture.get_pixel(x, row).0 == [0; 3]);
        let is_whole = (0..60).chain(420..480).all(black) && !(60..420).all(black);
        is_whole.then_some(bytes)
    });
    pair.set("fit", json!("cover"));
    let covering = differs_from(&[&whole]);
    pair.set("fit", json!("stretch"));
    let stretched = differs_from(&[&whole, &covering]);
    for (name, picture) in [
        ("contain", &whole),
        ("cover", &covering),
        ("stretch", &stretched),
    ] {
        // For people to look at.
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fit-{name}.png"));
        fs::write(path, picture).expect("written");
    }
    pair.set("fit", json!("contain"));
    until("it is as before", || {
        (pair.picture() == whole).then_some(())
    });
    pair.end(running);
}

#[test]
fn a_group_sets_what_its_screens_do_not_set_themselves() {
    let pair = Pair::new(Wire::Plain);
    let running = pair.paired();
    pair.two_playlists();
    pair.house.change(|document| {
        document["house"]["autostart_playlist"] = json!(true);
        document["house"]["volume"] = json!(0.75);
        document["groups"]["g1"] = json!({
            "rev": 2, "name": "Ground floor", "playlist": "p2", "volume": 0.25, "mute": true, "fit": "stretch",
            "auto_advance": false,
        });
        document["screens"]["s1"]["group"] = json!("g1");
        document["screens"]["s1"]["fit"] = json!("cover");
    });
    let settings = pair.plays("p2", "storm")["settings"].clone();
    assert_eq!(settings["volume"], 0.25);
    assert_eq!(settings["mute"], true);
    assert_eq!(settings["auto_advance"], false);
    assert_eq!(settings["fit"], "cover", "the screen's own goes first");
    pair.house
        .change(|document| document["groups"]["g1"]["standby"] = json!(true));
    pair.wait("the group is off", is("standby"));
    pair.house.change(|document| {
        remove(&mut document["screens"]["s1"], "group");
        remove(&mut document["screens"]["s1"], "fit");
    });
    let settings = pair.plays("p1", "waves")["settings"].clone();
    assert_eq!(settings["volume"], 0.75);
    assert_eq!(settings["mute"], false);
    assert_eq!(settings["auto_advance"], true);
    assert_eq!(settings["fit"], "contain");
    pair.end(running);
}

#[test]
fn what_the_house_has_set_holds_after_a_restart_without_it() {
    let pair = Pair::new(Wire::Plain);
    let running = pair.paired();
    pair.two_playlists();
    pair.house.change(|document| {
        document["house"]["autostart_playlist"] = json!(true);
        document["house"]["playlist"] = json!("p2");
        document["house"]["volume"] = json!(0.35);
        document["house"]["fit"] = json!("cover");
        document["screens"]["s1"]["mute"] = json!(true);
        document["screens"]["s1"]["name"] = json!("North wall");
    });
    let told = pair.plays("p2", "storm");
    pair.end(running);

    pair.house.cut();
    let running = pair.start();
    let status = pair.plays("p2", "storm");
    assert_eq!(status["house"]["online"], false);
    assert_eq!(status["name"], "North wall");
    assert_eq!(status["settings"], told["settings"]);
    assert_eq!(status["settings"]["volume"], 0.35);
    assert_eq!(status["settings"]["mute"], true);
    assert_eq!(status["settings"]["fit"], "cover");
    assert_eq!(status["settings"]["autostart_playlist"], true);
    pair.end(running);
}
