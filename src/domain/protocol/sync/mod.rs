//! What a house and its boxes and pages say to each other over the WebSocket, one JSON object a frame.
//!
//! `docs/protocol.md` shows every message by example, `docs/schema/sync.schema.json` describes them;
//! `tests/protocol_docs.rs` holds the three together. Who says what when is in [`crate::domain::session`].
//! Deliberately absent: sockets, and deciding anything.

mod message;
mod state;

pub use message::{
    Ack, BadFrame, CommandFrame, ErrorCode, ErrorFrame, Frame, Hello, HouseCommand, Message, Patch,
    Play, Reported, Snapshot,
};
pub use state::{BoxCounters, BoxError, BoxMedia, BoxState, OutputState};

/// The version of the protocol that this program speaks.
pub const PROTO: u32 = 1;
/// The longest frame that a house may send, in bytes.
pub const MAX_HOUSE_FRAME: usize = 16 << 20;
/// The longest frame that a box or a page may send, in bytes.
pub const MAX_PEER_FRAME: usize = 256 << 10;
/// How many revisions back a peer may be and still gets patches instead of a snapshot.
pub const MAX_PATCHES: usize = 256;
/// How many commands a box remembers, so that it carries out none of them twice.
pub const REMEMBERED_COMMANDS: usize = 64;
/// How many frames that are no message end a connection.
pub const MAX_GARBLED: u32 = 16;

/// Close code: the other side goes away, or has not been heard for too long (RFC 6455, section 7.4.1).
pub const CLOSE_GOING_AWAY: u16 = 1001;
/// Close code: a frame was longer than allowed (RFC 6455, section 7.4.1).
pub const CLOSE_TOO_BIG: u16 = 1009;
/// Close code: the house restarts (IANA's registry of close codes).
pub const CLOSE_RESTART: u16 = 1012;
/// Close code: the house has too much to do; try again later (IANA's registry of close codes).
pub const CLOSE_OVERLOADED: u16 = 1013;
/// Close code: the house does not speak this version of the protocol.
pub const CLOSE_UNKNOWN_PROTO: u16 = 4001;
/// Close code: the first frame was no hello, or did not come in time.
pub const CLOSE_NO_HELLO: u16 = 4002;
/// Close code: too many frames were no messages.
pub const CLOSE_BAD_MESSAGE: u16 = 4003;
/// Close code: this box or this user may no longer come in.
pub const CLOSE_REVOKED: u16 = 4004;
/// Close code: what the house sent does not have the hash that it says.
pub const CLOSE_BAD_SNAPSHOT: u16 = 4005;
