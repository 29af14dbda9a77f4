//! What stands for PostgreSQL in a program that was built without it.

use std::sync::Arc;

use crate::db::{Store, StoreError};

/// Refuses.
pub(crate) async fn open(_: &str) -> Result<Arc<dyn Store>, StoreError> {
    Err(StoreError::NoPostgres)
}
