//! What boxes say, what they are told to do at once, and who is to hear of a silent one.

use async_trait::async_trait;
use serde_json::Value;

use super::super::StoreError;

/// What a screen last said of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportRow {
    /// The screen.
    pub screen: String,
    /// Its house.
    pub house: String,
    /// Its state; when writing, `None` leaves the one before, as when a screen goes.
    pub state: Option<Value>,
    /// When it was last heard.
    pub seen: i64,
    /// Whether it is connected.
    pub online: bool,
}

/// An item that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayRow {
    /// The house.
    pub house: String,
    /// The screen.
    pub screen: String,
    /// The box's count of its entries. With screen and time it names the entry.
    pub seq: i64,
    /// When it began.
    pub at: i64,
    /// The output of the box.
    pub output: String,
    /// The playlist, if it was of one.
    pub playlist: Option<String>,
    /// The item.
    pub item: String,
    /// For how long it was shown.
    pub duration_ms: i64,
}

/// A place in the play log: entries are ordered by time, then screen, then count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayCursor {
    /// [`PlayRow::at`].
    pub at: i64,
    /// [`PlayRow::screen`].
    pub screen: String,
    /// [`PlayRow::seq`].
    pub seq: i64,
}

/// Which entries of the play log are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayFilter {
    /// From then on.
    pub from: Option<i64>,
    /// Before then.
    pub to: Option<i64>,
    /// Of this screen.
    pub screen: Option<String>,
    /// Older than this entry, for the next page.
    pub before: Option<PlayCursor>,
    /// How many at most.
    pub limit: i64,
}

/// A command on its way to the server that holds the screen's connection.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandRow {
    /// Its id.
    pub id: String,
    /// The house.
    pub house: String,
    /// The screen.
    pub screen: String,
    /// The command.
    pub body: Value,
    /// When it was given.
    pub made: i64,
}

/// Reports, play log, commands and alerts.
#[async_trait]
pub trait Reports: Send + Sync + 'static {
    /// Keeps what screens last said, all in one transaction. Rows of screens that have no box in that house, as when it was
    /// put out, and rows older than what is stored, are left out.
    async fn report(&self, batch: &[ReportRow]) -> Result<(), StoreError>;

    /// What the screens of a house last said, by screen.
    async fn reports(&self, house: &str) -> Result<Vec<ReportRow>, StoreError>;

    /// Notes that screens that were last heard before then are not connected, as after the end of a server that could not
    /// say so. The answer is which: (house, screen).
    async fn mark_offline(&self, seen_before: i64) -> Result<Vec<(String, String)>, StoreError>;

    /// The screens of a house that have a box, were last heard before then, and that nobody was told of since. Each is in one
    /// answer only, however many servers ask, until it is heard again.
    async fn claim_silent(
        &self,
        house: &str,
        seen_before: i64,
    ) -> Result<Vec<ReportRow>, StoreError>;

    /// Keeps entries of the play log, each once, however often it comes. Those of houses that are gone are left out. The
    /// answer is how many were new.
    async fn add_plays(&self, batch: &[PlayRow]) -> Result<u64, StoreError>;

    /// The entries of a house's play log that are wanted, newest first.
    async fn plays(&self, house: &str, filter: &PlayFilter) -> Result<Vec<PlayRow>, StoreError>;

    /// Forgets the entries from before then; the answer is how many.
    async fn prune_plays(&self, before: i64) -> Result<u64, StoreError>;

    /// Leaves a command for the server that holds the screen's connection. Told as
    /// [`News::Command`](super::super::News).
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such house.
    async fn add_command(&self, command: &CommandRow) -> Result<(), StoreError>;

    /// Takes the commands that wait for a screen, oldest first. Those given before `since` are dropped: who comes back
    /// after an hour is not to do what was meant for then.
    async fn take_commands(&self, screen: &str, since: i64) -> Result<Vec<CommandRow>, StoreError>;

    /// Tells every server that a box has answered a command; nothing is kept.
    async fn answer_command(&self, id: &str, error: Option<String>) -> Result<(), StoreError>;

    /// Who is to hear of a house's silent screens; the caller's document.
    async fn alerts(&self, house: &str) -> Result<Option<Value>, StoreError>;

    /// The same of all houses that have any, by house.
    async fn all_alerts(&self) -> Result<Vec<(String, Value)>, StoreError>;

    /// Says who is to hear.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such house.
    async fn set_alerts(&self, house: &str, settings: &Value) -> Result<(), StoreError>;

    /// The same where this is still what it `was`, as [`alerts`](Self::alerts) told it; answers whether it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such house.
    async fn change_alerts(
        &self,
        house: &str,
        was: Option<&Value>,
        settings: &Value,
    ) -> Result<bool, StoreError>;
}
