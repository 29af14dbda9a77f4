//! What servers that share a database tell each other.

use serde::{Deserialize, Serialize};

/// Something has changed; what it is now is read from the store.
///
/// A receiver that is told that it lagged behind has missed news, which is the same as [`News::Lost`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// A house has a new revision, or is gone if it can no longer be loaded.
    House {
        /// The house.
        house: String,
        /// Its revision.
        rev: i64,
    },
    /// A command waits for a screen.
    Command {
        /// The house of the screen.
        house: String,
        /// The screen.
        screen: String,
    },
    /// A box may no longer come in: its connection is to be closed.
    Revoked {
        /// The screen.
        screen: String,
    },
    /// A box has answered a command that another server sent.
    Answered {
        /// The command.
        id: String,
        /// Why it was refused; nothing where it was carried out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// Somebody's rights have changed, or a session or a token has ended.
    People,
    /// News may have been missed: everything is to be read again.
    Lost,
}
