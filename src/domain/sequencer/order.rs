//! The order of a playlist as the screens of this box see it: which screen plays which track, and what follows what.
//!
//! Deliberately absent: time and failures. Whether an item can be played is asked from outside.

use std::sync::Arc;

use crate::domain::{
    ids::{Position, ScreenIndex, ScreenName},
    playlist::{Item, Playlist},
    sequencer::CommandError,
};

/// A playlist laid out on screens. At least one montage is played on at least one screen.
#[derive(Clone, Debug)]
pub(super) struct Order {
    playlist: Arc<Playlist>,
    /// The track of each montage (outer) for each screen (inner).
    tracks: Vec<Vec<Option<usize>>>,
}

/// A montage that follows another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Following {
    pub montage: usize,
    /// Whether the way to it leads over the playlist's end.
    pub wraps: bool,
}

impl Order {
    /// Lays a playlist out; nothing if no track of it is for one of these screens.
    ///
    /// A screen plays the first track that names it; else the track of its own number, if that has no name.
    pub fn new(playlist: &Arc<Playlist>, screens: &[ScreenName]) -> Option<Self> {
        let tracks: Vec<Vec<Option<usize>>> = playlist
            .montages
            .iter()
            .map(|montage| {
                screens
                    .iter()
                    .enumerate()
                    .map(|(screen, name)| {
                        let named = |track: &crate::domain::playlist::Track| {
                            track.screen.as_ref() == Some(name)
                        };
                        let own = || montage.tracks.get(screen).filter(|t| t.screen.is_none());
                        montage
                            .tracks
                            .iter()
                            .position(named)
                            .or_else(|| own().map(|_| screen))
                            .filter(|&track| !montage.tracks[track].items.is_empty())
                    })
                    .collect()
            })
            .collect();
        tracks.iter().flatten().any(Option::is_some).then(|| Self {
            playlist: Arc::clone(playlist),
            tracks,
        })
    }

    /// The first track that belongs to no screen, as the position of its first item.
    pub fn homeless(playlist: &Arc<Playlist>, screens: &[ScreenName]) -> Option<Position> {
        let order = Self::new(playlist, screens);
        let played = |montage: usize, track: usize| {
            order
                .as_ref()
                .is_some_and(|order| order.tracks[montage].contains(&Some(track)))
        };
        let all = playlist.montages.iter().enumerate();
        all.flat_map(|(montage, m)| {
            (0..m.tracks.len()).map(move |track| Position::new(montage, track, 0))
        })
        .find(|position| !played(position.montage, position.track))
    }

    /// The playlist itself.
    pub fn playlist(&self) -> &Arc<Playlist> {
        &self.playlist
    }

    /// How many montages there are, played here or not.
    pub fn montages(&self) -> usize {
        self.tracks.len()
    }

    /// The track that a screen plays in a montage.
    pub fn track(&self, montage: usize, screen: ScreenIndex) -> Option<usize> {
        *self.tracks.get(montage)?.get(screen.0)?
    }

    /// The items that a screen plays in a montage; none if it has no track there.
    pub fn items(&self, montage: usize, screen: ScreenIndex) -> &[Arc<Item>] {
        self.track(montage, screen)
            .and_then(|track| self.playlist.montages.get(montage)?.tracks.get(track))
            .map_or(&[], |track| &track.items)
    }

    /// The position of a screen's item in a montage, and the item.
    pub fn at(
        &self,
        montage: usize,
        screen: ScreenIndex,
        item: usize,
    ) -> Option<(Position, &Arc<Item>)> {
        let track = self.track(montage, screen)?;
        let found = self.items(montage, screen).get(item)?;
        Some((Position::new(montage, track, item), found))
    }

    /// Whether any screen plays a track of this montage.
    pub fn is_played(&self, montage: usize) -> bool {
        self.tracks
            .get(montage)
            .is_some_and(|tracks| tracks.iter().any(Option::is_some))
    }

