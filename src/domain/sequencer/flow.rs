//! The natural flow: what follows what each screen shows, and when a montage is over.
//!
//! A screen walks its track. When its last item is shown it waits for the other screens: it loops its track until
//! the montage's end is known and near, then it joins them, and all enter the next montage together. What has failed
//! is left out. What was chosen stays chosen until it is shown or fails, so that passing time changes no mind.

use std::sync::Arc;

use crate::domain::{
    ids::{Position, ScreenIndex},
    playlist::Item,
    sequencer::{
        Report,
        order::Order,
        screen::{Cause, Entry, Moment, Next, Screen},
        sequence::{Gather, Sequencer},
    },
    slots::Slot,
    units::MediaTime,
};

/// How long before a showing's end the item after it is opened, at the latest at the showing's start.
pub const LEAD: MediaTime = MediaTime::from_seconds(10);

/// How far a screen is with its track in the montage that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// It has no track there.
    Unplayed,
    /// More items are to come.
    Going,
    /// The last item is shown, and nobody knows how long.
    Endless,
    /// The track was or will be over at this time, for the first time.
    Over(MediaTime),
}

/// When the montage that runs is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Some screen has more items to come.
    Far,
    /// All screens show or have shown their last items, but nobody knows how long one of them lasts.
    Unknown,
    /// At this time.
    At(MediaTime),
}

impl Sequencer {
    /// Decides what each screen shows next, as far as that can be decided by now.
    pub(super) fn plan(&mut self) {
        let Some(order) = self.order.clone() else {
            return;
        };
        let runs = [
            self.run.map(|run| run.id),
            self.gather.as_ref().map(|gather| gather.id),
        ];
        for screen in &mut self.screens {
            screen.next.take_if(|next| !runs.contains(&Some(next.run)));
        }
        self.take_back_waiters(&order);
        for _ in 0..=order.montages() {
            for screen in 0..self.screens.len() {
                self.choose_in_track(&order, ScreenIndex(screen));
            }
            self.foresee_end(&order);
            self.choose_in_montage(&order);
            if !self.give_up_montage(&order) {
                break;
            }
        }
        self.release(&order);
    }

    /// No screen waits for an end that is not to be waited for: that of a montage with more items to come, as after
    /// another version of the playlist; or, once it has run out itself, one that nobody knows.
    fn take_back_waiters(&mut self, order: &Order) {
        let ended = |gather: &&Gather| gather.entry.cause == Cause::Ended;
        let Some(id) = self.gather.as_ref().filter(ended).map(|gather| gather.id) else {
            return;
        };
        let end = self.end(order);
        if self.run.is_some() && end == End::Far {
            self.drop_gather();
        }
        if end != End::Unknown {
            return;
        }
        for screen in &mut self.screens {
            if !screen.is_live() {
                screen.next.take_if(|next| next.run == id);
            }
        }
    }

    /// How far a screen is with its track.
    pub(super) fn pass(&self, order: &Order, screen: &Screen) -> Pass {
        let Some(run) = self.run else {
            return Pass::Going;
        };
        let length = order.items(run.montage, screen.index).len();
        let comes = screen.next.as_ref().is_some_and(|next| {
            let jumps = next.at == Moment::Now;
            next.run == run.id && !next.wraps && (jumps || !screen.shows(next))
        });
        match (screen.walk.passed, screen.walk.place) {
            _ if length == 0 => Pass::Unplayed,
            (Some(at), _) => Pass::Over(at),
            (None, _) if screen.walk.from < length || comes => Pass::Going,
            (None, Some(_)) => screen.shown_end().map_or(Pass::Endless, Pass::Over),
            (None, None) => Pass::Over(MediaTime::ZERO),
        }
    }

