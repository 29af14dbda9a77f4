//! The judge: follows the numbers through a capture, vblank by vblank, and holds them against what is expected.
//!
//! The ideal: showing p begins at the start plus the durations of all before it, and each vblank shows the frame
//! whose time is nearest. So each frame has an allotment of vblanks; what it has beyond that is `repeated`, and a
//! frame that never came is `dropped`. Memory is constant but for one short record a showing and a number a flash.

use std::{error::Error, fmt, io::Read};

use super::{
    expect::{Beeps, Expect, Item, Length},
    lipsync::{Flash, compare},
    pattern::{Eye, Mark, Rate, STILL, Sight},
    report::{Boundaries, FaultKind, Faults, Showing, Verdict},
    sound::{SoundError, hear},
    y4m::{CaptureError, Reader},
};

/// How far from half a vblank a time counts as a tie that may be rounded either way: containers round time stamps.
/// Less than a tenth, since 25 Hz on 60 Hz comes as near as that without being a tie.
const TIE: f64 = 0.06;
/// Why there is no verdict.
#[derive(Debug)]
pub enum JudgeError {
    /// The capture is none.
    Capture(CaptureError),
    /// The sound is none.
    Sound(SoundError),
}

impl fmt::Display for JudgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capture(error) => error.fmt(f),
            Self::Sound(error) => error.fmt(f),
        }
    }
}

impl Error for JudgeError {}

/// Judges a capture as it streams by, and its sound.
pub fn judge(
    capture: impl Read,
    sound: Option<&mut dyn Read>,
    expect: &Expect,
) -> Result<Verdict, JudgeError> {
    let mut reader = Reader::new(capture).map_err(JudgeError::Capture)?;
    let mut tally = Tally::new(expect, reader.width, reader.height, reader.rate);
    let mut eye = Eye::default();
    let end = loop {
        match reader.next_frame() {
            Ok(Some(luma)) => tally.see(eye.look(luma)),
            Ok(None) => break None,
            Err(error @ CaptureError::Io(_)) => return Err(JudgeError::Capture(error)),
            Err(error) => break Some(error),
        }
    };
    tally.end();
    if let Some(error) = end {
        tally.fault(FaultKind::Truncated, || error.to_string());
    }
    if let Some(sound) = sound {
        let heard = hear(sound).map_err(JudgeError::Sound)?;
        let verdict = &mut tally.verdict;
        let (flashes, limits) = (&tally.flashes, &expect.limits);
        verdict.sound = Some(compare(
            flashes,
            &heard,
            verdict.rate,
            limits,
            &mut verdict.faults,
        ));
    }
    Ok(tally.verdict)
}

/// The showing under way.
struct Current {
    showing: Showing,
    item: Option<Item>,
    /// The vblank of frame 0, with its fraction.
    anchor: f64,
    number: u32,
    number_since: u64,
    share: u64,
    lit: bool,
    seen: Vec<u64>,
    highest: u32,
}

impl Current {
    fn mark_seen(&mut self, number: u32) {
        let word = number as usize / 64;
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        self.seen[word] |= 1 << (number % 64);
        self.highest = self.highest.max(number);
    }

    fn unseen(&self, below: u32) -> impl Iterator<Item = u32> {
        (0..below).filter(|number| {
            let word = self
                .seen
                .get(*number as usize / 64)
                .copied()
                .unwrap_or_default();
            word >> (number % 64) & 1 == 0
        })
    }
}

/// Why a frame leaves the screen.
#[derive(Clone, Copy)]
enum Leaving {
    ForNextFrame,
    ForNextShowing,
    CutOff,
}

struct Tally<'a> {
    expect: &'a Expect,
    display: Rate,
    /// The first vblank with a frame, and the items' beginnings relative to it in one round, with the round's length.
    start: Option<u64>,
    beginnings: Vec<f64>,
    round: f64,
    /// How many showings of the playlist have begun or been skipped.
    position: u64,
    current: Option<Current>,
    last: Option<Sight>,
    flashes: Vec<Flash>,
    /// Repeats that count against the limit.
    excess: u64,
    verdict: Verdict,
}

