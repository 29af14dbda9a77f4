//! The arguments of museboxd.

use std::{num::NonZeroU64, path::PathBuf};

use clap::{
    CommandFactory, Parser, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
    error::ErrorKind,
};

use crate::domain::{
    config::{BadDisplayKind, DisplayKind, HouseUrl, ScreenSettings, Settings},
    ids::ScreenName,
    units::{MediaTime, Mode},
};

/// Play art and signage without a gap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Parser)]
#[command(name = "museboxd", version)]
#[command(
    after_long_help = "Exit status: 0 a clean end, 1 a failure while running, 2 a bad argument, configuration or playlist.\n\nSIGHUP reads the configuration again, SIGTERM and SIGINT end."
)]
pub struct Args {
    /// Read FILE and FILE.d/*.toml instead of /etc/musebox/musebox.toml and musebox.toml.d/*.toml.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Play this playlist, and start at once.
    #[arg(long, value_name = "FILE")]
    pub playlist: Option<PathBuf>,
    /// Which display to play on: the kernel's, one in memory, or the kernel's where there is one.
    #[arg(long, value_name = "KIND", value_parser = display_kinds())]
    pub display: Option<DisplayKind>,
    /// The display's mode, as in 1920x1080@60 or 1280x720@59.94.
    #[arg(long, value_name = "MODE")]
    pub mode: Option<Mode>,
    /// How display time goes: in real time, or in lockstep, standing still while a due frame is awaited.
    #[arg(long, value_name = "PACE", value_enum, default_value_t)]
    pub pace: Pace,
    /// Write the picture of every vblank of the virtual display as YUV4MPEG2; - is standard output.
    #[arg(long, value_name = "FILE.y4m")]
    pub capture: Option<PathBuf>,
    /// Write the sound to a WAV file, instead of playing it.
    #[arg(long, value_name = "FILE.wav")]
    pub capture_audio: Option<PathBuf>,
    /// End after this much display time, as in 500ms, 20s, 5m, 2h or 1h30m.
    #[arg(long, value_name = "TIME", value_parser = read_duration)]
    pub duration: Option<MediaTime>,
    /// Show the playlist this often, then end.
    #[arg(long, value_name = "N")]
    pub rounds: Option<NonZeroU64>,
    /// Write the report (docs/schema/status.schema.json) here at the end.
    #[arg(long, value_name = "FILE.json")]
    pub report: Option<PathBuf>,
    /// The control socket [default: /run/musebox/control.sock, or below $XDG_RUNTIME_DIR when not root].
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// The house that steers this box, as in https://gallery.example:8443.
    #[arg(long, value_name = "URL")]
    pub house: Option<HouseUrl>,
    /// The folder for what must outlive a restart [default: /var/lib/musebox, or below $XDG_STATE_HOME when not root].
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// The name of a screen of this box; once for each, in order.
    #[arg(long, value_name = "NAME", value_parser = read_screen)]
    pub screen: Vec<ScreenName>,
}

/// How display time goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, ValueEnum)]
pub enum Pace {
    /// As the clock does.
    #[default]
    Real,
    /// It stands still while a due frame is awaited.
    Lockstep,
}

impl Args {
    /// The arguments of this process; where they make no sense, says so and ends with status 2.
    pub fn of_process() -> Self {
        Self::parse().checked().unwrap_or_else(|error| error.exit())
    }

    /// The arguments, if they can be had together.
    pub fn checked(self) -> Result<Self, clap::Error> {
        let conflict = |text: String| Err(Self::command().error(ErrorKind::ArgumentConflict, text));
        if self.display == Some(DisplayKind::Kms)
            && let Some(option) = self.virtual_only()
        {
            return conflict(format!(
                "{option} is for the virtual display: leave out --display kms or {option}"
            ));
        }
        let mut names = self.screen.iter();
        while let Some(name) = names.next() {
            if names.clone().any(|other| other == name) {
                return conflict(format!(
                    "two screens are called \"{name}\": give each a name of its own"
                ));
            }
        }
        Ok(self)
    }

    /// The settings with what the arguments say laid over them. `--playlist` also starts it; what only the virtual
    /// display can do chooses that display where the choice is left open.
    pub fn over(&self, settings: Settings) -> Settings {
        let mut settings = settings;
        if let Some(playlist) = &self.playlist {
            settings.playlist = Some(playlist.clone());
            settings.autostart_playlist = true;
        }
        if let Some(kind) = self.display {
            settings.display.kind = kind;
        }
        if settings.display.kind == DisplayKind::Auto && self.virtual_only().is_some() {
            settings.display.kind = DisplayKind::Virtual;
        }
        settings.display.mode = self.mode.or(settings.display.mode);
        if let Some(socket) = &self.socket {
            settings.control.socket = socket.clone();
        }
        settings.house.url = self.house.clone().or(settings.house.url);
        if let Some(folder) = &self.state {
            settings.state_dir = folder.clone();
        }
        if !self.screen.is_empty() {
            let named = self.screen.iter().cloned().map(ScreenSettings::named);
            settings.screens = named.collect();
        }
        settings
    }

    /// The option given, if any, that only the virtual display can do.
    pub fn virtual_only(&self) -> Option<&'static str> {
        match (&self.capture, self.pace) {
            (Some(_), _) => Some("--capture"),
            (None, Pace::Lockstep) => Some("--pace lockstep"),
            (None, Pace::Real) => None,
        }
    }
}

