//! The presenter on a virtual display that has its accidents: vblanks that are missed, scenes that are refused, a cable
//! that is pulled, a display that is lost.
//!
//! Display time is virtual: in lockstep a vblank comes when it is waited for, however slow the machine is.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use musebox::{
    domain::{
        config::OnExit,
        counters::Counters,
        fit::Fit,
        ids::{LoadId, ScreenIndex, SlotId},
        pacing::{FrameKey, News, Patience, Traits},
        sequencer::Cue,
        units::{MediaTime, Mode, Size},
    },
    kms::{
        Display,
        scene::Scene,
        virtual_display::{Fault, Pace, VirtualDisplay},
    },
    os::{
        doorbell::Doorbell,
        feed::{Feed, TimedFrame},
        frame::Frame,
    },
    player::{
        gauges::Gauges,
        head::Garbage,
        mixer::Mixer,
        presenter::{Notice, Order, Presenter, Settings, Surroundings},
    },
};

const SCREEN: ScreenIndex = ScreenIndex(0);
const DEADLINE: Duration = Duration::from_secs(60);

/// A presenter that runs, with everything around it.
struct Player {
    bell: Doorbell,
    orders: Sender<Order>,
    notices: Receiver<Notice>,
    garbage: Receiver<Garbage>,
    gauges: Arc<Gauges>,
    thread: Option<JoinHandle<()>>,
}

impl Player {
    fn start(faults: Vec<(u64, Fault)>, duration: Option<MediaTime>) -> Self {
        let mode: Mode = "64x36@60".parse().expect("a mode");
        let display = VirtualDisplay::new(vec![mode], Pace::Lockstep).with_faults(faults);
        let bell = Doorbell::new().expect("an eventfd");
        let (orders, order) = mpsc::channel();
        let (notice, notices) = mpsc::channel();
        let (waste, garbage) = mpsc::channel();
        let gauges = Arc::new(Gauges::default());
        let presenter = Presenter::new(
            Display::Virtual(display),
            bell.clone(),
            order,
            Box::new(move |news| drop(notice.send(news))),
            waste,
            gauges.clone(),
            Settings {
                patience: Patience::Wait,
                duration,
                fit: Fit::Contain,
                background: [0; 3],
                on_exit: OnExit::Last,
            },
            Mixer::new(None, 1.0),
            Surroundings::default(),
        );
        let thread = thread::spawn(move || drop(presenter.run()));
        Self {
            bell,
            orders,
            notices,
            garbage,
            gauges,
            thread: Some(thread),
        }
    }

    fn order(&self, order: Order) {
        // One that has come to its end takes no more orders.
        let _ = self.orders.send(order);
        self.bell.ring();
    }

    /// Opens a medium of so many frames at 30 Hz that goes around in place, and shows it.
    fn play(&self, load: LoadId, slot: SlotId, frames: i64, cue: Cue) -> JoinHandle<()> {
        let feed = Arc::new(Feed::new(self.bell.clone(), None));
        feed.sound.end();
        let traits = Traits {
            still: false,
            in_place: true,
        };
        self.order(Order::Attach {
            screen: SCREEN,
            slot,
            load,
            feed: feed.clone(),
            traits,
        });
        self.order(Order::Show {
            screen: SCREEN,
            load,
            cue,
            length: Some(at(frames)),
        });
        thread::spawn(move || {
            for count in 0.. {
                let (round, number) = (count / frames, count % frames);
                let frame = TimedFrame {
                    key: FrameKey {
                        round: round as u64,
                        pts: at(number),
                        duration: at(number + 1) - at(number),
                    },
                    frame: picture(number as u8),
                };
                if feed.frames.post(frame).is_err() {
                    return;
                }
            }
        })
    }

    /// Waits for a notice.
    fn until<T>(&self, mut wanted: impl FnMut(Notice) -> Option<T>) -> T {
        loop {
            let notice = self.notices.recv_timeout(DEADLINE);
            if let Some(found) = wanted(notice.expect("a notice")) {
                return found;
            }
        }
    }

