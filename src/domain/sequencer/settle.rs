//! Carrying out: from what each screen is to show next to loads and cues, and from what is pending to deadlines.
//!
//! Every input ends here: what is wanted is compared with what the slots hold and what is cued, and the difference
//! goes out. So it does not matter in which order news comes in.

use crate::domain::{
    ids::{ScreenIndex, SlotId},
    sequencer::{
        Card, Cue, Failure, FailureKind,
        failures::DESTITUTE_PACE,
        flow::{End, LEAD},
        order::Order,
        screen::{Cause, Cued, Moment, Next, Screen},
        sequence::Sequencer,
    },
    slots::Slot,
    units::MediaTime,
};

/// How long nothing that moves may be shown before the card says that everything failed.
pub const CARD_AFTER: MediaTime = MediaTime::from_seconds(10);

/// When the next item is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// As soon as possible.
    Now,
    /// At this time; if that has passed, as soon as possible.
    At(MediaTime),
    /// When what is shown ends, which may be any time.
    Unknown,
}

impl Sequencer {
    /// Brings everything in line after an input.
    pub(super) fn settle(&mut self) {
        let finish = self.finish;
        self.out.uncued = false;
        self.expire();
        self.plan();
        for index in 0..self.screens.len() {
            self.carry_out(index);
            self.show_cards(index);
        }
        // Last, since a presenter may take it back together with a cue.
        if self.finish != finish || self.out.uncued {
            self.tell_finish();
        }
    }

    /// Fails what has given no news in time.
    fn expire(&mut self) {
        for index in 0..self.screens.len() {
            for id in SlotId::BOTH {
                let slot = self.screens[index].slot(id);
                if matches!(slot, Slot::Prerolling { deadline, .. } if *deadline <= self.now) {
                    let message = "the opening gave no frame in 15 s";
                    self.fail(ScreenIndex(index), id, stalled(message));
                }
            }
            let screen = &self.screens[index];
            let overdue = screen
                .cue
                .filter(|cue| cue.deadline().is_some_and(|deadline| deadline <= self.now));
            let message = "the first frame did not reach the screen in 5 s";
            match (overdue, screen.shown) {
                (Some(Cued::Show { slot, .. }), _) => {
                    self.fail(ScreenIndex(index), slot, stalled(message));
                }
                (Some(Cued::Replay { .. }), Some(slot)) => {
                    self.fail(ScreenIndex(index), slot, stalled(message));
                }
                (Some(Cued::Replay { .. } | Cued::Hold) | None, _) => {}
            }
        }
    }

    /// When the screen's next item is due.
    fn due(&self, order: &Order, screen: &Screen, next: &Next) -> Due {
        let together = self.gather.as_ref().filter(|gather| gather.id == next.run);
        let due = match (next.at, together) {
            (Moment::Now, _) => Due::Now,
            (Moment::End, _) => match (screen.showing(), screen.shown_end()) {
                (None, _) => Due::Now,
                (Some(_), end) => end.map_or(Due::Unknown, Due::At),
            },
            (Moment::Together, Some(gather)) => match (gather.entry.cause, self.end(order)) {
                (Cause::Jump, _) => Due::Now,
                (Cause::Ended, End::At(end)) => Due::At(end),
                (Cause::Ended, End::Far | End::Unknown) => Due::Unknown,
            },
            (Moment::Together, None) => match &self.run {
                Some(run) => Due::At(run.boundary),
                None => Due::Now,
            },
        };
        // A slot that goes around by itself because what was to follow failed too late is not torn out of its round.
        let alone = next.at == Moment::End || self.screens.len() == 1;
        match (due, screen.showing()) {
            (Due::At(at), Some(showing)) if at <= self.now && alone && screen.replays(next) => {
                let round = showing.end.map(|end| end - showing.start);
                match (showing.looped, round) {
                    (Some(looped), Some(round)) => Due::At(looped + round),
                    (Some(_) | None, _) => due,
                }
            }
            _ => due,
        }
    }

    /// Brings one screen's slots and cue in line with what is wanted.
    fn carry_out(&mut self, index: usize) {
        let Some(order) = self.order.clone() else {
            return;
        };
        let now = self.now;
        let screen = &self.screens[index];
        let Some(next) = screen.next.clone() else {
            let holds = !self.auto_advance && screen.walk.place.is_some() && screen.is_live();
            self.carry_out_nothing(index, holds && self.gather.is_none());
            return;
        };
        let due = self.due(&order, screen, &next);
        let released = self
            .gather
            .as_ref()
            .is_none_or(|gather| gather.id != next.run || gather.released);
        let cue = match due {
            _ if !released => None,
            Due::Now => Some(Cue::Now),
            Due::At(at) if at > now => Some(Cue::At(at)),
            Due::At(_) => Some(Cue::Now),
            Due::Unknown => None,
        };
        let screen = &mut self.screens[index];
        let out = &mut self.out;
        if screen.replays(&next) {
            if !screen.clear_spare(out, now) {
                return;
            }
            match (screen.cue, cue) {
                (Some(Cued::Replay { cue: is, .. }), Some(cue)) if is == cue || is == Cue::Now => {}
                (Some(cued), _) if cued.is_imminent(now) => {}
                (_, cue) => {
                    screen.uncue(out);
                    if let Some(cue) = cue {
                        screen.cue_replay(out, now, cue);
                    }
                }
            }
            return;
        }
        let spare = screen.spare();
        match (screen.slot(spare), screen.cue) {
            (Slot::Prerolling { opening, .. }, cued) if next.is_same_medium(opening) => {
                // A replay or a hold that is cued no longer holds good, unless it is happening.
                if cued.is_some_and(|cued| !cued.is_imminent(now)) {
                    screen.uncue(out);
                }
            }
            (Slot::Ready { opening, .. }, cued) if next.is_same_medium(opening) => {
                match (cued, cue) {
                    (Some(Cued::Show { cue: is, .. }), Some(cue))
                        if is == cue || is == Cue::Now =>
                    {
                        screen.keep_cue(&next);
                    }
                    (Some(cued @ Cued::Show { .. }), _) if cued.is_imminent(now) => {
                        screen.keep_cue(&next);
                    }
                    (Some(cued), _) if cued.is_imminent(now) => {}
                    (_, cue) => {
                        screen.uncue(out);
                        if let Some(cue) = cue {
                            screen.cue_show(out, now, &next, cue);
                        }
                    }
                }
            }
            _ => {
                let opens = match due {
                    Due::Now => true,
                    Due::At(at) => now >= at - LEAD,
                    Due::Unknown => !screen.shows(&next),
                };
                if screen.clear_spare(out, now)
                    && opens
                    && screen.may_load(now)
                    && !screen.cue.is_some_and(|cued| cued.is_imminent(now))
                {
                    screen.uncue(out);
                    screen.load(out, now, &next);
                }
            }
        }
    }

