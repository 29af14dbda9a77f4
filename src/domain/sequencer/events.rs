//! News from the slots: what each event changes in what is known. What follows from it is decided afterwards.

use crate::domain::{
    ids::{LoadId, ScreenIndex, SlotId},
    sequencer::{
        Cue, Failure, Report, SlotEvent,
        commands::Trial,
        screen::{Cause, Cued, Entry, Moment, Next, Walk, same},
        sequence::{Mode, Run, Sequencer},
    },
    slots::{Found, Slot},
    units::MediaTime,
};

/// How much earlier than its cue a slot may begin again and still count as having followed it.
const TOLERANCE: MediaTime = MediaTime::from_millis(1);

impl Sequencer {
    /// Takes in what a slot has to say. News about an opening that is closed is ignored.
    pub(super) fn slot_event(
        &mut self,
        screen: ScreenIndex,
        slot: SlotId,
        load: LoadId,
        event: SlotEvent,
    ) {
        let now = self.now;
        let (mode, paused) = (self.mode, self.out.paused);
        let Some(it) = self.screens.get_mut(screen.0) else {
            return;
        };
        if it.slot(slot).held().map(|opening| opening.load) != Some(load) {
            if matches!(event, SlotEvent::Shown { .. }) && it.was_withdrawn(load) {
                // It was closed too late to be kept off the screen: what was shown before is gone.
                it.blank(&mut self.out, now);
            }
            return;
        }
        match event {
            SlotEvent::Ready { media, replayable } => {
                it.slot_mut(slot).ready(Found { media, replayable });
            }
            SlotEvent::Shown { start } => {
                // What comes on by itself during a pause stands on its first frame, which moves with the pause.
                let jumped = mode == Mode::Paused && it.cue.is_some_and(|cued| cued.is_now());
                let start = match jumped {
                    true => (start - paused).min(now),
                    false => start - paused,
                };
                match it.slot(slot) {
                    Slot::Ready { .. } => self.took_over(screen, slot, start),
                    Slot::Playing { showing, .. } | Slot::Draining { showing, .. } => {
                        let replay = matches!(it.cue, Some(Cued::Replay { .. }));
                        if start > showing.start || (replay && start == showing.start) {
                            self.began_again(screen, slot, start, replay);
                        }
                    }
                    Slot::Idle | Slot::Prerolling { .. } | Slot::Failed { .. } => {}
                }
            }
            SlotEvent::EndKnown { length } => it.slot_mut(slot).end_known(length),
            SlotEvent::Looped { start } => {
                let start = start - paused;
                if it.showing().is_some_and(|showing| {
                    it.shown == Some(slot) && start > showing.looped.unwrap_or(showing.start)
                }) {
                    self.looped(screen, slot, start);
                }
            }
            SlotEvent::RanOut => it.slot_mut(slot).ran_out(now),
            SlotEvent::Worn => it.slot_mut(slot).wear(),
            SlotEvent::Failed(failure) => self.fail(screen, slot, failure),
        }
    }

    /// The medium behind a source has changed: what failed may be tried at once, and what is open is opened anew for
    /// its next showing.
    pub(super) fn media_changed(&mut self, src: &str) {
        for screen in &mut self.screens {
            screen.failures.forget(src);
            for slot in &mut screen.slots {
                if slot.opening().is_some_and(|o| o.item.src == src) {
                    slot.wear();
                }
            }
        }
        let Some(order) = self.order.clone().filter(|_| self.mode == Mode::Playing) else {
            return;
        };
        for index in 0..self.screens.len() {
            let screen = &self.screens[index];
            let montage = self.run.map_or(order.first(), |run| run.montage);
            let holds = !self.auto_advance && screen.walk.place.is_some();
            if screen.is_live() || !screen.destitute || holds {
                continue;
            }
            let found = order.with_source(screen.index, montage, src);
            let Some(position) = found else { continue };
            self.screens[index].last_load = None;
            match self.run.filter(|run| run.montage == position.montage) {
                Some(_) => self.jump_in_track(ScreenIndex(index), position.item, Trial::Able),
                None => {
                    let mut from = vec![0; self.screens.len()];
                    from[index] = position.item;
                    self.jump(position.montage, from, None);
                }
            }
        }
    }

