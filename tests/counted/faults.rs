//! Every fault that a player can make, planted in an otherwise perfect capture, is found and called by its name.

use crate::counted::{
    draw::Picture,
    judge::judge,
    pattern::{FLASH, Rate, STILL, block_corner},
    report::FaultKind,
};

use super::stage::{Shot, Stage};

const HZ60: Rate = Rate::hertz(60);

fn frame(id: u8, number: u32) -> Shot {
    Shot::Frame { id, number }
}

fn black() -> Shot {
    Shot::Other(Picture::black(128, 72))
}

#[test]
fn a_perfect_capture_of_mixed_rates_passes() {
    let stage = Stage::new("1:50:25,2:still:500,3:45:30,4:60:60", 3, HZ60);
    let verdict = stage.judge();
    assert!(verdict.passed(), "{verdict}");
    assert_eq!(
        (verdict.width, verdict.height, verdict.rate),
        (128, 72, HZ60)
    );
    assert_eq!(verdict.vblanks, 3 * (120 + 30 + 90 + 60));
    assert_eq!(verdict.frames, 3 * (50 + 1 + 45 + 60));
    let begun: Vec<_> = verdict
        .showings
        .iter()
        .map(|showing| (showing.id, showing.first_vblank))
        .collect();
    assert_eq!(begun[..5], [(1, 0), (2, 120), (3, 150), (4, 240), (1, 300)]);
    assert_eq!(begun.len(), 12);
    let third = &verdict.showings[8];
    assert_eq!((third.place, third.boundary_error), (Some((0, 2)), Some(0)));
    assert_eq!(
        (third.frames, third.vblanks, third.share),
        (50, 120, (2, 3))
    );
    let boundaries = verdict.boundaries.expect("a playlist was expected");
    assert_eq!(
        (boundaries.max, boundaries.last, boundaries.growth),
        (0, 0, 0.0)
    );
}

#[test]
fn rates_that_do_not_divide_pass() {
    for (spec, display) in [
        ("1:50:25,2:61:30000/1001,3:47:24", HZ60),
        (
            "1:50:25,2:60:60",
            Rate {
                numerator: 60_000,
                denominator: 1001,
            },
        ),
        ("1:100:30000/1001", HZ60),
        ("1:20:12", Rate::hertz(50)),
    ] {
        let verdict = Stage::new(spec, 4, display).judge();
        assert!(verdict.passed(), "{spec} at {display}: {verdict}");
        assert_eq!(
            (verdict.missing, verdict.repeated),
            (0, 0),
            "{spec} at {display}"
        );
    }
}

#[test]
fn a_slow_display_drops_what_it_must_and_no_more() {
    let mut stage = Stage::new("1:60:60,2:50:25", 2, Rate::hertz(25));
    let verdict = stage.judge();
    assert!(verdict.passed(), "{verdict}");
    assert_eq!((verdict.dropped, verdict.missing), (70, 0));
    let place = stage.place(2, 7, 0);
    stage.shots[place] = frame(2, 8);
    let verdict = stage.judge();
    assert_eq!((verdict.dropped, verdict.missing), (71, 1), "{verdict}");
}

#[test]
fn a_missing_frame_is_found() {
    let mut stage = Stage::new("1:60:60", 2, HZ60);
    let place = stage.place(1, 20, 1);
    stage.shots[place] = frame(1, 19);
    let verdict = stage.judge();
    assert_eq!(
        (verdict.missing, verdict.dropped, verdict.repeated),
        (1, 1, 1)
    );
    assert_eq!(
        verdict.faults.kinds(),
        [FaultKind::Missing, FaultKind::Repeated]
    );
    assert!(
        verdict
            .faults
            .told()
            .iter()
            .any(|fault| fault.message.contains("[20]")),
        "{verdict}"
    );
    let (first, second) = (&verdict.showings[0], &verdict.showings[1]);
    assert_eq!((first.missing, first.dropped, first.repeated), (0, 0, 0));
    assert_eq!((second.missing, second.dropped, second.repeated), (1, 1, 1));
}

