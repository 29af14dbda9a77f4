//! What the Sequencer is told and what it answers.
//!
//! All times are display time: it starts at 0 with the process and stands still where the display stands still.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::{
    ids::{LoadId, Position, ScreenIndex, SlotId},
    playlist::{Item, Playlist},
    units::MediaTime,
};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// What to play from now on, or nothing; also how playback begins and advances by itself.
    Environment {
        /// The playlist to play.
        playlist: Option<Arc<Playlist>>,
        /// Whether playback starts by itself.
        autostart_playlist: bool,
        /// Whether an item that ended is followed by the next; if not, its last frame stays until told.
        auto_advance: bool,
    },
    /// Somebody asked for something.
    Command(Command),
    /// A slot has news about what was loaded into it.
    Slot {
        /// The slot's screen.
        screen: ScreenIndex,
        /// Which of the two.
        slot: SlotId,
        /// The opening that the news is about; news about another is ignored.
        load: LoadId,
        /// The news.
        event: SlotEvent,
    },
    /// The medium behind this `src` has changed (a file was replaced): what failed may be tried at once.
    MediaChanged {
        /// The item's `src`.
        src: String,
    },
    /// The time asked for with [`Output::WakeAt`] has come.
    Timer,
}

/// What an operator or a program may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Start, or go on after a pause.
    Play,
    /// Stand still on the picture that is shown.
    Pause,
    /// End playback and show the idle card.
    Stop,
    /// Go to the next position.
    Next,
    /// Go to the position before.
    Previous,
    /// Go to a position; all screens go to its montage.
    Goto(Position),
    /// Begin the item that is shown again.
    Replay,
}

/// News about an opening.
#[derive(Clone, Debug, PartialEq)]
pub enum SlotEvent {
    /// The first frames are decoded: the slot can be shown at any vblank.
    Ready {
        /// What was found.
        media: Media,
        /// How it can be shown again.
        replayable: Replayable,
    },
    /// The first frame of a showing is on the screen.
    Shown {
        /// When the showing began, nominally: the cue's time, or the vblank's where it had none.
        start: MediaTime,
    },
    /// The medium's real end has become known: the showing ends this long after its start.
    EndKnown {
        /// The length of the medium's picture.
        length: MediaTime,
    },
    /// The slot went over its end because nothing was cued, and shows the item again from the start.
    Looped {
        /// When the new round began.
        start: MediaTime,
    },
    /// The slot has come to its end and holds its last frame because nothing was cued and it cannot loop in place.
    RanOut,
    /// The decoder nears its frame limit: the medium must be opened anew for its next showing.
    Worn,
    /// The slot gave up. If it was shown, its last picture stays on the screen.
    Failed(Failure),
}

/// What an opened medium is, in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// One picture, for as long as wanted.
    Still,
    /// A medium of known length (the video track's presentation, after the edit list).
    Timed(MediaTime),
    /// A medium whose length is not known, or a live stream.
    Endless,
}

/// How a slot can show its medium again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replayable {
    /// It goes on without a reload.
    InPlace,
    /// Only by opening it again, in the other slot.
    Reopen,
}

/// Why something could not be played, and what kind of fault it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The class of the fault.
    pub kind: FailureKind,
    /// What to tell people.
    pub message: String,
}

/// The class of a fault, as it stands in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureKind {
    /// The medium is not there or cannot be read.
    Missing,
    /// The medium is there, and is damaged or no medium.
    Corrupt,
    /// The medium is sound, but nothing here can decode it.
    Unsupported,
    /// The medium's SHA-256 is not the one that the playlist asks for.
    Hash,
    /// No frame came in time.
    Stalled,
    /// A network source failed.
    Network,
}

