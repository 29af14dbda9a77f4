//! Who may come in: users, memberships, sessions, API tokens and set-up links.

use std::{fmt, str::FromStr};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::super::StoreError;

/// What somebody may do in a house; each may do what those before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May look.
    Viewer,
    /// May change what is played.
    Editor,
    /// May do everything, members and boxes included.
    Owner,
}

impl Role {
    /// The role as it is stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text is no role.
#[derive(Debug, Error)]
#[error("{0:?} is no role: owner, editor or viewer")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "viewer" => Ok(Self::Viewer),
            "editor" => Ok(Self::Editor),
            "owner" => Ok(Self::Owner),
            other => Err(UnknownRole(other.to_owned())),
        }
    }
}

/// Somebody who can sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: String,
    /// Their e-mail address as they write it; no other user has it, whatever the case of its letters.
    pub email: String,
    /// Their name.
    pub name: String,
    /// The hash of their password with its parameters.
    pub password_hash: String,
    /// When they were added.
    pub made: i64,
}

/// Without the hash, so that it gets into no log.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

/// A user in a house.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The user's id.
    pub user: String,
    /// The user's e-mail address.
    pub email: String,
    /// The user's name.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// A house of a user.
#[derive(Clone, Debug, PartialEq)]
pub struct HouseOf {
    /// The house's id.
    pub id: String,
    /// The house's revision.
    pub rev: i64,
    /// What the user may do there.
    pub role: Role,
    /// The body of the house's resource of kind "house", where its name is; null if it has none.
    pub body: Value,
}

/// A browser that is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The hash of the cookie's token.
    pub token_hash: String,
    /// The user's id.
    pub user: String,
    /// What the page sends back with each write.
    pub csrf: String,
    /// When it began.
    pub made: i64,
    /// When it ends.
    pub expires: i64,
}

/// A token for a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Its id, by which it is revoked.
    pub id: String,
    /// The hash of its secret.
    pub secret_hash: String,
    /// What it is for, in the words of who made it.
    pub name: String,
    /// The user who made it, and with whom it goes; none if it was made on the server's own machine.
    pub user: Option<String>,
    /// The one house that it is for; none if it is for all of the user's, or of the server.
    pub house: Option<String>,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub made: i64,
    /// When it was last used.
    pub last_used: Option<i64>,
    /// When it was revoked.
    pub revoked: Option<i64>,
}

/// The link by which the first operator comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupLink {
    /// The hash of the link's token.
    pub token_hash: String,
    /// Until when it is good.
    pub expires: i64,
}

/// Somebody may become a member of a house.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The hash of the link's token.
    pub token_hash: String,
    /// The house.
    pub house: String,
    /// The address of whom it is for.
    pub email: String,
    /// What they may do there.
    pub role: Role,
    /// Until when it is good.
    pub expires: i64,
}

/// Users and what they come in with.
#[async_trait]
pub trait People: Send + Sync + 'static {
    /// Adds a user.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if another one has the e-mail address or the id.
    async fn create_user(&self, user: &User) -> Result<(), StoreError>;

    /// The user with this id.
    async fn user(&self, id: &str) -> Result<Option<User>, StoreError>;

    /// The user with this e-mail address, whatever the case of its letters.
    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError>;

    /// All users, by e-mail address.
    async fn users(&self) -> Result<Vec<User>, StoreError>;

    /// Puts a user's new address, name and password hash in place of the old ones.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or [`StoreError::Taken`] for the address.
    async fn update_user(&self, user: &User) -> Result<(), StoreError>;

    /// Takes a user away with their memberships, sessions and API tokens.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or [`StoreError::Conflict`] if a house would be left without an owner.
    async fn delete_user(&self, id: &str) -> Result<(), StoreError>;

    /// What a user may do in a house; `None` if they are no member.
    async fn role(&self, user: &str, house: &str) -> Result<Option<Role>, StoreError>;

    /// Makes a user a member of a house, or gives a member another role.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] without user or house; [`StoreError::Conflict`] if it takes the last owner.
    async fn set_member(&self, user: &str, house: &str, role: Role) -> Result<(), StoreError>;

    /// Takes a member out of a house.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or [`StoreError::Conflict`] if it is the last owner.
    async fn remove_member(&self, user: &str, house: &str) -> Result<(), StoreError>;

    /// The members of a house, by e-mail address.
    async fn members(&self, house: &str) -> Result<Vec<Member>, StoreError>;

    /// The houses of a user, by id.
    async fn houses_of(&self, user: &str) -> Result<Vec<HouseOf>, StoreError>;

    /// Begins a session.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such user.
    async fn create_session(&self, session: &Session) -> Result<(), StoreError>;

    /// The session with this token, if it has not ended by `now`.
    async fn session(&self, token_hash: &str, now: i64) -> Result<Option<Session>, StoreError>;

    /// Ends a session; nothing if there is none.
    async fn delete_session(&self, token_hash: &str) -> Result<(), StoreError>;

    /// Ends all sessions of a user, as after a new password.
    async fn delete_sessions_of(&self, user: &str) -> Result<(), StoreError>;

    /// Keeps an API token.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such user or house; [`StoreError::Taken`].
    async fn create_api_token(&self, token: &ApiToken) -> Result<(), StoreError>;

    /// The API token with this secret, if it is not revoked.
    async fn api_token(&self, secret_hash: &str) -> Result<Option<ApiToken>, StoreError>;

    /// The API tokens of a user, or with `None` those of the server itself; the revoked ones too; oldest first.
    async fn api_tokens(&self, user: Option<&str>) -> Result<Vec<ApiToken>, StoreError>;

    /// Notes that an API token was used. Not for every request: a write of the database each.
    async fn touch_api_token(&self, id: &str, at: i64) -> Result<(), StoreError>;

    /// Makes an API token worthless.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], also if it is revoked already.
    async fn revoke_api_token(&self, id: &str, at: i64) -> Result<(), StoreError>;

    /// Keeps an invitation; one of before to the same address is worthless from now on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such house; [`StoreError::Taken`] for the token.
    async fn create_invitation(&self, invitation: &Invitation) -> Result<(), StoreError>;

    /// The invitation with this token, if it is good.
    async fn invitation(
        &self,
        token_hash: &str,
        now: i64,
    ) -> Result<Option<Invitation>, StoreError>;

    /// Uses an invitation up: its address's user, who is added first if they are new, becomes a member, in one
    /// transaction. A member stays what they are.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the invitation is not good; [`StoreError::NotFound`] if nobody has its address;
    /// those of [`create_user`](Self::create_user), after which the invitation still is good.
    async fn accept_invitation(
        &self,
        token_hash: &str,
        now: i64,
        newcomer: Option<&User>,
    ) -> Result<(), StoreError>;

    /// Keeps a set-up link; those from before are worthless from now on.
    async fn create_setup_link(&self, link: &SetupLink) -> Result<(), StoreError>;

    /// Whether a set-up link is good: known, not used, not expired.
    async fn setup_link_is_good(&self, token_hash: &str, now: i64) -> Result<bool, StoreError>;

    /// Uses a set-up link up and adds the user and the house for whom it was, in one transaction.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the link is not good; those of [`create_user`](Self::create_user) and of
    /// [`create_house`](super::Houses::create_house), after which the link still is.
    async fn set_up(
        &self,
        token_hash: &str,
        user: &User,
        house: &super::NewHouse,
    ) -> Result<(), StoreError>;
}