fn display_kinds() -> impl TypedValueParser<Value = DisplayKind> {
    PossibleValuesParser::new(["auto", "kms", "virtual"])
        .try_map(|kind| kind.parse::<DisplayKind>() as Result<_, BadDisplayKind>)
}

fn read_screen(text: &str) -> Result<ScreenName, String> {
    match text.trim().is_empty() {
        true => Err("a screen's name is empty".to_owned()),
        false => Ok(ScreenName::new(text)),
    }
}

/// Reads numbers with units, largest first or not: `500ms`, `1.5s`, `1h30m`.
fn read_duration(text: &str) -> Result<MediaTime, String> {
    let bad = || "write a number and ms, s, m or h, as in 20s or 1h30m".to_owned();
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(bad)?;
        let (number, after) = rest.split_at(digits);
        let letters = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let number: f64 = number.parse().map_err(|_| bad())?;
        seconds += number
            * match unit {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return Err(bad()),
            };
        rest = after;
    }
    let nanos = (seconds * 1e9).round();
    match nanos >= 1.0 && nanos < i64::MAX as f64 {
        true => Ok(MediaTime::from_nanos(nanos as i64)),
        false => Err("the time must be longer than nothing and shorter than 292 years".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::config::{Defaults, Input};

    fn read(words: &[&str]) -> Result<Args, clap::Error> {
        let words = ["museboxd"].iter().chain(words);
        Args::try_parse_from(words).and_then(Args::checked)
    }

    fn settings() -> Settings {
        Input::default().settings(Defaults {
            name: "box".to_owned(),
            socket: "/run/musebox/control.sock".into(),
            state_dir: "/var/lib/musebox".into(),
        })
    }

    #[test]
    fn the_arguments_are_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_option_arrives() {
        let args = read(&[
            "--config=/c.toml",
            "--playlist=/p.json",
            "--display=virtual",
            "--mode=1280x720@59.94",
            "--pace=lockstep",
            "--capture=-",
            "--capture-audio=/a.wav",
            "--duration=20s",
            "--rounds=3",
            "--report=/r.json",
            "--socket=/s.sock",
            "--house=gallery.example",
            "--state=/st",
            "--screen=left",
            "--screen=right",
        ])
        .expect("good arguments");
        let expected = Args {
            config: Some("/c.toml".into()),
            playlist: Some("/p.json".into()),
            display: Some(DisplayKind::Virtual),
            mode: "1280x720@59.94".parse().ok(),
            pace: Pace::Lockstep,
            capture: Some("-".into()),
            capture_audio: Some("/a.wav".into()),
            duration: Some(MediaTime::from_seconds(20)),
            rounds: NonZeroU64::new(3),
            report: Some("/r.json".into()),
            socket: Some("/s.sock".into()),
            house: "https://gallery.example".parse().ok(),
            state: Some("/st".into()),
            screen: vec![ScreenName::new("left"), ScreenName::new("right")],
        };
        assert_eq!(args, expected);

        let over = args.over(settings());
        assert_eq!(over.playlist, Some("/p.json".into()));
        assert!(over.autostart_playlist, "--playlist starts");
        assert_eq!(over.display.mode, args.mode);
        assert_eq!(over.control.socket, PathBuf::from("/s.sock"));
        assert_eq!(over.house.url, args.house);
        assert_eq!(over.state_dir, PathBuf::from("/st"));
        assert_eq!(over.screen_names(), args.screen);
    }

    #[test]
    fn no_argument_changes_no_setting() {
        let args = read(&[]).expect("no arguments");
        assert_eq!(args, Args::default());
        assert_eq!(args.over(settings()), settings());
    }

    #[test]
    fn captures_choose_the_virtual_display_where_the_choice_is_open() {
        for words in [["--capture=x.y4m"], ["--pace=lockstep"]] {
            let args = read(&words).expect("good arguments");
            assert_eq!(args.over(settings()).display.kind, DisplayKind::Virtual);
            let error = read(&["--display=kms", words[0]]).expect_err("a conflict");
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains("--display kms"), "{error}");
        }
    }

    #[test]
    fn bad_arguments_end_with_status_2_and_say_why() {
        for (words, says) in [
            (&["--mode=big"][..], "1920x1080@60"),
            (&["--display=x11"], "virtual"),
            (&["--pace=fast"], "lockstep"),
            (&["--duration=20"], "20s"),
            (&["--rounds=0"], "--rounds"),
            (&["--screen="], "empty"),
            (&["--house=http://10.0.0.7"], "https://"),
            (
                &["--screen=a", "--screen=b", "--screen=a"],
                "name of its own",
            ),
            (&["--colour"], "--colour"),
            (&["file.json"], "file.json"),
        ] {
            let error = read(words).expect_err("bad arguments");
            assert_eq!(error.exit_code(), 2, "{words:?}");
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn durations_read_as_written() {
        for (text, ms) in [
            ("500ms", 500),
            ("20s", 20_000),
            ("1.5s", 1500),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("1h30m", 5_400_000),
            ("0.1s", 100),
        ] {
            assert_eq!(
                read_duration(text),
                Ok(MediaTime::from_millis(ms)),
                "{text}"
            );
        }
        for bad in [
            "",
            "20",
            "s",
            "-3s",
            "0s",
            "1e9s",
            "3 s",
            "3d",
            "1..2s",
            "99999999999h",
            "é",
        ] {
            assert!(read_duration(bad).is_err(), "{bad}");
        }
    }
}
