//! What PostgreSQL does otherwise than SQLite.

use std::path::Path;

use serde_json::Value;
use sqlx::{PgPool, Postgres};

use super::{Database, listener};
use crate::db::{News, PlayRow, ReportRow, StoreError};

pub(super) use sqlx::PgConnection as Connection;
type Transaction = sqlx::Transaction<'static, Postgres>;

pub(super) const MARK_OFFLINE: &str =
    "UPDATE reports SET online = FALSE WHERE online AND seen < $1 RETURNING house, screen";

/// Holds a house against others who would change it or its members. Rows that refer to it come and go.
pub(super) async fn lock_house(db: &mut Connection, house: &str) -> Result<(), StoreError> {
    sqlx::query("SELECT FROM houses WHERE id = $1 FOR NO KEY UPDATE")
        .bind(house)
        .execute(db)
        .await?;
    Ok(())
}

/// Holds a house against new rows that refer to it, too.
pub(super) async fn lock_house_for_removal(
    db: &mut Connection,
    house: &str,
) -> Result<(), StoreError> {
    sqlx::query("SELECT FROM houses WHERE id = $1 FOR UPDATE")
        .bind(house)
        .execute(db)
        .await?;
    Ok(())
}

/// Tells every server, this one too, once the transaction is committed.
async fn announce(db: &mut Connection, news: &News) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(listener::CHANNEL)
        .bind(serde_json::to_string(news).expect("texts and numbers make JSON"))
        .execute(db)
        .await?;
    Ok(())
}

impl Database {
    /// Begins a transaction that writes.
    pub(super) async fn begin(&self) -> Result<Transaction, StoreError> {
        Ok(self.pool.begin().await?)
    }

    /// Begins a transaction that reads, all of it as of one moment.
    pub(super) async fn snapshot(&self) -> Result<Transaction, StoreError> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        Ok(self.pool.begin_with(begin).await?)
    }

    /// Where to read.
    pub(super) fn readers(&self) -> &PgPool {
        &self.pool
    }

    /// Commits and tells every server, by way of the transaction itself.
    pub(super) async fn commit_and_tell(
        &self,
        mut tx: Transaction,
        news: Vec<News>,
    ) -> Result<(), StoreError> {
        for one in &news {
            announce(&mut tx, one).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Tells every server of what is not kept.
    pub(super) async fn tell_all(&self, news: News) -> Result<(), StoreError> {
        let tx = self.begin().await?;
        self.commit_and_tell(tx, vec![news]).await
    }

    /// Writes reports of different screens, but for those of screens without a box and those that are late. One statement
    /// for all, as each is a way to the server and back.
    pub(super) async fn write_reports(&self, batch: &[ReportRow]) -> Result<(), StoreError> {
        let (mut screens, mut houses, mut states) = (Vec::new(), Vec::new(), Vec::new());
        let (mut seen, mut online) = (Vec::new(), Vec::new());
        for row in batch {
            screens.push(row.screen.as_str());
            houses.push(row.house.as_str());
            states.push(row.state.as_ref().map(Value::to_string));
            seen.push(row.seen);
            online.push(row.online);
        }
        sqlx::query(
            "INSERT INTO reports (screen, house, state, seen, online)
             SELECT batch.* FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::BIGINT[], $5::BOOLEAN[])
             AS batch (screen, house, state, seen, online)
             JOIN devices ON devices.screen = batch.screen AND devices.house = batch.house
             AND devices.revoked IS NULL
             ON CONFLICT (screen) DO UPDATE SET house = excluded.house,
             state = coalesce(excluded.state, reports.state), seen = excluded.seen,
             online = excluded.online, alerted = reports.alerted AND NOT excluded.online
             WHERE excluded.seen >= reports.seen",
        )
        .bind(screens)
        .bind(houses)
        .bind(states)
        .bind(seen)
        .bind(online)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Writes entries of the play log, but for those of no house and those that are there; the answer is how many.
    pub(super) async fn write_plays(&self, batch: &[PlayRow]) -> Result<u64, StoreError> {
        let (mut houses, mut screens, mut seqs) = (Vec::new(), Vec::new(), Vec::new());
        let (mut ats, mut outputs, mut playlists) = (Vec::new(), Vec::new(), Vec::new());
        let (mut items, mut durations) = (Vec::new(), Vec::new());
        for row in batch {
            houses.push(row.house.as_str());
            screens.push(row.screen.as_str());
            seqs.push(row.seq);
            ats.push(row.at);
            outputs.push(row.output.as_str());
            playlists.push(row.playlist.as_deref());
            items.push(row.item.as_str());
            durations.push(row.duration_ms);
        }
        let done = sqlx::query(
            "INSERT INTO plays (house, screen, seq, at, output, playlist, item, duration_ms)
             SELECT batch.* FROM unnest($1::TEXT[], $2::TEXT[], $3::BIGINT[], $4::BIGINT[], $5::TEXT[],
             $6::TEXT[], $7::TEXT[], $8::BIGINT[])
             AS batch (house, screen, seq, at, output, playlist, item, duration_ms)
             JOIN houses ON houses.id = batch.house
             ON CONFLICT DO NOTHING",
        )
        .bind(houses)
        .bind(screens)
        .bind(seqs)
        .bind(ats)
        .bind(outputs)
        .bind(playlists)
        .bind(items)
        .bind(durations)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }

    /// Whether it can be written.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
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

    /// Refuses: this is another program's work.
    pub(super) async fn save(&self, _: &Path) -> Result<(), StoreError> {
        Err(StoreError::UsePgDump)
    }

    /// Ends all work.
    pub(super) async fn shut(&self) {
        self.listener.abort();
        self.pool.close().await;
    }
}
