//! Opening a file: its top-level boxes, then the moov box, then the fragments, put together to tracks.

use std::sync::Arc;

use super::{
    Codec, MAX_EDIT_WORK, MAX_MOOFS, MAX_MOOV, MAX_TOP_BOXES, MAX_TRACKS, Movie, ReadAt, Track,
    TrackKind, Turn,
    boxes::{Atom, Extent, Header},
    cursor::Media,
    entries::{self, Entry},
    error::{FourCc, Mp4Error, Place},
    fragments::{self, Defaults, MoofSpan, TrackIndex},
    summary::{Pace, Summary},
    tables::{Moov, Tables},
    timeline::{Clocks, EditList, Timeline},
};
use crate::domain::units::{MediaTime, Rate};

/// The boxes that stand at the begin of files.
const FIRST_BOXES: [&[u8; 4]; 14] = [
    b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot", b"sidx",
    b"emsg", b"prft", b"uuid", b"pdin",
];

pub(super) fn looks_like_mp4(head: &[u8]) -> bool {
    let Some((size, rest)) = head.split_first_chunk::<4>() else {
        return false;
    };
    let Some(kind) = rest.first_chunk::<4>() else {
        return false;
    };
    let size = u32::from_be_bytes(*size);
    (size <= 1 || size >= 8) && FIRST_BOXES.contains(&kind)
}

/// What stands at the top of a file.
struct Layout {
    moov: Option<(u64, Header, u64)>,
    moofs: Vec<MoofSpan>,
    /// Why the walk ended before the end of the file.
    broken: Option<Mp4Error>,
}

/// Walks the headers of the boxes at the top of the file.
fn layout(source: &mut dyn ReadAt) -> Result<Layout, Mp4Error> {
    let file = source.size();
    let mut layout = Layout {
        moov: None,
        moofs: Vec::new(),
        broken: None,
    };
    let (mut offset, mut boxes) = (0u64, 0usize);
    while file.saturating_sub(offset) >= 8 {
        let mut bytes = [0; 16];
        let length = file.saturating_sub(offset).min(16) as usize;
        let head = bytes.get_mut(..length).unwrap_or_default();
        source
            .read_at(offset, head)
            .map_err(|source| Mp4Error::Read {
                place: Place::top(FourCc(*b"file"), offset),
                source,
            })?;
        let Some(header) = Header::parse(head) else {
            break;
        };
        let place = Place::top(header.kind, offset);
        boxes += 1;
        if boxes > MAX_TOP_BOXES {
            return Err(Mp4Error::TooLarge {
                place,
                what: "boxes at the top of the file",
                value: boxes as u64,
                cap: MAX_TOP_BOXES as u64,
            });
        }
        let left = file - offset;
        let size = match header.extent {
            Extent::Bytes(size) => size,
            Extent::ToTheEnd => left,
            Extent::Impossible => {
                layout.broken = Some(Mp4Error::Malformed {
                    place,
                    why: "its size is smaller than its header",
                });
                break;
            }
        };
        if size > left {
            let cut = Mp4Error::Truncated {
                place,
                end: offset.saturating_add(size),
                limit: file,
            };
            // Samples that are cut off are told of one by one; a description that is cut off is of no use.
            match &header.kind.0 {
                b"mdat" => {}
                b"moov" if layout.moov.is_none() => return Err(cut),
                _ => layout.broken = Some(cut),
            }
            break;
        }
        match &header.kind.0 {
            b"moov" if layout.moov.is_none() => layout.moov = Some((offset, header, size)),
            b"moof" => {
                layout.moofs.push(MoofSpan {
                    offset,
                    header: header.length,
                    size,
                });
                if layout.moofs.len() > MAX_MOOFS {
                    return Err(Mp4Error::TooLarge {
                        place,
                        what: "fragments",
                        value: layout.moofs.len() as u64,
                        cap: MAX_MOOFS as u64,
                    });
                }
            }
            _ => {}
        }
        offset += size;
    }
    Ok(layout)
}

