//! Fetches a small file by its address, whole: images that are not local.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::gst::pipeline;

/// The most that is fetched.
const LIMIT: usize = 128 << 20;

/// How long to wait for more before giving up.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(15);

/// Fetches what `uri` names. Blocks; not for a thread that has anything else to do.
pub fn fetch(uri: &str) -> Result<Vec<u8>, String> {
    let source =
        gst::Element::make_from_uri(gst::URIType::Src, uri, None).map_err(|err| err.to_string())?;
    let sink = gst_app::AppSink::builder()
        .sync(false)
        .max_buffers(4)
        .build();
    let pipeline = gst::Pipeline::new();
    pipeline::chain(&pipeline, &[&source, sink.upcast_ref()])?;
    let result = receive(&pipeline, &sink);
    if pipeline.set_state(gst::State::Null).is_err() {
        log::warn!("a source refuses to close");
    }
    result.map_err(|message| format!("{uri}: {message}"))
}

fn receive(pipeline: &gst::Pipeline, sink: &gst_app::AppSink) -> Result<Vec<u8>, String> {
    let why = |fallback: &str| {
        let error = pipeline
            .bus()
            .and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        match error.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => error.error().to_string(),
            _ => fallback.to_owned(),
        }
    };
    pipeline
        .set_state(gst::State::Playing)
        .map_err(|_| why("cannot be opened"))?;
    let mut bytes = Vec::new();
    loop {
        match sink.try_pull_sample(PATIENCE) {
            Some(sample) => {
                let buffer = sample.buffer().ok_or("an empty sample")?;
                let map = buffer.map_readable().map_err(|err| err.to_string())?;
                if bytes.len() + map.len() > LIMIT {
                    return Err(format!("the file is larger than {} MiB", LIMIT >> 20));
                }
                bytes.extend_from_slice(&map);
            }
            None if sink.is_eos() => {
                return match pipeline
                    .bus()
                    .and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]))
                {
                    Some(message) => match message.view() {
                        gst::MessageView::Error(error) => Err(error.error().to_string()),
                        _ => Err("cannot be read".to_owned()),
                    },
                    None => Ok(bytes),
                };
            }
            None => return Err(why("nothing arrived in time")),
        }
    }
}
