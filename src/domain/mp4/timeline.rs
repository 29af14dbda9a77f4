//! Edit lists (ISO/IEC 14496-12, 8.6.6): which parts of a track's media are presented, and when.
//!
//! All sums are whole numbers of 1 / (movie timescale x track timescale) seconds, so that both clocks are exact in
//! them. A time is turned into nanoseconds once, at the end: nothing drifts.

use super::{
    boxes::Atom,
    error::{Mp4Error, Place},
    summary::{FARTHEST, Summary},
};
use crate::domain::units::MediaTime;

/// How many edits of a track are read.
pub const MAX_EDITS: u64 = 1024;
/// The longest presentation that is believed, in nanoseconds: 146 years.
const LONGEST: i128 = 1 << 62;
const NANOS: i128 = 1_000_000_000;

/// One row of an edit list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    /// In ticks of the movie; 0 means to the end of the media.
    pub duration: u64,
    /// Where in the media it begins, in ticks of the track; nothing for an empty edit.
    pub media_time: Option<i64>,
}

/// An edit list, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct EditList {
    place: Place,
    edits: Vec<Edit>,
}

impl EditList {
    /// Reads an elst box; nothing comes back for one without edits.
    pub fn parse(elst: &Atom<'_>) -> Result<Option<Self>, Mp4Error> {
        let (version, _, mut fields) = elst.full()?;
        let count = u64::from(fields.u32()?);
        if count > MAX_EDITS {
            return Err(Mp4Error::TooLarge {
                place: elst.place,
                what: "edits",
                value: count,
                cap: MAX_EDITS,
            });
        }
        let mut edits = Vec::new();
        for _ in 0..count {
            let duration = fields.wide(version)?;
            let media_time = match version {
                0 => fields.i32()?.into(),
                _ => i64::from_be_bytes(fields.array()?),
            };
            let rate = fields.u32()?;
            if !(-1..=FARTHEST).contains(&media_time) {
                return Err(elst.malformed("an edit begins at no time of the media"));
            }
            let media_time = (media_time >= 0).then_some(media_time);
            if media_time.is_some() && rate != 0x1_0000 {
                return Err(Mp4Error::Unsupported {
                    place: elst.place,
                    what: "an edit at another speed",
                });
            }
            edits.push(Edit {
                duration,
                media_time,
            });
        }
        Ok((!edits.is_empty()).then_some(Self {
            place: elst.place,
            edits,
        }))
    }

    /// The edits; there is one at least.
    pub fn edits(&self) -> &[Edit] {
        &self.edits
    }

    /// Where the first edit that shows something begins.
    pub fn first_media_time(&self) -> Option<i64> {
        self.edits.iter().find_map(|edit| edit.media_time)
    }

    /// Where the list stands.
    pub fn place(&self) -> Place {
        self.place
    }
}

/// A part of the media and its place in the presentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// When it is presented, in ticks of both clocks multiplied.
    start: i128,
    /// The media time of its begin, in ticks of the track.
    pub media_start: i64,
    /// The media time of its end, which is not part of it.
    pub media_end: i64,
    /// Samples that begin at this media time or later are not shown. It is `media_end`, but one tick of the movie
    /// clock less where that clock cuts: no picture is shown for the length of a rounding error.
    pub shown_before: i64,
}

impl Segment {
    /// Whether a sample of these media times is shown, even if in part.
    pub fn shows(&self, pts: i64, end: i64) -> bool {
        pts < self.shown_before && (pts >= self.media_start || end > self.media_start)
    }
}

/// How the media of a track are presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Timeline {
    movie_scale: u32,
    scale: u32,
    segments: Vec<Segment>,
    end: i128,
}

/// The clocks of a track.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks {
    /// Ticks a second of the movie.
    pub movie_scale: u32,
    /// Ticks a second of the track.
    pub scale: u32,
    /// The media time at which the presentation begins without an edit list, and from which an edit list counts, in
    /// ticks of the track.
    pub origin: i64,
}

