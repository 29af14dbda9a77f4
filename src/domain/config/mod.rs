//! The configuration: TOML texts into settings.
//!
//! Three steps, each a type: every file is a [`Fragment`] (all keys optional, unknown ones refused), the fragments
//! laid over each other in order are the [`Input`], and the input with the defaults is the [`Settings`].
//! `docs/configuration.md` says what each key means; `tests/config_doc.rs` holds the two together.
//!
//! Deliberately absent: finding and reading the files (`os::config_files` does), and the command line.

mod fragment;
mod house_url;
mod input;
mod keys;
mod settings;
mod values;

pub use fragment::{
    AudioFragment, ConfigError, ConfigText, ControlFragment, DecoderFragment, DisplayFragment,
    Fragment, HouseFragment, LogFragment, ScreenFragment, StateFragment,
};
pub use house_url::{BadHouseUrl, HouseUrl, Wire};
pub use input::Input;
pub use keys::{KEYS, Key};
pub use settings::{
    AudioSettings, ControlSettings, DecoderSettings, Defaults, DisplaySettings, HouseSettings,
    ScreenSettings, Settings,
};
pub use values::{
    BadCec, BadDisplayKind, Cec, Color, DisplayKind, FrameLimit, Hardware, HttpAddress, LogLevel,
    OnExit, Path, Volume,
};
