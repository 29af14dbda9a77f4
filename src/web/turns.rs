//! One at a time for each name.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex as Lock, Weak},
};

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Turns by name; a name that nobody waits for takes no room for long.
#[derive(Default)]
pub struct Turns(Lock<HashMap<String, Weak<Mutex<()>>>>);

impl Turns {
    /// Waits until nobody else has this name's turn, and has it until the answer is dropped.
    pub async fn turn(&self, name: &str) -> OwnedMutexGuard<()> {
        let own = {
            let mut turns = self.0.lock().unwrap_or_else(|broken| broken.into_inner());
            turns.retain(|_, turn| turn.strong_count() > 0);
            match turns.get(name).and_then(Weak::upgrade) {
                Some(turn) => turn,
                None => {
                    let turn = Arc::new(Mutex::new(()));
                    turns.insert(name.to_owned(), Arc::downgrade(&turn));
                    turn
                }
            }
        };
        own.lock_owned().await
    }
}
