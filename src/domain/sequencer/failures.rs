//! What failed on a screen, and when it may be tried again.
//!
//! A failed item is tried again after 2 s, doubling up to 60 s, and at most once a lap of its screen's walk. A screen
//! that has nothing that moves is less patient: it tries everything again after 5 s at the latest.

use std::{collections::HashMap, sync::Arc};

use crate::domain::{playlist::Item, units::MediaTime};

/// How long a failed item is left alone at first.
pub const FIRST_DELAY: MediaTime = MediaTime::from_seconds(2);
/// How long a failed item is left alone at most.
pub const LONGEST_DELAY: MediaTime = MediaTime::from_seconds(60);
/// The same, on a screen where nothing plays.
pub const DESPERATE_DELAY: MediaTime = MediaTime::from_seconds(5);
/// How long a screen on which everything failed waits between two openings, at least.
pub const DESTITUTE_PACE: MediaTime = MediaTime::from_seconds(1);

/// How patient a screen is with what failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Something good plays: what failed waits for its time and for the next lap.
    Living {
        /// The lap in which the item would be shown.
        lap: u64,
    },
    /// Something plays, but only because nothing could follow it in time: what failed waits for its time.
    Overdue,
    /// Nothing plays.
    Desperate,
}

/// The failed items of one screen, by `src`.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    entries: HashMap<String, Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    item: Arc<Item>,
    failed: MediaTime,
    delay: MediaTime,
    lap: u64,
    /// It was opened or shown since: the delay is remembered, but nothing waits for it.
    pardoned: bool,
}

impl Failures {
    /// The item failed, after it had been shown for `lasted`.
    pub fn failed(&mut self, item: &Arc<Item>, now: MediaTime, lap: u64, lasted: MediaTime) {
        let before = self.entries.get(&item.src).map(|entry| entry.delay);
        let delay = match before {
            Some(delay) if lasted < LONGEST_DELAY => delay.times(2).min(LONGEST_DELAY),
            Some(_) | None => FIRST_DELAY,
        };
        self.entries.insert(
            item.src.clone(),
            Entry {
                item: Arc::clone(item),
                failed: now,
                delay,
                lap,
                pardoned: false,
            },
        );
    }

    /// The item is on the screen: nothing waits any longer, but if it fails again soon, its delay goes on growing.
    pub fn shown(&mut self, src: &str) {
        if let Some(entry) = self.entries.get_mut(src) {
            entry.pardoned = true;
        }
    }

    /// The item was shown to its end, or its medium has changed: it starts with a clean slate.
    pub fn forget(&mut self, src: &str) {
        self.entries.remove(src);
    }

    /// Keeps only what `known` says is still the same medium.
    pub fn retain(&mut self, known: impl Fn(&Item) -> bool) {
        self.entries.retain(|_, entry| known(&entry.item));
    }

    /// Whether anything waits to be tried again.
    pub fn any(&self) -> bool {
        self.entries.values().any(|entry| !entry.pardoned)
    }

    /// Whether the item must be left alone for now.
    pub fn blocks(&self, item: &Item, now: MediaTime, patience: Patience) -> bool {
        self.waiting(item).is_some_and(|entry| {
            now < self.retry_at(entry, patience)
                || matches!(patience, Patience::Living { lap } if lap == entry.lap)
        })
    }

    /// The next time after `now` at which something may be tried again.
    pub fn next_retry(&self, now: MediaTime, patience: Patience) -> Option<MediaTime> {
        let waiting = self.entries.values().filter(|entry| !entry.pardoned);
        waiting
            .map(|entry| self.retry_at(entry, patience))
            .filter(|&at| at > now)
            .min()
    }

    /// On a screen where nothing plays, many failed items must take turns, at a second each.
    fn retry_at(&self, entry: &Entry, patience: Patience) -> MediaTime {
        let turns = DESTITUTE_PACE.times(self.entries.len() as i64);
        entry.failed
            + match patience {
                Patience::Living { .. } | Patience::Overdue => entry.delay,
                Patience::Desperate => entry.delay.min(DESPERATE_DELAY).max(turns),
            }
    }

    fn waiting(&self, item: &Item) -> Option<&Entry> {
        self.entries.get(&item.src).filter(|entry| !entry.pardoned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ItemId;

    fn item(src: &str) -> Arc<Item> {
        Arc::new(Item {
            id: ItemId::new(src),
            src: src.into(),
            kind: None,
            duration: None,
            sha256: None,
            title: None,
        })
    }

    fn s(seconds: i64) -> MediaTime {
        MediaTime::from_seconds(seconds)
    }

    #[test]
    fn the_delay_doubles_up_to_a_minute() {
        let (mut failures, bad) = (Failures::default(), item("bad"));
        let mut now = MediaTime::ZERO;
        for (lap, delay) in [2, 4, 8, 16, 32, 60, 60].into_iter().enumerate() {
            failures.failed(&bad, now, lap as u64, MediaTime::ZERO);
            let later = Patience::Living {
                lap: lap as u64 + 1,
            };
            let end = now + s(delay);
            assert!(failures.blocks(&bad, end - MediaTime::from_nanos(1), later));
            assert!(!failures.blocks(&bad, end, later));
            now = end;
        }
    }

    #[test]
    fn an_item_is_tried_once_a_lap_unless_nothing_plays() {
        let (mut failures, bad) = (Failures::default(), item("bad"));
        failures.failed(&bad, s(0), 7, MediaTime::ZERO);
        assert!(failures.blocks(&bad, s(1000), Patience::Living { lap: 7 }));
        assert!(!failures.blocks(&bad, s(1000), Patience::Living { lap: 8 }));
        assert!(!failures.blocks(&bad, s(2), Patience::Desperate));
    }

    #[test]
    fn a_screen_without_a_picture_waits_five_seconds_at_most() {
        let (mut failures, bad) = (Failures::default(), item("bad"));
        for lap in 0..10 {
            failures.failed(&bad, s(100), lap, MediaTime::ZERO);
        }
        assert_eq!(
            failures.next_retry(s(104), Patience::Desperate),
            Some(s(105))
        );
        assert_eq!(failures.next_retry(s(105), Patience::Desperate), None);
        assert_eq!(failures.next_retry(s(105), Patience::Overdue), Some(s(160)));
        assert!(failures.blocks(&bad, s(104), Patience::Desperate));
        assert!(!failures.blocks(&bad, s(105), Patience::Desperate));
        assert!(!failures.blocks(&item("good"), s(100), Patience::Desperate));
    }

    #[test]
    fn a_showing_pardons_and_only_its_end_forgives() {
        let (mut failures, bad) = (Failures::default(), item("bad"));
        failures.failed(&bad, s(0), 0, MediaTime::ZERO);
        failures.shown("bad");
        assert!(!failures.any());
        assert!(!failures.blocks(&bad, s(0), Patience::Living { lap: 0 }));
        failures.failed(&bad, s(10), 1, s(1));
        assert!(
            failures.blocks(&bad, s(13), Patience::Living { lap: 2 }),
            "4 s now"
        );
        failures.forget("bad");
        failures.failed(&bad, s(20), 2, s(1));
        assert!(!failures.blocks(&bad, s(22), Patience::Living { lap: 3 }));
        failures.failed(&bad, s(30), 3, LONGEST_DELAY);
        assert!(
            !failures.blocks(&bad, s(32), Patience::Living { lap: 4 }),
            "a long showing"
        );
        failures.retain(|_| false);
        assert!(!failures.any());
    }
}
