//! What can be wrong with a file, and how a box is named in a message: by its path and its place.

use std::fmt;

use thiserror::Error;

/// The four characters that name a box, a codec or a handler.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FourCc(pub [u8; 4]);

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FourCc({self})")
    }
}

/// How deep a path is kept; `moov/trak/mdia/minf/stbl/stsd/mp4a/wave/esds` is the deepest that is read.
const MAX_DEPTH: usize = 10;

/// Where a box is: its path from the top of the file, and the file offset of its header.
///
/// Shown as in `moov/trak/mdia at byte 1234`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Place {
    path: [FourCc; MAX_DEPTH],
    depth: usize,
    offset: u64,
}

impl Place {
    /// The place of a box at the top of the file.
    pub(super) fn top(kind: FourCc, offset: u64) -> Self {
        let mut path = [FourCc([0; 4]); MAX_DEPTH];
        path[0] = kind;
        Self {
            path,
            depth: 1,
            offset,
        }
    }

    /// The place of a box in the box at this place. Beyond the deepest path the last name is replaced.
    pub(super) fn child(self, kind: FourCc, offset: u64) -> Self {
        let mut place = self;
        place.depth = (self.depth + 1).min(MAX_DEPTH);
        if let Some(last) = place.path.get_mut(place.depth - 1) {
            *last = kind;
        }
        place.offset = offset;
        place
    }

    /// The file offset of the box's header.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The path, as in `moov/trak/mdia`.
    pub fn path(&self) -> String {
        let names: Vec<String> = self
            .path
            .iter()
            .take(self.depth)
            .map(FourCc::to_string)
            .collect();
        names.join("/")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.path(), self.offset)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

/// Why a medium could not be read, in the words of whoever tried.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ReadError(pub String);

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Mp4Error {
    /// The medium failed while a box was read.
    #[error("cannot read {place}")]
    Read {
        /// The box that was read.
        place: Place,
        /// What the medium said.
        source: ReadError,
    },
    /// The medium failed while a sample was read.
    #[error("cannot read {size} bytes of a sample of track {track} at byte {offset}")]
    ReadSample {
        /// The track's id.
        track: u32,
        /// Where the sample is.
        offset: u64,
        /// How many bytes were asked for.
        size: u64,
        /// What the medium said.
        source: ReadError,
    },
    /// There is no movie in the file.
    #[error("there is no moov box in {size} bytes: not an MP4 file, or one that is cut short")]
    NoMoov {
        /// The size of the file.
        size: u64,
    },
    /// A box that must be there is not.
    #[error("{place} holds no {kind} box")]
    Missing {
        /// The box that should hold it.
        place: Place,
        /// The box that is missing.
        kind: FourCc,
    },
    /// A box reaches past the end of what holds it, or its fields past its own end.
    #[error("{place} is cut short: it needs the bytes up to {end}, but they end at {limit}")]
    Truncated {
        /// The box.
        place: Place,
        /// Where it, or its content, would end.
        end: u64,
        /// Where the box, its parent or the file ends.
        limit: u64,
    },
    /// A box contradicts itself or the format.
    #[error("{place}: {why}")]
    Malformed {
        /// The box.
        place: Place,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Something is larger than this reader is willing to hold.
    #[error("{place}: {value} {what}, more than the {cap} that are read")]
    TooLarge {
        /// The box.
        place: Place,
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        value: u64,
        /// How much is read at most.
        cap: u64,
    },
    /// The format allows it, this reader does not play it.
    #[error("{place}: {what} cannot be played")]
    Unsupported {
        /// The box.
        place: Place,
        /// What it asks for.
        what: &'static str,
    },
    /// The samples are encrypted.
    #[error("{place} is encrypted ({format}), needs a key")]
    Encrypted {
        /// The sample entry.
        place: Place,
        /// What the samples are once decrypted, or the entry's own name where that is not said.
        format: FourCc,
    },
    /// A sample lies, wholly or in part, past the end of the file.
    #[error(
        "sample {sample} of track {track} lies at bytes {offset} to {end}, past the file's end at {size}: \
         the file is cut short"
    )]
    SampleBeyondEnd {
        /// The track's id.
        track: u32,
        /// The sample's number in the track, counted from 1 in decoding order.
        sample: u64,
        /// Where the sample begins.
        offset: u64,
        /// Where the sample ends.
        end: u64,
        /// The size of the file.
        size: u64,
    },
    /// A sample is larger than is read into memory.
    #[error(
        "a sample of track {track} at byte {offset} has {size} bytes, more than the {cap} that are read"
    )]
    SampleTooLarge {
        /// The track's id.
        track: u32,
        /// Where the sample begins.
        offset: u64,
        /// Its size.
        size: u32,
        /// The largest size that is read.
        cap: u32,
    },
    /// A track was asked for that the movie does not have.
    #[error("the movie has no track number {index}")]
    NoTrack {
        /// The number, counted from 0.
        index: usize,
    },
}
