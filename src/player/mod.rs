//! The player: one owner loop over the rules, the slots, the presenter and the control socket.

pub mod app;
pub mod args;
mod cards;
mod changes;
mod doctor;
pub mod gauges;
pub mod head;
pub mod loader;
pub mod mixer;
pub mod pictures;
pub mod presenter;
mod sound;
mod start;
mod status;
mod tv;
mod wav;

pub use start::main;
