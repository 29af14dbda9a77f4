//! Sample entries: what a track's samples are, and what a decoder must know before the first one.
//!
//! ```text
//! stsd
//!  ├─ avc1 avc3 ── avcC          ISO/IEC 14496-15, 5.4
//!  ├─ hvc1 hev1 ── hvcC          ISO/IEC 14496-15, 8.4
//!  ├─ mp4a ─────── esds          ISO/IEC 14496-14, 5.6
//!  │    └─ wave ── esds          QuickTime File Format, "siDecompressionParam"
//!  └─ encv enca ── sinf ── frma  ISO/IEC 14496-12, 8.12
//! ```

use super::{
    Codec, TrackKind,
    boxes::{Atom, Fields},
    error::{FourCc, Mp4Error},
};
use crate::domain::units::Size;

/// How many sample entries of a track are read. Files have one, edited ones a few.
const MAX_ENTRIES: u64 = 256;

/// Fields of a visual sample entry before its boxes (ISO/IEC 14496-12, 12.1.3).
const VISUAL_FIELDS: usize = 78;
/// Fields of an audio sample entry before its boxes (ISO/IEC 14496-12, 12.2.3).
const AUDIO_FIELDS: usize = 28;
/// What QuickTime's version 1 adds to the audio fields.
const QUICKTIME_1_FIELDS: usize = 16;
/// What QuickTime's version 2 adds to the audio fields.
const QUICKTIME_2_FIELDS: usize = 36;

/// What one sample entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub codec: Codec,
    pub size: Option<Size>,
    pub pixel_aspect: Option<(u32, u32)>,
}

/// The entries of an stsd box. One that cannot be read is an error only for whoever needs it.
pub(super) fn entries(
    stsd: &Atom<'_>,
    kind: TrackKind,
) -> Result<Vec<Result<Entry, Mp4Error>>, Mp4Error> {
    let (version, _, mut fields) = stsd.full()?;
    let count = u64::from(fields.u32()?);
    if count > MAX_ENTRIES {
        return Err(Mp4Error::TooLarge {
            place: stsd.place,
            what: "sample entries",
            value: count,
            cap: MAX_ENTRIES,
        });
    }
    let mut entries = Vec::new();
    for atom in stsd
        .children_after(fields.position())
        .take(usize::try_from(count).unwrap_or_default())
    {
        let atom = atom?;
        entries.push(entry(&atom, kind, version));
    }
    Ok(entries)
}

fn entry(atom: &Atom<'_>, kind: TrackKind, stsd_version: u8) -> Result<Entry, Mp4Error> {
    match &atom.kind.0 {
        b"encv" | b"enca" | b"enct" | b"encs" | b"drms" | b"drmi" => Err(encrypted(atom, kind)),
        _ => match kind {
            TrackKind::Video => video(atom),
            TrackKind::Audio => audio(atom, stsd_version),
            TrackKind::Other => Ok(Entry {
                codec: Codec::Other(atom.kind),
                size: None,
                pixel_aspect: None,
            }),
        },
    }
}

/// The error for an encrypted entry, with the name of what is encrypted (sinf/frma) where it can be found.
fn encrypted(atom: &Atom<'_>, kind: TrackKind) -> Mp4Error {
    let skipped = match kind {
        TrackKind::Video => VISUAL_FIELDS,
        TrackKind::Audio => AUDIO_FIELDS,
        TrackKind::Other => 8,
    };
    let original = atom
        .children_after(skipped)
        .filter_map(Result::ok)
        .find(|child| child.kind.0 == *b"sinf")
        .and_then(|sinf| sinf.child(b"frma").ok().flatten())
        .and_then(|frma| frma.fields().array().ok());
    Mp4Error::Encrypted {
        place: atom.place,
        format: original.map_or(atom.kind, FourCc),
    }
}

fn video(atom: &Atom<'_>) -> Result<Entry, Mp4Error> {
    let mut fields = atom.fields();
    fields.take(24)?;
    let (width, height) = (fields.u16()?, fields.u16()?);
    let boxes = || atom.children_after(VISUAL_FIELDS);
    let codec = match &atom.kind.0 {
        b"avc1" | b"avc3" => {
            let config = child_of(atom, boxes(), b"avcC")?;
            // ISO/IEC 14496-15, 5.3.3.1.2: six bytes and a count of picture parameter sets.
            if config.body.len() < 7 || config.body.first() != Some(&1) {
                return Err(config.malformed("not a decoder configuration of version 1"));
            }
            Codec::Avc {
                fourcc: atom.kind,
                config: config.body.to_vec(),
            }
        }
        b"hvc1" | b"hev1" => {
            let config = child_of(atom, boxes(), b"hvcC")?;
            // ISO/IEC 14496-15, 8.3.3.1.2: 23 bytes before the arrays. Early writers left the version 0.
            if config.body.len() < 23 {
                return Err(config.malformed("too short for a decoder configuration"));
            }
            Codec::Hevc {
                fourcc: atom.kind,
                config: config.body.to_vec(),
            }
        }
        _ => Codec::Other(atom.kind),
    };
    Ok(Entry {
        codec,
        size: (width > 0 && height > 0).then(|| Size::new(width.into(), height.into())),
        pixel_aspect: pixel_aspect(boxes()),
    })
}