    /// A slot that was ready is on the screen, and the other one is done.
    fn took_over(&mut self, screen: ScreenIndex, slot: SlotId, start: MediaTime) {
        let it = &mut self.screens[screen.0];
        let Some(purpose) = it.purpose(slot).cloned() else {
            return; // It never was cued: the presenter is mistaken.
        };
        match it.cue {
            Some(Cued::Show { slot: cued, .. }) if cued == slot => it.cue_done(),
            Some(_) => it.uncue(&mut self.out),
            None => {}
        }
        let ended = it
            .walk
            .place
            .and_then(|_| it.shown_opening().map(|o| o.position));
        if let Some(old) = it.shown {
            if it.is_live()
                && let Some(opening) = it.shown_opening()
            {
                let src = opening.item.src.clone();
                it.failures.forget(&src);
            }
            it.unload(&mut self.out, old);
        }
        it.slot_mut(slot).shown(start);
        it.shown = Some(slot);
        it.card = None;
        it.destitute = false;
        self.entered(screen, &purpose, ended, start);
        self.began(screen, slot, start, false);
    }

    /// The slot that is shown went over its end by itself.
    fn looped(&mut self, screen: ScreenIndex, slot: SlotId, start: MediaTime) {
        let it = &mut self.screens[screen.0];
        let expected = match (it.cue, &it.next) {
            (Some(Cued::Replay { cue, .. }), Some(_)) => match cue {
                Cue::Now => false,
                Cue::At(at) => start + TOLERANCE >= at,
            },
            (None, Some(next)) => {
                let due = it.showing().and_then(|showing| showing.end);
                next.at == Moment::End
                    && it.replays(next)
                    && due.is_some_and(|due| start + TOLERANCE >= due)
            }
            (Some(Cued::Replay { .. } | Cued::Show { .. } | Cued::Hold) | None, _) => false,
        };
        if expected {
            // The presenter was quicker than the cue, which must not make it begin once more.
            it.uncue(&mut self.out);
            self.began_again(screen, slot, start, true);
        } else {
            if let Some(opening) = it.shown_opening() {
                let src = opening.item.src.clone();
                it.failures.forget(&src);
            }
            it.slot_mut(slot).looped(start);
            it.lap = it.lap.saturating_add(1);
        }
    }

    /// The slot that is shown began again in place: as it was told, or because a cue was taken back too late.
    fn began_again(&mut self, screen: ScreenIndex, slot: SlotId, start: MediaTime, told: bool) {
        let it = &mut self.screens[screen.0];
        if told && matches!(it.cue, Some(Cued::Replay { .. })) {
            it.cue_done();
        }
        if let Some(opening) = it.shown_opening() {
            let src = opening.item.src.clone();
            it.failures.forget(&src);
        }
        let ended = it
            .walk
            .place
            .and_then(|_| it.shown_opening().map(|o| o.position));
        let meant = it.next.clone().filter(|next| told && it.shows(next));
        it.slot_mut(slot).shown(start);
        if let Some(next) = meant {
            self.entered(screen, &next, ended, start);
        }
        self.began(screen, slot, start, true);
    }

    /// A screen shows what it was to show next: its walk goes on, and with the first screen that enters a montage, so
    /// does the playlist. `ended` is where the screen stood before.
    fn entered(
        &mut self,
        screen: ScreenIndex,
        next: &Next,
        ended: Option<crate::domain::ids::Position>,
        start: MediaTime,
    ) {
        let natural = next.at != Moment::Now
            && next.entry.is_none_or(|entry| entry.cause == Cause::Ended)
            && (next.wraps || next.entry.is_some());
        if let (Some(position), true) = (ended, natural) {
            self.out.report(Report::TrackEnded { screen, position });
        }
        let shown = self.screens[screen.0].shown_opening().cloned();
        let shown = shown.filter(|opening| {
            let item = self
                .order
                .as_ref()
                .and_then(|order| order.playlist().item(opening.position));
            item.is_some_and(|item| same(item, &opening.item))
        });
        if let (Some(entry), Some(opening)) = (next.entry, &shown)
            && self.run.is_none_or(|run| run.id < next.run)
        {
            let entry = Entry {
                montage: opening.position.montage,
                ..entry
            };
            self.begin_run(next.run, entry, start);
        }
        let run = self.run.filter(|run| run.id == next.run);
        let it = &mut self.screens[screen.0];
        if it
            .next
            .as_ref()
            .is_some_and(|n| n.position == next.position && n.run == next.run)
        {
            it.next = None;
        }
        let shown = shown.filter(|o| run.is_some_and(|run| run.montage == o.position.montage));
        if let Some(opening) = shown {
            let item = opening.position.item;
            if next.wraps {
                it.walk.passed.get_or_insert(start);
                it.lap = it.lap.saturating_add(1);
            }
            it.walk.place = Some(item);
            it.walk.from = item + 1;
        } else {
            it.walk.place = None;
        }
    }

