//! What all pipelines share: their ends, where frames and sound leave GStreamer for the feed.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
    mpsc::Sender,
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use crate::{
    domain::{pacing::FrameKey, units::MediaTime},
    gst::frames,
    os::feed::{FRAME_DEPTH, Feed, Refusal, SOUND_CHANNELS, SOUND_RATE, TimedFrame},
};

/// What happens inside a pipeline, for the thread that owns it.
pub enum Happening {
    /// Enough frames wait for the first showing.
    Prerolled,
    /// The source ended; the medium's picture is this long.
    Ended(MediaTime),
    /// The decoder nears its frame limit.
    Worn,
    /// A frame could not be used.
    BadFrame(String),
    /// A source of our own failed.
    Source(crate::domain::sequencer::Failure),
    /// A message on the pipeline's bus.
    Message(gst::Message),
    /// The presenter no longer wants the medium.
    Close,
}

/// Where on the source's own time line a buffer belongs.
pub trait TimeLine: Send + Sync {
    /// The frame's round and its time in it; nothing for what is decoded but not shown.
    fn place(&self, pts: MediaTime) -> Option<(u64, MediaTime)>;

    /// A buffer's running time, from its timestamp and the segment that it came in.
    fn running(
        &self,
        segment: &gst::FormattedSegment<gst::ClockTime>,
        pts: gst::ClockTime,
    ) -> MediaTime {
        match segment.to_running_time_full(pts) {
            Some(gst::Signed::Positive(at)) => time(at),
            Some(gst::Signed::Negative(at)) => -time(at),
            None => time(pts),
        }
    }

    /// The sound's round and its time in it; sound outside the medium is cut by whoever mixes it.
    fn place_sound(&self, pts: MediaTime) -> Option<(u64, MediaTime)> {
        self.place(pts)
    }
}

/// Counts what has left a pipeline.
#[derive(Default)]
pub struct Delivered {
    frames: AtomicU64,
    end: AtomicU64,
}

impl Delivered {
    /// How many frames were decoded.
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Where the last frame of the source ended.
    pub fn end(&self) -> MediaTime {
        MediaTime::from_nanos(self.end.load(Ordering::Relaxed) as i64)
    }
}

/// A buffer's time as media time.
pub fn time(clock: gst::ClockTime) -> MediaTime {
    MediaTime::from_nanos(i64::try_from(clock.nseconds()).unwrap_or(i64::MAX))
}

/// So many frames are held outside the decoder: in the mailbox, on their way to the screen and on it.
const HELD: u32 = FRAME_DEPTH as u32 + 3;

/// Tells the decoder that its frames are taken as they lie in its own memory, with any strides, and how many of them are
/// held. An appsink does not say so by itself, and decoders in hardware then copy every frame.
fn offer_strides(sink: &gst_app::AppSink) {
    let Some(pad) = sink.static_pad("sink") else {
        return;
    };
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| {
        let Some(gst::QueryViewMut::Allocation(query)) = info.query_mut().map(|q| q.view_mut())
        else {
            return gst::PadProbeReturn::Ok;
        };
        let size = query
            .get_owned()
            .0
            .and_then(|caps| gst_video::VideoInfo::from_caps(&caps).ok())
            .map_or(0, |info| info.size() as u32);
        query.add_allocation_meta::<gst_video::VideoMeta>(None);
        query.add_allocation_pool(None::<&gst::BufferPool>, size, HELD, 0);
        gst::PadProbeReturn::Handled
    });
}

/// The end of a video chain: frames of these caps go into the feed as fast as it takes them.
pub fn frame_sink(
    caps: &gst::Caps,
    feed: Arc<Feed>,
    line: Arc<dyn TimeLine>,
    delivered: Arc<Delivered>,
    happenings: Sender<Happening>,
) -> gst_app::AppSink {
    let sink = gst_app::AppSink::builder()
        .caps(caps)
        .sync(false)
        .max_buffers(1)
        .build();
    sink.set_property("qos", false);
    offer_strides(&sink);
    let prerolled = Arc::new(AtomicU64::new(0));
    let on_end = {
        let (feed, prerolled, happenings) = (feed.clone(), prerolled.clone(), happenings.clone());
        let delivered = delivered.clone();
        move |_: &gst_app::AppSink| {
            feed.frames.end();
            if prerolled.swap(u64::MAX >> 1, Ordering::Relaxed) < FRAME_DEPTH as u64
                && delivered.frames() > 0
            {
                let _ = happenings.send(Happening::Prerolled);
            }
            let _ = happenings.send(Happening::Ended(delivered.end()));
        }
    };
    let on_sample = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        delivered.frames.fetch_add(1, Ordering::Relaxed);
        let buffer = sample.buffer().ok_or(gst::FlowError::Error)?;
        let Some((round, pts)) = buffer
            .pts()
            .and_then(|pts| line.place(running(line.as_ref(), &sample, pts)))
        else {
            return Ok(gst::FlowSuccess::Ok);
        };
        let frame = frames::frame(&sample).map_err(|message| {
            let _ = happenings.send(Happening::BadFrame(message));
            gst::FlowError::Error
        })?;
        let duration = buffer
            .duration()
            .map(time)
            .or_else(|| nominal(&sample))
            .unwrap_or(MediaTime::ZERO);
        delivered.end.fetch_max(
            (pts + duration).nanos().max(0).unsigned_abs(),
            Ordering::Relaxed,
        );
        let key = FrameKey {
            round,
            pts,
            duration,
        };
        feed.post(TimedFrame {
            key,
            frame: Arc::new(frame),
        })
        .map_err(|refusal| match refusal {
            Refusal::Closed => gst::FlowError::Flushing,
            Refusal::Unfit(message) => {
                let _ = happenings.send(Happening::BadFrame(message));
                gst::FlowError::Error
            }
        })?;
        if prerolled.fetch_add(1, Ordering::Relaxed) + 1 == FRAME_DEPTH as u64 {
            let _ = happenings.send(Happening::Prerolled);
        }
        Ok(gst::FlowSuccess::Ok)
    };
    sink.set_callbacks(
        gst_app::AppSinkCallbacks::builder()
            .new_sample(on_sample)
            .eos(on_end)
            .build(),
    );
    sink
}

