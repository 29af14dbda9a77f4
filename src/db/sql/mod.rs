//! What the store does, in the SQL that both databases understand.
//!
//! The folder is compiled as a part of each, since a statement of sqlx is of one database; `super` is that database. What
//! the two do not have in common is in `dialect`, under the same names. As SQLite has one writer, what writes goes through
//! `begin`, be it one statement, and what only reads through `readers`.

mod devices;
mod houses;
mod media;
mod people;
mod reports;
mod upkeep;

use super::{
    Database,
    dialect::{Connection, MARK_OFFLINE, lock_house, lock_house_for_removal},
};
use crate::db::StoreError;

/// That a statement found what it was for.
fn some(rows: u64, otherwise: StoreError) -> Result<(), StoreError> {
    match rows {
        0 => Err(otherwise),
        _ => Ok(()),
    }
}
