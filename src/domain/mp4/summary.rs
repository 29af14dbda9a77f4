//! What is known of a track's samples without listing them: how many, from when to when, how they are reordered.

/// The farthest media time that is believed, in ticks. Sums below it cannot overflow.
pub(super) const FARTHEST: i64 = 1 << 62;

/// The sum of runs of samples. Times are ticks of the track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub samples: u64,
    /// The decoding time of the first sample.
    pub first_dts: i64,
    /// The decoding time after the last sample.
    pub next_dts: i64,
    /// The earliest presentation time.
    pub earliest: i64,
    /// Where the last sample in presentation order ends.
    pub end: i64,
    /// The least presentation time less decoding time.
    pub least_offset: i64,
    /// The greatest presentation time less decoding time.
    pub greatest_offset: i64,
    pub pace: Pace,
}

/// Whether all samples last equally long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    Steady(u32),
    Varying,
}

/// Samples that follow each other evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Even {
    /// The decoding time of the first.
    pub dts: i64,
    /// Presentation time less decoding time.
    pub offset: i64,
    /// The time from one to the next.
    pub delta: u32,
    /// How many.
    pub count: u64,
}

impl Summary {
    /// Adds a run of at least one sample to what was known. Nothing comes back if its times are past [`FARTHEST`].
    pub fn with(known: Option<Summary>, run: Even) -> Option<Summary> {
        let Some(last) = run.count.checked_sub(1) else {
            return known;
        };
        let step = i64::from(run.delta);
        let last_dts = i64::try_from(last)
            .ok()?
            .checked_mul(step)?
            .checked_add(run.dts)?;
        let next_dts = last_dts.checked_add(step)?;
        let earliest = run.dts.checked_add(run.offset)?;
        let end = next_dts.checked_add(run.offset)?;
        let believed = -FARTHEST..=FARTHEST;
        if ![run.dts, next_dts, earliest, end]
            .iter()
            .all(|time| believed.contains(time))
        {
            return None;
        }
        let run = Summary {
            samples: run.count,
            first_dts: run.dts,
            next_dts,
            earliest,
            end,
            least_offset: run.offset,
            greatest_offset: run.offset,
            pace: Pace::Steady(run.delta),
        };
        Some(match known {
            Some(known) => known.joined(run),
            None => run,
        })
    }

    /// What is known of these samples with others after them.
    pub fn joined(self, later: Summary) -> Summary {
        Summary {
            samples: self.samples.saturating_add(later.samples),
            first_dts: self.first_dts,
            next_dts: later.next_dts,
            earliest: self.earliest.min(later.earliest),
            end: self.end.max(later.end),
            least_offset: self.least_offset.min(later.least_offset),
            greatest_offset: self.greatest_offset.max(later.greatest_offset),
            pace: match self.pace == later.pace {
                true => self.pace,
                false => Pace::Varying,
            },
        }
    }
}