    /// When the montage that runs is over: when the longest track is over for the first time.
    pub(super) fn end(&self, order: &Order) -> End {
        self.screens
            .iter()
            .map(|screen| self.pass(order, screen))
            .fold(End::At(MediaTime::ZERO), |end, pass| match (end, pass) {
                (_, Pass::Going) | (End::Far, _) => End::Far,
                (_, Pass::Endless) | (End::Unknown, _) => End::Unknown,
                (End::At(end), Pass::Over(at)) => End::At(end.max(at)),
                (End::At(end), Pass::Unplayed) => End::At(end),
            })
    }

    /// Whether a screen takes part in the change to the next montage: nothing else could be shown for at least
    /// [`LEAD`] before it.
    pub(super) fn joins(&self, order: &Order, screen: &Screen) -> bool {
        if let Some(gather) = &self.gather {
            let joined = screen
                .next
                .as_ref()
                .is_some_and(|next| next.run == gather.id);
            if gather.entry.cause == Cause::Jump || joined {
                return true;
            }
        }
        let jumps = screen.next.as_ref().is_some_and(|next| {
            next.at == Moment::Now && !next.wraps && self.run.is_some_and(|run| run.id == next.run)
        });
        // Without auto_advance the montage has no end to wait for: what has not been shown is tried again and again.
        let tries = !self.auto_advance && screen.walk.place.is_none();
        let plays = self
            .run
            .is_some_and(|run| !order.items(run.montage, screen.index).is_empty());
        if jumps || (tries && plays) {
            return false;
        }
        match (self.pass(order, screen), self.end(order)) {
            (Pass::Unplayed, _) => true,
            (Pass::Going, _) | (_, End::Far) => false,
            (pass, End::Unknown) => pass == Pass::Endless,
            (Pass::Endless | Pass::Over(_), End::At(end)) => {
                let own = match screen.walk.place {
                    Some(_) => screen.shown_end().unwrap_or(MediaTime::MAX),
                    None => self.now,
                };
                own > end - LEAD || self.now >= end - LEAD
            }
        }
    }

    /// Whether an item can be shown on a screen, in this many laps' time: it goes on in place, or nothing keeps it
    /// from being opened.
    fn can_show(&self, screen: &Screen, position: Position, item: &Arc<Item>, laps: u64) -> bool {
        let shown = screen.shown_slot().is_some_and(|slot| {
            let same = |opening: &crate::domain::slots::Opening| {
                opening.position == position && super::screen::same(&opening.item, item)
            };
            screen.is_live()
                && slot.opening().is_some_and(same)
                && slot.found().is_some_and(|found| {
                    found.replayable == crate::domain::sequencer::Replayable::InPlace
                })
        });
        shown
            || !screen
                .failures
                .blocks(item, self.now, screen.patience(self.now, laps))
    }

    /// Whether any screen can show anything of a montage.
    pub(super) fn is_viable(&self, order: &Order, montage: usize, laps: u64) -> bool {
        self.screens.iter().any(|screen| {
            (0..order.items(montage, screen.index).len()).any(|item| {
                order
                    .at(montage, screen.index, item)
                    .is_some_and(|(position, item)| self.can_show(screen, position, item, laps))
            })
        })
    }

    /// Chooses what follows on a screen within the montage that runs.
    fn choose_in_track(&mut self, order: &Order, index: ScreenIndex) {
        let (Some(run), Some(screen)) = (self.run, self.screens.get(index.0)) else {
            return;
        };
        let length = order.items(run.montage, index).len();
        let walk = screen.walk;
        let holds = walk.place.is_some() && !self.auto_advance;
        if length == 0 || screen.next.is_some() || holds || self.joins(order, screen) {
            return;
        }
        let due = match (walk.place, screen.shown_end()) {
            (None, _) | (Some(_), None) => true,
            (Some(_), Some(end)) => self.now >= end - LEAD || (length == 1 && screen.is_live()),
        };
        if !due {
            return;
        }
        if let Some(step) = (walk.from..length).find(|&step| self.can_step(order, screen, step)) {
            self.choose_step(order, index, step);
            return;
        }
        // No more items in this track: once around again, unless that was what all screens waited for.
        let from = walk.from.max(length);
        self.screens[index.0].walk.from = from;
        let screen = &self.screens[index.0];
        if self.joins(order, screen) {
            return;
        }
        let last = match walk.place {
            Some(place) if screen.is_live() && from <= place + length => place + length,
            Some(_) | None => from + length - 1,
        };
        if let Some(step) = (from..=last).find(|&step| self.can_step(order, screen, step)) {
            self.choose_step(order, index, step);
        }
    }

