//! What an operator asks for.
//!
//! `next` acts as though what every screen shows had ended now; `previous` takes every screen one item back, and to
//! the montage before when all stand at their first items. Both, `goto` and `replay` end a pause. A command that
//! comes while another is being carried out counts from where that one leads.

use std::sync::Arc;

use crate::domain::{
    ids::{Position, ScreenIndex},
    sequencer::{
        Command,
        order::Order,
        screen::{Cause, Moment, Next},
        sequence::{Mode, Sequencer},
    },
    units::MediaTime,
};

/// Where all screens are, or where they are being taken: the montage, and each screen's item.
struct Standing {
    montage: usize,
    items: Vec<Option<usize>>,
}

/// Whether an item is tried although it failed a moment ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trial {
    /// Somebody asked for it by name: yes.
    Asked,
    /// It just comes next: no.
    Able,
}

impl Sequencer {
    /// Carries out a command that has passed [`Sequencer::check`].
    pub(super) fn command(&mut self, now: MediaTime, command: Command) {
        let Some(order) = self.order.clone() else {
            self.stopped |= command == Command::Stop;
            return;
        };
        match command {
            Command::Stop => {
                self.stop();
                self.stopped = true;
                return;
            }
            Command::Pause => return self.pause(now),
            Command::Play | Command::Next | Command::Previous | Command::Replay => {
                self.resume(now);
            }
            Command::Goto(_) => self.resume(now),
        }
        match (command, self.mode) {
            (Command::Goto(position), Mode::Idle) => {
                self.set_out();
                self.go_to(&order, position);
            }
            (Command::Goto(position), Mode::Playing | Mode::Paused) => {
                self.go_to(&order, position);
            }
            (Command::Play, Mode::Idle) => self.start(),
            (Command::Next, Mode::Playing | Mode::Paused) => self.go_forth(&order),
            (Command::Previous, Mode::Playing | Mode::Paused) => self.go_back(&order),
            (Command::Replay, Mode::Playing | Mode::Paused) => self.replay(&order),
            (Command::Play, Mode::Playing | Mode::Paused)
            | (Command::Next | Command::Previous | Command::Replay, Mode::Idle)
            | (Command::Stop | Command::Pause, _) => {}
        }
    }

    fn standing(&self) -> Option<Standing> {
        let jump = self
            .gather
            .as_ref()
            .filter(|gather| gather.entry.cause == Cause::Jump);
        match (jump, self.run) {
            (Some(gather), _) => Some(Standing {
                montage: gather.entry.montage,
                items: gather.from.iter().map(|&item| Some(item)).collect(),
            }),
            (None, Some(run)) => Some(Standing {
                montage: run.montage,
                items: self
                    .screens
                    .iter()
                    .map(|screen| match &screen.next {
                        Some(next) if next.run == run.id && next.at == Moment::Now => {
                            Some(next.position.item)
                        }
                        Some(_) | None => screen.walk.place,
                    })
                    .collect(),
            }),
            (None, None) => None,
        }
    }

    fn go_forth(&mut self, order: &Order) {
        let Some(standing) = self.standing() else {
            return self.start();
        };
        let is_jump = self.is_jumping();
        let montage = standing.montage;
        let mut ahead: Vec<Option<usize>> = Vec::new();
        for (screen, item) in self.screens.iter().zip(&standing.items) {
            let after = item.map_or(0, |item| item + 1);
            let length = order.items(montage, screen.index).len();
            let open = (after..length).find(|&item| {
                order
                    .items(montage, screen.index)
                    .get(item)
                    .is_some_and(|item| {
                        let patience = screen.patience(self.now, 1);
                        !screen.failures.blocks(item, self.now, patience)
                    })
            });
            ahead.push(open);
        }
        // A screen that loops while it waits for a longer one does not keep the montage going.
        let goes_on =
            self.screens.iter().zip(&ahead).any(|(screen, ahead)| {
                ahead.is_some() && (is_jump || screen.walk.passed.is_none())
            });
        if goes_on && is_jump {
            let from = standing.items.iter().zip(&ahead);
            let from = from.map(|(item, ahead)| ahead.or(*item).unwrap_or(0));
            self.jump(montage, from.collect(), None);
        } else if goes_on {
            self.drop_gather();
            for (index, ahead) in ahead.into_iter().enumerate() {
                if let Some(item) = ahead {
                    self.jump_in_track(ScreenIndex(index), item, Trial::Able);
                }
            }
        } else {
            let viable = order
                .after(montage)
                .find(|following| self.is_viable(order, following.montage, 1));
            if let Some(following) = viable.or_else(|| order.after(montage).next()) {
                self.jump(following.montage, vec![0; self.screens.len()], None);
            }
        }
    }

