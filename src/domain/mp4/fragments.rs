//! Movie fragments (ISO/IEC 14496-12, 8.8): found at open, read again when playback comes to them.
//!
//! ```text
//! moov ── mvex ── trex   defaults of a track
//! moof                   one fragment
//!  └─ traf               a part of one track
//!      ├─ tfhd           which track, defaults, where offsets are counted from
//!      ├─ tfdt           the decoding time of its first sample
//!      └─ trun           samples that lie together
//! ```
//!
//! The index keeps 48 bytes for each fragment of a track. sidx and mfra are not used: they may lie, and what
//! they tell is known from the headers of the fragments themselves.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    MAX_MOOF, ReadAt,
    boxes::Atom,
    error::{FourCc, Mp4Error, Place},
    summary::{Even, FARTHEST, Summary},
    tables::RawSample,
};

/// How many fragments of tracks are indexed: 24 hours of two tracks in fragments of a fifth of a second.
pub const MAX_TRACK_FRAGMENTS: usize = 1 << 20;
/// How many runs of samples one fragment may hold.
const MAX_RUNS: usize = 1 << 16;
/// How many samples a run may claim without describing each of them.
const MAX_EQUAL_SAMPLES: u32 = 1 << 22;
/// How many sample descriptions the fragments of a track may use.
const MAX_DESCRIPTIONS: usize = 256;

/// What mvex says of a track (trex, 8.8.3).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Defaults {
    track: u32,
    description: u32,
    duration: u32,
    size: u32,
    flags: u32,
}

impl Defaults {
    /// The defaults of all tracks.
    pub fn parse(mvex: &Atom<'_>) -> Result<Arc<[Defaults]>, Mp4Error> {
        let mut all = Vec::new();
        for child in mvex.children() {
            let child = child?;
            if child.kind.0 != *b"trex" {
                continue;
            }
            let (_, _, mut fields) = child.full()?;
            all.push(Defaults {
                track: fields.u32()?,
                description: fields.u32()?,
                duration: fields.u32()?,
                size: fields.u32()?,
                flags: fields.u32()?,
            });
            if all.len() > super::MAX_TRACKS {
                return Err(Mp4Error::TooLarge {
                    place: child.place,
                    what: "tracks",
                    value: all.len() as u64,
                    cap: super::MAX_TRACKS as u64,
                });
            }
        }
        Ok(all.into())
    }
}

/// Where a moof box lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MoofSpan {
    /// The file offset of its header.
    pub offset: u64,
    /// The bytes of its header.
    pub header: u64,
    /// All of its bytes.
    pub size: u64,
}

/// One fragment of one track.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment {
    moof: MoofSpan,
    /// The decoding time of the first sample, where the fragment does not say.
    dts: i64,
    /// The earliest presentation time of a sync sample; later than everything where there is none.
    pub earliest_sync: i64,
    /// How many samples of the track come before.
    pub samples_before: u64,
}

/// What the fragments hold of one track.
#[derive(Debug)]
pub(super) struct TrackIndex {
    pub id: u32,
    /// What is known of the samples; before the fragments are read, of those in the tables.
    pub summary: Option<Summary>,
    pub fragments: Vec<Fragment>,
    /// The sample descriptions that are used, counted from 1.
    pub descriptions: Vec<u32>,
}

/// Reads all fragments once and adds them to the tracks' indexes. Fragments of other tracks are passed over.
pub(super) fn index(
    source: &mut dyn ReadAt,
    moofs: &[MoofSpan],
    defaults: &[Defaults],
    tracks: &mut [TrackIndex],
) -> Result<(), Mp4Error> {
    let mut total = 0;
    for moof in moofs {
        let body = read(source, moof)?;
        let clock = |id| {
            let track = tracks.iter().find(|track| track.id == id);
            track.and_then(|t| t.summary).map_or(0, |s| s.next_dts)
        };
        let runs = runs(moof, &body, defaults, &clock)?;
        for track in tracks.iter_mut() {
            let mut earliest_sync = i64::MAX;
            let samples_before = track.summary.map_or(0, |summary| summary.samples);
            let dts = track.summary.map_or(0, |summary| summary.next_dts);
            let mut found = false;
            for run in runs.iter().filter(|run| run.track == track.id) {
                found = true;
                let Measure { summary, sync, .. } = run.measure(&body)?;
                if let Some(sync) = sync {
                    earliest_sync = earliest_sync.min(sync);
                }
                track.summary = match (track.summary, summary) {
                    (Some(known), Some(more)) => Some(known.joined(more)),
                    (known, more) => more.or(known),
                };
                if !track.descriptions.contains(&run.description) {
                    track.descriptions.push(run.description);
                    check_cap(
                        run.place,
                        "sample descriptions",
                        track.descriptions.len(),
                        MAX_DESCRIPTIONS,
                    )?;
                }
            }
            if found {
                track.fragments.push(Fragment {
                    moof: *moof,
                    dts,
                    earliest_sync,
                    samples_before,
                });
                total += 1;
                check_cap(moof.place(), "fragments", total, MAX_TRACK_FRAGMENTS)?;
            }
        }
    }
    Ok(())
}

