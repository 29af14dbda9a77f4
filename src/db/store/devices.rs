//! Boxes: how they come into a house, and what they show at the door afterwards.

use std::{fmt, str::FromStr};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{super::StoreError, Change};

/// A box that was approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The screen of the house that it is.
    pub screen: String,
    /// The house.
    pub house: String,
    /// Its public key: 32 bytes in lower hex. Only one box that is not revoked has it.
    pub key: String,
    /// What it called itself when it asked to come in.
    pub name: String,
    /// When it was approved.
    pub approved: i64,
    /// When it was revoked.
    pub revoked: Option<i64>,
}

/// What a box comes in with for a quarter of an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceToken {
    /// The hash of the token.
    pub token_hash: String,
    /// The box's screen.
    pub screen: String,
    /// Until when it is good.
    pub expires: i64,
}

/// What a box has to sign to come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The random text.
    pub nonce: String,
    /// The key of the box that asked for it.
    pub key: String,
    /// Until when it is good.
    pub expires: i64,
}

/// What became of the wish to come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EnrolmentStatus {
    /// Nobody has decided.
    Open,
    /// The box is in.
    Approved,
    /// The box is not let in.
    Refused,
    /// Nobody decided in time.
    Expired,
}

impl EnrolmentStatus {
    /// The status as it is stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for EnrolmentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text is no status of an enrolment.
#[derive(Debug, Error)]
#[error("{0:?} is no status of an enrolment")]
pub struct UnknownStatus(String);

impl FromStr for EnrolmentStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "open" => Ok(Self::Open),
            "approved" => Ok(Self::Approved),
            "refused" => Ok(Self::Refused),
            "expired" => Ok(Self::Expired),
            other => Err(UnknownStatus(other.to_owned())),
        }
    }
}

/// A box's wish to come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// Its id.
    pub id: String,
    /// What the box shows and the operator types; no other open one has it.
    pub code: String,
    /// The hash of what the box asks with whether it is in; never shown.
    pub secret_hash: String,
    /// The box's public key: 32 bytes in lower hex.
    pub device_key: String,
    /// What the box calls itself.
    pub name: String,
    /// The box's version of musebox.
    pub version: String,
    /// The names of its outputs.
    pub outputs: Vec<String>,
    /// The box's promise of its nonce.
    pub commit: String,
    /// The box's nonce, once it has revealed it.
    pub box_nonce: Option<String>,
    /// The server's nonce.
    pub server_nonce: String,
    /// The hash of the server's key that the box was shown, if there was TLS.
    pub spki: Option<String>,
    /// What became of it.
    pub status: EnrolmentStatus,
    /// The house that the box came into.
    pub house: Option<String>,
    /// The screen that the box is there.
    pub screen: Option<String>,
    /// When it began.
    pub made: i64,
    /// Until when it can be approved.
    pub expires: i64,
}

/// Boxes and their enrolment.
#[async_trait]
pub trait Devices: Send + Sync + 'static {
    /// The box of a screen, a revoked one too.
    async fn device(&self, screen: &str) -> Result<Option<Device>, StoreError>;

    /// The box with this key that is not revoked.
    async fn device_by_key(&self, key: &str) -> Result<Option<Device>, StoreError>;

    /// Shuts a box out: it is revoked, its tokens and its report are gone. Told as [`News::Revoked`](super::super::News).
    ///
    /// # Errors
    /// [`StoreError::NotFound`], also if it is revoked already.
    async fn revoke_device(&self, screen: &str, at: i64) -> Result<(), StoreError>;

    /// Keeps a box's token.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such box or it is revoked.
    async fn create_device_token(&self, token: &DeviceToken) -> Result<(), StoreError>;

    /// The box that has this token, if the token is good at `now` and the box is not revoked.
    async fn device_with_token(
        &self,
        token_hash: &str,
        now: i64,
    ) -> Result<Option<Device>, StoreError>;

    /// Keeps a challenge.
    async fn create_challenge(&self, challenge: &Challenge) -> Result<(), StoreError>;

    /// Takes a challenge: the key it was for, if it is good at `now`. Only the first who asks gets it.
    async fn take_challenge(&self, nonce: &str, now: i64) -> Result<Option<String>, StoreError>;

    /// Keeps an enrolment. Open ones that have expired by its `made` become [`EnrolmentStatus::Expired`].
    ///
    /// # Errors
    /// [`StoreError::Taken`] if another open one has the code.
    async fn create_enrolment(&self, enrolment: &Enrolment) -> Result<(), StoreError>;

    /// The open enrolment with this code that has not expired by `now`.
    async fn enrolment_by_code(
        &self,
        code: &str,
        now: i64,
    ) -> Result<Option<Enrolment>, StoreError>;

    /// The enrolment with this id, if the secret is its own; an open one that has expired by `now` says so.
    async fn enrolment(
        &self,
        id: &str,
        secret_hash: &str,
        now: i64,
    ) -> Result<Option<Enrolment>, StoreError>;

    /// The enrolment with this id, if it is open and has not expired by `now`.
    async fn open_enrolment(&self, id: &str, now: i64) -> Result<Option<Enrolment>, StoreError>;

    /// Keeps the nonce that the box reveals; the same one again is no error.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it is not open at `now` or another nonce was revealed before.
    async fn reveal_enrolment(&self, id: &str, box_nonce: &str, now: i64)
    -> Result<(), StoreError>;

    /// Refuses an enrolment.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it is not open at `at`.
    async fn refuse_enrolment(&self, id: &str, at: i64) -> Result<(), StoreError>;

    /// Lets a box into a house as a screen, in one transaction with the commit of the screen's resource.
    ///
    /// A screen that exists gets this box in place of its own, whose tokens are gone and who is told as
    /// [`News::Revoked`](super::super::News).
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the enrolment is not open at `at`, its nonce was not revealed, or the house's revision
    /// is not `base_rev`: the enrolment is still open then. [`StoreError::Taken`] if the box is another screen, or the
    /// screen another house's. [`StoreError::NotFound`] if there is no house.
    async fn approve_enrolment(
        &self,
        id: &str,
        house: &str,
        screen: &str,
        at: i64,
        base_rev: i64,
        change: &Change,
    ) -> Result<(), StoreError>;
}
