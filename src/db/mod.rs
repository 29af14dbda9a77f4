//! What the house server keeps: one [`Store`] trait, SQLite and PostgreSQL behind it.
//!
//! Both have the same tables and keep the same promises, which `tests/store` holds them to. The statements are written
//! once, in `sql`, and compiled for each; what only one of the two does is in its `dialect`. They are checked when they
//! run, since macros that check them before can serve one database only. How a house's document is made of its resources,
//! and who may do what, is not known here.

mod error;
mod news;
pub(crate) mod rows;
pub(crate) mod schema;
mod sqlite;
mod store;

pub use self::{
    error::StoreError,
    news::News,
    store::{
        ApiToken, Challenge, Change, ChangeRow, CommandRow, Device, DeviceToken, Devices,
        Enrolment, EnrolmentStatus, HouseOf, Houses, Invitation, KEPT_CHANGES, MediaFile,
        MediaFiles, Member, NewHouse, People, PlayCursor, PlayFilter, PlayRow, ReportRow, Reports,
        Resource, Role, Session, SetupLink, Store, Stored, UnknownRole, UnknownStatus, Upkeep,
        Upload, User, Write,
    },
};

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// How many news a listener may leave unread before it is told that it lagged behind.
pub(crate) const NEWS: usize = 4096;

/// Where a database is.
enum Address<'a> {
    File(&'a Path),
    Postgres(&'a str),
}

fn address(url: &str) -> Result<Address<'_>, StoreError> {
    let (scheme, rest) = url.split_once(':').unwrap_or(("", url));
    match scheme {
        "sqlite" if !rest.is_empty() => {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            Ok(Address::File(Path::new(path)))
        }
        "postgres" | "postgresql" => Ok(Address::Postgres(url)),
        other => Err(StoreError::Address {
            scheme: other.to_owned(),
        }),
    }
}

/// Opens the database at an address, `sqlite:PATH` or `postgres://USER@HOST/NAME`, makes it if need be, and brings its
/// schema forward.
///
/// # Errors
/// [`StoreError::Address`], [`StoreError::Newer`], [`StoreError::Migration`], [`StoreError::Unavailable`],
/// [`StoreError::Corrupt`], [`StoreError::NotSound`], [`StoreError::File`], [`StoreError::NoPostgres`].
pub async fn open(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    match address(url)? {
        Address::File(path) => Ok(Arc::new(sqlite::open(path).await?)),
        Address::Postgres(url) => super::postgres::open(url).await,
    }
}

/// The file of the database at an address, where it has one and that is not there.
///
/// # Errors
/// [`StoreError::Address`]; [`StoreError::File`] where the folder may not be looked into.
pub fn missing(url: &str) -> Result<Option<PathBuf>, StoreError> {
    let Address::File(path) = address(url)? else {
        return Ok(None);
    };
    let is_there = path.try_exists().map_err(|source| StoreError::File {
        path: path.to_owned(),
        source,
    })?;
    Ok((!is_there).then(|| path.to_owned()))
}

/// Puts a backup in place of the database at an address, and begins another epoch. No server may have it open. What root
/// puts there is whose the old one was, or the folder is. The answer is where the old one is kept, if there was one.
///
/// # Errors
/// [`StoreError::NotSound`], [`StoreError::Newer`], [`StoreError::InUse`], [`StoreError::UsePgDump`],
/// [`StoreError::File`].
pub async fn restore(backup: &Path, url: &str) -> Result<Option<PathBuf>, StoreError> {
    match address(url)? {
        Address::File(path) => sqlite::restore(backup, path).await,
        Address::Postgres(_) => Err(StoreError::UsePgDump),
    }
}
