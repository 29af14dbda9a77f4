//! A new environment: settings and playlist change while something plays.
//!
//! What is shown is not interrupted if it is still in the playlist: its position follows it. What vanished is
//! followed by what now stands in its place.

use std::sync::Arc;

use crate::domain::{
    ids::{Position, ScreenIndex, SlotId},
    playlist::Playlist,
    sequencer::{
        Card, Report,
        order::Order,
        screen::{Cause, Moment, Screen, same, same_medium},
        sequence::{Mode, Sequencer},
    },
};

impl Sequencer {
    /// Takes over a new environment.
    pub(super) fn environment(
        &mut self,
        playlist: Option<Arc<Playlist>>,
        autostart: bool,
        auto_advance: bool,
    ) {
        let turned_on = autostart && !self.autostart;
        self.autostart = autostart;
        self.auto_advance = auto_advance;
        let before = self.playlist.clone();
        let changed = before != playlist;
        if changed {
            self.playlist = playlist;
            self.order = self
                .playlist
                .as_ref()
                .and_then(|playlist| Order::new(playlist, &self.names))
                .map(Arc::new);
            let homeless = self
                .playlist
                .as_ref()
                .and_then(|playlist| Order::homeless(playlist, &self.names));
            if let Some(position) = homeless {
                self.out.report(Report::TrackWithoutScreen { position });
            }
        }
        match (self.mode, self.order.clone()) {
            (Mode::Idle, Some(_)) if turned_on || (autostart && !self.stopped) => self.start(),
            (Mode::Idle, _) => {
                for screen in &mut self.screens {
                    screen.put_up(&mut self.out, Card::Idle);
                }
            }
            (Mode::Playing | Mode::Paused, None) => {
                self.stop();
                self.stopped = false;
            }
            (Mode::Playing | Mode::Paused, Some(order)) if changed => {
                let same_playlist =
                    before.map(|p| p.id.clone()) == Some(order.playlist().id.clone());
                self.relocate(&order, same_playlist);
            }
            (Mode::Playing | Mode::Paused, Some(_)) => {}
        }
        if !auto_advance {
            self.stop_advancing();
        }
    }

    /// Forgets what was to follow by itself.
    fn stop_advancing(&mut self) {
        let ended = |gather: &super::sequence::Gather| gather.entry.cause == Cause::Ended;
        if self.gather.as_ref().is_some_and(ended) {
            self.drop_gather();
        }
        for screen in &mut self.screens {
            if screen.walk.place.is_some() {
                screen.next.take_if(|next| next.at == Moment::End);
            }
        }
    }

