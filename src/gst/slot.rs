//! One opening of a medium: the thread that owns its pipeline, from preroll to close.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::{
    domain::{
        ids::LoadId,
        pacing::Traits,
        sequencer::{Failure, FailureKind, Media, Replayable},
        units::MediaTime,
    },
    gst::{
        decoders::{self, Candidate, DecoderOptions},
        mp4_source::{self, Prepared},
        pipeline::{self, Happening},
        uri_source,
    },
    os::feed::Feed,
};

/// A source that was shown and sends no frame for so long has stalled.
const SILENCE: Duration = Duration::from_secs(10);

/// How often that is looked at.
const FLOW_CHECK: Duration = Duration::from_millis(500);

/// A file that is at rest so often in a row before its first frame will never send one.
const RESTS: u32 = 2;

/// Where a medium is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A local file.
    File(PathBuf),
    /// Anything that GStreamer has a source element for.
    Uri(String),
}

/// What to open.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The opening's number, for the log.
    pub load: LoadId,
    /// Where the medium is.
    pub source: Source,
    /// Show no more than this of it.
    pub cap: Option<MediaTime>,
    /// How to choose a decoder.
    pub decoders: DecoderOptions,
}

/// News from an opening.
#[derive(Clone, Debug, PartialEq)]
pub enum SlotNews {
    /// The first frames wait in the feed.
    Ready {
        /// What the medium is, in time.
        media: Media,
        /// How it can be shown again.
        replayable: Replayable,
        /// What the presenter may expect.
        traits: Traits,
        /// The decoder's name.
        decoder: String,
    },
    /// The source has come to its end: the picture is this long.
    EndKnown(MediaTime),
    /// The decoder nears its frame limit: the medium must be opened anew for its next showing.
    Worn,
    /// It cannot go on.
    Failed(Failure),
}

/// An opened medium. Dropping it closes the pipeline, without waiting for it.
pub struct Slot {
    feed: Arc<Feed>,
    happenings: Sender<Happening>,
}

impl Slot {
    /// The medium's frames and sound.
    pub fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.feed.close();
        let _ = self.happenings.send(Happening::Close);
    }
}

/// Opens a medium on a thread of its own, once `check` has found nothing wrong with it. `report` is called from there.
pub fn open(
    opening: Opening,
    feed: Arc<Feed>,
    check: Option<impl FnOnce() -> Result<(), Failure> + Send + 'static>,
    report: impl Fn(SlotNews) + Send + 'static,
) -> std::io::Result<Slot> {
    let (happenings, receiver) = channel();
    let slot = Slot {
        feed: feed.clone(),
        happenings: happenings.clone(),
    };
    let run = Run {
        opening,
        feed,
        happenings,
        receiver,
    };
    thread::Builder::new()
        .name(format!("slot-{}", run.opening.load))
        .spawn(move || {
            if let Err(failure) = check
                .map_or(Ok(()), |check| check())
                .and_then(|()| run.run(&report))
            {
                report(SlotNews::Failed(failure));
            }
        })?;
    Ok(slot)
}

struct Run {
    opening: Opening,
    feed: Arc<Feed>,
    happenings: Sender<Happening>,
    receiver: Receiver<Happening>,
}

/// A pipeline that is built and not yet playing.
pub(super) struct Built {
    pub pipeline: gst::Pipeline,
    pub traits: Traits,
    pub replayable: Replayable,
    /// The medium's length, where the source knows it better than the pipeline.
    pub length: Option<MediaTime>,
    /// The decoder's name, if it is chosen already.
    pub decoder: Option<String>,
}

/// How a pipeline came to its end.
enum Outcome {
    Closed,
    Failed { failure: Failure, shown: bool },
}

impl Run {
    fn run(&self, report: &dyn Fn(SlotNews)) -> Result<(), Failure> {
        let outcome = match &self.opening.source {
            Source::File(path) => match mp4_source::prepare(path, self.opening.cap)? {
                Some(prepared) => self.play_mp4(&prepared, report)?,
                None => {
                    let uri = gst::glib::filename_to_uri(path, None).map_err(|err| {
                        failure(FailureKind::Missing, format!("{}: {err}", path.display()))
                    })?;
                    self.play_uri(&uri, report)?
                }
            },
            Source::Uri(uri) => self.play_uri(uri, report)?,
        };
        match outcome {
            Outcome::Closed => Ok(()),
            Outcome::Failed { failure, .. } => Err(failure),
        }
    }

