//! ISO base media files (ISO/IEC 14496-12, also QuickTime files): the reading side.
//!
//! [`Movie::open`] reads the moov box and, in a fragmented file, every moof box once. A [`SampleCursor`] then walks
//! one track's samples in decoding order with the times at which they are presented, edit list included.
//!
//! ```text
//! file
//!  ├─ moov
//!  │   ├─ mvhd                    the movie's clock
//!  │   ├─ trak
//!  │   │   ├─ tkhd                the track's id, how the picture is turned
//!  │   │   ├─ edts ── elst        timeline
//!  │   │   └─ mdia
//!  │   │       ├─ mdhd hdlr       the track's clock, what it is
//!  │   │       └─ minf ── stbl    entries (stsd), tables (the rest)
//!  │   └─ mvex ── trex            fragments
//!  └─ moof ── traf                fragments
//! ```
//!
//! Whatever the bytes are, this code does not panic, ends, and holds no more than the caps below; what is wrong is
//! an [`Mp4Error`] that names the box by its path and file offset.
//!
//! Deliberately absent: writing, decryption, and boxes that only describe (udta, meta, sidx, mfra).

mod boxes;
mod cursor;
mod entries;
mod error;
#[cfg(test)]
mod forge;
mod fragments;
mod joins;
mod movie;
mod summary;
mod tables;
#[cfg(test)]
mod tests;
mod timeline;

use std::sync::Arc;

pub use cursor::{Sample, SampleCursor};
pub use error::{FourCc, Mp4Error, Place, ReadError};
pub use fragments::MAX_TRACK_FRAGMENTS;
pub use timeline::MAX_EDITS;

use crate::domain::units::{MediaTime, Rate, Size};

/// The largest moov box that is read into memory, in bytes. Two hours of video and sound need 8 MiB.
pub const MAX_MOOV: u64 = 64 << 20;
/// The largest moof box that is read into memory, in bytes.
pub const MAX_MOOF: u64 = 16 << 20;
/// The largest sample that is read into memory, in bytes.
pub const MAX_SAMPLE: u32 = 64 << 20;
/// How many tracks a movie may have.
pub const MAX_TRACKS: usize = 64;
/// How many boxes may stand at the top of a file.
pub const MAX_TOP_BOXES: usize = 4 << 20;
/// How many moof boxes a file may have.
pub const MAX_MOOFS: usize = MAX_TRACK_FRAGMENTS;
/// How many samples may be passed over, in all, to find where the edits of a track begin, if it has several.
pub const MAX_EDIT_WORK: u64 = 1 << 28;

/// A medium that can be read at any place.
pub trait ReadAt {
    /// How many bytes there are.
    fn size(&self) -> u64;

    /// Fills the buffer with the bytes from `offset` on, or fails.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError>;
}

/// What a track holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
    /// Something else: text, time codes, data.
    Other,
}

/// How the samples of a track are coded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codec {
    /// H.264, NAL units with their lengths before them.
    Avc {
        /// `avc1`, or `avc3` where parameter sets may be among the samples.
        fourcc: FourCc,
        /// The payload of avcC.
        config: Vec<u8>,
    },
    /// HEVC, NAL units with their lengths before them.
    Hevc {
        /// `hvc1`, or `hev1` where parameter sets may be among the samples.
        fourcc: FourCc,
        /// The payload of hvcC.
        config: Vec<u8>,
    },
    /// AAC, raw data blocks.
    Aac {
        /// The AudioSpecificConfig.
        config: Vec<u8>,
        /// In hertz; the doubled rate where the config announces spectral band replication.
        rate: u32,
        /// Channels.
        channels: u16,
    },
    /// Something that this reader only passes on, by the name of its sample entry (`.mp3` for MP3 in `mp4a`; four zero
    /// bytes where the entry cannot be read).
    Other(FourCc),
}

/// How far a picture must be turned clockwise to stand upright.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// Not at all, or by a matrix that is no quarter turn.
    None,
    /// By 90 degrees.
    Quarter,
    /// By 180 degrees.
    Half,
    /// By 270 degrees.
    ThreeQuarters,
}

/// A track of a movie.
#[derive(Clone, Debug)]
pub struct Track {
    /// The track's id, unique in sound files.
    pub id: u32,
    /// What it holds.
    pub kind: TrackKind,
    /// How its samples are coded.
    pub codec: Codec,
    /// The size of the coded picture in pixels, where the sample entry gives one.
    pub size: Option<Size>,
    /// The shape of a pixel, width to height, where the file says.
    pub pixel_aspect: Option<(u32, u32)>,
    /// How the picture must be turned.
    pub turn: Turn,
    /// The frame rate of a video track all of whose samples last equally long.
    pub frame_rate: Option<Rate>,
    /// How many samples there are.
    pub samples: u64,
    /// How long the presentation lasts, from 0, after the edit list; exact to the nanosecond.
    pub duration: MediaTime,
    media: Result<Arc<cursor::Media>, Mp4Error>,
}

impl Track {
    /// A cursor on the track's first sample. It shares the tables, and outlives the movie.
    pub fn cursor(&self) -> SampleCursor {
        SampleCursor::new(self.media.clone())
    }

    /// Whether decoding can go on from the last sample to the first without a flush.
    ///
    /// A video track can where its first sample is a closed IDR picture, or a broken link or clean random access
    /// picture (HEVC) that no undecodable leading picture follows, and where the parameter sets at its end are those
    /// of its begin. AAC always can; what this reader does not know never can.
    pub fn joinable(&self, source: &mut dyn ReadAt) -> Result<bool, Mp4Error> {
        joins::joinable(self, source)
    }
}

/// A file's tracks.
///
/// Files that have no pictures or sound at all, or whose picture or sound is broken or encrypted, do not open. A
/// broken track of another kind is listed, and its cursor gives the error.
#[derive(Clone, Debug)]
pub struct Movie {
    /// The tracks, in the file's order.
    pub tracks: Vec<Track>,
}

impl Movie {
    /// Reads what is needed to play any track.
    pub fn open(source: &mut dyn ReadAt) -> Result<Movie, Mp4Error> {
        movie::open(source)
    }

    /// Whether a file that begins with these bytes may be an MP4 or QuickTime file. Eight bytes are enough.
    pub fn looks_like_mp4(head: &[u8]) -> bool {
        movie::looks_like_mp4(head)
    }

    /// A cursor on a track's first sample. Where there is no such track, it gives only the error.
    pub fn cursor(&self, track_index: usize) -> SampleCursor {
        match self.tracks.get(track_index) {
            Some(track) => track.cursor(),
            None => SampleCursor::new(Err(Mp4Error::NoTrack { index: track_index })),
        }
    }
}
