//! What a screen is to do at a time: the settings that hold for it, and which playlist plays.

use std::cmp::Reverse;

use jiff::civil::{Date, DateTime};

use crate::domain::{
    config::Volume,
    fit::Fit,
    house::{
        environment::{Environment, Group, HouseScreen},
        times::{Schedule, Window},
    },
    ids::{HouseScreenId, PlaylistId},
    protocol::Power,
};

/// The first year of which a clock is believed: before it, a box's clock has not been set yet.
const FIRST_BELIEVED: DateTime = Date::constant(2026, 1, 1).at(0, 0, 0, 0);

/// So many changes of schedules are looked at for one that matters; after them, the next is told untested.
const LOOK_AHEAD: usize = 64;

/// What a screen is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Orders {
    /// What people call the screen.
    pub name: String,
    /// Whether the box starts to play by itself.
    pub autostart_playlist: bool,
    /// Whether an item that ended is followed by the next.
    pub auto_advance: bool,
    /// How loud.
    pub volume: Volume,
    /// Whether sound is off.
    pub mute: bool,
    /// What to do where picture and screen differ in shape.
    pub fit: Fit,
    /// Whether the displays are on, by standby and by hours.
    pub display: Power,
    /// The playlist to play. It has items, but they may not be on the box yet.
    pub playlist: Option<PlaylistId>,
    /// The playlists that come after it, the best first: to be played while nothing of it is on the box.
    pub fallbacks: Vec<PlaylistId>,
    /// When, by the local clock, any of this may next become something else by itself; nothing where it never does.
    pub until: Option<DateTime>,
}

/// The settings of one screen, found: screen over group over house.
struct Effective<'a> {
    environment: &'a Environment,
    screen: &'a HouseScreen,
    group: Option<&'a Group>,
}

impl Environment {
    /// What a screen is to do at a local time, or nothing where the house has no such screen.
    ///
    /// `when` is the time by the clock of the house's time zone; nothing where it is not known, as is any time before
    /// 2026. Then no hours and no schedule hold: the displays are on, and the default playlist plays.
    pub fn orders(&self, screen: &HouseScreenId, when: Option<DateTime>) -> Option<Orders> {
        let screen = self.screens.get(screen)?;
        let effective = Effective {
            environment: self,
            screen,
            group: screen.group.as_ref().and_then(|id| self.groups.get(id)),
        };
        let when = when.filter(|when| *when >= FIRST_BELIEVED);
        let mut orders = effective.at(when);
        orders.until = when.and_then(|when| effective.until(&orders, when));
        Some(orders)
    }
}

impl Effective<'_> {
    /// The orders of a time, without their end.
    fn at(&self, when: Option<DateTime>) -> Orders {
        let house = &self.environment.house;
        let display = match (self.standby(), when) {
            (true, _) => Power::Off,
            (false, None) => Power::On,
            (false, Some(when)) => match self.hours().is_none_or(|hours| hours.is_on(when)) {
                true => Power::On,
                false => Power::Off,
            },
        };
        let mut playlists = self.playlists(when).into_iter();
        Orders {
            name: self.screen.name.clone(),
            autostart_playlist: house.autostart_playlist,
            auto_advance: self.over(|s| s.auto_advance, |g| g.auto_advance, house.auto_advance),
            volume: self.over(|s| s.volume, |g| g.volume, house.volume),
            mute: self.over(|s| s.mute, |g| g.mute, house.mute),
            fit: self.over(|s| s.fit, |g| g.fit, house.fit),
            display,
            playlist: playlists.next(),
            fallbacks: playlists.collect(),
            until: None,
        }
    }

    /// When the orders of a time are no longer those of then.
    fn until(&self, now: &Orders, when: DateTime) -> Option<DateTime> {
        let hours = self.hours();
        let changes = |after: DateTime| {
            self.scheduled()
                .map(|(_, schedule)| schedule)
                .chain(hours.as_ref())
                .filter_map(|schedule| schedule.next_change(after))
                .min()
        };
        let mut next = changes(when)?;
        for _ in 0..LOOK_AHEAD {
            if self.at(Some(next)) != *now {
                break;
            }
            next = changes(next)?;
        }
        Some(next)
    }

    fn over<T>(
        &self,
        screen: impl Fn(&HouseScreen) -> Option<T>,
        group: impl Fn(&Group) -> Option<T>,
        house: T,
    ) -> T {
        screen(self.screen)
            .or_else(|| self.group.and_then(group))
            .unwrap_or(house)
    }

    fn standby(&self) -> bool {
        self.over(|s| s.standby, |g| g.standby, self.environment.house.standby)
    }

    /// When the displays are on; nothing means always.
    fn hours(&self) -> Option<Schedule> {
        let house: &[Window] = &self.environment.house.display_hours;
        let windows = self
            .screen
            .display_hours
            .as_deref()
            .or_else(|| self.group.and_then(|group| group.display_hours.as_deref()))
            .unwrap_or(house);
        (!windows.is_empty()).then(|| Schedule::weekly(windows.to_vec()))
    }

    /// The playlists that have a schedule and something to play.
    fn scheduled(&self) -> impl Iterator<Item = (&PlaylistId, &Schedule)> {
        let playlists = self.environment.playlists.iter();
        playlists.filter_map(|(id, playlist)| {
            let schedule = playlist.schedule.as_ref()?;
            self.environment.has_items(id).then_some((id, schedule))
        })
    }

    /// The playlists to play, the best first, each once, none of them empty.
    fn playlists(&self, when: Option<DateTime>) -> Vec<PlaylistId> {
        let house = &self.environment.house;
        let selected = self
            .screen
            .playlist
            .as_ref()
            .or_else(|| self.group.and_then(|group| group.playlist.as_ref()))
            .or(house.playlist.as_ref());
        let default = house.default_playlist.as_ref();
        let chosen: Vec<&PlaylistId> = match when {
            None => default.into_iter().chain(selected).collect(),
            Some(when) => {
                let mut on: Vec<_> = self
                    .scheduled()
                    .filter(|(_, schedule)| schedule.is_on(when))
                    .collect();
                on.sort_by_key(|(id, schedule)| (Reverse(schedule.priority), *id));
                let on = on.into_iter().map(|(id, _)| id);
                on.chain(selected).chain(default).collect()
            }
        };
        let mut playlists: Vec<PlaylistId> = Vec::new();
        for id in chosen {
            if self.environment.has_items(id) && !playlists.contains(id) {
                playlists.push(id.clone());
            }
        }
        playlists
    }
}
