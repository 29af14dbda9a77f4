//! One configuration file: every key optional, unknown ones refused.

use serde::{Deserialize, Deserializer, Serialize, de};
use thiserror::Error;

use crate::domain::fit::Fit;
use crate::domain::{
    config::{
        house_url::HouseUrl,
        values::{
            Cec, Color, DisplayKind, FrameLimit, Hardware, HttpAddress, LogLevel, OnExit, Path,
            Volume,
        },
    },
    ids::ScreenName,
    units::Mode,
};

/// The text of one configuration file, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigText {
    /// The file's path, for messages and as the home of relative paths in it.
    pub path: String,
    /// What stands in it.
    pub text: String,
}

/// A configuration file that cannot be used, with the place and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path}{}{}: {message}", line.map(|line| format!(":{line}")).unwrap_or_default(),
    match key.is_empty() { true => String::new(), false => format!(": {key}") })]
pub struct ConfigError {
    /// The file.
    pub path: String,
    /// The line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// The key, as in `display.mode`; empty for the file as a whole.
    pub key: String,
    /// What is wrong there, and what to do.
    pub message: String,
}

/// What one file says. The keys are described in `docs/configuration.md`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // docs/configuration.md describes every key, and a test sees to it.
pub struct Fragment {
    #[serde(deserialize_with = "filled")]
    #[serde(default)]
    pub name: Option<String>,
    pub playlist: Option<Path>,
    pub autostart_playlist: Option<bool>,
    pub auto_advance: Option<bool>,
    pub volume: Option<Volume>,
    pub mute: Option<bool>,
    pub fit: Option<Fit>,
    pub background: Option<Color>,
    #[serde(default)]
    pub display: DisplayFragment,
    #[serde(default, deserialize_with = "screens")]
    pub screen: Option<Vec<ScreenFragment>>,
    #[serde(default)]
    pub decoder: DecoderFragment,
    #[serde(default)]
    pub audio: AudioFragment,
    #[serde(default)]
    pub control: ControlFragment,
    #[serde(default)]
    pub house: HouseFragment,
    #[serde(default)]
    pub state: StateFragment,
    #[serde(default)]
    pub log: LogFragment,
}

/// `[display]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct DisplayFragment {
    pub kind: Option<DisplayKind>,
    pub card: Option<Path>,
    pub mode: Option<Mode>,
    pub on_exit: Option<OnExit>,
    pub cec: Option<Cec>,
}

/// One `[[screen]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ScreenFragment {
    pub name: ScreenName,
    #[serde(default, deserialize_with = "filled")]
    pub connector: Option<String>,
    pub mode: Option<Mode>,
}

/// `[decoder]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct DecoderFragment {
    pub prefer: Option<Vec<String>>,
    pub avoid: Option<Vec<String>>,
    pub hardware: Option<Hardware>,
    pub frame_limit: Option<FrameLimit>,
}

/// `[audio]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct AudioFragment {
    pub enabled: Option<bool>,
    #[serde(default, deserialize_with = "filled")]
    pub sink: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    pub device: Option<String>,
}

/// `[control]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ControlFragment {
    pub socket: Option<Path>,
    pub http: Option<HttpAddress>,
}

/// `[house]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct HouseFragment {
    pub url: Option<HouseUrl>,
    pub discover: Option<bool>,
}

/// `[state]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct StateFragment {
    pub dir: Option<Path>,
}

/// `[log]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct LogFragment {
    pub level: Option<LogLevel>,
}

impl Fragment {
    /// Reads one file. Relative paths in it become relative to the file's folder.
    pub fn read(file: &ConfigText) -> Result<Self, ConfigError> {
        let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
        let fail = |key: String, error: &toml::de::Error| ConfigError {
            path: file.path.clone(),
            line: error.span().map(|span| line_of(text, span.start)),
            key,
            message: advice(error.message()),
        };
        let reader =
            toml::Deserializer::parse(text).map_err(|error| fail(String::new(), &error))?;
        let fragment: Self = serde_path_to_error::deserialize(reader).map_err(|error| {
            let key = error.path().to_string();
            fail(key.trim_end_matches(['?', '.']).to_owned(), error.inner())
        })?;
        let folder = file
            .path
            .rsplit_once('/')
            .map_or("", |(folder, _)| match folder {
                "" => "/",
                folder => folder,
            });
        Ok(fragment.within(folder))
    }

    fn within(mut self, folder: &str) -> Self {
        for path in [
            &mut self.playlist,
            &mut self.control.socket,
            &mut self.state.dir,
        ] {
            *path = path.take().map(|path| path.within(folder));
        }
        self
    }
}

/// The line, counted from 1, that holds the byte `offset`.
fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    1 + before.filter(|byte| **byte == b'\n').count()
}

