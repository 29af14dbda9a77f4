//! Files made by hand for tests: any tables, any lies.

use super::{ReadAt, ReadError};

/// A medium that claims a size, and has zeros where it has no bytes.
#[derive(Clone, Debug)]
pub(super) struct Sparse {
    pub bytes: Vec<u8>,
    pub size: u64,
    /// How many reads were asked for.
    pub reads: u64,
    /// The largest of them.
    pub largest: usize,
}

impl Sparse {
    pub fn new(bytes: Vec<u8>, size: u64) -> Self {
        let size = size.max(bytes.len() as u64);
        Self {
            bytes,
            size,
            reads: 0,
            largest: 0,
        }
    }
}

impl ReadAt for Sparse {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.reads += 1;
        self.largest = self.largest.max(buffer.len());
        let end = offset.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.size) {
            return Err(ReadError(format!("{} bytes at {offset}", buffer.len())));
        }
        for (index, byte) in buffer.iter_mut().enumerate() {
            let place = usize::try_from(offset).unwrap_or(usize::MAX);
            *byte = place
                .checked_add(index)
                .and_then(|place| self.bytes.get(place))
                .copied()
                .unwrap_or(0);
        }
        Ok(())
    }
}

pub(super) fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut bytes = (body.len() as u32 + 8).to_be_bytes().to_vec();
    bytes.extend(kind);
    bytes.extend(body);
    bytes
}

pub(super) fn full(kind: &[u8; 4], version: u8, flags: u32, parts: &[&[u8]]) -> Vec<u8> {
    let word = (u32::from(version) << 24 | flags).to_be_bytes();
    boxed(kind, &[&word, &parts.concat()])
}

pub(super) fn words(words: impl IntoIterator<Item = u32>) -> Vec<u8> {
    words.into_iter().flat_map(u32::to_be_bytes).collect()
}

/// The sizes of a forged track.
#[derive(Clone, Debug)]
pub(super) enum Sizes {
    Equal { size: u32, count: u32 },
    Each(Vec<u32>),
    Compact { bits: u8, sizes: Vec<u32> },
}

/// Duration, media time and rate.
pub(super) type EditRow = (u64, i64, u32);

/// A file with one track.
#[derive(Clone, Debug)]
pub(super) struct Forge {
    pub movie_scale: u32,
    pub scale: u32,
    pub handler: [u8; 4],
    /// The whole sample entries.
    pub entries: Vec<Vec<u8>>,
    pub deltas: Vec<(u32, u32)>,
    pub offsets: Option<Vec<(u32, i32)>>,
    pub syncs: Option<Vec<u32>>,
    pub map: Vec<(u32, u32, u32)>,
    pub chunks: Vec<u64>,
    pub wide: bool,
    pub sizes: Sizes,
    /// The version of the box, and its rows.
    pub edits: Option<(u8, Vec<EditRow>)>,
    /// Boxes in moov after the track.
    pub more: Vec<u8>,
}

/// A sample entry of a codec that needs no configuration.
pub(super) fn entry(kind: &[u8; 4]) -> Vec<u8> {
    boxed(kind, &[&[0; 78]])
}

impl Default for Forge {
    /// Thirty pictures of 1/30 s and 10 bytes in one chunk at byte 1,000.
    fn default() -> Self {
        Self {
            movie_scale: 1000,
            scale: 30,
            handler: *b"vide",
            entries: vec![entry(b"jpeg")],
            deltas: vec![(30, 1)],
            offsets: None,
            syncs: None,
            map: vec![(1, 30, 1)],
            chunks: vec![1000],
            wide: false,
            sizes: Sizes::Equal {
                size: 10,
                count: 30,
            },
            edits: None,
            more: Vec::new(),
        }
    }
}

