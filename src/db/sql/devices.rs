//! Boxes: how they come into a house, and what they show at the door afterwards.

use async_trait::async_trait;

use super::{Database, houses::write_change, some};
use crate::db::{
    Challenge, Change, Device, DeviceToken, Devices, Enrolment, EnrolmentStatus, News, StoreError,
    rows,
};

const NO_BOX: StoreError = StoreError::NotFound { what: "box" };

#[async_trait]
impl Devices for Database {
    async fn device(&self, screen: &str) -> Result<Option<Device>, StoreError> {
        let device: Option<rows::DeviceRow> = sqlx::query_as(
            "SELECT screen, house, key, name, approved, revoked FROM devices WHERE screen = $1",
        )
        .bind(screen)
        .fetch_optional(self.readers())
        .await?;
        Ok(device.map(rows::device))
    }

    async fn device_by_key(&self, key: &str) -> Result<Option<Device>, StoreError> {
        let device: Option<rows::DeviceRow> = sqlx::query_as(
            "SELECT screen, house, key, name, approved, revoked FROM devices
             WHERE key = $1 AND revoked IS NULL",
        )
        .bind(key)
        .fetch_optional(self.readers())
        .await?;
        Ok(device.map(rows::device))
    }

    async fn revoke_device(&self, screen: &str, at: i64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done =
            sqlx::query("UPDATE devices SET revoked = $2 WHERE screen = $1 AND revoked IS NULL")
                .bind(screen)
                .bind(at)
                .execute(&mut *tx)
                .await?;
        some(done.rows_affected(), NO_BOX)?;
        for statement in [
            "DELETE FROM device_tokens WHERE screen = $1",
            "DELETE FROM reports WHERE screen = $1",
            "DELETE FROM commands WHERE screen = $1",
        ] {
            sqlx::query(statement)
                .bind(screen)
                .execute(&mut *tx)
                .await?;
        }
        let revoked = News::Revoked {
            screen: screen.to_owned(),
        };
        self.commit_and_tell(tx, vec![revoked]).await
    }

