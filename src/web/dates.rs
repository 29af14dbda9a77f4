//! When the entries of the play log began, where their box does not know it.
//!
//! A box without a clock that is set dates what it shows in 1970, or whenever its system was made. Entries so old would
//! be pruned as soon as they are stored, so the house dates them by when it hears of them.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

/// How long the play log is kept: two years, in milliseconds.
pub const KEPT_MS: i64 = 2 * 366 * 24 * 3600 * 1000;

/// 1 January 2026, as for the orders of a box: a clock before it is certainly wrong.
const EARLIEST_MS: i64 = 1_767_225_600_000;
/// By how much a box's clock may be ahead: a day.
const AHEAD_MS: i64 = 24 * 3600 * 1000;
/// How many dates are remembered of a screen: as many as a report has entries, since one may be sent again.
const REMEMBERED: usize = 100;

/// The dates that were given to entries of a house's boxes.
#[derive(Debug, Default)]
pub struct Dates(Mutex<HashMap<String, VecDeque<Given>>>);

#[derive(Clone, Copy, Debug)]
struct Given {
    seq: i64,
    told: i64,
    at: i64,
}

impl Dates {
    /// When a screen's entry began: what its box tells, or `now` where that cannot be. An entry that comes again has
    /// the date of before, by which the database knows it.
    pub fn of(&self, screen: &str, seq: i64, told: i64, now: i64) -> i64 {
        if can_be(told, now) {
            return told;
        }
        let mut all = self.0.lock().unwrap_or_else(|broken| broken.into_inner());
        let given = all.entry(screen.to_owned()).or_default();
        let known = given.iter().find(|one| (one.seq, one.told) == (seq, told));
        if let Some(known) = known {
            return known.at;
        }
        if given.len() == REMEMBERED {
            given.pop_front();
        }
        given.push_back(Given { seq, told, at: now });
        now
    }
}

/// Whether an entry of that date can be. A house that does not know the time itself believes its boxes.
fn can_be(told: i64, now: i64) -> bool {
    let earliest = EARLIEST_MS.max(now - KEPT_MS);
    now < EARLIEST_MS || (earliest..=now + AHEAD_MS).contains(&told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::clock::read;

    fn at(text: &str) -> i64 {
        read(text).expect("a moment")
    }

    #[test]
    fn an_entry_that_cannot_be_of_its_date_gets_that_of_its_coming() {
        let dates = Dates::default();
        let now = at("2029-06-01T12:00:00Z");
        for (told, is) in [
            ("2029-06-01T11:59:00Z", "2029-06-01T11:59:00Z"),
            ("2027-06-02T00:00:00Z", "2027-06-02T00:00:00Z"),
            ("2029-06-02T12:00:00Z", "2029-06-02T12:00:00Z"),
            ("2029-06-02T12:00:01Z", "2029-06-01T12:00:00Z"),
            ("1970-01-01T00:01:00Z", "2029-06-01T12:00:00Z"),
            // A clock that stands where the box's system was made.
            ("2026-12-01T00:00:00Z", "2029-06-01T12:00:00Z"),
        ] {
            assert_eq!(dates.of("s", 1, at(told), now), at(is), "{told}");
        }
        // The house's own clock is wrong.
        let told = at("2029-06-01T12:00:00Z");
        assert_eq!(dates.of("s", 1, told, at("1970-01-01T00:05:00Z")), told);
    }

    #[test]
    fn an_entry_that_comes_again_keeps_its_date() {
        let dates = Dates::default();
        let now = at("2026-11-26T12:00:00Z");
        assert_eq!(dates.of("s", 1, 60_000, now), now);
        assert_eq!(dates.of("s", 1, 60_000, now + 5000), now);
        for (screen, seq, told) in [("s", 2, 60_000), ("s", 1, 61_000), ("other", 1, 60_000)] {
            assert_eq!(dates.of(screen, seq, told, now + 5000), now + 5000);
        }
        for seq in 3..3 + 2 * i64::try_from(REMEMBERED).expect("few") {
            dates.of("s", seq, 60_000, now);
        }
        let all = dates.0.lock().expect("whole");
        assert_eq!(all["s"].len(), REMEMBERED);
    }
}