/// The shape of a pixel, from pasp (ISO/IEC 14496-12, 12.1.4). A senseless one counts as none.
fn pixel_aspect<'a>(
    mut boxes: impl Iterator<Item = Result<Atom<'a>, Mp4Error>>,
) -> Option<(u32, u32)> {
    let pasp = boxes.find_map(|child| child.ok().filter(|child| child.kind.0 == *b"pasp"))?;
    let mut fields = pasp.fields();
    let (horizontal, vertical) = (fields.u32().ok()?, fields.u32().ok()?);
    (horizontal > 0 && vertical > 0).then_some((horizontal, vertical))
}

fn audio(atom: &Atom<'_>, stsd_version: u8) -> Result<Entry, Mp4Error> {
    let mut fields = atom.fields();
    fields.take(8)?;
    let quicktime_version = fields.u16()?;
    fields.take(6)?;
    let channels = fields.u16()?;
    fields.take(6)?;
    let rate = fields.u32()? >> 16;
    // An ISO entry of version 1 has the same fields as one of version 0, and stands in an stsd of version 1.
    let more = match (stsd_version, quicktime_version) {
        (0, 1) => QUICKTIME_1_FIELDS,
        (0, 2) => QUICKTIME_2_FIELDS,
        _ => 0,
    };
    let codec = match &atom.kind.0 {
        b"mp4a" => {
            let boxes = || atom.children_after(AUDIO_FIELDS + more);
            let wave = find(boxes(), b"wave")?;
            let esds = match wave {
                Some(wave) => child_of(&wave, wave.children(), b"esds")?,
                None => child_of(atom, boxes(), b"esds")?,
            };
            elementary_stream(&esds, rate, channels)?
        }
        _ => Codec::Other(atom.kind),
    };
    Ok(Entry {
        codec,
        size: None,
        pixel_aspect: None,
    })
}

fn find<'a>(
    boxes: impl Iterator<Item = Result<Atom<'a>, Mp4Error>>,
    kind: &[u8; 4],
) -> Result<Option<Atom<'a>>, Mp4Error> {
    for child in boxes {
        let child = child?;
        if child.kind.0 == *kind {
            return Ok(Some(child));
        }
    }
    Ok(None)
}

fn child_of<'a>(
    parent: &Atom<'_>,
    boxes: impl Iterator<Item = Result<Atom<'a>, Mp4Error>>,
    kind: &[u8; 4],
) -> Result<Atom<'a>, Mp4Error> {
    find(boxes, kind)?.ok_or(Mp4Error::Missing {
        place: parent.place,
        kind: FourCc(*kind),
    })
}

/// Reads an elementary stream descriptor (ISO/IEC 14496-1, 7.2.6.5) down to the AudioSpecificConfig.
fn elementary_stream(esds: &Atom<'_>, rate: u32, channels: u16) -> Result<Codec, Mp4Error> {
    let (_, _, mut fields) = esds.full()?;
    descriptor(esds, &mut fields, 3)?;
    fields.take(2)?;
    let flags = fields.u8()?;
    if flags & 0x80 != 0 {
        fields.take(2)?;
    }
    if flags & 0x40 != 0 {
        let length = fields.u8()?;
        fields.take(length.into())?;
    }
    if flags & 0x20 != 0 {
        fields.take(2)?;
    }
    descriptor(esds, &mut fields, 4)?;
    let object_type = fields.u8()?;
    fields.take(12)?;
    match object_type {
        // MPEG-4 AAC and the three profiles of MPEG-2 AAC (ISO/IEC 14496-1, table 5).
        0x40 | 0x66..=0x68 => {}
        // MPEG-1 and MPEG-2 layers, by the name that QuickTime has for them.
        0x69 | 0x6b => return Ok(Codec::Other(FourCc(*b".mp3"))),
        _ => return Ok(Codec::Other(FourCc(*b"mp4a"))),
    }
    let length = descriptor(esds, &mut fields, 5)?;
    let config = fields.take(length)?;
    let format = AudioFormat::parse(config)
        .ok_or_else(|| esds.malformed("its AudioSpecificConfig cannot be read"))?;
    if !matches!(format.object_type, 1..=5 | 17 | 23 | 29 | 39) {
        return Ok(Codec::Other(FourCc(*b"mp4a")));
    }
    Ok(Codec::Aac {
        config: config.to_vec(),
        rate: match format.rate {
            0 => rate,
            rate => rate,
        },
        channels: format.channels.unwrap_or(channels),
    })
}

