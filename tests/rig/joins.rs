//! The judge of joins: how long pictures stood where a player goes from one item to the next.

use std::ops::RangeInclusive;

/// What was seen at the joins of a player that showed every picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joins {
    /// How many vblanks pictures stood at joins, the least to the most.
    pub stood: RangeInclusive<u64>,
    /// At how many joins a picture did not stand its ideal time.
    pub odd: usize,
    /// How many pictures elsewhere stood too short: what is due now and then where the rates do not divide.
    pub slips: usize,
}

/// Odd steps with fewer even ones than this between them are of one join.
const NEAR: usize = 2;

/// Judges how many vblanks each picture stood, where `ideal` are due and a join comes after each `item` pictures.
///
/// # Errors
///
/// Pictures stood too long at places that are no whole number of items apart, so some were left out or added: the odd
/// places, with what stood there.
pub fn judge(steps: &[u64], item: usize, ideal: u64) -> Result<Joins, String> {
    let odd: Vec<(usize, u64)> = (0..)
        .zip(steps.iter().copied())
        .filter(|(_, step)| *step != ideal)
        .collect();
    let (held, slipped): (Vec<_>, Vec<_>) = odd
        .chunk_by(|(one, _), (next, _)| next - one <= NEAR)
        .partition(|group| group.iter().any(|(_, step)| *step > ideal));
    let is_of = |phase: usize| {
        move |group: &&[(usize, u64)]| group.iter().any(|(place, _)| place % item == phase)
    };
    if !(0..item).any(|phase| held.iter().all(is_of(phase))) {
        return Err(format!("odd steps (picture, vblanks) {odd:?}"));
    }
    let stood = held.iter().copied().flatten().map(|(_, step)| *step);
    let (least, most) = (stood.clone().min(), stood.max());
    Ok(Joins {
        stood: least.unwrap_or(ideal)..=most.unwrap_or(ideal),
        odd: held.len(),
        slips: slipped.iter().copied().flatten().count(),
    })
}

#[cfg(test)]
fn with(odd: &[(usize, u64)]) -> Vec<u64> {
    let mut steps = vec![2; 560];
    odd.iter().for_each(|(place, step)| steps[*place] = *step);
    steps
}

#[test]
fn a_player_that_is_even_has_no_odd_join() {
    let even = Joins {
        stood: 2..=2,
        odd: 0,
        slips: 0,
    };
    assert_eq!(judge(&with(&[]), 30, 2), Ok(even));
}

#[test]
fn a_short_picture_is_no_join_and_no_lost_picture() {
    let steps = with(&[(77, 12), (167, 12), (257, 11), (446, 1)]);
    let found = Joins {
        stood: 11..=12,
        odd: 3,
        slips: 1,
    };
    assert_eq!(judge(&steps, 90, 2), Ok(found));
}

#[test]
fn a_join_may_be_odd_at_more_than_one_picture() {
    let steps = with(&[(16, 1), (17, 4), (47, 3), (48, 3), (50, 1)]);
    let found = Joins {
        stood: 1..=4,
        odd: 2,
        slips: 0,
    };
    assert_eq!(judge(&steps, 30, 2), Ok(found));
}

#[test]
fn pictures_that_are_lost_or_added_are_seen() {
    for place in [166, 168] {
        let refused = judge(&with(&[(77, 12), (place, 12)]), 90, 2).unwrap_err();
        assert!(refused.contains(&format!("({place}, 12)")), "{refused}");
    }
}