fn check_cap(place: Place, what: &'static str, value: usize, cap: usize) -> Result<(), Mp4Error> {
    match value > cap {
        true => Err(Mp4Error::TooLarge {
            place,
            what,
            value: value as u64,
            cap: cap as u64,
        }),
        false => Ok(()),
    }
}

impl MoofSpan {
    fn place(&self) -> Place {
        Place::top(FourCc(*b"moof"), self.offset)
    }
}

/// Reads what follows the header of a moof box.
fn read(source: &mut dyn ReadAt, moof: &MoofSpan) -> Result<Vec<u8>, Mp4Error> {
    let place = moof.place();
    if moof.size > MAX_MOOF {
        return Err(Mp4Error::TooLarge {
            place,
            what: "bytes",
            value: moof.size,
            cap: MAX_MOOF,
        });
    }
    let mut body = vec![0; usize::try_from(moof.size.saturating_sub(moof.header)).unwrap_or(0)];
    source
        .read_at(moof.offset.saturating_add(moof.header), &mut body)
        .map_err(|source| Mp4Error::Read { place, source })?;
    Ok(body)
}

/// Samples that lie together, and where they are described.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    track: u32,
    description: u32,
    place: Place,
    /// Where the rows begin in the body of the moof box.
    rows: usize,
    row_size: usize,
    columns: u32,
    pub count: u32,
    duration: u32,
    size: u32,
    flags: u32,
    first_flags: Option<u32>,
    /// The file offset of the first sample.
    pub offset: u64,
    /// The decoding time of the first sample.
    pub dts: i64,
}

// The flags of tfhd (8.8.7) and trun (8.8.8).
const BASE_DATA_OFFSET: u32 = 0x1;
const DESCRIPTION_INDEX: u32 = 0x2;
const DEFAULT_DURATION: u32 = 0x8;
const DEFAULT_SIZE: u32 = 0x10;
const DEFAULT_FLAGS: u32 = 0x20;
const BASE_IS_MOOF: u32 = 0x2_0000;
const DATA_OFFSET: u32 = 0x1;
const FIRST_FLAGS: u32 = 0x4;
const DURATION: u32 = 0x100;
const SIZE: u32 = 0x200;
const FLAGS: u32 = 0x400;
const OFFSET: u32 = 0x800;
/// A sample's flags (8.8.3.1): it is no sync sample.
const NOT_SYNC: u32 = 0x1_0000;
/// A sample's flags: it depends on others, so it is no sync sample, whatever else is said.
const DEPENDS: u32 = 0x100_0000;

/// What a run comes to.
struct Measure {
    /// The file offset after its last sample.
    data_end: u64,
    summary: Option<Summary>,
    /// The earliest presentation time of a sync sample.
    sync: Option<i64>,
}

impl Run {
    /// The sample in a row, given where it begins and when it is decoded.
    pub fn sample(&self, body: &[u8], row: u32, offset: u64, dts: i64) -> Option<RawSample> {
        let start = (row as usize)
            .checked_mul(self.row_size)?
            .checked_add(self.rows)?;
        let mut columns = body.get(start..start.checked_add(self.row_size)?)?;
        let mut column = |flag: u32| -> Option<u32> {
            if self.columns & flag == 0 {
                return None;
            }
            let (value, rest) = columns.split_first_chunk::<4>()?;
            columns = rest;
            Some(u32::from_be_bytes(*value))
        };
        let delta = column(DURATION).unwrap_or(self.duration);
        let size = column(SIZE).unwrap_or(self.size);
        let own_flags = column(FLAGS);
        // As in ctts, negative numbers are written in version 0 as well.
        let composition = column(OFFSET).map_or(0, |offset| offset as i32);
        let flags = match (row, self.first_flags) {
            (0, Some(first)) => first,
            _ => own_flags.unwrap_or(self.flags),
        };
        Some(RawSample {
            offset,
            size,
            dts,
            pts: dts.checked_add(composition.into())?,
            delta,
            sync: flags & (NOT_SYNC | DEPENDS) == 0,
        })
    }