impl<'a> Tally<'a> {
    fn new(expect: &'a Expect, width: usize, height: usize, display: Rate) -> Self {
        let mut round = 0.0;
        let beginnings = expect
            .items
            .iter()
            .map(|item| {
                let beginning = round;
                round += item.vblanks(display);
                beginning
            })
            .collect();
        Self {
            expect,
            display,
            start: None,
            beginnings,
            round,
            position: 0,
            current: None,
            last: None,
            flashes: Vec::new(),
            excess: 0,
            verdict: Verdict {
                width,
                height,
                rate: display,
                vblanks: 0,
                showings: Vec::new(),
                frames: 0,
                missing: 0,
                dropped: 0,
                repeated: 0,
                order_errors: 0,
                cadence_errors: 0,
                frozen: 0,
                beyond_end: 0,
                black: 0,
                unreadable: 0,
                wrong_items: 0,
                skipped_items: 0,
                boundaries: None,
                sound: None,
                faults: Faults::default(),
            },
        }
    }

    fn fault(&mut self, kind: FaultKind, message: impl FnOnce() -> String) {
        let vblank = self.verdict.vblanks;
        self.verdict.faults.add(kind, 1, Some(vblank), message);
    }

    /// When showing `position` should begin, in vblanks after the start; nothing without a playlist.
    fn ideal(&self, position: u64) -> Option<f64> {
        let items = self.beginnings.len() as u64;
        let beginning = self.beginnings.get(position.checked_rem(items)? as usize)?;
        Some((position / items) as f64 * self.round + beginning)
    }

    fn rounds_left(&self, position: u64) -> bool {
        let items = self.expect.items.len() as u64;
        items > 0
            && self
                .expect
                .rounds
                .is_none_or(|rounds| position < rounds.saturating_mul(items))
    }

    fn next_item(&self, position: u64) -> Option<Item> {
        let index = position.checked_rem(self.expect.items.len() as u64)?;
        self.rounds_left(position)
            .then(|| self.expect.items[index as usize])
    }

    fn see(&mut self, sight: Sight) {
        match sight {
            Sight::Frame(mark) => self.see_frame(mark),
            Sight::Black => {
                self.verdict.black += 1;
                self.bad_vblank(sight, FaultKind::Black, "black");
            }
            Sight::Unreadable => {
                self.verdict.unreadable += 1;
                self.bad_vblank(sight, FaultKind::Unreadable, "no frame can be read");
            }
        }
        self.last = Some(sight);
        self.verdict.vblanks += 1;
    }

    /// Tells the first of a row, counts the others.
    fn bad_vblank(&mut self, sight: Sight, kind: FaultKind, what: &str) {
        match self.last == Some(sight) {
            true => self.verdict.faults.again(kind),
            false => self.fault(kind, || what.to_owned()),
        }
    }

    fn see_frame(&mut self, mark: Mark) {
        if self.begins(mark) {
            self.close(false);
            self.open(mark);
        } else if self
            .current
            .as_ref()
            .is_some_and(|current| current.number != mark.number)
        {
            self.step(mark);
        }
        let vblank = self.verdict.vblanks;
        let Some(current) = &mut self.current else {
            return;
        };
        current.share += 1;
        current.showing.vblanks += 1;
        if mark.lit
            && !current.lit
            && current
                .item
                .is_none_or(|item| item.beeps == Beeps::Sounding)
        {
            let exact = match current.item.map(|item| item.length) {
                Some(Length::Frames { rate, .. }) => {
                    let ideal = current.anchor + f64::from(mark.number) * ratio(self.display, rate);
                    vblank as f64 - nearest_residue(ideal, vblank)
                }
                _ => vblank as f64,
            };
            self.flashes.push(Flash { vblank, exact });
        }
        current.lit = mark.lit;
    }

    /// Whether the frame belongs to a new showing: another item, or a great step back in the same.
    fn begins(&self, mark: Mark) -> bool {
        let Some(current) = &self.current else {
            return true;
        };
        if mark.id != current.showing.id || (mark.number == STILL) != (current.number == STILL) {
            return true;
        }
        let pictures = current.item.map(|item| item.pictures());
        if mark.number == STILL || pictures == Some(1) {
            // Two showings of the same unmoving picture cannot be told apart but by their time.
            let next = self.next_item(self.position);
            let due = self
                .start
                .zip(self.ideal(self.position))
                .map(|(start, ideal)| start as f64 + ideal);
            return current.item.is_some()
                && next.is_some_and(|next| {
                    next.matches(mark.id, mark.number) && next.pictures() == 1
                })
                && due.is_some_and(|due| self.verdict.vblanks as f64 >= due - 0.5);
        }
        let back = u64::from(current.number.saturating_sub(mark.number));
        back > 0 && back * 2 >= u64::from(pictures.unwrap_or(current.highest + 1))
    }

