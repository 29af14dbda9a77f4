//! The MP4 sample source: our own demultiplexer in front of GStreamer's decoders.
//!
//! It reads access units by the movie's sample tables and pushes them into `appsrc`, round after round: at the end it
//! goes on with the first sample, so a loop needs no seek, flush or drain. Each round has a stretch of the pipeline's
//! time line to itself, so that a decoded frame tells its round by its timestamp alone.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, mpsc::Sender},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::{
    domain::{
        mp4::{Codec, Movie, Mp4Error, ReadAt, ReadError, SampleCursor, TrackKind},
        pacing::Traits,
        sequencer::{Failure, FailureKind, Replayable},
        units::MediaTime,
    },
    gst::{
        decoders::{self, Candidate, DecoderOptions, Taking},
        frames,
        pipeline::{self, Delivered, Happening, TimeLine},
        slot::{Built, failure},
        sound,
    },
    os::feed::Feed,
};

/// Room on the time line before and after each round: for samples that are decoded and not shown.
const MARGIN: MediaTime = MediaTime::from_seconds(2);

/// A decoder that was fed this many samples and a whole round, and has delivered nothing, will deliver nothing.
const PATIENCE: u64 = 64;

/// A file as the reader of the domain wants it.
#[derive(Clone)]
pub struct FileSource {
    file: Arc<File>,
    size: u64,
}

impl FileSource {
    /// Opens a file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        Ok(Self {
            file: Arc::new(file),
            size,
        })
    }
}

impl ReadAt for FileSource {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.file
            .read_exact_at(buffer, offset)
            .map_err(|err| ReadError(err.to_string()))
    }
}

/// A movie that was read and can be built into pipelines.
pub struct Prepared {
    source: FileSource,
    movie: Movie,
    video: usize,
    sound: Option<usize>,
    length: MediaTime,
    joinable: bool,
    /// Frames in one round, about.
    frames: u64,
    name: String,
}

/// Reads a file's tables and checks that every sample is there. Nothing if the file is not for this source.
pub fn prepare(path: &Path, cap: Option<MediaTime>) -> Result<Option<Prepared>, Failure> {
    let name = path.display().to_string();
    let unreadable =
        |err: &dyn std::fmt::Display| failure(FailureKind::Missing, format!("{name}: {err}"));
    let mut source = FileSource::open(path).map_err(|err| unreadable(&err))?;
    if source.size == 0 {
        return Err(failure(
            FailureKind::Corrupt,
            format!("{name}: the file is empty"),
        ));
    }
    let mut head = vec![0; source.size.min(64) as usize];
    source
        .read_at(0, &mut head)
        .map_err(|err| unreadable(&err))?;
    if !Movie::looks_like_mp4(&head) {
        return Ok(None);
    }
    let corrupt = |err: Mp4Error| failure(FailureKind::Corrupt, format!("{name}: {err}"));
    let movie = Movie::open(&mut source).map_err(corrupt)?;
    let first = |kind: TrackKind| movie.tracks.iter().position(|track| track.kind == kind);
    let Some(video) = first(TrackKind::Video) else {
        return Err(failure(
            FailureKind::Unsupported,
            format!("{name}: the file has no picture"),
        ));
    };
    if matches!(movie.tracks[video].codec, Codec::Other(_)) {
        return Ok(None);
    }
    let sound = first(TrackKind::Audio)
        .filter(|sound| matches!(movie.tracks[*sound].codec, Codec::Aac { .. }));
    if sound.is_none() && first(TrackKind::Audio).is_some() {
        // The generic path knows more kinds of sound.
        return Ok(None);
    }
    let joinable = movie.tracks[video].joinable(&mut source).map_err(corrupt)?;
    let frames = survey(movie.cursor(video), &mut source).map_err(corrupt)?;
    let whole = movie.tracks[video].duration;
    let length = cap.map_or(whole, |cap| cap.min(whole));
    if frames == 0 || length <= MediaTime::ZERO {
        return Err(failure(
            FailureKind::Corrupt,
            format!("{name}: the picture track is empty"),
        ));
    }
    Ok(Some(Prepared {
        source,
        movie,
        video,
        sound,
        length,
        joinable,
        frames,
        name,
    }))
}

/// Counts a track's samples, and fails if one lies outside the file.
fn survey(mut cursor: SampleCursor, source: &mut FileSource) -> Result<u64, Mp4Error> {
    let mut samples = 0;
    while cursor.next(source)?.is_some() {
        samples += 1;
    }
    Ok(samples)
}

impl Prepared {
    /// The decoders to try, best first.
    pub fn decoders(&self, options: &DecoderOptions) -> Result<Vec<Candidate>, Failure> {
        let caps = self.video_caps();
        let found = decoders::candidates(&caps.to_owned(), options);
        match found.is_empty() {
            true => {
                let codec = caps
                    .structure(0)
                    .map(|structure| structure.name().to_string())
                    .unwrap_or_default();
                let message = format!("{}: no decoder for {codec} is installed", self.name);
                Err(failure(FailureKind::Unsupported, message))
            }
            false => Ok(found),
        }
    }

