//! The boundary between the house server and its database: [`Store`] and the rows that go through it.
//!
//! All ids are the caller's, and so is the time: milliseconds since 1970. Secrets come in as hashes. The store knows rows
//! and their integrity; what a resource means is the domain's affair.

mod devices;
mod houses;
mod media;
mod people;
mod reports;
mod upkeep;

pub use self::{
    devices::{Challenge, Device, DeviceToken, Devices, Enrolment, EnrolmentStatus, UnknownStatus},
    houses::{Change, ChangeRow, Houses, KEPT_CHANGES, NewHouse, Resource, Stored, Write},
    media::{MediaFile, MediaFiles, Upload},
    people::{
        ApiToken, HouseOf, Invitation, Member, People, Role, Session, SetupLink, UnknownRole, User,
    },
    reports::{CommandRow, PlayCursor, PlayFilter, PlayRow, ReportRow, Reports},
    upkeep::Upkeep,
};

/// Everything that the house server keeps; used as `Arc<dyn Store>`, on which the methods of every part can be called.
pub trait Store: Houses + People + Devices + MediaFiles + Reports + Upkeep {}

impl<T: Houses + People + Devices + MediaFiles + Reports + Upkeep> Store for T {}
