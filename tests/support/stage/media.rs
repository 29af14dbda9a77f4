//! What the stage plays: media that do as they are told, and playlists of them.

use std::sync::Arc;

use musebox::domain::{
    ids::{ItemId, MontageId, PlaylistId, ScreenName, TrackId},
    playlist::{Item, Montage, Playlist, Track},
    sequencer::{FailureKind, Media, Replayable},
    units::MediaTime,
};

pub fn s(seconds: i64) -> MediaTime {
    MediaTime::from_seconds(seconds)
}

pub fn ms(millis: i64) -> MediaTime {
    MediaTime::from_millis(millis)
}

/// What a medium does when it is opened and shown.
#[derive(Clone, Debug)]
pub struct Medium {
    /// How long the opening takes.
    pub preroll: MediaTime,
    pub manner: Manner,
}

#[derive(Clone, Debug)]
pub enum Manner {
    Plays {
        media: Media,
        replayable: Replayable,
        /// It fails so long after a showing began.
        dies_after: Option<MediaTime>,
        /// It tells another length so long after a showing began.
        tells: Option<(MediaTime, MediaTime)>,
        /// An endless one runs out so long after a showing began.
        runs_out: Option<MediaTime>,
        /// The decoder is worn so long after a showing began.
        worn_after: Option<MediaTime>,
    },
    Fails(FailureKind),
    Silent,
}

impl Medium {
    pub fn plays(media: Media, replayable: Replayable) -> Self {
        Self {
            preroll: ms(200),
            manner: Manner::Plays {
                media,
                replayable,
                dies_after: None,
                tells: None,
                runs_out: None,
                worn_after: None,
            },
        }
    }

    pub fn video(length: MediaTime) -> Self {
        Self::plays(Media::Timed(length), Replayable::InPlace)
    }

    /// One that must be opened anew for each showing.
    pub fn reopened(length: MediaTime) -> Self {
        Self::plays(Media::Timed(length), Replayable::Reopen)
    }

    pub fn still() -> Self {
        Self::plays(Media::Still, Replayable::InPlace)
    }

    /// A live stream that ends so long after it was shown, or never.
    pub fn live(ends: Option<MediaTime>) -> Self {
        let mut medium = Self::plays(Media::Endless, Replayable::Reopen);
        if let Manner::Plays { runs_out, .. } = &mut medium.manner {
            *runs_out = ends;
        }
        medium
    }

    pub fn bad() -> Self {
        Self {
            preroll: ms(100),
            manner: Manner::Fails(FailureKind::Corrupt),
        }
    }

    pub fn silent() -> Self {
        Self {
            preroll: ms(0),
            manner: Manner::Silent,
        }
    }

    pub fn taking(self, preroll: MediaTime) -> Self {
        Self { preroll, ..self }
    }

    pub fn dying_after(mut self, time: MediaTime) -> Self {
        if let Manner::Plays { dies_after, .. } = &mut self.manner {
            *dies_after = Some(time);
        }
        self
    }

    pub fn telling(mut self, after: MediaTime, length: MediaTime) -> Self {
        if let Manner::Plays { tells, .. } = &mut self.manner {
            *tells = Some((after, length));
        }
        self
    }

    pub fn worn_after(mut self, time: MediaTime) -> Self {
        if let Manner::Plays { worn_after, .. } = &mut self.manner {
            *worn_after = Some(time);
        }
        self
    }

    pub fn is_good(&self) -> bool {
        matches!(self.manner, Manner::Plays { .. })
    }
}

/// An item whose id and source are its name.
pub fn item(name: &str) -> Item {
    Item {
        id: ItemId::new(name),
        src: name.to_owned(),
        kind: None,
        duration: None,
        sha256: None,
        title: None,
    }
}

/// A playlist of montages of tracks of items by name. `"left: a b"` is a track for the screen called left, `"a@5"` an
/// item that lasts 5 s at most.
pub fn playlist(montages: &[&[&str]]) -> Arc<Playlist> {
    let read = |text: &&str| {
        let (screen, items) = match text.split_once(':') {
            Some((screen, items)) => (Some(ScreenName::new(screen.trim())), items),
            None => (None, *text),
        };
        Track {
            id: TrackId::new(*text),
            screen,
            items: items
                .split_whitespace()
                .map(|name| match name.split_once('@') {
                    Some((name, seconds)) => Arc::new(Item {
                        duration: Some(s(seconds.parse().expect("seconds"))),
                        ..item(name)
                    }),
                    None => Arc::new(item(name)),
                })
                .collect(),
        }
    };
    Arc::new(Playlist {
        id: PlaylistId::new("playlist"),
        name: "playlist".to_owned(),
        montages: montages
            .iter()
            .enumerate()
            .map(|(number, tracks)| Montage {
                id: MontageId::new(format!("m{number}")),
                tracks: tracks.iter().map(read).collect(),
            })
            .collect(),
    })
}
