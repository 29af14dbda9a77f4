//! Pairing: the box shows a code, a person types it into the house's page and compares a number, the house says yes.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    domain::{
        config::{HouseUrl, Wire},
        house::enrol,
        ids::{HouseId, HouseScreenId, ScreenName},
    },
    net::{
        api::{self, Api, ApiError},
        hex,
        key::{DeviceKey, random},
        link::{Certificate, Issuer, Link},
        tls::{Seen, Trust},
        token,
    },
};

/// How often the house is asked whether somebody has said yes.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// How long a code is shown if the house does not say; as long as it lives with ours.
const CODE_LIFE: u64 = 600;

/// What a person needs to pair the box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The code to type into the house's page.
    pub code: String,
    /// The number that the page must show as well.
    pub check: String,
}

/// Why a pairing came to nothing.
#[derive(Debug, Error)]
pub enum PairingError {
    /// The house cannot be reached or does not understand; it may do so later.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Somebody said no.
    #[error("the house {0} refused this box")]
    Refused(HouseUrl),
    /// The code's time is over.
    #[error("the code has expired")]
    Expired,
    /// Both sides should come to the same number and do not: somebody may stand between them.
    #[error(
        "the house's check number is not that of the box: the connection to {0} may be tampered with"
    )]
    Tampered(HouseUrl),
}

/// What a box says of itself.
#[derive(Clone, Debug)]
pub struct Identity {
    /// What people call it.
    pub name: String,
    /// Its outputs.
    pub outputs: Vec<ScreenName>,
}

#[derive(Serialize)]
struct Begin<'a> {
    device_key: String,
    version: &'static str,
    name: &'a str,
    outputs: &'a [ScreenName],
    commit: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    spki: Option<String>,
}

#[derive(Deserialize)]
struct Begun {
    id: String,
    code: String,
    secret: String,
    server_key: String,
    server_nonce: String,
    expires_in: Option<u64>,
}

#[derive(Serialize)]
struct Reveal<'a> {
    secret: &'a str,
    box_nonce: String,
}

#[derive(Deserialize)]
struct Revealed {
    check: String,
}

#[derive(Deserialize)]
struct Answer {
    status: Decision,
    house: Option<HouseId>,
    screen: Option<HouseScreenId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Open,
    Approved,
    Refused,
    Expired,
}

/// The key that people vouch for by comparing the check number. That of a certificate which an authority vouches for is
/// none: it may be that of a proxy, which the house behind it does not know.
fn compared(certificate: Certificate) -> Option<[u8; 32]> {
    match certificate.issuer {
        Issuer::Own => Some(certificate.spki),
        Issuer::Authority => None,
    }
}

/// Pairs with a house, once: until somebody says yes or no, or the code expires. `invite` gets the code to show.
pub async fn pair(
    url: &HouseUrl,
    identity: &Identity,
    key: &DeviceKey,
    invite: impl Fn(Invitation),
) -> Result<Link, PairingError> {
    let seen = Seen::default();
    let api = Api::new(url.clone(), Trust::First(seen.clone()))?;
    // Only a connection shows the certificate, and what is said of it is part of what is sent first.
    match url.wire() {
        Wire::Tls => drop(api::send(api.fetch(&url.join("/healthz"))).await?),
        Wire::Plain => {}
    }
    let certificate = seen.certificate();
    let spki = certificate.and_then(compared);

    let box_nonce = random().map_err(ApiError::Random)?;
    let begun: Begun = api
        .post(
            "/enrol",
            &Begin {
                device_key: key.public_hex(),
                version: env!("CARGO_PKG_VERSION"),
                name: &identity.name,
                outputs: &identity.outputs,
                commit: hex::write(&enrol::commitment(&box_nonce)),
                spki: spki.map(|spki| hex::write(&spki)),
            },
        )
        .await?;
    let life = Duration::from_secs(begun.expires_in.unwrap_or(CODE_LIFE));
    let expires = Instant::now() + life;
    let strange = |what: &str| ApiError::Strange {
        url: url.to_string(),
        message: format!("{what} is not 64 hexadecimal digits"),
    };
    let server_key = hex::read(&begun.server_key).ok_or_else(|| strange("server_key"))?;
    let server_nonce = hex::read(&begun.server_nonce).ok_or_else(|| strange("server_nonce"))?;

    let reveal = Reveal {
        secret: &begun.secret,
        box_nonce: hex::write(&box_nonce),
    };
    let path = format!("/enrol/{}", begun.id);
    let revealed: Revealed = api.post(&format!("{path}/reveal"), &reveal).await?;
    let pairing = enrol::Pairing {
        device_key: &key.public(),
        server_key: &server_key,
        spki_sha256: spki.as_ref(),
        box_nonce: &box_nonce,
        server_nonce: &server_nonce,
    };
    let check = pairing.check_number().to_string();
    if revealed.check != check {
        return Err(PairingError::Tampered(url.clone()));
    }
    invite(Invitation {
        code: begun.code,
        check,
    });

    let decided = async {
        loop {
            match api.get::<Answer>(&path, &begun.secret).await {
                Ok(answer) if answer.status != Decision::Open => return Ok(answer),
                Ok(_) => {}
                // The house forgets what has expired.
                Err(err) if err.is_gone() => {
                    return Ok(Answer {
                        status: Decision::Expired,
                        house: None,
                        screen: None,
                    });
                }
                Err(err @ (ApiError::Unreachable { .. } | ApiError::Refused { .. })) => {
                    log::debug!(err = err.to_string().as_str(); "the house did not say how the pairing stands");
                }
                Err(err) => return Err(err),
            }
            sleep(ASK_EVERY).await;
        }
    };
    // A little longer than the house thinks, whose word counts.
    let answer = match timeout_at(expires + 2 * ASK_EVERY, decided).await {
        Ok(answer) => answer?,
        Err(_) => return Err(PairingError::Expired),
    };
    match answer.status {
        Decision::Approved => {}
        Decision::Refused => return Err(PairingError::Refused(url.clone())),
        Decision::Open | Decision::Expired => return Err(PairingError::Expired),
    }
    let (house, screen) = match (answer.house, answer.screen) {
        (Some(house), Some(screen)) => (house, screen),
        (_, _) => {
            let token = token::ask(&api, key, &server_key).await?;
            (token.house, token.screen)
        }
    };
    Ok(Link {
        url: url.clone(),
        configured: None,
        house,
        screen,
        server_key,
        certificate,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_key_that_no_authority_vouches_for_is_compared() {
        let certificate = |issuer| Certificate {
            spki: [7; 32],
            issuer,
        };
        assert_eq!(compared(certificate(Issuer::Own)), Some([7; 32]));
        assert_eq!(compared(certificate(Issuer::Authority)), None);
    }
}