/// The end of a sound chain.
pub fn sound_sink(feed: Arc<Feed>, line: Arc<dyn TimeLine>) -> gst_app::AppSink {
    let caps = gst::Caps::builder("audio/x-raw")
        .field("format", "F32LE")
        .field("layout", "interleaved")
        .field("rate", SOUND_RATE as i32)
        .field("channels", SOUND_CHANNELS as i32)
        .build();
    let sink = gst_app::AppSink::builder()
        .caps(&caps)
        .sync(false)
        .max_buffers(1)
        .build();
    let at_end = feed.clone();
    let on_sample = move |sink: &gst_app::AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let buffer = sample.buffer().ok_or(gst::FlowError::Error)?;
        let Some((round, pts)) = buffer
            .pts()
            .and_then(|pts| line.place_sound(running(line.as_ref(), &sample, pts)))
        else {
            return Ok(gst::FlowSuccess::Ok);
        };
        let bytes = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
        let samples = bytes
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        let start = pts.samples(SOUND_RATE);
        feed.sound
            .push(round, start, samples.collect())
            .map_err(|_| gst::FlowError::Flushing)?;
        Ok(gst::FlowSuccess::Ok)
    };
    let callbacks = gst_app::AppSinkCallbacks::builder()
        .new_sample(on_sample)
        .eos(move |_| at_end.sound.end());
    sink.set_callbacks(callbacks.build());
    sink
}

/// A buffer's time on the pipeline's own time line.
fn running(line: &dyn TimeLine, sample: &gst::SampleRef, pts: gst::ClockTime) -> MediaTime {
    let segment = sample
        .segment()
        .and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
    segment.map_or_else(|| time(pts), |segment| line.running(segment, pts))
}

/// A frame's length by the stream's nominal rate.
fn nominal(sample: &gst::SampleRef) -> Option<MediaTime> {
    let rate = sample
        .caps()?
        .structure(0)?
        .get::<gst::Fraction>("framerate")
        .ok()?;
    (rate.numer() > 0)
        .then(|| MediaTime::from_scale(i64::from(rate.denom()), rate.numer().unsigned_abs()))
}

/// Makes an element, or says which is missing.
pub fn element(name: &str) -> Result<gst::Element, String> {
    let made = gst::ElementFactory::make(name).build();
    made.map_err(|_| format!("the GStreamer element {name} is not installed"))
}

/// Adds elements to a pipeline and links them in order.
pub fn chain(pipeline: &gst::Pipeline, elements: &[&gst::Element]) -> Result<(), String> {
    pipeline.add_many(elements).map_err(|err| err.to_string())?;
    gst::Element::link_many(elements).map_err(|err| err.to_string())
}

/// Whether no streaming thread of the pipeline runs. `decodebin` may swallow the error of a demultiplexer that fails while
/// it is being put in place; then nothing runs any more, and nothing is said.
pub fn is_at_rest(pipeline: &gst::Pipeline) -> bool {
    let mut elements = pipeline.iterate_recurse().into_iter();
    let runs = |pad: &gst::Pad| pad.task_state() == gst::TaskState::Started;
    elements.all(|element| element.is_ok_and(|element| !element.pads().iter().any(runs)))
}

/// Sends the pipeline's messages to the thread that owns it.
pub fn forward_messages(pipeline: &gst::Pipeline, happenings: Sender<Happening>) {
    let Some(bus) = pipeline.bus() else { return };
    bus.set_sync_handler(move |_, message| {
        if matches!(
            message.type_(),
            gst::MessageType::Error | gst::MessageType::Warning | gst::MessageType::Eos
        ) {
            let _ = happenings.send(Happening::Message(message.clone()));
        }
        gst::BusSyncReply::Drop
    });
}
