//! Random operations on the player's rules, with what must always hold checked after each.
//!
//! The stage's referee judges every single output (no load into a shown slot, no second cue, no position that is not
//! in the playlist, always something pending). Here is what shows only over time.

#[path = "support/stage.rs"]
mod stage;

use std::collections::HashMap;

use musebox::domain::{
    ids::{Position, ScreenIndex},
    player::State,
    playlist::Playlist,
    sequencer::{Command, Input, Output, Replayable, Report},
    units::MediaTime,
};
use proptest::{prelude::*, test_runner::Config};
use stage::{Began, Manner, Medium, Stage, ms, playlist, s};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const SCREENS: [&[&str]; 3] = [&["left"], &["left", "right"], &["left", "right", "top"]];

/// Every screen that can show anything begins something at least so often.
const PATIENCE: MediaTime = MediaTime::from_seconds(1500);

/// What can happen to a player.
#[derive(Clone, Debug)]
enum Op {
    /// Another playlist comes, or none.
    Playlist(Option<Vec<Vec<String>>>),
    /// An item is taken out of the playlist.
    Remove(usize),
    /// An item is put into it.
    Insert(usize, usize),
    Settings {
        autostart: bool,
        auto_advance: bool,
    },
    Command(Command),
    /// A medium is another one from now on.
    Medium(usize, Medium),
    /// A medium's file changed.
    Changed(usize),
    Pass(MediaTime),
    /// Time passes up to the next thing that happens by itself.
    Event,
}

impl Op {
    fn apply(self, stage: &mut Stage, montages: &mut Vec<Vec<String>>) {
        match self {
            Self::Playlist(Some(list)) => {
                *montages = list;
                hand_over(stage, montages);
            }
            Self::Playlist(None) => {
                montages.clear();
                stage.environment(None);
            }
            Self::Remove(which) => edit(stage, montages, |items| {
                let which = which % items.len();
                items.remove(which);
            }),
            Self::Insert(which, name) => edit(stage, montages, |items| {
                items.insert(which % (items.len() + 1), NAMES[name].to_owned());
            }),
            Self::Settings {
                autostart,
                auto_advance,
            } => stage.settings(autostart, auto_advance),
            Self::Command(command) => stage.command(command),
            Self::Medium(which, medium) => {
                stage.media.insert(NAMES[which].to_owned(), medium);
            }
            Self::Changed(which) => stage.handle(Input::MediaChanged {
                src: NAMES[which].to_owned(),
            }),
            Self::Pass(time) => stage.run_for(time),
            Self::Event => {
                if let Some(at) = stage.next_event() {
                    stage.run_until(at);
                }
            }
        }
    }
}

fn hand_over(stage: &mut Stage, montages: &[Vec<String>]) {
    let tracks: Vec<Vec<&str>> = montages
        .iter()
        .map(|tracks| tracks.iter().map(String::as_str).collect())
        .collect();
    let montages: Vec<&[&str]> = tracks.iter().map(Vec::as_slice).collect();
    stage.environment(Some(playlist(&montages)));
}

/// Edits the first track: what is shown and is still in the playlist stays on the screen.
fn edit(stage: &mut Stage, montages: &mut [Vec<String>], change: impl FnOnce(&mut Vec<String>)) {
    let Some(track) = montages.first_mut().and_then(|tracks| tracks.first_mut()) else {
        return;
    };
    let (screen, items) = match track.split_once(": ") {
        Some((screen, items)) => (format!("{screen}: "), items),
        None => (String::new(), track.as_str()),
    };
    let mut items: Vec<String> = items.split_whitespace().map(str::to_owned).collect();
    change(&mut items);
    if items.is_empty() {
        return;
    }
    *track = format!("{screen}{}", items.join(" "));
    let shown = |stage: &Stage| -> Vec<Option<String>> {
        let screens = stage.player.snapshot().screens;
        screens
            .into_iter()
            .map(|screen| screen.item.map(|item| item.src.clone()))
            .collect()
    };
    let before = shown(stage);
    let positions: Vec<Option<Position>> = stage
        .player
        .snapshot()
        .screens
        .iter()
        .map(|screen| screen.position)
        .collect();
    hand_over(stage, montages);
    // A screen follows another one to the montage in which that one's item still is.
    if montages.len() > 1 && before.len() > 1 {
        return;
    }
    for (index, (was, position)) in before.iter().zip(positions).enumerate() {
        let (Some(was), Some(position)) = (was, position) else {
            continue;
        };
        let Some(tracks) = montages.get(position.montage) else {
            continue;
        };
        if position.track != index || tracks.iter().any(|track| track.contains(':')) {
            continue;
        }
        let stays = tracks[position.track]
            .split_once(": ")
            .map_or(tracks[position.track].as_str(), |(_, items)| items)
            .split_whitespace()
            .any(|item| item.split('@').next() == Some(was));
        // What has run out or died stands as a picture only.
        let lasts = matches!(
            stage.media.get(was).map(|medium| &medium.manner),
            Some(Manner::Plays {
                replayable: Replayable::InPlace,
                dies_after: None,
                ..
            })
        );
        if stays && lasts {
            assert_eq!(
                shown(stage)[index].as_ref(),
                Some(was),
                "screen {index} has left an item that stays in its track"
            );
        }
    }
}

