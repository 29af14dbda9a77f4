//! The verdict on a capture: figures, faults by name, as text and as JSON.

use std::fmt::{self, Write};

use serde_json::{Value, json};

use super::pattern::{Rate, STILL};

/// So many faults are told one by one; all are counted.
const MOST_TOLD: usize = 100;
/// So many showings are listed in the text.
const MOST_LISTED: usize = 40;

/// What can be wrong with a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// No counted frame at all.
    NoPicture,
    /// The stream ends within a frame.
    Truncated,
    /// A frame was never shown that should have been.
    Missing,
    /// A frame came after a later one.
    Order,
    /// A frame's share of vblanks, or the step to the next frame, is more than one off the ideal.
    Cadence,
    /// A frame stood for vblanks that belonged to its successor.
    Repeated,
    /// A frame of a clip stood still for a quarter of a second too long.
    Frozen,
    /// Frames after the end that the item should have.
    BeyondEnd,
    /// A black vblank.
    Black,
    /// A vblank that shows something else, or a damaged, cropped or torn frame.
    Unreadable,
    /// Another item than the next one.
    WrongItem,
    /// An item was left out.
    SkippedItem,
    /// Fewer showings than asked for.
    EndedEarly,
    /// An item began, or the last one ended, too far from its vblank.
    Boundary,
    /// Items begin later and later, or earlier and earlier.
    Growth,
    /// A flash without a beep.
    FlashWithoutBeep,
    /// A beep without a flash.
    BeepWithoutFlash,
    /// A beep too far from its flash.
    SoundOffset,
    /// Sound and picture drift apart.
    SoundDrift,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [FaultKind; 19] = [
        Self::NoPicture,
        Self::Truncated,
        Self::Missing,
        Self::Order,
        Self::Cadence,
        Self::Repeated,
        Self::Frozen,
        Self::BeyondEnd,
        Self::Black,
        Self::Unreadable,
        Self::WrongItem,
        Self::SkippedItem,
        Self::EndedEarly,
        Self::Boundary,
        Self::Growth,
        Self::FlashWithoutBeep,
        Self::BeepWithoutFlash,
        Self::SoundOffset,
        Self::SoundDrift,
    ];

    /// Its name in texts and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoPicture => "no-picture",
            Self::Truncated => "truncated",
            Self::Missing => "missing",
            Self::Order => "order",
            Self::Cadence => "cadence",
            Self::Repeated => "repeated",
            Self::Frozen => "frozen",
            Self::BeyondEnd => "beyond-end",
            Self::Black => "black",
            Self::Unreadable => "unreadable",
            Self::WrongItem => "wrong-item",
            Self::SkippedItem => "skipped-item",
            Self::EndedEarly => "ended-early",
            Self::Boundary => "boundary",
            Self::Growth => "growth",
            Self::FlashWithoutBeep => "flash-without-beep",
            Self::BeepWithoutFlash => "beep-without-flash",
            Self::SoundOffset => "sound-offset",
            Self::SoundDrift => "sound-drift",
        }
    }
}

/// One fault, told.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What kind it is.
    pub kind: FaultKind,
    /// Where, if it has a place.
    pub vblank: Option<u64>,
    /// What happened, in words.
    pub message: String,
}

/// All faults: counted in full, told up to a limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    counts: [u64; FaultKind::ALL.len()],
    told: Vec<Fault>,
}

impl Faults {
    /// Adds a fault that counts `count` times.
    pub fn add(
        &mut self,
        kind: FaultKind,
        count: u64,
        vblank: Option<u64>,
        message: impl FnOnce() -> String,
    ) {
        self.counts[kind as usize] += count;
        if self.told.len() < MOST_TOLD {
            self.told.push(Fault {
                kind,
                vblank,
                message: message(),
            });
        }
    }

    /// Counts one more of a fault that has been told.
    pub fn again(&mut self, kind: FaultKind) {
        self.counts[kind as usize] += 1;
    }

    /// How many there are of a kind.
    pub fn count(&self, kind: FaultKind) -> u64 {
        self.counts[kind as usize]
    }

    /// The kinds that there are.
    pub fn kinds(&self) -> Vec<FaultKind> {
        FaultKind::ALL
            .into_iter()
            .filter(|kind| self.count(*kind) > 0)
            .collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }

    /// The faults that are told.
    pub fn told(&self) -> &[Fault] {
        &self.told
    }
}

