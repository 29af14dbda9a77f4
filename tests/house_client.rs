//! Real boxes and a house that is made for the tests: pairing, being steered, being cut off, and what is left then.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

#[path = "house_client/choosing.rs"]
mod choosing;
#[path = "support/counted/mod.rs"]
mod counted;
#[path = "support/fake_house.rs"]
mod fake_house;
#[path = "support/servers/http.rs"]
mod http;
#[path = "house_client/kills.rs"]
mod kills;
#[path = "house_client/later.rs"]
mod later;
#[path = "house_client/outputs.rs"]
mod outputs;
#[path = "support/player_box.rs"]
mod player_box;
#[path = "support/servers/ports.rs"]
mod ports;
#[path = "house_client/settings.rs"]
mod settings;
#[path = "house_client/times.rs"]
mod times;

use std::{fs, path::Path, thread, time::Duration};

use fake_house::{FakeHouse, Wire, hex, spki};
use http::{Http, Manner};
use jiff::{SignedDuration, Timestamp};
use player_box::{PlayerBox, Running, until};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const CERTIFICATE: &str = include_str!("data/house-certificate-1.pem");
const KEY: &str = include_str!("data/house-key-1.pem");
const OTHER_CERTIFICATE: &str = include_str!("data/house-certificate-2.pem");
const OTHER_KEY: &str = include_str!("data/house-key-2.pem");

/// A box and its house.
struct Pair {
    player: PlayerBox,
    house: FakeHouse,
}

impl Pair {
    fn new(wire: Wire) -> Self {
        Self {
            player: PlayerBox::new(),
            house: FakeHouse::start(wire),
        }
    }

    fn start(&self) -> Running {
        self.start_in("640x360@30")
    }

    fn start_in(&self, mode: &str) -> Running {
        let url = self.house.url();
        let daemon = self.player.daemon(&["--mode", mode, "--house", &url]);
        Running::start(daemon)
    }

    /// Ends the daemon as the service manager does.
    fn end(&self, running: Running) -> Vec<String> {
        let id = i32::try_from(running.id()).expect("a process id");
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(id),
            nix::sys::signal::Signal::SIGTERM,
        )
        .expect("it runs");
        let (status, log) = running.end();
        assert!(status.success(), "{status}: {}", log.join("\n"));
        log
    }

    /// Waits for the code on the box, and says yes or no on the house.
    fn decide(&self, status: &'static str) -> Value {
        let shown = self.player.wait_for("there is a code", |status| {
            status["house"]["code"].is_string()
        });
        let enrolment = self.house.known().enrolments.last().expect("one").clone();
        assert_eq!(shown["house"]["code"], enrolment.code);
        assert_eq!(shown["house"]["check"], json!(enrolment.check));
        assert_eq!(shown["house"]["linked"], false);
        // For people to look at.
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pairing-card.png");
        fs::write(path, self.picture()).expect("written");
        self.house.decide(status);
        shown
    }

    /// A running box that belongs to the house.
    fn paired(&self) -> Running {
        self.paired_in("640x360@30")
    }

    /// The same with a screen of this mode.
    fn paired_in(&self, mode: &str) -> Running {
        let running = self.start_in(mode);
        self.decide("approved");
        self.wait("the box is connected", |status| {
            status["house"]["online"] == true
        });
        running
    }

    /// The box, which is paired, is told to play waves by itself after its start, plays them, and is turned off.
    fn plays_and_ends(&self, running: Running) {
        self.plays_waves();
        self.end(running);
    }

    /// The box, which is paired, is told to play waves by itself after its start, and plays them.
    fn plays_waves(&self) {
        self.exhibit(&["waves"]);
        self.set("autostart_playlist", json!(true));
        self.wait("it plays", is("playing"));
    }

    /// The same for a box that is paired first.
    fn played_before(&self) {
        let running = self.paired();
        self.plays_and_ends(running);
    }

    fn wait(&self, what: &str, wanted: impl FnMut(&Value) -> bool) -> Value {
        self.player.wait_for(what, wanted)
    }

    /// Makes the house have a playlist of images, whose ids are their files' names.
    fn exhibit(&self, images: &[&str]) {
        let mut items = json!({});
        for (id, name) in (1..).zip(images) {
            let bytes = fs::read(self.player.image(&format!("{name}.png"), id)).expect("an image");
            items[name] = json!({
                "rev": 2, "title": name, "kind": "image", "duration_ms": 1000,
                "formats": {"source": {
                    "src": format!("/api/v1/media/{name}.png"), "size": bytes.len(),
                    "sha256": hex(&Sha256::digest(&bytes)), "mime": "image/png",
                }},
            });
            self.house
                .known()
                .media
                .insert(format!("{name}.png"), bytes);
        }
        let images = json!(images);
        self.house.change(|document| {
            document["items"] = items;
            document["playlists"]["p1"] = json!({
                "rev": 2, "name": "Summer",
                "montages": [{"id": "m1", "tracks": [{"id": "t1", "screen": "main", "items": images}]}],
            });
            document["house"]["playlist"] = json!("p1");
        });
    }

    fn set(&self, key: &str, value: Value) {
        self.house.change(|document| document["house"][key] = value);
    }

    /// What is on the screen.
    fn picture(&self) -> Vec<u8> {
        until("something is shown", || {
            let output = self.player.ctl(&["screenshot", "-"]);
            output.status.success().then_some(output.stdout)
        })
    }

    /// The folder of media on the box, by names.
    fn shelf(&self) -> Vec<String> {
        let entries = fs::read_dir(self.player.path("state/media")).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        names
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    }
}

