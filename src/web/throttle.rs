//! How often somebody may try: so many times in a window, by name (an address, an account, a key).
//!
//! Pure but for its lock; the time comes in as an argument. What is counted here is lost with the process, which only
//! gives a patient guesser a fresh window.

use std::{collections::HashMap, sync::Mutex, time::Duration};

/// The most names that are remembered; beyond that, whoever is new is refused until the window is over.
const MOST_NAMES: usize = 100_000;

/// A counter of tries.
pub struct Throttle {
    tries: u32,
    window_ms: i64,
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    since: i64,
    names: HashMap<String, u32>,
}

impl Throttle {
    /// So many tries in each window.
    pub fn new(tries: u32, window: Duration) -> Self {
        Self {
            tries,
            window_ms: i64::try_from(window.as_millis()).unwrap_or(i64::MAX),
            counted: Mutex::default(),
        }
    }

    /// Counts a try at `now` (milliseconds since 1970); whether it may be made.
    pub fn allows(&self, name: &str, now: i64) -> bool {
        let Ok(mut counted) = self.counted.lock() else {
            return false;
        };
        if now < counted.since || now - counted.since >= self.window_ms {
            counted.since = now;
            counted.names.clear();
        }
        if counted.names.len() >= MOST_NAMES && !counted.names.contains_key(name) {
            return false;
        }
        let count = counted.names.entry(name.to_owned()).or_default();
        *count = count.saturating_add(1);
        *count <= self.tries
    }

    /// Forgets the tries of a name: it has proved to be in the right.
    pub fn forget(&self, name: &str) {
        if let Ok(mut counted) = self.counted.lock() {
            counted.names.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_refused_after_its_tries_until_the_window_is_over() {
        let throttle = Throttle::new(2, Duration::from_secs(60));
        assert!(throttle.allows("a", 1000) && throttle.allows("a", 1001));
        assert!(!throttle.allows("a", 1002) && throttle.allows("b", 1002));
        throttle.forget("a");
        assert!(throttle.allows("a", 1003));
        assert!(throttle.allows("a", 1004) && !throttle.allows("a", 1005));
        assert!(throttle.allows("a", 61_000));
        assert!(throttle.allows("a", 0), "a clock that was set back");
    }
}