    fn open(&mut self, mark: Mark) {
        let vblank = self.verdict.vblanks;
        let start = *self.start.get_or_insert(vblank);
        let position = self.place(mark);
        let item = position.and_then(|position| self.next_item(position));
        let moved = match item.map(|item| item.length) {
            Some(Length::Frames { rate, .. }) => f64::from(mark.number) * ratio(self.display, rate),
            _ => 0.0,
        };
        let mut anchor = vblank as f64 - moved;
        let mut error = None;
        if let Some(ideal) = position.and_then(|position| self.ideal(position)) {
            let due = start as f64 + ideal;
            let off = boundary_error(vblank as f64 - due);
            error = Some(off);
            self.check_boundary(off, || format!("item {} begins", mark.id));
            // Frames of a late beginning belong to the plan's times, unless the whole showing has moved.
            if (anchor - due).abs() <= 1.0 + TIE {
                anchor = due;
            }
        }
        let items = self.expect.items.len() as u64;
        let mut current = Current {
            showing: Showing {
                id: mark.id,
                first_number: mark.number,
                first_vblank: vblank,
                vblanks: 0,
                frames: 0,
                missing: 0,
                dropped: 0,
                repeated: 0,
                order_errors: 0,
                share: (u64::MAX, 0),
                place: position.map(|position| ((position % items) as usize, position / items)),
                boundary_error: error,
            },
            item,
            anchor,
            number: mark.number,
            number_since: vblank,
            share: 0,
            lit: false,
            seen: Vec::new(),
            highest: 0,
        };
        if mark.number != STILL {
            current.mark_seen(mark.number);
        }
        self.current = Some(current);
        self.check_end_of_clip(mark);
    }

    /// Finds the new showing's place in the playlist and goes there.
    fn place(&mut self, mark: Mark) -> Option<u64> {
        let items = self.expect.items.len() as u64;
        if items == 0 {
            return None;
        }
        let position = self.position;
        let fits = |tally: &Self, position| {
            tally
                .next_item(position)
                .is_some_and(|item| item.matches(mark.id, mark.number))
        };
        if fits(self, position) {
            self.position += 1;
            return Some(position);
        }
        let before = self.verdict.showings.last().map(|showing| showing.id);
        let expected = match self.next_item(position) {
            Some(item) => format!("item {} was next", item.id),
            None => "no more was asked for".to_owned(),
        };
        let later = (1..items).find(|skipped| fits(self, position + skipped));
        match later {
            Some(skipped) if before != Some(mark.id) => {
                self.verdict.skipped_items += skipped;
                let vblank = self.verdict.vblanks;
                self.verdict
                    .faults
                    .add(FaultKind::SkippedItem, skipped, Some(vblank), || {
                        format!("item {} came {skipped} early: {expected}", mark.id)
                    });
                self.position = position + skipped + 1;
                Some(position + skipped)
            }
            _ => {
                self.verdict.wrong_items += 1;
                self.fault(FaultKind::WrongItem, || {
                    format!("item {} is shown: {expected}", mark.id)
                });
                None
            }
        }
    }

    fn check_boundary(&mut self, off: i64, what: impl FnOnce() -> String) {
        let boundaries = self.verdict.boundaries.get_or_insert(Boundaries {
            max: 0,
            last: 0,
            growth: 0.0,
        });
        boundaries.max = boundaries.max.max(off.unsigned_abs());
        boundaries.last = off;
        if off.unsigned_abs() > self.expect.limits.boundary {
            self.fault(FaultKind::Boundary, || {
                format!("{} {off:+} vblanks from its time", what())
            });
        }
    }

    fn check_end_of_clip(&mut self, mark: Mark) {
        let item = self.current.as_ref().and_then(|current| current.item);
        if item.is_some_and(|item| mark.number != STILL && mark.number >= item.pictures()) {
            self.verdict.beyond_end += 1;
            self.fault(FaultKind::BeyondEnd, || {
                format!(
                    "item {} shows frame {}, which is after its end",
                    mark.id, mark.number
                )
            });
        }
    }

