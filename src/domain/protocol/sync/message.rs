//! The messages.

use std::{fmt, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::domain::{
    ids::{
        CommandId, DocumentHash, Epoch, HouseScreenId, ItemId, PlaylistId, Position, ReportId,
        Revision, ScreenName,
    },
    protocol::{Power, WireCommand, sync::BoxState},
};

/// One frame. Fields that are not known are passed over, so that later versions can add some.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// The first frame of a box or page, and its request to be sent a snapshot.
    Hello(Hello),
    /// The whole environment; from the house.
    Snapshot(Snapshot),
    /// What has changed in the environment; from the house.
    Patch(Patch),
    /// How a box is and what it has played; from a box to the house, and from there to pages.
    Reported(Box<Reported>),
    /// Something to do; from the house to a box.
    Command(CommandFrame),
    /// A command was carried out or refused, or a report is stored.
    Ack(Ack),
    /// Something is wrong with what the other side sent.
    Error(ErrorFrame),
    /// A message of a later version, which is ignored.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// A frame that is no message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("this is no message: {0}")]
pub struct BadFrame(String);

impl Message {
    /// Reads a frame's text.
    pub fn read(text: &str) -> Result<Message, BadFrame> {
        // serde's derived readers would take an array of the fields in order, too.
        if !text.trim_start().starts_with('{') {
            let advice = "a frame is a JSON object, as in {\"type\": \"hello\", \"proto\": 1}";
            return Err(BadFrame(advice.to_owned()));
        }
        serde_json::from_str(text).map_err(|error| BadFrame(error.to_string()))
    }

    /// The message as the text of a frame.
    pub fn write(&self) -> String {
        serde_json::to_string(self).expect("every field of a message is JSON")
    }
}

/// The text of a message. It is cheap to clone, so that one text serves all peers of a house.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Arc<str>);

impl Frame {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Message> for Frame {
    fn from(message: &Message) -> Self {
        Self(message.write().into())
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// "I am here, and this is what I have."
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hello {
    /// The version of the protocol.
    pub proto: u32,
    /// The epoch of the environment that the sender holds; nothing where it holds none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// The revision of the environment that the sender holds; nothing where it holds none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<Revision>,
    /// The sender's version of musebox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The names of a box's outputs; none from a page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<ScreenName>,
}

/// The whole environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// Of which history.
    pub epoch: Epoch,
    /// As of which revision.
    pub rev: Revision,
    /// The hash of `document`.
    pub sha256: DocumentHash,
    /// The document; see `docs/schema/environment.schema.json`.
    pub document: Value,
}

/// What has changed in the environment. A house also sends an empty one with `base_rev` equal to `rev`, to say that
/// the receiver holds the newest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Patch {
    /// Of which history.
    pub epoch: Epoch,
    /// The revision to which it is applied, and to no other.
    pub base_rev: Revision,
    /// The revision that comes of it.
    pub rev: Revision,
    /// The change as a merge patch (RFC 7396).
    pub patch: Value,
    /// The hash of the document that comes of it.
    pub sha256: DocumentHash,
}

/// How a box is and what it has played.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reported {
    /// Names the report where the box wants to know that it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ReportId>,
    /// Whose report it is; the house fills it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screen: Option<HouseScreenId>,
    /// The whole state; nothing where it is as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<BoxState>,
    /// What was played, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plays: Vec<Play>,
    /// From the house to pages: whether the box is connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub online: Option<bool>,
    /// From the house to pages: when the box was last heard, as an RFC 3339 time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
}

/// One showing of an item, as it stands in the play log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Play {
    /// The entry's number on its box; it grows with every entry and is never used again.
    pub seq: u64,
    /// When the showing began, as an RFC 3339 time.
    pub at: String,
    /// The output that showed it.
    pub output: ScreenName,
    /// The playlist; nothing where the box played something else than a playlist of the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playlist: Option<PlaylistId>,
    /// The item.
    pub item: ItemId,
    /// How long it was shown, in milliseconds.
    pub duration_ms: u64,
}

/// A command and its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommandFrame {
    /// Names the command: it is carried out once, however often it is sent.
    pub id: CommandId,
    /// What to do.
    #[serde(flatten)]
    pub command: HouseCommand,
}

/// What a house may ask a box to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "command", rename_all = "lowercase")]
pub enum HouseCommand {
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
    /// Switch the displays on or off; what plays goes on.
    Display {
        /// Which of both.
        power: Power,
    },
    /// Send a picture of what is shown: PUT a JPEG to `/api/v1/screens/{id}/picture`, then acknowledge. Where an output
    /// is named, `?output=` and its name follow.
    Screenshot {
        /// Of which output; without a name, of the first. A box of an earlier version sends the first in any case.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<ScreenName>,
    },
    /// Show for a moment which screen this is.
    Identify,
    /// A command of a later version, which is refused.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

impl HouseCommand {
    /// The same command as it is given on the box itself; nothing where only a house gives it.
    pub fn local(&self) -> Option<WireCommand> {
        match self {
            HouseCommand::Play => Some(WireCommand::Play),
            HouseCommand::Pause => Some(WireCommand::Pause),
            HouseCommand::Stop => Some(WireCommand::Stop),
            HouseCommand::Next => Some(WireCommand::Next),
            HouseCommand::Previous => Some(WireCommand::Previous),
            HouseCommand::Goto { position } => Some(WireCommand::Goto {
                position: *position,
            }),
            HouseCommand::Replay => Some(WireCommand::Replay),
            HouseCommand::Display { power } => Some(WireCommand::Display { power: *power }),
            HouseCommand::Screenshot { .. } | HouseCommand::Identify | HouseCommand::Unknown => {
                None
            }
        }
    }
}

/// Something with this name is done, stored or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ack {
    /// The id of the command or report.
    pub id: String,
    /// Why it could not be done, in plain words; nothing where it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Something is wrong with what the other side sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorFrame {
    /// What kind of fault.
    pub code: ErrorCode,
    /// What is wrong and what to do, in plain words.
    pub message: String,
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// A frame was no message.
    BadMessage,
    /// The house speaks another version of the protocol.
    UnknownProto,
    /// The first frame was no hello, or did not come in time.
    NoHello,
    /// A frame was too long.
    TooBig,
    /// This box or user may no longer come in.
    Revoked,
    /// A fault of a later version.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}
