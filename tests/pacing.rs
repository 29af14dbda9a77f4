//! The programme of a screen, vblank by vblank: a model source feeds it, and every plan is judged.

use std::collections::VecDeque;

use musebox::domain::{
    ids::{LoadId, SlotId},
    pacing::{Await, FrameKey, News, Next, Patience, Plan, Programme, Queue, RESTART_SKIP, Traits},
    sequencer::Cue,
    units::{MediaTime, Rate},
};
use proptest::prelude::*;

const DEPTH: usize = 3;
const MOVING: Traits = Traits {
    still: false,
    in_place: true,
};
const ONCE: Traits = Traits {
    still: false,
    in_place: false,
};
const STILL: Traits = Traits {
    still: true,
    in_place: true,
};

/// A source of frames: it loops if it can, and keeps its mailbox as full as it may.
#[derive(Clone, Debug)]
struct Source {
    rate: Rate,
    frames: i64,
    traits: Traits,
    next: (u64, i64),
    queue: VecDeque<FrameKey>,
    /// Frames that it may still deliver before it stalls.
    supply: u64,
    ended: bool,
}

impl Source {
    fn new(rate: Rate, frames: i64, traits: Traits) -> Self {
        Self {
            rate,
            frames,
            traits,
            next: (0, 0),
            queue: VecDeque::new(),
            supply: u64::MAX,
            ended: false,
        }
    }

    fn length(&self) -> MediaTime {
        self.rate.tick(self.frames)
    }

    fn fill(&mut self) {
        while self.queue.len() < DEPTH && !self.ended && self.supply > 0 {
            let (round, frame) = self.next;
            let pts = self.rate.tick(frame);
            let duration = self.rate.tick(frame + 1) - pts;
            self.queue.push_back(FrameKey {
                round,
                pts,
                duration,
            });
            self.supply -= 1;
            self.next = (round, frame + 1);
            if frame + 1 == self.frames {
                self.next = (round + 1, 0);
                self.ended = !self.traits.in_place || self.traits.still;
            }
        }
    }

    fn restart(&mut self, round: u64) {
        self.next = (round, 0);
    }
}

/// A screen with both slots, and what was seen on it.
struct Screen {
    programme: Programme,
    rate: Rate,
    vblank: i64,
    sources: [Option<Source>; 2],
    patience: Patience,
    /// Vblank, slot and frame of every new picture.
    seen: Vec<(i64, SlotId, FrameKey)>,
    news: Vec<News>,
    dropped: u32,
}

impl Screen {
    fn new(rate: Rate, patience: Patience) -> Self {
        let programme = Programme::default();
        Self {
            programme,
            rate,
            vblank: 0,
            sources: [None, None],
            patience,
            seen: vec![],
            news: vec![],
            dropped: 0,
        }
    }

    fn open(&mut self, slot: SlotId, source: Source) {
        self.sources[slot.index()] = Some(source);
    }

    fn show(&mut self, slot: SlotId, cue: Cue) {
        let source = self.sources[slot.index()].as_ref().expect("opened");
        let (traits, length) = (source.traits, Some(source.length()));
        self.programme.cue(
            Next::Show {
                slot,
                load: LoadId(slot.index() as u64),
                traits,
                length,
            },
            cue,
        );
    }

    fn now(&self) -> MediaTime {
        self.rate.tick(self.vblank)
    }

    /// One vblank; what is awaited leaves everything as it was.
    fn step(&mut self) -> Result<Plan, Await> {
        for slot in SlotId::BOTH {
            let Some(source) = &mut self.sources[slot.index()] else {
                continue;
            };
            source.fill();
            let waiting: Vec<FrameKey> = source.queue.iter().copied().collect();
            source.queue.drain(..self.programme.stale(slot, &waiting));
            source.fill();
        }
        let keys: [Vec<FrameKey>; 2] = [0, 1].map(|slot| {
            self.sources[slot]
                .iter()
                .flat_map(|source| source.queue.iter().copied())
                .collect()
        });
        let queue = |slot: usize| Queue {
            frames: &keys[slot],
            ended: self.sources[slot]
                .as_ref()
                .is_none_or(|source| source.ended),
        };
        let before = self.programme;
        let time = self.rate.tick(self.vblank + 1);
        let plan = self.programme.plan(
            time,
            self.rate.period(),
            [queue(0), queue(1)],
            self.patience,
        );
        let plan = match plan {
            Ok(plan) => plan,
            Err(awaited) => {
                assert_eq!(self.programme, before, "waiting changes nothing");
                assert_eq!(self.patience, Patience::Wait, "{awaited:?}");
                return Err(awaited);
            }
        };
        self.vblank += 1;
        for (slot, keys) in keys.iter().enumerate() {
            assert!(plan.take[slot] <= keys.len(), "{plan:?}");
        }
        if let Some((slot, number)) = plan.show {
            let key = keys[slot.index()][number];
            assert!(
                self.programme
                    .current()
                    .is_some_and(|showing| showing.slot == slot),
                "{plan:?}"
            );
            self.seen.push((self.vblank, slot, key));
        }
        for (slot, taken) in plan.take.into_iter().enumerate() {
            if let Some(source) = &mut self.sources[slot] {
                source.queue.drain(..taken);
            }
        }
        if let Some((slot, _, round)) = plan.restart {
            self.sources[slot.index()]
                .as_mut()
                .expect("it plays")
                .restart(round);
        }
        self.news.extend(plan.news());
        self.dropped += plan.dropped;
        Ok(plan)
    }

