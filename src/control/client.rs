//! The client's end of the control socket.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, de::DeserializeOwned};
use thiserror::Error;
use tokio::{net::UnixStream, time::timeout};

use crate::domain::{
    config::HouseUrl,
    protocol::{
        DoctorReport, Event, PairAnswer, PairRequest, PictureFormat, PictureSource, Status,
        WireCommand,
    },
};

/// How long an answer may take, where it only has to be looked up.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How long a picture may take: it is scaled and encoded first.
const PICTURE_LIMIT: Duration = Duration::from_secs(20);
/// How long the doctor may take: it really decodes.
const DOCTOR_LIMIT: Duration = Duration::from_secs(120);
/// The longest answer that is read, in bytes: a picture of 16384 by 16384 pixels hardly reaches it.
const MAX_ANSWER: usize = 256 << 20;
/// The longest line of events that is read, in bytes.
const MAX_LINE: usize = 1 << 20;

/// What went wrong between here and the daemon.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("is museboxd running? socket {}", socket.display())]
    NoDaemon {
        /// The socket.
        socket: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Somebody listens, but not to this user.
    #[error("this user may not talk to museboxd: use sudo, or join the group of its socket {}", socket.display())]
    Denied {
        /// The socket.
        socket: PathBuf,
    },
    /// Somebody listens, and says nothing.
    #[error("museboxd does not answer: it took the request and said nothing for {limit:?} (socket {})", socket.display())]
    Silent {
        /// The socket.
        socket: PathBuf,
        /// How long was waited.
        limit: Duration,
    },
    /// The daemon answered, and the answer is no.
    #[error("{0}")]
    Refused(String),
    /// The connection broke.
    #[error("the connection to museboxd broke (socket {}): {message}", socket.display())]
    Broken {
        /// The socket.
        socket: PathBuf,
        /// How.
        message: String,
    },
    /// The answer is not what this version understands.
    #[error("museboxd's answer is not understood: is it of another version? {0}")]
    Strange(String),
}