fn is(state: &str) -> impl Fn(&Value) -> bool {
    move |status| status["state"] == state
}

#[test]
fn a_box_is_paired_steered_and_tells_how_it_is() {
    let pair = Pair::new(Wire::Plain);
    let running = pair.paired();
    let status = pair.wait("the name is the house's", |status| status["name"] != "");
    assert_eq!(status["house"]["house"], "h1");
    assert_eq!(status["house"]["screen"], "s1");
    assert_eq!(status["state"], "idle");

    pair.exhibit(&["waves", "storm"]);
    let status = pair.wait("the media are here", |status| {
        status["house"]["media"] == json!({"complete": 2, "total": 2})
    });
    assert_eq!(
        status["state"], "idle",
        "nobody has said that it starts by itself"
    );
    assert_eq!(status["playlist"]["name"], "Summer");

    pair.set("autostart_playlist", json!(true));
    let status = pair.wait("it plays", is("playing"));
    assert_eq!(status["settings"]["autostart_playlist"], true);
    pair.set("autostart_playlist", json!(false));
    let status = pair.wait("it is told", |status| {
        status["settings"]["autostart_playlist"] == false
    });
    assert_eq!(status["state"], "playing", "what plays goes on");

    pair.house.change(|document| {
        document["house"]["volume"] = json!(0.25);
        document["screens"]["s1"]["mute"] = json!(true);
        document["screens"]["s1"]["name"] = json!("North wall");
        document["house"]["fit"] = json!("cover");
    });
    let status = pair.wait("the name has changed", |status| {
        status["name"] == "North wall"
    });
    assert_eq!(status["settings"]["volume"], 0.25);
    assert_eq!(status["settings"]["mute"], true);
    assert_eq!(status["settings"]["fit"], "cover");

    pair.house.command("c1", json!({"command": "pause"}));
    pair.wait("it stands still", is("paused"));
    pair.house.command("c1", json!({"command": "play"}));
    pair.house
        .command("c2", json!({"command": "goto", "position": "M9T0I0"}));
    let why = until("the command is answered", || pair.house.outcome("c2"));
    assert!(why.expect("it cannot be done").contains("M9T0I0"));
    assert_eq!(
        pair.player.status()["state"],
        "paused",
        "a command is done once"
    );
    pair.house.command("c3", json!({"command": "play"}));
    assert_eq!(until("it is done", || pair.house.outcome("c3")), None);
    pair.house.command("c4", json!({"command": "identify"}));
    assert_eq!(until("it is done", || pair.house.outcome("c4")), None);
    pair.house.command("c5", json!({"command": "dance"}));
    assert!(until("it is answered", || pair.house.outcome("c5")).is_some());
    pair.house.command("c6", json!({"command": "screenshot"}));
    assert_eq!(until("it is done", || pair.house.outcome("c6")), None);
    let picture = pair
        .house
        .known()
        .pictures
        .last()
        .expect("a picture")
        .clone();
    assert!(picture.jpeg.starts_with(b"\xff\xd8\xff"), "a JPEG");
    assert_eq!(picture.query, "", "of the first output");

    pair.set("standby", json!(true));
    let status = pair.wait("the display is off", is("standby"));
    assert_eq!(status["display"]["power"], "off");
    until("the house hears of it", || {
        let known = pair.house.known();
        let standby = |state: &Value| state["state"] == "standby";
        known.states.iter().any(standby).then_some(())
    });
    assert!(pair.player.ctl(&["display", "on"]).status.success());
    pair.set("volume", json!(0.5));
    let status = pair.wait("the volume has changed", |status| {
        status["settings"]["volume"] == 0.5
    });
    assert_eq!(
        status["display"]["power"], "on",
        "what a person switched stays"
    );
    pair.set("standby", json!(false));

    until("plays are reported", || {
        let known = pair.house.known();
        let items: Vec<&Value> = known.plays.iter().map(|play| &play["item"]).collect();
        (items.contains(&&json!("waves")) && items.contains(&&json!("storm"))).then_some(())
    });
    let known = pair.house.known();
    let seqs = known
        .plays
        .iter()
        .map(|play| play["seq"].as_u64().expect("a number"));
    let seqs: Vec<u64> = seqs.collect();
    assert!(seqs.is_sorted_by(|one, other| one < other), "{seqs:?}");
    assert!(known.plays.iter().all(|play| play["playlist"] == "p1"));
    let played = |state: &Value| state["state"] == "playing" && state["media"]["complete"] == 2;
    assert!(known.states.iter().any(played));
    drop(known);
    pair.end(running);
}