    fn steps(&mut self, count: i64) {
        for _ in 0..count {
            self.step().expect("nothing is awaited");
        }
    }

    fn shown_at(&self) -> Vec<i64> {
        self.seen.iter().map(|(vblank, ..)| *vblank).collect()
    }
}

fn rate(text: &str) -> Rate {
    text.parse().expect("a rate")
}

#[test]
fn a_clip_of_25_hertz_on_60_changes_at_the_nearest_vblanks_and_loops_without_a_seam() {
    let mut screen = Screen::new(rate("60"), Patience::GoOn);
    screen.open(SlotId::A, Source::new(rate("25"), 50, MOVING));
    screen.show(SlotId::A, Cue::Now);
    screen.steps(12);
    assert_eq!(screen.shown_at(), [1, 3, 6, 8, 11], "2.4 vblanks a frame");
    screen.steps(120 * 99);
    let gaps: Vec<i64> = screen
        .shown_at()
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .collect();
    assert!(gaps.iter().all(|gap| (2..=3).contains(gap)));
    assert_eq!(screen.seen.len(), 99 * 50 + 5);
    assert_eq!(screen.dropped, 0);
    let looped = screen
        .news
        .iter()
        .filter(|news| matches!(news, News::Looped { .. }))
        .count();
    assert_eq!(looped, 99);
}

#[test]
fn the_next_slot_comes_on_at_the_vblank_nearest_to_its_boundary() {
    for (clip, display) in [
        ("25", "60"),
        ("30", "59.94"),
        ("23.976", "50"),
        ("60", "60"),
        ("24", "60"),
    ] {
        let mut screen = Screen::new(rate(display), Patience::Wait);
        let source = Source::new(rate(clip), 37, MOVING);
        let (length, mut start, mut slot) = (source.length(), None, SlotId::A);
        screen.open(slot, source.clone());
        screen.show(slot, Cue::Now);
        for _ in 0..200 {
            let news = screen.news.len();
            while screen.news.len() == news {
                screen.step().expect("all is there");
            }
            let Some(News::Shown { start: begun, .. }) = screen.news.last() else {
                panic!("{:?}", screen.news)
            };
            assert_eq!(*begun, *start.get_or_insert(*begun), "{clip}@{display}");
            let off = (screen.now() - *begun).nanos().abs();
            assert!(
                off <= screen.rate.period().nanos() / 2 + 2000,
                "{clip}@{display}: {off} ns from its boundary"
            );
            let next = *begun + length;
            start = Some(next);
            slot = slot.other();
            screen.open(slot, source.clone());
            screen.show(slot, Cue::At(next));
        }
        let order: Vec<MediaTime> = screen.seen.iter().map(|(_, _, key)| key.pts).collect();
        assert!(
            order
                .windows(2)
                .all(|pair| pair[1] > pair[0] || pair[1] == MediaTime::ZERO),
            "{clip}@{display}"
        );
    }
}