pub(super) fn open(source: &mut dyn ReadAt) -> Result<Movie, Mp4Error> {
    let layout = layout(source)?;
    let Some((offset, header, size)) = layout.moov else {
        return Err(match layout.broken {
            // The first box already makes no sense: rather than a broken MP4 file, this is none.
            Some(error @ Mp4Error::Malformed { place, .. }) if place.offset() > 0 => error,
            _ => Mp4Error::NoMoov {
                size: source.size(),
            },
        });
    };
    let place = Place::top(header.kind, offset);
    if size > MAX_MOOV {
        return Err(Mp4Error::TooLarge {
            place,
            what: "bytes",
            value: size,
            cap: MAX_MOOV,
        });
    }
    let body_offset = offset + header.length;
    let mut body = vec![0; usize::try_from(size - header.length).unwrap_or(0)];
    source
        .read_at(body_offset, &mut body)
        .map_err(|source| Mp4Error::Read { place, source })?;
    let moov = Moov {
        bytes: Arc::new(body),
        offset: body_offset,
    };
    let bytes = Arc::clone(&moov.bytes);
    let atom = Atom {
        kind: header.kind,
        place,
        body: &bytes,
        body_offset,
    };
    if atom.child(b"cmov")?.is_some() {
        return Err(Mp4Error::Unsupported {
            place,
            what: "a compressed moov box",
        });
    }
    let mvex = atom.child(b"mvex")?;
    let fragmented = mvex.is_some() || !layout.moofs.is_empty();
    // After the last box of a plain file there may be anything. In a fragmented one, playback would end too early.
    if let (true, Some(broken)) = (fragmented, layout.broken) {
        return Err(broken);
    }
    let defaults = match mvex {
        Some(mvex) => Defaults::parse(&mvex)?,
        None => Arc::from([]),
    };
    let movie_scale = movie_scale(&atom)?;
    let mut drafts = Vec::new();
    for child in atom.children() {
        let trak = child?;
        if trak.kind.0 == *b"trak" {
            drafts.push(Draft::parse(&trak, &moov, fragmented)?);
            if drafts.len() > MAX_TRACKS {
                return Err(Mp4Error::TooLarge {
                    place: trak.place,
                    what: "tracks",
                    value: drafts.len() as u64,
                    cap: MAX_TRACKS as u64,
                });
            }
        }
    }
    let mut indexes: Vec<TrackIndex> = drafts.iter().map(Draft::index).collect();
    fragments::index(source, &layout.moofs, &defaults, &mut indexes)?;
    let begin = begin(&drafts, &indexes);
    let tracks = drafts
        .into_iter()
        .zip(indexes)
        .map(|(draft, index)| draft.finish(index, &defaults, movie_scale, begin))
        .collect::<Result<Vec<_>, _>>()?;
    match tracks
        .iter()
        .any(|track| track.kind != TrackKind::Other && track.samples > 0)
    {
        true => Ok(Movie { tracks }),
        false => Err(atom.malformed("it has no picture and no sound")),
    }
}

/// Ticks a second of the movie (mvhd, 8.2.2).
fn movie_scale(moov: &Atom<'_>) -> Result<u32, Mp4Error> {
    clock(&moov.need(b"mvhd")?)
}

/// Ticks a second, which mvhd and mdhd have in the same place.
fn clock(header: &Atom<'_>) -> Result<u32, Mp4Error> {
    let (version, _, mut fields) = header.full()?;
    fields.take(if version == 0 { 8 } else { 16 })?;
    match fields.u32()? {
        0 => Err(header.malformed("its clock has no ticks")),
        scale => Ok(scale),
    }
}

/// What a trak box says, before the fragments are known.
struct Draft {
    id: u32,
    kind: TrackKind,
    turn: Turn,
    media: Result<DraftMedia, Mp4Error>,
}

struct DraftMedia {
    scale: u32,
    edits: Option<EditList>,
    entries: Vec<Result<Entry, Mp4Error>>,
    tables: Tables,
    /// What the tables say of the samples.
    summary: Option<Summary>,
    stsd: Place,
    stbl: Place,
}

impl Draft {
    fn parse(trak: &Atom<'_>, moov: &Moov, fragmented: bool) -> Result<Self, Mp4Error> {
        let (id, turn) = track_header(&trak.need(b"tkhd")?)?;
        let mdia = trak.need(b"mdia")?;
        let (_, _, mut fields) = mdia.need(b"hdlr")?.full()?;
        fields.take(4)?;
        let kind = match &fields.array()? {
            b"vide" => TrackKind::Video,
            b"soun" => TrackKind::Audio,
            _ => TrackKind::Other,
        };
        let media = match DraftMedia::parse(trak, &mdia, kind, moov, fragmented) {
            Err(error) if kind != TrackKind::Other => return Err(error),
            media => media,
        };
        Ok(Self {
            id,
            kind,
            turn,
            media,
        })
    }

    fn index(&self) -> TrackIndex {
        let media = self.media.as_ref().ok();
        TrackIndex {
            id: self.id,
            summary: media.and_then(|media| media.summary),
            fragments: Vec::new(),
            descriptions: media.map_or_else(Vec::new, |media| media.tables.descriptions.clone()),
        }
    }

