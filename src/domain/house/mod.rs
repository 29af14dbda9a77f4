//! The house: what it tells its boxes, how that is changed and sent, and what a box makes of it.
//!
//! One JSON document, the environment, holds all of it. The server edits it ([`edit`]), sends the difference
//! ([`merge`], [`canonical`]); a box reads it ([`reading`], [`environment`]) and knows from it what to do at any time
//! ([`orders`]).
//! Deliberately absent: storing it, and the connection (see [`crate::domain::session`]).

pub mod canonical;
mod checks;
pub mod edit;
pub mod enrol;
pub mod environment;
pub mod merge;
pub mod orders;
pub mod reading;
pub mod times;

pub use checks::{MAX_DOCUMENT_BYTES, MAX_NAME, MAX_OUTPUTS};
pub use edit::{Edit, EditError, Editor, Kind, Write};
pub use environment::{
    Environment, EnvironmentError, Format, Group, House, HouseItem, HouseMontage, HousePlaylist,
    HouseScreen, HouseTrack,
};
pub use orders::Orders;
pub use reading::Reading;
pub use times::{CivilDate, Schedule, TimeOfDay, Weekday, Window};
