//! What `museboxctl watch` prints, one JSON object a line, and what a command looks like.

use serde::{Deserialize, Serialize};

use crate::domain::{
    ids::{ItemId, Position, ScreenName},
    protocol::status::{ErrorKind, Power, SettingsStatus, State},
    sequencer::Command,
};

/// Something that happened on the box, as in `{"at_ms":20,"event":"state","state":"playing"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, in milliseconds since the daemon began.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// An item begins on a screen.
    ItemBegan {
        /// The screen.
        screen: ScreenName,
        /// Where the item stands.
        position: Position,
        /// The item's id.
        item: ItemId,
        /// What people call it.
        title: Option<String>,
        /// Whether it is the item that was shown, again in place.
        replay: bool,
    },
    /// An item could not be played.
    ItemFailed {
        /// The screen.
        screen: ScreenName,
        /// Where the item stands.
        position: Position,
        /// The item's id.
        item: ItemId,
        /// Where the medium is.
        src: String,
        /// The class of the fault.
        kind: ErrorKind,
        /// Why, in plain words.
        message: String,
    },
    /// The shown item is opened again, since it cannot be replayed in place.
    ItemReopened {
        /// The screen.
        screen: ScreenName,
        /// Where the item stands.
        position: Position,
    },
    /// A track's last item has ended.
    TrackEnded {
        /// The screen.
        screen: ScreenName,
        /// Where that item stood.
        position: Position,
    },
    /// The playlist's last montage has ended.
    RoundEnded {
        /// Rounds so far.
        rounds: u64,
    },
    /// The box entered a state.
    State {
        /// Which.
        state: State,
    },
    /// Settings were changed.
    Settings {
        /// All of them, as they are now.
        settings: SettingsStatus,
    },
    /// The reader was too slow, and events are missing here.
    Lagged {
        /// How many.
        missed: u64,
    },
}

/// A request to the box, as in `{"command":"goto","position":"M0T0I1"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase")]
pub enum WireCommand {
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
    /// Go to a position.
    Goto {
        /// Which.
        position: Position,
    },
    /// Begin the item that is shown again.
    Replay,
    /// Switch the screens on or off; what plays goes on.
    Display {
        /// Which of both.
        power: Power,
    },
}

impl WireCommand {
    /// What it orders the player's rules to do; nothing where it is not about playing.
    pub fn playing(self) -> Option<Command> {
        match self {
            WireCommand::Play => Some(Command::Play),
            WireCommand::Pause => Some(Command::Pause),
            WireCommand::Stop => Some(Command::Stop),
            WireCommand::Next => Some(Command::Next),
            WireCommand::Previous => Some(Command::Previous),
            WireCommand::Goto { position } => Some(Command::Goto(position)),
            WireCommand::Replay => Some(Command::Replay),
            WireCommand::Display { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{config::Volume, fit::Fit};

    #[test]
    fn events_are_flat_objects_on_one_line_and_come_back_the_same() {
        let screen = || ScreenName::new("main");
        let position = Position::new(0, 0, 1);
        for (kind, json) in [
            (
                EventKind::ItemBegan {
                    screen: screen(),
                    position,
                    item: ItemId::new("a\nb"),
                    title: None,
                    replay: true,
                },
                r#"{"at_ms":7,"event":"item_began","screen":"main","position":"M0T0I1","item":"a\nb","title":null,"replay":true}"#,
            ),
            (
                EventKind::ItemFailed {
                    screen: screen(),
                    position,
                    item: ItemId::new("a"),
                    src: "/a.mp4".to_owned(),
                    kind: ErrorKind::Corrupt,
                    message: "no moov".to_owned(),
                },
                r#"{"at_ms":7,"event":"item_failed","screen":"main","position":"M0T0I1","item":"a","src":"/a.mp4","kind":"corrupt","message":"no moov"}"#,
            ),
            (
                EventKind::ItemReopened {
                    screen: screen(),
                    position,
                },
                r#"{"at_ms":7,"event":"item_reopened","screen":"main","position":"M0T0I1"}"#,
            ),
            (
                EventKind::TrackEnded {
                    screen: screen(),
                    position,
                },
                r#"{"at_ms":7,"event":"track_ended","screen":"main","position":"M0T0I1"}"#,
            ),
            (
                EventKind::RoundEnded { rounds: 3 },
                r#"{"at_ms":7,"event":"round_ended","rounds":3}"#,
            ),
            (
                EventKind::State {
                    state: State::Playing,
                },
                r#"{"at_ms":7,"event":"state","state":"playing"}"#,
            ),
            (
                EventKind::Settings {
                    settings: SettingsStatus {
                        autostart_playlist: true,
                        auto_advance: true,
                        volume: Volume::DEFAULT,
                        mute: false,
                        fit: Fit::Cover,
                    },
                },
                r#"{"at_ms":7,"event":"settings","settings":{"autostart_playlist":true,"auto_advance":true,"volume":0.8,"mute":false,"fit":"cover"}}"#,
            ),
            (
                EventKind::Lagged { missed: 9 },
                r#"{"at_ms":7,"event":"lagged","missed":9}"#,
            ),
        ] {
            let event = Event { at_ms: 7, kind };
            assert_eq!(serde_json::to_string(&event).expect("JSON"), json);
            assert_eq!(serde_json::from_str::<Event>(json).expect(json), event);
        }
    }

    #[test]
    fn commands_read_as_documented() {
        let position = Position::new(1, 0, 2);
        for (json, command) in [
            (r#"{"command":"play"}"#, Command::Play),
            (r#"{"command":"pause"}"#, Command::Pause),
            (r#"{"command":"stop"}"#, Command::Stop),
            (r#"{"command":"next"}"#, Command::Next),
            (r#"{"command":"previous"}"#, Command::Previous),
            (
                r#"{"command":"goto","position":"M1T0I2"}"#,
                Command::Goto(position),
            ),
            (r#"{"command":"replay"}"#, Command::Replay),
        ] {
            let wire: WireCommand = serde_json::from_str(json).expect(json);
            assert_eq!(wire.playing(), Some(command));
            assert_eq!(serde_json::to_string(&wire).expect("JSON"), json);
        }
        let json = r#"{"command":"display","power":"off"}"#;
        let wire: WireCommand = serde_json::from_str(json).expect(json);
        assert_eq!(
            (wire, wire.playing()),
            (WireCommand::Display { power: Power::Off }, None)
        );
        for bad in [
            "{}",
            r#"{"command":"display"}"#,
            r#"{"command":"dance"}"#,
            r#"{"command":"goto"}"#,
            r#"{"command":"goto","position":"here"}"#,
            r#""play""#,
        ] {
            assert!(serde_json::from_str::<WireCommand>(bad).is_err(), "{bad}");
        }
    }
}
