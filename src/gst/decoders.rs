//! Which decoder: hardware first, then by the board's preference and GStreamer's rank.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::gst::frames;

/// How decoders are chosen, from the configuration and the board.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecoderOptions {
    /// Never use hardware decoders.
    pub software_only: bool,
    /// Open a decoder anew before it has decoded this many frames (some drivers fail at a fixed number).
    pub frame_limit: Option<u64>,
    /// The layouts, fourcc and modifier, in which the display takes frames from a decoder's own memory.
    pub layouts: Vec<(u32, u64)>,
}

/// Puts the elements of `prefer` before all others, first named first, and never uses those of `avoid`.
///
/// The ranks hold for the whole process. Names that GStreamer does not know are returned.
pub fn prefer(prefer: &[String], avoid: &[String]) -> Vec<String> {
    let registry = gst::Registry::get();
    let mut unknown = Vec::new();
    let mut rank = |name: &String, rank: gst::Rank| match registry.lookup_feature(name) {
        Some(feature) => feature.set_rank(rank),
        None => unknown.push(name.clone()),
    };
    for (place, name) in prefer.iter().enumerate() {
        rank(
            name,
            gst::Rank::PRIMARY + 1000 - i32::try_from(place.min(500)).unwrap_or(500),
        );
    }
    for name in avoid {
        rank(name, gst::Rank::NONE);
    }
    unknown
}

/// A decoder that may be tried.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// GStreamer's factory.
    pub factory: gst::ElementFactory,
    /// Whether it is a piece of hardware.
    pub hardware: bool,
    /// How its frames are taken.
    pub taking: Taking,
    /// What it is asked to decode, by GStreamer's name.
    pub codec: String,
    /// How many are tried before it.
    pub place: usize,
}

/// How frames are taken from a decoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taking {
    /// In one of these layouts of the kernel's, with nothing in between: fourcc and modifier.
    Lent(Vec<(u32, u64)>),
    /// In plain rows, converted where need be.
    Plain,
}

/// The decoders that take these caps, best first. One that could lend its frames is there twice, in both ways.
pub fn candidates(caps: &gst::Caps, options: &DecoderOptions) -> Vec<Candidate> {
    let codec = caps
        .structure(0)
        .map(|structure| structure.name().to_string())
        .unwrap_or_default();
    let kinds = gst::ElementFactoryType::DECODER | gst::ElementFactoryType::MEDIA_VIDEO;
    let mut found: Vec<Candidate> =
        gst::ElementFactory::factories_with_type(kinds, gst::Rank::MARGINAL)
            .into_iter()
            .filter(|factory| factory.can_sink_any_caps(caps))
            .map(|factory| {
                let class = factory.metadata("klass").unwrap_or_default();
                let hardware = class.contains("Hardware");
                let taking = Taking::Plain;
                Candidate {
                    factory,
                    hardware,
                    taking,
                    codec: codec.clone(),
                    place: 0,
                }
            })
            .filter(|candidate| !(candidate.hardware && options.software_only))
            .collect();
    // A preferred decoder stands above every hardware decoder, since its rank was raised over all.
    let key = |candidate: &Candidate| {
        let rank = candidate.factory.rank();
        (rank > gst::Rank::PRIMARY + 500, candidate.hardware, rank)
    };
    found.sort_by_key(|candidate| std::cmp::Reverse(key(candidate)));
    let lent = frames::lent_caps(&options.layouts);
    let both = |plain: Candidate| {
        let taking = Taking::Lent(options.layouts.clone());
        let lends =
            plain.hardware && !options.layouts.is_empty() && plain.factory.can_src_any_caps(&lent);
        let lent = lends.then(|| Candidate {
            taking,
            ..plain.clone()
        });
        lent.into_iter().chain([plain])
    };
    let both = found.into_iter().flat_map(both).enumerate();
    both.map(|(place, candidate)| Candidate { place, ..candidate })
        .collect()
}

/// After how many frames a decoder is opened anew, if at all.
pub fn frame_limit(candidate: &Candidate, options: &DecoderOptions) -> Option<u64> {
    let plugin = candidate
        .factory
        .plugin()
        .map(|plugin| plugin.plugin_name());
    let (major, minor, ..) = gst::version();
    let known = plugin.and_then(|plugin| known_limit(plugin.as_str(), (major, minor)));
    options.frame_limit.or(known)
}

/// v4l2codecs fails at frame 1,000,000 up to GStreamer 1.22 (mended by its commit 5d2d602e4a).
fn known_limit(plugin: &str, version: (u32, u32)) -> Option<u64> {
    (plugin == "v4l2codecs" && version < (1, 24)).then_some(900_000)
}

/// Says which decoder delivers, how its frames are taken and why it was chosen, once for each.
pub fn tell_choice(candidate: &Candidate, options: &DecoderOptions) {
    static TOLD: Mutex<BTreeSet<(String, String, bool)>> = Mutex::new(BTreeSet::new());
    let codec = candidate.codec.clone();
    let decoder = candidate.factory.name().to_string();
    let lends = candidate.taking != Taking::Plain;
    if !TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert((
        codec.clone(),
        decoder.clone(),
        lends,
    )) {
        return;
    }
    let why = match (candidate.hardware, options.software_only) {
        _ if candidate.place > 0 => "those before it delivered nothing",
        (true, _) => "a hardware decoder takes it",
        (false, true) => "hardware decoders are turned off",
        (false, false) => "no hardware decoder on this machine takes it",
    };
    let taking = match candidate.taking {
        Taking::Lent(_) => "lent",
        Taking::Plain => "plain",
    };
    log::info!(codec = codec.as_str(), decoder = decoder.as_str(), frames = taking, why; "decoder chosen");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_decoders_that_are_known_to_fail_are_limited_unasked() {
        assert_eq!(known_limit("v4l2codecs", (1, 22)), Some(900_000));
        assert_eq!(known_limit("v4l2codecs", (1, 24)), None);
        assert_eq!(known_limit("libav", (1, 22)), None);
    }
}