    fn finish(
        self,
        index: TrackIndex,
        defaults: &Arc<[Defaults]>,
        movie_scale: u32,
        begin: Instant,
    ) -> Result<Track, Mp4Error> {
        let mut track = Track {
            id: self.id,
            kind: self.kind,
            codec: Codec::Other(FourCc([0; 4])),
            size: None,
            pixel_aspect: None,
            turn: self.turn,
            frame_rate: None,
            samples: index.summary.map_or(0, |summary| summary.samples),
            duration: MediaTime::ZERO,
            media: Err(Mp4Error::NoTrack { index: 0 }),
        };
        let finished = self.media.and_then(|media| {
            let entry = media.entry(&index.descriptions)?;
            let summary = index.summary;
            let clocks = Clocks {
                movie_scale,
                scale: media.scale,
                origin: begin.ticks(media.scale),
            };
            let edits = media.edits.as_ref();
            let timeline = Timeline::new(edits, summary.as_ref(), clocks, media.stbl)?;
            let work = (timeline.segments().len() as u64).saturating_mul(track.samples);
            if timeline.segments().len() > 1 && work > MAX_EDIT_WORK {
                return Err(Mp4Error::TooLarge {
                    place: edits.map_or(media.stbl, EditList::place),
                    what: "samples to pass over for its edits",
                    value: work,
                    cap: MAX_EDIT_WORK,
                });
            }
            if let (TrackKind::Video, Some(Pace::Steady(delta))) =
                (self.kind, summary.map(|summary| summary.pace))
            {
                track.frame_rate = Rate::new(media.scale, delta);
            }
            track.codec = entry.codec.clone();
            track.size = entry.size;
            track.pixel_aspect = entry.pixel_aspect;
            track.duration = timeline.duration();
            Ok(Arc::new(Media {
                track: self.id,
                kind: self.kind,
                lead: usize::from(matches!(track.codec, Codec::Aac { .. })),
                tables: media.tables,
                fragments: index.fragments,
                defaults: Arc::clone(defaults),
                summary,
                timeline,
            }))
        });
        track.media = match finished {
            Err(error) if self.kind != TrackKind::Other => return Err(error),
            finished => finished,
        };
        Ok(track)
    }
}

impl DraftMedia {
    fn parse(
        trak: &Atom<'_>,
        mdia: &Atom<'_>,
        kind: TrackKind,
        moov: &Moov,
        fragmented: bool,
    ) -> Result<Self, Mp4Error> {
        let scale = clock(&mdia.need(b"mdhd")?)?;
        let edits = match trak.child(b"edts")? {
            Some(edts) => edts.child(b"elst")?,
            None => None,
        };
        let minf = mdia.need(b"minf")?;
        only_in_this_file(&minf)?;
        let stbl = minf.need(b"stbl")?;
        let stsd = stbl.need(b"stsd")?;
        let tables = Tables::parse(&stbl, moov, fragmented)?;
        Ok(Self {
            scale,
            edits: match edits {
                Some(elst) => EditList::parse(&elst)?,
                None => None,
            },
            entries: entries::entries(&stsd, kind)?,
            summary: tables.summary()?,
            tables,
            stsd: stsd.place,
            stbl: stbl.place,
        })
    }

    /// The sample entry that all samples use.
    fn entry(&self, descriptions: &[u32]) -> Result<&Entry, Mp4Error> {
        let mut used = None;
        // A track without samples is described by its first entry.
        let descriptions = match descriptions {
            [] => &[1],
            some => some,
        };
        for number in descriptions {
            let index = number.checked_sub(1).map(|index| index as usize);
            let entry = match index.and_then(|index| self.entries.get(index)) {
                Some(Ok(entry)) => entry,
                Some(Err(error)) => return Err(error.clone()),
                None => {
                    return Err(Mp4Error::Malformed {
                        place: self.stsd,
                        why: "samples use a description that it does not have",
                    });
                }
            };
            if *used.get_or_insert(entry) != entry {
                return Err(Mp4Error::Unsupported {
                    place: self.stsd,
                    what: "a track whose samples change their description",
                });
            }
        }
        used.ok_or(Mp4Error::Malformed {
            place: self.stsd,
            why: "it describes nothing",
        })
    }
}

