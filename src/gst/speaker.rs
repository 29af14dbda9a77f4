//! The sound output: one pipeline that stays open from start to end.
//!
//! Samples come with their display time; the sink plays each at that time by the monotonic clock, and follows it where
//! the device's own clock runs faster or slower.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::{
    domain::units::MediaTime,
    gst::pipeline,
    os::{
        clock,
        feed::{SOUND_CHANNELS, SOUND_RATE},
    },
};

/// How much before its time the output wants its sound: the sink's buffer, and as much again for a busy machine.
pub const LEAD: MediaTime = MediaTime::from_millis(200);

/// What a sink is told unless its description says otherwise: property and value.
///
/// Its buffer is shorter than [`LEAD`], or sound would come when its time in the device has passed. Where the device's
/// clock runs differently, GStreamer's 40 ms of tolerance can be heard as bad lip-sync.
const TUNING: [(&str, &str); 3] = [
    ("buffer-time", "100000"),           // microseconds
    ("drift-tolerance", "10000"),        // microseconds
    ("alignment-threshold", "10000000"), // nanoseconds
];

/// So much sound waits only for a device that takes none, in bytes: five seconds.
const STUCK: u64 = 5 * SOUND_RATE as u64 * SOUND_CHANNELS as u64 * 4;

/// Tells whether an output can be opened, by opening and closing it.
pub fn probe(sink: &str, device: Option<&str>) -> Result<(), String> {
    Speaker::open(sink, device).map(drop)
}

/// An open sound output.
pub struct Speaker {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    sink: gst::Bin,
    device: String,
    /// The number of the sample that comes next; nothing before the first.
    next: Option<i64>,
}

impl Speaker {
    /// Opens an output described as for `gst-launch`, such as `alsasink`. It plays from its first samples on.
    pub fn open(sink: &str, device: Option<&str>) -> Result<Self, String> {
        let caps = gst::Caps::builder("audio/x-raw")
            .field("format", "F32LE")
            .field("layout", "interleaved")
            .field("rate", SOUND_RATE as i32)
            .field("channels", SOUND_CHANNELS as i32)
            .build();
        let source = gst_app::AppSrc::builder()
            .caps(&caps)
            .format(gst::Format::Time)
            .max_bytes(0)
            .build();
        let bin =
            gst::parse::bin_from_description(sink, true).map_err(|err| format!("{sink}: {err}"))?;
        tune(&bin, sink, device);
        let pipeline = gst::Pipeline::new();
        let (convert, resample) = (
            pipeline::element("audioconvert")?,
            pipeline::element("audioresample")?,
        );
        pipeline::chain(
            &pipeline,
            &[source.upcast_ref(), &convert, &resample, bin.upcast_ref()],
        )?;
        pipeline.use_clock(Some(&gst::SystemClock::obtain()));
        pipeline.set_start_time(gst::ClockTime::NONE);
        let speaker = Self {
            pipeline,
            source,
            sink: bin,
            device: device.map_or_else(|| sink.to_owned(), |device| format!("{sink} {device}")),
            next: None,
        };
        // A device that is not there fails here, before any sound is wasted on it.
        match speaker.pipeline.set_state(gst::State::Ready) {
            Ok(_) => Ok(speaker),
            Err(_) => Err(speaker
                .fault()
                .unwrap_or_else(|| format!("{sink} cannot be opened"))),
        }
    }

    /// What plays the sound.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Plays interleaved samples of which the first has this number on the display clock, at 48 kHz. Display time 0
    /// was at `epoch` on the monotonic clock, once for all.
    pub fn play(&mut self, epoch: MediaTime, start: i64, samples: &[f32]) -> Result<(), String> {
        if self.next.is_none() {
            let epoch = gst::ClockTime::from_nseconds(epoch.nanos().max(0).unsigned_abs());
            self.pipeline.set_base_time(epoch);
            if self.pipeline.set_state(gst::State::Playing).is_err() {
                return Err(self
                    .fault()
                    .unwrap_or_else(|| format!("{} does not play", self.device)));
            }
        }
        if let Some(fault) = self.fault() {
            return Err(fault);
        }
        if self.source.current_level_bytes() > STUCK {
            return Err(format!("{} takes no sound", self.device));
        }
        let bytes: Vec<u8> = samples
            .iter()
            .flat_map(|sample| sample.to_le_bytes())
            .collect();
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_nseconds(nanos(start)));
            let end = start + (samples.len() / SOUND_CHANNELS) as i64;
            buffer.set_duration(gst::ClockTime::from_nseconds(nanos(end) - nanos(start)));
            if self.next.replace(end) != Some(start) {
                buffer.set_flags(gst::BufferFlags::DISCONT);
            }
        }
        self.source
            .push_buffer(buffer)
            .map(drop)
            .map_err(|err| err.to_string())
    }

    /// How much later than its picture the sound is heard, in milliseconds; nothing before it is heard, and for a
    /// sink without a clock.
    ///
    /// The sink places samples by its device's clock, corrected now and then; this is by how much that clock, which
    /// counts the samples that have left the device, is behind the display's now.
    pub fn offset_ms(&self) -> Option<f64> {
        let device = self.sink.provide_clock()?;
        let heard = device.internal_time();
        let now = clock::monotonic();
        let at = device.adjust_unlocked(heard);
        (heard > gst::ClockTime::ZERO && self.next.is_some())
            .then(|| (now - pipeline::time(at)).millis())
    }

    /// How much the device has played, by its own clock; nothing before it plays, and for a sink without a clock.
    pub fn played(&self) -> Option<MediaTime> {
        let played = self.sink.provide_clock()?.internal_time();
        (played > gst::ClockTime::ZERO && self.next.is_some()).then(|| pipeline::time(played))
    }

    /// What has gone wrong, if anything has.
    fn fault(&self) -> Option<String> {
        let message = self
            .pipeline
            .bus()?
            .pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(error.error().to_string()),
            _ => None,
        }
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        if self.pipeline.set_state(gst::State::Null).is_err() {
            log::warn!("the sound output refuses to close");
        }
    }
}

/// Sets the device, and what the description leaves open of [`TUNING`].
fn tune(bin: &gst::Bin, description: &str, device: Option<&str>) {
    let mut sinks = bin.iterate_sinks();
    while let Ok(Some(element)) = sinks.next() {
        if let Some(device) = device.filter(|_| element.has_property("device")) {
            element.set_property("device", device);
        }
        for (property, value) in TUNING {
            if element.has_property(property) && !description.contains(property) {
                element.set_property_from_str(property, value);
            }
        }
    }
}

fn nanos(sample: i64) -> u64 {
    MediaTime::from_scale(sample, SOUND_RATE)
        .nanos()
        .max(0)
        .unsigned_abs()
}