    /// Goes to another frame of the same showing.
    fn step(&mut self, mark: Mark) {
        self.end_frame(Leaving::ForNextFrame);
        let vblank = self.verdict.vblanks;
        let Some(current) = &mut self.current else {
            return;
        };
        let before = current.number;
        current.number = mark.number;
        current.number_since = vblank;
        current.share = 0;
        current.mark_seen(mark.number);
        if mark.number < before {
            current.showing.order_errors += 1;
            self.verdict.order_errors += 1;
            self.fault(FaultKind::Order, || {
                format!(
                    "item {}: frame {} comes after frame {before}",
                    mark.id, mark.number
                )
            });
        } else if let Some(Length::Frames { rate, .. }) = current.item.map(|item| item.length) {
            // On a slower display frames must be left out, but evenly.
            let (step, ideal) = (f64::from(mark.number - before), ratio(rate, self.display));
            if ideal > 1.0 && step > ideal + 1.0 + 1e-6 {
                self.verdict.cadence_errors += 1;
                self.fault(FaultKind::Cadence, || {
                    format!(
                        "item {}: from frame {before} to {}, ideal steps of {ideal:.2}",
                        mark.id, mark.number
                    )
                });
            }
        }
        self.check_end_of_clip(mark);
    }

    /// Judges how long the frame stood that is leaving. The last one of a showing may give way as early or late as
    /// a boundary may be off, which is counted but is no fault; the capture's end may cut it off at any time.
    fn end_frame(&mut self, leaving: Leaving) {
        let Some(current) = &mut self.current else {
            return;
        };
        let share = current.share;
        let (least, most) = current.showing.share;
        current.showing.share = (least.min(share), most.max(share));
        let Some(item) = current.item else {
            return;
        };
        let (ideal, index) = match item.length {
            Length::Frames { rate, .. } => (ratio(self.display, rate), f64::from(current.number)),
            Length::Still { .. } => (item.vblanks(self.display), 0.0),
        };
        let begin = (current.anchor + index * ideal - 0.5 - TIE).ceil();
        let end = (current.anchor + (index + 1.0) * ideal + 0.5 + TIE).floor();
        let repeated = share.saturating_sub((end - begin).max(1.0) as u64);
        current.showing.repeated += repeated;
        let (id, number, since) = (current.showing.id, current.number, current.number_since);
        let named = move || match number {
            STILL => format!("image {id}"),
            number => format!("item {id}: frame {number}"),
        };
        let verdict = &mut self.verdict;
        verdict.repeated += repeated;
        let (shown, ideally) = (share as f64, ideal);
        let told = move || format!("{} stood for {share} vblanks, ideal {ideally:.2}", named());
        let leeway = match leaving {
            Leaving::ForNextFrame | Leaving::CutOff => 0,
            Leaving::ForNextShowing => self.expect.limits.boundary,
        };
        self.excess += repeated.saturating_sub(leeway);
        if repeated > leeway && self.excess > self.expect.limits.repeated {
            verdict
                .faults
                .add(FaultKind::Repeated, repeated, Some(since), told);
        }
        let (shortest, longest) = match leaving {
            Leaving::CutOff => (0.0, ideal + 1.0),
            Leaving::ForNextFrame => (ideal - 1.0, ideal + 1.0),
            Leaving::ForNextShowing => (ideal - 1.0 - leeway as f64, ideal + 1.0 + leeway as f64),
        };
        if (ideal >= 1.0 && shown < shortest - 1e-6) || shown > longest + 1e-6 {
            verdict.cadence_errors += 1;
            verdict.faults.add(FaultKind::Cadence, 1, Some(since), told);
        }
        let quarter = (self.display.as_hertz() / 4.0).max(2.0);
        if !item.is_still() && shown >= ideal + quarter {
            verdict.frozen += 1;
            verdict.faults.add(FaultKind::Frozen, 1, Some(since), told);
        }
    }