#[test]
fn a_medium_that_the_disk_has_damaged_is_fetched_anew() {
    let pair = Pair::new(Wire::Plain);
    pair.played_before();
    let [name] = &pair.shelf()[..] else {
        panic!("one medium");
    };
    let file = pair.player.path("state/media").join(name);
    let sound = fs::read(&file).expect("the medium");
    fs::write(&file, vec![0; sound.len()]).expect("damaged");
    let running = pair.start();
    until("it is what it was", || {
        (fs::read(&file).ok().as_deref() == Some(&*sound)).then_some(())
    });
    pair.wait("it is shown", |status| {
        status["items_shown"].as_u64() >= Some(1)
    });
    pair.end(running);
}

#[test]
fn what_is_dark_is_not_shown_and_what_is_lit_again_is() {
    let pair = Pair::new(Wire::Plain);
    let running = pair.paired();
    pair.exhibit(&["waves", "storm"]);
    pair.set("auto_advance", json!(false));
    pair.set("autostart_playlist", json!(true));
    pair.wait("it is shown", |status| {
        status["items_shown"] == 1 && status["screens"][0]["item"]["id"] == "waves"
    });
    let plays = |count: usize| {
        until("it is a play", || {
            let plays = pair.house.known().plays.clone();
            assert!(plays.len() <= count, "{plays:?}");
            (plays.len() == count).then_some(plays)
        })
    };
    assert_eq!(pair.house.known().plays.len(), 0, "the first goes on");
    for (count, command) in [
        (1, &["display", "off"][..]),
        (1, &["display", "on"][..]),
        (2, &["stop"][..]),
    ] {
        assert!(pair.player.ctl(command).status.success(), "{command:?}");
        plays(count);
    }
    // What begins in the dark is seen only when there is light.
    let ctl = |command: &[&str]| assert!(pair.player.ctl(command).status.success(), "{command:?}");
    ctl(&["display", "off"]);
    ctl(&["goto", "M0T0I1"]);
    pair.wait("it has begun", |status| {
        status["screens"][0]["item"]["id"] == "storm"
    });
    let dark = Timestamp::now();
    thread::sleep(Duration::from_secs(5));
    let light = Timestamp::now();
    ctl(&["display", "on"]);
    ctl(&["stop"]);
    let end = Timestamp::now();
    let plays = plays(3);
    let items: Vec<&Value> = plays.iter().map(|play| &play["item"]).collect();
    assert_eq!(items, ["waves", "waves", "storm"]);
    let spans = plays.iter().map(|play| {
        let at: Timestamp = play["at"].as_str().expect("a time").parse().expect("one");
        let length = play["duration_ms"].as_i64().expect("a length");
        (at, at + SignedDuration::from_millis(length))
    });
    let spans: Vec<(Timestamp, Timestamp)> = spans.collect();
    // How late the box may hear of what its screens show.
    let slack = SignedDuration::from_secs(2);
    for pair in spans.windows(2) {
        assert!(pair[0].1 <= pair[1].0 + slack, "{spans:?}");
    }
    assert!(spans[1].1 <= dark + slack, "{spans:?}");
    assert!(spans[2].0 + slack >= light, "{spans:?}");
    assert!(spans[2].1 <= end + slack, "{spans:?}");
    pair.end(running);
}

