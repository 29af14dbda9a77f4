//! Real time on a machine that is busy: what the player counts is what the judge sees.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use crate::{
    counted::{expect::Limits, generate::Clip, generate::Codec, pattern::Rate},
    lockstep::expect,
    player_box::{PlayerBox, Sound, play},
};

#[test]
fn under_load_order_is_kept_nothing_is_black_and_the_counters_tell_the_truth() {
    let player = PlayerBox::new();
    player.clip(
        "a.mp4",
        &Clip {
            bframes: 2,
            ..Clip::new(1)
        },
    );
    player.clip(
        "b.mp4",
        &Clip {
            rate: Rate::hertz(30),
            frames: 60,
            codec: Codec::Hevc,
            ..Clip::new(2)
        },
    );
    player.clip(
        "c.mp4",
        &Clip {
            rate: Rate::hertz(60),
            frames: 120,
            ..Clip::new(3)
        },
    );
    let playlist = player.playlist(&["a.mp4", "b.mp4", "c.mp4"]);
    let arguments = [
        "--playlist",
        playlist.to_str().expect("UTF-8"),
        "--pace",
        "real",
        "--mode",
        "640x360@60",
        "--rounds",
        "2",
    ];
    let mut expect = expect("1:50:25,2:60:30,3:120:60", 2);
    // How much is lost depends on the machine; that it is counted right does not.
    expect.limits = Limits {
        repeated: u64::MAX,
        boundary: 1_000,
        growth: f64::MAX,
        ..Limits::default()
    };
    let stop = AtomicBool::new(false);
    let played = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let burst = Instant::now();
                    while burst.elapsed() < Duration::from_millis(300)
                        && !stop.load(Ordering::Relaxed)
                    {
                        std::hint::spin_loop();
                    }
                    std::thread::sleep(Duration::from_millis(200));
                }
            });
        }
        let played = play(&player, &arguments, &expect, Sound::Ignored);
        stop.store(true, Ordering::Relaxed);
        played
    });
    let (verdict, display) = (&played.verdict, &played.report["display"]);
    println!("{verdict}{display:#}");
    assert_eq!(
        (
            verdict.order_errors,
            verdict.black,
            verdict.unreadable,
            verdict.wrong_items
        ),
        (0, 0, 0, 0),
        "{verdict}"
    );
    assert_eq!(verdict.showings.len(), 6, "{verdict}");
    assert_eq!(display["presented"], verdict.frames, "{verdict}{display:#}");
    assert_eq!(
        display["repeated"], verdict.repeated,
        "{verdict}{display:#}"
    );
    assert_eq!(display["dropped"], verdict.dropped, "{verdict}{display:#}");
}
