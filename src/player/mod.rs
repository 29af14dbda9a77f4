//! The player: one owner loop over the domain, the slots, the presenter and the control socket.

pub mod gauges;
pub mod head;
pub mod loader;
pub mod mixer;
pub mod presenter;
