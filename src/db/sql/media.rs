//! Media files and their uploads.

use async_trait::async_trait;

use super::{Connection, Database, some};
use crate::db::{MediaFile, MediaFiles, StoreError, Upload, rows};

const NO_FILE: StoreError = StoreError::NotFound { what: "media file" };
const NO_UPLOAD: StoreError = StoreError::NotFound { what: "upload" };

#[async_trait]
impl MediaFiles for Database {
    async fn create_media(&self, media: &MediaFile) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        insert_media(&mut tx, media).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn media(&self, name: &str) -> Result<Option<MediaFile>, StoreError> {
        let media: Option<rows::MediaRow> = sqlx::query_as(
            "SELECT name, house, sha256, size, mime, made FROM media WHERE name = $1",
        )
        .bind(name)
        .fetch_optional(self.readers())
        .await?;
        Ok(media.map(rows::media))
    }

    async fn media_of(&self, house: &str) -> Result<Vec<MediaFile>, StoreError> {
        let media: Vec<rows::MediaRow> = sqlx::query_as(
            "SELECT name, house, sha256, size, mime, made FROM media
             WHERE house = $1 ORDER BY name",
        )
        .bind(house)
        .fetch_all(self.readers())
        .await?;
        Ok(media.into_iter().map(rows::media).collect())
    }

    async fn delete_media(&self, name: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query("DELETE FROM media WHERE name = $1")
            .bind(name)
            .execute(&mut *tx)
            .await?;
        some(done.rows_affected(), NO_FILE)?;
        tx.commit().await?;
        Ok(())
    }

    async fn create_upload(&self, upload: &Upload) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO uploads (id, house, name, size, sha256, received, made)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&upload.id)
        .bind(&upload.house)
        .bind(&upload.name)
        .bind(upload.size)
        .bind(&upload.sha256)
        .bind(upload.offset)
        .bind(upload.made)
        .execute(&mut *tx)
        .await
        .map_err(|error| {
            StoreError::from(error)
                .or_taken("upload")
                .or_not_found("house")
        })?;
        tx.commit().await?;
        Ok(())
    }

    async fn upload(&self, id: &str) -> Result<Option<Upload>, StoreError> {
        let upload: Option<rows::UploadRow> = sqlx::query_as(
            "SELECT id, house, name, size, sha256, received, made FROM uploads WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(self.readers())
        .await?;
        Ok(upload.map(rows::upload))
    }

    async fn uploads_before(&self, before: i64) -> Result<Vec<Upload>, StoreError> {
        let uploads: Vec<rows::UploadRow> = sqlx::query_as(
            "SELECT id, house, name, size, sha256, received, made FROM uploads
             WHERE made < $1 ORDER BY made, id",
        )
        .bind(before)
        .fetch_all(self.readers())
        .await?;
        Ok(uploads.into_iter().map(rows::upload).collect())
    }

    async fn advance_upload(&self, id: &str, from: i64, to: i64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        // One statement decides and writes: of two at once the second waits for the first and finds it elsewhere.
        let done = sqlx::query("UPDATE uploads SET received = $3 WHERE id = $1 AND received = $2")
            .bind(id)
            .bind(from)
            .bind(to)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            let there = sqlx::query("SELECT 1 FROM uploads WHERE id = $1")
                .bind(id)
                .fetch_optional(&mut *tx)
                .await?;
            return Err(there.map_or(NO_UPLOAD, |_| StoreError::Conflict));
        }
        tx.commit().await?;
        Ok(())
    }

    async fn finish_upload(&self, id: &str, media: &MediaFile) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        delete_upload(&mut tx, id).await?;
        insert_media(&mut tx, media).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn delete_upload(&self, id: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        delete_upload(&mut tx, id).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn insert_media(db: &mut Connection, media: &MediaFile) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO media (name, house, sha256, size, mime, made)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&media.name)
    .bind(&media.house)
    .bind(&media.sha256)
    .bind(media.size)
    .bind(&media.mime)
    .bind(media.made)
    .execute(db)
    .await
    .map_err(|error| {
        StoreError::from(error)
            .or_taken("name")
            .or_not_found("house")
    })?;
    Ok(())
}

async fn delete_upload(db: &mut Connection, id: &str) -> Result<(), StoreError> {
    let done = sqlx::query("DELETE FROM uploads WHERE id = $1")
        .bind(id)
        .execute(db)
        .await?;
    some(done.rows_affected(), NO_UPLOAD)
}
