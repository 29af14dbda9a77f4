//! The database itself: its epoch, its secrets, its news, what has expired.

use std::path::Path;

use async_trait::async_trait;
use tokio::sync::broadcast;

use super::Database;
use crate::db::{News, StoreError, Upkeep, schema};

#[async_trait]
impl Upkeep for Database {
    async fn epoch(&self) -> Result<String, StoreError> {
        let epoch = sqlx::query_scalar("SELECT epoch FROM meta")
            .fetch_one(self.readers())
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
        self.commit_and_tell(tx, vec![News::Lost]).await?;
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
        self.check().await
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
            "DELETE FROM enrolments WHERE expires <= CAST($1 AS BIGINT) - 86400000",
            "DELETE FROM commands WHERE made <= CAST($1 AS BIGINT) - 3600000",
        ] {
            // Each by itself: with the locks of several, PostgreSQL could let two wait for each other.
            let mut tx = self.begin().await?;
            sqlx::query(statement).bind(now).execute(&mut *tx).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        self.save(to).await
    }

    async fn close(&self) {
        self.shut().await;
    }
}

impl Database {
    /// Gives a new database its first epoch.
    pub(in super::super) async fn first_epoch(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO meta (only_row, epoch) VALUES (1, $1) ON CONFLICT DO NOTHING")
            .bind(schema::random_epoch()?)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}
