//! The settings: every key has a value, and the value is valid.

use std::{net::SocketAddr, path::PathBuf};

use crate::domain::{
    config::{
        fragment::ScreenFragment,
        house_url::HouseUrl,
        input::Input,
        values::{Cec, Color, DisplayKind, FrameLimit, Hardware, LogLevel, OnExit, Volume},
    },
    fit::Fit,
    ids::ScreenName,
    units::{Mode, Rate, Size},
};

/// The defaults that depend on the machine and the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// The box's name: the host's.
    pub name: String,
    /// The control socket.
    pub socket: PathBuf,
    /// The folder for what must outlive a restart.
    pub state_dir: PathBuf,
}

/// All settings of a box.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What people call the box.
    pub name: String,
    /// The playlist's file, if there is one.
    pub playlist: Option<PathBuf>,
    /// Whether playback starts by itself.
    pub autostart_playlist: bool,
    /// Whether an item that ended is followed by the next; if not, its last frame stays until told.
    pub auto_advance: bool,
    /// How loud.
    pub volume: Volume,
    /// Whether the sound is off.
    pub mute: bool,
    /// How pictures of another shape are laid onto the screen.
    pub fit: Fit,
    /// The colour of what no picture covers.
    pub background: Color,
    /// The display.
    pub display: DisplaySettings,
    /// The screens, in order; never empty.
    pub screens: Vec<ScreenSettings>,
    /// The choice of decoders.
    pub decoder: DecoderSettings,
    /// The sound's way out.
    pub audio: AudioSettings,
    /// The ways in for commands and viewers.
    pub control: ControlSettings,
    /// The house that steers the box.
    pub house: HouseSettings,
    /// The folder for what must outlive a restart.
    pub state_dir: PathBuf,
    /// How much is logged.
    pub log_level: LogLevel,
}

/// The display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplaySettings {
    /// Which display.
    pub kind: DisplayKind,
    /// The device node of its card; nothing is the first with a screen.
    pub card: Option<PathBuf>,
    /// The mode asked for; nothing leaves it to the display.
    pub mode: Option<Mode>,
    /// What is left on the screen at the end.
    pub on_exit: OnExit,
    /// What switches the television.
    pub cec: Cec,
}

impl DisplaySettings {
    /// The mode asked for, or that of a display that has no wish of its own: 1920x1080@60.
    pub fn mode_or_default(&self) -> Mode {
        self.mode.unwrap_or(Mode {
            size: Size::new(1920, 1080),
            rate: Rate::hertz(60),
        })
    }
}

/// One screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScreenSettings {
    /// Its name, by which tracks name it.
    pub name: ScreenName,
    /// Where its cable goes in; nothing is the first free connector with a screen.
    pub connector: Option<String>,
    /// Its mode; nothing is the display's.
    pub mode: Option<Mode>,
}

impl ScreenSettings {
    /// A screen of this name, wherever it is connected.
    pub fn named(name: ScreenName) -> Self {
        Self {
            name,
            connector: None,
            mode: None,
        }
    }
}

/// The choice of decoders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecoderSettings {
    /// GStreamer elements to try first, in order.
    pub prefer: Vec<String>,
    /// GStreamer elements never to use.
    pub avoid: Vec<String>,
    /// Whether decoders in hardware are used.
    pub hardware: Hardware,
    /// After how many frames a decoder is replaced by a fresh one.
    pub frame_limit: FrameLimit,
}

/// The sound's way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioSettings {
    /// Whether sound is played at all.
    pub enabled: bool,
    /// The GStreamer description of the sink.
    pub sink: String,
    /// The sink's device, where it has that property.
    pub device: Option<String>,
}

/// The ways in for commands and viewers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlSettings {
    /// The control socket.
    pub socket: PathBuf,
    /// The live page's address, on this machine; nothing is no live page.
    pub http: Option<SocketAddr>,
}

/// The house that steers the box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HouseSettings {
    /// Where it is, if it is named.
    pub url: Option<HouseUrl>,
    /// Whether it is looked for on the network where none is named.
    pub discover: bool,
}

impl From<ScreenFragment> for ScreenSettings {
    fn from(screen: ScreenFragment) -> Self {
        Self {
            name: screen.name,
            connector: screen.connector,
            mode: screen.mode,
        }
    }
}