impl Timeline {
    /// Lays the media out by the edit list.
    ///
    /// Without one the whole media is presented, from the origin on.
    ///
    /// An edit that ends within one tick of the movie clock around the media's end ends exactly there, because that
    /// clock is often coarse (milliseconds). So does one that ends later.
    pub fn new(
        edits: Option<&EditList>,
        media: Option<&Summary>,
        clocks: Clocks,
        stbl: Place,
    ) -> Result<Self, Mp4Error> {
        let Clocks {
            movie_scale,
            scale,
            origin,
        } = clocks;
        let mut timeline = Self {
            movie_scale,
            scale,
            segments: Vec::new(),
            end: 0,
        };
        let (movie_tick, tick) = (i128::from(scale), i128::from(movie_scale));
        let place = edits.map_or(stbl, EditList::place);
        let Some(media) = media else {
            return Ok(timeline);
        };
        match edits {
            None => {
                let media_start = match origin < media.end {
                    true => media.earliest.max(origin),
                    false => media.earliest,
                };
                let start = (i128::from(media_start) - i128::from(origin)).max(0) * tick;
                timeline.push(start, media_start, media.end, media.end);
            }
            Some(list) => {
                let last = list.edits.len().saturating_sub(1);
                for (number, edit) in list.edits.iter().enumerate() {
                    let length = i128::from(edit.duration)
                        .checked_mul(movie_tick)
                        .ok_or_else(|| too_long(place))?;
                    let start = timeline.end;
                    match edit.media_time {
                        None => timeline.end += length,
                        Some(time) => {
                            let media_start = time.saturating_add(origin);
                            let whole = i128::from(media.end)
                                .saturating_sub(media_start.into())
                                .max(0)
                                * tick;
                            let late = length - whole;
                            if edit.duration == 0
                                || late.abs() <= movie_tick
                                || (late > 0 && number == last)
                            {
                                timeline.push(start, media_start, media.end, media.end);
                            } else {
                                // The last tick may be presented in part, and is then presented.
                                let after = |length: i128| -> Result<i64, Mp4Error> {
                                    i64::try_from((length + tick - 1).div_euclid(tick))
                                        .ok()
                                        .and_then(|ticks| media_start.checked_add(ticks))
                                        .ok_or_else(|| too_long(place))
                                };
                                let shown = length.min(whole);
                                timeline.push(
                                    start,
                                    media_start,
                                    after(shown)?,
                                    after((shown - movie_tick).max(1))?,
                                );
                                timeline.end = start + length;
                            }
                        }
                    }
                    if timeline.too_long() {
                        return Err(too_long(place));
                    }
                }
            }
        }
        if timeline.too_long() {
            return Err(too_long(place));
        }
        if timeline.segments.is_empty() {
            return Err(Mp4Error::Malformed {
                place,
                why: "it presents nothing",
            });
        }
        Ok(timeline)
    }

    /// Adds a segment, unless it is empty.
    fn push(&mut self, start: i128, media_start: i64, media_end: i64, shown_before: i64) {
        if media_end > media_start {
            self.segments.push(Segment {
                start,
                media_start,
                media_end,
                shown_before,
            });
            let ticks = i128::from(media_end) - i128::from(media_start);
            self.end = start + ticks * i128::from(self.movie_scale);
        }
    }

    fn unit(&self) -> i128 {
        i128::from(self.movie_scale.max(1)) * i128::from(self.scale.max(1))
    }

    fn too_long(&self) -> bool {
        self.end / self.unit() >= LONGEST / NANOS
    }

    /// The parts that are presented, in order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// When a time of the media is presented in a segment, as if the segment had no bounds.
    pub fn time(&self, segment: &Segment, media_time: i64) -> MediaTime {
        let ticks = i128::from(media_time) - i128::from(segment.media_start);
        self.nanos(segment.start + ticks * i128::from(self.movie_scale))
    }

    /// The length of the presentation, a delay before it included.
    pub fn duration(&self) -> MediaTime {
        self.nanos(self.end)
    }

    /// Sums of the multiplied clocks in nanoseconds, rounded to the nearest.
    fn nanos(&self, sum: i128) -> MediaTime {
        let unit = self.unit();
        let (seconds, rest) = (sum.div_euclid(unit), sum.rem_euclid(unit));
        let nanos = seconds
            .saturating_mul(NANOS)
            .saturating_add((rest * NANOS + unit / 2) / unit);
        let bound = i128::from(i64::MAX);
        MediaTime::from_nanos(nanos.clamp(-bound, bound) as i64)
    }
}

fn too_long(place: Place) -> Mp4Error {
    Mp4Error::Malformed {
        place,
        why: "its presentation lasts longer than any clock",
    }
}
