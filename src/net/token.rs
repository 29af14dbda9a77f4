//! Tokens: for a signed answer to a challenge the house lets a box in for a quarter of an hour.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    domain::{
        house::enrol,
        ids::{HouseId, HouseScreenId},
    },
    net::{
        api::{Api, ApiError},
        hex,
        key::{DeviceKey, is_signed, random},
    },
};

/// A token is renewed so long before it ends.
const MARGIN: Duration = Duration::from_secs(60);

/// What lets a box in.
#[derive(Clone)]
pub struct Token {
    /// The text to send along.
    pub text: Arc<str>,
    /// When to renew it.
    pub until: Instant,
    /// The house that gave it.
    pub house: HouseId,
    /// What that house calls the box.
    pub screen: HouseScreenId,
}

#[derive(Serialize)]
struct Challenge {
    device_key: String,
    box_nonce: String,
}

#[derive(Deserialize)]
struct Challenged {
    nonce: String,
}

#[derive(Serialize)]
struct Signed {
    device_key: String,
    nonce: String,
    box_nonce: String,
    signature: String,
}

#[derive(Deserialize)]
struct Granted {
    token: String,
    expires_in: u64,
    house: HouseId,
    screen: HouseScreenId,
    signature: String,
}

/// Asks for a token, and makes sure that it is the paired house that gives it, or that has none for this box.
pub async fn ask(api: &Api, key: &DeviceKey, server_key: &[u8; 32]) -> Result<Token, ApiError> {
    let device_key = key.public_hex();
    let box_nonce = random().map_err(ApiError::Random)?;
    let proven = |err| believed(err, api, key, server_key, &box_nonce);
    let challenge = Challenge {
        device_key: device_key.clone(),
        box_nonce: hex::write(&box_nonce),
    };
    let challenged = api.post("/devices/challenge", &challenge).await;
    let Challenged { nonce } = challenged.map_err(proven)?;
    let server_nonce = hex::read(&nonce).ok_or_else(|| ApiError::Strange {
        url: api.url().to_string(),
        message: "nonce is not 64 hexadecimal digits".to_owned(),
    })?;
    let signed = Signed {
        device_key,
        nonce,
        box_nonce: hex::write(&box_nonce),
        signature: hex::write(&key.sign(&enrol::token_challenge(&server_nonce, &box_nonce))),
    };
    let asked = Instant::now();
    let granted = api.post("/devices/token", &signed).await;
    let granted: Granted = granted.map_err(proven)?;
    let proof = enrol::house_proof(&box_nonce, &server_nonce);
    let is_house = hex::read(&granted.signature)
        .is_some_and(|signature| is_signed(server_key, &proof, &signature));
    if !is_house {
        return Err(ApiError::Impostor {
            url: api.url().clone(),
        });
    }
    let life = Duration::from_secs(granted.expires_in);
    Ok(Token {
        text: granted.token.into(),
        until: asked + life.saturating_sub(MARGIN.min(life / 2)),
        house: granted.house,
        screen: granted.screen,
    })
}

/// Only the house itself can take the box off its list: a server that knows nothing of the box and does not have the
/// house's key is another one.
fn believed(
    error: ApiError,
    api: &Api,
    key: &DeviceKey,
    server_key: &[u8; 32],
    box_nonce: &[u8; 32],
) -> ApiError {
    match &error {
        ApiError::Refused { signature, .. } if error.is_revoked() => {
            let proof = enrol::parting_proof(box_nonce, &key.public());
            let is_house = hex::read(signature)
                .is_some_and(|signature| is_signed(server_key, &proof, &signature));
            match is_house {
                true => ApiError::Parted {
                    url: api.url().clone(),
                },
                false => ApiError::Impostor {
                    url: api.url().clone(),
                },
            }
        }
        _ => error,
    }
}

/// The token of the moment, shared by all that need one.
#[derive(Clone)]
pub struct Tokens {
    api: Api,
    key: DeviceKey,
    server_key: [u8; 32],
    held: Arc<Mutex<Option<Token>>>,
}

impl Tokens {
    /// None is asked for yet.
    pub fn new(api: Api, key: DeviceKey, server_key: [u8; 32]) -> Self {
        Self {
            api,
            key,
            server_key,
            held: Arc::default(),
        }
    }

    /// The same for another address of the house.
    pub fn at(&self, api: Api) -> Self {
        Self::new(api, self.key.clone(), self.server_key)
    }

    /// Whether the house is at that address: it has proved it, though it may have no token for this box.
    pub async fn is_house(&self) -> bool {
        matches!(self.token().await, Ok(_) | Err(ApiError::Parted { .. }))
    }

    /// Asks the house anew next time, whatever is held.
    pub async fn renew(&self) {
        *self.held.lock().await = None;
    }

    /// A token that holds, asked for if need be.
    pub async fn token(&self) -> Result<Token, ApiError> {
        // Whoever holds the lock asks; the others wait for it and find it there.
        let mut held = self.held.lock().await;
        match &*held {
            Some(token) if Instant::now() < token.until => Ok(token.clone()),
            Some(_) | None => {
                let token = ask(&self.api, &self.key, &self.server_key).await?;
                *held = Some(token.clone());
                Ok(token)
            }
        }
    }

    /// The house did not take this one: it is not offered again.
    pub async fn forget(&self, refused: &Token) {
        let mut held = self.held.lock().await;
        held.take_if(|token| token.text == refused.text);
    }
}