    /// The played montages after this one, in order, once around and ending with itself.
    pub fn after(&self, montage: usize) -> impl Iterator<Item = Following> + '_ {
        let count = self.montages();
        (1..=count).filter_map(move |step| {
            let next = (montage + step) % count;
            self.is_played(next).then_some(Following {
                montage: next,
                wraps: montage + step >= count,
            })
        })
    }

    /// The played montages before this one, nearest first, once around and ending with itself.
    pub fn before(&self, montage: usize) -> impl Iterator<Item = usize> + '_ {
        let count = self.montages();
        (1..=count)
            .map(move |step| (montage + count - step) % count)
            .filter(|&previous| self.is_played(previous))
    }

    /// The first montage that is played.
    pub fn first(&self) -> usize {
        self.after(self.montages().saturating_sub(1))
            .next()
            .map_or(0, |following| following.montage)
    }

    /// The screen that plays a position, or why there is none.
    pub fn screen_of(&self, position: Position) -> Result<ScreenIndex, CommandError> {
        if self.playlist.item(position).is_none() {
            return Err(CommandError::NoPosition {
                position,
                exists: self.instead(position),
            });
        }
        let tracks = &self.tracks[position.montage];
        tracks
            .iter()
            .position(|track| *track == Some(position.track))
            .map(ScreenIndex)
            .ok_or_else(|| CommandError::NoScreen {
                position,
                screens: match tracks.iter().flatten().count() {
                    0 => "none".to_owned(),
                    _ => {
                        let mut played: Vec<String> =
                            tracks.iter().flatten().map(|t| format!("T{t}")).collect();
                        played.sort();
                        played.join(", ")
                    }
                },
            })
    }

    /// Where a screen finds an item that it showed in another version of the playlist: at the same position, else
    /// in the same montage, else in the first montage that has it. `only` limits the search to one montage.
    pub fn find(
        &self,
        screen: ScreenIndex,
        was: Position,
        item: &Item,
        only: Option<usize>,
    ) -> Option<(Position, &Arc<Item>)> {
        let is = |other: &Arc<Item>| other.id == item.id && other.src == item.src;
        let within = |montage: usize| {
            let items = self.items(montage, screen);
            let same = items.get(was.item).is_some_and(is).then_some(was.item);
            let index = same.or_else(|| items.iter().position(is))?;
            self.at(montage, screen, index)
        };
        match only {
            Some(montage) => within(montage),
            None => within(was.montage).or_else(|| (0..self.montages()).find_map(within)),
        }
    }

    /// Where a screen finds a source: in this montage, else in the first one that has it.
    pub fn with_source(&self, screen: ScreenIndex, montage: usize, src: &str) -> Option<Position> {
        let within = |montage: usize| {
            let items = self.items(montage, screen);
            let item = items.iter().position(|item| item.src == src)?;
            self.at(montage, screen, item).map(|(position, _)| position)
        };
        within(montage).or_else(|| (0..self.montages()).find_map(within))
    }

    /// Whether the playlist has this medium, for whatever screen.
    pub fn has(&self, item: &Item) -> bool {
        let tracks = self.playlist.montages.iter().flat_map(|m| &m.tracks);
        tracks
            .flat_map(|track| &track.items)
            .any(|other| other.src == item.src && other.sha256 == item.sha256)
    }

    /// What exists near a position that does not, in words.
    fn instead(&self, position: Position) -> String {
        let count = |number: usize, letter: char, what: &str| match number {
            1 => format!("{what} {letter}0 only"),
            _ => format!("{what}s {letter}0 to {letter}{}", number.saturating_sub(1)),
        };
        let montages = &self.playlist.montages;
        match montages.get(position.montage) {
            None => format!("the playlist has {}", count(montages.len(), 'M', "montage")),
            Some(montage) => match montage.tracks.get(position.track) {
                None => format!(
                    "montage M{} has {}",
                    position.montage,
                    count(montage.tracks.len(), 'T', "track")
                ),
                Some(track) => format!(
                    "track M{}T{} has {}",
                    position.montage,
                    position.track,
                    count(track.items.len(), 'I', "item")
                ),
            },
        }
    }
}
