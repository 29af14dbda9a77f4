//! The sample tables of a track (ISO/IEC 14496-12, 8.6 to 8.7), kept as the bytes they are and walked in step.
//!
//! ```text
//! stbl
//!  ├─ stts  decoding times, run-length coded
//!  ├─ ctts  presentation less decoding time, run-length coded
//!  ├─ stss  the sync samples; without it all are
//!  ├─ stsz stz2  sizes
//!  ├─ stsc  samples to a chunk
//!  └─ stco co64  offsets of chunks
//! ```
//!
//! Deliberately absent: a list of samples. A hostile table can claim four thousand million of them in 20 bytes.

use std::sync::Arc;

use super::{
    boxes::Atom,
    error::{FourCc, Mp4Error, Place},
    summary::{Even, Summary},
};

/// A sample as the tables or a fragment describe it. Times are ticks of the track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawSample {
    pub offset: u64,
    pub size: u32,
    pub dts: i64,
    pub pts: i64,
    pub delta: u32,
    pub sync: bool,
}

/// The bytes of the moov box, shared by all tables.
#[derive(Clone, Debug)]
pub(super) struct Moov {
    pub bytes: Arc<Vec<u8>>,
    /// The file offset of the first of them.
    pub offset: u64,
}

/// Rows of equal width in the moov box.
#[derive(Clone, Debug)]
struct Table {
    moov: Arc<Vec<u8>>,
    start: usize,
    count: u32,
    place: Place,
}

impl Table {
    /// The rows of `width_bits` that follow the first `skipped` bytes of a box.
    fn new(
        moov: &Moov,
        atom: &Atom<'_>,
        skipped: usize,
        count: u32,
        width_bits: u64,
    ) -> Result<Self, Mp4Error> {
        let needed = (u64::from(count) * width_bits)
            .div_ceil(8)
            .saturating_add(skipped as u64);
        if needed > atom.body.len() as u64 {
            return Err(Mp4Error::Truncated {
                place: atom.place,
                end: atom.body_offset.saturating_add(needed),
                limit: atom.body_offset.saturating_add(atom.body.len() as u64),
            });
        }
        let start = atom
            .body_offset
            .saturating_sub(moov.offset)
            .saturating_add(skipped as u64);
        Ok(Self {
            moov: Arc::clone(&moov.bytes),
            start: usize::try_from(start).unwrap_or(usize::MAX),
            count,
            place: atom.place,
        })
    }

    /// A table that begins with its version, flags and the number of its rows.
    fn counted(moov: &Moov, atom: &Atom<'_>, width: u64) -> Result<Self, Mp4Error> {
        let (_, _, mut fields) = atom.full()?;
        let count = fields.u32()?;
        Self::new(moov, atom, fields.position(), count, width * 8)
    }

    /// Row `index`, of `N` bytes.
    fn row<const N: usize>(&self, index: u32) -> Option<[u8; N]> {
        if index >= self.count {
            return None;
        }
        let start = (index as usize).checked_mul(N)?.checked_add(self.start)?;
        self.moov.get(start..)?.first_chunk().copied()
    }

    /// Row `index` of one number.
    fn number(&self, index: u32) -> Option<u32> {
        self.row(index).map(u32::from_be_bytes)
    }

    /// Row `index` of two numbers.
    fn pair(&self, index: u32) -> Option<(u32, u32)> {
        let row: [u8; 8] = self.row(index)?;
        let (first, second) = row.split_first_chunk::<4>()?;
        Some((
            u32::from_be_bytes(*first),
            u32::from_be_bytes(*second.first_chunk()?),
        ))
    }

    fn malformed(&self, why: &'static str) -> Mp4Error {
        Mp4Error::Malformed {
            place: self.place,
            why,
        }
    }
}

/// The sizes of samples.
#[derive(Clone, Debug)]
enum Sizes {
    /// All have this one.
    Equal(u32),
    /// One of so many bits a sample: 32 in stsz; 4, 8 or 16 in stz2.
    Each(Table, u32),
}