#[test]
fn a_repeated_frame_is_found_with_and_without_delay() {
    let mut stage = Stage::new("1:60:60", 1, HZ60);
    stage.shots.insert(30, frame(1, 29));
    let verdict = stage.judge();
    assert_eq!(verdict.repeated, 1);
    assert_eq!(verdict.faults.kinds(), [FaultKind::Repeated], "{verdict}");
    assert_eq!(verdict.boundaries.expect("a playlist").last, 1);

    let mut stage = Stage::new("1:50:25", 1, HZ60);
    let place = stage.place(1, 11, 0);
    stage.shots[place] = frame(1, 10);
    let verdict = stage.judge();
    assert_eq!(verdict.repeated, 1);
    assert_eq!(verdict.faults.kinds(), [FaultKind::Repeated], "{verdict}");
    assert_eq!(verdict.faults.told()[0].vblank, Some(24));
    stage.expect.limits.repeated = 1;
    assert!(stage.judge().passed());
}

#[test]
fn swapped_frames_are_an_order_error() {
    let mut stage = Stage::new("1:60:60,2:30:30", 1, HZ60);
    stage.shots.swap(20, 21);
    let verdict = stage.judge();
    assert_eq!(
        (verdict.order_errors, verdict.missing, verdict.repeated),
        (1, 0, 0)
    );
    assert_eq!(verdict.showings[0].order_errors, 1);
    assert_eq!(verdict.faults.kinds(), [FaultKind::Order], "{verdict}");
}

#[test]
fn black_vblanks_are_found_between_items_and_within() {
    let mut stage = Stage::new("1:30:30,2:30:30", 1, HZ60);
    stage.shots[41] = black();
    let verdict = stage.judge();
    assert_eq!(
        (verdict.black, verdict.unreadable, verdict.missing),
        (1, 0, 0)
    );
    assert_eq!(verdict.faults.kinds(), [FaultKind::Black], "{verdict}");

    for place in 58..63 {
        stage.shots[place] = black();
    }
    let verdict = stage.judge();
    assert_eq!((verdict.black, verdict.missing), (6, 2));
    assert_eq!(verdict.faults.count(FaultKind::Black), 6);
    let told = verdict
        .faults
        .told()
        .iter()
        .filter(|fault| fault.kind == FaultKind::Black);
    assert_eq!(
        told.map(|fault| fault.vblank).collect::<Vec<_>>(),
        [Some(41), Some(58)]
    );
}

/// A frame's picture with a rectangle, given in units, of another luma.
fn smeared(stage: &Stage, shot: &Shot, [left, top, right, bottom]: [f64; 4], level: u8) -> Shot {
    let mut picture = stage.draw(shot);
    let across = |units: f64| (units / 48.0 * picture.width as f64) as usize;
    let down = |units: f64| (units / 27.0 * picture.height as f64) as usize;
    let (columns, rows) = (across(left)..across(right), down(top)..down(bottom));
    for row in rows {
        let start = row * picture.width;
        picture.luma[start + columns.start..start + columns.end].fill(level);
    }
    Shot::Other(picture)
}

