//! A year of a random house in virtual time: playlists come and go, people press buttons, media die and are mended,
//! the power is cut. It never stalls.
//!
//! It is run with a fixed seed and with a fresh one, which is printed; `MUSEBOX_SEED=42 cargo test --test year` runs
//! a given one again.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

#[path = "support/stage.rs"]
mod stage;

use std::{hash::BuildHasher, io::Write, sync::Arc};

use musebox::domain::{
    ids::Position,
    player::State,
    playlist::Playlist,
    sequencer::{Command, Input, Replayable},
    units::MediaTime,
};
use stage::{Manner, Medium, Stage, ms, playlist, s};

const YEAR: MediaTime = MediaTime::from_seconds(365 * 24 * 3600);
const SCREENS: [&str; 3] = ["left", "right", "top"];
const NAMES: usize = 12;

/// Random numbers by SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `count`.
    fn below(&mut self, count: usize) -> usize {
        (self.roll() % count as u64) as usize
    }

    /// A time of at least `from` and less than `to` seconds.
    fn seconds(&mut self, from: i64, to: i64) -> MediaTime {
        ms(from * 1000 + (self.roll() % ((to - from) * 1000) as u64) as i64)
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// What happened in the year.
#[derive(Debug, Default)]
struct Tally {
    showings: u64,
    playlists: u64,
    commands: u64,
    faults: u64,
    mended: u64,
    power_cuts: u64,
    reloads: u64,
    replays: u64,
}

/// A house, and the box in it.
struct House {
    dice: Dice,
    stage: Stage,
    screens: &'static [&'static str],
    tally: Tally,
    /// Since when nothing but time has passed.
    quiet_since: MediaTime,
    /// The time that went by before the power was last cut.
    past: MediaTime,
}

impl House {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let screens = &SCREENS[..1 + dice.below(3)];
        let mut house = Self {
            dice,
            stage: Stage::new(screens, None),
            screens,
            tally: Tally::default(),
            quiet_since: MediaTime::ZERO,
            past: MediaTime::ZERO,
        };
        house.stage.keeps = false;
        for number in 0..NAMES {
            let medium = house.good_medium();
            house.stage.media.insert(name(number), medium);
        }
        let list = house.some_playlist();
        house.stage.environment(Some(list));
        house
    }

    fn good_medium(&mut self) -> Medium {
        let length = match self.dice.below(40) {
            0 => self.dice.seconds(1, 10),
            _ => self.dice.seconds(60, 900),
        };
        let medium = match self.dice.below(8) {
            0 => Medium::still(),
            1 => Medium::reopened(length),
            2 => Medium::live(Some(length)),
            3 => Medium::reopened(length).telling(s(1), length - s(1)),
            4 => Medium::video(length).worn_after(length - s(1)),
            _ => Medium::video(length),
        };
        medium.taking(self.dice.seconds(0, 4))
    }

    fn bad_medium(&mut self) -> Medium {
        match self.dice.below(3) {
            0 => Medium::silent(),
            1 => {
                let after = self.dice.seconds(0, 60);
                Medium::video(s(90)).dying_after(after)
            }
            _ => Medium::bad(),
        }
    }

    fn some_playlist(&mut self) -> Arc<Playlist> {
        let dice = &mut self.dice;
        let montages: Vec<Vec<String>> = (0..1 + dice.below(3))
            .map(|_| {
                let named = dice.one_in(3);
                (0..self.screens.len())
                    .map(|screen| {
                        let items: Vec<String> = (0..1 + dice.below(4))
                            .map(|_| name(dice.below(NAMES)))
                            .collect();
                        let items = items.join(" ");
                        match named {
                            true => format!("{}: {items}", self.screens[screen]),
                            false => items,
                        }
                    })
                    .collect()
            })
            .collect();
        let tracks: Vec<Vec<&str>> = montages
            .iter()
            .map(|tracks| tracks.iter().map(String::as_str).collect())
            .collect();
        let montages: Vec<&[&str]> = tracks.iter().map(Vec::as_slice).collect();
        playlist(&montages)
    }

    /// Something happens in the house.
    fn happen(&mut self) {
        match self.dice.below(16) {
            0..2 => {
                self.tally.playlists += 1;
                let list = (!self.dice.one_in(20)).then(|| self.some_playlist());
                self.stage.environment(list);
            }
            2 => {
                let (autostart, auto_advance) = (!self.dice.one_in(4), !self.dice.one_in(4));
                self.stage.settings(autostart, auto_advance);
            }
            3..7 => self.command(),
            7..10 => self.fault(),
            10..14 => self.mend(),
            14 => self.cut_power(),
            _ => self.stage.command(Command::Play),
        }
        self.quiet_since = self.stage.now;
    }

    fn command(&mut self) {
        self.tally.commands += 1;
        let command = match self.dice.below(7) {
            0 => Command::Pause,
            1 => Command::Stop,
            2 => Command::Next,
            3 => Command::Previous,
            4 => Command::Replay,
            5 => Command::Goto(Position {
                montage: self.dice.below(3),
                track: self.dice.below(3),
                item: self.dice.below(4),
            }),
            _ => Command::Play,
        };
        self.stage.command(command);
    }

    fn fault(&mut self) {
        self.tally.faults += 1;
        let name = name(self.dice.below(NAMES));
        let medium = self.bad_medium();
        self.stage.media.insert(name, medium);
    }

    fn mend(&mut self) {
        self.tally.mended += 1;
        let name = name(self.dice.below(NAMES));
        let medium = self.good_medium();
        self.stage.media.insert(name.clone(), medium);
        if self.dice.one_in(2) {
            self.stage.handle(Input::MediaChanged { src: name });
        }
    }

    /// The box starts anew with what the house last told it.
    fn cut_power(&mut self) {
        self.tally.power_cuts += 1;
        self.count();
        let mut stage = Stage::new(self.screens, None);
        stage.keeps = false;
        stage.media = std::mem::take(&mut self.stage.media);
        stage.autostart = self.stage.autostart;
        stage.auto_advance = self.stage.auto_advance;
        stage.environment(self.stage.playlist.take());
        self.past += self.stage.now;
        self.stage = stage;
    }

    fn count(&mut self) {
        let counters = self.stage.player.snapshot().counters;
        self.tally.showings += counters.items_shown;
        self.tally.replays += counters.replays;
        self.tally.reloads += counters.reloads;
    }

    /// How long it may take at most until a screen begins something: all that there is once, and what is silent or
    /// tried again between.
    fn patience(&self) -> MediaTime {
        let items = self.stage.playlist.iter().flat_map(|list| {
            let tracks = list.montages.iter().flat_map(|montage| &montage.tracks);
            tracks.flat_map(|track| &track.items)
        });
        let each = items.map(|item| {
            let length = match self.stage.media.get(&item.src).map(|medium| &medium.manner) {
                // A second time, where it loops since what was to follow gave no frame until its end.
                Some(Manner::Plays { .. }) => s(2 * 900),
                Some(Manner::Fails(_) | Manner::Silent) | None => MediaTime::ZERO,
            };
            length + s(30)
        });
        each.fold(s(300), |sum, each| sum + each)
    }

    /// Whether a screen has a medium that plays to its end.
    fn can_show(&self, screen: usize) -> bool {
        self.stage.playlist.iter().any(|list| {
            list.montages.iter().any(|montage| {
                montage.tracks.get(screen).is_some_and(|track| {
                    track.items.iter().any(|item| {
                        let medium = self.stage.media.get(&item.src);
                        matches!(
                            medium.map(|medium| &medium.manner),
                            Some(Manner::Plays {
                                dies_after: None,
                                ..
                            })
                        )
                    })
                })
            })
        })
    }

    /// Something is on every screen that has anything to show, and something else begins soon.
    fn verify(&self, seed: u64) {
        let stage = &self.stage;
        let quiet = stage.now - self.quiet_since;
        let state = stage.player.snapshot().state;
        let advances = stage.auto_advance && matches!(state, State::Playing | State::Failed);
        for screen in 0..self.screens.len() {
            if !advances || !self.can_show(screen) || quiet < self.patience() {
                continue;
            }
            let idle = stage.now - stage.last_began[screen].max(self.quiet_since);
            assert!(
                idle < self.patience(),
                "seed {seed}: screen {screen} has begun nothing for {idle} at {}: {:#?}",
                stage.now,
                stage.player.snapshot()
            );
            // In a montage in which all of a screen's items fail, a card says so until the next montage.
            assert!(
                stage.on_screen(screen).is_some() || stage.card(screen).is_some(),
                "seed {seed}: screen {screen} is dark at {}",
                stage.now
            );
        }
    }
}