    fn counters(&self) -> Counters {
        self.gauges.counters()
    }

    fn on_screen(&self) -> Option<Arc<Scene>> {
        let (reply, answer) = mpsc::channel();
        self.order(Order::Screenshot(SCREEN, reply));
        answer.recv_timeout(DEADLINE).expect("an answer")
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the presenter does not panic");
        }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Quit);
        self.bell.ring();
        if !thread::panicking() {
            self.join();
        }
    }
}

fn at(frame: i64) -> MediaTime {
    MediaTime::from_nanos(frame * 1_000_000_000 / 30)
}

/// A picture of one grey.
fn picture(grey: u8) -> Arc<Frame> {
    let size = Size {
        width: 64,
        height: 36,
    };
    let pixels = [grey, grey, grey, 255].repeat(64 * 36);
    Arc::new(Frame::from_rgba(size, pixels).expect("enough pixels"))
}

fn shown(notice: &Notice) -> Option<MediaTime> {
    match notice {
        Notice::News(_, News::Shown { start, .. } | News::Looped { start, .. }) => Some(*start),
        _ => None,
    }
}

/// Plays for ten seconds of display time, and gives all that was told.
fn ten_seconds(faults: Vec<(u64, Fault)>) -> (Counters, Vec<Notice>) {
    let mut player = Player::start(faults, Some(MediaTime::from_seconds(10)));
    player.play(LoadId(1), SlotId::A, 15, Cue::Now);
    // Told in time and again and again, as the app does.
    let mut told = Vec::new();
    player.until(|notice| {
        if let Some(start) = shown(&notice) {
            player.order(Order::Replay {
                screen: SCREEN,
                cue: Cue::At(start + at(15)),
                length: Some(at(15)),
            });
        }
        told.push(notice);
        matches!(told.last(), Some(Notice::Finished | Notice::Broken(_))).then_some(())
    });
    let counters = player.counters();
    player.join();
    (counters, told)
}

#[test]
fn without_accidents_every_frame_stands_its_two_vblanks() {
    let (counters, told) = ten_seconds(vec![]);
    let expected = Counters {
        presented: counters.presented,
        ..Counters::default()
    };
    assert_eq!(counters, expected);
    assert!((299..=301).contains(&counters.presented), "{counters:?}");
    let starts: Vec<MediaTime> = told.iter().filter_map(shown).collect();
    assert!(starts.len() >= 20, "{starts:?}");
    for pair in starts.windows(2) {
        assert_eq!(pair[1] - pair[0], at(15));
    }
}

#[test]
fn missed_vblanks_are_counted_and_shift_nothing() {
    let faults = vec![
        (100, Fault::Miss { count: 1 }),
        (300, Fault::Miss { count: 6 }),
    ];
    let (counters, told) = ten_seconds(faults);
    let stalled = told
        .iter()
        .any(|notice| matches!(notice, Notice::Stalled(..)));
    assert!(!stalled, "{told:?}");
    assert_eq!(counters.missed_vblanks, 7);
    // Six vblanks are three frames' time: those that were due meanwhile are dropped, none comes late for good.
    assert!((1..=4).contains(&counters.dropped), "{counters:?}");
    assert!((3..=7).contains(&counters.repeated), "{counters:?}");
    let starts: Vec<MediaTime> = told.iter().filter_map(shown).collect();
    for pair in starts.windows(2) {
        assert_eq!(pair[1] - pair[0], at(15), "a boundary has moved");
    }
    let all = counters.presented + counters.dropped;
    assert!((299..=301).contains(&all), "{counters:?}");
}

#[test]
fn a_refused_scene_is_told_and_the_next_one_comes_on() {
    let (counters, told) = ten_seconds(vec![(50, Fault::Refuse), (200, Fault::Refuse)]);
    let refused = told
        .iter()
        .filter(|notice| matches!(notice, Notice::Refused(..)))
        .count();
    assert_eq!(refused, 2);
    assert!((297..=300).contains(&counters.presented), "{counters:?}");
    assert!(matches!(told.last(), Some(Notice::Finished)));
}

