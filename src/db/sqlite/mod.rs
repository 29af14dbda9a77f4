//! SQLite: one file, one server.
//!
//! The file is in WAL with `synchronous = FULL`, so that a power cut loses nothing that was committed. All writes go
//! through one connection and begin with `BEGIN IMMEDIATE`: a transaction that reads first and writes later would be
//! refused at once when another program wrote in between (SQLite, "Write-Ahead Logging", SQLITE_BUSY_SNAPSHOT). Reads have
//! connections of their own and never wait for a write.

mod dialect;
mod files;
#[path = "../sql/mod.rs"]
mod sql;

use std::{
    fs::{OpenOptions, create_dir_all},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::broadcast;

use super::{
    News, StoreError,
    schema::{self, Step},
};

pub(super) use self::files::restore;

const STEPS: &[Step] = &[
    (1, "first", include_str!("migrations/0001_first.sql")),
    (
        2,
        "invitations",
        include_str!("migrations/0002_invitations.sql"),
    ),
];

/// "muse", as a file of ours says it is (SQLite, "Database File Format", 1.3.15).
const APPLICATION: i64 = 0x6d75_7365;

const READERS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(10);

/// A [`Store`](super::Store) in one file.
pub(super) struct Database {
    path: PathBuf,
    writer: SqlitePool,
    readers: SqlitePool,
    news: broadcast::Sender<News>,
}

/// Opens the database in a file, makes it if need be, and brings its schema forward.
pub(super) async fn open(path: &Path) -> Result<Database, StoreError> {
    make(path)?;
    let options = options(path);
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(PATIENCE)
        .connect_with(options.clone())
        .await?;
    let (application, found) = identity(&writer).await?;
    if found.is_some_and(|_| application != APPLICATION) {
        return Err(not_sound(path, "it is another program's"));
    }
    schema::refuse_newer(STEPS, found)?;
    let migrator = schema::migrator(STEPS);
    if migrator.run(&writer).await.is_err() {
        // Another program may have brought it forward at the same moment. Then there is nothing left to do.
        migrator.run(&writer).await.map_err(StoreError::Migration)?;
    }
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(PATIENCE)
        .connect_with(options.pragma("query_only", "ON"))
        .await?;
    let (news, _) = broadcast::channel(super::NEWS);
    let database = Database {
        path: path.to_owned(),
        writer,
        readers,
        news,
    };
    database.first_epoch().await?;
    Ok(database)
}

/// Makes the file and its folder, for this user alone: hashes of passwords are in there. SQLite gives its other files the
/// same mode.
fn make(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let made = folder.map_or(Ok(()), create_dir_all).and_then(|()| {
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
    });
    match made {
        Ok(_) => Ok(()),
        Err(source) => Err(StoreError::File {
            path: path.to_owned(),
            source,
        }),
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
}

/// Whose file it is, and the newest step that its schema has taken; `None` if it is empty.
async fn identity(pool: &SqlitePool) -> Result<(i64, Option<i64>), StoreError> {
    let application = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(pool)
        .await?;
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
            .fetch_all(pool)
            .await?;
    let found = if tables.iter().any(|name| name == "_sqlx_migrations") {
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
            .fetch_one(pool)
            .await?
    } else if tables.is_empty() {
        None
    } else {
        Some(0)
    };
    Ok((application, found))
}

fn not_sound(path: &Path, why: impl Into<String>) -> StoreError {
    StoreError::NotSound {
        path: path.to_owned(),
        why: why.into(),
    }
}