/// Enters the descriptor with a tag and gives its length, which may be padded to four bytes.
fn descriptor(esds: &Atom<'_>, fields: &mut Fields<'_>, tag: u8) -> Result<usize, Mp4Error> {
    if fields.u8()? != tag {
        return Err(esds.malformed("a descriptor is not the one that belongs there"));
    }
    let mut length = 0;
    for _ in 0..4 {
        let byte = fields.u8()?;
        length = (length << 7) | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(length);
        }
    }
    Err(esds.malformed("the length of a descriptor has more than four bytes"))
}

/// The head of an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1).
struct AudioFormat {
    object_type: u32,
    /// In hertz; the higher one where spectral band replication is announced; 0 where reserved.
    rate: u32,
    /// Nothing where the channels are described elsewhere.
    channels: Option<u16>,
}

impl AudioFormat {
    fn parse(config: &[u8]) -> Option<Self> {
        let mut bits = Bits { config, at: 0 };
        let object_type = bits.object_type()?;
        let mut rate = bits.rate()?;
        let channels = match bits.take(4)? {
            count @ 1..=6 => Some(count as u16),
            7 | 12 | 14 => Some(8),
            11 => Some(7),
            _ => None,
        };
        if matches!(object_type, 5 | 29) {
            rate = bits.rate()?;
        }
        Some(Self {
            object_type,
            rate,
            channels,
        })
    }
}