#[test]
fn a_replay_at_the_end_goes_on_and_one_in_the_middle_begins_anew() {
    let mut screen = Screen::new(rate("60"), Patience::Wait);
    let source = Source::new(rate("30"), 60, MOVING);
    let length = source.length();
    screen.open(SlotId::A, source);
    screen.show(SlotId::A, Cue::Now);
    screen.step().expect("all is there");
    let end = screen.now() + length;
    screen.programme.cue(
        Next::Replay {
            length: Some(length),
        },
        Cue::At(end),
    );
    screen.steps(130);
    assert!(
        matches!(screen.news[..], [News::Shown { .. }, News::Shown { start, .. }] if start == end)
    );
    screen.programme.cue(
        Next::Replay {
            length: Some(length),
        },
        Cue::Now,
    );
    // Frames of the old round are in the mailbox; they make room, and the new round's first frame comes on.
    for _ in 0..4 {
        let _ = screen.step();
    }
    let (vblank, _, key) = screen
        .seen
        .iter()
        .find(|(.., key)| key.round >= RESTART_SKIP)
        .expect("shown");
    assert_eq!(key.pts, MediaTime::ZERO);
    assert!(
        matches!(screen.news[2], News::Shown { start, .. } if start == screen.rate.tick(*vblank))
    );
}

#[test]
fn without_a_cue_a_source_that_can_loop_loops_and_another_holds_its_last_frame() {
    let mut screen = Screen::new(rate("60"), Patience::GoOn);
    screen.open(SlotId::A, Source::new(rate("30"), 30, ONCE));
    screen.show(SlotId::A, Cue::Now);
    screen.steps(200);
    assert_eq!(screen.news.len(), 2, "{:?}", screen.news);
    assert!(matches!(screen.news[1], News::RanOut { .. }));
    assert!(screen.programme.is_exhausted());
    let mut patient = Screen::new(rate("60"), Patience::Wait);
    patient.open(SlotId::A, Source::new(rate("30"), 30, MOVING));
    patient.show(SlotId::A, Cue::Now);
    patient.steps(60);
    assert_eq!(
        patient.step(),
        Err(Await::Cue),
        "in lockstep somebody must say what follows"
    );
}

#[test]
fn a_hold_keeps_the_last_frame_until_something_else_is_cued() {
    let mut screen = Screen::new(rate("60"), Patience::Wait);
    screen.open(SlotId::A, Source::new(rate("30"), 30, MOVING));
    screen.show(SlotId::A, Cue::Now);
    screen.steps(10);
    screen.programme.cue(Next::Hold, Cue::Now);
    screen.steps(300);
    assert_eq!(screen.seen.len(), 30);
    assert!(screen.programme.is_exhausted());
    screen.programme.cue(
        Next::Replay {
            length: Some(MediaTime::from_seconds(1)),
        },
        Cue::Now,
    );
    screen.steps(10);
    assert_eq!(
        screen.seen.len(),
        35,
        "it begins again with the frames that waited"
    );
}

#[test]
fn a_slot_that_is_opened_anew_under_its_own_picture_is_shown_when_it_is_cued() {
    // The opening began and failed in one moment, so that its slot is free while its picture stands.
    let mut screen = Screen::new(rate("60"), Patience::GoOn);
    let source = Source::new(rate("60"), 30, ONCE);
    screen.open(SlotId::B, source.clone());
    screen.show(SlotId::B, Cue::Now);
    screen.steps(3);
    screen.programme.failed(LoadId(SlotId::B.index() as u64));
    screen.sources = [None, None];
    screen.steps(600);
    screen.seen.clear();
    screen.open(SlotId::B, source.clone());
    screen.programme.cue(
        Next::Show {
            slot: SlotId::B,
            load: LoadId(7),
            traits: ONCE,
            length: Some(source.length()),
        },
        Cue::Now,
    );
    screen.steps(31);
    assert_eq!(screen.seen.len(), 30);
    assert_eq!(screen.dropped, 0);
}

#[test]
fn a_pause_stands_still_and_moves_everything_by_its_length() {
    let mut screen = Screen::new(rate("60"), Patience::Wait);
    let source = Source::new(rate("30"), 30, MOVING);
    screen.open(SlotId::A, source.clone());
    screen.open(SlotId::B, source);
    screen.show(SlotId::A, Cue::Now);
    screen.steps(20);
    let end = screen.programme.current().expect("shown").start + MediaTime::from_seconds(1);
    screen.show(SlotId::B, Cue::At(end));
    let seen = screen.seen.len();
    screen.programme.pause(screen.now());
    screen.steps(600);
    assert_eq!(screen.seen.len(), seen);
    assert_eq!(screen.programme.sounding(screen.now()).source, None);
    screen.programme.resume(screen.now());
    screen.steps(41);
    let Some(News::Shown {
        slot: SlotId::B,
        start,
        ..
    }) = screen.news.last()
    else {
        panic!("{:?}", screen.news)
    };
    assert_eq!(*start, end + screen.rate.tick(600));
    assert_eq!(screen.seen.len(), 30 + 1);
}