#[test]
fn a_damaged_block_a_torn_picture_and_another_picture_are_unreadable() {
    let mut stage = Stage::new("1:30:30", 1, HZ60);
    let (left, top) = block_corner(30);
    let block = [left, top, left + 4.0, top + 3.0];
    let clean = frame(1, 10);
    let mut torn = stage.draw(&frame(1, 10));
    let half = torn.luma.len() / 2;
    torn.luma[half..].copy_from_slice(&stage.draw(&frame(1, 11)).luma[half..]);
    let mut grey = Picture::black(128, 72);
    grey.luma.fill(90);
    let bad = [
        smeared(&stage, &clean, block, 126),
        smeared(&stage, &clean, block, 208),
        smeared(&stage, &clean, [left, top, left + 2.0, top + 3.0], 208),
        smeared(&stage, &clean, FLASH, 126),
        smeared(&stage, &clean, [20.0, 0.0, 24.0, 1.0], 40),
        Shot::Other(torn),
        Shot::Other(grey),
    ];
    for (index, shot) in bad.into_iter().enumerate() {
        stage.shots[21] = shot;
        let verdict = stage.judge();
        assert_eq!(
            (verdict.unreadable, verdict.black),
            (1, 0),
            "picture {index}"
        );
        assert_eq!(
            verdict.faults.kinds(),
            [FaultKind::Unreadable],
            "picture {index}: {verdict}"
        );
    }
}

#[test]
fn a_hand_over_one_vblank_late_is_seen_and_two_are_a_fault() {
    let mut stage = Stage::new("1:50:25,2:30:30", 1, HZ60);
    stage.shots.insert(120, frame(1, 49));
    stage.shots.pop();
    let verdict = stage.judge();
    assert_eq!(verdict.showings[1].boundary_error, Some(1));
    assert_eq!(verdict.boundaries.expect("a playlist").max, 1);
    assert_eq!(verdict.repeated, 1);
    assert!(verdict.passed(), "{verdict}");
    stage.expect.limits.boundary = 0;
    assert_eq!(
        stage.judge().faults.kinds(),
        [FaultKind::Repeated, FaultKind::Boundary]
    );
    stage.expect.limits.boundary = 1;

    stage.shots.insert(120, frame(1, 49));
    let verdict = stage.judge();
    assert_eq!(verdict.boundaries.expect("a playlist").max, 2);
    assert_eq!(verdict.repeated, 2);
    assert!(
        verdict.faults.kinds().contains(&FaultKind::Boundary),
        "{verdict}"
    );
    assert!(
        verdict
            .faults
            .told()
            .iter()
            .any(|fault| fault.message.contains("+2 vblanks"))
    );
}

#[test]
fn a_hand_over_too_early_is_a_fault() {
    let mut stage = Stage::new("1:30:15,2:30:30", 1, HZ60);
    stage.shots.drain(118..120);
    let verdict = stage.judge();
    assert_eq!(verdict.showings[1].boundary_error, Some(-2));
    assert_eq!(verdict.faults.count(FaultKind::Boundary), 2, "{verdict}");
}

#[test]
fn growth_within_the_boundary_limit_is_found() {
    let mut stage = Stage::new("1:20:20,2:15:15", 6, HZ60);
    assert!(stage.judge().passed());
    stage.shots.insert(360, frame(2, 14));
    let verdict = stage.judge();
    let boundaries = verdict.boundaries.expect("a playlist");
    assert_eq!(
        (boundaries.max, boundaries.last, boundaries.growth),
        (1, 1, 1.0)
    );
    assert_eq!(verdict.faults.kinds(), [FaultKind::Growth], "{verdict}");
    stage.expect.limits.growth = 1.0;
    assert!(stage.judge().passed());
}

#[test]
fn a_frozen_picture_is_found() {
    let mut stage = Stage::new("1:60:30,2:30:30", 1, HZ60);
    for place in 40..120 {
        stage.shots[place] = frame(1, 20);
    }
    let verdict = stage.judge();
    assert_eq!(
        (
            verdict.frozen,
            verdict.missing,
            verdict.repeated,
            verdict.cadence_errors
        ),
        (1, 39, 78, 1)
    );
    assert_eq!(verdict.showings[0].share, (2, 80));
    assert!(
        verdict.faults.kinds().contains(&FaultKind::Frozen),
        "{verdict}"
    );
}

