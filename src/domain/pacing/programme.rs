//! The programme of one screen: what is shown, what is cued, and the decision for each vblank.

use crate::domain::{
    ids::{LoadId, SlotId},
    pacing::{
        Await, FrameKey, MAX_CHANGES, News, Next, Patience, Plan, Queue, RESTART_SKIP, Showing,
        Sounding, TOLERANCE,
    },
    sequencer::Cue,
    units::MediaTime,
};

/// What one screen shows and what comes after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Programme {
    current: Option<Showing>,
    /// What was shown before; it sounds until the current showing's nominal start.
    previous: Option<Showing>,
    next: Option<(Next, Cue)>,
    paused: Option<MediaTime>,
}

impl Programme {
    /// What is shown now.
    pub fn current(&self) -> Option<&Showing> {
        self.current.as_ref()
    }

    /// What is cued to follow, and when.
    pub fn next(&self) -> Option<&(Next, Cue)> {
        self.next.as_ref()
    }

    /// Whether playback stands still.
    pub fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// Whether the shown medium has nothing more to show: it failed, ran out or is held.
    pub fn is_exhausted(&self) -> bool {
        self.current
            .is_none_or(|showing| showing.ran_out || showing.held)
    }

    /// How many of a slot's waiting frames, from the oldest on, belong to rounds that are over.
    ///
    /// They are to be thrown away before [`Programme::plan`], so that the source has room for those that count.
    pub fn stale(&self, slot: SlotId, frames: &[FrameKey]) -> usize {
        let owner = self.current.filter(|showing| showing.slot == slot);
        match owner.filter(|_| !self.is_replaced()) {
            Some(showing) => frames
                .iter()
                .take_while(|key| key.round < showing.round)
                .count(),
            None => 0,
        }
    }

    /// Whether the shown slot's mailbox belongs to another opening already, the one that is cued.
    ///
    /// An opening can begin and fail in one moment: then its picture stands while its slot is opened anew.
    fn is_replaced(&self) -> bool {
        match (&self.current, &self.next) {
            (Some(showing), Some((Next::Show { slot, load, .. }, _))) => {
                showing.slot == *slot && showing.load != *load
            }
            (Some(_) | None, Some(_) | None) => false,
        }
    }

    /// Cues what follows; replaces what was cued.
    ///
    /// A cue for the end that was expected means the end: whoever cued had not heard that it comes sooner.
    pub fn cue(&mut self, next: Next, cue: Cue) {
        let cue = self.current.map_or(cue, |showing| showing.sooner(cue));
        self.next = Some((next, cue));
    }

    /// Takes back what was cued.
    pub fn uncue(&mut self) {
        // A source that was told to begin anew has done so: that cue has happened.
        if self.current.is_none_or(|showing| !showing.restarting) {
            self.next = None;
        }
    }

    /// The real length of an opening has become known: the showing ends with it, and what was cued for the end that
    /// was expected comes then.
    pub fn end_known(&mut self, load: LoadId, length: MediaTime) {
        let current = self.current.as_mut();
        let Some(showing) = current.filter(|showing| showing.load == load) else {
            return;
        };
        if showing.length.is_some_and(|known| known <= length) {
            return;
        }
        showing.expected = showing.expected.or(showing.length);
        showing.length = Some(length);
        if let Some((_, cue)) = &mut self.next {
            *cue = showing.sooner(*cue);
        }
    }

    /// The opening will send no more frames; its last picture stays until something else is cued.
    pub fn failed(&mut self, load: LoadId) {
        if let Some(showing) = self.current.as_mut().filter(|showing| showing.load == load) {
            showing.ran_out = true;
        }
    }

    /// Forgets everything, for a card.
    pub fn clear(&mut self) {
        *self = Self {
            paused: self.paused,
            ..Self::default()
        };
    }

    /// Stands still from `now` on.
    pub fn pause(&mut self, now: MediaTime) {
        self.paused.get_or_insert(now);
    }

    /// Goes on; every start and cue moves by the time that the pause took.
    pub fn resume(&mut self, now: MediaTime) {
        let Some(paused) = self.paused.take() else {
            return;
        };
        let shift = now - paused;
        if let Some(showing) = &mut self.current {
            showing.start += shift;
        }
        if let Some((_, Cue::At(at))) = &mut self.next {
            *at += shift;
        }
    }

