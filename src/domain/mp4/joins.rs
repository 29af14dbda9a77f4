//! Whether a track can be decoded in a loop: what its first pictures are, looked up in their NAL units.
//!
//! Only the heads of NAL units are read, and parameter sets.

use super::{Codec, Mp4Error, ReadAt, Sample, Track};

/// How many NAL units of a sample are looked at.
const MAX_NAL_UNITS: usize = 1024;
/// How many samples after a random access picture are searched for its leading pictures; a coder has at most 16.
const MAX_LEADING: usize = 64;
/// The largest parameter set that is compared, in bytes.
const MAX_PARAMETERS: u64 = 64 << 10;

pub(super) fn joinable(track: &Track, source: &mut dyn ReadAt) -> Result<bool, Mp4Error> {
    let media = track.media.as_ref().map_err(Mp4Error::clone)?;
    let Some(stream) = Stream::of(&track.codec) else {
        return Ok(matches!(track.codec, Codec::Aac { .. }));
    };
    let mut cursor = track.cursor();
    let Some(first) = cursor.next(source)? else {
        return Ok(false);
    };
    let begin = stream.units(source, media.track, &first)?;
    let clean = match begin.picture {
        Some(Picture::Idr) => true,
        Some(Picture::RandomAccess { kept_order }) => {
            let reordered = media
                .summary
                .is_none_or(|s| s.least_offset != s.greatest_offset);
            (kept_order || !reordered) && !stream.skips_follow(source, track)?
        }
        Some(Picture::Skipped | Picture::Leading | Picture::Trailing) | None => false,
    };
    if !clean {
        return Ok(false);
    }
    let mut last = first;
    while let Some(sample) = cursor.next(source)? {
        if sample.sync {
            last = sample;
        }
    }
    if last == first {
        return Ok(true);
    }
    let end = stream.units(source, media.track, &last)?;
    let known = stream.configured();
    Ok(end
        .parameters
        .iter()
        .all(|set| begin.parameters.contains(set) || known.contains(&set.as_slice())))
}

/// What a picture means for decoding to go on from somewhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Picture {
    /// All before it is forgotten.
    Idr,
    /// Decoding can begin with it (BLA or CRA). A BLA picture forgets the order of those before, a CRA picture does
    /// not: they are then only in order where nothing is reordered at all.
    RandomAccess { kept_order: bool },
    /// Comes after a random access picture, is presented before it, and cannot be decoded from there (RASL).
    Skipped,
    /// The same, but it can be decoded (RADL).
    Leading,
    /// Any other.
    Trailing,
}

/// A stream of NAL units with their lengths before them.
struct Stream<'a> {
    hevc: bool,
    /// The bytes of a length.
    length_size: usize,
    config: &'a [u8],
}

/// What is in a sample.
struct Units {
    /// What its first slice belongs to.
    picture: Option<Picture>,
    /// The parameter sets before the first slice.
    parameters: Vec<Vec<u8>>,
}

impl<'a> Stream<'a> {
    fn of(codec: &'a Codec) -> Option<Self> {
        let (hevc, config, at) = match codec {
            Codec::Avc { config, .. } => (false, config, 4),
            Codec::Hevc { config, .. } => (true, config, 21),
            Codec::Aac { .. } | Codec::Other(_) => return None,
        };
        Some(Self {
            hevc,
            length_size: usize::from(config.get(at)? & 3) + 1,
            config,
        })
    }

    /// What a NAL unit is, if it is a slice.
    fn picture(&self, head: u8) -> Option<Picture> {
        match self.hevc {
            // Rec. ITU-T H.264, table 7-1.
            false => match head & 0x1f {
                5 => Some(Picture::Idr),
                1..=4 => Some(Picture::Trailing),
                _ => None,
            },
            // Rec. ITU-T H.265, table 7-1.
            true => match (head >> 1) & 0x3f {
                6 | 7 => Some(Picture::Leading),
                8 | 9 => Some(Picture::Skipped),
                16..=18 => Some(Picture::RandomAccess { kept_order: true }),
                19 | 20 => Some(Picture::Idr),
                21 => Some(Picture::RandomAccess { kept_order: false }),
                0..=31 => Some(Picture::Trailing),
                _ => None,
            },
        }
    }