    /// Nothing follows for now: nothing is open but what is shown, and nothing is cued but a hold.
    fn carry_out_nothing(&mut self, index: usize, holds: bool) {
        let (screen, out, now) = (&mut self.screens[index], &mut self.out, self.now);
        if !screen.clear_spare(out, now) {
            return;
        }
        match (screen.cue, holds) {
            (Some(Cued::Hold), true) | (None, false) => {}
            (Some(cued), _) if cued.is_imminent(now) => {}
            (Some(_) | None, holds) => {
                screen.uncue(out);
                if holds {
                    screen.cue_hold(out);
                }
            }
        }
    }

    /// Puts a card where nothing can be shown.
    fn show_cards(&mut self, index: usize) {
        let now = self.now;
        let unplayed = match (&self.order, self.run) {
            (Some(order), Some(run)) => order.items(run.montage, ScreenIndex(index)).is_empty(),
            _ => false,
        };
        let screen = &mut self.screens[index];
        let out = &mut self.out;
        let cued_show = matches!(screen.cue, Some(Cued::Show { .. }));
        if unplayed {
            if screen.card != Some(Card::Idle) && !cued_show {
                screen.put_up(out, Card::Idle);
                screen.blank(out, now);
            }
            return;
        }
        let held = !self.auto_advance && screen.walk.place.is_some() && screen.next.is_none();
        if screen.is_live() || cued_show || held || !screen.failures.any() {
            return;
        }
        screen.destitute |= screen.next.is_none();
        let since = match screen.shown_slot() {
            Some(slot) => slot.dead_since(),
            None if screen.next.is_none() => Some(MediaTime::from_nanos(i64::MIN)),
            None => Some(screen.blank_since),
        };
        if since.is_some_and(|since| now >= since + CARD_AFTER)
            && screen.card != Some(Card::AllFailed)
        {
            screen.put_up(out, Card::AllFailed);
            screen.blank(out, now);
        }
    }

    /// The next time at which something changes by itself.
    pub(super) fn deadline(&self) -> Option<MediaTime> {
        let order = self.order.as_ref()?;
        let mut times: Vec<MediaTime> = self.finish.into_iter().collect();
        if let End::At(end) = self.end(order) {
            times.extend([end, end - LEAD]);
        }
        for screen in &self.screens {
            for slot in &screen.slots {
                if let Slot::Prerolling { deadline, .. } = slot {
                    times.push(*deadline);
                }
            }
            times.extend(screen.cue.and_then(|cue| cue.deadline()));
            if let Some(end) = screen.shown_end() {
                times.extend([end, end - LEAD]);
            }
            if let (Some(next), true) = (&screen.next, screen.is_live())
                && let Due::At(at) = self.due(order, screen, next)
            {
                times.push(at - LEAD);
            }
            if !screen.is_live() {
                let dead = screen.shown_slot().and_then(Slot::dead_since);
                times.push(dead.unwrap_or(screen.blank_since) + CARD_AFTER);
            }
            if let (true, Some(last)) = (screen.destitute, screen.last_load) {
                times.push(last + DESTITUTE_PACE);
            }
            let patience = screen.patience(self.now, 0);
            times.extend(screen.failures.next_retry(self.now, patience));
        }
        times.into_iter().filter(|&at| at > self.now).min()
    }
}

impl Screen {
    /// Closes what is open and not shown. Says whether the spare slot is free; it is not while its cue may be
    /// happening this very moment.
    fn clear_spare(
        &mut self,
        out: &mut crate::domain::sequencer::screen::Outbox,
        now: MediaTime,
    ) -> bool {
        for slot in SlotId::BOTH {
            if self.shown == Some(slot) || self.slot(slot).held().is_none() {
                continue;
            }
            if let Some(cued) = self.cue
                && matches!(cued, Cued::Show { slot: cued, .. } if cued == slot)
            {
                if cued.is_imminent(now) {
                    return false;
                }
                self.uncue(out);
            }
            self.unload(out, slot);
        }
        true
    }

    /// Whether an opening may begin now: where everything has failed, they are kept apart.
    fn may_load(&self, now: MediaTime) -> bool {
        !self.destitute
            || self
                .last_load
                .is_none_or(|last| now >= last + DESTITUTE_PACE)
    }
}

fn stalled(message: &str) -> Failure {
    Failure {
        kind: FailureKind::Stalled,
        message: message.to_owned(),
    }
}