    fn past_all_clocks(&self) -> Mp4Error {
        Mp4Error::Malformed {
            place: self.place,
            why: "its times are past all clocks",
        }
    }

    /// Adds up the run: row by row, or at once where no row says anything.
    fn measure(&self, body: &[u8]) -> Result<Measure, Mp4Error> {
        let mut measure = Measure {
            data_end: self.offset,
            summary: None,
            sync: None,
        };
        let (mut dts, mut row) = (self.dts, 0);
        while row < self.count {
            let sample = self
                .sample(body, row, measure.data_end, dts)
                .ok_or_else(|| self.past_all_clocks())?;
            // Rows of nothing are all alike from the second on, and the first differs in its flags only.
            let alike = match self.row_size {
                0 if row > 0 => self.count - row,
                _ => 1,
            };
            let run = Even {
                dts,
                offset: sample.pts - dts,
                delta: sample.delta,
                count: alike.into(),
            };
            let known =
                Summary::with(measure.summary, run).ok_or_else(|| self.past_all_clocks())?;
            dts = known.next_dts;
            measure.summary = Some(known);
            if sample.sync {
                measure.sync = Some(measure.sync.map_or(sample.pts, |sync| sync.min(sample.pts)));
            }
            let bytes = u64::from(sample.size).saturating_mul(alike.into());
            measure.data_end = measure.data_end.saturating_add(bytes);
            row += alike;
        }
        Ok(measure)
    }
}

/// All runs of a fragment, in order. `clock` gives a track's decoding time where the fragment does not.
fn runs(
    moof: &MoofSpan,
    body: &[u8],
    defaults: &[Defaults],
    clock: &dyn Fn(u32) -> i64,
) -> Result<Vec<Run>, Mp4Error> {
    let atom = Atom {
        kind: FourCc(*b"moof"),
        place: moof.place(),
        body,
        body_offset: moof.offset.saturating_add(moof.header),
    };
    let mut clocks = BTreeMap::new();
    let mut runs = Vec::new();
    // Without a base of its own, the first traf counts from the moof, each later one from the end of the data before.
    let mut data_end = moof.offset;
    for child in atom.children() {
        let traf = child?;
        if traf.kind.0 != *b"traf" {
            continue;
        }
        let tfhd = traf.need(b"tfhd")?;
        let (_, flags, mut fields) = tfhd.full()?;
        let track = fields.u32()?;
        let known = defaults.iter().find(|d| d.track == track);
        let mut default = known.copied().unwrap_or_default();
        let base = match flags & BASE_DATA_OFFSET {
            0 if flags & BASE_IS_MOOF != 0 => moof.offset,
            0 => data_end,
            _ => fields.u64()?,
        };
        for (flag, value) in [
            (DESCRIPTION_INDEX, &mut default.description),
            (DEFAULT_DURATION, &mut default.duration),
            (DEFAULT_SIZE, &mut default.size),
            (DEFAULT_FLAGS, &mut default.flags),
        ] {
            if flags & flag != 0 {
                *value = fields.u32()?;
            }
        }
        let mut dts = match traf.child(b"tfdt")? {
            None => clocks.get(&track).copied().unwrap_or_else(|| clock(track)),
            Some(tfdt) => {
                let (version, _, mut fields) = tfdt.full()?;
                i64::try_from(fields.wide(version)?)
                    .ok()
                    .filter(|time| *time <= FARTHEST)
                    .ok_or_else(|| tfdt.malformed("its time is past all clocks"))?
            }
        };
        data_end = base;
        for child in traf.children() {
            let trun = child?;
            if trun.kind.0 != *b"trun" {
                continue;
            }
            let run = self::run(&trun, &atom, default, track, base, data_end, dts)?;
            if run.count == 0 {
                continue;
            }
            let measure = run.measure(body)?;
            data_end = measure.data_end;
            dts = measure.summary.map_or(dts, |summary| summary.next_dts);
            runs.push(run);
            check_cap(trun.place, "runs of samples", runs.len(), MAX_RUNS)?;
        }
        clocks.insert(track, dts);
    }
    Ok(runs)
}