impl Forge {
    pub fn moov(&self) -> Vec<u8> {
        let count = |length: usize| (length as u32).to_be_bytes();
        let header = |scale| words([0, 0, scale, 0]);
        let elst = self.edits.as_ref().map(|(version, edits)| {
            let rows: Vec<u8> = edits
                .iter()
                .flat_map(|(duration, time, rate)| {
                    let mut row = match version {
                        0 => words([*duration as u32, *time as i32 as u32]),
                        _ => [duration.to_be_bytes(), time.to_be_bytes()].concat(),
                    };
                    row.extend(rate.to_be_bytes());
                    row
                })
                .collect();
            full(b"elst", *version, 0, &[&count(edits.len()), &rows])
        });
        let edts = elst.map_or_else(Vec::new, |elst| boxed(b"edts", &[&elst]));
        let pairs = |kind, rows: Vec<u32>| {
            let length = (rows.len() / 2) as u32;
            full(kind, 0, 0, &[&words([length]), &words(rows)])
        };
        let stts = pairs(
            b"stts",
            self.deltas.iter().flat_map(|(n, d)| [*n, *d]).collect(),
        );
        let ctts = self.offsets.as_ref().map_or_else(Vec::new, |rows| {
            pairs(
                b"ctts",
                rows.iter().flat_map(|(n, o)| [*n, *o as u32]).collect(),
            )
        });
        let stss = self.syncs.as_ref().map_or_else(Vec::new, |rows| {
            full(
                b"stss",
                0,
                0,
                &[&count(rows.len()), &words(rows.iter().copied())],
            )
        });
        let map = words(self.map.iter().flat_map(|(first, n, d)| [*first, *n, *d]));
        let stsc = full(b"stsc", 0, 0, &[&count(self.map.len()), &map]);
        let chunks = match self.wide {
            true => {
                let rows: Vec<u8> = self.chunks.iter().flat_map(|c| c.to_be_bytes()).collect();
                full(b"co64", 0, 0, &[&count(self.chunks.len()), &rows])
            }
            false => {
                let rows = words(self.chunks.iter().map(|chunk| *chunk as u32));
                full(b"stco", 0, 0, &[&count(self.chunks.len()), &rows])
            }
        };
        let sizes = match &self.sizes {
            Sizes::Equal { size, count } => full(b"stsz", 0, 0, &[&words([*size, *count])]),
            Sizes::Each(sizes) => {
                let rows = words(sizes.iter().copied());
                full(b"stsz", 0, 0, &[&words([0, sizes.len() as u32]), &rows])
            }
            Sizes::Compact { bits, sizes } => {
                let rows: Vec<u8> = match bits {
                    4 => sizes
                        .chunks(2)
                        .map(|two| (two[0] << 4) as u8 | two.get(1).map_or(0, |low| *low as u8))
                        .collect(),
                    8 => sizes.iter().map(|size| *size as u8).collect(),
                    _ => sizes
                        .iter()
                        .flat_map(|s| (*s as u16).to_be_bytes())
                        .collect(),
                };
                full(
                    b"stz2",
                    0,
                    0,
                    &[&words([u32::from(*bits), sizes.len() as u32]), &rows],
                )
            }
        };
        let entries = self.entries.concat();
        let stsd = full(b"stsd", 0, 0, &[&count(self.entries.len()), &entries]);
        let stbl = boxed(
            b"stbl",
            &[&stsd, &stts, &ctts, &stss, &stsc, &sizes, &chunks],
        );
        let minf = boxed(b"minf", &[&stbl]);
        let hdlr = full(b"hdlr", 0, 0, &[&[0; 4], &self.handler, &[0; 13]]);
        let mdhd = full(b"mdhd", 0, 0, &[&header(self.scale), &[0; 4]]);
        let mdia = boxed(b"mdia", &[&mdhd, &hdlr, &minf]);
        let tkhd = full(b"tkhd", 0, 7, &[&words([0, 0, 1]), &[0; 72]]);
        let trak = boxed(b"trak", &[&tkhd, &edts, &mdia]);
        let mvhd = full(b"mvhd", 0, 0, &[&header(self.movie_scale), &[0; 80]]);
        boxed(b"moov", &[&mvhd, &trak, &self.more])
    }

    /// The file: ftyp, moov, and as many zeros as it takes to `size`, which lie in a last box.
    pub fn file(&self, size: u64) -> Sparse {
        let ftyp = boxed(b"ftyp", &[b"isom\0\0\0\0"]);
        let mut bytes = [ftyp, self.moov()].concat();
        bytes.extend([0, 0, 0, 0]);
        bytes.extend(b"mdat");
        Sparse::new(bytes, size)
    }
}
