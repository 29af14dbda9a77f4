//! The report of a box: what `museboxctl status --json` prints and `museboxd --report` writes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{
    config::{Settings, Volume},
    fit::Fit,
    ids::{ItemId, PlaylistId, Position, ScreenName, SlotId},
    playlist::{Item, MediaKind},
    protocol::pairing::HouseStatus,
    sequencer::FailureKind,
    units::{MediaTime, Mode},
};

/// How a box is, and what it has done since it started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The version of musebox.
    pub version: String,
    /// What people call the box.
    pub name: String,
    /// Milliseconds since the daemon began.
    pub uptime_ms: u64,
    /// What the box does.
    pub state: State,
    /// The playlist, if there is one.
    pub playlist: Option<PlaylistStatus>,
    /// What the first screen shows; nothing where it shows no item.
    pub position: Option<Position>,
    /// The item there.
    pub item: Option<ItemStatus>,
    /// Every screen, in order.
    pub screens: Vec<ScreenStatus>,
    /// The display and its counters.
    pub display: DisplayStatus,
    /// The sound.
    pub audio: AudioStatus,
    /// How often an item began, replays included.
    pub items_shown: u64,
    /// How often an item was shown again in place.
    pub replays: u64,
    /// How often a medium was opened again to be shown again.
    pub reloads: u64,
    /// How often the playlist came to its end.
    pub rounds: u64,
    /// What could not be played, each medium and class of fault once.
    pub errors: Vec<ErrorStatus>,
    /// The settings that can change while playing.
    pub settings: SettingsStatus,
    /// How it stands with the house; nothing where there is none in question.
    pub house: Option<HouseStatus>,
    /// Lockstep only: how often display time stood still for a frame.
    pub lockstep_waits: u64,
    /// Lockstep only: the longest such wait, in milliseconds of wall time.
    pub max_wait_ms: u64,
}

/// What a box does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It waits, and shows its card.
    #[default]
    Idle,
    /// It plays.
    Playing,
    /// It stands still on a picture.
    Paused,
    /// The display is off by schedule.
    Standby,
    /// No item of the playlist can be played.
    Failed,
}

impl State {
    /// What people are told.
    pub fn word(self) -> &'static str {
        match self {
            State::Idle => "idle",
            State::Playing => "playing",
            State::Paused => "paused",
            State::Standby => "on standby",
            State::Failed => "failing: no item can be played",
        }
    }
}

/// A playlist's names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaylistStatus {
    /// Its id.
    pub id: PlaylistId,
    /// What people call it.
    pub name: String,
}

/// An item that is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemStatus {
    /// Its id.
    pub id: ItemId,
    /// Where the medium is.
    pub src: String,
    /// What it holds.
    pub kind: MediaKind,
    /// What people call it.
    pub title: Option<String>,
    /// How long one showing lasts, in milliseconds; nothing where that is not known or has no end.
    pub duration_ms: Option<u64>,
}

impl ItemStatus {
    /// An item whose one showing lasts `length`, if that is known.
    pub fn new(item: &Item, length: Option<MediaTime>) -> Self {
        Self {
            id: item.id.clone(),
            src: item.src.clone(),
            kind: item.kind(),
            title: item.title.clone(),
            duration_ms: length.and_then(|length| u64::try_from(length.whole_millis()).ok()),
        }
    }
}

/// A screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenStatus {
    /// Its name.
    pub name: ScreenName,
    /// Its mode; nothing while it is not connected.
    pub mode: Option<Mode>,
    /// What it shows; nothing where it shows no item.
    pub position: Option<Position>,
    /// The item there.
    pub item: Option<ItemStatus>,
    /// Its two decode chains.
    pub slots: Vec<SlotStatus>,
}

/// A decode chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotStatus {
    /// Which of the two.
    pub slot: SlotId,
    /// What it does.
    pub state: SlotState,
    /// The id of the item in it.
    pub item: Option<ItemId>,
    /// The GStreamer element that decodes.
    pub decoder: Option<String>,
    /// Where decoded frames lie.
    pub memory: MemoryKind,
    /// Why this decoder, or why it failed, in plain words.
    pub reason: Option<String>,
}

/// What a decode chain does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SlotState {
    /// Nothing is in it.
    #[default]
    Idle,
    /// It opens a medium.
    Prerolling,
    /// The first frame is there.
    Ready,
    /// It is shown.
    Playing,
    /// It was shown, and its frames are being let go.
    Draining,
    /// It gave up.
    Failed,
}

/// Where decoded frames lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemoryKind {
    /// There are none.
    #[default]
    None,
    /// In the machine's memory: shown after a copy.
    System,
    /// In the decoder's memory: shown without a copy.
    Dmabuf,
}

/// Which display is really used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DisplayDriver {
    /// The kernel's.
    Kms,
    /// The one in memory.
    Virtual,
}

/// Whether screens are switched on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Power {
    /// They show the picture.
    #[default]
    On,
    /// They get no signal.
    Off,
}

impl Power {
    /// As people write it.
    pub fn word(self) -> &'static str {
        match self {
            Power::On => "on",
            Power::Off => "off",
        }
    }
}

/// What is known of a television.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TvPower {
    /// It says that it is on.
    On,
    /// It says that it is in standby.
    Standby,
    /// It does not say.
    #[default]
    Unknown,
}