    /// The first screen has entered a montage: it is the one that runs now.
    fn begin_run(&mut self, id: u64, entry: Entry, start: MediaTime) {
        let gather = self.gather.take_if(|gather| gather.id == id);
        self.run = Some(Run {
            id,
            montage: entry.montage,
            boundary: start,
        });
        for (index, screen) in self.screens.iter_mut().enumerate() {
            screen.walk = Walk {
                place: None,
                from: gather
                    .as_ref()
                    .and_then(|gather| gather.from.get(index).copied())
                    .unwrap_or(0),
                passed: None,
            };
            if entry.wraps {
                screen.lap = screen.lap.saturating_add(1);
            }
        }
        if entry.wraps && entry.cause == Cause::Ended {
            self.rounds = self.rounds.saturating_add(1);
            self.out.report(Report::RoundEnded {
                rounds: self.rounds,
            });
        }
    }

    fn began(&mut self, screen: ScreenIndex, slot: SlotId, start: MediaTime, replay: bool) {
        let it = &mut self.screens[screen.0];
        if let Some(opening) = it.slot(slot).opening().cloned() {
            it.failures.shown(&opening.item.src);
            self.out.report(Report::Began {
                screen,
                slot,
                position: opening.position,
                item: opening.item,
                replay,
                at: self.out.display(start),
            });
        }
    }

    /// An opening has failed: it is reported and left alone for a while, and the next candidate's turn comes.
    pub(super) fn fail(&mut self, screen: ScreenIndex, slot: SlotId, failure: Failure) {
        let now = self.now;
        let it = &mut self.screens[screen.0];
        let Some(opening) = it.slot(slot).held().cloned() else {
            return;
        };
        if matches!(it.slot(slot), Slot::Failed { .. }) {
            return;
        }
        let shown = it.shown == Some(slot);
        let lasted = it
            .slot(slot)
            .showing()
            .map_or(MediaTime::ZERO, |showing| now - showing.start);
        let hit = match it.cue {
            Some(Cued::Show { slot: cued, .. }) => cued == slot,
            Some(Cued::Replay { .. } | Cued::Hold) => shown,
            None => false,
        };
        if hit {
            it.uncue(&mut self.out);
        }
        let next = it.next.take_if(|next| next.is(&opening));
        let laps = next.as_ref().map_or(0, |next| {
            u64::from(next.wraps) + next.entry.map_or(0, |entry| u64::from(entry.wraps))
        });
        it.failures
            .failed(&opening.item, now, it.lap.saturating_add(laps), lasted);
        it.slot_mut(slot).fail(now, failure.clone());
        if !shown {
            it.close_failed(&mut self.out, slot, opening.load);
        }
        self.out.report(Report::Failed {
            screen,
            position: opening.position,
            item: opening.item,
            failure,
        });
        if let Some(next) = next {
            self.step_over(screen, &next);
        }
    }

    /// The search for what comes next goes on after an item that failed.
    fn step_over(&mut self, screen: ScreenIndex, next: &Next) {
        let step = next.step + 1;
        if let Some(gather) = self.gather.as_mut().filter(|gather| gather.id == next.run) {
            gather.failed[screen.0] = true;
            gather.from[screen.0] = step;
            return;
        }
        let it = &mut self.screens[screen.0];
        it.walk.from = step;
        if next.at == Moment::Now && it.walk.place.is_some() {
            self.jump_in_track(screen, step, Trial::Able);
        }
    }
}
