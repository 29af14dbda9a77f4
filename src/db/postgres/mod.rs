//! PostgreSQL: one database, several servers.
//!
//! Servers hear of each other's commits by one `LISTEN` connection each. `NOTIFY` is part of the committing transaction,
//! and carries names and revisions only: what has changed is read again. Reports are never told that way, since `NOTIFY`
//! takes a lock of the whole database when it commits.
//!
//! Transactions are READ COMMITTED. What decides by a row does so in the statement that writes the row, or locks it
//! before: `FOR NO KEY UPDATE`, which leaves rows that refer to it free to come and go, unless these are what must not
//! come.

#![expect(
    clippy::duplicate_mod,
    reason = "the statements are written once and compiled for each database"
)]

mod dialect;
mod listener;
#[path = "../sql/mod.rs"]
mod sql;

use std::{sync::Arc, time::Duration};

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{sync::broadcast, task::AbortHandle};

use crate::db::{
    NEWS, News, Store, StoreError,
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
struct Database {
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
    let (news, _) = broadcast::channel(NEWS);
    let listener = listener::start(options, news.clone()).await?;
    let database = Database {
        pool,
        news,
        listener,
    };
    database.first_epoch().await?;
    Ok(Arc::new(database))
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

impl Drop for Database {
    fn drop(&mut self) {
        self.listener.abort();
    }
}
