//! Boxes come in: a box asks, shows its code, and an operator approves it after comparing the check number.
//!
//! The order of the secrets is what makes the check number worth comparing: the box commits to its nonce before it sees
//! the server's, and reveals it only afterwards, so nobody between the two can choose values that give both sides the
//! same six digits.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
};
use ed25519_dalek::{Signature, Signer, VerifyingKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    db::{Challenge, DeviceToken, Enrolment, EnrolmentStatus, Role, StoreError},
    domain::{
        hex,
        house::{
            MAX_NAME, MAX_OUTPUTS,
            enrol::{self, Pairing, PairingCode},
        },
    },
    web::{
        Server,
        address::Address,
        caller::{Caller, bearer},
        clock,
        json::{Json, Path},
        problem::{Class, Problem},
        secrets,
    },
};

/// How long a code is good: ten minutes.
pub const CODE_SECONDS: i64 = 600;
/// How long a box's token is good: a quarter of an hour.
const TOKEN_SECONDS: i64 = 900;
/// How long a challenge is good.
const CHALLENGE_MS: i64 = 60_000;

/// A box asks to come in.
#[derive(Deserialize, ToSchema)]
pub struct Ask {
    /// The box's Ed25519 public key, in hexadecimal digits.
    device_key: String,
    /// Its version of musebox.
    #[serde(default)]
    version: String,
    /// What it calls itself.
    #[serde(default)]
    name: String,
    /// The names of its outputs.
    #[serde(default)]
    outputs: Vec<String>,
    /// The SHA-256 of its nonce.
    commit: String,
    /// The SHA-256 of the server's public key that the box saw, where it was TLS with a certificate of our own.
    spki: Option<String>,
}

/// What the box gets.
#[derive(Serialize, ToSchema)]
pub struct Asked {
    id: String,
    /// To be shown on the screen, as in BCDF-GHJK.
    code: String,
    /// Never to be shown: by it the box asks whether it is in.
    secret: String,
    /// The server's Ed25519 public key.
    server_key: String,
    server_nonce: String,
    expires_in: i64,
}

/// A box reveals its nonce.
#[derive(Deserialize, ToSchema)]
pub struct Reveal {
    secret: String,
    box_nonce: String,
}

/// The check number.
#[derive(Serialize, ToSchema)]
pub struct Check {
    /// Six digits, as in "123 456".
    check: String,
}

/// How an enrolment stands.
#[derive(Serialize, ToSchema)]
pub struct Standing {
    /// open, approved, refused or expired.
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    house: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    screen: Option<String>,
}

/// An operator typed a code.
#[derive(Deserialize, ToSchema)]
pub struct Typed {
    code: String,
}

/// The box that shows the code.
#[derive(Serialize, ToSchema)]
pub struct Found {
    id: String,
    name: String,
    version: String,
    outputs: Vec<String>,
    /// To be compared with what the screen shows; nothing until the box has revealed its nonce.
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<String>,
}

/// An operator lets a box in.
#[derive(Deserialize, ToSchema)]
pub struct Approve {
    /// What to call the screen; without it, what the box calls itself.
    name: Option<String>,
}

/// The screen that a box became.
#[derive(Serialize, ToSchema)]
pub struct Approved {
    screen: String,
}

/// A box asks for a challenge.
#[derive(Deserialize, ToSchema)]
pub struct Knock {
    device_key: String,
    /// 32 random bytes in hexadecimal digits, over which a refusal is signed.
    box_nonce: Option<String>,
}

/// What it is to sign.
#[derive(Serialize, ToSchema)]
pub struct Nonce {
    nonce: String,
}

/// A box answers the challenge.
#[derive(Deserialize, ToSchema)]
pub struct Answer {
    device_key: String,
    nonce: String,
    box_nonce: String,
    signature: String,
}

/// A token for a quarter of an hour.
#[derive(Serialize, ToSchema)]
pub struct Token {
    token: String,
    expires_in: i64,
    house: String,
    screen: String,
    /// The server's over the box's nonce, which proves that it is the house that approved the box.
    signature: String,
}

fn key_bytes<const N: usize>(text: &str, key: &str) -> Result<[u8; N], Problem> {
    hex::read(text).ok_or_else(|| {
        let detail = format!("{} hexadecimal digits are needed here", 2 * N);
        Problem::new(Class::Invalid, detail).at(key)
    })
}