    /// What sounds from display time `at` on, looking past the cue.
    pub fn sounding(&self, at: MediaTime) -> Sounding {
        let silence = |until| Sounding {
            source: None,
            until,
        };
        let Some(showing) = self.current.filter(|_| self.paused.is_none()) else {
            return silence(MediaTime::MAX);
        };
        if at < showing.start {
            return match self.previous {
                Some(previous) if at >= previous.start => Sounding {
                    source: Some(previous),
                    until: showing.start,
                },
                Some(_) | None => silence(showing.start),
            };
        }
        let cued = match self.next {
            Some((next, Cue::At(start))) if !matches!(next, Next::Hold) => Some((next, start)),
            Some(_) | None => None,
        };
        if let Some((next, start)) = cued.filter(|(_, start)| *start <= at) {
            let source = match next {
                Next::Show {
                    slot,
                    load,
                    traits,
                    length,
                } => Some(Showing::new(slot, load, traits, 0, start, length)),
                Next::Replay { length } => Some(Showing {
                    round: showing.round + 1,
                    start,
                    length,
                    ..showing
                }),
                Next::Hold | Next::Finish => None,
            };
            let end = source
                .and_then(|showing| showing.end())
                .unwrap_or(MediaTime::MAX);
            return match end > at {
                true => Sounding { source, until: end },
                false => silence(MediaTime::MAX),
            };
        }
        let until = cued.map_or(MediaTime::MAX, |(_, start)| start);
        match showing.end().filter(|end| *end < until) {
            Some(end) if end <= at => silence(until),
            Some(end) => Sounding {
                source: self.current.filter(|showing| !showing.is_over()),
                until: end,
            },
            None => Sounding {
                source: self.current.filter(|showing| !showing.is_over()),
                until,
            },
        }
    }