fn medium() -> impl Strategy<Value = Medium> {
    let length = prop_oneof![30 => 500_i64..20_000, 1 => 1_i64..500].prop_map(ms);
    let preroll = prop_oneof![4 => 0_i64..1_000, 1 => 1_000_i64..14_000].prop_map(ms);
    let midway = (0_i64..20_000).prop_map(ms);
    let plays = prop_oneof![
        6 => length.clone().prop_map(Medium::video),
        3 => length.clone().prop_map(Medium::reopened),
        2 => Just(Medium::still()),
        1 => length.clone().prop_map(|length| Medium::live(Some(length))),
        1 => (length.clone(), midway.clone())
            .prop_map(|(length, after)| Medium::video(length).dying_after(after)),
        1 => (length.clone(), midway.clone())
            .prop_map(|(length, after)| Medium::video(length).worn_after(after)),
        1 => (length.clone(), midway, length.clone())
            .prop_map(|(length, after, told)| Medium::reopened(length).telling(after, told.min(length))),
    ];
    prop_oneof![
        12 => (plays, preroll).prop_map(|(medium, preroll)| medium.taking(preroll)),
        2 => Just(Medium::bad()),
        1 => Just(Medium::silent()),
    ]
}

fn montages() -> impl Strategy<Value = Vec<Vec<String>>> {
    let item = prop_oneof![
        4 => (0..NAMES.len()).prop_map(|name| NAMES[name].to_owned()),
        1 => (0..NAMES.len(), 1..9).prop_map(|(name, cap)| format!("{}@{cap}", NAMES[name])),
    ];
    let items = proptest::collection::vec(item, 1..4).prop_map(|items| items.join(" "));
    let screen =
        prop_oneof![6 => Just(""), 2 => Just("left: "), 1 => Just("right: "), 1 => Just("none: ")];
    let track = (screen, items).prop_map(|(screen, items)| format!("{screen}{items}"));
    proptest::collection::vec(proptest::collection::vec(track, 1..4), 1..4)
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        Just(Command::Play),
        Just(Command::Pause),
        Just(Command::Stop),
        Just(Command::Next),
        Just(Command::Previous),
        Just(Command::Replay),
        (0..4_usize, 0..4_usize, 0..4_usize).prop_map(|(montage, track, item)| Command::Goto(
            Position {
                montage,
                track,
                item
            }
        )),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => montages().prop_map(|list| Op::Playlist(Some(list))),
        1 => Just(Op::Playlist(None)),
        1 => (0..8_usize).prop_map(Op::Remove),
        1 => (0..8_usize, 0..NAMES.len()).prop_map(|(at, name)| Op::Insert(at, name)),
        1 => any::<(bool, bool)>()
            .prop_map(|(autostart, auto_advance)| Op::Settings { autostart, auto_advance }),
        6 => command().prop_map(Op::Command),
        3 => (0..NAMES.len(), medium()).prop_map(|(which, medium)| Op::Medium(which, medium)),
        1 => (0..NAMES.len()).prop_map(Op::Changed),
        4 => (0_i64..200).prop_map(|time| Op::Pass(ms(time))),
        4 => (0_i64..40_000).prop_map(|time| Op::Pass(ms(time))),
        6 => Just(Op::Event),
    ]
}

