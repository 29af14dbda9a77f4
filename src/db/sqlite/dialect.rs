//! What SQLite does otherwise than PostgreSQL.

use std::path::Path;

use serde_json::Value;
use sqlx::{Sqlite, SqlitePool};

use super::{Database, files};
use crate::db::{News, PlayRow, ReportRow, StoreError};

pub(super) use sqlx::SqliteConnection as Connection;
type Transaction = sqlx::Transaction<'static, Sqlite>;

/// In the words of the index `reports_online`, which is used for these only.
pub(super) const MARK_OFFLINE: &str =
    "UPDATE reports SET online = 0 WHERE online = 1 AND seen < $1 RETURNING house, screen";

/// Nothing to do: a transaction that writes is alone from its beginning.
pub(super) async fn lock_house(_: &mut Connection, _: &str) -> Result<(), StoreError> {
    Ok(())
}

/// Nothing to do, as in [`lock_house`].
pub(super) async fn lock_house_for_removal(_: &mut Connection, _: &str) -> Result<(), StoreError> {
    Ok(())
}

impl Database {
    /// Begins a transaction that writes. It is the only one.
    pub(super) async fn begin(&self) -> Result<Transaction, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Begins a transaction that reads, all of it as of one moment.
    pub(super) async fn snapshot(&self) -> Result<Transaction, StoreError> {
        Ok(self.readers.begin().await?)
    }

    /// Where to read.
    pub(super) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Commits and tells every server, which is this one.
    pub(super) async fn commit_and_tell(
        &self,
        tx: Transaction,
        news: Vec<News>,
    ) -> Result<(), StoreError> {
        tx.commit().await?;
        for one in news {
            self.tell_all(one).await?;
        }
        Ok(())
    }

    /// Tells every server, which is this one, of what is not kept.
    pub(super) async fn tell_all(&self, news: News) -> Result<(), StoreError> {
        // Nobody may be listening.
        let _ = self.news.send(news);
        Ok(())
    }

    /// Writes reports of different screens, but for those of screens without a box and those that are late.
    pub(super) async fn write_reports(&self, batch: &[ReportRow]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for row in batch {
            sqlx::query(
                "INSERT INTO reports (screen, house, state, seen, online)
                 SELECT $1, $2, $3, $4, $5 WHERE EXISTS (SELECT 1 FROM devices
                 WHERE screen = $1 AND house = $2 AND revoked IS NULL)
                 ON CONFLICT (screen) DO UPDATE SET house = excluded.house,
                 state = coalesce(excluded.state, reports.state), seen = excluded.seen,
                 online = excluded.online, alerted = reports.alerted AND NOT excluded.online
                 WHERE excluded.seen >= reports.seen",
            )
            .bind(&row.screen)
            .bind(&row.house)
            .bind(row.state.as_ref().map(Value::to_string))
            .bind(row.seen)
            .bind(row.online)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Writes entries of the play log, but for those of no house and those that are there; the answer is how many.
    pub(super) async fn write_plays(&self, batch: &[PlayRow]) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let mut added = 0;
        for row in batch {
            let done = sqlx::query(
                "INSERT INTO plays (house, screen, seq, at, output, playlist, item, duration_ms)
                 SELECT $1, $2, $3, $4, $5, $6, $7, $8
                 WHERE EXISTS (SELECT 1 FROM houses WHERE id = $1)
                 ON CONFLICT DO NOTHING",
            )
            .bind(&row.house)
            .bind(&row.screen)
            .bind(row.seq)
            .bind(row.at)
            .bind(&row.output)
            .bind(&row.playlist)
            .bind(&row.item)
            .bind(row.duration_ms)
            .execute(&mut *tx)
            .await?;
            added += done.rows_affected();
        }
        tx.commit().await?;
        Ok(added)
    }

    /// Whether it can be written: takes the lock for that and gives it back.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        self.begin().await?.rollback().await?;
        Ok(())
    }

    /// Writes a copy to a file.
    pub(super) async fn save(&self, to: &Path) -> Result<(), StoreError> {
        files::backup(&self.path, to).await
    }

    /// Ends all work.
    pub(super) async fn shut(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