    fn can_step(&self, order: &Order, screen: &Screen, step: usize) -> bool {
        let Some(run) = self.run else { return false };
        let length = order.items(run.montage, screen.index).len().max(1);
        order
            .at(run.montage, screen.index, step % length)
            .is_some_and(|(position, item)| {
                self.can_show(screen, position, item, u64::from(step >= length))
            })
    }

    fn choose_step(&mut self, order: &Order, index: ScreenIndex, step: usize) {
        let Some(run) = self.run else { return };
        let length = order.items(run.montage, index).len().max(1);
        let screen = &mut self.screens[index.0];
        if let Some((position, item)) = order.at(run.montage, index, step % length) {
            screen.walk.from = step;
            screen.next = Some(Next {
                position,
                item: Arc::clone(item),
                run: run.id,
                entry: None,
                at: match screen.walk.place {
                    Some(_) => Moment::End,
                    None => Moment::Now,
                },
                step,
                wraps: step >= length,
            });
        }
    }

    /// Sees the end of the montage come: opens the one that follows, or finishes.
    fn foresee_end(&mut self, order: &Order) {
        let told = self.finish.is_some();
        let end = self.end(order);
        let over = match (self.run, end) {
            (None, _) => true,
            (Some(_), End::Far) => false,
            (Some(_), End::Unknown | End::At(_)) => self.auto_advance,
        };
        if self.gather.is_some() || !over {
            self.take_back_finish();
            return;
        }
        let Some(run) = self.run else {
            let last = order.montages().saturating_sub(1);
            let first = order.after(last).map(|following| following.montage);
            let found = first.into_iter().find(|&m| self.is_viable(order, m, 1));
            if let Some(montage) = found {
                self.jump(montage, vec![0; self.screens.len()], None);
            }
            return;
        };
        let Some(literal) = order.after(run.montage).next() else {
            return;
        };
        let last_round = self
            .wanted_rounds
            .is_some_and(|wanted| self.rounds.saturating_add(1) >= wanted);
        let same = literal.montage == run.montage
            && self.screens.iter().all(|screen| {
                let length = order.items(run.montage, screen.index).len();
                length == 0 || (length == 1 && screen.walk.place == Some(0) && screen.is_live())
            });
        let near = match end {
            End::At(end) => self.now >= end - LEAD,
            End::Far | End::Unknown => true,
        };
        if !(told || near || same || (literal.wraps && last_round)) {
            return;
        }
        for following in order.after(run.montage) {
            if told || (following.wraps && last_round) {
                self.finish_at(end);
                return;
            }
            if self.is_viable(order, following.montage, u64::from(following.wraps)) {
                let entry = Entry {
                    montage: following.montage,
                    wraps: following.wraps,
                    cause: Cause::Ended,
                };
                self.open_montage(entry, vec![0; self.screens.len()], None);
                return;
            }
        }
    }

    /// Tells the end of the last round, once it is known.
    fn finish_at(&mut self, end: End) {
        let at = match (end, self.finish) {
            (End::Far | End::Unknown, _) => return,
            (End::At(end), _) if end > self.now => end,
            (End::At(_), Some(told)) if told <= self.now => told,
            (End::At(_), Some(_) | None) => self.now,
        };
        if self.finish != Some(at) {
            if self.finish.is_none() {
                self.out.report(Report::RoundEnded {
                    rounds: self.rounds.saturating_add(1),
                });
            }
            self.finish = Some(at);
        }
    }