    async fn create_device_token(&self, token: &DeviceToken) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "INSERT INTO device_tokens (token_hash, screen, expires)
             SELECT CAST($1 AS TEXT), screen, CAST($3 AS BIGINT) FROM devices
             WHERE screen = $2 AND revoked IS NULL",
        )
        .bind(&token.token_hash)
        .bind(&token.screen)
        .bind(token.expires)
        .execute(&mut *tx)
        .await
        .map_err(|error| StoreError::from(error).or_taken("token"))?;
        some(done.rows_affected(), NO_BOX)?;
        tx.commit().await?;
        Ok(())
    }

    async fn device_with_token(
        &self,
        token_hash: &str,
        now: i64,
    ) -> Result<Option<Device>, StoreError> {
        let device: Option<rows::DeviceRow> = sqlx::query_as(
            "SELECT devices.screen, house, key, name, approved, revoked
             FROM device_tokens JOIN devices ON devices.screen = device_tokens.screen
             WHERE token_hash = $1 AND expires > $2 AND revoked IS NULL",
        )
        .bind(token_hash)
        .bind(now)
        .fetch_optional(self.readers())
        .await?;
        Ok(device.map(rows::device))
    }

    async fn create_challenge(&self, challenge: &Challenge) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO challenges (nonce, key, expires) VALUES ($1, $2, $3)")
            .bind(&challenge.nonce)
            .bind(&challenge.key)
            .bind(challenge.expires)
            .execute(&mut *tx)
            .await
            .map_err(|error| StoreError::from(error).or_taken("nonce"))?;
        tx.commit().await?;
        Ok(())
    }

    async fn take_challenge(&self, nonce: &str, now: i64) -> Result<Option<String>, StoreError> {
        let mut tx = self.begin().await?;
        let taken: Option<(String, i64)> =
            sqlx::query_as("DELETE FROM challenges WHERE nonce = $1 RETURNING key, expires")
                .bind(nonce)
                .fetch_optional(&mut *tx)
                .await?;
        tx.commit().await?;
        Ok(taken
            .filter(|(_, expires)| *expires > now)
            .map(|(key, _)| key))
    }

    async fn create_enrolment(&self, enrolment: &Enrolment) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE enrolments SET status = 'expired' WHERE status = 'open' AND expires <= $1",
        )
        .bind(enrolment.made)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO enrolments
             (id, code, secret_hash, device_key, name, version, outputs, box_commit, box_nonce,
              server_nonce, spki, status, house, screen, made, expires)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        )
        .bind(&enrolment.id)
        .bind(&enrolment.code)
        .bind(&enrolment.secret_hash)
        .bind(&enrolment.device_key)
        .bind(&enrolment.name)
        .bind(&enrolment.version)
        .bind(rows::texts(&enrolment.outputs))
        .bind(&enrolment.commit)
        .bind(&enrolment.box_nonce)
        .bind(&enrolment.server_nonce)
        .bind(&enrolment.spki)
        .bind(enrolment.status.as_str())
        .bind(&enrolment.house)
        .bind(&enrolment.screen)
        .bind(enrolment.made)
        .bind(enrolment.expires)
        .execute(&mut *tx)
        .await
        .map_err(|error| StoreError::from(error).or_taken("code"))?;
        tx.commit().await?;
        Ok(())
    }

    async fn open_enrolment(&self, id: &str, now: i64) -> Result<Option<Enrolment>, StoreError> {
        let enrolment: Option<rows::EnrolmentRow> = sqlx::query_as(
            "SELECT id, code, secret_hash, device_key, name, version, outputs, box_commit,
                    box_nonce, server_nonce, spki, status, house, screen, made, expires
             FROM enrolments WHERE id = $1 AND status = 'open' AND expires > $2",
        )
        .bind(id)
        .bind(now)
        .fetch_optional(self.readers())
        .await?;
        enrolment.map(rows::enrolment).transpose()
    }

    async fn enrolment_by_code(
        &self,
        code: &str,
        now: i64,
    ) -> Result<Option<Enrolment>, StoreError> {
        let enrolment: Option<rows::EnrolmentRow> = sqlx::query_as(
            "SELECT id, code, secret_hash, device_key, name, version, outputs, box_commit,
                    box_nonce, server_nonce, spki, status, house, screen, made, expires
             FROM enrolments WHERE code = $1 AND status = 'open' AND expires > $2",
        )
        .bind(code)
        .bind(now)
        .fetch_optional(self.readers())
        .await?;
        enrolment.map(rows::enrolment).transpose()
    }

    async fn enrolment(
        &self,
        id: &str,
        secret_hash: &str,
        now: i64,
    ) -> Result<Option<Enrolment>, StoreError> {
        let enrolment: Option<rows::EnrolmentRow> = sqlx::query_as(
            "SELECT id, code, secret_hash, device_key, name, version, outputs, box_commit,
                    box_nonce, server_nonce, spki, status, house, screen, made, expires
             FROM enrolments WHERE id = $1 AND secret_hash = $2",
        )
        .bind(id)
        .bind(secret_hash)
        .fetch_optional(self.readers())
        .await?;
        let mut enrolment = enrolment.map(rows::enrolment).transpose()?;
        if let Some(open) = &mut enrolment
            && open.status == EnrolmentStatus::Open
            && open.expires <= now
        {
            open.status = EnrolmentStatus::Expired;
        }
        Ok(enrolment)
    }

    async fn reveal_enrolment(
        &self,
        id: &str,
        box_nonce: &str,
        now: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE enrolments SET box_nonce = $2
             WHERE id = $1 AND status = 'open' AND expires > $3
             AND (box_nonce IS NULL OR box_nonce = $2)",
        )
        .bind(id)
        .bind(box_nonce)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        some(done.rows_affected(), StoreError::Conflict)?;
        tx.commit().await?;
        Ok(())
    }

    async fn refuse_enrolment(&self, id: &str, at: i64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE enrolments SET status = 'refused'
             WHERE id = $1 AND status = 'open' AND expires > $2",
        )
        .bind(id)
        .bind(at)
        .execute(&mut *tx)
        .await?;
        some(done.rows_affected(), StoreError::Conflict)?;
        tx.commit().await?;
        Ok(())
    }

    async fn approve_enrolment(
        &self,
        id: &str,
        house: &str,
        screen: &str,
        at: i64,
        base_rev: i64,
        change: &Change,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let (key, name): (String, String) = sqlx::query_as(
            "UPDATE enrolments SET status = 'approved', house = $2, screen = $3
             WHERE id = $1 AND status = 'open' AND expires > $4 AND box_nonce IS NOT NULL
             RETURNING device_key, name",
        )
        .bind(id)
        .bind(house)
        .bind(screen)
        .bind(at)
        .fetch_optional(&mut *tx)
        .await
        .map_err(|error| StoreError::from(error).or_not_found("house"))?
        .ok_or(StoreError::Conflict)?;
        // First, so that a change that lost its race is told apart from a box that is in already.
        // A box that is paired again may change nothing in its house.
        if change.rev != base_rev {
            write_change(&mut tx, house, base_rev, change).await?;
        }
        let before: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM devices WHERE screen = $1 AND revoked IS NULL)",
        )
        .bind(screen)
        .fetch_one(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM device_tokens WHERE screen = $1")
            .bind(screen)
            .execute(&mut *tx)
            .await?;
        let done = sqlx::query(
            "INSERT INTO devices (screen, house, key, name, approved) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (screen) DO UPDATE SET key = excluded.key, name = excluded.name,
             approved = excluded.approved, revoked = NULL WHERE devices.house = excluded.house",
        )
        .bind(screen)
        .bind(house)
        .bind(key)
        .bind(name)
        .bind(at)
        .execute(&mut *tx)
        .await
        .map_err(|error| StoreError::from(error).or_taken("box's key"))?;
        some(done.rows_affected(), StoreError::Taken { what: "screen" })?;
        let mut news = Vec::new();
        if before {
            news.push(News::Revoked {
                screen: screen.to_owned(),
            });
        }
        news.push(News::House {
            house: house.to_owned(),
            rev: change.rev,
        });
        self.commit_and_tell(tx, news).await
    }
}
