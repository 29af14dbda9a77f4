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
    /// When it began, by the clock on the wall.
    at: Timestamp,
    /// When it began, in display time.
    start: MediaTime,
}

impl App {
    /// An item begins on a screen; whatever was there has ended.
    pub(super) fn showing_begins(&mut self, screen: ScreenIndex, item: &Item, start: MediaTime) {
        self.showing_ends(screen, start);
        // What nobody can see is not shown.
        if self.power == Power::Off {
            return;
        }
        if let Some((house, playlist)) = self.house.playing() {
            let showing = Showing {
                house: house.clone(),
                item: item.id.clone(),
                playlist: playlist.clone(),
                at: Timestamp::now(),
                start,
            };
            self.house.showings.insert(screen, showing);
        }
    }

    /// Whatever a screen shows has ended.
    pub(super) fn showing_ends(&mut self, screen: ScreenIndex, end: MediaTime) {
        let Some(showing) = self.house.showings.remove(&screen) else {
            return;
        };
        let (Some(way), Some(output)) =
            (&self.house.way, self.parts.settings.screens.get(screen.0))
        else {
            return;
        };
        let millis = (end - showing.start).whole_millis();
        let at = showing.at.round(Unit::Millisecond).unwrap_or(showing.at);
        let play = Play {
            // The log gives it its number.
            seq: 0,
            at: at.to_string(),
            output: output.name.clone(),
            playlist: Some(showing.playlist),
            item: showing.item,
            duration_ms: u64::try_from(millis).unwrap_or(0),
        };
        way.ask(Ask::Played(showing.house, play));
    }

    /// The box ends: so does everything that is shown.
    pub(super) fn all_showings_end(&mut self) {
        let now = self.parts.gauges.now();
        for screen in (0..self.parts.modes.len()).map(ScreenIndex) {
            self.showing_ends(screen, now);
        }
    }
}