#[test]
fn a_jump_while_paused_shows_its_first_frame_and_stands_there() {
    let mut screen = Screen::new(rate("60"), Patience::GoOn);
    let source = Source::new(rate("30"), 30, MOVING);
    screen.open(SlotId::A, source.clone());
    screen.open(SlotId::B, source);
    screen.show(SlotId::A, Cue::Now);
    screen.steps(20);
    screen.programme.pause(screen.now());
    screen.show(SlotId::B, Cue::Now);
    screen.steps(100);
    let (_, slot, key) = screen.seen.last().expect("shown");
    assert_eq!((*slot, key.pts), (SlotId::B, MediaTime::ZERO));
}

#[test]
fn an_image_stands_for_as_long_as_it_is_told_and_replays_without_a_frame() {
    let mut screen = Screen::new(rate("60"), Patience::Wait);
    let mut image = Source::new(rate("1"), 1, STILL);
    image.frames = 1;
    screen.open(SlotId::A, image);
    screen.show(SlotId::A, Cue::Now);
    screen.step().expect("all is there");
    let length = Some(MediaTime::from_seconds(1));
    for round in 1..5 {
        let start = screen.programme.current().expect("shown").start;
        screen.programme.cue(
            Next::Replay { length },
            Cue::At(start + MediaTime::from_seconds(1)),
        );
        screen.steps(60);
        assert_eq!(screen.news.len(), round + 1);
    }
    assert_eq!(screen.seen.len(), 1);
}

#[test]
fn a_missing_frame_is_awaited_or_counted() {
    for patience in [Patience::Wait, Patience::GoOn] {
        let mut screen = Screen::new(rate("60"), patience);
        let source = Source {
            supply: 7,
            ..Source::new(rate("60"), 60, MOVING)
        };
        screen.open(SlotId::A, source);
        screen.show(SlotId::A, Cue::Now);
        let mut starved = 0;
        for _ in 0..12 {
            match screen.step() {
                Ok(plan) => starved += u32::from(plan.starved),
                Err(awaited) => {
                    assert_eq!(
                        (awaited, patience),
                        (Await::Frame(SlotId::A, LoadId(0)), Patience::Wait)
                    );
                }
            }
        }
        match patience {
            Patience::Wait => assert_eq!(
                (screen.vblank, starved),
                (6, 0),
                "it stands still before the seventh"
            ),
            Patience::GoOn => assert_eq!((screen.vblank, starved), (12, 5)),
        }
        screen.sources[0].as_mut().expect("opened").supply = u64::MAX;
        screen.steps(20);
        assert_eq!(
            screen.dropped,
            if patience == Patience::Wait {
                0
            } else {
                screen.dropped
            }
        );
    }
}

#[test]
fn frames_that_a_slow_display_cannot_show_are_counted_as_dropped() {
    let mut screen = Screen::new(rate("30"), Patience::GoOn);
    let source = Source::new(rate("60"), 60, MOVING);
    let length = source.length();
    screen.open(SlotId::A, source);
    screen.show(SlotId::A, Cue::Now);
    screen.step().expect("goes on");
    let end = screen.programme.current().expect("shown").start + length;
    screen.programme.cue(Next::Finish, Cue::At(end));
    while !screen.step().expect("goes on").finished {}
    assert_eq!(screen.seen.len() as u32 + screen.dropped, 60);
}

#[test]
fn sound_belongs_to_whoever_is_nominally_on() {
    let mut screen = Screen::new(rate("60"), Patience::Wait);
    let source = Source::new(rate("30"), 31, MOVING);
    let length = source.length();
    screen.open(SlotId::A, source.clone());
    screen.open(SlotId::B, source);
    screen.show(SlotId::A, Cue::Now);
    screen.step().expect("all is there");
    let start = screen.now();
    let end = start + length;
    screen.show(SlotId::B, Cue::At(end));
    let slot_at = |screen: &Screen, at: MediaTime| {
        screen
            .programme
            .sounding(at)
            .source
            .map(|showing| showing.slot)
    };
    let nano = MediaTime::from_nanos(1);
    assert_eq!(slot_at(&screen, start - nano), None);
    assert_eq!(slot_at(&screen, start), Some(SlotId::A));
    assert_eq!(slot_at(&screen, end - nano), Some(SlotId::A));
    assert_eq!(slot_at(&screen, end), Some(SlotId::B));
    assert_eq!(screen.programme.sounding(start).until, end);
    // The picture changes at the nearest vblank, the sound on time: what was before sounds until then.
    while screen.news.len() < 2 {
        screen.step().expect("all is there");
    }
    assert_eq!(slot_at(&screen, end - nano), Some(SlotId::A));
    assert_eq!(slot_at(&screen, end), Some(SlotId::B));
    screen.programme.clear();
    assert_eq!(slot_at(&screen, end), None);
}

