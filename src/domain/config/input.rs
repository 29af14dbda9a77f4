//! All configuration files together.

use crate::domain::config::fragment::{
    AudioFragment, ConfigError, ConfigText, ControlFragment, DecoderFragment, DisplayFragment,
    Fragment, HouseFragment, LogFragment, StateFragment,
};

/// What all files say together: of two that give the same key, the later one counts. Lists are replaced as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Input(pub(super) Fragment);

impl Input {
    /// Reads the files in their order; no file at all is no error.
    pub fn read(files: &[ConfigText]) -> Result<Self, ConfigError> {
        files.iter().try_fold(Self::default(), |input, file| {
            Ok(input.overlaid(Fragment::read(file)?))
        })
    }

    /// The input with what a later file says laid over it.
    pub fn overlaid(self, later: Fragment) -> Self {
        let Self(earlier) = self;
        // Written out in full, so that a new key cannot be forgotten.
        Self(Fragment {
            name: later.name.or(earlier.name),
            playlist: later.playlist.or(earlier.playlist),
            autostart_playlist: later.autostart_playlist.or(earlier.autostart_playlist),
            auto_advance: later.auto_advance.or(earlier.auto_advance),
            volume: later.volume.or(earlier.volume),
            mute: later.mute.or(earlier.mute),
            fit: later.fit.or(earlier.fit),
            background: later.background.or(earlier.background),
            display: DisplayFragment {
                kind: later.display.kind.or(earlier.display.kind),
                card: later.display.card.or(earlier.display.card),
                mode: later.display.mode.or(earlier.display.mode),
                on_exit: later.display.on_exit.or(earlier.display.on_exit),
                cec: later.display.cec.or(earlier.display.cec),
            },
            screen: later.screen.or(earlier.screen),
            decoder: DecoderFragment {
                prefer: later.decoder.prefer.or(earlier.decoder.prefer),
                avoid: later.decoder.avoid.or(earlier.decoder.avoid),
                hardware: later.decoder.hardware.or(earlier.decoder.hardware),
                frame_limit: later.decoder.frame_limit.or(earlier.decoder.frame_limit),
            },
            audio: AudioFragment {
                enabled: later.audio.enabled.or(earlier.audio.enabled),
                sink: later.audio.sink.or(earlier.audio.sink),
                device: later.audio.device.or(earlier.audio.device),
            },
            control: ControlFragment {
                socket: later.control.socket.or(earlier.control.socket),
                http: later.control.http.or(earlier.control.http),
            },
            house: HouseFragment {
                url: later.house.url.or(earlier.house.url),
                discover: later.house.discover.or(earlier.house.discover),
            },
            state: StateFragment {
                dir: later.state.dir.or(earlier.state.dir),
            },
            log: LogFragment {
                level: later.log.level.or(earlier.log.level),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_files_win_key_by_key() {
        let file = |path: &str, text: &str| ConfigText {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let input = Input::read(&[
            file(
                "/e/a.toml",
                "name = \"a\"\nvolume = 0.5\n[decoder]\nprefer = [\"x\", \"y\"]\navoid = [\"z\"]",
            ),
            file("/e/d/b.toml", "volume = 0.25\n[decoder]\nprefer = [\"w\"]"),
        ])
        .expect("good files");
        assert_eq!(input.0.name.as_deref(), Some("a"));
        assert_eq!(input.0.volume.map(|volume| volume.get()), Some(0.25));
        assert_eq!(input.0.decoder.prefer, Some(vec!["w".to_owned()]));
        assert_eq!(input.0.decoder.avoid, Some(vec!["z".to_owned()]));

        let error = Input::read(&[file("/e/a.toml", ""), file("/e/d/b.toml", "x = 1")]);
        assert_eq!(error.expect_err("an unknown key").path, "/e/d/b.toml");
        assert_eq!(Input::read(&[]), Ok(Input::default()));
    }
}
