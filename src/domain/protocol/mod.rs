//! The words that go over wires: reports, events, commands, in the form that other programs rely on.
//!
//! Types only. `docs/schema/status.schema.json` describes the report; `tests/status_schema.rs` holds the two together.
//! Deliberately absent: sockets, and the rules that fill these types.

mod doctor;
mod event;
mod pairing;
mod picture;
mod status;
pub mod sync;

pub use doctor::{Check, CheckResult, DoctorReport};
pub use event::{Event, EventKind, WireCommand};
pub use pairing::{HouseOffer, HouseStatus, MediaStatus, PairAnswer, PairRequest};
pub use picture::{PictureFormat, PictureSource};
pub use status::{
    AudioStatus, CommitStatus, CopiesStatus, DisplayDriver, DisplayStatus, ErrorKind, ErrorStatus,
    ItemStatus, MemoryKind, PlaylistStatus, Power, ScreenStatus, SettingsStatus, SlotState,
    SlotStatus, State, Status, TvPower, TvStatus,
};

/// The service by which boxes find a house on the local network (DNS-SD, RFC 6763).
pub const SERVICE: &str = "_musebox-house._tcp.local.";