    /// Decides what the vblank at `vblank` shows.
    ///
    /// With [`Patience::Wait`], answers what is awaited instead, and changes nothing, if the decision could come out
    /// otherwise once a frame or a cue that is due has arrived.
    pub fn plan(
        &mut self,
        vblank: MediaTime,
        period: MediaTime,
        queues: [Queue<'_>; 2],
        patience: Patience,
    ) -> Result<Plan, Await> {
        let mut trial = *self;
        let plan = trial.decide(vblank, period, queues, patience)?;
        *self = trial;
        Ok(plan)
    }

    fn decide(
        &mut self,
        vblank: MediaTime,
        period: MediaTime,
        queues: [Queue<'_>; 2],
        patience: Patience,
    ) -> Result<Plan, Await> {
        let mut plan = Plan::default();
        let cutoff = vblank + period.half() + TOLERANCE;
        let jumps = matches!(self.next, Some((_, Cue::Now)));
        if self.paused.is_some() && !jumps {
            return Ok(plan);
        }
        for _ in 0..MAX_CHANGES {
            let ending = self.take_frames(cutoff, &queues, &mut plan);
            if ending == Supply::Ended {
                self.end_with_the_source();
            }
            match self.change(vblank, cutoff, &queues, ending, patience, &mut plan)? {
                Change::Again => {}
                Change::Done => break,
            }
        }
        if let (Some(showing), Some((slot, number))) = (&self.current, plan.show) {
            let key = queues[slot.index()].frames[number];
            plan.late = showing.target(key) + period.half() + TOLERANCE < vblank;
        }
        Ok(plan)
    }

    /// Takes the frames of the current showing that are due, and those that nobody will want.
    fn take_frames(
        &mut self,
        cutoff: MediaTime,
        queues: &[Queue<'_>; 2],
        plan: &mut Plan,
    ) -> Supply {
        let replaced = self.is_replaced();
        let Some(showing) = &mut self.current else {
            return Supply::Enough;
        };
        if showing.restarting {
            return Supply::Enough;
        }
        if replaced {
            return Supply::Ended;
        }
        let index = showing.slot.index();
        let queue = &queues[index];
        if showing.traits.still {
            if showing.last.is_none() && !queue.frames.is_empty() {
                plan.show = Some((showing.slot, 0));
                showing.last = Some(queue.frames[0]);
            }
            return Supply::Enough;
        }
        while let Some(&key) = queue.frames.get(plan.take[index]) {
            let past = showing.length.is_some_and(|length| key.pts >= length);
            if key.round < showing.round || (key.round == showing.round && past) {
                plan.take[index] += 1;
                continue;
            }
            if key.round > showing.round || showing.target(key) > cutoff || showing.held {
                return Supply::Enough;
            }
            plan.dropped += u32::from(plan.show.is_some());
            plan.show = Some((showing.slot, plan.take[index]));
            plan.take[index] += 1;
            showing.last = Some(key);
        }
        match queue.ended || showing.is_over() {
            true => Supply::Ended,
            false => Supply::Empty,
        }
    }

    /// The source has ended and all its frames were taken: the showing ends with the last one, whatever length was
    /// expected.
    fn end_with_the_source(&mut self) {
        let Some(showing) = self.current.filter(|showing| !showing.is_over()) else {
            return;
        };
        match (showing.last, showing.length) {
            (None, Some(_)) => {}
            (None, None) => self.end_known(showing.load, MediaTime::ZERO),
            (Some(last), Some(_))
                if showing.traits.in_place || last.duration == MediaTime::ZERO => {}
            (Some(last), _) => self.end_known(showing.load, last.pts + last.duration),
        }
    }

    fn change(
        &mut self,
        vblank: MediaTime,
        cutoff: MediaTime,
        queues: &[Queue<'_>; 2],
        supply: Supply,
        patience: Patience,
        plan: &mut Plan,
    ) -> Result<Change, Await> {
        let due = match self.next {
            Some((Next::Hold, _)) => None,
            Some((next, Cue::Now)) => Some((next, vblank, true)),
            Some((next, Cue::At(at))) if at <= cutoff => Some((next, at, false)),
            Some(_) | None => None,
        };
        if let Some((next, start, now)) = due {
            return self.begin(next, start, now, queues, patience, plan);
        }
        let Some(showing) = &mut self.current else {
            return Ok(Change::Done);
        };
        if showing.is_over() {
            return Ok(Change::Done);
        }
        if let Some(end) = showing.end().filter(|end| *end <= cutoff) {
            if matches!(self.next, Some((Next::Hold, _))) {
                showing.held = true;
                self.next = None;
                return Ok(Change::Done);
            }
            if patience == Patience::Wait && self.next.is_none() {
                return Err(Await::Cue);
            }
            if !showing.traits.in_place {
                showing.ran_out = true;
                plan.tell(News::RanOut {
                    slot: showing.slot,
                    load: showing.load,
                });
                return Ok(Change::Done);
            }
            let (slot, load) = (showing.slot, showing.load);
            plan.dropped += showing.left_over(end);
            self.previous = Some(*showing);
            showing.round += 1;
            showing.start = end;
            showing.last = None;
            plan.tell(News::Looped {
                slot,
                load,
                start: end,
            });
            return Ok(Change::Again);
        }
        if supply == Supply::Empty {
            if patience == Patience::Wait {
                return Err(Await::Frame(showing.slot, showing.load));
            }
            let expected = showing
                .last
                .map_or(showing.start, |last| showing.target(last) + last.duration);
            plan.starved = expected <= cutoff;
        }
        Ok(Change::Done)
    }

    fn begin(
        &mut self,
        next: Next,
        start: MediaTime,
        now: bool,
        queues: &[Queue<'_>; 2],
        patience: Patience,
        plan: &mut Plan,
    ) -> Result<Change, Await> {
        let left_over = match (now, &self.current) {
            (false, Some(showing)) => showing.left_over(start),
            (false, None) | (true, _) => 0,
        };
        match next {
            Next::Show {
                slot,
                load,
                traits,
                length,
            } => {
                let Some(first) = queues[slot.index()].frames.get(plan.take[slot.index()]) else {
                    return match patience {
                        Patience::Wait => Err(Await::Frame(slot, load)),
                        Patience::GoOn => Ok(Change::Done),
                    };
                };
                plan.dropped += left_over;
                self.previous = self.current;
                self.current = Some(Showing::new(slot, load, traits, first.round, start, length));
                plan.tell(News::Shown { slot, load, start });
            }
            Next::Replay { length } => {
                let Some(showing) = &mut self.current else {
                    self.next = None;
                    return Ok(Change::Done);
                };
                let unfinished = !showing.held && showing.end().is_none_or(|end| start < end);
                if showing.restarting {
                    let first = queues[showing.slot.index()].frames.first();
                    if first.is_none_or(|first| first.round < showing.round) {
                        return match patience {
                            Patience::Wait => Err(Await::Frame(showing.slot, showing.load)),
                            Patience::GoOn => Ok(Change::Done),
                        };
                    }
                } else if now && unfinished && !showing.traits.still {
                    showing.restarting = true;
                    showing.round += RESTART_SKIP;
                    plan.restart = Some((showing.slot, showing.load, showing.round));
                    // The picture stays until the first frame comes.
                    return Ok(Change::Done);
                } else {
                    self.previous = Some(*showing);
                    showing.round += 1;
                }
                plan.dropped += left_over;
                showing.restarting = false;
                showing.start = start;
                showing.length = length;
                showing.expected = None;
                showing.last = showing.last.filter(|_| showing.traits.still);
                showing.held = false;
                showing.ran_out = false;
                plan.tell(News::Shown {
                    slot: showing.slot,
                    load: showing.load,
                    start,
                });
            }
            Next::Finish => {
                plan.dropped += left_over + u32::from(plan.show.is_some());
                plan.finished = true;
                return Ok(Change::Done);
            }
            // It takes effect at the showing's end, wherever that comes to lie.
            Next::Hold => return Ok(Change::Done),
        }
        if now && let Some(paused) = &mut self.paused {
            // A jump while paused shows its first frame and stands there.
            *paused = start;
        }
        self.next = None;
        Ok(Change::Again)
    }
}

/// Whether the mailbox holds what is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Supply {
    Enough,
    Empty,
    Ended,
}

enum Change {
    Again,
    Done,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::pacing::Traits;

    const PERIOD: MediaTime = MediaTime::from_millis(20);

    fn ms(time: i64) -> MediaTime {
        MediaTime::from_millis(time)
    }

    fn frame(pts: i64) -> FrameKey {
        FrameKey {
            round: 0,
            pts: ms(pts),
            duration: ms(40),
        }
    }

    fn show(slot: SlotId, load: u64, length: i64) -> Next {
        Next::Show {
            slot,
            load: LoadId(load),
            traits: Traits {
                still: false,
                in_place: false,
            },
            length: Some(ms(length)),
        }
    }

    /// A showing of 80 ms that was expected to last 100, and the next one cued for the end that was expected.
    fn overestimated() -> (Programme, [FrameKey; 2], [FrameKey; 1]) {
        let mut programme = Programme::default();
        programme.cue(show(SlotId::A, 1, 100), Cue::At(ms(0)));
        let frames = [frame(0), frame(40)];
        let queues = [
            Queue {
                frames: &frames,
                ended: false,
            },
            Queue::default(),
        ];
        let plan = programme.plan(ms(0), PERIOD, queues, Patience::Wait);
        assert_eq!(plan.expect("a frame").show, Some((SlotId::A, 0)));
        programme.cue(show(SlotId::B, 2, 40), Cue::At(ms(100)));
        (programme, [frame(40), frame(40)], [frame(0)])
    }

    fn began(plan: Result<Plan, Await>) -> Option<MediaTime> {
        plan.expect("no wait").news().find_map(|news| match news {
            News::Shown { start, .. } => Some(start),
            News::Looped { .. } | News::RanOut { .. } => None,
        })
    }

    #[test]
    fn what_is_cued_for_an_end_that_was_guessed_comes_at_the_end_of_the_source() {
        let (mut programme, first, second) = overestimated();
        let queues = |taken: usize| {
            [
                Queue {
                    frames: &first[1..][taken..],
                    ended: true,
                },
                Queue {
                    frames: &second,
                    ended: true,
                },
            ]
        };
        assert_eq!(
            began(programme.plan(ms(40), PERIOD, queues(0), Patience::Wait)),
            None
        );
        assert_eq!(
            began(programme.plan(ms(60), PERIOD, queues(1), Patience::Wait)),
            None
        );
        let plan = programme.plan(ms(80), PERIOD, queues(1), Patience::Wait);
        assert_eq!(began(plan), Some(ms(80)));
    }

    #[test]
    fn what_is_cued_for_an_end_that_was_guessed_comes_at_the_end_that_is_known() {
        let (mut programme, _, second) = overestimated();
        programme.end_known(LoadId(1), ms(80));
        programme.end_known(LoadId(1), ms(200));
        let queues = [
            Queue::default(),
            Queue {
                frames: &second,
                ended: true,
            },
        ];
        let plan = programme.plan(ms(80), PERIOD, queues, Patience::Wait);
        assert_eq!(began(plan), Some(ms(80)));
    }

    #[test]
    fn who_has_not_heard_of_the_end_and_cues_for_the_one_expected_means_the_end() {
        let (mut programme, _, second) = overestimated();
        programme.uncue();
        programme.end_known(LoadId(1), ms(80));
        programme.cue(show(SlotId::B, 2, 40), Cue::At(ms(100)));
        let queues = [
            Queue::default(),
            Queue {
                frames: &second,
                ended: true,
            },
        ];
        let plan = programme.plan(ms(80), PERIOD, queues, Patience::Wait);
        assert_eq!(began(plan), Some(ms(80)));
    }
}