/// One showing of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Showing {
    /// The clip or image.
    pub id: u8,
    /// The number that it began with; [`STILL`] for an image.
    pub first_number: u32,
    /// The first vblank.
    pub first_vblank: u64,
    /// How many vblanks showed it.
    pub vblanks: u64,
    /// How many different frames were shown.
    pub frames: u64,
    /// How many frames were never shown that should have been.
    pub missing: u64,
    /// How many frames of it were never shown.
    pub dropped: u64,
    /// Vblanks beyond the ideal cadence.
    pub repeated: u64,
    /// Steps back.
    pub order_errors: u64,
    /// The least and the most vblanks that one frame had.
    pub share: (u64, u64),
    /// Its place in the playlist and the round, both from 0, if it is one that was expected.
    pub place: Option<(usize, u64)>,
    /// By how many vblanks it began after the one nearest to its time.
    pub boundary_error: Option<i64>,
}

/// How well items begin at their vblanks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Boundaries {
    /// The largest error in vblanks, early or late; the end of the capture included where rounds are given.
    pub max: u64,
    /// The error of the last showing.
    pub last: i64,
    /// By how many vblanks the last third of the rounds is later than the first, on average.
    pub growth: f64,
}

/// How sound and picture agree. All offsets are positive where the sound is late.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sound {
    /// How long the sound is.
    pub seconds: f64,
    /// Flashes of clips that have sound.
    pub flashes: u64,
    /// Beeps.
    pub beeps: u64,
    /// Flashes that have a beep.
    pub pairs: u64,
    /// The least offset of a beep from the vblank of its flash.
    pub min_ms: f64,
    /// The greatest.
    pub max_ms: f64,
    /// The mean.
    pub mean_ms: f64,
    /// The first.
    pub first_ms: f64,
    /// The last.
    pub last_ms: f64,
    /// By how much the offset changes from the first to the last pair, by a straight line through all. What the
    /// rounding of ideal times to vblanks does to flashes is taken out first, where the item is an expected one.
    pub drift_ms: f64,
}

/// Everything about a capture.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// Vblanks a second.
    pub rate: Rate,
    /// Vblanks in the capture.
    pub vblanks: u64,
    /// The showings, in order.
    pub showings: Vec<Showing>,
    /// Different frames shown, summed over the showings.
    pub frames: u64,
    /// Frames never shown that should have been: more than the rates imply.
    pub missing: u64,
    /// Frames never shown, those included that a faster clip must lose on a slower display.
    pub dropped: u64,
    /// Vblanks beyond the ideal cadence.
    pub repeated: u64,
    /// Steps back.
    pub order_errors: u64,
    /// Frames whose share of vblanks, or whose step, is more than one off the ideal.
    pub cadence_errors: u64,
    /// Frames that stood still for a quarter of a second too long.
    pub frozen: u64,
    /// Frames after the end that an item should have.
    pub beyond_end: u64,
    /// Black vblanks.
    pub black: u64,
    /// Vblanks that could not be read.
    pub unreadable: u64,
    /// Showings of other items than the next one.
    pub wrong_items: u64,
    /// Items left out.
    pub skipped_items: u64,
    /// How well items begin at their vblanks, if they are expected.
    pub boundaries: Option<Boundaries>,
    /// The sound, if it was given.
    pub sound: Option<Sound>,
    /// What is wrong.
    pub faults: Faults,
}

impl Verdict {
    /// Whether all is as expected.
    pub fn passed(&self) -> bool {
        self.faults.is_empty()
    }

    /// The verdict for programs.
    pub fn to_json(&self) -> Value {
        let showings: Vec<Value> = self.showings.iter().map(Showing::to_json).collect();
        let counts: serde_json::Map<String, Value> = self
            .faults
            .kinds()
            .into_iter()
            .map(|kind| (kind.name().to_owned(), json!(self.faults.count(kind))))
            .collect();
        let faults: Vec<Value> = self
            .faults
            .told()
            .iter()
            .map(|fault| json!({"kind": fault.kind.name(), "vblank": fault.vblank, "message": fault.message}))
            .collect();
        json!({
            "passed": self.passed(),
            "width": self.width,
            "height": self.height,
            "rate": self.rate.to_string(),
            "vblanks": self.vblanks,
            "runs": self.showings.len(),
            "frames": self.frames,
            "missing": self.missing,
            "dropped": self.dropped,
            "repeated": self.repeated,
            "order_errors": self.order_errors,
            "cadence_errors": self.cadence_errors,
            "frozen": self.frozen,
            "beyond_end": self.beyond_end,
            "black": self.black,
            "unreadable": self.unreadable,
            "wrong_items": self.wrong_items,
            "skipped_items": self.skipped_items,
            "boundary": self.boundaries.map(|boundaries| json!({
                "max": boundaries.max,
                "last": boundaries.last,
                "growth": boundaries.growth,
            })),
            "sound": self.sound.as_ref().map(Sound::to_json),
            "fault_counts": counts,
            "faults": faults,
            "showings": showings,
        })
    }
}