#[test]
fn without_a_network_the_box_starts_from_what_it_last_knew() {
    let pair = Pair::new(Wire::Plain);
    pair.played_before();

    pair.house.cut();
    let running = pair.start();
    pair.wait("it plays by itself", is("playing"));
    // It does not wait for its network to know how it stands.
    let status = pair.wait("it knows its house", |status| {
        status["house"]["linked"] == true
    });
    assert_eq!(status["house"]["online"], false);
    pair.set("autostart_playlist", json!(false));
    pair.house.mend();
    let status = pair.wait("it learns what it has missed", |status| {
        status["settings"]["autostart_playlist"] == false
    });
    assert_eq!(status["state"], "playing", "what plays goes on");
    let plays = until("what was shown meanwhile is reported", || {
        Some(pair.house.known().plays.clone()).filter(|plays| !plays.is_empty())
    });
    assert_eq!(plays[0]["item"], "waves");
    pair.end(running);

    pair.house.cut();
    let running = pair.start();
    let status = pair.wait("it has its playlist", |status| {
        status["playlist"]["id"] == "p1"
    });
    assert_eq!(
        status["state"], "idle",
        "it does not start by itself any more"
    );
    pair.end(running);
}

#[test]
fn a_damaged_cache_is_set_aside_and_a_snapshot_asked_for() {
    let pair = Pair::new(Wire::Plain);
    pair.played_before();

    let path = pair.player.path("state/environment.json");
    let whole = fs::read_to_string(&path).expect("a cache");
    fs::write(&path, whole.replace("Summer", "Winter")).expect("written");
    let running = pair.start();
    pair.wait("it plays again", is("playing"));
    let hello = pair.house.known().hellos.last().expect("a hello").clone();
    assert_eq!(
        (&hello["epoch"], &hello["rev"]),
        (&Value::Null, &Value::Null)
    );
    assert!(
        pair.player
            .path("state/environment.json.damaged-1")
            .exists()
    );
    let log = pair.end(running);
    let told = log
        .iter()
        .any(|line| line.contains("environment.json.damaged-1"));
    assert!(told, "{}", log.join("\n"));
    assert_eq!(fs::read_to_string(&path).expect("a cache"), whole);
}