impl Settings {
    /// The screens' names, in order.
    pub fn screen_names(&self) -> Vec<ScreenName> {
        let screens = self.screens.iter();
        screens.map(|screen| screen.name.clone()).collect()
    }
}

impl Input {
    /// The settings: what the files say, and the defaults for the rest.
    pub fn settings(self, defaults: Defaults) -> Settings {
        let Self(input) = self;
        let screens = input.screen.unwrap_or_default();
        let screens: Vec<_> = screens.into_iter().map(ScreenSettings::from).collect();
        Settings {
            name: input.name.unwrap_or(defaults.name),
            playlist: input.playlist.map(|path| path.as_str().into()),
            autostart_playlist: input.autostart_playlist.unwrap_or(false),
            auto_advance: input.auto_advance.unwrap_or(true),
            volume: input.volume.unwrap_or(Volume::DEFAULT),
            mute: input.mute.unwrap_or(false),
            fit: input.fit.unwrap_or_default(),
            background: input.background.unwrap_or(Color::BLACK),
            display: DisplaySettings {
                kind: input.display.kind.unwrap_or_default(),
                card: input.display.card.map(|path| path.as_str().into()),
                mode: input.display.mode,
                on_exit: input.display.on_exit.unwrap_or_default(),
                cec: input.display.cec.unwrap_or_default(),
            },
            screens: match screens.is_empty() {
                true => vec![ScreenSettings::named(ScreenName::new("main"))],
                false => screens,
            },
            decoder: DecoderSettings {
                prefer: input.decoder.prefer.unwrap_or_default(),
                avoid: input.decoder.avoid.unwrap_or_default(),
                hardware: input.decoder.hardware.unwrap_or_default(),
                frame_limit: input.decoder.frame_limit.unwrap_or_default(),
            },
            audio: AudioSettings {
                enabled: input.audio.enabled.unwrap_or(true),
                sink: input.audio.sink.unwrap_or_else(|| "alsasink".to_owned()),
                device: input.audio.device,
            },
            control: ControlSettings {
                socket: match input.control.socket {
                    Some(path) => path.as_str().into(),
                    None => defaults.socket,
                },
                http: input.control.http.map(|address| address.get()),
            },
            house: HouseSettings {
                url: input.house.url,
                discover: input.house.discover.unwrap_or(true),
            },
            state_dir: match input.state.dir {
                Some(path) => path.as_str().into(),
                None => defaults.state_dir,
            },
            log_level: input.log.level.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::config::{ConfigText, KEYS};

    pub(super) fn defaults() -> Defaults {
        Defaults {
            name: "box".to_owned(),
            socket: "/run/musebox/control.sock".into(),
            state_dir: "/var/lib/musebox".into(),
        }
    }

    fn settings(text: &str) -> Settings {
        let file = ConfigText {
            path: "/etc/musebox/musebox.toml".to_owned(),
            text: text.to_owned(),
        };
        let input = Input::read(&[file]).expect(text);
        input.settings(defaults())
    }

    #[test]
    fn no_file_gives_the_defaults_of_the_documentation() {
        let plain = settings("");
        assert_eq!(plain.name, "box");
        assert_eq!(
            (plain.autostart_playlist, plain.auto_advance),
            (false, true)
        );
        assert_eq!((plain.volume.get(), plain.mute), (0.8, false));
        assert_eq!(plain.screen_names(), [ScreenName::new("main")]);
        assert_eq!(plain.display.mode_or_default().to_string(), "1920x1080@60");
        assert_eq!(plain.audio.sink, "alsasink");
        assert_eq!(plain.control.http, None);
    }

    #[test]
    fn writing_a_default_down_changes_nothing() {
        let mut written = 0;
        for key in KEYS {
            let Some(default) = key.default else {
                continue;
            };
            assert_eq!(settings(&key.line(default)), settings(""), "{}", key.path);
            written += 1;
        }
        assert!(
            written >= 15,
            "most keys have a default that can be written"
        );
    }

    #[test]
    fn every_key_arrives() {
        for key in KEYS {
            assert_ne!(
                settings(&key.line(key.example)),
                settings(""),
                "{} = {} is lost",
                key.path,
                key.example
            );
        }
    }
}