#[test]
fn a_cable_that_is_pulled_and_plugged_again_is_told_and_stops_nothing() {
    let faults = vec![(60, Fault::Connected(false)), (200, Fault::Connected(true))];
    let (counters, told) = ten_seconds(faults);
    let moves: Vec<bool> = told
        .iter()
        .filter_map(|notice| match notice {
            Notice::Connected(_, mode) => Some(mode.is_some()),
            _ => None,
        })
        .collect();
    assert_eq!(moves, [false, true]);
    assert_eq!((counters.missed_vblanks, counters.dropped), (0, 0));
    assert!((299..=301).contains(&counters.presented), "{counters:?}");
}

#[test]
fn a_lost_display_ends_the_presenter_with_its_reason() {
    let (counters, told) = ten_seconds(vec![(120, Fault::Lose)]);
    assert!(
        matches!(told.last(), Some(Notice::Broken(why)) if why.contains("gone")),
        "{told:?}"
    );
    assert!(counters.presented < 62, "{counters:?}");
}

#[test]
fn what_is_on_the_screen_is_what_was_latched_a_wrong_layer_included() {
    let layer = {
        let player = Player::start(vec![], None);
        player.play(LoadId(1), SlotId::A, 100_000, Cue::Now);
        player.until(|notice| shown(&notice));
        let scene = player.on_screen().expect("a picture");
        assert_eq!(scene.layers.len(), 1);
        let mut layer = scene.layers[0].clone();
        layer.frame = picture(255);
        layer
    };
    let player = Player::start(vec![(30, Fault::Plant(layer.clone()))], None);
    player.play(LoadId(1), SlotId::A, 100_000, Cue::Now);
    player.until(|notice| shown(&notice));
    while player.gauges.now() < MediaTime::from_seconds(1) {
        thread::yield_now();
    }
    let scene = player.on_screen().expect("a picture");
    assert_eq!(scene.layers.len(), 2, "the planted layer is seen");
    assert!(Arc::ptr_eq(&scene.layers[1].frame, &layer.frame));
}

#[test]
fn frames_go_back_once_their_successor_is_on_the_screen() {
    let player = Player::start(vec![], None);
    player.play(LoadId(1), SlotId::A, 100_000, Cue::Now);
    let mut count = 0;
    // Nobody keeps a frame but the mailbox, the commit that is pending and the screen.
    while count < 100 {
        match player
            .garbage
            .recv_timeout(DEADLINE)
            .expect("a frame goes back")
        {
            Garbage::Scene(scene) => {
                let now = player.on_screen().expect("a picture");
                assert!(
                    !Arc::ptr_eq(&now, &scene),
                    "a scene on the screen went back"
                );
                count += 1;
            }
            Garbage::Frame(_) => {}
        }
    }
}

#[test]
fn a_source_that_dies_leaves_its_last_picture_until_another_is_shown() {
    let player = Player::start(vec![], None);
    player.play(LoadId(1), SlotId::A, 15, Cue::Now);
    player.until(|notice| shown(&notice));
    player.order(Order::Failed(SCREEN, LoadId(1)));
    player.order(Order::Detach {
        screen: SCREEN,
        load: LoadId(1),
    });
    let stands = player.on_screen().expect("a picture");
    let counters = player.counters();
    assert!(Arc::ptr_eq(
        &stands,
        &player.on_screen().expect("a picture")
    ));
    player.play(LoadId(2), SlotId::B, 15, Cue::Now);
    player.until(|notice| {
        matches!(
            notice,
            Notice::News(
                _,
                News::Shown {
                    load: LoadId(2),
                    ..
                }
            )
        )
        .then_some(())
    });
    let after = player.counters();
    assert_eq!(
        after.repeated, counters.repeated,
        "a dead source repeats nothing"
    );
    assert!(!Arc::ptr_eq(
        &stands,
        &player.on_screen().expect("a picture")
    ));
}