    fn video_caps(&self) -> gst::Caps {
        let track = &self.movie.tracks[self.video];
        let (name, format, config) = match &track.codec {
            Codec::Hevc { config, .. } => ("video/x-h265", "hvc1", config.as_slice()),
            Codec::Avc { config, .. } => ("video/x-h264", "avc", config.as_slice()),
            Codec::Aac { .. } | Codec::Other(_) => ("video/x-unknown", "none", [].as_slice()),
        };
        let caps = gst::Caps::builder(name)
            .field("stream-format", format)
            .field("alignment", "au")
            .field("codec_data", gst::Buffer::from_slice(config.to_vec()));
        match track.size {
            Some(size) => caps
                .field("width", size.width as i32)
                .field("height", size.height as i32)
                .build(),
            None => caps.build(),
        }
    }

    /// Builds a pipeline around a decoder; the feeders are started once it plays.
    pub fn build(
        &self,
        candidate: &Candidate,
        options: &DecoderOptions,
        feed: &Arc<Feed>,
        happenings: &Sender<Happening>,
    ) -> Result<(Built, Feeders), String> {
        let line = Arc::new(Rounds {
            stride: self.length + MARGIN.times(2),
            length: self.length,
        });
        let delivered = Arc::new(Delivered::default());
        let pipeline = gst::Pipeline::new();
        pipeline::forward_messages(&pipeline, happenings.clone());

        let caps = self.video_caps();
        let parser = match &self.movie.tracks[self.video].codec {
            Codec::Hevc { .. } => "h265parse",
            Codec::Avc { .. } | Codec::Aac { .. } | Codec::Other(_) => "h264parse",
        };
        let source = source(&caps);
        let decoder = candidate
            .factory
            .create()
            .build()
            .map_err(|err| err.to_string())?;
        let caps_of_frames = match &candidate.taking {
            Taking::Lent(layouts) => frames::lent_caps(layouts),
            Taking::Plain => frames::accepted_caps(),
        };
        let sink = pipeline::frame_sink(
            &caps_of_frames,
            feed.clone(),
            line.clone(),
            delivered.clone(),
            happenings.clone(),
        );
        let parser = pipeline::element(parser)?;
        let convert = pipeline::element("videoconvert")?;
        let mut elements = vec![source.upcast_ref(), &parser, &decoder];
        // A converter takes no frames in a layout of the kernel's.
        if candidate.taking == Taking::Plain {
            elements.push(&convert);
        }
        elements.push(sink.upcast_ref());
        pipeline::chain(&pipeline, &elements)?;

        let common = Feeder {
            source: self.source.clone(),
            feed: feed.clone(),
            line: line.clone(),
            happenings: happenings.clone(),
            name: self.name.clone(),
            in_place: self.joinable,
            limit: None,
        };
        let limit = decoders::frame_limit(candidate, options).map(|limit| Limit {
            limit,
            round: self.frames,
            delivered: delivered.clone(),
        });
        let video = Feeder {
            limit,
            ..common.clone()
        };
        let mut feeders = vec![(
            video,
            self.movie.cursor(self.video),
            source,
            Some(delivered),
        )];
        match self
            .sound
            .map(|sound| (sound, self.build_sound(sound, &pipeline, feed, line)))
        {
            Some((sound, Ok(source))) => {
                feeders.push((common, self.movie.cursor(sound), source, None))
            }
            Some((_, Err(message))) => {
                log::warn!(item = self.name.as_str(), err = message.as_str(); "plays without sound");
                feed.sound.end();
            }
            None => feed.sound.end(),
        }
        let replayable = match self.joinable {
            true => Replayable::InPlace,
            false => Replayable::Reopen,
        };
        let traits = Traits {
            still: false,
            in_place: self.joinable,
        };
        let decoder = Some(candidate.factory.name().to_string());
        Ok((
            Built {
                pipeline,
                traits,
                replayable,
                length: Some(self.length),
                decoder,
            },
            Feeders(feeders),
        ))
    }

    fn build_sound(
        &self,
        track: usize,
        pipeline: &gst::Pipeline,
        feed: &Arc<Feed>,
        line: Arc<Rounds>,
    ) -> Result<gst_app::AppSrc, String> {
        let Codec::Aac {
            config,
            rate,
            channels,
        } = &self.movie.tracks[track].codec
        else {
            return Err("the sound is not AAC".to_owned());
        };
        let caps = gst::Caps::builder("audio/mpeg")
            .field("mpegversion", 4)
            .field("stream-format", "raw")
            .field("framed", true)
            .field("rate", *rate as i32)
            .field("channels", i32::from(*channels))
            .field("codec_data", gst::Buffer::from_slice(config.clone()))
            .build();
        let source = source(&caps);
        let decoder = sound::decoder(&caps)?;
        let sink = pipeline::sound_sink(feed.clone(), line);
        let (convert, resample) = (
            pipeline::element("audioconvert")?,
            pipeline::element("audioresample")?,
        );
        let elements = [
            source.upcast_ref(),
            &decoder,
            &convert,
            &resample,
            sink.upcast_ref(),
        ];
        pipeline::chain(pipeline, &elements)?;
        Ok(source)
    }
}