#[test]
fn an_uneven_cadence_is_found_on_faster_and_slower_displays() {
    let mut stage = Stage::new("1:30:15", 1, HZ60);
    stage.expect.limits.repeated = 100;
    stage.shots[44..46].fill(frame(1, 10));
    let verdict = stage.judge();
    assert_eq!(
        (verdict.cadence_errors, verdict.repeated, verdict.missing),
        (2, 2, 0)
    );
    assert_eq!(verdict.faults.kinds(), [FaultKind::Cadence], "{verdict}");

    let mut stage = Stage::new("1:60:60", 1, Rate::hertz(20));
    assert!(stage.judge().passed());
    let Shot::Frame { number, .. } = stage.shots[10] else {
        panic!("a perfect stage shows frames");
    };
    stage.shots[10] = frame(1, number + 2);
    let verdict = stage.judge();
    assert_eq!((verdict.cadence_errors, verdict.missing), (1, 0));
    assert_eq!(verdict.faults.kinds(), [FaultKind::Cadence], "{verdict}");
}

#[test]
fn a_wrong_clip_and_a_skipped_item_are_named() {
    let mut stage = Stage::new("1:30:30,2:30:30,3:30:30", 1, HZ60);
    for shot in &mut stage.shots[60..120] {
        if let Shot::Frame { id, .. } = shot {
            *id = 9;
        }
    }
    let verdict = stage.judge();
    assert_eq!((verdict.wrong_items, verdict.skipped_items), (1, 1));
    assert_eq!(
        verdict.faults.kinds(),
        [FaultKind::WrongItem, FaultKind::SkippedItem],
        "{verdict}"
    );
    assert_eq!(verdict.showings[1].place, None);
    assert_eq!(verdict.showings[2].place, Some((2, 0)));
}

#[test]
fn one_loop_too_many_is_a_wrong_item_and_moves_the_others() {
    let mut stage = Stage::new("1:30:30,2:30:30", 2, HZ60);
    let again: Vec<Shot> = stage.shots[..60].to_vec();
    stage.shots.splice(60..60, again);
    let verdict = stage.judge();
    assert_eq!((verdict.wrong_items, verdict.skipped_items), (1, 0));
    assert_eq!(verdict.boundaries.expect("a playlist").max, 60);
    assert_eq!(verdict.repeated, 0, "{verdict}");
}

#[test]
fn too_few_and_too_many_showings_are_found() {
    let mut stage = Stage::new("1:30:30,2:30:30", 2, HZ60);
    stage.shots.truncate(170);
    assert_eq!(stage.judge().faults.kinds(), [FaultKind::EndedEarly]);
    stage.expect.rounds = None;
    assert!(
        stage.judge().passed(),
        "without rounds a capture may end anywhere"
    );
    let mut stage = Stage::new("1:30:30,2:30:30", 2, HZ60);
    stage.expect.rounds = Some(1);
    assert_eq!(stage.judge().wrong_items, 2);
}

#[test]
fn the_last_showing_must_end_on_time() {
    let mut stage = Stage::new("1:30:30", 2, HZ60);
    stage.shots.truncate(117);
    let verdict = stage.judge();
    assert_eq!(verdict.boundaries.expect("a playlist").last, -3);
    assert_eq!(
        verdict.faults.kinds(),
        [FaultKind::Missing, FaultKind::Boundary],
        "{verdict}"
    );
}

#[test]
fn frames_after_a_capped_end_are_found() {
    let mut stage = Stage::new("1:30:30,2:30:30", 1, HZ60);
    for place in 56..60 {
        stage.shots[place] = frame(1, 30 + (place as u32 - 56) / 2);
    }
    let verdict = stage.judge();
    assert_eq!((verdict.beyond_end, verdict.missing), (2, 2));
    assert_eq!(
        verdict.faults.kinds(),
        [FaultKind::Missing, FaultKind::BeyondEnd],
        "{verdict}"
    );
}