struct Bits<'a> {
    config: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next `count` bits, at most 32.
    fn take(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.config.get(self.at / 8)?;
            value = (value << 1) | u32::from((byte >> (7 - self.at % 8)) & 1);
            self.at += 1;
        }
        Some(value)
    }

    fn object_type(&mut self) -> Option<u32> {
        match self.take(5)? {
            31 => self.take(6).map(|more| 32 + more),
            object_type => Some(object_type),
        }
    }

    fn rate(&mut self) -> Option<u32> {
        /// ISO/IEC 14496-3, table 1.18.
        const RATES: [u32; 13] = [
            96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025,
            8_000, 7_350,
        ];
        match self.take(4)? {
            15 => self.take(24),
            index => Some(RATES.get(index as usize).copied().unwrap_or(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::mp4::error::Place;

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut bytes = (body.len() as u32 + 8).to_be_bytes().to_vec();
        bytes.extend(kind);
        bytes.extend(body);
        bytes
    }

    /// The entries of an stsd of version 0 that holds one entry of this kind and body.
    fn one(
        kind: &[u8; 4],
        body: &[u8],
        track: TrackKind,
    ) -> Result<Vec<Result<Entry, Mp4Error>>, Mp4Error> {
        let mut stsd = vec![0, 0, 0, 0, 0, 0, 0, 1];
        stsd.extend(boxed(kind, body));
        entries(
            &Atom {
                kind: FourCc(*b"stsd"),
                place: Place::top(FourCc(*b"stsd"), 0),
                body: &stsd,
                body_offset: 8,
            },
            track,
        )
    }

    /// An esds with descriptor lengths of `length_bytes` bytes.
    fn esds(length_bytes: usize, object_type: u8, config: &[u8]) -> Vec<u8> {
        let length = |value: usize| -> Vec<u8> {
            (0..length_bytes)
                .rev()
                .map(|i| ((value >> (7 * i)) & 0x7f) as u8 | if i > 0 { 0x80 } else { 0 })
                .collect()
        };
        let mut specific = vec![5];
        specific.extend(length(config.len()));
        specific.extend(config);
        let mut decoder = vec![object_type, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        decoder.extend(specific);
        let mut body = vec![0, 0, 0, 0, 3];
        body.extend(length(decoder.len() + 4 + length_bytes));
        body.extend([0, 1, 0, 4]);
        body.extend(length(decoder.len()));
        body.extend(decoder);
        boxed(b"esds", &body)
    }

    fn audio_fields(version: u8) -> Vec<u8> {
        let mut fields = vec![0; AUDIO_FIELDS];
        fields[9] = version;
        fields[17] = 2;
        fields[24..26].copy_from_slice(&44_100u16.to_be_bytes());
        fields
    }

    fn aac(body: &[u8]) -> Result<Codec, Mp4Error> {
        one(b"mp4a", body, TrackKind::Audio)
            .expect("an stsd")
            .remove(0)
            .map(|e| e.codec)
    }

    #[test]
    fn aac_is_found_behind_long_lengths_and_in_quicktime_waves() {
        let expected = Codec::Aac {
            config: vec![0x11, 0x90],
            rate: 48_000,
            channels: 2,
        };
        for length_bytes in 1..=4 {
            let mut body = audio_fields(0);
            body.extend(esds(length_bytes, 0x40, &[0x11, 0x90]));
            assert_eq!(aac(&body), Ok(expected.clone()), "{length_bytes}");
        }
        for (version, more) in [(0, 0), (1, QUICKTIME_1_FIELDS), (2, QUICKTIME_2_FIELDS)] {
            let mut wave = boxed(b"frma", b"mp4a");
            wave.extend(boxed(b"mp4a", &[0, 0, 0, 0]));
            wave.extend(esds(4, 0x40, &[0x11, 0x90]));
            wave.extend([0, 0, 0, 8, 0, 0, 0, 0]);
            let mut body = audio_fields(version);
            body.extend(vec![0; more]);
            body.extend(boxed(b"wave", &wave));
            assert_eq!(aac(&body), Ok(expected.clone()), "version {version}");
        }
        let mut body = audio_fields(0);
        body.extend(esds(5, 0x40, &[0x11, 0x90]));
        assert!(
            matches!(aac(&body), Err(Mp4Error::Malformed { .. })),
            "a length of five bytes"
        );
    }

    #[test]
    fn the_audio_config_gives_rate_and_channels() {
        let format =
            |config: &[u8]| AudioFormat::parse(config).map(|f| (f.object_type, f.rate, f.channels));
        assert_eq!(format(&[0x12, 0x10]), Some((2, 44_100, Some(2))));
        assert_eq!(format(&[0x11, 0xb8]), Some((2, 48_000, Some(8))));
        // HE-AAC announced: 24 kHz core, 48 kHz out.
        assert_eq!(format(&[0x2b, 0x11, 0x88, 0]), Some((5, 48_000, Some(2))));
        // A rate in 24 bits: 12,345 Hz.
        assert_eq!(
            format(&[0x17, 0x80, 0x18, 0x1c, 0x88]),
            Some((2, 12_345, Some(1)))
        );
        assert_eq!(
            format(&[0x12, 0x00]),
            Some((2, 44_100, None)),
            "described elsewhere"
        );
        assert_eq!(format(&[0x12]), None);
        assert_eq!(format(&[]), None);
    }

    #[test]
    fn what_is_no_aac_is_named() {
        let mut body = audio_fields(0);
        body.extend(esds(1, 0x6b, &[]));
        assert_eq!(aac(&body), Ok(Codec::Other(FourCc(*b".mp3"))));
        let opus = one(b"Opus", &audio_fields(0), TrackKind::Audio)
            .expect("an stsd")
            .remove(0);
        assert_eq!(opus.map(|e| e.codec), Ok(Codec::Other(FourCc(*b"Opus"))));
    }

    #[test]
    fn encrypted_entries_say_what_they_hide() {
        let sinf = boxed(b"sinf", &boxed(b"frma", b"avc1"));
        let mut body = vec![0; VISUAL_FIELDS];
        body.extend(&sinf);
        let error = one(b"encv", &body, TrackKind::Video)
            .expect("an stsd")
            .remove(0)
            .expect_err("encrypted");
        assert_eq!(
            error.to_string(),
            "stsd/encv at byte 16 is encrypted (avc1), needs a key"
        );
        let error = one(b"enca", &[], TrackKind::Audio)
            .expect("an stsd")
            .remove(0)
            .expect_err("encrypted");
        assert!(matches!(error, Mp4Error::Encrypted { format, .. } if format.0 == *b"enca"));
    }

    #[test]
    fn video_entries_give_size_and_pixel_shape() {
        let mut body = vec![0; VISUAL_FIELDS];
        body[24..28].copy_from_slice(&[0x07, 0x80, 0x04, 0x38]);
        body.extend(boxed(b"pasp", &[0, 0, 0, 4, 0, 0, 0, 3]));
        let missing = one(b"avc1", &body, TrackKind::Video)
            .expect("an stsd")
            .remove(0);
        assert!(matches!(missing, Err(Mp4Error::Missing { kind, .. }) if kind.0 == *b"avcC"));
        body.extend(boxed(b"avcC", &[1, 66, 0, 30, 0xff, 0xe0, 0]));
        let entry = one(b"avc1", &body, TrackKind::Video)
            .expect("an stsd")
            .remove(0)
            .expect("valid");
        assert_eq!(entry.size, Some(Size::new(1920, 1080)));
        assert_eq!(entry.pixel_aspect, Some((4, 3)));
        for config in [&[1, 66][..], &[0, 66, 0, 30, 0xff, 0xe0, 0][..]] {
            let mut body = vec![0; VISUAL_FIELDS];
            body.extend(boxed(b"avcC", config));
            let entry = one(b"avc3", &body, TrackKind::Video)
                .expect("an stsd")
                .remove(0);
            assert!(matches!(entry, Err(Mp4Error::Malformed { .. })));
        }
    }
}
