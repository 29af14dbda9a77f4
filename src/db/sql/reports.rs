//! Reports, play log, commands and alerts.

use async_trait::async_trait;
use serde_json::Value;

use super::{Database, MARK_OFFLINE};
use crate::db::{
    CommandRow, News, PlayCursor, PlayFilter, PlayRow, ReportRow, Reports, StoreError, rows,
};

#[async_trait]
impl Reports for Database {
    async fn report(&self, batch: &[ReportRow]) -> Result<(), StoreError> {
        self.write_reports(&rows::newest(batch)).await
    }

    async fn reports(&self, house: &str) -> Result<Vec<ReportRow>, StoreError> {
        let reports: Vec<rows::ReportTuple> = sqlx::query_as(
            "SELECT screen, house, state, seen, online FROM reports
             WHERE house = $1 ORDER BY screen",
        )
        .bind(house)
        .fetch_all(self.readers())
        .await?;
        reports.into_iter().map(rows::report).collect()
    }

    async fn mark_offline(&self, seen_before: i64) -> Result<Vec<(String, String)>, StoreError> {
        let mut tx = self.begin().await?;
        let mut gone: Vec<(String, String)> = sqlx::query_as(MARK_OFFLINE)
            .bind(seen_before)
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        gone.sort_unstable();
        Ok(gone)
    }

    async fn claim_silent(
        &self,
        house: &str,
        seen_before: i64,
    ) -> Result<Vec<ReportRow>, StoreError> {
        let mut tx = self.begin().await?;
        // With several writers, a report that was under way while its box was put out may have been written after all.
        let mut silent: Vec<rows::ReportTuple> = sqlx::query_as(
            "UPDATE reports SET alerted = TRUE WHERE house = $1 AND seen < $2 AND NOT alerted
             AND EXISTS (SELECT 1 FROM devices WHERE devices.screen = reports.screen
             AND devices.revoked IS NULL)
             RETURNING screen, house, state, seen, online",
        )
        .bind(house)
        .bind(seen_before)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        silent.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        silent.into_iter().map(rows::report).collect()
    }

    async fn add_plays(&self, batch: &[PlayRow]) -> Result<u64, StoreError> {
        self.write_plays(batch).await
    }

    async fn plays(&self, house: &str, filter: &PlayFilter) -> Result<Vec<PlayRow>, StoreError> {
        let PlayCursor { at, screen, seq } = rows::cursor(filter);
        let plays: Vec<rows::PlayTuple> = sqlx::query_as(
            "SELECT house, screen, seq, at, output, playlist, item, duration_ms FROM plays
             WHERE house = $1 AND at >= $2 AND at < $3
             AND (CAST($4 AS TEXT) IS NULL OR screen = $4) AND (at, screen, seq) < ($5, $6, $7)
             ORDER BY at DESC, screen DESC, seq DESC LIMIT $8",
        )
        .bind(house)
        .bind(filter.from.unwrap_or(i64::MIN))
        .bind(filter.to.unwrap_or(i64::MAX))
        .bind(&filter.screen)
        .bind(at)
        .bind(screen)
        .bind(seq)
        .bind(filter.limit.max(0))
        .fetch_all(self.readers())
        .await?;
        Ok(plays.into_iter().map(rows::play).collect())
    }

    async fn prune_plays(&self, before: i64) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("DELETE FROM plays WHERE at < $1")
            .bind(before)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    async fn add_command(&self, command: &CommandRow) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO commands (id, house, screen, body, made) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&command.id)
        .bind(&command.house)
        .bind(&command.screen)
        .bind(command.body.to_string())
        .bind(command.made)
        .execute(&mut *tx)
        .await
        .map_err(|error| {
            StoreError::from(error)
                .or_taken("command")
                .or_not_found("house")
        })?;
        let waits = News::Command {
            house: command.house.clone(),
            screen: command.screen.clone(),
        };
        self.commit_and_tell(tx, vec![waits]).await
    }

    async fn take_commands(&self, screen: &str, since: i64) -> Result<Vec<CommandRow>, StoreError> {
        let mut tx = self.begin().await?;
        let taken: Vec<rows::CommandTuple> = sqlx::query_as(
            "DELETE FROM commands WHERE screen = $1 RETURNING n, id, house, screen, body, made",
        )
        .bind(screen)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        rows::commands(taken, since)
    }

    async fn answer_command(&self, id: &str, error: Option<String>) -> Result<(), StoreError> {
        // News are short.
        let error = error.map(|error| error.chars().take(1000).collect());
        let id = id.to_owned();
        self.tell_all(News::Answered { id, error }).await
    }

    async fn alerts(&self, house: &str) -> Result<Option<Value>, StoreError> {
        let settings: Option<String> =
            sqlx::query_scalar("SELECT settings FROM alerts WHERE house = $1")
                .bind(house)
                .fetch_optional(self.readers())
                .await?;
        settings.as_deref().map(rows::json).transpose()
    }

    async fn all_alerts(&self) -> Result<Vec<(String, Value)>, StoreError> {
        let all: Vec<(String, String)> =
            sqlx::query_as("SELECT house, settings FROM alerts ORDER BY house")
                .fetch_all(self.readers())
                .await?;
        all.into_iter()
            .map(|(house, settings)| Ok((house, rows::json(&settings)?)))
            .collect()
    }

    async fn set_alerts(&self, house: &str, settings: &Value) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO alerts (house, settings) VALUES ($1, $2)
             ON CONFLICT (house) DO UPDATE SET settings = excluded.settings",
        )
        .bind(house)
        .bind(settings.to_string())
        .execute(&mut *tx)
        .await
        .map_err(|error| StoreError::from(error).or_not_found("house"))?;
        tx.commit().await?;
        Ok(())
    }

    async fn change_alerts(
        &self,
        house: &str,
        was: Option<&Value>,
        settings: &Value,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = match was {
            None => {
                sqlx::query(
                    "INSERT INTO alerts (house, settings) VALUES ($1, $2) ON CONFLICT (house) DO NOTHING",
                )
                .bind(house)
                .bind(settings.to_string())
                .execute(&mut *tx)
                .await
            }
            Some(was) => {
                sqlx::query("UPDATE alerts SET settings = $2 WHERE house = $1 AND settings = $3")
                    .bind(house)
                    .bind(settings.to_string())
                    .bind(was.to_string())
                    .execute(&mut *tx)
                    .await
            }
        };
        let done = done.map_err(|error| StoreError::from(error).or_not_found("house"))?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}
