//! Requests to a house, and its answers: JSON over HTTP, faults as RFC 9457 problem documents.

use std::{error::Error, io, time::Duration};

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect};
use rustls::ClientConfig;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::{
    domain::config::{HouseUrl, Wire},
    net::tls::{self, Trust},
};

/// How long a connection may take to come about.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a house may say nothing within an answer.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// How often a medium's address may lead on to another.
const MAX_REDIRECTS: usize = 5;

/// What went wrong between a box and its house.
#[derive(Debug, Error)]
pub enum ApiError {
    /// There is no connection, or it broke.
    #[error("{url} cannot be reached: {message}")]
    Unreachable {
        /// The address.
        url: String,
        /// What happened.
        message: String,
    },
    /// Whoever is there has another certificate than the house had.
    #[error("{url} cannot be reached: {message}")]
    Certificate {
        /// The address.
        url: String,
        /// What is wrong with it.
        message: String,
    },
    /// The house says no.
    #[error("the house says: {message} ({status})")]
    Refused {
        /// The status.
        status: StatusCode,
        /// The problem's type; empty where there is none.
        kind: String,
        /// Why, in its words.
        message: String,
        /// What it has signed that with; empty where it has not.
        signature: String,
    },
    /// The answer is not what this version understands.
    #[error("{url}: the answer is not understood: {message}")]
    Strange {
        /// The address.
        url: String,
        /// What is wrong with it.
        message: String,
    },
    /// No TLS can be had.
    #[error("no TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// No HTTP client can be had.
    #[error("no HTTP client: {0}")]
    Client(reqwest::Error),
    /// The kernel gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
    /// The house has taken the box off its list, or does not know it, and has proved that it is the house.
    #[error("{url} has taken this box off its list")]
    Parted {
        /// The address.
        url: HouseUrl,
    },
    /// Whoever answers is not the house that the box was paired with.
    #[error(
        "{url} is not the house that this box was paired with: it does not have its key. If it was set up anew, pair again: museboxctl pair"
    )]
    Impostor {
        /// The address.
        url: HouseUrl,
    },
}

impl ApiError {
    /// Whether whoever answers says that the box is not on its list; only a house that proves to be it is believed.
    pub fn is_revoked(&self) -> bool {
        match self {
            ApiError::Refused { status, kind, .. } => {
                let barred = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
                barred.contains(status) && kind.ends_with("revoked")
            }
            ApiError::Unreachable { .. }
            | ApiError::Certificate { .. }
            | ApiError::Strange { .. }
            | ApiError::Tls(_)
            | ApiError::Client(_)
            | ApiError::Random(_)
            | ApiError::Parted { .. }
            | ApiError::Impostor { .. } => false,
        }
    }

    /// Whether somebody answers who is not the house that the box was paired with.
    pub fn is_another_house(&self) -> bool {
        matches!(
            self,
            ApiError::Impostor { .. } | ApiError::Certificate { .. }
        )
    }

    /// Whether the token was not accepted.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, ApiError::Refused { status, .. } if *status == StatusCode::UNAUTHORIZED)
    }

    /// Whether the house knows nothing of what was asked for.
    pub fn is_gone(&self) -> bool {
        let gone = [StatusCode::NOT_FOUND, StatusCode::GONE];
        matches!(self, ApiError::Refused { status, .. } if gone.contains(status))
    }
}

/// An error with all its causes, on one line.
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.ends_with(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        cause = error.source();
    }
    message
}

/// The way to one house.
#[derive(Clone, Debug)]
pub struct Api {
    url: HouseUrl,
    client: Client,
    tls: ClientConfig,
}

impl Api {
    /// A way to the house at `url`; nothing is connected yet.
    pub fn new(url: HouseUrl, trust: Trust) -> Result<Self, ApiError> {
        let tls = tls::config(trust)?;
        let client = client(tls.clone(), redirect::Policy::none())?;
        Ok(Self { url, client, tls })
    }

    /// Where the house is.
    pub fn url(&self) -> &HouseUrl {
        &self.url
    }

    /// The TLS for other connections to it; nothing where it is spoken to in the open.
    pub fn tls(&self) -> Option<ClientConfig> {
        match self.url.wire() {
            Wire::Tls => Some(self.tls.clone()),
            Wire::Plain => None,
        }
    }

