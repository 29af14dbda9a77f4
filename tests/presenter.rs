//! The presenter on a virtual display that has its accidents: vblanks that are missed, scenes that are refused, a cable
//! that is pulled, a display that is lost.
//!
//! Display time is virtual: in lockstep a vblank comes when it is waited for, however slow the machine is.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        mpsc::{self, Receiver, SyncSender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use allocation_counter::AllocationInfo;
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
        head::{Garbage, Waste},
        mixer::{self, Mixer, Overflow},
        presenter::{Notice, Order, Presenter, Settings, Surroundings},
    },
};

const SCREEN: ScreenIndex = ScreenIndex(0);
const DEADLINE: Duration = Duration::from_secs(60);

/// A presenter that runs, with everything around it.
struct Player {
    bell: Doorbell,
    orders: SyncSender<Order>,
    notices: Receiver<Notice>,
    garbage: Receiver<Garbage>,
    gauges: Arc<Gauges>,
    thread: Option<JoinHandle<AllocationInfo>>,
}

impl Player {
    fn start(faults: Vec<(u64, Fault)>, duration: Option<MediaTime>) -> Self {
        Self::with_mixer(faults, duration, Mixer::new(None, 1.0))
    }

    fn with_mixer(faults: Vec<(u64, Fault)>, duration: Option<MediaTime>, mixer: Mixer) -> Self {
        let mode: Mode = "64x36@60".parse().expect("a mode");
        let display = VirtualDisplay::new(vec![mode], Pace::Lockstep).with_faults(faults);
        let bell = Doorbell::new().expect("an eventfd");
        let (orders, order) = mpsc::sync_channel(256);
        let (notice, notices) = mpsc::sync_channel(4096);
        let (waste, garbage) = mpsc::sync_channel(4096);
        let gauges = Arc::new(Gauges::default());
        let presenter = Presenter::new(
            Display::Virtual(display),
            bell.clone(),
            order,
            notice,
            Waste::new(waste),
            gauges.clone(),
            Settings {
                patience: Patience::Wait,
                duration,
                fit: Fit::Contain,
                background: [0; 3],
                on_exit: OnExit::Last,
            },
            mixer,
            Surroundings::default(),
        );
        let thread =
            thread::spawn(move || allocation_counter::measure(move || drop(presenter.run())));
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
    fn play(&self, load: LoadId, slot: SlotId, frames: i64, cue: Cue) -> Arc<Feed> {
        self.play_with_sound(load, slot, frames, cue, Vec::new())
    }

    fn play_with_sound(
        &self,
        load: LoadId,
        slot: SlotId,
        frames: i64,
        cue: Cue,
        samples: Vec<f32>,
    ) -> Arc<Feed> {
        let feed = Arc::new(Feed::new(self.bell.clone(), None));
        feed.sound.push(0, 0, samples).expect("it is open");
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
        let filled = feed.clone();
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
                if filled.frames.post(frame).is_err() {
                    return;
                }
            }
        });
        feed
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

    fn on_screen(&self) -> Option<Scene> {
        let (reply, answer) = mpsc::channel();
        self.order(Order::Screenshot(SCREEN, reply));
        answer.recv_timeout(DEADLINE).expect("an answer")
    }

    /// Waits for its end; answers what its thread has allocated.
    fn join(&mut self) -> Option<AllocationInfo> {
        let thread = self.thread.take()?;
        Some(thread.join().expect("the presenter does not panic"))
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

/// Whether two scenes show the same frame.
fn is_same(one: &Scene, other: &Scene) -> bool {
    Arc::ptr_eq(&one.layers[0].frame, &other.layers[0].frame)
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
fn a_refused_scene_is_told_and_tried_again() {
    let (counters, told) = ten_seconds(vec![(50, Fault::Refuse), (201, Fault::Refuse)]);
    let refused = told
        .iter()
        .filter(|notice| matches!(notice, Notice::Refused(..)))
        .count();
    assert_eq!(refused, 2);
    // Each is shown with the next vblank, and counted as late.
    assert!((299..=301).contains(&counters.presented), "{counters:?}");
    assert!((1..=2).contains(&counters.late), "{counters:?}");
    assert!(matches!(told.last(), Some(Notice::Finished)));
}

#[test]
fn a_commit_that_has_to_wait_brings_its_picture_a_vblank_later_and_is_counted() {
    let busy = |at| (at, Fault::Busy);
    let faults = [50, 51, 52, 53, 200, 301, 401].map(busy).to_vec();
    let (counters, told) = ten_seconds(faults);
    println!("{counters:?}");
    // Four vblanks in a row at 30 Hz cost a frame; every other picture that waits is late and the one before it stands.
    assert!((1..=2).contains(&counters.dropped), "{counters:?}");
    assert!((2..=5).contains(&counters.late), "{counters:?}");
    assert!((4..=8).contains(&counters.repeated), "{counters:?}");
    assert_eq!((counters.missed_vblanks, counters.starved), (0, 0));
    let all = counters.presented + counters.dropped;
    assert!((299..=301).contains(&all), "{counters:?}");
    let starts: Vec<MediaTime> = told.iter().filter_map(shown).collect();
    for pair in starts.windows(2) {
        assert_eq!(pair[1] - pair[0], at(15), "a boundary has moved");
    }
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
            Garbage::Frame(frame) => {
                let now = player.on_screen().expect("a picture");
                assert!(
                    !Arc::ptr_eq(&now.layers[0].frame, &frame),
                    "a frame on the screen went back"
                );
                count += 1;
            }
            Garbage::Feed(_) => panic!("nobody closed a feed"),
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
    assert!(is_same(&stands, &player.on_screen().expect("a picture")));
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
    assert!(!is_same(&stands, &player.on_screen().expect("a picture")));
}

/// Plays two media in turns, with sound, for so many showings of half a second; answers what the presenter's thread
/// has allocated. Whoever hears is waited for nowhere, as on a box: the standard library allocates what a thread needs to
/// wait at a channel when it first does, which hangs upon how fast the listener is.
fn allocated_by(showings: u64) -> AllocationInfo {
    let (listener, sound) = mixer::way(MediaTime::from_millis(200), Overflow::Lose);
    let mut player = Player::with_mixer(vec![], None, Mixer::new(Some(listener), 1.0));
    let listening = thread::spawn(move || {
        let mut heard = 0;
        while let Ok(more) = sound.hear(Duration::MAX, |mixed| mixed.samples.len()) {
            heard += more;
        }
        heard
    });
    let slot = |showing: u64| SlotId::BOTH[(showing % 2) as usize];
    let mut feeds = VecDeque::new();
    let mut cue = Cue::Now;
    for showing in 0..showings {
        let load = LoadId(showing + 1);
        let samples = vec![0.5; 24_000 * 2];
        let feed = player.play_with_sound(load, slot(showing), 15, cue, samples);
        feeds.push_back((load, feed));
        let start = player.until(|notice| match notice {
            Notice::News(
                _,
                News::Shown {
                    load: shown, start, ..
                },
            ) if shown == load => Some(start),
            _ => None,
        });
        cue = Cue::At(start + at(15));
        if feeds.len() > 1
            && let Some((load, feed)) = feeds.pop_front()
        {
            player.order(Order::Detach {
                screen: SCREEN,
                load,
            });
            feed.close();
        }
    }
    player.order(Order::Quit);
    let allocated = player.join().expect("it was not joined");
    feeds.iter().for_each(|(_, feed)| feed.close());
    assert!(listening.join().expect("no panic") > 0);
    allocated
}

#[test]
fn presenting_neither_allocates_nor_frees_however_long_it_lasts() {
    let (short, long) = (allocated_by(10), allocated_by(210));
    println!("10 showings: {short:?}\n210 showings: {long:?}");
    assert_eq!(short.count_total, long.count_total, "allocations");
    // At the end it frees what is there just then: some frames, orders and stretches of sound, more or less. Whatever it
    // freed of each showing would make 200 more, of each frame 3000.
    let frees = short.count_current.abs_diff(long.count_current);
    assert!(frees < 100, "{frees} more are freed");
}
