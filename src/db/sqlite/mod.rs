//! SQLite: one file, one server.
//!
//! The file is in WAL with `synchronous = FULL`, so that a power cut loses nothing that was committed. All writes go
//! through one connection and begin with `BEGIN IMMEDIATE`: a transaction that reads first and writes later would be
//! refused at once when another program wrote in between (SQLite, "Write-Ahead Logging", SQLITE_BUSY_SNAPSHOT). Reads have
//! connections of their own and never wait for a write.

mod devices;
mod files;
mod houses;
mod media;
mod people;
mod reports;

use std::{
    fs::{OpenOptions, create_dir_all},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{
    Sqlite as Db, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::broadcast;

use super::{
    News, StoreError, Upkeep,
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
pub(super) struct Sqlite {
    path: PathBuf,
    writer: SqlitePool,
    readers: SqlitePool,
    news: broadcast::Sender<News>,
}

/// Opens the database in a file, makes it if need be, and brings its schema forward.
pub(super) async fn open(path: &Path) -> Result<Sqlite, StoreError> {
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
    sqlx::query("INSERT INTO meta (only_row, epoch) VALUES (1, $1) ON CONFLICT DO NOTHING")
        .bind(schema::random_epoch()?)
        .execute(&writer)
        .await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(PATIENCE)
        .connect_with(options.pragma("query_only", "ON"))
        .await?;
    let (news, _) = broadcast::channel(super::NEWS);
    Ok(Sqlite {
        path: path.to_owned(),
        writer,
        readers,
        news,
    })
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

impl Sqlite {
    async fn begin(&self) -> Result<Transaction<'static, Db>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Tells everybody in this process. Nobody may be listening.
    fn tell(&self, news: News) {
        let _ = self.news.send(news);
    }
}

#[async_trait]
impl Upkeep for Sqlite {
    async fn epoch(&self) -> Result<String, StoreError> {
        let epoch = sqlx::query_scalar("SELECT epoch FROM meta")
            .fetch_one(&self.readers)
            .await?;
        Ok(epoch)
    }

    async fn new_epoch(&self) -> Result<String, StoreError> {
        let epoch = schema::random_epoch()?;
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE meta SET epoch = $1")
            .bind(&epoch)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.tell(News::Lost);
        Ok(epoch)
    }

    async fn secret(&self, name: &str, fresh: &str) -> Result<String, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(name)
            .bind(fresh)
            .execute(&mut *tx)
            .await?;
        let kept = sqlx::query_scalar("SELECT value FROM secrets WHERE name = $1")
            .bind(name)
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(kept)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        // Takes the lock for writing and gives it back.
        self.begin().await?.rollback().await?;
        Ok(())
    }

    fn listen(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    async fn prune(&self, now: i64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for statement in [
            "DELETE FROM sessions WHERE expires <= $1",
            "DELETE FROM setup_links WHERE expires <= $1",
            "DELETE FROM invitations WHERE expires <= $1",
            "DELETE FROM device_tokens WHERE expires <= $1",
            "DELETE FROM challenges WHERE expires <= $1",
            "UPDATE enrolments SET status = 'expired' WHERE status = 'open' AND expires <= $1",
            "DELETE FROM enrolments WHERE expires <= $1 - 86400000",
            "DELETE FROM commands WHERE made <= $1 - 3600000",
        ] {
            sqlx::query(statement).bind(now).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        files::backup(&self.path, to).await
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