    /// A request below `/api/v1`.
    pub fn request(&self, method: Method, path: &str, bearer: Option<&str>) -> RequestBuilder {
        let url = self.url.join(&format!("/api/v1{path}"));
        let request = self.client.request(method, url);
        match bearer {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// A request for an address of this house that is open to whoever knows it.
    pub fn fetch(&self, url: &str) -> RequestBuilder {
        self.client.get(url)
    }

    /// Posts JSON and reads JSON.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ApiError> {
        let request = self.request(Method::POST, path, None).json(body);
        json(accepted(send(request).await?).await?).await
    }

    /// Reads JSON.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, bearer: &str) -> Result<T, ApiError> {
        let request = self.request(Method::GET, path, Some(bearer));
        json(accepted(send(request).await?).await?).await
    }
}

/// A client for addresses that are not the house's.
pub fn world_client() -> Result<Client, ApiError> {
    let tls = tls::config(Trust::Authorities)?;
    client(tls, redirect::Policy::limited(MAX_REDIRECTS))
}

fn client(tls: ClientConfig, redirects: redirect::Policy) -> Result<Client, ApiError> {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .no_proxy()
        .redirect(redirects)
        .connect_timeout(CONNECT_LIMIT)
        .read_timeout(SILENCE_LIMIT)
        .tcp_keepalive(SILENCE_LIMIT)
        .user_agent(concat!("museboxd/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(ApiError::Client)
}

/// Sends a request.
pub async fn send(request: RequestBuilder) -> Result<Response, ApiError> {
    request.send().await.map_err(unreachable)
}

fn unreachable(error: reqwest::Error) -> ApiError {
    let url = error.url().map(ToString::to_string).unwrap_or_default();
    let error = error.without_url();
    let message = causes(&error);
    match is_of_certificate(&error) {
        true => ApiError::Certificate { url, message },
        false => ApiError::Unreachable { url, message },
    }
}

/// Whether a connection did not come about for the certificate that was shown.
fn is_of_certificate(error: &(dyn Error + 'static)) -> bool {
    if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
        return true;
    }
    // An I/O error is not the source of what it was made of: it hands that out by itself.
    let made_of = error.downcast_ref::<io::Error>();
    let made_of = made_of.and_then(|error| error.get_ref());
    made_of.is_some_and(|error| is_of_certificate(error))
        || error.source().is_some_and(is_of_certificate)
}

/// The response if it is a yes; else why not.
pub async fn accepted(response: Response) -> Result<Response, ApiError> {
    let status = response.status();
    match status.is_success() {
        true => Ok(response),
        false => Err(refusal(status, &whole(response).await?)),
    }
}

/// Why the house says no: its answer is a problem document, or should be.
pub fn refusal(status: StatusCode, answer: &[u8]) -> ApiError {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Problem {
        #[serde(rename = "type")]
        kind: String,
        title: String,
        detail: String,
        signature: String,
    }

    let problem: Problem = serde_json::from_slice(answer).unwrap_or_default();
    let message = match (problem.detail.is_empty(), problem.title.is_empty()) {
        (false, _) => problem.detail,
        (true, false) => problem.title,
        (true, true) => "no".to_owned(),
    };
    ApiError::Refused {
        status,
        kind: problem.kind,
        message,
        signature: problem.signature,
    }
}

async fn json<T: DeserializeOwned>(response: Response) -> Result<T, ApiError> {
    let url = response.url().to_string();
    let bytes = whole(response).await?;
    serde_json::from_slice(&bytes).map_err(|error| ApiError::Strange {
        url,
        message: error.to_string(),
    })
}

/// An answer's body, as far as it is reasonably long.
async fn whole(mut response: Response) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if bytes.len() + chunk.len() > MAX_ANSWER {
            return Err(ApiError::Strange {
                url: response.url().to_string(),
                message: format!("it is longer than {MAX_ANSWER} bytes"),
            });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_problem_that_says_so_is_a_revocation() {
        for (status, kind, revoked) in [
            (
                StatusCode::UNAUTHORIZED,
                "https://musebox.example/problems/revoked",
                true,
            ),
            (StatusCode::FORBIDDEN, "revoked", true),
            (StatusCode::UNAUTHORIZED, "", false),
            (StatusCode::FORBIDDEN, "about:blank", false),
            (StatusCode::INTERNAL_SERVER_ERROR, "revoked", false),
        ] {
            let error = ApiError::Refused {
                status,
                kind: kind.to_owned(),
                message: String::new(),
                signature: String::new(),
            };
            assert_eq!(error.is_revoked(), revoked, "{status} {kind}");
        }
    }
}
