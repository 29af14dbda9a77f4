//! The MP4 reader against bytes that mean harm, or had an accident: committed files, one a bug, and random damage.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use musebox::domain::mp4::{MAX_MOOV, Movie, Mp4Error, ReadAt, ReadError};
use proptest::prelude::*;

/// A file in memory, which counts what is asked of it.
struct Counted {
    bytes: Vec<u8>,
    reads: usize,
    largest: usize,
}

impl Counted {
    fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            reads: 0,
            largest: 0,
        }
    }
}

impl ReadAt for Counted {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.reads += 1;
        self.largest = self.largest.max(buffer.len());
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|start| self.bytes.get(start..))
            .and_then(|rest| rest.get(..buffer.len()))
            .ok_or_else(|| ReadError(format!("no {} bytes at {offset}", buffer.len())))?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

/// Opens a movie, walks and reads all its tracks, and counts the samples.
fn play(file: &mut Counted) -> Result<usize, Mp4Error> {
    let movie = Movie::open(file)?;
    let (mut count, mut buffer) = (0, Vec::new());
    for track in &movie.tracks {
        let mut cursor = track.cursor();
        while let Some(sample) = cursor.next(file)? {
            cursor.read(file, &sample, &mut buffer)?;
            count += 1;
        }
        track.joinable(file)?;
    }
    Ok(count)
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// What becomes of each file in tests/data/mp4. Messages name the box by its path and place.
const FILES: [(&str, &str); 31] = [
    (
        "avcc-cut-off.mp4",
        "moov/trak/mdia/minf/stbl/stsd/avc1/avcC at byte 543: not a decoder configuration of version 1",
    ),
    (
        "box-past-its-parent.mp4",
        "moov/trak/mdia/minf/stbl/stsd at byte 441 is cut short: it needs the bytes up to 2147484088, but they end at 843",
    ),
    (
        "box-size-0-inside.mp4",
        "moov/trak at byte 148 holds no mdia box",
    ),
    (
        "box-size-7.mp4",
        "moov/trak/mdia/minf/stbl at byte 433: its size is smaller than its header",
    ),
    (
        "clock-of-0.mp4",
        "moov/trak/mdia/mdhd at byte 292: its clock has no ticks",
    ),
    (
        "elst-at-half-speed.mp4",
        "moov/trak/edts/elst at byte 256: an edit at another speed cannot be played",
    ),
    (
        "elst-claims-4-billion.mp4",
        "moov/trak/edts/elst at byte 256: 4294967295 edits, more than the 1024 that are read",
    ),
    (
        "elst-past-the-media.mp4",
        "moov/trak/edts/elst at byte 256: it presents nothing",
    ),
    (
        "empty.mp4",
        "there is no moov box in 0 bytes: not an MP4 file, or one that is cut short",
    ),
    (
        "encrypted.mp4",
        "moov/trak/mdia/minf/stbl/stsd/encv at byte 1135 is encrypted (avc1), needs a key",
    ),
    (
        "esds-length-of-5.mp4",
        "moov/trak/mdia/minf/stbl/stsd/mp4a/esds at byte 3093: the length of a descriptor has more than four bytes",
    ),
    (
        "head-only.mp4",
        "there is no moov box in 32 bytes: not an MP4 file, or one that is cut short",
    ),
    (
        "junk-after-a-fragment.mp4",
        "junk at byte 3680: its size is smaller than its header",
    ),
    ("junk-after-the-media.mp4", "plays 8 samples"),
    (
        "media-cut-off.mp4",
        "sample 5 of track 1 lies at bytes 1247 to 1547, past the file's end at 1382: the file is cut short",
    ),
    (
        "moof-cut-off.mp4",
        "moof at byte 2348 is cut short: it needs the bytes up to 2632, but they end at 2398",
    ),
    (
        "moov-cut-off.mp4",
        "moov at byte 32 is cut short: it needs the bytes up to 904, but they end at 631",
    ),
    (
        "moov-of-64-bit-size.mp4",
        "moov at byte 32 is cut short: it needs the bytes up to 465692944516, but they end at 1582",
    ),
    (
        "no-stts.mp4",
        "moov/trak/mdia/minf/stbl at byte 433 holds no stts box",
    ),
    (
        "sample-of-4-gib.mp4",
        "sample 1 of track 1 lies at bytes 920 to 4294968200, past the file's end at 1582: the file is cut short",
    ),
    (
        "stco-past-the-end.mp4",
        "sample 1 of track 1 lies at bytes 4294967280 to 4294967551, past the file's end at 1582: the file is cut short",
    ),
    (
        "stsc-description-9.mp4",
        "moov/trak/mdia/minf/stbl/stsd at byte 441: samples use a description that it does not have",
    ),
    (
        "stsc-not-from-1.mp4",
        "moov/trak/mdia/minf/stbl/stsc at byte 743: it does not begin with the first chunk",
    ),
    (
        "stsc-of-nothing.mp4",
        "moov/trak/mdia/minf/stbl/stsc at byte 743: it does not say where all the samples are",
    ),
    (
        "stsz-claims-4-billion.mp4",
        "moov/trak/mdia/minf/stbl/stsz at byte 771 is cut short: it needs the bytes up to 17179869971, but they end at 823",
    ),
    (
        "stts-claims-4-billion-rows.mp4",
        "moov/trak/mdia/minf/stbl/stts at byte 631 is cut short: it needs the bytes up to 34359739007, but they end at 655",
    ),
    ("stts-of-nothing.mp4", "plays 8 samples"),
    (
        "text.mp4",
        "there is no moov box in 76 bytes: not an MP4 file, or one that is cut short",
    ),
    (
        "tfhd-missing.mp4",
        "moof/traf at byte 1315 holds no tfhd box",
    ),
    (
        "trun-before-the-file.mp4",
        "moof/traf/trun at byte 1371: its data begin before the file",
    ),
    (
        "trun-claims-4-billion.mp4",
        "moof/traf/trun at byte 1371 is cut short: it needs the bytes up to 34359739755, but they end at 1427",
    ),
];

#[test]
fn every_bad_file_is_told_apart() {
    let present: BTreeSet<String> = fs::read_dir(folder("tests/data/mp4"))
        .expect("the folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name.ends_with(".mp4"))
        .collect();
    let listed: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(present, listed);
    let mut wrong = Vec::new();
    for (name, expected) in FILES {
        let bytes = fs::read(folder("tests/data/mp4").join(name)).expect("a committed file");
        let outcome = match play(&mut Counted::new(bytes)) {
            Ok(count) => format!("plays {count} samples"),
            Err(error) => error.to_string(),
        };
        if outcome != expected {
            wrong.push(format!("(\"{name}\", \"{outcome}\"),"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The seeds of the fuzzers, which are good files.
fn seeds() -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = fs::read_dir(folder("fuzz/corpus/mp4_samples"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| fs::read(path).expect("a committed file"))
        .collect()
}

#[test]
fn the_seeds_are_good_but_for_the_encrypted_one() {
    let seeds = seeds();
    assert_eq!(seeds.len(), 13);
    let outcomes: Vec<_> = seeds
        .into_iter()
        .map(|seed| play(&mut Counted::new(seed)))
        .collect();
    let bad: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| outcome.as_ref().err())
        .collect();
    assert!(
        matches!(bad.as_slice(), [Mp4Error::Encrypted { .. }]),
        "{bad:?}"
    );
}

/// Some damage to a file.
#[derive(Clone, Debug)]
enum Damage {
    Byte(prop::sample::Index, u8),
    Word(prop::sample::Index, u32),
    Cut(prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<prop::sample::Index>;
    let word = prop_oneof![
        Just(0),
        Just(1),
        Just(u32::MAX),
        Just(0x7fff_ffff),
        Just(0x8000_0000),
        0u32..300
    ];
    prop_oneof![
        4 => (index(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        8 => (index(), word).prop_map(|(at, word)| Damage::Word(at, word)),
        1 => index().prop_map(Damage::Cut),
        1 => (index(), index()).prop_map(|(from, to)| Damage::Repeat(from, to)),
    ]
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Damage::Byte(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Damage::Word(at, word) => {
                let at = at.index(bytes.len());
                for (place, byte) in bytes[at..].iter_mut().zip(word.to_be_bytes()) {
                    *place = byte;
                }
            }
            Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Damage::Repeat(from, to) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let piece = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.splice(from.max(to)..from.max(to), piece);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Damage never makes a panic, a read past the caps or past the file's size, or endless work.
    #[test]
    fn damaged_files_are_survived(
        seed in any::<prop::sample::Index>(),
        damages in prop::collection::vec(damage(), 1..6),
    ) {
        let seeds = seeds();
        let mut bytes = seed.get(&seeds).clone();
        for damage in damages {
            damage.apply(&mut bytes);
        }
        let size = bytes.len();
        let mut file = Counted::new(bytes);
        let outcome = play(&mut file);
        prop_assert!(file.largest as u64 <= MAX_MOOV);
        prop_assert!(file.largest <= size.max(16));
        // A file of so many bytes has at most so many boxes and samples of a byte each, walked three times.
        prop_assert!(file.reads <= 20 * size + 100, "{} reads: {outcome:?}", file.reads);
        if let Err(error) = outcome {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