fn name(number: usize) -> String {
    format!("item{number}")
}

/// Prints a line that is seen when the test passes, too.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn a_year(seed: u64) {
    say(&format!("a year of a house, MUSEBOX_SEED={seed}"));
    let mut house = House::new(seed);
    while house.past + house.stage.now < YEAR {
        let until = house.stage.now + house.dice.seconds(60, 4 * 3600);
        while house.stage.now < until {
            house.stage.run_for(s(300));
            house.verify(seed);
        }
        house.happen();
    }
    house.count();
    say(&format!("MUSEBOX_SEED={seed}: {:?}", house.tally));
    let Tally {
        showings,
        playlists,
        commands,
        faults,
        mended,
        power_cuts,
        replays,
        reloads,
    } = house.tally;
    let least = [
        playlists, commands, faults, mended, power_cuts, replays, reloads,
    ]
    .into_iter()
    .min();
    assert!(
        showings > 10_000 && least > Some(30),
        "seed {seed}: a dull year"
    );
}

#[test]
fn a_year_that_is_always_the_same_never_stalls() {
    a_year(1);
}

#[test]
fn a_year_that_nobody_has_seen_never_stalls() {
    let given = std::env::var("MUSEBOX_SEED").ok();
    let fresh = || std::hash::RandomState::new().hash_one(0);
    a_year(given.map_or_else(fresh, |seed| seed.parse().expect("a number")));
}

#[test]
fn a_mono_montage_plays_for_a_year_without_being_opened_again() {
    let mut stage = Stage::new(&["left"], None).with("a", Medium::video(s(30)));
    stage.keeps = false;
    stage.environment(Some(playlist(&[&["a"]])));
    stage.run_for(YEAR);
    let counters = stage.player.snapshot().counters;
    assert_eq!(stage.loads, 1);
    assert_eq!(counters.items_shown, 365 * 24 * 120);
    assert_eq!(counters.replays, counters.items_shown - 1);
    assert!(matches!(
        stage.media["a"].manner,
        Manner::Plays {
            replayable: Replayable::InPlace,
            ..
        }
    ));
}
