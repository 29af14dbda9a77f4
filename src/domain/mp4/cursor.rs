//! Walking the samples of a track in decoding order, edit by edit, with the times of the presentation.

use std::sync::Arc;

use super::{
    MAX_SAMPLE, Mp4Error, ReadAt, TrackKind,
    fragments::{Defaults, Fragment, Loaded, RunPoint},
    summary::Summary,
    tables::{RawSample, TablePoint, Tables},
    timeline::{Segment, Timeline},
};
use crate::domain::units::MediaTime;

/// One sample: for video a picture, for AAC a block of 1024 or 2048 frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Where it begins in the file.
    pub offset: u64,
    /// How many bytes it has.
    pub size: u32,
    /// When it is presented, after the edit list. The first shown picture of a presentation without a leading delay
    /// has 0. What is only decoded may lie before 0 or past the end, or where another sample is shown.
    ///
    /// An edit may begin amid a sample. A picture then has the time of the edit's begin; sound keeps the time of
    /// its own begin, and whoever decodes it cuts.
    pub pts: MediaTime,
    /// When it is decoded, on the same line; never less than the sample's before, and at most the `pts` of a shown
    /// sample. It may be negative.
    pub dts: MediaTime,
    /// How long it is presented. Samples that follow each other without a gap do so to the nanosecond. A picture's
    /// is cut where the edit ends, sound's is not.
    pub duration: MediaTime,
    /// Whether decoding can begin with it.
    pub sync: bool,
    /// Whether it is presented. If not, it lies outside the edit, and is decoded for the sake of others.
    pub shown: bool,
}

/// What is needed to walk a track's samples.
#[derive(Debug)]
pub(super) struct Media {
    pub track: u32,
    pub kind: TrackKind,
    /// How many samples before the first sync sample of an edit are decoded as well: 1 for AAC, whose blocks overlap.
    pub lead: usize,
    pub tables: Tables,
    pub fragments: Vec<Fragment>,
    pub defaults: Arc<[Defaults]>,
    pub summary: Option<Summary>,
    pub timeline: Timeline,
}

/// Where the next sample is.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    /// How many samples of the track come before.
    number: u64,
    table: TablePoint,
    fragment: usize,
    run: RunPoint,
}

impl Media {
    /// The difference of the earliest presentation to its decoding.
    fn least_offset(&self) -> i64 {
        self.summary.map_or(0, |summary| summary.least_offset)
    }

    /// The sample at a point, which moves on to the next; nothing after the last. An error moves nothing.
    fn next(
        &self,
        source: &mut dyn ReadAt,
        point: &mut Point,
        loaded: &mut Option<Loaded>,
    ) -> Result<Option<RawSample>, Mp4Error> {
        let mut p = *point;
        let sample = match self.tables.next(&mut p.table)? {
            Some(sample) => sample,
            None => match self.next_in_fragments(source, &mut p, loaded)? {
                Some(sample) => sample,
                None => return Ok(None),
            },
        };
        p.number = p.number.saturating_add(1);
        let end = sample.offset.saturating_add(sample.size.into());
        if end > source.size() {
            return Err(Mp4Error::SampleBeyondEnd {
                track: self.track,
                sample: p.number,
                offset: sample.offset,
                end,
                size: source.size(),
            });
        }
        *point = p;
        Ok(Some(sample))
    }

    fn next_in_fragments(
        &self,
        source: &mut dyn ReadAt,
        p: &mut Point,
        loaded: &mut Option<Loaded>,
    ) -> Result<Option<RawSample>, Mp4Error> {
        while let Some(fragment) = self.fragments.get(p.fragment) {
            let current = match loaded.take() {
                Some(current) if current.number == p.fragment => current,
                _ => Loaded::read(source, p.fragment, fragment, &self.defaults, self.track)?,
            };
            let sample = current.next(&mut p.run);
            *loaded = Some(current);
            if let Some(sample) = sample? {
                return Ok(Some(sample));
            }
            p.fragment += 1;
            p.run = RunPoint::default();
        }
        Ok(None)
    }

