//! A box that is killed at any moment starts again from a whole environment.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use musebox::domain::house::canonical;
use serde_json::{Value, json};

use crate::{Pair, fake_house::Wire, player_box::until};

/// How often the box is killed.
const KILLS: u64 = 20;
/// How long it lives at most, in milliseconds, once it has greeted the house: it reports once a second.
const LIFE: u64 = 2_500;
/// The wait between two changes of the house.
const PACE: Duration = Duration::from_millis(3);

/// The newest revision that the box has reported as obeyed.
fn reported(pair: &Pair) -> u64 {
    let known = pair.house.known();
    let revs = known
        .states
        .iter()
        .filter_map(|state| state["rev"].as_u64());
    revs.max().unwrap_or(0)
}

/// What the box has kept.
fn kept(pair: &Pair) -> Value {
    let text = fs::read(pair.player.path("state/environment.json")).expect("a cache");
    serde_json::from_slice(&text).expect("a whole file")
}

fn next(dice: u64) -> u64 {
    dice.wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407)
}

#[test]
fn a_box_that_is_killed_at_any_moment_starts_again_from_what_the_house_has_sent() {
    let seed: u64 = std::env::var("MUSEBOX_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| u64::from(std::process::id()));
    println!("seed {seed}: MUSEBOX_SEED={seed} kills at the same moments again");
    let mut dice = seed;
    let pair = Pair::new(Wire::Plain);
    let running = pair.paired();
    // Enough for a write to take a while.
    pair.house.change(|document| {
        for number in 0..300 {
            document["items"][format!("i{number}")] =
                json!({"kind": "image", "title": format!("Number {number}")});
        }
    });
    until("the box says that it obeys", || {
        (reported(&pair) == pair.house.rev() as u64).then_some(())
    });
    drop(running);

    for kill in 1..=KILLS {
        let (before, least) = (kept(&pair), reported(&pair));
        let rev = before["rev"].as_u64().expect("a revision");
        assert!(
            rev >= least,
            "kill {kill}: {rev} is kept, {least} was obeyed"
        );
        let document = &before["document"];
        assert_eq!(*document, pair.house.document(rev), "kill {kill}");
        assert_eq!(before["sha256"], json!(canonical::sha256(document)));

        let hellos = pair.house.known().hellos.len();
        let running = pair.start();
        let hello = until("the box greets the house", || {
            pair.house.known().hellos.get(hellos).cloned()
        });
        let held = (&hello["epoch"], &hello["rev"]);
        assert_eq!(held, (&before["epoch"], &before["rev"]), "kill {kill}");
        dice = next(dice);
        let life = Duration::from_millis((dice >> 33) % LIFE);
        let is_dead = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let numbers = (0..).take_while(|_| !is_dead.load(Ordering::Relaxed));
                for number in numbers {
                    pair.set("volume", json!(f64::from(number % 100) / 100.0));
                    thread::sleep(PACE);
                }
            });
            thread::sleep(life);
            drop(running);
            is_dead.store(true, Ordering::Relaxed);
        });
    }
    let rev = kept(&pair)["rev"].as_u64().expect("a revision");
    println!(
        "{KILLS} kills, {rev} revisions of {} kept at the end",
        pair.house.rev()
    );
}
