//! What a store can answer instead of what it was asked for.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why a store did not do what it was asked.
///
/// The kinds that a client can mend are [`Conflict`](Self::Conflict), [`NotFound`](Self::NotFound) and
/// [`Taken`](Self::Taken): then nothing was kept. After [`Unavailable`](Self::Unavailable) it is not known whether anything
/// was, since an answer can be lost on its way.
#[derive(Debug, Error)]
pub enum StoreError {
    /// What the change builds on is no longer so: another revision, a link that was used, an enrolment that is decided.
    #[error("it was changed by somebody else in the meantime")]
    Conflict,
    /// What was named is not there.
    #[error("there is no such {what}")]
    NotFound {
        /// What was named, as in "house".
        what: &'static str,
    },
    /// Something that may be there only once is there already.
    #[error("another one has this {what} already")]
    Taken {
        /// What may be there only once, as in "e-mail address".
        what: &'static str,
    },
    /// The database cannot be reached, has no place left, or is busy for too long.
    #[error("the database does not answer")]
    Unavailable(#[source] sqlx::Error),
    /// The database refused a statement, which is a fault of this program.
    #[error("the database refused a statement")]
    Refused(#[source] sqlx::Error),
    /// What is in the database cannot be what was put there.
    #[error("the database is damaged: {what}")]
    Corrupt {
        /// What was found.
        what: String,
    },
    /// A newer program wrote the database.
    #[error(
        "the database has schema {found} and this program knows {known} at most: start the newer program that wrote it, \
         or restore a backup from before"
    )]
    Newer {
        /// The schema of the database.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// The schema could not be brought forward.
    #[error("the database's schema could not be brought forward")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The address of the database says nothing to this program. The address itself is left out: it may have a password.
    #[error("{scheme:?} is no kind of database: sqlite:PATH or postgres://USER@HOST/NAME")]
    Address {
        /// What stands before the first colon.
        scheme: String,
    },
    /// The program was built without PostgreSQL.
    #[error("this program was built without PostgreSQL")]
    NoPostgres,
    /// Backup and restore of this database are another program's work.
    #[error(
        "a PostgreSQL database is saved with pg_dump and put back with pg_restore; before a server starts on one that was \
         put back, it needs another epoch: musebox-house new-epoch"
    )]
    UsePgDump,
    /// The file is not a sound database of musebox.
    #[error("{path:?} is no sound musebox database: {why}")]
    NotSound {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Another program has the database open.
    #[error("{path:?} is in use: stop the server first")]
    InUse {
        /// The database's file.
        path: PathBuf,
    },
    /// A file could not be written, moved or opened.
    #[error("{path:?}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StoreError {
    /// Says what was to be unique, if that is what the database refused.
    pub(crate) fn or_taken(self, what: &'static str) -> Self {
        match self {
            Self::Refused(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                Self::Taken { what }
            }
            other => other,
        }
    }

    /// Says what was named, if the database refused for want of it.
    pub(crate) fn or_not_found(self, what: &'static str) -> Self {
        match self {
            Self::Refused(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => {
                Self::NotFound { what }
            }
            other => other,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => match database.code().as_deref() {
                // SQLITE_CORRUPT and SQLITE_NOTADB.
                Some("11" | "26") => Self::Corrupt {
                    what: database.message().to_owned(),
                },
                // SQLITE_BUSY, _LOCKED, _IOERR, _FULL and _CANTOPEN with their extended codes, whose low byte they are.
                Some(code) if code.len() < 5 && sqlite_may_pass(code) => Self::Unavailable(error),
                // PostgreSQL: connection exception, insufficient resources, operator intervention, and a transaction
                // that was rolled back for the sake of another.
                Some(code)
                    if code.len() == 5
                        && ["08", "53", "57", "40"]
                            .iter()
                            .any(|class| code.starts_with(class)) =>
                {
                    Self::Unavailable(error)
                }
                Some(_) | None => Self::Refused(error),
            },
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt {
                what: error.to_string(),
            },
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            // The list of sqlx is open.
            _ => Self::Refused(error),
        }
    }
}

fn sqlite_may_pass(code: &str) -> bool {
    code.parse::<u32>()
        .is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13 | 14))
}
