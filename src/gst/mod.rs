//! GStreamer: opens a medium in a slot and delivers its frames and its sound into a feed.
//!
//! Every opening has a thread of its own, which owns the pipeline and waits for nothing but its orders and the
//! pipeline's messages; so a source or a decoder that hangs holds up nobody else. Displays are not known here.

mod decoders;
mod fetch;
mod frames;
mod line;
mod mp4_source;
mod pipeline;
mod slot;
mod sound;
mod speaker;
mod trial;
mod uri_source;

pub use decoders::{DecoderOptions, prefer};
pub use fetch::fetch;
pub use slot::{Opening, Slot, SlotNews, Source, open};
pub use speaker::{LEAD, Speaker, probe};
pub use trial::{Heard, Trial, trial};

/// Prepares GStreamer; must come before anything else of this module, and after the display was opened.
pub fn init() -> Result<(), String> {
    gstreamer::init().map_err(|err| format!("GStreamer cannot be initialised: {err}"))
}