#[derive(Clone, Debug)]
enum Op {
    Steps(u8),
    Show(SlotId, u8, u8, Option<u16>),
    Replay(Option<u16>),
    Hold,
    Uncue,
    Pause,
    Resume,
    Failed(u8),
    EndKnown(u8, u16),
    Clear,
    Supply(SlotId, u8),
}

fn op() -> impl Strategy<Value = Op> {
    let slot = prop_oneof![Just(SlotId::A), Just(SlotId::B)];
    let when = proptest::option::of(0_u16..3000);
    prop_oneof![
        8 => (1_u8..60).prop_map(Op::Steps),
        4 => (slot.clone(), 0_u8..6, 1_u8..40, when.clone()).prop_map(|(slot, rate, frames, at)| Op::Show(slot, rate, frames, at)),
        2 => when.prop_map(Op::Replay),
        1 => Just(Op::Hold),
        1 => Just(Op::Uncue),
        1 => Just(Op::Pause),
        2 => Just(Op::Resume),
        1 => (0_u8..2).prop_map(Op::Failed),
        1 => (0_u8..2, 0_u16..2000).prop_map(|(load, ms)| Op::EndKnown(load, ms)),
        1 => Just(Op::Clear),
        2 => (slot, 0_u8..10).prop_map(|(slot, frames)| Op::Supply(slot, frames)),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_frames_stay_in_order_and_nothing_due_is_passed_over(
        ops in proptest::collection::vec(op(), 1..60), patient: bool, display in 0_usize..4
    ) {
        let patience = if patient { Patience::Wait } else { Patience::GoOn };
        let mut screen = Screen::new(rate(["60", "59.94", "24", "50"][display]), patience);
        for op in ops {
            let now = screen.now();
            let cue = |at: Option<u16>| at.map_or(Cue::Now, |ms| Cue::At(now + MediaTime::from_millis(i64::from(ms))));
            match op {
                Op::Steps(count) => {
                    for _ in 0..count {
                        if screen.step().is_err() {
                            break;
                        }
                    }
                }
                Op::Show(slot, speed, frames, at) => {
                    let shown = screen.programme.current().map(|showing| showing.slot);
                    if shown != Some(slot) {
                        let traits = [MOVING, ONCE, STILL][usize::from(speed) % 3];
                        let speed = rate(["24", "25", "30", "60", "120", "23.976"][usize::from(speed)]);
                        let frames = if traits.still { 1 } else { i64::from(frames) };
                        screen.open(slot, Source::new(speed, frames, traits));
                        screen.show(slot, cue(at));
                    }
                }
                Op::Replay(at) => screen.programme.cue(Next::Replay { length: None }, cue(at)),
                Op::Hold => screen.programme.cue(Next::Hold, Cue::Now),
                Op::Uncue => screen.programme.uncue(),
                Op::Pause => screen.programme.pause(now),
                Op::Resume => screen.programme.resume(now),
                Op::Failed(load) => screen.programme.failed(LoadId(u64::from(load))),
                Op::EndKnown(load, ms) => {
                    screen.programme.end_known(LoadId(u64::from(load)), MediaTime::from_millis(i64::from(ms)));
                }
                Op::Clear => {
                    screen.programme.clear();
                    in_order(&screen.seen)?;
                    screen.seen.clear();
                }
                Op::Supply(slot, frames) => {
                    if let Some(source) = &mut screen.sources[slot.index()] {
                        source.supply = u64::from(frames);
                    }
                }
            }
            let at = screen.now();
            let sounding = screen.programme.sounding(at);
            prop_assert!(sounding.until > at, "{sounding:?} at {at:?}");
        }
        in_order(&screen.seen)?;
    }
}

/// Within an opening, frames only go on or begin anew.
fn in_order(seen: &[(i64, SlotId, FrameKey)]) -> Result<(), TestCaseError> {
    for pair in seen.windows(2) {
        let ((_, slot, one), (_, next_slot, other)) = (&pair[0], &pair[1]);
        let forward = (other.round, other.pts) > (one.round, one.pts);
        prop_assert!(
            slot != next_slot
                || forward
                || other.pts == MediaTime::ZERO
                || one.round == other.round,
            "{pair:?}"
        );
    }
    Ok(())
}