fn checked_rate(server: &Server, address: &str) -> Result<(), Problem> {
    match server.throttles.enrol.allows(address, clock::now_ms()) {
        true => Ok(()),
        false => Err(Problem::new(
            Class::TooMany,
            "too many tries to enrol from this address: wait a minute",
        )),
    }
}

/// What a box calls something, as far as a house takes it for a name.
fn possible(name: &str) -> String {
    let name = name.chars().filter(|c| !c.is_control());
    let name: String = name.take(MAX_NAME).collect();
    name.trim().to_owned()
}

/// `POST /api/v1/enrol`
#[utoipa::path(post, path = "/enrol", security(()), tag = "enrolment", request_body = Ask, responses((status = 201, body = Asked)))]
pub async fn ask(
    State(server): State<Server>,
    Address(address): Address,
    Json(ask): Json<Ask>,
) -> Result<(StatusCode, Json<Asked>), Problem> {
    checked_rate(&server, &address)?;
    let key: [u8; 32] = key_bytes(&ask.device_key, "device_key")?;
    VerifyingKey::from_bytes(&key)
        .map_err(|_| Problem::new(Class::Invalid, "this is no Ed25519 key").at("device_key"))?;
    let commit: [u8; 32] = key_bytes(&ask.commit, "commit")?;
    let spki = ask
        .spki
        .as_deref()
        .map(|spki| key_bytes::<32>(spki, "spki"));
    let spki = spki.transpose()?;
    if spki.is_some() && spki != server.spki {
        let detail =
            "the box saw another certificate than this server has: somebody may stand between them";
        return Err(Problem::new(Class::Conflict, detail).at("spki"));
    }
    let (secret, now) = (secrets::secret(), clock::now_ms());
    let mut enrolment = Enrolment {
        id: secrets::id(),
        code: String::new(),
        secret_hash: secrets::hash(&secret),
        device_key: hex::write(&key),
        name: possible(&ask.name),
        version: possible(&ask.version),
        outputs: ask
            .outputs
            .iter()
            .map(|name| possible(name))
            .filter(|name| !name.is_empty())
            .take(MAX_OUTPUTS)
            .collect(),
        commit: hex::write(&commit),
        box_nonce: None,
        server_nonce: secrets::secret(),
        spki: spki.map(|spki| hex::write(&spki)),
        status: EnrolmentStatus::Open,
        house: None,
        screen: None,
        made: now,
        expires: now + CODE_SECONDS * 1000,
    };
    if enrolment.outputs.is_empty() {
        enrolment.outputs.push("main".to_owned());
    }
    // Two boxes with the same code at the same time are one in a million millions.
    loop {
        let Some(code) = PairingCode::from_random(&secrets::random::<32>()) else {
            continue;
        };
        enrolment.code = code.to_string();
        match server.store.create_enrolment(&enrolment).await {
            Err(StoreError::Taken { .. }) => {}
            done => break done?,
        }
    }
    let asked = Asked {
        id: enrolment.id,
        code: enrolment.code,
        secret,
        server_key: hex::write(server.identity.verifying_key().as_bytes()),
        server_nonce: enrolment.server_nonce,
        expires_in: CODE_SECONDS,
    };
    Ok((StatusCode::CREATED, Json(asked)))
}

async fn own(server: &Server, id: &str, secret: &str) -> Result<Enrolment, Problem> {
    let hash = secrets::hash(secret);
    let found = server.store.enrolment(id, &hash, clock::now_ms()).await?;
    found.ok_or_else(|| Problem::not_found("enrolment"))
}

/// `POST /api/v1/enrol/{id}/reveal`
#[utoipa::path(post, path = "/enrol/{id}/reveal", security(()), tag = "enrolment", params(("id" = String, Path)), request_body = Reveal, responses((status = 200, body = Check)))]
pub async fn reveal(
    State(server): State<Server>,
    Path(id): Path<String>,
    Json(reveal): Json<Reveal>,
) -> Result<Json<Check>, Problem> {
    let mut enrolment = own(&server, &id, &reveal.secret).await?;
    let nonce: [u8; 32] = key_bytes(&reveal.box_nonce, "box_nonce")?;
    if hex::write(&enrol::commitment(&nonce)) != enrolment.commit {
        let detail = "this nonce is not the one that the box has committed to";
        return Err(Problem::new(Class::Invalid, detail).at("box_nonce"));
    }
    let nonce = hex::write(&nonce);
    server
        .store
        .reveal_enrolment(&id, &nonce, clock::now_ms())
        .await?;
    enrolment.box_nonce = Some(nonce);
    let check = check_of(&server, &enrolment);
    let check = check.ok_or_else(|| Problem::internal("an enrolment is damaged", &enrolment.id))?;
    Ok(Json(Check { check }))
}

