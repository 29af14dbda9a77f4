//! The two ends of the WebSocket between a house and its boxes and pages, sans-I/O: what to send, when to ask again,
//! when to give up and when to come back.
//!
//! [`BoxSession`] lives as long as a box's process and over many connections; [`HouseSession`] is one connection on
//! the house, and [`History`] is what all connections of a house share. `docs/protocol.md` tells the rules.
//! Deliberately absent: sockets, clocks, random numbers, TLS, and what an environment means.

mod box_side;
mod heartbeat;
mod history;
mod house_side;
mod inbound;
mod reconnect;
mod report;

pub use box_side::{BoxInput, BoxOutput, BoxSession, Held, Link};
pub use heartbeat::{PING_EVERY, SILENCE};
pub use history::{History, MAX_PATCH_BYTES};
pub use house_side::{
    Closing, HELLO_WITHIN, HouseInput, HouseOutput, HouseSession, MAX_HELLOS, Peer,
};
pub use reconnect::{FIRST_RECONNECT, LONGEST_BACKOFF, Reconnect, STABLE};
pub use report::{MAX_PLAYS, MOST_WAITING, REPORT_AGAIN, REPORT_EVERY};
