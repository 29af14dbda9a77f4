//! The judge of time: the vblanks that the kernel told programs of, by its own tracepoint.

use std::collections::BTreeMap;

/// What was recorded of one CRTC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Track {
    /// The vblanks at which flips were done.
    pub flips: Vec<u64>,
    /// All vblanks that somebody was told of.
    pub told: Vec<u64>,
    /// How many flips there were before the mark.
    pub marked: usize,
}

impl Track {
    /// Vblanks that nobody was told of, from the first to the last.
    pub fn missed(&self) -> u64 {
        let steps = self.told.windows(2).map(|pair| pair[1] - pair[0]);
        steps.map(|step| step.saturating_sub(1)).sum()
    }

    /// How many vblanks each picture stood, from flip to flip.
    pub fn steps(&self) -> Vec<u64> {
        self.flips
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .collect()
    }

    /// How often which step came.
    pub fn histogram(&self) -> BTreeMap<u64, usize> {
        let mut counts = BTreeMap::new();
        self.steps()
            .into_iter()
            .for_each(|step| *counts.entry(step).or_default() += 1);
        counts
    }

    /// From its flip number `first` on, so many flips and all that was told meanwhile.
    ///
    /// The first flips are cards and the setting of the mode, of which the kernel tells an old number.
    pub fn part(&self, first: usize, count: usize) -> Self {
        let flips = self.flips[first..first + count].to_vec();
        let range = flips[0]..=flips[count - 1];
        Self {
            told: self
                .told
                .iter()
                .copied()
                .filter(|told| range.contains(told))
                .collect(),
            flips,
            marked: 0,
        }
    }
}

/// Reads what `rig-flips end` has printed, by CRTC.
pub fn read(text: &str) -> BTreeMap<u32, Track> {
    let mut tracks: BTreeMap<u32, Track> = BTreeMap::new();
    for line in text.lines() {
        if line == "mark" {
            tracks
                .values_mut()
                .for_each(|track| track.marked = track.flips.len());
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let [crtc, sequence, kind] = words[..] else {
            panic!("not a line of rig-flips: {line}");
        };
        let track = tracks.entry(crtc.parse().expect("a CRTC")).or_default();
        let sequence = sequence.parse().expect("a sequence number");
        if kind == "flip" {
            track.flips.push(sequence);
        }
        track.told.push(sequence);
    }
    for track in tracks.values_mut() {
        track.told.sort_unstable();
        track.told.dedup();
    }
    tracks
}

/// How far each item's stay is from its nominal one, in vblanks.
///
/// `items` are how many pictures an item has and how many vblanks all of them stand, in the order in which they are
/// shown; the flips begin with the first picture of the first one, and the items come again and again.
pub fn deviations(flips: &[u64], items: &[(usize, f64)]) -> Vec<f64> {
    let (mut at, mut found) = (0, Vec::new());
    for (pictures, vblanks) in items.iter().cycle() {
        let (Some(first), Some(next)) = (flips.get(at), flips.get(at + pictures)) else {
            return found;
        };
        found.push((next - first) as f64 - vblanks);
        at += pictures;
    }
    found
}

#[test]
fn the_judge_sees_what_is_wrong() {
    let text = "0 10 flip\n0 11 wait\n0 12 flip\n0 15 wait\n0 16 flip\n1 3 flip\n";
    let tracks = read(text);
    let track = &tracks[&0];
    assert_eq!((track.missed(), track.steps()), (2, vec![2, 4]));
    assert_eq!(track.part(1, 2).missed(), 2);
    assert_eq!(tracks[&1].missed(), 0);
    let flips = [0, 2, 4, 5, 6, 8, 11, 12];
    assert_eq!(deviations(&flips, &[(2, 4.0), (2, 2.0)]), [0.0, 0.0, 1.0]);
}
