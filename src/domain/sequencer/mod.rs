//! The Sequencer: which item each screen shows, and when.
//!
//! Sans-I/O: [`Sequencer::handle`] takes an input with the display time at which it happened, then
//! [`Sequencer::poll`] is drained. It knows slots by name only; who decodes and who presents is not its business.

mod api;
mod commands;
mod environment;
mod events;
mod failures;
mod flow;
mod order;
mod screen;
mod sequence;
mod settle;

pub use api::{
    Card, Command, CommandError, Cue, Failure, FailureKind, Input, Media, Output, Replayable,
    Report, SlotEvent,
};
pub use failures::{DESPERATE_DELAY, DESTITUTE_PACE, FIRST_DELAY, LONGEST_DELAY};
pub use flow::LEAD;
pub use screen::{CUE_DEADLINE, IMMINENT, PREROLL_DEADLINE};
pub use sequence::{Mode, Sequencer, Shown};
pub use settle::CARD_AFTER;
