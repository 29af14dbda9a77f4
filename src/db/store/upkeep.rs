//! The database itself: its epoch, its news, its backup.

use std::path::Path;

use async_trait::async_trait;
use tokio::sync::broadcast;

use super::super::{News, StoreError};

/// The database as a whole.
#[async_trait]
pub trait Upkeep: Send + Sync + 'static {
    /// The random name of this course of history. Revisions of one epoch never go back; a backup that is put back begins
    /// another.
    async fn epoch(&self) -> Result<String, StoreError>;

    /// Begins another epoch and answers its name. Everybody is told [`News::Lost`].
    async fn new_epoch(&self) -> Result<String, StoreError>;

    /// A secret that all servers of the database share: the one of this name, or `fresh`, which is kept from then on.
    async fn secret(&self, name: &str, fresh: &str) -> Result<String, StoreError>;

    /// Whether the database answers and can be written.
    async fn ping(&self) -> Result<(), StoreError>;

    /// The news from now on, of this process and of the others that share the database.
    fn listen(&self) -> broadcast::Receiver<News>;

    /// Removes what has expired by `now`: sessions, set-up links, device tokens, challenges, decided or expired enrolments
    /// after a day, commands after an hour.
    async fn prune(&self, now: i64) -> Result<(), StoreError>;

    /// Writes a sound copy of the database to a file, which is there whole or not at all.
    ///
    /// # Errors
    /// [`StoreError::UsePgDump`] for PostgreSQL; [`StoreError::File`].
    async fn backup(&self, to: &Path) -> Result<(), StoreError>;

    /// Ends all work in an orderly way. Whatever is asked afterwards is answered with [`StoreError::Unavailable`].
    async fn close(&self);
}
