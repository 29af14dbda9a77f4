//! Sound decoders.

use gstreamer as gst;
use gstreamer::prelude::*;

/// The best decoder for these caps.
pub fn decoder(caps: &gst::Caps) -> Result<gst::Element, String> {
    let kinds = gst::ElementFactoryType::DECODER | gst::ElementFactoryType::MEDIA_AUDIO;
    let mut found: Vec<gst::ElementFactory> =
        gst::ElementFactory::factories_with_type(kinds, gst::Rank::MARGINAL)
            .into_iter()
            .filter(|factory| factory.can_sink_any_caps(caps))
            .collect();
    found.sort_by_key(|factory| std::cmp::Reverse(factory.rank()));
    let best = found
        .first()
        .ok_or("no decoder for its sound is installed")?;
    best.create().build().map_err(|err| err.to_string())
}