impl TvPower {
    /// As people write it.
    pub fn word(self) -> &'static str {
        match self {
            TvPower::On => "on",
            TvPower::Standby => "in standby",
            TvPower::Unknown => "not known to be on or off",
        }
    }
}

/// The television that is reached over HDMI (CEC).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TvStatus {
    /// The CEC adapter's device node.
    pub adapter: String,
    /// What is known of it.
    pub power: TvPower,
}

/// How decoded frames came to be what the display scans out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiesStatus {
    /// Shown from the decoder's own memory, without a copy.
    pub imported: u64,
    /// Copied as they are.
    pub copied: u64,
    /// Scaled or converted by the CPU.
    pub composed: u64,
}

/// How long the presenter takes from waking at a vblank to the end of its commit, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitStatus {
    /// Half of all commits are no slower.
    pub median_us: u64,
    /// Of a thousand commits, one is slower.
    pub p999_us: u64,
    /// The slowest.
    pub max_us: u64,
}

/// The display and its counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisplayStatus {
    /// Which display.
    pub kind: DisplayDriver,
    /// The device node of its card; nothing where there is none.
    pub card: Option<String>,
    /// The first screen's mode; nothing while that is not connected.
    pub mode: Option<Mode>,
    /// Whether the screens are switched on.
    pub power: Power,
    /// The television; nothing where the box has no CEC adapter.
    pub tv: Option<TvStatus>,
    /// Whether the counters are estimated, since the device has no real vblanks.
    pub estimated: bool,
    /// Vblanks that brought a frame of an item to the screen.
    pub presented: u64,
    /// Frames shown after their time.
    pub late: u64,
    /// Frames never shown.
    pub dropped: u64,
    /// Vblanks that showed a frame once more than its share.
    pub repeated: u64,
    /// Vblanks for which no due frame was there.
    pub starved: u64,
    /// Vblanks that the kernel counted and the presenter never saw.
    pub missed_vblanks: u64,
    /// How frames came to the screen; always 0 on the virtual display.
    pub copies: CopiesStatus,
    /// How quickly the presenter commits.
    pub commit: CommitStatus,
}

/// The sound.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AudioStatus {
    /// The device; nothing where there is none.
    pub device: Option<String>,
    /// How far the sound is behind the picture, in milliseconds (ahead of it: negative); nothing where not measured.
    pub av_offset_ms: Option<f64>,
}

/// A medium that could not be played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorStatus {
    /// The item's id.
    pub item: ItemId,
    /// Where the medium is.
    pub src: String,
    /// The class of the fault.
    pub kind: ErrorKind,
    /// What happened last, in plain words.
    pub message: String,
    /// How often.
    pub count: u64,
}

/// The class of a fault.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ErrorKind {
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

impl From<FailureKind> for ErrorKind {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Missing => ErrorKind::Missing,
            FailureKind::Corrupt => ErrorKind::Corrupt,
            FailureKind::Unsupported => ErrorKind::Unsupported,
            FailureKind::Hash => ErrorKind::Hash,
            FailureKind::Stalled => ErrorKind::Stalled,
            FailureKind::Network => ErrorKind::Network,
        }
    }
}

/// The settings that can change while playing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingsStatus {
    /// Whether playback starts by itself.
    pub autostart_playlist: bool,
    /// Whether an item that ended is followed by the next.
    pub auto_advance: bool,
    /// How loud.
    pub volume: Volume,
    /// Whether the sound is off.
    pub mute: bool,
    /// How pictures of another shape are laid onto the screen.
    pub fit: Fit,
}

impl From<&Settings> for SettingsStatus {
    fn from(settings: &Settings) -> Self {
        Self {
            autostart_playlist: settings.autostart_playlist,
            auto_advance: settings.auto_advance,
            volume: settings.volume,
            mute: settings.mute,
            fit: settings.fit,
        }
    }
}

impl Status {
    /// The report of a box that has just started and done nothing yet. `modes` are those of the screens that are connected,
    /// in their order.
    pub fn new(
        version: impl Into<String>,
        settings: &Settings,
        driver: DisplayDriver,
        modes: &[Option<Mode>],
    ) -> Self {
        let slot = |slot| SlotStatus {
            slot,
            state: SlotState::default(),
            item: None,
            decoder: None,
            memory: MemoryKind::default(),
            reason: None,
        };
        let mode = |number: usize| modes.get(number).copied().flatten();
        let screen = |(number, name): (usize, &ScreenName)| ScreenStatus {
            name: name.clone(),
            mode: mode(number),
            position: None,
            item: None,
            slots: SlotId::BOTH.map(slot).into(),
        };
        Self {
            version: version.into(),
            name: settings.name.clone(),
            uptime_ms: 0,
            state: State::default(),
            playlist: None,
            position: None,
            item: None,
            screens: settings
                .screen_names()
                .iter()
                .enumerate()
                .map(screen)
                .collect(),
            display: DisplayStatus {
                kind: driver,
                card: None,
                mode: mode(0),
                power: Power::On,
                tv: None,
                estimated: false,
                presented: 0,
                late: 0,
                dropped: 0,
                repeated: 0,
                starved: 0,
                missed_vblanks: 0,
                copies: CopiesStatus::default(),
                commit: CommitStatus::default(),
            },
            audio: AudioStatus::default(),
            items_shown: 0,
            replays: 0,
            reloads: 0,
            rounds: 0,
            errors: Vec::new(),
            settings: settings.into(),
            house: None,
            lockstep_waits: 0,
            max_wait_ms: 0,
        }
    }
}
