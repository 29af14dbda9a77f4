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

/// How much before its time the output wants its sound.
pub const LEAD: MediaTime = MediaTime::from_millis(200);

/// Tells whether an output can be opened, by opening and closing it.
pub fn probe(sink: &str, device: Option<&str>) -> Result<(), String> {
    Speaker::build(sink, device, MediaTime::ZERO).map(drop)
}

/// An open sound output.
pub struct Speaker {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    device: String,
    /// When display time 0 was, on the monotonic clock.
    epoch: MediaTime,
    next: Option<i64>,
}

impl Speaker {
    /// Opens an output described as for `gst-launch`, such as `alsasink`. `epoch` is display time 0 on the monotonic
    /// clock.
    pub fn open(sink: &str, device: Option<&str>, epoch: MediaTime) -> Result<Self, String> {
        let speaker = Self::build(sink, device, epoch)?;
        let playing = speaker.pipeline.set_state(gst::State::Playing);
        playing.map_err(|_| {
            speaker
                .fault()
                .unwrap_or_else(|| format!("{sink} does not play"))
        })?;
        Ok(speaker)
    }

    /// An output whose device is open, and does not play yet.
    fn build(sink: &str, device: Option<&str>, epoch: MediaTime) -> Result<Self, String> {
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
        if let Some(device) = device {
            let mut sinks = bin.iterate_sinks();
            while let Ok(Some(element)) = sinks.next() {
                if element.has_property("device") {
                    element.set_property("device", device);
                }
            }
        }
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
        pipeline.set_base_time(gst::ClockTime::from_nseconds(
            epoch.nanos().max(0).unsigned_abs(),
        ));
        let speaker = Self {
            pipeline,
            source,
            device: device.map_or_else(|| sink.to_owned(), |device| format!("{sink} {device}")),
            epoch,
            next: None,
        };
        // A device that is not there fails here, before any sound is wasted on it.
        let ready = speaker.pipeline.set_state(gst::State::Ready);
        ready.map_err(|_| {
            speaker
                .fault()
                .unwrap_or_else(|| format!("{sink} cannot be opened"))
        })?;
        Ok(speaker)
    }

    /// What plays the sound.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Plays interleaved samples of which the first has this number on the display clock, at 48 kHz.
    pub fn play(&mut self, start: i64, samples: &[f32]) -> Result<(), String> {
        if let Some(fault) = self.fault() {
            return Err(fault);
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

    /// How much later than its picture the sound is heard, in milliseconds; nothing before it is heard.
    pub fn offset_ms(&self) -> Option<f64> {
        let heard = self.pipeline.query_position::<gst::ClockTime>()?;
        let now = clock::monotonic() - self.epoch;
        (heard > gst::ClockTime::ZERO).then(|| (now - pipeline::time(heard)).millis())
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

fn nanos(sample: i64) -> u64 {
    MediaTime::from_scale(sample, SOUND_RATE)
        .nanos()
        .max(0)
        .unsigned_abs()
}