impl Showing {
    fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "still": self.first_number == STILL,
            "item": self.place.map(|(item, _)| item),
            "round": self.place.map(|(_, round)| round),
            "first_vblank": self.first_vblank,
            "vblanks": self.vblanks,
            "frames": self.frames,
            "missing": self.missing,
            "dropped": self.dropped,
            "repeated": self.repeated,
            "order_errors": self.order_errors,
            "share_min": self.share.0,
            "share_max": self.share.1,
            "boundary_error": self.boundary_error,
        })
    }
}

impl Sound {
    fn to_json(&self) -> Value {
        json!({
            "seconds": self.seconds,
            "flashes": self.flashes,
            "beeps": self.beeps,
            "pairs": self.pairs,
            "min_ms": self.min_ms,
            "max_ms": self.max_ms,
            "mean_ms": self.mean_ms,
            "first_ms": self.first_ms,
            "last_ms": self.last_ms,
            "drift_ms": self.drift_ms,
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |vblank: u64| vblank as f64 / self.rate.as_hertz();
        writeln!(
            f,
            "{} vblanks of {}x{} at {} Hz, {:.3} s; {} showings",
            self.vblanks,
            self.width,
            self.height,
            self.rate,
            seconds(self.vblanks),
            self.showings.len(),
        )?;
        writeln!(
            f,
            "  vblank       s   id  vblanks  frames  share  missing  repeated  order  boundary"
        )?;
        for showing in self.showings.iter().take(MOST_LISTED) {
            let (least, most) = showing.share;
            let share = if least == most {
                format!("{least}")
            } else {
                format!("{least}-{most}")
            };
            let boundary = showing
                .boundary_error
                .map_or("-".to_owned(), |error| format!("{error:+}"));
            writeln!(
                f,
                "{:8} {:7.2}  {:3}  {:7}  {:6}  {:>5}  {:7}  {:8}  {:5}  {:>8}",
                showing.first_vblank,
                seconds(showing.first_vblank),
                showing.id,
                showing.vblanks,
                showing.frames,
                share,
                showing.missing,
                showing.repeated,
                showing.order_errors,
                boundary,
            )?;
        }
        if self.showings.len() > MOST_LISTED {
            writeln!(
                f,
                "     ... and {} more showings",
                self.showings.len() - MOST_LISTED
            )?;
        }
        writeln!(
            f,
            "frames {}, missing {}, dropped {}, repeated {}, order errors {}, cadence errors {}, frozen {}, \
             beyond the end {}",
            self.frames,
            self.missing,
            self.dropped,
            self.repeated,
            self.order_errors,
            self.cadence_errors,
            self.frozen,
            self.beyond_end,
        )?;
        writeln!(
            f,
            "black {}, unreadable {}, wrong items {}, skipped items {}",
            self.black, self.unreadable, self.wrong_items, self.skipped_items
        )?;
        if let Some(boundaries) = self.boundaries {
            writeln!(
                f,
                "boundaries: at most {} vblanks off, the last {:+}, growth {:+.2}",
                boundaries.max, boundaries.last, boundaries.growth
            )?;
        }
        if let Some(sound) = &self.sound {
            writeln!(
                f,
                "sound: {:.3} s, {} flashes, {} beeps, {} pairs; offset {:+.2} to {:+.2} ms, mean {:+.2}, \
                 first {:+.2}, last {:+.2}, drift {:+.2}",
                sound.seconds,
                sound.flashes,
                sound.beeps,
                sound.pairs,
                sound.min_ms,
                sound.max_ms,
                sound.mean_ms,
                sound.first_ms,
                sound.last_ms,
                sound.drift_ms,
            )?;
        }
        for fault in self.faults.told() {
            let place = match fault.vblank {
                Some(vblank) => format!(" at vblank {vblank} ({:.3} s)", seconds(vblank)),
                None => String::new(),
            };
            writeln!(f, "fault: {}{place}: {}", fault.kind.name(), fault.message)?;
        }
        let mut summary = String::new();
        for kind in self.faults.kinds() {
            write!(summary, " {} {}", kind.name(), self.faults.count(kind))?;
        }
        match self.passed() {
            true => write!(f, "PASS"),
            false => write!(f, "FAIL:{summary}"),
        }
    }
}