    /// Chooses each joined screen's item in the montage that is being opened.
    fn choose_in_montage(&mut self, order: &Order) {
        let Some(mut gather) = self.gather.clone() else {
            return;
        };
        for index in 0..self.screens.len() {
            let screen = &self.screens[index];
            if !self.joins(order, screen) {
                continue;
            }
            let length = order.items(gather.entry.montage, screen.index).len();
            let chosen = screen
                .next
                .as_ref()
                .is_some_and(|next| next.run == gather.id);
            if chosen {
                continue;
            }
            let asked = gather.asked == Some(screen.index) && !gather.failed[index];
            let laps = gather.entry.laps();
            let found = (gather.from[index]..length).find_map(|step| {
                let (position, item) = order.at(gather.entry.montage, screen.index, step)?;
                let can = asked || self.can_show(screen, position, item, laps);
                can.then(|| (step, position, Arc::clone(item)))
            });
            gather.from[index] = found.as_ref().map_or(length, |(step, ..)| *step);
            self.screens[index].next = found.map(|(step, position, item)| Next {
                position,
                item,
                run: gather.id,
                entry: Some(gather.entry),
                at: Moment::Together,
                step,
                wraps: false,
            });
        }
        self.gather = Some(gather);
    }

    /// Goes on to another montage if no screen can show anything of the one that is being opened. Says whether there
    /// is one.
    fn give_up_montage(&mut self, order: &Order) -> bool {
        let Some(gather) = self.gather.clone() else {
            return false;
        };
        let hopeless = self.screens.iter().all(|screen| {
            let length = order.items(gather.entry.montage, screen.index).len();
            length == 0
                || (gather.from.get(screen.index.0) >= Some(&length)
                    && screen.next.as_ref().is_none_or(|n| n.run != gather.id))
        });
        if !hopeless {
            return false;
        }
        self.gather = None;
        let stays = gather.entry.cause == Cause::Jump
            && self
                .screens
                .iter()
                .any(|s| s.walk.place.is_some() && s.is_live());
        let last_round = self
            .wanted_rounds
            .is_some_and(|wanted| self.rounds.saturating_add(1) >= wanted);
        for following in order.after(gather.entry.montage) {
            let wraps = gather.entry.wraps || following.wraps;
            let current = self.run.is_some_and(|run| run.montage == following.montage);
            if (stays && current) || following.montage == gather.entry.montage {
                return false;
            }
            if gather.entry.cause == Cause::Ended && wraps && last_round {
                self.finish_at(self.end(order));
                return false;
            }
            let entry = Entry {
                montage: following.montage,
                wraps,
                ..gather.entry
            };
            if self.is_viable(order, following.montage, entry.laps()) {
                self.open_montage(entry, vec![0; self.screens.len()], None);
                return true;
            }
        }
        false
    }

    /// Cues the montage that is being opened once every screen is ready, or has failed to be.
    fn release(&mut self, order: &Order) {
        let Some(gather) = &self.gather else { return };
        let settled = self.screens.iter().all(|screen| {
            let length = order.items(gather.entry.montage, screen.index).len();
            let next = screen.next.as_ref().filter(|next| next.run == gather.id);
            let ready = next.is_some_and(|next| {
                let spare = screen.slot(screen.spare());
                screen.replays(next)
                    || matches!(spare, Slot::Ready { opening, .. } if next.is(opening))
            });
            let gave_up = next.is_none() && gather.from.get(screen.index.0) >= Some(&length);
            length == 0 || ready || gave_up || gather.failed.get(screen.index.0) == Some(&true)
        });
        if let Some(gather) = &mut self.gather {
            gather.released |= settled;
        }
    }
}

impl Entry {
    /// In how many laps of a screen's walk the montage comes.
    pub fn laps(&self) -> u64 {
        match self.cause {
            Cause::Ended => u64::from(self.wraps),
            Cause::Jump => 1,
        }
    }
}