/// The reader's message on one line, and what to do where it only says what is wrong.
fn advice(message: &str) -> String {
    let message = message.trim().replace('\n', ", ");
    match message.split(' ').next().unwrap_or_default() {
        "unknown" => format!("{message}: correct its spelling or remove it"),
        "missing" => format!("{message}: add it"),
        "duplicate" => format!("{message}: remove all but one"),
        _ => message,
    }
}

/// A text with something in it.
fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.trim().is_empty() {
        true => Err(de::Error::custom(
            "the text is empty: write one, or leave the key out",
        )),
        false => Ok(Some(text)),
    }
}

/// At least one screen, each with a name of its own.
fn screens<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<ScreenFragment>>, D::Error> {
    let screens = Vec::<ScreenFragment>::deserialize(deserializer)?;
    if screens.is_empty() {
        return Err(de::Error::custom(
            "there is no screen: name one, or leave the key out",
        ));
    }
    for (number, screen) in screens.iter().enumerate() {
        let name = screen.name.as_str();
        if name.trim().is_empty() {
            return Err(de::Error::custom("a screen's name is empty: write one"));
        }
        if screens
            .iter()
            .take(number)
            .any(|other| other.name == screen.name)
        {
            return Err(de::Error::custom(format!(
                "two screens are called \"{name}\": give each a name of its own"
            )));
        }
    }
    Ok(Some(screens))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Fragment, ConfigError> {
        Fragment::read(&ConfigText {
            path: "/etc/musebox/musebox.toml".to_owned(),
            text: text.to_owned(),
        })
    }

    #[test]
    fn errors_name_file_line_key_and_remedy() {
        for (text, line, key, words) in [
            (
                "name = \"x\"\nvolume = 1.5",
                2,
                "volume",
                "0.0 (silence) to 1.0",
            ),
            ("volume = \"loud\"", 1, "volume", "invalid type"),
            (
                "\n\n[display]\nmode = \"big\"",
                4,
                "display.mode",
                "1920x1080@60",
            ),
            (
                "[display]\nkind = \"x11\"",
                2,
                "display.kind",
                "auto, kms or virtual",
            ),
            (
                "[display]\nsize = 3",
                2,
                "display.size",
                "correct its spelling",
            ),
            ("volum = 1", 1, "volum", "correct its spelling"),
            ("fit = \"zoom\"", 1, "fit", "`contain`, `cover`, `stretch`"),
            ("background = \"red\"", 1, "background", "#102030"),
            ("playlist = \"\"", 1, "playlist", "leave the key out"),
            ("name = \" \"", 1, "name", "leave the key out"),
            (
                "[control]\nhttp = \"0.0.0.0:80\"",
                2,
                "control.http",
                "127.0.0.1",
            ),
            (
                "[decoder]\nframe_limit = 3",
                2,
                "decoder.frame_limit",
                "from 100 on",
            ),
            (
                "[decoder]\nframe_limit = -3",
                2,
                "decoder.frame_limit",
                "from 100 on",
            ),
            (
                "[decoder]\nprefer = \"x\"",
                2,
                "decoder.prefer",
                "expected a sequence",
            ),
            (
                "[[screen]]\nname = \"a\"\n[[screen]]\nname = \"a\"",
                1,
                "screen",
                "name of its own",
            ),
            ("[[screen]]\nname = \"\"", 1, "screen", "write one"),
            ("screen = []", 1, "screen", "leave the key out"),
            (
                "[[screen]]\n",
                1,
                "screen[0]",
                "missing field `name`: add it",
            ),
            (
                "[house]\nurl = \"http://10.0.0.7\"",
                2,
                "house.url",
                "write https://",
            ),
            ("[log]\nlevel = \"loud\"", 2, "log.level", "`info`"),
            ("mute = true\nmute = false", 2, "", "duplicate key"),
            ("volume = ", 1, "", "string values must be quoted"),
        ] {
            let error = read(text).expect_err(text);
            assert_eq!(
                (error.line, &*error.key),
                (Some(line), key),
                "{text}: {error}"
            );
            let whole = error.to_string();
            assert!(whole.contains(words), "{whole}");
            let place = format!("/etc/musebox/musebox.toml:{line}: ");
            assert!(whole.starts_with(&place), "{whole}");
            assert!(!whole.contains('\n'), "one line: {whole}");
        }
    }

    #[test]
    fn whole_numbers_are_volumes_too() {
        let fragment = read("volume = 1").expect("a fragment");
        assert_eq!(fragment.volume, Volume::new(1.0));
    }

    #[test]
    fn relative_paths_belong_to_the_file_s_folder() {
        let fragment = read("playlist = \"art.json\"\n[state]\ndir = \"/var/x\"").expect("good");
        let path = |path: Option<Path>| path.map(|path| path.as_str().to_owned());
        assert_eq!(
            path(fragment.playlist).as_deref(),
            Some("/etc/musebox/art.json")
        );
        assert_eq!(path(fragment.state.dir).as_deref(), Some("/var/x"));
    }
}