/// Reads a trun box: its samples lie at `base` and its own offset, or at `data_end` without one.
fn run(
    trun: &Atom<'_>,
    moof: &Atom<'_>,
    default: Defaults,
    track: u32,
    base: u64,
    data_end: u64,
    dts: i64,
) -> Result<Run, Mp4Error> {
    let (_, flags, mut fields) = trun.full()?;
    let count = fields.u32()?;
    let offset = match flags & DATA_OFFSET {
        0 => data_end,
        _ => base
            .checked_add_signed(fields.i32()?.into())
            .ok_or_else(|| trun.malformed("its data begin before the file"))?,
    };
    let first_flags = match flags & FIRST_FLAGS {
        0 => None,
        _ => Some(fields.u32()?),
    };
    let columns = flags & (DURATION | SIZE | FLAGS | OFFSET);
    let row_size = columns.count_ones() as usize * 4;
    let rows = trun
        .body_offset
        .saturating_sub(moof.body_offset)
        .saturating_add(fields.position() as u64);
    let needed = u64::from(count).saturating_mul(row_size as u64);
    if needed > fields.rest().len() as u64 {
        let start = trun.body_offset.saturating_add(fields.position() as u64);
        return Err(Mp4Error::Truncated {
            place: trun.place,
            end: start.saturating_add(needed),
            limit: start.saturating_add(fields.rest().len() as u64),
        });
    }
    if row_size == 0 && count > 0 {
        if default.size == 0 {
            return Err(trun.malformed("nothing says how large its samples are"));
        }
        if count > MAX_EQUAL_SAMPLES {
            return Err(Mp4Error::TooLarge {
                place: trun.place,
                what: "samples that are not described",
                value: count.into(),
                cap: MAX_EQUAL_SAMPLES.into(),
            });
        }
    }
    Ok(Run {
        track,
        description: default.description.max(1),
        place: trun.place,
        rows: usize::try_from(rows).unwrap_or(usize::MAX),
        row_size,
        columns,
        count,
        duration: default.duration,
        size: default.size,
        flags: default.flags,
        first_flags,
        offset,
        dts,
    })
}

/// A fragment in memory, as a cursor walks it.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    /// The fragment's number in the track's index.
    pub number: usize,
    body: Arc<Vec<u8>>,
    runs: Arc<Vec<Run>>,
}

/// Where in a loaded fragment the next sample is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RunPoint {
    run: usize,
    row: u32,
    offset: u64,
    dts: i64,
}

impl Loaded {
    /// Reads a fragment of a track.
    pub fn read(
        source: &mut dyn ReadAt,
        number: usize,
        fragment: &Fragment,
        defaults: &[Defaults],
        track: u32,
    ) -> Result<Self, Mp4Error> {
        let body = read(source, &fragment.moof)?;
        let mut runs = runs(&fragment.moof, &body, defaults, &|_| fragment.dts)?;
        runs.retain(|run| run.track == track);
        Ok(Self {
            number,
            body: Arc::new(body),
            runs: Arc::new(runs),
        })
    }

    /// The sample at a point, which moves on to the next; nothing after the last. An error moves nothing.
    pub fn next(&self, point: &mut RunPoint) -> Result<Option<RawSample>, Mp4Error> {
        let mut p = *point;
        loop {
            let Some(run) = self.runs.get(p.run) else {
                return Ok(None);
            };
            if p.row >= run.count {
                p = RunPoint {
                    run: p.run + 1,
                    ..RunPoint::default()
                };
                continue;
            }
            if p.row == 0 {
                (p.offset, p.dts) = (run.offset, run.dts);
            }
            let sample = run
                .sample(&self.body, p.row, p.offset, p.dts)
                .ok_or_else(|| run.past_all_clocks())?;
            p.offset = p.offset.saturating_add(sample.size.into());
            p.dts = p.dts.saturating_add(sample.delta.into());
            p.row += 1;
            *point = p;
            return Ok(Some(sample));
        }
    }
}