    /// Tries decoder after decoder until one delivers frames.
    fn play_mp4(&self, prepared: &Prepared, report: &dyn Fn(SlotNews)) -> Result<Outcome, Failure> {
        let candidates = prepared.decoders(&self.opening.decoders)?;
        let mut last = None;
        for candidate in &candidates {
            let name = candidate.factory.name();
            self.feed.begin_anew();
            let built = prepared.build(
                candidate,
                &self.opening.decoders,
                &self.feed,
                &self.happenings,
            );
            let (built, feeders) = match built {
                Ok(built) => built,
                Err(message) => {
                    log::warn!(decoder = name.as_str(), err = message.as_str(); "a decoder cannot be used");
                    last = Some(failure(FailureKind::Unsupported, message));
                    continue;
                }
            };
            let start = || {
                set_going(&built.pipeline);
                feeders.start().map(|()| None)
            };
            match self.watch(&built, Some(candidate), start, report) {
                Outcome::Failed {
                    failure,
                    shown: false,
                } if failure.kind != FailureKind::Missing => {
                    log::warn!(decoder = name.as_str(), err = failure.message.as_str(); "a decoder delivered nothing");
                    last = Some(failure);
                }
                outcome => return Ok(outcome),
            }
        }
        Err(last.unwrap_or_else(|| {
            failure(
                FailureKind::Unsupported,
                "no decoder is installed".to_owned(),
            )
        }))
    }

    fn play_uri(&self, uri: &str, report: &dyn Fn(SlotNews)) -> Result<Outcome, Failure> {
        let built = uri_source::build(
            uri,
            &self.opening.decoders,
            self.opening.cap,
            &self.feed,
            &self.happenings,
        )
        .map_err(|message| failure(FailureKind::Unsupported, message))?;
        // Its ends are made while it is set going, and may then wait for the presenter, which waits for our report: so
        // that is not done here.
        let pipeline = built.pipeline.clone();
        let start = || {
            let starter = thread::Builder::new().name(format!("start-{}", self.opening.load));
            starter.spawn(move || set_going(&pipeline)).map(Some)
        };
        Ok(self.watch(&built, None, start, report))
    }

    /// Plays the pipeline until it fails or nobody wants it any more. `candidate` is the decoder in it, where we chose it.
    /// `start` sets it going, on another thread if it gives one.
    fn watch(
        &self,
        built: &Built,
        candidate: Option<&Candidate>,
        start: impl FnOnce() -> std::io::Result<Option<JoinHandle<()>>>,
        report: &dyn Fn(SlotNews),
    ) -> Outcome {
        let mut shown = false;
        let mut starter = None;
        let outcome = loop_until(|| {
            match start() {
                Ok(thread) => starter = thread,
                Err(err) => {
                    let failure = failure(
                        FailureKind::Unsupported,
                        format!("a source thread cannot start: {err}"),
                    );
                    return Outcome::Failed { failure, shown };
                }
            }
            let mut flow = Flow::new();
            loop {
                let happening = match self.receiver.recv_timeout(FLOW_CHECK) {
                    Ok(happening) => happening,
                    Err(RecvTimeoutError::Disconnected) => return Outcome::Closed,
                    Err(RecvTimeoutError::Timeout) => {
                        let starts = starter.as_ref().is_some_and(|it| !it.is_finished());
                        let gives_up = candidate.is_none() && self.is_local() && !starts;
                        let (wrong, kind, what) = match shown {
                            true => {
                                let dry = flow.is_dry(&self.feed);
                                (dry, FailureKind::Stalled, "no frame came for 10 s")
                            }
                            false => {
                                let dead = gives_up && flow.is_dead(&built.pipeline);
                                (dead, FailureKind::Corrupt, "no picture can be read from it")
                            }
                        };
                        if !wrong {
                            continue;
                        }
                        let failure = failure(kind, format!("{}: {what}", self.name()));
                        return Outcome::Failed { failure, shown };
                    }
                };
                match happening {
                    Happening::Close => return Outcome::Closed,
                    Happening::Prerolled => {
                        shown = true;
                        if let Some(candidate) = candidate {
                            decoders::tell_choice(candidate, &self.opening.decoders);
                        }
                        report(self.ready(built));
                    }
                    Happening::Ended(length) if length > MediaTime::ZERO => {
                        if !built.traits.in_place {
                            report(SlotNews::EndKnown(
                                self.opening.cap.map_or(length, |cap| cap.min(length)),
                            ));
                        }
                    }
                    Happening::Ended(_) => {
                        let failure =
                            failure(FailureKind::Corrupt, "no frame could be decoded".to_owned());
                        return Outcome::Failed { failure, shown };
                    }
                    Happening::Worn => report(SlotNews::Worn),
                    Happening::BadFrame(message) => {
                        let failure = failure(FailureKind::Unsupported, message);
                        return Outcome::Failed { failure, shown };
                    }
                    Happening::Source(failure) => return Outcome::Failed { failure, shown },
                    Happening::Message(message) => {
                        if let Some(failure) = self.judge(&message, built) {
                            return Outcome::Failed { failure, shown };
                        }
                    }
                }
            }
        });
        // Nobody takes what it still delivers, and its threads have to end.
        if matches!(outcome, Outcome::Failed { shown: false, .. }) {
            self.feed.flush();
        }
        if let Some(starter) = starter {
            let _ = starter.join();
        }
        if let Some(bus) = built.pipeline.bus() {
            bus.unset_sync_handler();
        }
        if built.pipeline.set_state(gst::State::Null).is_err() {
            log::warn!("a pipeline refuses to close");
        }
        self.forget_the_rest(outcome)
    }