    /// Finds everything again in another version of the playlist, or in another playlist.
    fn relocate(&mut self, order: &Order, same_playlist: bool) {
        for screen in &mut self.screens {
            screen.failures.retain(|item| order.has(item));
        }
        let jump = self
            .gather
            .as_ref()
            .filter(|gather| gather.entry.cause == Cause::Jump)
            .cloned();
        let wanted: Vec<Option<Position>> = self
            .screens
            .iter()
            .map(|screen| {
                let next = screen.next.as_ref()?;
                jump.as_ref().filter(|jump| jump.id == next.run)?;
                let found = order.find(screen.index, next.position, &next.item, None);
                found.map(|(position, _)| position)
            })
            .collect();
        let anchor = self.screens.iter().find_map(|screen| {
            screen.walk.place?;
            let opening = screen.shown_opening()?;
            order
                .find(screen.index, opening.position, &opening.item, None)
                .map(|(position, _)| position.montage)
        });
        self.gather = None;
        for screen in &mut self.screens {
            screen.relabel(order, anchor);
        }
        let montage = match (self.run, &jump) {
            (Some(run), _) => run.montage,
            (None, Some(jump)) => jump.entry.montage,
            (None, None) => 0,
        };
        let stands = match same_playlist && order.is_played(montage) {
            true => montage,
            false if same_playlist => order
                .after(montage.min(order.montages() - 1))
                .next()
                .map_or(0, |following| following.montage),
            false => order.first(),
        };
        match (anchor, &mut self.run) {
            (Some(anchor), Some(run)) => {
                run.montage = anchor;
                for screen in &mut self.screens {
                    screen.replace(order, anchor);
                }
            }
            (Some(_) | None, _) => {
                let places = self.screens.iter().map(|screen| {
                    let length = order.items(stands, screen.index).len();
                    let place = screen
                        .walk
                        .place
                        .filter(|_| same_playlist && stands == montage);
                    place.unwrap_or(0).min(length.saturating_sub(1))
                });
                let places: Vec<usize> = places.collect();
                if self.run.take().is_some() && jump.is_none() {
                    self.jump(stands, places, None);
                }
                for screen in &mut self.screens {
                    screen.walk = Default::default();
                }
            }
        }
        if let Some(jump) = jump {
            let target = wanted
                .iter()
                .flatten()
                .next()
                .map(|position| position.montage);
            let montage = target.unwrap_or_else(|| match same_playlist {
                true if order.is_played(jump.entry.montage) => jump.entry.montage,
                true | false => stands,
            });
            let from = (0..self.screens.len()).map(|index| {
                let length = order.items(montage, ScreenIndex(index)).len();
                let found = wanted[index].filter(|position| position.montage == montage);
                let item = match (found, same_playlist) {
                    (Some(position), _) => position.item,
                    (None, true) => jump.from.get(index).copied().unwrap_or(0),
                    (None, false) => 0,
                };
                item.min(length.saturating_sub(1))
            });
            let from = from.collect();
            self.jump(montage, from, None);
        }
    }
}

impl Screen {
    /// Gives everything that is open its new position. `anchor` is the montage in which the shown items are.
    fn relabel(&mut self, order: &Order, anchor: Option<usize>) {
        for id in SlotId::BOTH {
            let shown = self.shown == Some(id);
            let Some(opening) = self.slot(id).held().cloned() else {
                continue;
            };
            let only = anchor.filter(|_| shown && self.walk.place.is_some());
            let found = order.find(self.index, opening.position, &opening.item, only);
            if let Some((position, item)) = found
                && (shown || same_medium(item, &opening.item))
            {
                self.slot_mut(id).relabel(position, item);
            }
        }
        let index = self.index;
        let moved = |next: &super::screen::Next| {
            order
                .find(index, next.position, &next.item, None)
                .map(|(position, item)| (position, Arc::clone(item)))
        };
        for purpose in self.purposes_mut() {
            if let Some((position, item)) = moved(purpose) {
                purpose.position = position;
                purpose.item = item;
            }
        }
        // A jump within the track is found again in `replace`; anything else is chosen anew.
        self.next.take_if(|next| next.at != Moment::Now);
    }

    /// Finds the screen's place in the montage that runs.
    fn replace(&mut self, order: &Order, montage: usize) {
        let length = order.items(montage, self.index).len();
        let next = self.next.take().and_then(|next| {
            let (position, item) =
                order.find(self.index, next.position, &next.item, Some(montage))?;
            Some(super::screen::Next {
                position,
                item: Arc::clone(item),
                step: position.item,
                ..next
            })
        });
        let here = self.shown_opening().filter(|opening| {
            opening.position.montage == montage
                && order
                    .at(montage, self.index, opening.position.item)
                    .is_some_and(|(position, item)| {
                        position == opening.position && same(item, &opening.item)
                    })
        });
        match (self.walk.place, here.map(|opening| opening.position.item)) {
            (Some(_), Some(item)) => {
                self.walk.place = Some(item);
                self.walk.from = item + 1;
            }
            (Some(place), None) => {
                self.walk.place = None;
                self.walk.from = place.min(length.saturating_sub(1));
            }
            (None, _) => self.walk.from = self.walk.from.min(length),
        }
        if let Some(next) = &next {
            self.walk.from = next.step;
        }
        self.next = next;
    }
}
