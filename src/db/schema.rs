//! The steps of a schema, forward only, and what a new database begins with.

use std::io;

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

use super::StoreError;

/// A step: its number, what it is for, its statements. A step that was released is never edited: databases remember its
/// hash.
pub(crate) type Step = (i64, &'static str, &'static str);

/// The steps as sqlx takes them.
pub(crate) fn migrator(steps: &[Step]) -> Migrator {
    let migrations = steps
        .iter()
        .map(|&(version, description, sql)| {
            Migration::new(
                version,
                description.into(),
                MigrationType::Simple,
                sql.into_sql_str(),
                false,
            )
        })
        .collect();
    Migrator::with_migrations(migrations)
}

/// Refuses a database that has taken a step which is not among these.
pub(crate) fn refuse_newer(steps: &[Step], found: Option<i64>) -> Result<(), StoreError> {
    let known = steps.last().map_or(0, |step| step.0);
    match found {
        Some(found) if found > known => Err(StoreError::Newer { found, known }),
        Some(_) | None => Ok(()),
    }
}

/// A random name for an epoch: a UUID of version 4 (RFC 9562).
pub(crate) fn random_epoch() -> Result<String, StoreError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| StoreError::Unavailable(sqlx::Error::Io(io::Error::other(error))))?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    Ok(parts.join("-"))
}
