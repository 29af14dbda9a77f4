//! A trial: whether a small clip is really decoded here, and by what.
//!
//! The clip goes the same way as every item, from the MP4 source through the choice of decoders into a feed.

use std::{
    fs::File,
    io::Write,
    os::fd::AsRawFd,
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, channel},
    },
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::{
    domain::{ids::LoadId, sequencer::Failure, units::MediaTime},
    gst::{
        DecoderOptions,
        slot::{Opening, SlotNews, Source, open},
        sound,
    },
    os::{
        doorbell::Doorbell,
        feed::{Coverage, Feed, SOUND_CHANNELS, SOUND_RATE, TimedFrame},
    },
};

/// A decoded picture of a test pattern has luma values at least this far apart.
const CONTRAST: u8 = 64;

/// A decoded test tone is at least this loud.
const LOUDNESS: f32 = 0.01;

/// So much sound is listened to, in samples: a tenth of a second.
const LISTEN: i64 = SOUND_RATE as i64 / 10;

/// What decoded a clip's picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The decoder's name.
    pub decoder: String,
    /// Whether it is a piece of hardware.
    pub hardware: bool,
    /// The first tenth of a second of its sound; nothing where that never came.
    pub sound: Option<Heard>,
    /// The decoder of AAC sound, if one is installed.
    pub sound_decoder: Option<String>,
}

/// What came out as sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something that can be heard.
    Tone,
    /// Nothing but silence.
    Silence,
}

/// Decodes the beginning of an MP4 file that shows a pattern and may sound a tone; gives up after `limit`.
pub fn trial(clip: &[u8], options: &DecoderOptions, limit: Duration) -> Result<Trial, String> {
    let deadline = Instant::now() + limit;
    let left = || deadline.saturating_duration_since(Instant::now());
    // In memory, so that it works on a disk that is full or cannot be written.
    let file = memfd_create("clip", MFdFlags::MFD_CLOEXEC).map_err(|err| err.to_string())?;
    let mut file = File::from(file);
    file.write_all(clip).map_err(|err| err.to_string())?;
    let bell = Doorbell::new().map_err(|err| err.to_string())?;
    let opening = Opening {
        load: LoadId(0),
        source: Source::File(format!("/proc/self/fd/{}", file.as_raw_fd()).into()),
        cap: None,
        // The picture is looked at, so it has to come in plain rows.
        decoders: DecoderOptions {
            layouts: Vec::new(),
            ..options.clone()
        },
    };
    let (sender, news) = channel();
    let check = None::<fn() -> Result<(), Failure>>;
    let slot = open(
        opening,
        Arc::new(Feed::new(bell.clone(), None)),
        check,
        move |news| drop(sender.send(news)),
    )
    .map_err(|err| err.to_string())?;
    let decoder = loop {
        match news.recv_timeout(left()) {
            Ok(SlotNews::Ready { decoder, .. }) => break decoder,
            Ok(SlotNews::Failed(failure)) => return Err(plain(&failure.message)),
            Ok(SlotNews::EndKnown(_) | SlotNews::Worn) => {}
            Err(RecvTimeoutError::Timeout) => return Err("no picture came in time".to_owned()),
            Err(RecvTimeoutError::Disconnected) => return Err("the decoder gave up".to_owned()),
        }
    };
    let frame = slot.feed().frames.take();
    let frame = frame.ok_or("the decoder said ready, and gave no picture")?;
    if !is_pattern(&frame) {
        return Err(format!("{decoder} gave a picture with nothing on it"));
    }
    let hardware = gst::ElementFactory::find(&decoder)
        .and_then(|factory| factory.metadata("klass").map(|class| class.to_owned()))
        .is_some_and(|class| class.contains("Hardware"));
    let heard = listen(slot.feed(), &bell, left);
    let aac = gst::Caps::builder("audio/mpeg")
        .field("mpegversion", 4)
        .field("stream-format", "raw")
        .build();
    let sound_decoder = sound::decoder(&aac)
        .ok()
        .and_then(|decoder| Some(decoder.factory()?.name().to_string()));
    Ok(Trial {
        decoder,
        hardware,
        sound: heard,
        sound_decoder,
    })
}

/// A failure's message without the name of the clip, which says nothing to anybody.
fn plain(message: &str) -> String {
    match message.split_once(": ") {
        Some((name, rest)) if name.starts_with("/proc/") => rest.to_owned(),
        Some(_) | None => message.to_owned(),
    }
}

/// Whether the test pattern's contrasts are there; a picture that only the display can read passes.
fn is_pattern(frame: &TimedFrame) -> bool {
    let picture = &frame.frame;
    let Some(luma) = picture.plane(0) else {
        return true;
    };
    let rows = luma.chunks(picture.strides[0].max(1));
    let visible = rows
        .take(picture.size.height as usize)
        .flat_map(|row| row.iter().take(picture.size.width as usize));
    let (darkest, brightest) = visible.fold((u8::MAX, u8::MIN), |(dark, bright), value| {
        (dark.min(*value), bright.max(*value))
    });
    brightest.saturating_sub(darkest) >= CONTRAST
}

fn listen(feed: &Feed, bell: &Doorbell, left: impl Fn() -> Duration) -> Option<Heard> {
    while feed.sound.covers(0, LISTEN) == Coverage::Partial {
        if left().is_zero() {
            return None;
        }
        bell.wait(Some(MediaTime::from_millis(100)));
    }
    let mut samples = vec![0.0; LISTEN as usize * SOUND_CHANNELS];
    feed.sound.mix(0, 0, 1.0, &mut samples);
    let peak = samples
        .iter()
        .fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    Some(match peak >= LOUDNESS {
        true => Heard::Tone,
        false => Heard::Silence,
    })
}