    /// Ends the showing. If the capture cut it off, what would have come is not missed.
    fn close(&mut self, cut: bool) {
        self.end_frame(if cut {
            Leaving::CutOff
        } else {
            Leaving::ForNextShowing
        });
        let Some(mut current) = self.current.take() else {
            return;
        };
        let showing = &mut current.showing;
        if current.number == STILL {
            showing.frames = 1;
        } else {
            let seen: u32 = current.seen.iter().map(|word| word.count_ones()).sum();
            let pictures = current.item.map(|item| item.pictures()).filter(|_| !cut);
            let below = pictures.unwrap_or(current.highest + 1);
            let must_go = match current.item.map(|item| item.length) {
                Some(Length::Frames { rate, .. }) => {
                    let room = f64::from(below) * ratio(self.display, rate) + 1e-6;
                    u64::from(below).saturating_sub(room as u64)
                }
                _ => 0,
            };
            let dropped = current.unseen(below).count() as u64;
            let missing = dropped.saturating_sub(must_go);
            let first: Vec<u32> = current.unseen(below).take(8).collect();
            let showing = &mut current.showing;
            showing.frames = u64::from(seen);
            showing.dropped = dropped;
            showing.missing = missing;
            if missing > 0 {
                let (id, vblank) = (showing.id, showing.first_vblank);
                self.verdict.faults.add(FaultKind::Missing, missing, Some(vblank), || {
                    format!("item {id}: {missing} of its frames were not shown, among them {first:?}")
                });
            }
        }
        let showing = current.showing;
        self.verdict.frames += showing.frames;
        self.verdict.dropped += showing.dropped;
        self.verdict.missing += showing.missing;
        self.verdict.showings.push(showing);
    }

    fn end(&mut self) {
        let complete = self.expect.rounds.is_some() && !self.rounds_left(self.position);
        self.close(!complete);
        if self.verdict.showings.is_empty() {
            self.fault(FaultKind::NoPicture, || {
                "no counted frame was seen".to_owned()
            });
        }
        if let (Some(rounds), false) = (self.expect.rounds, self.expect.items.is_empty()) {
            let asked = rounds.saturating_mul(self.expect.items.len() as u64);
            if complete {
                let due = self
                    .start
                    .zip(self.ideal(asked))
                    .map(|(start, ideal)| start as f64 + ideal);
                if let Some(due) = due {
                    let off = boundary_error(self.verdict.vblanks as f64 - due);
                    self.check_boundary(off, || "the capture ends".to_owned());
                }
            } else {
                let begun = self.position;
                self.fault(FaultKind::EndedEarly, || {
                    format!("{begun} of {asked} showings were begun")
                });
            }
        }
        self.judge_growth();
    }

    fn judge_growth(&mut self) {
        let errors: Vec<(u64, f64)> = self
            .verdict
            .showings
            .iter()
            .filter_map(|showing| Some((showing.place?.1, showing.boundary_error? as f64)))
            .collect();
        let rounds = errors.last().map_or(0, |(round, _)| round + 1);
        let third = rounds.div_ceil(3);
        let mean = |from: u64, to: u64| {
            let part = errors
                .iter()
                .filter(|(round, _)| (from..to).contains(round));
            let (sum, count) = part.fold((0.0, 0u32), |(sum, count), (_, error)| {
                (sum + error, count + 1)
            });
            sum / f64::from(count.max(1))
        };
        let Some(boundaries) = &mut self.verdict.boundaries else {
            return;
        };
        if rounds < 2 {
            return;
        }
        let growth = mean(rounds - third, rounds) - mean(0, third);
        boundaries.growth = growth;
        if growth.abs() > self.expect.limits.growth {
            self.fault(FaultKind::Growth, || {
                format!("from the first to the last third of {rounds} rounds, items begin {growth:+.2} vblanks later")
            });
        }
    }
}

/// `one / other`.
fn ratio(one: Rate, other: Rate) -> f64 {
    one.as_hertz() / other.as_hertz()
}

/// By how many vblanks something came after the vblank nearest to its time; a tie may be rounded either way.
fn boundary_error(late_by: f64) -> i64 {
    let beyond = (late_by.abs() - 0.5 - TIE).ceil().max(0.0) as i64;
    beyond * late_by.signum() as i64
}

/// How far the vblank nearest to a time is after it; of two as near, the one towards `seen`.
fn nearest_residue(ideal: f64, seen: u64) -> f64 {
    let towards = (seen as f64 - ideal).signum() * TIE;
    (ideal + towards).round() - ideal
}