/// One end of the control socket. Every request is a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// A client of the daemon that listens on `socket`; nothing is connected yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
        }
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// How the box is.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.json("/v1/status", ANSWER_LIMIT).await
    }

    /// The daemon's answer to [`Client::status`] as it came.
    pub async fn status_text(&self) -> Result<String, ClientError> {
        let bytes = self
            .whole(Method::GET, "/v1/status", Bytes::new(), ANSWER_LIMIT)
            .await?;
        String::from_utf8(bytes.into()).map_err(|error| ClientError::Strange(error.to_string()))
    }

    /// What the doctor finds.
    pub async fn doctor(&self) -> Result<DoctorReport, ClientError> {
        self.json("/v1/doctor", DOCTOR_LIMIT).await
    }

    /// Asks the box to do something.
    pub async fn command(&self, command: WireCommand) -> Result<(), ClientError> {
        let body = serde_json::to_vec(&command)
            .map_err(|error| ClientError::Strange(error.to_string()))?;
        self.whole(Method::POST, "/v1/command", body.into(), ANSWER_LIMIT)
            .await
            .map(drop)
    }

    /// Asks the box to be paired with this house, or with the one that it knows or finds; answers which one that is.
    pub async fn pair(&self, url: Option<HouseUrl>) -> Result<HouseUrl, ClientError> {
        let strange = |error: serde_json::Error| ClientError::Strange(error.to_string());
        let body = serde_json::to_vec(&PairRequest { url }).map_err(strange)?;
        let bytes = self
            .whole(Method::POST, "/v1/pair", body.into(), ANSWER_LIMIT)
            .await?;
        let PairAnswer { url } = serde_json::from_slice(&bytes).map_err(strange)?;
        Ok(url)
    }

    /// Asks the box to leave its house.
    pub async fn unpair(&self) -> Result<(), ClientError> {
        self.whole(Method::POST, "/v1/unpair", Bytes::new(), ANSWER_LIMIT)
            .await
            .map(drop)
    }

    /// What is on a screen, as a file; without a name, on the first.
    pub async fn screenshot(
        &self,
        format: PictureFormat,
        screen: Option<&str>,
        source: PictureSource,
    ) -> Result<Bytes, ClientError> {
        let path = match format {
            PictureFormat::Png => "/v1/screenshot.png",
            PictureFormat::Jpeg => "/v1/screenshot.jpg",
        };
        let mut query = form_urlencoded::Serializer::new(format!("{path}?"));
        query.extend_pairs(screen.map(|screen| ("screen", screen)));
        if source == PictureSource::ScannedOut {
            query.append_pair("scanned_out", "true");
        }
        let path = query.finish();
        self.whole(Method::GET, &path, Bytes::new(), PICTURE_LIMIT)
            .await
    }

    /// What happens from now on.
    pub async fn watch(&self) -> Result<Events, ClientError> {
        let request = self.send(Method::GET, "/v1/events", Bytes::new());
        let response = self.within(ANSWER_LIMIT, request).await?;
        let response = self.within(ANSWER_LIMIT, self.accepted(response)).await?;
        Ok(Events {
            socket: self.socket.clone(),
            body: response.into_body(),
            rest: Vec::new(),
        })
    }

    async fn json<T: DeserializeOwned>(
        &self,
        path: &str,
        limit: Duration,
    ) -> Result<T, ClientError> {
        let bytes = self.whole(Method::GET, path, Bytes::new(), limit).await?;
        serde_json::from_slice(&bytes).map_err(|error| ClientError::Strange(error.to_string()))
    }

    /// One request and its whole answer.
    async fn whole(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        limit: Duration,
    ) -> Result<Bytes, ClientError> {
        let exchange = async {
            let response = self.send(method, path, body).await?;
            let response = self.accepted(response).await?;
            self.collect(response.into_body()).await
        };
        self.within(limit, exchange).await
    }

    async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        timeout(limit, work).await.unwrap_or_else(|_| {
            Err(ClientError::Silent {
                socket: self.socket.clone(),
                limit,
            })
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, ClientError> {
        let stream =
            UnixStream::connect(&self.socket)
                .await
                .map_err(|source| match source.kind() {
                    io::ErrorKind::PermissionDenied => ClientError::Denied {
                        socket: self.socket.clone(),
                    },
                    _ => ClientError::NoDaemon {
                        socket: self.socket.clone(),
                        source,
                    },
                })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.broken(&error))?;
        // The connection does its work beside us; what fails there arrives here as the request's error, too.
        tokio::spawn(async move { connection.await.ok() });
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "musebox")
            .header("content-type", "application/json")
            .body(Full::new(body))
            .map_err(|error| ClientError::Strange(error.to_string()))?;
        sender
            .send_request(request)
            .await
            .map_err(|error| self.broken(&error))
    }

    /// The response if it is a yes; else the reason that it carries.
    async fn accepted(
        &self,
        response: Response<Incoming>,
    ) -> Result<Response<Incoming>, ClientError> {
        #[derive(Deserialize)]
        struct Reason {
            error: String,
        }

        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let bytes = self.collect(response.into_body()).await?;
        Err(match serde_json::from_slice::<Reason>(&bytes) {
            Ok(reason) => ClientError::Refused(reason.error),
            Err(_) => ClientError::Strange(format!("it answered {status}")),
        })
    }

    async fn collect(&self, body: Incoming) -> Result<Bytes, ClientError> {
        match Limited::new(body, MAX_ANSWER).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) => Err(self.broken(&*error)),
        }
    }

    fn broken(&self, error: &(dyn std::error::Error + 'static)) -> ClientError {
        broken(&self.socket, error)
    }
}

fn broken(socket: &Path, error: &(dyn std::error::Error + 'static)) -> ClientError {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message.push_str(&format!(": {error}"));
        cause = error.source();
    }
    ClientError::Broken {
        socket: socket.to_owned(),
        message,
    }
}

/// What happens on the box, event by event.
#[derive(Debug)]
pub struct Events {
    socket: PathBuf,
    body: Incoming,
    rest: Vec<u8>,
}

impl Events {
    /// The next event, as text and as a value; waits for it. Nothing when the daemon has closed the connection.
    pub async fn next(&mut self) -> Result<Option<(String, Event)>, ClientError> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line).trim().to_owned();
                if line.is_empty() {
                    continue;
                }
                let event = serde_json::from_str(&line)
                    .map_err(|error| ClientError::Strange(format!("{error}: {line}")))?;
                return Ok(Some((line, event)));
            }
            if self.rest.len() > MAX_LINE {
                return Err(ClientError::Strange("a line has no end".to_owned()));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(broken(&self.socket, &error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.rest.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}
