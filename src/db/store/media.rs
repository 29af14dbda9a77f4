//! Media files and their uploads. The bytes are somewhere else; here is what is known of them.

use async_trait::async_trait;

use super::super::StoreError;

/// A media file that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaFile {
    /// Its name in addresses, unique on the server.
    pub name: String,
    /// The house that it belongs to.
    pub house: String,
    /// The SHA-256 of its bytes, in lower hex.
    pub sha256: String,
    /// How many bytes it has.
    pub size: i64,
    /// What they are.
    pub mime: String,
    /// When it was complete.
    pub made: i64,
}

/// A media file that is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: String,
    /// The house that it is for.
    pub house: String,
    /// What the file is called on the operator's machine.
    pub name: String,
    /// How many bytes it will have.
    pub size: i64,
    /// The SHA-256 that they must have, in lower hex, if the sender said.
    pub sha256: Option<String>,
    /// How many bytes are here.
    pub offset: i64,
    /// When it began.
    pub made: i64,
}

/// Media files and uploads.
#[async_trait]
pub trait MediaFiles: Send + Sync + 'static {
    /// Keeps a media file.
    ///
    /// # Errors
    /// [`StoreError::Taken`] for the name; [`StoreError::NotFound`] if there is no such house.
    async fn create_media(&self, media: &MediaFile) -> Result<(), StoreError>;

    /// The media file with this name.
    async fn media(&self, name: &str) -> Result<Option<MediaFile>, StoreError>;

    /// The media files of a house, by name.
    async fn media_of(&self, house: &str) -> Result<Vec<MediaFile>, StoreError>;

    /// Forgets a media file.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn delete_media(&self, name: &str) -> Result<(), StoreError>;

    /// Begins an upload.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such house; [`StoreError::Taken`] for the id.
    async fn create_upload(&self, upload: &Upload) -> Result<(), StoreError>;

    /// The upload with this id.
    async fn upload(&self, id: &str) -> Result<Option<Upload>, StoreError>;

    /// The uploads that began before then, to be given up.
    async fn uploads_before(&self, before: i64) -> Result<Vec<Upload>, StoreError>;

    /// Notes that the bytes from `from` to `to` are here.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the upload is not at `from`; [`StoreError::NotFound`].
    async fn advance_upload(&self, id: &str, from: i64, to: i64) -> Result<(), StoreError>;

    /// Ends an upload and keeps the media file that it became, in one transaction.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such upload; those of [`create_media`](Self::create_media).
    async fn finish_upload(&self, id: &str, media: &MediaFile) -> Result<(), StoreError>;

    /// Gives an upload up.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn delete_upload(&self, id: &str) -> Result<(), StoreError>;
}