/// When a showing begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cue {
    /// At the next vblank.
    Now,
    /// At this display time: the first vblank for which it is due.
    At(MediaTime),
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Open an item in a slot that is not shown, and preroll it.
    Load {
        /// The slot's screen.
        screen: ScreenIndex,
        /// Which of the two.
        slot: SlotId,
        /// The opening's number.
        load: LoadId,
        /// Where the item stands.
        position: Position,
        /// What to open.
        item: Arc<Item>,
    },
    /// Show a slot that is ready, from its first frame. `length` is how long it lasts, if known.
    Show {
        /// The slot's screen.
        screen: ScreenIndex,
        /// Which of the two.
        slot: SlotId,
        /// The opening's number.
        load: LoadId,
        /// When.
        cue: Cue,
        /// The showing's length, if known.
        length: Option<MediaTime>,
    },
    /// Show the slot that is shown again, from its first frame, in place: no reload, nothing between.
    Replay {
        /// The slot's screen.
        screen: ScreenIndex,
        /// Which of the two.
        slot: SlotId,
        /// The opening's number.
        load: LoadId,
        /// When.
        cue: Cue,
        /// The showing's length, if known.
        length: Option<MediaTime>,
    },
    /// Hold the last frame when the showing ends: nothing follows until told.
    Hold {
        /// The screen.
        screen: ScreenIndex,
    },
    /// Take back a [`Output::Show`], [`Output::Replay`] or [`Output::Hold`] that has not happened yet; one that has
    /// happened meanwhile stays. There is at most one of the three outstanding a screen.
    Uncue {
        /// The screen.
        screen: ScreenIndex,
    },
    /// Close what a slot holds. Every load is closed by exactly one of these, one that failed too.
    Unload {
        /// The slot's screen.
        screen: ScreenIndex,
        /// Which of the two.
        slot: SlotId,
        /// The opening's number.
        load: LoadId,
    },
    /// Show a card instead of media, until the next [`Output::Show`] happens.
    Card {
        /// The screen.
        screen: ScreenIndex,
        /// Which card.
        card: Card,
    },
    /// Stand still on all screens.
    Pause,
    /// Go on after a pause: every start and cue moves by the time that the pause took.
    Resume,
    /// The rounds asked for are over: end at this display time, which is the end of the last item. It may be told
    /// again with another time, which replaces the one before; [`MediaTime::MAX`] takes it back.
    Finish {
        /// The end.
        at: MediaTime,
    },
    /// Call back with [`Input::Timer`] at this display time, or earlier: replaces what was asked for before.
    WakeAt(Option<MediaTime>),
    /// Something to tell: for the log and the counters.
    Report(Report),
}

/// What stands on a screen that shows no item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Card {
    /// Nothing is playing, and nothing was asked for.
    Idle,
    /// No item of the playlist can be played.
    AllFailed,
}

/// Something worth telling.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// An item begins on a screen.
    Began {
        /// The screen.
        screen: ScreenIndex,
        /// The slot that shows it.
        slot: SlotId,
        /// Where the item stands.
        position: Position,
        /// The item.
        item: Arc<Item>,
        /// Whether it is the item that was shown, again in place.
        replay: bool,
        /// When it began.
        at: MediaTime,
    },
    /// The item that is shown is opened again, since it cannot be replayed in place.
    Reopened {
        /// The screen.
        screen: ScreenIndex,
        /// Where the item stands.
        position: Position,
    },
    /// The track's last item has ended ("no more items in current track").
    TrackEnded {
        /// The screen.
        screen: ScreenIndex,
        /// Where the track stood.
        position: Position,
    },
    /// The playlist's last montage has ended, this often.
    RoundEnded {
        /// Rounds so far.
        rounds: u64,
    },
    /// An item could not be played.
    Failed {
        /// The screen.
        screen: ScreenIndex,
        /// Where the item stands.
        position: Position,
        /// The item.
        item: Arc<Item>,
        /// Why.
        failure: Failure,
    },
    /// A track belongs to no screen of this box and is not played; told once a playlist.
    TrackWithoutScreen {
        /// Where the track stands (its first item).
        position: Position,
    },
}

/// Why a command cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    /// There is no playlist, or none of its tracks is for this box.
    #[error(
        "there is nothing to play: no playlist with a track for a screen of this box is loaded"
    )]
    NoPlaylist,
    /// The command needs something that plays.
    #[error("nothing is playing: start with \"play\" or go to a position")]
    NotPlaying,
    /// The position does not exist.
    #[error("there is no position {position}: {exists}")]
    NoPosition {
        /// What was asked for.
        position: Position,
        /// What there is instead, in words.
        exists: String,
    },
    /// The position is on a track that no screen of this box plays.
    #[error("no screen of this box plays the track of {position}: the tracks of montage M{} that are played here: {screens}", position.montage)]
    NoScreen {
        /// What was asked for.
        position: Position,
        /// The tracks that are played here, in words.
        screens: String,
    },
}