    fn go_back(&mut self, order: &Order) {
        let Some(standing) = self.standing() else {
            return self.start();
        };
        let montage = standing.montage;
        let back: Vec<Option<usize>> = self
            .screens
            .iter()
            .zip(&standing.items)
            .map(|(screen, item)| {
                let items = order.items(montage, screen.index);
                (0..item.unwrap_or(0).min(items.len())).rev().find(|&item| {
                    let patience = screen.patience(self.now, 1);
                    !screen.failures.blocks(&items[item], self.now, patience)
                })
            })
            .collect();
        if back.iter().all(Option::is_none) {
            let viable = order
                .before(montage)
                .find(|&previous| self.is_viable(order, previous, 1));
            if let Some(previous) = viable.or_else(|| order.before(montage).next()) {
                let last = |index| {
                    order
                        .items(previous, ScreenIndex(index))
                        .len()
                        .saturating_sub(1)
                };
                let from = (0..self.screens.len()).map(last).collect();
                self.jump(previous, from, None);
            }
        } else if self.is_jumping() {
            let from = standing.items.iter().zip(&back);
            let from = from.map(|(item, back)| back.or(*item).unwrap_or(0));
            self.jump(montage, from.collect(), None);
        } else {
            self.drop_gather();
            for (index, back) in back.into_iter().enumerate() {
                if let Some(item) = back {
                    self.jump_in_track(ScreenIndex(index), item, Trial::Able);
                }
            }
        }
    }

    /// Goes to a position that a screen plays. Going to where everything stands already changes nothing.
    fn go_to(&mut self, order: &Order, position: Position) {
        let Ok(screen) = order.screen_of(position) else {
            return;
        };
        let here = self
            .run
            .is_some_and(|run| run.montage == position.montage && !self.is_jumping());
        if here {
            let it = &mut self.screens[screen.0];
            let jumps = it.next.as_ref().filter(|next| next.at == Moment::Now);
            match (jumps, it.walk.place) {
                (Some(next), _) if next.position == position => {}
                (_, Some(place)) if place == position.item && it.showing().is_some() => {
                    it.next.take_if(|next| next.at == Moment::Now);
                    it.walk.from = place + 1;
                }
                _ => {
                    self.drop_gather();
                    self.jump_in_track(screen, position.item, Trial::Asked);
                }
            }
            return;
        }
        let asked = self.gather.as_ref().is_some_and(|gather| {
            gather.entry.cause == Cause::Jump
                && gather.entry.montage == position.montage
                && gather.from.get(screen.0) == Some(&position.item)
        });
        if !asked {
            let mut from = vec![0; self.screens.len()];
            from[screen.0] = position.item;
            self.jump(position.montage, from, Some(screen));
        }
    }

    /// Begins what each screen shows again.
    fn replay(&mut self, order: &Order) {
        let Some(run) = self.run else { return };
        self.drop_gather();
        for screen in &mut self.screens {
            let Some(place) = screen.walk.place else {
                continue;
            };
            if let Some((position, item)) = order.at(run.montage, screen.index, place) {
                screen.walk.from = place + 1;
                screen.next = Some(Next {
                    position,
                    item: Arc::clone(item),
                    run: run.id,
                    entry: None,
                    at: Moment::Now,
                    step: place,
                    wraps: false,
                });
            }
        }
    }

    /// Takes one screen to an item of the montage that runs, or to the first one after it that can be shown. If there
    /// is none, the screen goes on with what it shows.
    pub(super) fn jump_in_track(&mut self, index: ScreenIndex, item: usize, trial: Trial) {
        let (Some(order), Some(run)) = (self.order.clone(), self.run) else {
            return;
        };
        let screen = &mut self.screens[index.0];
        let length = order.items(run.montage, index).len();
        let patience = screen.patience(self.now, 1);
        let found = (item..length).find_map(|step| {
            let (position, found) = order.at(run.montage, index, step)?;
            let asked = trial == Trial::Asked && step == item;
            let able = asked || !screen.failures.blocks(found, self.now, patience);
            able.then(|| (step, position, Arc::clone(found)))
        });
        // A search that leads to what is shown has led nowhere: it is not torn out of its showing.
        let shown = |position| {
            let opening = screen.shown_opening();
            screen.is_live() && opening.is_some_and(|opening| opening.position == position)
        };
        match found.filter(|(_, position, _)| trial == Trial::Asked || !shown(*position)) {
            Some((step, position, item)) => {
                screen.walk.from = step;
                screen.next = Some(Next {
                    position,
                    item,
                    run: run.id,
                    entry: None,
                    at: Moment::Now,
                    step,
                    wraps: false,
                });
            }
            None => {
                screen.next = None;
                screen.walk.from = screen.walk.place.map_or(length, |place| place + 1);
            }
        }
    }

    /// Whether all screens are being taken somewhere.
    fn is_jumping(&self) -> bool {
        self.gather
            .as_ref()
            .is_some_and(|gather| gather.entry.cause == Cause::Jump)
    }

    /// No longer enters the next montage, and forgets what was chosen for it.
    pub(super) fn drop_gather(&mut self) {
        if let Some(gather) = self.gather.take() {
            for screen in &mut self.screens {
                screen.next.take_if(|next| next.run == gather.id);
            }
        }
    }
}
