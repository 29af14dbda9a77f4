//! Houses, their resources and the changes of these.

use async_trait::async_trait;
use serde_json::Value;

use super::super::StoreError;

/// How many changes of a house are kept, so that who was away for fewer needs no snapshot.
pub const KEPT_CHANGES: i64 = 256;

/// A part of a house's environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// What it is, as in "playlist"; the caller's word.
    pub kind: String,
    /// Its id, unique within house and kind.
    pub id: String,
    /// The house's revision at which it last changed.
    pub rev: i64,
    /// Its content, without id and revision.
    pub body: Value,
}

/// A house as it is stored, all of it at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The database's epoch; see [`Upkeep::epoch`](super::Upkeep::epoch).
    pub epoch: String,
    /// The house's revision.
    pub rev: i64,
    /// Its resources, ordered by kind and id.
    pub resources: Vec<Resource>,
}

/// One resource that a change writes or takes away.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// See [`Resource::kind`].
    pub kind: String,
    /// See [`Resource::id`].
    pub id: String,
    /// The whole new content; `None` takes the resource away.
    pub body: Option<Value>,
}

/// A house to be made, at revision 1.
#[derive(Clone, Debug, PartialEq)]
pub struct NewHouse {
    /// Its id.
    pub id: String,
    /// Its first resources.
    pub resources: Vec<Write>,
    /// The user who becomes its owner; none if an API token made it.
    pub owner: Option<String>,
}

/// What a commit does to a house.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The house's revision afterwards; more than before.
    pub rev: i64,
    /// The resources that are written or taken away.
    pub writes: Vec<Write>,
    /// The same as a merge patch of the environment document.
    pub patch: Value,
    /// The SHA-256 of the document afterwards, in lower hex.
    pub sha256: String,
    /// Who did it, for the audit.
    pub by: String,
    /// When.
    pub at: i64,
}

/// A change that was committed.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeRow {
    /// The house's revision before.
    pub base_rev: i64,
    /// The house's revision afterwards.
    pub rev: i64,
    /// See [`Change::patch`].
    pub patch: Value,
    /// See [`Change::sha256`].
    pub sha256: String,
    /// See [`Change::by`].
    pub by: String,
    /// See [`Change::at`].
    pub at: i64,
}

/// Houses and their resources.
#[async_trait]
pub trait Houses: Send + Sync + 'static {
    /// Makes a house at revision 1.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if there is one with this id; [`StoreError::NotFound`] if there is no such owner.
    async fn create_house(&self, house: &NewHouse) -> Result<(), StoreError>;

    /// The ids of all houses.
    async fn houses(&self) -> Result<Vec<String>, StoreError>;

    /// Takes a house away with everything in it; its boxes are revoked. With a revision, only where that is the one at
    /// which the house itself last changed. Media files are the caller's to remove: list them before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] if the house itself is at another revision.
    async fn delete_house(&self, house: &str, expected: Option<i64>) -> Result<(), StoreError>;

    /// The house as it is now; `None` if there is none.
    async fn load(&self, house: &str) -> Result<Option<Stored>, StoreError>;

    /// Changes a house, in one transaction: all of it, or nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the house's revision is not `base_rev`; [`StoreError::NotFound`] if there is no house.
    async fn commit(&self, house: &str, base_rev: i64, change: &Change) -> Result<(), StoreError>;

    /// The changes that lead from a revision to the newest, oldest first.
    ///
    /// They lead there only if the first one's `base_rev` is `rev`: older ones than the last [`KEPT_CHANGES`] are gone.
    async fn changes_since(&self, house: &str, rev: i64) -> Result<Vec<ChangeRow>, StoreError>;
}