    /// Where decoding must begin to show a segment: of the samples up to the first that is shown, in decoding order,
    /// at the last sync sample that is presented at the segment's begin or before; at the first sample of all where
    /// there is none.
    fn start_of(
        &self,
        source: &mut dyn ReadAt,
        segment: &Segment,
        loaded: &mut Option<Loaded>,
    ) -> Result<Point, Mp4Error> {
        let target = segment.media_start;
        let fragment = self
            .fragments
            .iter()
            .rposition(|fragment| fragment.earliest_sync <= target)
            .unwrap_or(0)
            .saturating_sub(self.lead);
        let mut point = match self.fragments.get(fragment) {
            Some(entry) if fragment > 0 => Point {
                number: entry.samples_before,
                table: self.tables.end(),
                fragment,
                run: RunPoint::default(),
            },
            _ => Point::default(),
        };
        let mut start = point;
        let mut before = None;
        loop {
            let here = point;
            let Some(sample) = self.next(source, &mut point, loaded)? else {
                return Ok(start);
            };
            if sample.dts.saturating_add(self.least_offset()) > target {
                return Ok(start);
            }
            if sample.sync && sample.pts <= target {
                start = match self.lead {
                    0 => here,
                    _ => before.unwrap_or(here),
                };
            }
            let end = sample.pts.saturating_add(sample.delta.into());
            if segment.shows(sample.pts, end) {
                return Ok(start);
            }
            before = Some(here);
        }
    }
}

/// A place in a track, which moves from sample to sample. Cheap to clone and to restart.
#[derive(Clone, Debug)]
pub struct SampleCursor {
    media: Result<Arc<Media>, Mp4Error>,
    /// The number of the edit.
    segment: usize,
    /// The next sample in it; nothing before its first.
    point: Option<Point>,
    /// Where decoding begins, for the edits that were played before.
    starts: Vec<Point>,
    dts: Option<MediaTime>,
    loaded: Option<Loaded>,
}

impl SampleCursor {
    pub(super) fn new(media: Result<Arc<Media>, Mp4Error>) -> Self {
        Self {
            media,
            segment: 0,
            point: None,
            starts: Vec::new(),
            dts: None,
            loaded: None,
        }
    }

    /// The next sample in decoding order; nothing after the last.
    ///
    /// Of a fragmented file this may read a moof box, of others nothing. After an error the cursor stands where it
    /// stood, so that the same error comes again.
    pub fn next(&mut self, source: &mut dyn ReadAt) -> Result<Option<Sample>, Mp4Error> {
        let media = Arc::clone(self.media.as_ref().map_err(Mp4Error::clone)?);
        while let Some(segment) = media.timeline.segments().get(self.segment) {
            let mut point = match (self.point, self.starts.get(self.segment)) {
                (Some(point), _) => point,
                (None, Some(start)) => *start,
                (None, None) => {
                    let start = media.start_of(source, segment, &mut self.loaded)?;
                    self.starts.push(start);
                    start
                }
            };
            match media.next(source, &mut point, &mut self.loaded)? {
                Some(raw)
                    if raw.dts.saturating_add(media.least_offset()) < segment.shown_before =>
                {
                    self.point = Some(point);
                    return Ok(Some(self.sample(&media, segment, raw)));
                }
                // No later sample can be shown.
                Some(_) | None => {
                    self.segment += 1;
                    self.point = None;
                }
            }
        }
        Ok(None)
    }

    /// Puts a sample on the line of the presentation.
    fn sample(&mut self, media: &Media, segment: &Segment, raw: RawSample) -> Sample {
        let time = |ticks| media.timeline.time(segment, ticks);
        let end = raw.pts.saturating_add(raw.delta.into());
        let shown = segment.shows(raw.pts, end);
        let (from, to) = match (media.kind, shown) {
            (TrackKind::Video, true) => {
                (raw.pts.max(segment.media_start), end.min(segment.media_end))
            }
            _ => (raw.pts, end),
        };
        // Where pictures are presented before the time of their decoding (ctts of version 1), all are decoded earlier.
        let dts = time(raw.dts.saturating_add(media.least_offset().min(0)));
        let dts = self.dts.map_or(dts, |before| before.max(dts));
        self.dts = Some(dts);
        let pts = time(from);
        Sample {
            offset: raw.offset,
            size: raw.size,
            pts,
            dts,
            duration: time(to) - pts,
            sync: raw.sync,
            shown,
        }
    }

    /// Goes back to the first sample.
    pub fn restart(&mut self) {
        self.segment = 0;
        self.point = None;
        self.dts = None;
    }

    /// Reads a sample's bytes into a buffer, which then holds nothing else.
    pub fn read(
        &self,
        source: &mut dyn ReadAt,
        sample: &Sample,
        into: &mut Vec<u8>,
    ) -> Result<(), Mp4Error> {
        let track = self.media.as_ref().map_or(0, |media| media.track);
        into.clear();
        if sample.size > MAX_SAMPLE {
            return Err(Mp4Error::SampleTooLarge {
                track,
                offset: sample.offset,
                size: sample.size,
                cap: MAX_SAMPLE,
            });
        }
        into.resize(sample.size as usize, 0);
        source
            .read_at(sample.offset, into)
            .map_err(|source| Mp4Error::ReadSample {
                track,
                offset: sample.offset,
                size: sample.size.into(),
                source,
            })
    }
}
