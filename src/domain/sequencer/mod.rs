//! The Sequencer: which item each screen shows, and when.
//!
//! Sans-I/O: [`Sequencer::handle`] takes an input with the display time at which it happened, then
//! [`Sequencer::poll`] is drained. It knows slots by name only; who decodes and who presents is not its business.

mod api;

pub use api::{
    Card, Command, Cue, Failure, FailureKind, Input, Media, Output, Replayable, Report, SlotEvent,
};