fn source(caps: &gst::Caps) -> gst_app::AppSrc {
    gst_app::AppSrc::builder()
        .caps(caps)
        .format(gst::Format::Time)
        .block(true)
        .max_buffers(2)
        .max_bytes(0)
        .build()
}

/// The pipeline's time line: one stretch a round, with room before and after.
struct Rounds {
    stride: MediaTime,
    length: MediaTime,
}

impl Rounds {
    fn pipeline_time(&self, round: u64, local: MediaTime) -> gst::ClockTime {
        let start = self.stride.nanos().unsigned_abs().saturating_mul(round);
        let within = (local + MARGIN).nanos().max(0).unsigned_abs();
        gst::ClockTime::from_nseconds(start.saturating_add(within))
    }
}

impl TimeLine for Rounds {
    fn place(&self, pts: MediaTime) -> Option<(u64, MediaTime)> {
        let (round, local) = self.place_sound(pts)?;
        (local >= MediaTime::ZERO && local < self.length).then_some((round, local))
    }

    fn place_sound(&self, pts: MediaTime) -> Option<(u64, MediaTime)> {
        let (pts, stride) = (
            u64::try_from(pts.nanos()).ok()?,
            self.stride.nanos().unsigned_abs(),
        );
        let local = MediaTime::from_nanos((pts % stride) as i64) - MARGIN;
        Some((pts / stride, local))
    }
}

/// A decoder's frame limit.
#[derive(Clone)]
struct Limit {
    limit: u64,
    /// Frames in one round.
    round: u64,
    delivered: Arc<Delivered>,
}

impl Limit {
    /// Whether the next showing but one could go over the limit.
    fn nears(&self) -> bool {
        self.delivered.frames() + 3 * self.round >= self.limit
    }

    fn reached(&self) -> bool {
        self.delivered.frames() >= self.limit
    }
}

/// Reads one track and pushes its samples.
#[derive(Clone)]
struct Feeder {
    source: FileSource,
    feed: Arc<Feed>,
    line: Arc<Rounds>,
    happenings: Sender<Happening>,
    name: String,
    in_place: bool,
    limit: Option<Limit>,
}

/// The tracks of a movie, ready to be read.
pub struct Feeders(
    Vec<(
        Feeder,
        SampleCursor,
        gst_app::AppSrc,
        Option<Arc<Delivered>>,
    )>,
);

impl Feeders {
    /// Starts a thread for each track. They end when the pipeline does.
    pub fn start(self) -> io::Result<()> {
        for (feeder, cursor, source, delivered) in self.0 {
            std::thread::Builder::new()
                .name("mp4-source".into())
                .spawn(move || {
                    if let Err(failure) = feeder.run(cursor, &source, delivered.as_deref()) {
                        let _ = feeder.happenings.send(Happening::Source(failure));
                    }
                })?;
        }
        Ok(())
    }
}

impl Feeder {
    /// Pushes round after round until the pipeline stops. `delivered` is there for pictures.
    fn run(
        &self,
        mut cursor: SampleCursor,
        target: &gst_app::AppSrc,
        delivered: Option<&Delivered>,
    ) -> Result<(), Failure> {
        let corrupt =
            |err: Mp4Error| failure(FailureKind::Corrupt, format!("{}: {err}", self.name));
        let mut source = self.source.clone();
        let (mut round, mut pushed, mut worn) = (0, 0u64, false);
        loop {
            let wanted = self.feed.wanted_round();
            if wanted > round {
                round = wanted;
                cursor.restart();
            }
            let sample = cursor.next(&mut source).map_err(corrupt)?;
            if let Some(sample) = sample.filter(|sample| sample.dts < self.line.length) {
                let mut bytes = Vec::new();
                cursor
                    .read(&mut source, &sample, &mut bytes)
                    .map_err(corrupt)?;
                let mut buffer = gst::Buffer::from_mut_slice(bytes);
                if let Some(buffer) = buffer.get_mut() {
                    buffer.set_pts(self.line.pipeline_time(round, sample.pts));
                    buffer.set_dts(self.line.pipeline_time(round, sample.dts));
                    buffer.set_duration(gst::ClockTime::from_nseconds(
                        sample.duration.nanos().max(0).unsigned_abs(),
                    ));
                    if !sample.sync {
                        buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
                    }
                }
                if target.push_buffer(buffer).is_err() {
                    return Ok(());
                }
                pushed += 1;
                continue;
            }
            if !self.in_place || self.limit.as_ref().is_some_and(Limit::reached) {
                let _ = target.end_of_stream();
                return Ok(());
            }
            if pushed >= PATIENCE && delivered.is_some_and(|delivered| delivered.frames() == 0) {
                return Err(failure(
                    FailureKind::Corrupt,
                    format!("{}: no frame could be decoded", self.name),
                ));
            }
            if !worn && self.limit.as_ref().is_some_and(Limit::nears) {
                worn = true;
                let _ = self.happenings.send(Happening::Worn);
            }
            round += 1;
            cursor.restart();
        }
    }
}
