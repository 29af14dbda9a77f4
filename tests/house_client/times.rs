//! Schedules and hours on a running box, by the clock of this machine.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde_json::{Value, json};

use crate::{Pair, fake_house::Wire, is, player_box::until};

/// The date, in the time zone of the house.
fn today() -> Date {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let believed = today.year() >= 2026;
    assert!(believed, "this machine's clock is not set: {today}");
    today
}

fn days_from_now(days: i32) -> Date {
    today().checked_add(days.days()).expect("a date")
}

/// Always.
fn every_day() -> Value {
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    json!([{"days": days, "from": "00:00", "to": "24:00"}])
}

/// A whole day of the week that is not now, however long the test takes.
fn another_day() -> Value {
    let day = format!("{:?}", days_from_now(3).weekday()).to_lowercase();
    json!([{"days": [day[..3]], "from": "00:00", "to": "24:00"}])
}

impl Pair {
    /// A playlist for each image, named like it; the first is selected. The box plays.
    fn playlists(&self, images: &[&str]) {
        self.exhibit(images);
        self.house.change(|document| {
            let model = document["playlists"]["p1"].clone();
            for image in images {
                let mut playlist = model.clone();
                playlist["montages"][0]["tracks"][0]["items"] = json!([image]);
                document["playlists"][image] = playlist;
            }
            document["house"]["playlist"] = json!(images[0]);
            document["house"]["autostart_playlist"] = json!(true);
        });
        self.plays_by_now(images[0]);
    }

    fn schedule(&self, playlist: &str, schedule: Value) {
        self.house
            .change(|document| document["playlists"][playlist]["schedule"] = schedule);
    }

    fn plays_by_now(&self, playlist: &str) {
        self.wait(&format!("{playlist} plays"), |status| {
            is("playing")(status)
                && status["playlist"]["id"] == playlist
                && status["item"]["id"] == playlist
        });
    }
}

#[test]
fn what_is_scheduled_now_goes_before_what_is_selected_and_the_highest_priority_first() {
    let pair = Pair::new(Wire::Plain);
    let running = pair.paired();
    pair.playlists(&["waves", "storm", "rain"]);
    pair.schedule("storm", json!({"priority": 1, "windows": every_day()}));
    pair.plays_by_now("storm");
    let [yesterday, tomorrow] = [-1, 1].map(|days| days_from_now(days).to_string());
    pair.schedule(
        "rain",
        json!({"priority": 5, "from_date": yesterday, "to_date": tomorrow, "windows": every_day()}),
    );
    pair.plays_by_now("rain");
    pair.schedule("storm", json!({"priority": 9, "windows": every_day()}));
    pair.plays_by_now("storm");
    // Their time is over, one after the other.
    pair.schedule("storm", json!({"priority": 9, "windows": another_day()}));
    pair.plays_by_now("rain");
    let past = days_from_now(-10).to_string();
    pair.schedule("rain", json!({"priority": 5, "to_date": past}));
    pair.plays_by_now("waves");
    pair.end(running);
}

#[test]
fn a_schedule_that_began_while_the_box_was_off_is_joined_without_the_house() {
    let pair = Pair::new(Wire::Plain);
    let running = pair.paired();
    pair.playlists(&["waves", "storm"]);
    pair.schedule("storm", json!({"windows": every_day()}));
    pair.plays_by_now("storm");
    pair.end(running);
    pair.house.cut();
    let running = pair.start();
    pair.plays_by_now("storm");
    pair.end(running);
}

#[test]
fn outside_of_its_hours_the_display_is_off_also_after_a_restart() {
    let pair = Pair::new(Wire::Plain);
    let running = pair.paired();
    pair.playlists(&["waves"]);
    pair.set("display_hours", another_day());
    let status = pair.wait("the display is off", is("standby"));
    assert_eq!(status["display"]["power"], "off");
    until("the house hears of it", || {
        let known = pair.house.known();
        let state = known.states.last().expect("a state");
        (state["state"] == "standby" && state["power"] == "off").then_some(())
    });
    pair.end(running);

    pair.house.cut();
    let running = pair.start();
    pair.wait("the display is off", is("standby"));
    pair.house.mend();
    pair.set("display_hours", every_day());
    pair.plays_by_now("waves");
    assert_eq!(pair.player.status()["display"]["power"], "on");
    // A screen may have hours of its own: none is always.
    pair.set("display_hours", another_day());
    pair.wait("the display is off", is("standby"));
    pair.house
        .change(|document| document["screens"]["s1"]["display_hours"] = json!([]));
    pair.plays_by_now("waves");
    pair.end(running);
}