/// A run of operations. It is printed one a line.
#[derive(Clone)]
struct Case {
    screens: &'static [&'static str],
    late: bool,
    media: Vec<Medium>,
    list: Vec<Vec<String>>,
    ops: Vec<Op>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{:?}, late: {}, {:?}",
            self.screens, self.late, self.list
        )?;
        for (name, medium) in NAMES.into_iter().zip(&self.media) {
            writeln!(f, "  {name}: {medium:?}")?;
        }
        self.ops.iter().try_for_each(|op| writeln!(f, "  {op:?}"))
    }
}

fn case() -> impl Strategy<Value = Case> {
    let media = proptest::collection::vec(medium(), NAMES.len());
    let ops = proptest::collection::vec(op(), 1..60);
    (0..SCREENS.len(), any::<bool>(), media, montages(), ops).prop_map(
        |(screens, late, media, list, ops)| Case {
            screens: SCREENS[screens],
            late,
            media,
            list,
            ops,
        },
    )
}

/// A replay is what was shown before, again, without an opening in between.
fn replays_are_replays(stage: &Stage) -> Result<(), TestCaseError> {
    let mut last: HashMap<usize, Began> = HashMap::new();
    for began in &stage.began {
        if began.replay {
            let before = last.get(&began.screen);
            prop_assert!(
                before.is_some_and(|before| before.name == began.name),
                "a replay of what was not shown: {began:?} after {before:?}"
            );
        }
        last.insert(began.screen, began.clone());
    }
    Ok(())
}

/// The screens for which a playlist has a medium that plays to its end.
fn can_show(stage: &Stage, list: &Playlist, screens: &[&str], screen: usize) -> bool {
    list.montages.iter().any(|montage| {
        let named = montage.tracks.iter().any(|track| track.screen.is_some());
        // The first track that names a screen is the one that it plays.
        let mine = match named {
            true => montage.tracks.iter().find(|track| {
                let name = track.screen.as_ref();
                name.is_some_and(|name| name.as_str() == screens[screen])
            }),
            false => montage.tracks.get(screen),
        };
        mine.is_some_and(|track| {
            track.items.iter().any(|item| {
                stage.media.get(&item.src).is_some_and(|medium| {
                    matches!(
                        medium.manner,
                        Manner::Plays {
                            dies_after: None,
                            ..
                        }
                    )
                })
            })
        })
    })
}