#[test]
fn a_box_that_is_taken_off_the_list_plays_on_and_can_be_paired_again() {
    let pair = Pair::new(Wire::Plain);
    let running = pair.paired();
    pair.plays_waves();
    pair.house.revoke();
    let status = pair.wait("it is told", |status| status["house"]["linked"] == false);
    assert!(
        status["house"]["problem"]
            .as_str()
            .expect("why")
            .contains("off its list")
    );
    assert_eq!(status["state"], "playing");
    pair.end(running);

    let running = pair.start();
    pair.wait("it still plays what it has", is("playing"));
    assert_eq!(
        pair.house.known().enrolments.len(),
        1,
        "it does not ask by itself"
    );
    let art = pair.picture();
    let output = pair.player.ctl(&["pair"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    let status = pair.decide("approved");
    for key in ["code", "check"] {
        let wanted = status["house"][key].as_str().expect("text");
        assert!(text.contains(wanted), "{text}");
    }
    assert_eq!(status["state"], "playing");
    assert_ne!(pair.picture(), art, "the code lies over what plays");
    pair.wait("it is connected", |status| {
        status["house"]["online"] == true
    });
    assert_eq!(pair.player.status()["house"]["screen"], "s2");
    until("the code goes", || (pair.picture() == art).then_some(()));

    assert!(pair.player.ctl(&["unpair"]).status.success());
    let status = pair.wait("it plays nothing", |status| {
        status["state"] == "idle" && status["house"]["linked"] == false
    });
    assert_eq!(status["playlist"], Value::Null);
    pair.end(running);
}

#[test]
fn a_box_that_is_refused_plays_its_own_playlist_and_asks_no_more() {
    let pair = Pair::new(Wire::Plain);
    pair.player.image("own.png", 7);
    let playlist = pair.player.playlist(&["own.png"]);
    let url = pair.house.url();
    let daemon = pair.player.daemon(&[
        "--mode",
        "640x360@30",
        "--house",
        &url,
        "--playlist",
        &playlist.to_string_lossy(),
    ]);
    let running = Running::start(daemon);
    pair.decide("refused");
    let status = pair.wait("it is told", |status| {
        status["house"]["problem"].is_string()
    });
    assert!(
        status["house"]["problem"]
            .as_str()
            .expect("why")
            .contains("refused")
    );
    assert_eq!(status["state"], "playing");
    assert_eq!(status["house"]["code"], Value::Null);
    assert_eq!(pair.house.known().enrolments.len(), 1);
    pair.end(running);
}

#[test]
fn a_medium_of_another_server_is_fetched_whole_before_it_counts() {
    let pair = Pair::new(Wire::Plain);
    let elsewhere = pair.player.path("elsewhere");
    fs::create_dir(&elsewhere).expect("a folder");
    let running = pair.paired();
    pair.exhibit(&["waves"]);
    let bytes = pair.house.known().media.remove("waves.png").expect("it");
    fs::write(elsewhere.join("waves.png"), &bytes).expect("written");
    let world = Http::start(&elsewhere, Manner::HoldsAt(500));
    let (src, port) = (world.url("waves.png"), world.port());
    pair.house.change(|document| {
        document["items"]["waves"]["formats"]["source"]["src"] = json!(src);
        document["items"]["waves"]["rev"] = json!(3);
    });
    let part = until("a part of it is there", || {
        let entries = fs::read_dir(pair.player.path("state/media")).ok()?;
        let mut lengths = entries
            .flatten()
            .filter_map(|entry| Some(entry.metadata().ok()?.len()));
        lengths.find(|length| (1..=501).contains(length))
    });
    assert!(part < bytes.len() as u64);
    let waiting = pair.player.status();
    assert_eq!(
        waiting["house"]["media"],
        json!({"complete": 0, "total": 1})
    );
    // The connection breaks, and the server comes back.
    drop(world);
    let _world = Http::again(&elsewhere, port, Manner::Serves);
    pair.wait("the medium is here", |status| {
        status["house"]["media"]["complete"] == 1
    });
    assert_eq!(pair.shelf(), [hex(&Sha256::digest(&bytes))]);
    pair.end(running);
}

#[test]
fn a_beginning_that_was_wrong_is_fetched_anew_soon() {
    let pair = Pair::new(Wire::Plain);
    let running = pair.paired();
    let bytes = fs::read(pair.player.image("waves.png", 1)).expect("an image");
    let sha256 = hex(&Sha256::digest(&bytes));
    let part = pair
        .player
        .path("state/media")
        .join(format!("{sha256}.part"));
    fs::write(part, "a page that says: sign in first").expect("written");
    pair.exhibit(&["waves"]);
    pair.wait("the medium is here", |status| {
        status["house"]["media"]["complete"] == 1
    });
    assert!(
        pair.house.known().ranges.len() >= 2,
        "the beginning was there"
    );
    pair.end(running);
}

#[test]
fn a_medium_comes_in_parts_and_counts_only_when_it_is_whole() {
    let pair = Pair::new(Wire::Plain);
    let running = pair.paired();
    pair.house.known().cuts = vec![1000, 500];
    pair.exhibit(&["waves"]);
    pair.wait("the medium is here", |status| {
        status["house"]["media"]["complete"] == 1
    });
    let bytes = pair.house.known().media["waves.png"].clone();
    assert_eq!(pair.shelf(), [hex(&Sha256::digest(&bytes))]);
    let kept = fs::read(pair.player.path("state/media").join(&pair.shelf()[0]));
    assert_eq!(kept.expect("the file"), bytes);
    let tag = Some("\"waves.png-1\"".to_owned());
    let range = |from: usize| (Some(format!("bytes={from}-")), tag.clone());
    assert_eq!(
        pair.house.known().ranges,
        [(None, None), range(1000), range(1500)]
    );

    // One that comes as something else never counts.
    let mut bad = bytes.clone();
    bad[100] ^= 1;
    pair.house.known().media.insert("storm.png".to_owned(), bad);
    let (size, sha256) = (bytes.len(), "12".repeat(32));
    pair.house.change(|document| {
        document["items"]["storm"] = document["items"]["waves"].clone();
        document["items"]["storm"]["formats"]["source"] =
            json!({"src": "/api/v1/media/storm.png", "size": size, "sha256": sha256});
        let tracks = &mut document["playlists"]["p1"]["montages"][0]["tracks"];
        tracks[0]["items"] = json!(["storm", "waves"]);
    });
    let bad = until("it was tried", || {
        let lines = running.log();
        let line = lines.iter().find(|line| line.contains("its SHA-256 is"));
        line.cloned()
    });
    assert!(bad.contains("121212"), "{bad}");
    // The operator hears of it, too.
    let told = until("the house is told", || {
        let known = pair.house.known();
        let errors = known.states.last()?["errors"].as_array().cloned()?;
        errors.into_iter().find(|error| error["item"] == "storm")
    });
    assert_eq!((&told["kind"], &told["count"]), (&json!("hash"), &json!(1)));
    let message = told["message"].as_str().expect("words");
    assert!(
        message.starts_with("cannot be fetched: its SHA-256 is"),
        "{message}"
    );
    let status = pair.player.status();
    assert_eq!(status["house"]["media"], json!({"complete": 1, "total": 2}));

    // What no playlist has any more goes at the next start.
    pair.house.change(|document| {
        let tracks = &mut document["playlists"]["p1"]["montages"][0]["tracks"];
        tracks[0]["items"] = json!(["storm"]);
    });
    pair.wait("it is told", |status| {
        status["house"]["media"]["complete"] == 0
    });
    pair.end(running);
    let running = pair.start();
    let gone = hex(&Sha256::digest(&bytes));
    until("it is removed", || {
        (!pair.shelf().contains(&gone)).then_some(())
    });
    pair.end(running);
}

#[test]
fn a_house_with_a_certificate_of_its_own_is_known_by_its_key() {
    let pair = Pair::new(Wire::tls(CERTIFICATE, KEY));
    let running = pair.paired();
    let seen = pair.house.known().enrolments[0].spki.clone();
    assert_eq!(seen, Some(hex(&spki(CERTIFICATE))));
    pair.plays_and_ends(running);

    pair.house.rewire(Wire::tls(OTHER_CERTIFICATE, OTHER_KEY));
    let connections = pair.house.known().hellos.len();
    let running = pair.start();
    let status = pair.wait("somebody else is not believed", |status| {
        status["house"]["problem"].is_string()
    });
    assert_eq!(status["house"]["online"], false);
    pair.wait("it plays what it has", is("playing"));
    assert_eq!(pair.house.known().hellos.len(), connections);
    pair.house.rewire(Wire::tls(CERTIFICATE, KEY));
    pair.wait("the house is back", |status| {
        status["house"]["online"] == true
    });
    pair.end(running);
}