/// The check number of an enrolment whose nonce is known.
fn check_of(server: &Server, enrolment: &Enrolment) -> Option<String> {
    let spki = match &enrolment.spki {
        Some(spki) => Some(hex::read::<32>(spki)?),
        None => None,
    };
    let own = server.identity.verifying_key();
    let pairing = Pairing {
        device_key: &hex::read(&enrolment.device_key)?,
        server_key: own.as_bytes(),
        spki_sha256: spki.as_ref(),
        box_nonce: &hex::read(enrolment.box_nonce.as_ref()?)?,
        server_nonce: &hex::read(&enrolment.server_nonce)?,
    };
    Some(pairing.check_number().to_string())
}

/// `GET /api/v1/enrol/{id}`
#[utoipa::path(get, path = "/enrol/{id}", security(()), tag = "enrolment", params(("id" = String, Path)), responses((status = 200, body = Standing)))]
pub async fn standing(
    State(server): State<Server>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Standing>, Problem> {
    let secret = bearer(&headers).unwrap_or_default();
    let enrolment = own(&server, &id, secret).await?;
    Ok(Json(Standing {
        status: enrolment.status.as_str().to_owned(),
        house: enrolment.house,
        screen: enrolment.screen,
    }))
}

/// `POST /api/v1/houses/{house}/enrolments/look-up`
#[utoipa::path(post, path = "/houses/{house}/enrolments/look-up", tag = "enrolment", params(("house" = String, Path)), request_body = Typed, responses((status = 200, body = Found)))]
pub async fn look_up(
    State(server): State<Server>,
    Path(house): Path<String>,
    Address(address): Address,
    caller: Caller,
    Json(typed): Json<Typed>,
) -> Result<Json<Found>, Problem> {
    caller.may(&server, &house, Role::Editor).await?;
    let now = clock::now_ms();
    if !server.throttles.code_house.allows(&house, now)
        || !server.throttles.code_address.allows(&address, now)
    {
        let detail = "too many codes were tried: wait a minute";
        return Err(Problem::new(Class::TooMany, detail));
    }
    let code: PairingCode = typed.code.parse().map_err(|err: enrol::BadPairingCode| {
        Problem::new(Class::Invalid, err.to_string()).at("code")
    })?;
    let found = server
        .store
        .enrolment_by_code(&code.to_string(), now)
        .await?;
    let found = found.ok_or_else(|| {
        let detail = "no box shows this code now: codes are good for ten minutes, and once";
        Problem::new(Class::NotFound, detail).at("code")
    })?;
    Ok(Json(Found {
        check: check_of(&server, &found),
        id: found.id,
        name: found.name,
        version: found.version,
        outputs: found.outputs,
    }))
}

/// `POST /api/v1/houses/{house}/enrolments/{id}/approve`
#[utoipa::path(post, path = "/houses/{house}/enrolments/{id}/approve", tag = "enrolment", params(("house" = String, Path), ("id" = String, Path)), request_body = Approve, responses((status = 200, body = Approved)))]
pub async fn approve(
    State(server): State<Server>,
    Path((house, id)): Path<(String, String)>,
    caller: Caller,
    Json(approve): Json<Approve>,
) -> Result<Json<Approved>, Problem> {
    caller.may(&server, &house, Role::Editor).await?;
    let now = clock::now_ms();
    let enrolment = server.store.open_enrolment(&id, now).await?;
    let enrolment = enrolment.ok_or_else(|| {
        let detail = "this code is used already or too old: the box shows a new one";
        Problem::new(Class::Gone, detail)
    })?;
    let known = server.store.device_by_key(&enrolment.device_key).await?;
    // The same box again, as after its card was written anew: it stays the screen that it was.
    let known = known.filter(|device| device.house == house);
    let screen = known.map_or_else(secrets::id, |device| device.screen);
    let said = approve
        .name
        .as_deref()
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let hall = server.halls.must(&house).await?;
    hall.admit(&enrolment, &screen, said, &caller.name())
        .await?;
    log::info!(screen = screen.as_str(), house = house.as_str(); "a box was let in");
    Ok(Json(Approved { screen }))
}

/// `POST /api/v1/houses/{house}/enrolments/{id}/refuse`
#[utoipa::path(post, path = "/houses/{house}/enrolments/{id}/refuse", tag = "enrolment", params(("house" = String, Path), ("id" = String, Path)), responses((status = 204, description = "refused")))]
pub async fn refuse(
    State(server): State<Server>,
    Path((house, id)): Path<(String, String)>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    caller.may(&server, &house, Role::Editor).await?;
    server.store.refuse_enrolment(&id, clock::now_ms()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/devices/challenge`
#[utoipa::path(post, path = "/devices/challenge", security(()), tag = "enrolment", request_body = Knock, responses((status = 200, body = Nonce)))]
pub async fn challenge(
    State(server): State<Server>,
    Json(knock): Json<Knock>,
) -> Result<Json<Nonce>, Problem> {
    let key: [u8; 32] = key_bytes(&knock.device_key, "device_key")?;
    let box_nonce: Option<[u8; 32]> = match &knock.box_nonce {
        Some(nonce) => Some(key_bytes(nonce, "box_nonce")?),
        None => None,
    };
    if server
        .store
        .device_by_key(&hex::write(&key))
        .await?
        .is_none()
    {
        return Err(match box_nonce {
            Some(nonce) => parted(&server, &nonce, &key),
            None => revoked(),
        });
    }
    let challenge = Challenge {
        nonce: secrets::secret(),
        key: hex::write(&key),
        expires: clock::now_ms() + CHALLENGE_MS,
    };
    server.store.create_challenge(&challenge).await?;
    Ok(Json(Nonce {
        nonce: challenge.nonce,
    }))
}

/// `POST /api/v1/devices/token`
#[utoipa::path(post, path = "/devices/token", security(()), tag = "enrolment", request_body = Answer, responses((status = 200, body = Token), (status = 403, description = "the box is not, or no longer, enrolled")))]
pub async fn token(
    State(server): State<Server>,
    Json(answer): Json<Answer>,
) -> Result<Json<Token>, Problem> {
    let key: [u8; 32] = key_bytes(&answer.device_key, "device_key")?;
    let nonce: [u8; 32] = key_bytes(&answer.nonce, "nonce")?;
    let box_nonce: [u8; 32] = key_bytes(&answer.box_nonce, "box_nonce")?;
    let signature: [u8; 64] = key_bytes(&answer.signature, "signature")?;
    let now = clock::now_ms();
    let taken = server
        .store
        .take_challenge(&hex::write(&nonce), now)
        .await?;
    let wrong = || {
        let detail =
            "the challenge is not this box's, too old, or answered wrongly: ask for another";
        Problem::new(Class::NotSignedIn, detail)
    };
    if taken.as_deref() != Some(hex::write(&key).as_str()) {
        return Err(wrong());
    }
    let signed = enrol::token_challenge(&nonce, &box_nonce);
    VerifyingKey::from_bytes(&key)
        .and_then(|key| key.verify_strict(&signed, &Signature::from_bytes(&signature)))
        .map_err(|_| wrong())?;
    let device = server.store.device_by_key(&hex::write(&key)).await?;
    let device = device.ok_or_else(|| parted(&server, &box_nonce, &key))?;
    let secret = secrets::secret();
    let row = DeviceToken {
        token_hash: secrets::hash(&secret),
        screen: device.screen.clone(),
        expires: now + TOKEN_SECONDS * 1000,
    };
    server.store.create_device_token(&row).await?;
    let proof = server
        .identity
        .sign(&enrol::house_proof(&box_nonce, &nonce));
    Ok(Json(Token {
        token: secret,
        expires_in: TOKEN_SECONDS,
        house: device.house,
        screen: device.screen,
        signature: hex::write(&proof.to_bytes()),
    }))
}

/// The device is not, or no longer, part of a house, and the house says so in its own name.
fn parted(server: &Server, box_nonce: &[u8; 32], device_key: &[u8; 32]) -> Problem {
    let signature = server
        .identity
        .sign(&enrol::parting_proof(box_nonce, device_key));
    revoked().signed(hex::write(&signature.to_bytes()))
}

/// The device is not, or no longer, part of a house.
fn revoked() -> Problem {
    Problem::new(
        Class::Revoked,
        "this box is not enrolled here, or its enrolment was taken back: pair it again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_box_calls_something_is_made_a_name_that_a_house_takes() {
        assert_eq!(possible(" Foyer\n\u{7}2 "), "Foyer2");
        assert_eq!(possible("\t "), "");
        assert_eq!(possible(&"ä".repeat(256)), "ä".repeat(MAX_NAME));
    }
}