/// Whatever happened: told to play, every screen that can show anything goes on to do so.
fn goes_on(stage: &mut Stage, screens: &[&str]) -> Result<(), TestCaseError> {
    let Some(list) = stage.playlist.clone() else {
        return Ok(());
    };
    stage.settings(true, true);
    stage.command(Command::Play);
    if stage.player.snapshot().state == State::Idle {
        stage.command(Command::Play);
    }
    for _ in 0..2 {
        let from = stage.now;
        stage.run_for(PATIENCE);
        for screen in 0..screens.len() {
            if can_show(stage, &list, screens, screen) {
                prop_assert!(
                    stage.last_began[screen] > from,
                    "screen {screen} has begun nothing from {from} to {}: {:#?}",
                    stage.now,
                    stage.player.snapshot()
                );
                let lit = stage.on_screen(screen).is_some() || stage.card(screen).is_some();
                prop_assert!(lit, "screen {screen} is dark");
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(Config { cases: 200, failure_persistence: None, ..Config::default() })]

    #[test]
    fn whatever_happens_every_screen_goes_on(case in case()) {
        let mut stage = Stage::new(case.screens, None);
        if case.late {
            // News of a vblank takes up to 30 ms.
            stage.latency = |count| ms((count % 4) as i64 * 10);
        }
        for (name, medium) in NAMES.into_iter().zip(case.media) {
            stage.media.insert(name.to_owned(), medium);
        }
        let mut list = case.list;
        hand_over(&mut stage, &list);
        for op in case.ops {
            op.apply(&mut stage, &mut list);
            stage.told.clear();
        }
        replays_are_replays(&stage)?;
        goes_on(&mut stage, case.screens)?;
    }

    /// Undisturbed, the next position is the current one exactly where a showing is a replay, and nothing is opened
    /// that has been opened.
    #[test]
    fn a_showing_is_a_replay_exactly_when_the_position_stays(
        first in montages(),
        lengths in proptest::collection::vec(100_i64..20_000, NAMES.len()),
    ) {
        let mut stage = Stage::new(&["left"], None);
        for (name, length) in NAMES.into_iter().zip(lengths) {
            stage.media.insert(name.to_owned(), Medium::video(ms(length)));
        }
        hand_over(&mut stage, &first);
        stage.run_for(s(600));
        for pair in stage.began.windows(2) {
            prop_assert_eq!(pair[1].replay, pair[0].position == pair[1].position, "{:?}", pair);
        }
        let opened = stage.began.iter().filter(|began| !began.replay).count();
        let loads = stage.loaded().len();
        prop_assert!((opened..=opened + 1).contains(&loads), "{loads} loads for {opened} showings");
    }

    /// The case that began this project.
    #[test]
    fn a_mono_montage_is_opened_once_and_replayed_for_ever(
        length in prop_oneof![Just(1_i64), 1_i64..100, 100_i64..30_000],
        still: bool,
        pauses in proptest::collection::vec((0_i64..60_000, 0_i64..60_000), 0..8),
        late: bool,
    ) {
        let mut stage = Stage::new(&["left"], None);
        if late {
            stage.latency = |count| ms((count % 4) as i64 * 10);
        }
        let length = ms(length);
        stage.media.insert("a".to_owned(), match still {
            true => Medium::still(),
            false => Medium::video(length),
        });
        stage.environment(Some(playlist(&[&["a"]])));
        for (plays, rests) in pauses {
            stage.run_for(ms(plays));
            stage.command(Command::Pause);
            let shown = stage.began.len();
            stage.run_for(ms(rests) + s(1));
            prop_assert!(stage.began.len() <= shown + 1, "it went on while it was paused");
            stage.command(Command::Play);
        }
        let before = stage.began.len();
        stage.run_for(s(40));
        prop_assert!(stage.began.len() > before, "it stands still");
        prop_assert_eq!(stage.loaded().len(), 1);
        let (first, rest) = stage.began.split_first().expect("it plays");
        prop_assert!(!first.replay);
        prop_assert!(rest.iter().all(|began| began.replay));
        let counters = stage.player.snapshot().counters;
        let shown = stage.began.len() as u64;
        prop_assert_eq!((counters.items_shown, counters.replays, counters.reloads), (shown, shown - 1, 0));
        let gone = stage.told.iter().any(|(_, output)| matches!(output, Output::Card { .. } | Output::Unload { .. }));
        prop_assert!(!gone, "the picture was taken away");
    }

    /// Bad items are stepped over, told, and tried at most once a round.
    #[test]
    fn bad_items_are_tried_at_most_once_a_round(
        bad in proptest::collection::vec(any::<bool>(), NAMES.len()),
        lengths in proptest::collection::vec(2_000_i64..8_000, NAMES.len()),
        silent: bool,
    ) {
        prop_assume!(bad.contains(&false) && bad.contains(&true));
        let mut stage = Stage::new(&["left"], None);
        for ((name, length), bad) in NAMES.into_iter().zip(lengths).zip(&bad) {
            stage.media.insert(name.to_owned(), match (bad, silent) {
                (true, true) => Medium::silent(),
                (true, false) => Medium::bad(),
                (false, _) => Medium::video(ms(length)),
            });
        }
        stage.environment(Some(playlist(&[&["a b c d e f"]])));
        stage.run_for(s(900));
        let mut tried: HashMap<String, u64> = HashMap::new();
        let mut rounds = 0;
        for (at, report) in stage.reports() {
            match report {
                Report::RoundEnded { .. } => rounds += 1,
                Report::Failed { item, screen, .. } => {
                    prop_assert_eq!(*screen, ScreenIndex(0));
                    let tries = tried.entry(item.src.clone()).or_default();
                    *tries += 1;
                    // What comes first in the next round is tried while this one still plays.
                    prop_assert!(*tries <= rounds + 2, "{} was tried {tries} times by {at}", item.src);
                }
                Report::Began { .. } | Report::Reopened { .. } | Report::TrackEnded { .. }
                    | Report::TrackWithoutScreen { .. } => {}
            }
        }
        let all = bad.iter().filter(|bad| **bad).count();
        prop_assert_eq!(tried.len(), all, "each bad item is told");
        // Once the good ones have begun, one follows the other without a gap.
        let lone = all + 1 == NAMES.len();
        for pair in stage.began.windows(2) {
            let Manner::Plays { media: musebox::domain::sequencer::Media::Timed(length), .. } =
                stage.media[&pair[0].name].manner.clone() else { panic!("{pair:?}") };
            let gap = pair[1].at - pair[0].at - length;
            prop_assert!(silent || lone || gap == MediaTime::ZERO || pair[0].name == pair[1].name, "{pair:?}");
        }
    }
}
