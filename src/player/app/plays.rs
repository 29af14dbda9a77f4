//! Proof of play: which of the house's items was shown, when and for how long.

use jiff::{Timestamp, Unit};

use crate::{
    domain::{
        ids::{HouseId, ItemId, PlaylistId, ScreenIndex},
        playlist::Item,
        protocol::{Power, sync::Play},
        units::MediaTime,
    },
    net::Ask,
    player::app::App,
};

/// An item of the house that is on a screen.
#[derive(Clone, Debug)]
pub struct Showing {
    house: HouseId,
    item: ItemId,
    playlist: PlaylistId,
    /// Since when it is seen; nothing while the screens are off.
    seen: Option<Seen>,
}

/// Since when an item is seen.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// By the clock on the wall.
    at: Timestamp,
    /// In display time.
    start: MediaTime,
}

impl Seen {
    fn since(start: MediaTime) -> Self {
        let at = Timestamp::now();
        Self { at, start }
    }
}

impl App {
    /// An item begins on a screen; whatever was there has ended.
    pub(super) fn showing_begins(&mut self, screen: ScreenIndex, item: &Item, start: MediaTime) {
        self.showing_ends(screen, start);
        // What nobody can see is not shown.
        let is_seen = self.power == Power::On;
        if let Some((house, playlist)) = self.house.playing() {
            let showing = Showing {
                house: house.clone(),
                item: item.id.clone(),
                playlist: playlist.clone(),
                seen: is_seen.then(|| Seen::since(start)),
            };
            self.house.showings.insert(screen, showing);
        }
    }

    /// Whatever a screen shows has ended.
    pub(super) fn showing_ends(&mut self, screen: ScreenIndex, end: MediaTime) {
        self.showing_is_unseen(screen, end);
        self.house.showings.remove(&screen);
    }

    /// The screens have been switched: what is on them is seen from now on, or until now.
    pub(super) fn showings_switched(&mut self, power: Power) {
        let now = self.parts.gauges.now();
        match power {
            Power::On => {
                let dark = self.house.showings.values_mut();
                for showing in dark.filter(|showing| showing.seen.is_none()) {
                    showing.seen = Some(Seen::since(now));
                }
            }
            Power::Off => {
                for screen in (0..self.parts.modes.len()).map(ScreenIndex) {
                    self.showing_is_unseen(screen, now);
                }
            }
        }
    }

    /// What a screen shows is seen no longer, which is a play.
    fn showing_is_unseen(&mut self, screen: ScreenIndex, end: MediaTime) {
        let Some(showing) = self.house.showings.get_mut(&screen) else {
            return;
        };
        let Some(Seen { at, start }) = showing.seen.take() else {
            return;
        };
        let (Some(way), Some(output)) =
            (&self.house.way, self.parts.settings.screens.get(screen.0))
        else {
            return;
        };
        let millis = (end - start).whole_millis();
        let at = at.round(Unit::Millisecond).unwrap_or(at);
        let play = Play {
            // The log gives it its number.
            seq: 0,
            at: at.to_string(),
            output: output.name.clone(),
            playlist: Some(showing.playlist.clone()),
            item: showing.item.clone(),
            duration_ms: u64::try_from(millis).unwrap_or(0),
        };
        way.ask(Ask::Played(showing.house.clone(), play));
    }

    /// The box ends: so does everything that is shown.
    pub(super) fn all_showings_end(&mut self) {
        let now = self.parts.gauges.now();
        for screen in (0..self.parts.modes.len()).map(ScreenIndex) {
            self.showing_ends(screen, now);
        }
    }
}
