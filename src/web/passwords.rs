//! Passwords are hashed a few at a time and away from the requests: each takes 19 MiB and tens of milliseconds.

use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::web::{problem::Problem, secrets};

/// So many at a time, whoever asks.
const AT_ONCE: usize = 4;

/// The one place where the server hashes passwords.
pub struct Passwords(Semaphore);

impl Default for Passwords {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

impl Passwords {
    /// What is kept of a password.
    pub async fn hash(&self, password: String) -> Result<String, Problem> {
        self.away(move || secrets::hash_password(&password)).await
    }

    /// Whether a password is the one that was hashed.
    pub async fn verify(&self, password: String, hash: String) -> Result<bool, Problem> {
        self.away(move || secrets::verify_password(&password, &hash))
            .await
    }

    async fn away<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let failed = |err: &dyn std::fmt::Display| Problem::internal("hashing a password", err);
        let _turn = self.0.acquire().await.map_err(|err| failed(&err))?;
        spawn_blocking(work).await.map_err(|err| failed(&err))
    }
}