    /// Passes over what a closed pipeline has still told, which is none of the next one's business: one error brings others.
    fn forget_the_rest(&self, outcome: Outcome) -> Outcome {
        let closed = |happening| matches!(happening, Happening::Close);
        match self.receiver.try_iter().any(closed) {
            true => Outcome::Closed,
            false => outcome,
        }
    }

    fn ready(&self, built: &Built) -> SlotNews {
        let length = built.length.or_else(|| {
            let length = built.pipeline.query_duration::<gst::ClockTime>()?;
            Some(pipeline::time(length)).filter(|length| *length > MediaTime::ZERO)
        });
        let media = match length {
            Some(length) => Media::Timed(length),
            None => Media::Endless,
        };
        let decoder = built
            .decoder
            .clone()
            .unwrap_or_else(|| decoder_in(&built.pipeline));
        SlotNews::Ready {
            media,
            replayable: built.replayable,
            traits: built.traits,
            decoder,
        }
    }

    fn is_local(&self) -> bool {
        matches!(self.opening.source, Source::File(_))
    }

    /// The source, for people.
    fn name(&self) -> String {
        match &self.opening.source {
            Source::File(path) => path.display().to_string(),
            Source::Uri(uri) => uri.clone(),
        }
    }

    /// What a message of the pipeline means for the medium: an error, or nothing.
    fn judge(&self, message: &gst::Message, built: &Built) -> Option<Failure> {
        match message.view() {
            gst::MessageView::Error(error) => {
                let reader = match &self.opening.source {
                    _ if built.decoder.is_some() => Reader::Ours,
                    Source::Uri(uri) if !uri.starts_with("file:") => Reader::Network,
                    Source::Uri(_) | Source::File(_) => Reader::File,
                };
                Some(failure(
                    kind_of(&error.error(), reader),
                    format!("{}: {}", self.name(), error.error()),
                ))
            }
            gst::MessageView::Warning(warning) => {
                log::debug!(err = warning.error().to_string().as_str(); "a pipeline warns");
                None
            }
            _ => None,
        }
    }
}

/// Sets a pipeline going.
fn set_going(pipeline: &gst::Pipeline) {
    if pipeline.set_state(gst::State::Playing).is_err() {
        log::debug!("the pipeline refuses to play; its message says why");
    }
}

/// Whether frames still come out of a pipeline: a source may be silent without an error.
struct Flow {
    posted: u64,
    since: Instant,
    rests: u32,
}

impl Flow {
    fn new() -> Self {
        Self {
            posted: 0,
            since: Instant::now(),
            rests: 0,
        }
    }

    /// Whether nothing runs in a pipeline of a file, time and again.
    fn is_dead(&mut self, pipeline: &gst::Pipeline) -> bool {
        self.rests = match pipeline::is_at_rest(pipeline) {
            true => self.rests + 1,
            false => 0,
        };
        self.rests >= RESTS
    }

    /// Whether the presenter has taken all that came and nothing has come since for too long.
    fn is_dry(&mut self, feed: &Feed) -> bool {
        let (posted, waiting) = feed.frames.count();
        let ended = feed.frames.look(|_, ended| ended);
        if posted != self.posted || waiting > 0 || ended {
            self.posted = posted;
            self.since = Instant::now();
        }
        self.since.elapsed() >= SILENCE
    }
}

/// Runs a block that leaves by `return`, so that what follows it always runs.
fn loop_until(block: impl FnOnce() -> Outcome) -> Outcome {
    block()
}

/// A failure of this kind.
pub(super) fn failure(kind: FailureKind, message: String) -> Failure {
    Failure { kind, message }
}

/// Who reads the medium that a pipeline decodes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Our own source: what the pipeline complains of is the decoder's.
    Ours,
    /// GStreamer, from a file.
    File,
    /// GStreamer, from the network.
    Network,
}

/// The class of one of GStreamer's errors.
fn kind_of(error: &gst::glib::Error, reader: Reader) -> FailureKind {
    if error.kind::<gst::ResourceError>().is_some() {
        return match reader {
            Reader::Ours => FailureKind::Unsupported,
            Reader::File => FailureKind::Missing,
            Reader::Network => FailureKind::Network,
        };
    }
    let remote = reader == Reader::Network;
    match error.kind::<gst::StreamError>() {
        Some(gst::StreamError::CodecNotFound | gst::StreamError::NotImplemented) => {
            FailureKind::Unsupported
        }
        Some(_) | None
            if remote && error.kind::<gst::StreamError>() == Some(gst::StreamError::Failed) =>
        {
            FailureKind::Network
        }
        Some(_) => FailureKind::Corrupt,
        None => FailureKind::Unsupported,
    }
}

/// The name of the video decoder that a pipeline chose by itself.
fn decoder_in(pipeline: &gst::Pipeline) -> String {
    let mut elements = pipeline.iterate_recurse();
    while let Ok(Some(element)) = elements.next() {
        let Some(factory) = element.factory() else {
            continue;
        };
        let class = factory.metadata("klass").unwrap_or_default();
        if class.contains("Decoder") && class.contains("Video") {
            return factory.name().to_string();
        }
    }
    "none".to_owned()
}
