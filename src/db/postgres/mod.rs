//! PostgreSQL: one database, several servers.
//!
//! Servers hear of each other's commits by one `LISTEN` connection each. `NOTIFY` is part of the committing transaction,
//! and carries names and revisions only: what has changed is read again. Reports are never told that way, since `NOTIFY`
//! takes a lock of the whole database when it commits.
//!
//! Transactions are READ COMMITTED. What reads before it writes locks the row that it decides by, and locks it
//! `FOR NO KEY UPDATE`, which leaves rows that refer to it free to come and go.

mod devices;
mod houses;
mod listener;
mod media;
mod people;
mod reports;

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use sqlx::{
    PgConnection, PgPool, Postgres as Db, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{sync::broadcast, task::AbortHandle};

use crate::db::{
    NEWS, News, Store, StoreError, Upkeep,
    schema::{self, Step},
};

const STEPS: &[Step] = &[
    (1, "first", include_str!("migrations/0001_first.sql")),
    (
        2,
        "invitations",
        include_str!("migrations/0002_invitations.sql"),
    ),
];

const CONNECTIONS: u32 = 16;
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest that a statement may take, and that a transaction may wait for its next one: nothing here is long, so
/// what is has met a fault, and would hold up everybody behind it. Steps of the schema have no limit.
const LIMITS: [(&str, &str); 2] = [
    ("statement_timeout", "30s"),
    ("idle_in_transaction_session_timeout", "30s"),
];

/// A [`Store`] in a database of PostgreSQL.
struct Postgres {
    pool: PgPool,
    news: broadcast::Sender<News>,
    listener: AbortHandle,
}

/// Opens the database at an address and brings its schema forward.
pub(crate) async fn open(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    let options: PgConnectOptions = url.parse()?;
    let options = options.application_name("musebox-house");
    let unhurried = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(PATIENCE)
        .connect_with(options.clone())
        .await?;
    schema::refuse_newer(STEPS, newest_step(&unhurried).await?)?;
    schema::migrator(STEPS)
        .run(&unhurried)
        .await
        .map_err(StoreError::Migration)?;
    unhurried.close().await;
    let options = options.options(LIMITS);
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(PATIENCE)
        .connect_with(options.clone())
        .await?;
    sqlx::query("INSERT INTO meta (only_row, epoch) VALUES (1, $1) ON CONFLICT DO NOTHING")
        .bind(schema::random_epoch()?)
        .execute(&pool)
        .await?;
    let (news, _) = broadcast::channel(NEWS);
    let listener = listener::start(options, news.clone()).await?;
    Ok(Arc::new(Postgres {
        pool,
        news,
        listener,
    }))
}

/// The newest step that the schema has taken; `None` if there is no schema.
async fn newest_step(pool: &PgPool) -> Result<Option<i64>, StoreError> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(pool)
        .await?;
    if !there {
        return Ok(None);
    }
    let found = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(pool)
        .await?;
    Ok(found)
}

impl Postgres {
    async fn begin(&self) -> Result<Transaction<'static, Db>, StoreError> {
        Ok(self.pool.begin().await?)
    }

    /// Tells everybody in this process only. Nobody may be listening.
    fn tell(&self, news: News) {
        let _ = self.news.send(news);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Tells every server, this one too, once the transaction is committed.
async fn announce(db: &mut PgConnection, news: &News) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(listener::CHANNEL)
        .bind(serde_json::to_string(news).expect("texts and numbers make JSON"))
        .execute(db)
        .await?;
    Ok(())
}

#[async_trait]
impl Upkeep for Postgres {
    async fn epoch(&self) -> Result<String, StoreError> {
        let epoch = sqlx::query_scalar("SELECT epoch FROM meta")
            .fetch_one(&self.pool)
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
        announce(&mut tx, &News::Lost).await?;
        tx.commit().await?;
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
        let read_only: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()")
            .fetch_one(&self.pool)
            .await?;
        match read_only {
            false => Ok(()),
            true => Err(StoreError::Unavailable(sqlx::Error::Io(
                std::io::Error::other("it is a copy that cannot be written"),
            ))),
        }
    }

    fn listen(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    async fn prune(&self, now: i64) -> Result<(), StoreError> {
        for statement in [
            "DELETE FROM sessions WHERE expires <= $1",
            "DELETE FROM setup_links WHERE expires <= $1",
            "DELETE FROM invitations WHERE expires <= $1",
            "DELETE FROM device_tokens WHERE expires <= $1",
            "DELETE FROM challenges WHERE expires <= $1",
            "UPDATE enrolments SET status = 'expired' WHERE status = 'open' AND expires <= $1",
            "DELETE FROM enrolments WHERE expires <= $1::BIGINT - 86400000",
            "DELETE FROM commands WHERE made <= $1::BIGINT - 3600000",
        ] {
            sqlx::query(statement).bind(now).execute(&self.pool).await?;
        }
        Ok(())
    }

    async fn backup(&self, _: &Path) -> Result<(), StoreError> {
        Err(StoreError::UsePgDump)
    }

    async fn close(&self) {
        self.listener.abort();
        self.pool.close().await;
    }
}
