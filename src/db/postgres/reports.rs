//! Reports, play log, commands and alerts.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde_json::Value;

use super::{Postgres, announce};
use crate::db::{
    CommandRow, News, PlayCursor, PlayFilter, PlayRow, ReportRow, Reports, StoreError, rows,
};

#[async_trait]
impl Reports for Postgres {
    async fn report(&self, batch: &[ReportRow]) -> Result<(), StoreError> {
        let newest = rows::newest(batch);
        let (mut screens, mut houses, mut states) = (Vec::new(), Vec::new(), Vec::new());
        let (mut seen, mut online) = (Vec::new(), Vec::new());
        for row in &newest {
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
        self.tell_reported(newest.into_iter().map(|row| row.house));
        Ok(())
    }

    async fn reports(&self, house: &str) -> Result<Vec<ReportRow>, StoreError> {
        let reports: Vec<rows::ReportTuple> = sqlx::query_as(
            "SELECT screen, house, state, seen, online FROM reports
             WHERE house = $1 ORDER BY screen",
        )
        .bind(house)
        .fetch_all(&self.pool)
        .await?;
        reports.into_iter().map(rows::report).collect()
    }

    async fn mark_offline(&self, seen_before: i64) -> Result<Vec<(String, String)>, StoreError> {
        let mut tx = self.begin().await?;
        let mut gone: Vec<(String, String)> = sqlx::query_as(
            "UPDATE reports SET online = FALSE WHERE online AND seen < $1 RETURNING house, screen",
        )
        .bind(seen_before)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        gone.sort_unstable();
        self.tell_reported(gone.iter().map(|(house, _)| house.clone()));
        Ok(gone)
    }

    async fn claim_silent(
        &self,
        house: &str,
        seen_before: i64,
    ) -> Result<Vec<ReportRow>, StoreError> {
        // A report that was under way while its box was put out may have been written after all.
        let mut silent: Vec<rows::ReportTuple> = sqlx::query_as(
            "UPDATE reports SET alerted = TRUE WHERE house = $1 AND seen < $2 AND NOT alerted
             AND EXISTS (SELECT 1 FROM devices WHERE devices.screen = reports.screen
             AND devices.revoked IS NULL)
             RETURNING screen, house, state, seen, online",
        )
        .bind(house)
        .bind(seen_before)
        .fetch_all(&self.pool)
        .await?;
        silent.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        silent.into_iter().map(rows::report).collect()
    }

    async fn add_plays(&self, batch: &[PlayRow]) -> Result<u64, StoreError> {
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

    async fn plays(&self, house: &str, filter: &PlayFilter) -> Result<Vec<PlayRow>, StoreError> {
        let PlayCursor { at, screen, seq } = rows::cursor(filter);
        let plays: Vec<rows::PlayTuple> = sqlx::query_as(
            "SELECT house, screen, seq, at, output, playlist, item, duration_ms FROM plays
             WHERE house = $1 AND at >= $2 AND at < $3 AND ($4::TEXT IS NULL OR screen = $4)
             AND (at, screen, seq) < ($5, $6, $7)
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
        .fetch_all(&self.pool)
        .await?;
        Ok(plays.into_iter().map(rows::play).collect())
    }

    async fn prune_plays(&self, before: i64) -> Result<u64, StoreError> {
        let done = sqlx::query("DELETE FROM plays WHERE at < $1")
            .bind(before)
            .execute(&self.pool)
            .await?;
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
        announce(
            &mut tx,
            &News::Command {
                house: command.house.clone(),
                screen: command.screen.clone(),
            },
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn take_commands(&self, screen: &str, since: i64) -> Result<Vec<CommandRow>, StoreError> {
        let taken: Vec<rows::CommandTuple> = sqlx::query_as(
            "DELETE FROM commands WHERE screen = $1 RETURNING n, id, house, screen, body, made",
        )
        .bind(screen)
        .fetch_all(&self.pool)
        .await?;
        rows::commands(taken, since)
    }

    async fn answer_command(&self, id: &str, error: Option<String>) -> Result<(), StoreError> {
        // News are short.
        let error = error.map(|error| error.chars().take(1000).collect());
        let id = id.to_owned();
        let mut tx = self.begin().await?;
        announce(&mut tx, &News::Answered { id, error }).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn alerts(&self, house: &str) -> Result<Option<Value>, StoreError> {
        let settings: Option<String> =
            sqlx::query_scalar("SELECT settings FROM alerts WHERE house = $1")
                .bind(house)
                .fetch_optional(&self.pool)
                .await?;
        settings.as_deref().map(rows::json).transpose()
    }

    async fn all_alerts(&self) -> Result<Vec<(String, Value)>, StoreError> {
        let all: Vec<(String, String)> =
            sqlx::query_as("SELECT house, settings FROM alerts ORDER BY house")
                .fetch_all(&self.pool)
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
}

impl Postgres {
    fn tell_reported(&self, houses: impl Iterator<Item = String>) {
        for house in houses.collect::<BTreeSet<_>>() {
            self.tell(News::Reported { house });
        }
    }
}