#[test]
fn a_capture_of_nothing_has_no_picture() {
    let mut stage = Stage::new("1:30:30", 1, HZ60);
    stage.shots.fill(black());
    let verdict = stage.judge();
    assert_eq!((verdict.black, verdict.showings.len()), (60, 0));
    assert!(
        verdict.faults.kinds().contains(&FaultKind::NoPicture),
        "{verdict}"
    );
    stage.shots.clear();
    assert!(stage.judge().faults.kinds().contains(&FaultKind::NoPicture));
}

#[test]
fn loops_of_one_item_are_showings_even_where_nothing_moves() {
    for (spec, vblanks) in [
        ("1:50:25", 120),
        ("1:still:1500", 90),
        ("1:1:2", 30),
        ("1:2:30", 4),
        ("1:3:30", 6),
    ] {
        let verdict = Stage::new(spec, 5, HZ60).judge();
        assert!(verdict.passed(), "{spec}: {verdict}");
        let lengths: Vec<u64> = verdict
            .showings
            .iter()
            .map(|showing| showing.vblanks)
            .collect();
        assert_eq!(lengths, [vblanks; 5], "{spec}");
    }
}

#[test]
fn a_loop_that_loses_its_first_frames_is_a_loop_all_the_same() {
    let mut stage = Stage::new("1:60:60", 3, HZ60);
    stage.shots[60..63].fill(frame(1, 59));
    let verdict = stage.judge();
    assert_eq!((verdict.showings.len(), verdict.order_errors), (3, 0));
    assert_eq!(
        (verdict.dropped, verdict.missing, verdict.repeated),
        (3, 3, 3),
        "{verdict}"
    );
    assert_eq!(verdict.showings[1].first_number, 3);
    assert_eq!(verdict.showings[1].boundary_error, Some(3));
}

#[test]
fn an_image_that_stands_too_long_is_repeated_and_off_the_boundary() {
    let mut stage = Stage::new("1:still:500,2:30:30", 1, HZ60);
    for _ in 0..5 {
        stage.shots.insert(30, frame(1, STILL));
    }
    let verdict = stage.judge();
    assert_eq!(
        (verdict.repeated, verdict.cadence_errors, verdict.frozen),
        (5, 1, 0)
    );
    assert!(
        verdict.faults.kinds().contains(&FaultKind::Boundary),
        "{verdict}"
    );
}

#[test]
fn without_a_playlist_the_figures_are_told_and_what_is_wrong_in_itself() {
    let mut stage = Stage::new("1:50:25,2:still:500", 2, HZ60);
    stage.expect = Default::default();
    let verdict = stage.judge();
    assert!(verdict.passed(), "{verdict}");
    assert_eq!(
        (verdict.showings.len(), verdict.frames, verdict.boundaries),
        (4, 102, None)
    );
    let place = stage.place(1, 20, 0);
    stage.shots.drain(place..place + 2);
    stage.shots.swap(30, 37);
    let verdict = stage.judge();
    assert_eq!(
        verdict.faults.kinds(),
        [FaultKind::Missing, FaultKind::Order],
        "{verdict}"
    );
}

#[test]
fn a_capture_that_ends_within_a_frame_is_judged_up_to_there() {
    let stage = Stage::new("1:30:30", 1, HZ60);
    let mut bytes = stage.bytes();
    bytes.truncate(bytes.len() - 100);
    let verdict = judge(bytes.as_slice(), None, &stage.expect).expect("a header");
    assert_eq!(verdict.vblanks, 59);
    assert_eq!(verdict.faults.kinds(), [FaultKind::Truncated], "{verdict}");
}

#[test]
fn many_faults_are_counted_and_some_told() {
    let mut stage = Stage::new("1:60:60", 10, HZ60);
    for place in (0..600).step_by(2) {
        stage.shots[place] = black();
    }
    let verdict = stage.judge();
    assert_eq!(verdict.faults.count(FaultKind::Black), 300);
    assert_eq!(verdict.faults.told().len(), 100);
}