/// The track's id and how its picture is turned (tkhd, 8.3.2).
fn track_header(tkhd: &Atom<'_>) -> Result<(u32, Turn), Mp4Error> {
    let (version, _, mut fields) = tkhd.full()?;
    fields.take(if version == 0 { 8 } else { 16 })?;
    let id = fields.u32()?;
    fields.take(if version == 0 { 8 } else { 12 })?;
    fields.take(16)?;
    let mut matrix = [0; 4];
    for (index, value) in matrix.iter_mut().enumerate() {
        *value = fields.i32()?;
        if index % 2 == 1 {
            fields.take(4)?;
        }
    }
    const ONE: i32 = 0x1_0000;
    const MINUS: i32 = -ONE;
    let turn = match matrix {
        [0, ONE, MINUS, 0] => Turn::Quarter,
        [MINUS, 0, 0, MINUS] => Turn::Half,
        [0, MINUS, ONE, 0] => Turn::ThreeQuarters,
        _ => Turn::None,
    };
    Ok((id, turn))
}

/// Refuses samples that lie in another file (dinf/dref, 8.7.2).
fn only_in_this_file(minf: &Atom<'_>) -> Result<(), Mp4Error> {
    let dref = match minf.child(b"dinf")? {
        Some(dinf) => dinf.child(b"dref")?,
        None => None,
    };
    let Some(dref) = dref else {
        return Ok(());
    };
    for entry in dref.children_after(8) {
        let entry = entry?;
        let (_, flags, _) = entry.full()?;
        // An alias without its flag is what QuickTime writes for the file itself as well, with nothing in it.
        if flags & 1 == 0 && entry.body.len() > 4 {
            return Err(Mp4Error::Unsupported {
                place: entry.place,
                what: "a track whose samples lie in another file",
            });
        }
    }
    Ok(())
}

/// A time by the clock of some track.
#[derive(Clone, Copy, Debug)]
struct Instant {
    ticks: i64,
    scale: u32,
}

impl Instant {
    const ZERO: Instant = Instant { ticks: 0, scale: 1 };

    /// The time by another clock, rounded to the nearest tick.
    fn ticks(&self, scale: u32) -> i64 {
        let ticks = i128::from(self.ticks) * i128::from(scale);
        let own = i128::from(self.scale.max(1));
        i64::try_from((ticks + own / 2).div_euclid(own)).unwrap_or(0)
    }

    fn is_before(&self, other: &Instant) -> bool {
        i128::from(self.ticks) * i128::from(other.scale)
            < i128::from(other.ticks) * i128::from(self.scale)
    }
}

/// Finds the media time at which a movie begins. It is 0, but for two things.
///
/// Segments of a fragmented stream keep the stream's decoding times, which may be hours: the earliest begin of all
/// tracks then counts as 0, so that tracks keep their distance. Not so as soon as a track has samples in its tables, or
/// an edit list that reckons with such times.
///
/// And writers that do not take back by an edit list the time by which reordering delays their pictures have delayed
/// their sound with them. Nobody wants to see a gap instead: that time is taken off all tracks.
fn begin(drafts: &[Draft], indexes: &[TrackIndex]) -> Instant {
    let origin = origin(drafts, indexes).unwrap_or(Instant::ZERO);
    let pictures = drafts.iter().zip(indexes).find_map(|(draft, index)| {
        let media = draft.media.as_ref().ok()?;
        let summary = index.summary?;
        (draft.kind == TrackKind::Video).then_some((media, summary))
    });
    let Some((media, summary)) = pictures else {
        return origin;
    };
    let ticks = origin.ticks(media.scale);
    let reordering = summary.earliest.saturating_sub(summary.first_dts);
    let delay = match media.edits.as_ref().and_then(|list| list.edits().first()) {
        None => reordering,
        Some(edit) => match edit.media_time {
            // A delay that somebody asked for.
            None => 0,
            Some(time) => {
                let gap = summary.earliest.saturating_sub(ticks.saturating_add(time));
                match (0..=reordering).contains(&gap) {
                    true => gap,
                    false => 0,
                }
            }
        },
    };
    Instant {
        ticks: ticks.saturating_add(delay),
        scale: media.scale,
    }
}

/// The earliest begin of all pictures and sounds of a piece of a longer stream.
fn origin(drafts: &[Draft], indexes: &[TrackIndex]) -> Option<Instant> {
    let mut earliest: Option<Instant> = None;
    for (draft, index) in drafts.iter().zip(indexes) {
        let (Ok(media), Some(summary)) = (&draft.media, &index.summary) else {
            continue;
        };
        if draft.kind == TrackKind::Other {
            continue;
        }
        let edited = media.edits.as_ref().and_then(EditList::first_media_time);
        if media.tables.samples() > 0 || edited.is_some_and(|time| time >= summary.first_dts) {
            return None;
        }
        let first = Instant {
            ticks: summary.first_dts,
            scale: media.scale,
        };
        earliest = match earliest {
            Some(other) if !first.is_before(&other) => Some(other),
            _ => Some(first),
        };
    }
    earliest
}