    /// Whether a NAL unit is a parameter set.
    fn parameters(&self, head: u8) -> bool {
        match self.hevc {
            false => matches!(head & 0x1f, 7 | 8),
            true => matches!((head >> 1) & 0x3f, 32..=34),
        }
    }

    /// Reads a sample up to its first slice.
    fn units(
        &self,
        source: &mut dyn ReadAt,
        track: u32,
        sample: &Sample,
    ) -> Result<Units, Mp4Error> {
        let mut units = Units {
            picture: None,
            parameters: Vec::new(),
        };
        let end = sample.offset.saturating_add(sample.size.into());
        let mut at = sample.offset;
        let mut read = |offset: u64, buffer: &mut [u8]| {
            source
                .read_at(offset, buffer)
                .map_err(|source| Mp4Error::ReadSample {
                    track,
                    offset,
                    size: buffer.len() as u64,
                    source,
                })
        };
        for _ in 0..MAX_NAL_UNITS {
            let mut head = [0; 5];
            let wanted = self.length_size + 1;
            let Some(head) = head.get_mut(..wanted) else {
                break;
            };
            let unit = at.saturating_add(self.length_size as u64);
            if unit >= end {
                break;
            }
            read(at, head)?;
            let (kind, length) = head.split_last().unwrap_or((&0, &[]));
            let length = length
                .iter()
                .fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
            let next = unit.saturating_add(length);
            if next > end {
                break;
            }
            if length > 0 {
                units.picture = self.picture(*kind);
                if units.picture.is_some() {
                    break;
                }
                if self.parameters(*kind) {
                    let mut set = vec![0; length.min(MAX_PARAMETERS) as usize];
                    read(unit, &mut set)?;
                    units.parameters.push(set);
                }
            }
            at = next;
        }
        Ok(units)
    }

    /// Whether pictures that cannot be decoded follow the track's first.
    fn skips_follow(&self, source: &mut dyn ReadAt, track: &Track) -> Result<bool, Mp4Error> {
        let mut cursor = track.cursor();
        cursor.next(source)?;
        for _ in 0..MAX_LEADING {
            let Some(sample) = cursor.next(source)? else {
                break;
            };
            match self.units(source, track.id, &sample)?.picture {
                Some(Picture::Skipped) => return Ok(true),
                Some(Picture::Leading) => {}
                Some(Picture::Idr | Picture::RandomAccess { .. } | Picture::Trailing) | None => {
                    break;
                }
            }
        }
        Ok(false)
    }

    /// The parameter sets in the decoder configuration (ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1).
    fn configured(&self) -> Vec<&'a [u8]> {
        let mut sets = Vec::new();
        let mut rest = self.config;
        let mut take = |count: usize| -> Option<&'a [u8]> {
            let (taken, left) = rest.split_at_checked(count)?;
            rest = left;
            Some(taken)
        };
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, b| (sum << 8) | usize::from(*b));
        let mut list = || -> Option<()> {
            take(if self.hevc { 22 } else { 5 })?;
            let arrays = match self.hevc {
                true => number(take(1)?),
                false => 2,
            };
            for array in 0..arrays {
                let count = match (self.hevc, array) {
                    (true, _) => {
                        take(1)?;
                        number(take(2)?)
                    }
                    (false, 0) => number(take(1)?) & 0x1f,
                    (false, _) => number(take(1)?),
                };
                for _ in 0..count {
                    let length = number(take(2)?);
                    sets.push(take(length)?);
                }
            }
            Some(())
        };
        // What stands before a broken end is known all the same.
        let _ = list();
        sets
    }
}
