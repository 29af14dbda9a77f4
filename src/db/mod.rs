//! What the house server keeps: one [`Store`] trait, SQLite and PostgreSQL behind it.

mod error;
mod news;
mod store;

pub use self::{
    error::StoreError,
    news::News,
    store::{
        ApiToken, Challenge, Change, ChangeRow, CommandRow, Device, DeviceToken, Devices,
        Enrolment, EnrolmentStatus, HouseOf, Houses, KEPT_CHANGES, MediaFile, MediaFiles, Member,
        NewHouse, People, PlayCursor, PlayFilter, PlayRow, ReportRow, Reports, Resource, Role,
        Session, SetupLink, Store, Stored, UnknownRole, UnknownStatus, Upkeep, Upload, User, Write,
    },
};

use std::{path::Path, sync::Arc};

/// Opens the database at an address, `sqlite:PATH` or `postgres://USER@HOST/NAME`, makes it if need be, and brings its
/// schema forward.
///
/// # Errors
/// [`StoreError::Address`], [`StoreError::Newer`], [`StoreError::Migration`], [`StoreError::Unavailable`],
/// [`StoreError::Corrupt`].
pub async fn open(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    let _ = url;
    todo!("bodies follow")
}

/// Puts a backup in place of the database at an address, and begins another epoch. No server may have it open. The
/// answer is where the old one is kept, if there was one.
///
/// # Errors
/// [`StoreError::NotSound`], [`StoreError::InUse`], [`StoreError::UsePgDump`], [`StoreError::File`].
pub async fn restore(
    backup: &Path,
    url: &str,
) -> Result<Option<std::path::PathBuf>, StoreError> {
    let _ = (backup, url);
    todo!("bodies follow")
}
