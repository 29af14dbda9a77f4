//! The generic path: everything else that GStreamer can play, by its address.
//!
//! It cannot loop in place: seeks leave gaps or hang hardware decoders, so the medium is opened again in the other slot.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
    mpsc::Sender,
};

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::{
    domain::{
        pacing::Traits,
        sequencer::{FailureKind, Replayable},
        units::MediaTime,
    },
    gst::{
        decoders::DecoderOptions,
        frames,
        line::Line,
        pipeline::{self, Delivered, Happening},
        slot::{Built, failure},
    },
    os::feed::Feed,
};

/// Builds a pipeline for an address.
pub fn build(
    uri: &str,
    decoders: &DecoderOptions,
    cap: Option<MediaTime>,
    feed: &Arc<Feed>,
    happenings: &Sender<Happening>,
) -> Result<Built, String> {
    let pipeline = gst::Pipeline::new();
    pipeline::forward_messages(&pipeline, happenings.clone());
    let source = pipeline::element("uridecodebin")?;
    source.set_property("uri", uri);
    source.set_property("force-sw-decoders", decoders.software_only);
    pipeline.add(&source).map_err(|err| err.to_string())?;

    let line = Arc::new(Line::new(cap, feed.clone()));
    let branches = Arc::new(Branches {
        pipeline: pipeline.downgrade(),
        feed: feed.clone(),
        line,
        happenings: happenings.clone(),
        picture: AtomicBool::new(false),
        sound: AtomicBool::new(false),
        name: uri.to_owned(),
    });
    source.connect_pad_added({
        let branches = branches.clone();
        move |_, pad| branches.add(pad)
    });
    source.connect_no_more_pads(move |_| branches.complete());
    let traits = Traits {
        still: false,
        in_place: false,
    };
    Ok(Built {
        pipeline,
        traits,
        replayable: Replayable::Reopen,
        length: None,
        decoder: None,
    })
}

/// The branches of a pipeline, made as its streams become known.
struct Branches {
    pipeline: gst::glib::WeakRef<gst::Pipeline>,
    feed: Arc<Feed>,
    line: Arc<Line>,
    happenings: Sender<Happening>,
    picture: AtomicBool,
    sound: AtomicBool,
    name: String,
}

impl Branches {
    fn add(&self, pad: &gst::Pad) {
        let Some(pipeline) = self.pipeline.upgrade() else {
            return;
        };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let name = caps
            .structure(0)
            .map(|structure| structure.name().to_string())
            .unwrap_or_default();
        let linked = match name.starts_with("video/") {
            true if !self.picture.swap(true, Ordering::Relaxed) => self.add_picture(&pipeline, pad),
            false if name.starts_with("audio/") && !self.sound.swap(true, Ordering::Relaxed) => {
                self.add_sound(&pipeline, pad)
            }
            _ => add_nothing(&pipeline, pad),
        };
        if let Err(message) = linked {
            let _ = self.happenings.send(Happening::Source(failure(
                FailureKind::Unsupported,
                message,
            )));
        }
    }

    fn add_picture(&self, pipeline: &gst::Pipeline, pad: &gst::Pad) -> Result<(), String> {
        let delivered = Arc::new(Delivered::default());
        let sink = pipeline::frame_sink(
            &frames::accepted_caps(),
            self.feed.clone(),
            self.line.clone(),
            delivered,
            self.happenings.clone(),
        );
        self.line.follow(&sink);
        branch(
            pipeline,
            pad,
            &[&pipeline::element("videoconvert")?, sink.upcast_ref()],
        )
    }

    fn add_sound(&self, pipeline: &gst::Pipeline, pad: &gst::Pad) -> Result<(), String> {
        let sink = pipeline::sound_sink(self.feed.clone(), self.line.clone());
        let (convert, resample) = (
            pipeline::element("audioconvert")?,
            pipeline::element("audioresample")?,
        );
        branch(pipeline, pad, &[&convert, &resample, sink.upcast_ref()])
    }

    fn complete(&self) {
        if !self.sound.load(Ordering::Relaxed) {
            self.feed.sound.end();
        }
        if !self.picture.load(Ordering::Relaxed) {
            self.line.no_picture();
            let message = format!("{}: nothing here can decode a picture from it", self.name);
            let _ = self.happenings.send(Happening::Source(failure(
                FailureKind::Unsupported,
                message,
            )));
        }
    }
}

/// Swallows a stream that nobody wants.
fn add_nothing(pipeline: &gst::Pipeline, pad: &gst::Pad) -> Result<(), String> {
    let sink = pipeline::element("fakesink")?;
    sink.set_property("sync", false);
    sink.set_property("async", false);
    branch(pipeline, pad, &[&sink])
}

fn branch(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    elements: &[&gst::Element],
) -> Result<(), String> {
    pipeline.add_many(elements).map_err(|err| err.to_string())?;
    if let [_, _, ..] = elements {
        gst::Element::link_many(elements).map_err(|err| err.to_string())?;
    }
    let target = elements[0]
        .static_pad("sink")
        .ok_or("an element without a sink pad")?;
    pad.link(&target)
        .map_err(|err| format!("a stream cannot be linked: {err}"))?;
    for element in elements {
        element
            .sync_state_with_parent()
            .map_err(|err| err.to_string())?;
    }
    Ok(())
}