/// The sample tables of one track.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    samples: u32,
    sizes: Sizes,
    deltas: Table,
    offsets: Option<Table>,
    syncs: Option<Table>,
    map: Table,
    chunks: Table,
    /// Whether the offsets of chunks have 64 bits.
    wide: bool,
    /// The sample descriptions that the chunks use, counted from 1.
    pub descriptions: Vec<u32>,
}

/// Where in the tables the next sample is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TablePoint {
    /// The number of the next sample, counted from 0.
    sample: u32,
    dts: i64,
    delta_row: u32,
    deltas_left: u32,
    delta: u32,
    offset_row: u32,
    offsets_left: u32,
    offset: i32,
    sync_row: u32,
    map_row: u32,
    chunk: u32,
    chunk_left: u32,
    position: u64,
}

impl Tables {
    /// The tables in an stbl box. In a fragmented movie any of them may be missing.
    pub fn parse(stbl: &Atom<'_>, moov: &Moov, fragmented: bool) -> Result<Self, Mp4Error> {
        let need = |kind: &[u8; 4]| -> Result<Option<Atom<'_>>, Mp4Error> {
            match stbl.child(kind)? {
                None if !fragmented => Err(Mp4Error::Missing {
                    place: stbl.place,
                    kind: FourCc(*kind),
                }),
                found => Ok(found),
            }
        };
        let counted = |atom: Option<Atom<'_>>, width| match atom {
            Some(atom) => Table::counted(moov, &atom, width),
            None => Table::new(moov, stbl, 0, 0, width * 8),
        };
        let (samples, sizes) = match (stbl.child(b"stsz")?, stbl.child(b"stz2")?) {
            (Some(stsz), _) => Self::sizes(&stsz, moov)?,
            (None, Some(stz2)) => Self::compact_sizes(&stz2, moov)?,
            (None, None) => {
                need(b"stsz")?;
                (0, Sizes::Equal(0))
            }
        };
        let wide = stbl.child(b"co64")?;
        let chunks = match wide {
            Some(co64) => Table::counted(moov, &co64, 8)?,
            None => counted(need(b"stco")?, 4)?,
        };
        let tables = Self {
            samples,
            sizes,
            deltas: counted(need(b"stts")?, 8)?,
            offsets: stbl
                .child(b"ctts")?
                .map(|ctts| Table::counted(moov, &ctts, 8))
                .transpose()?,
            syncs: stbl
                .child(b"stss")?
                .map(|stss| Table::counted(moov, &stss, 4))
                .transpose()?,
            map: counted(need(b"stsc")?, 12)?,
            chunks,
            wide: wide.is_some(),
            descriptions: Vec::new(),
        };
        Ok(Self {
            descriptions: tables.check_chunks()?,
            ..tables
        })
    }

    fn sizes(stsz: &Atom<'_>, moov: &Moov) -> Result<(u32, Sizes), Mp4Error> {
        let (_, _, mut fields) = stsz.full()?;
        let (equal, count) = (fields.u32()?, fields.u32()?);
        let sizes = match equal {
            0 => Sizes::Each(Table::new(moov, stsz, fields.position(), count, 32)?, 32),
            size => Sizes::Equal(size),
        };
        Ok((count, sizes))
    }

    fn compact_sizes(stz2: &Atom<'_>, moov: &Moov) -> Result<(u32, Sizes), Mp4Error> {
        let (_, _, mut fields) = stz2.full()?;
        let (bits, count) = (fields.u32()? & 0xff, fields.u32()?);
        if !matches!(bits, 4 | 8 | 16) {
            return Err(stz2.malformed("sizes have 4, 8 or 16 bits"));
        }
        let table = Table::new(moov, stz2, fields.position(), count, bits.into())?;
        Ok((count, Sizes::Each(table, bits)))
    }

    /// How many samples there are.
    pub fn samples(&self) -> u32 {
        self.samples
    }

    /// The point after the last sample.
    pub fn end(&self) -> TablePoint {
        TablePoint {
            sample: self.samples,
            ..TablePoint::default()
        }
    }

    /// Proves that every sample has a chunk, and gives the sample descriptions that are used.
    fn check_chunks(&self) -> Result<Vec<u32>, Mp4Error> {
        let mut descriptions = Vec::new();
        let mut covered = 0u64;
        for row in 0..self.map.count {
            let Some((first, per_chunk, description)) = self.map_row(row) else {
                break;
            };
            let next = self.map_row(row + 1).map(|(next, _, _)| next);
            if first == 0 || next.is_some_and(|next| next <= first) {
                return Err(self.map.malformed("its chunks are not in order"));
            }
            if row == 0 && first != 1 {
                return Err(self.map.malformed("it does not begin with the first chunk"));
            }
            let end = match next {
                Some(next) => (next - 1).min(self.chunks.count),
                None => self.chunks.count,
            };
            let chunks = end.saturating_sub(first - 1);
            // A sum of at most 2^32 rows of at most 2^64 could overflow; what is beyond the need does not matter.
            covered = covered.saturating_add(u64::from(chunks) * u64::from(per_chunk));
            if chunks > 0 && per_chunk > 0 && !descriptions.contains(&description) {
                descriptions.push(description);
                if descriptions.len() > MAX_DESCRIPTIONS {
                    return Err(Mp4Error::TooLarge {
                        place: self.map.place,
                        what: "sample descriptions",
                        value: descriptions.len() as u64,
                        cap: MAX_DESCRIPTIONS as u64,
                    });
                }
            }
            if covered >= u64::from(self.samples) {
                break;
            }
        }
        if covered < u64::from(self.samples) {
            return Err(self
                .map
                .malformed("it does not say where all the samples are"));
        }
        Ok(descriptions)
    }

    /// The first chunk (from 1), samples to a chunk and description of a row of stsc.
    fn map_row(&self, row: u32) -> Option<(u32, u32, u32)> {
        let row: [u8; 12] = self.map.row(row)?;
        let number = |at: usize| {
            row.get(at..)?
                .first_chunk()
                .map(|bytes| u32::from_be_bytes(*bytes))
        };
        Some((number(0)?, number(4)?, number(8)?))
    }

    /// A row of stts: how many samples, and the time from each to the next. Samples after the last row, which no
    /// sound file has, get the last time.
    fn delta_row(&self, row: u32) -> (u32, u32) {
        match self.deltas.pair(row) {
            Some((count, delta)) if row + 1 < self.deltas.count => (count, delta),
            Some((count, _)) => (count, self.last_delta()),
            None => (u32::MAX, self.last_delta()),
        }
    }

    /// How long the last samples are. Some recorders write 0, and mean as long as the ones before.
    fn last_delta(&self) -> u32 {
        let last = self.deltas.count.saturating_sub(1);
        match self.deltas.pair(last) {
            Some((_, 0)) if last > 0 => self.deltas.pair(last - 1).map_or(0, |(_, delta)| delta),
            Some((_, delta)) => delta,
            None => 0,
        }
    }

    /// A row of ctts. Version 0 means unsigned numbers, but writers put negative ones there as well, and no file
    /// has offsets of 2^31 ticks. Samples after the last row have none.
    fn offset_row(&self, row: u32) -> (u32, i32) {
        match self.offsets.as_ref().and_then(|table| table.pair(row)) {
            Some((count, offset)) => (count, offset as i32),
            None => (u32::MAX, 0),
        }
    }

    /// What the tables say of all samples, from their rows alone; nothing where there are none.
    pub fn summary(&self) -> Result<Option<Summary>, Mp4Error> {
        let mut summary = None;
        let mut dts = 0i64;
        let mut left = self.samples;
        let (mut delta_row, mut deltas_left, mut delta) = (0, 0, 0);
        let (mut offset_row, mut offsets_left, mut offset) = (0, 0, 0);
        while left > 0 {
            while deltas_left == 0 {
                (deltas_left, delta) = self.delta_row(delta_row);
                delta_row += 1;
            }
            while offsets_left == 0 {
                (offsets_left, offset) = self.offset_row(offset_row);
                offset_row += 1;
            }
            let count = left.min(deltas_left).min(offsets_left);
            let run = Even {
                dts,
                offset: offset.into(),
                delta,
                count: count.into(),
            };
            let known = Summary::with(summary, run)
                .ok_or_else(|| self.deltas.malformed("its times are past all clocks"))?;
            dts = known.next_dts;
            summary = Some(known);
            left -= count;
            deltas_left -= count;
            offsets_left -= count;
        }
        Ok(summary)
    }

    /// The sample at a point, which moves on to the next; nothing after the last. An error moves nothing.
    pub fn next(&self, point: &mut TablePoint) -> Result<Option<RawSample>, Mp4Error> {
        if point.sample >= self.samples {
            return Ok(None);
        }
        let mut p = *point;
        while p.deltas_left == 0 {
            (p.deltas_left, p.delta) = self.delta_row(p.delta_row);
            p.delta_row += 1;
        }
        while p.offsets_left == 0 {
            (p.offsets_left, p.offset) = self.offset_row(p.offset_row);
            p.offset_row += 1;
        }
        while p.chunk_left == 0 {
            self.enter_chunk(&mut p)?;
        }
        let sync = match &self.syncs {
            None => true,
            Some(syncs) => {
                let number = p.sample + 1;
                while syncs.number(p.sync_row).is_some_and(|sync| sync < number) {
                    p.sync_row += 1;
                }
                syncs.number(p.sync_row) == Some(number)
            }
        };
        let size = self.size(p.sample)?;
        let overflow = || self.deltas.malformed("its times are past all clocks");
        let sample = RawSample {
            offset: p.position,
            size,
            dts: p.dts,
            pts: p.dts.checked_add(p.offset.into()).ok_or_else(overflow)?,
            delta: p.delta,
            sync,
        };
        p.dts = p.dts.checked_add(p.delta.into()).ok_or_else(overflow)?;
        // Past the end of all files is past the end of this one: the reader says so for this very sample.
        p.position = p.position.saturating_add(size.into());
        p.deltas_left -= 1;
        p.offsets_left -= 1;
        p.chunk_left -= 1;
        p.sample += 1;
        *point = p;
        Ok(Some(sample))
    }

    /// Goes to the next chunk.
    fn enter_chunk(&self, p: &mut TablePoint) -> Result<(), Mp4Error> {
        while self
            .map_row(p.map_row + 1)
            .is_some_and(|(first, _, _)| first <= p.chunk.saturating_add(1))
        {
            p.map_row += 1;
        }
        let position = match self.wide {
            true => self.chunks.row(p.chunk).map(u64::from_be_bytes),
            false => self.chunks.number(p.chunk).map(u64::from),
        };
        match (position, self.map_row(p.map_row)) {
            (Some(position), Some((_, per_chunk, _))) => {
                p.position = position;
                p.chunk_left = per_chunk;
                p.chunk += 1;
                Ok(())
            }
            _ => Err(self
                .chunks
                .malformed("there are fewer chunks than samples need")),
        }
    }

    fn size(&self, sample: u32) -> Result<u32, Mp4Error> {
        let (table, bits) = match &self.sizes {
            Sizes::Equal(size) => return Ok(*size),
            Sizes::Each(table, bits) => (table, bits),
        };
        let size = match bits {
            4 => {
                let byte = (sample / 2 < table.count.div_ceil(2))
                    .then(|| {
                        table
                            .moov
                            .get(table.start.saturating_add(sample as usize / 2))
                    })
                    .flatten();
                byte.map(|byte| {
                    u32::from(if sample.is_multiple_of(2) {
                        byte >> 4
                    } else {
                        byte & 15
                    })
                })
            }
            8 => table.row(sample).map(|[byte]| u32::from(byte)),
            16 => table
                .row(sample)
                .map(|bytes| u32::from(u16::from_be_bytes(bytes))),
            _ => table.number(sample),
        };
        size.ok_or_else(|| table.malformed("there are fewer sizes than samples"))
    }
}

/// How many sample descriptions one track may use.
const MAX_DESCRIPTIONS: usize = 256;
