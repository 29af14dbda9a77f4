//! What can be asked, and how the answers look.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Query, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http_body_util::channel::Channel;
use serde::Deserialize;
use thiserror::Error;
use tokio::{
    sync::{Mutex, broadcast},
    time::Instant,
};

use crate::{
    control_server::{
        host::{Host, Request},
        page,
    },
    domain::{
        ids::ScreenName,
        protocol::{
            DoctorReport, Event, EventKind, PairAnswer, PairRequest, PictureFormat, PictureSource,
            Status, WireCommand,
        },
    },
};

/// How long the host may take over what it only has to look up; less than clients wait.
const ANSWER_LIMIT: Duration = Duration::from_secs(4);
/// How long a picture may take.
const PICTURE_LIMIT: Duration = Duration::from_secs(15);
/// How long the doctor may take: it really decodes.
const DOCTOR_LIMIT: Duration = Duration::from_secs(110);
/// The longest command, in bytes.
const MAX_COMMAND: usize = 4096;
/// For this long, all viewers of the live page get the same picture: many viewers cost as much as one.
const PICTURE_AGE: Duration = Duration::from_millis(150);
/// Events that may wait for a slow reader of one connection, beside those in the host's broadcast.
const EVENT_BUFFER: usize = 16;

/// Why there is no answer, each with its HTTP status.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Fault {
    #[error("the player has too much to do: ask again")]
    Busy,
    #[error("the player is shutting down")]
    Gone,
    #[error("the player does not answer: it said nothing for {0:?}")]
    Silent(Duration),
    #[error("this is no command: {0}")]
    BadCommand(String),
    #[error("{0}")]
    Refused(String),
    #[error("there is no picture: {0}")]
    NoPicture(String),
    #[error("there is no {0} here")]
    NotFound(String),
    #[error("this cannot be asked with {0}")]
    WrongMethod(String),
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let status = match &self {
            Fault::Busy | Fault::Gone | Fault::NoPicture(_) => StatusCode::SERVICE_UNAVAILABLE,
            Fault::Silent(_) => StatusCode::GATEWAY_TIMEOUT,
            Fault::BadCommand(_) => StatusCode::BAD_REQUEST,
            Fault::Refused(_) => StatusCode::CONFLICT,
            Fault::NotFound(_) => StatusCode::NOT_FOUND,
            Fault::WrongMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
        };
        let reason = serde_json::json!({ "error": self.to_string() });
        (status, Json(reason)).into_response()
    }
}

/// Everything: for the Unix socket.
pub(super) fn control(host: Host) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/command", post(command))
        .route("/v1/pair", post(pair))
        .route("/v1/unpair", post(unpair))
        .route("/v1/screenshot.png", get(screenshot_png))
        .route("/v1/screenshot.jpg", get(screenshot_jpg))
        .route("/v1/events", get(events))
        .route("/v1/doctor", get(doctor))
        .method_not_allowed_fallback(wrong_method)
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(MAX_COMMAND))
        .with_state(host)
}

/// What one may look at: for the live page.
pub(super) fn live(host: Host) -> Router {
    let page = page::Page::new();
    let viewers = Arc::new(Viewers::new(host.clone(), PICTURE_AGE));
    Router::new()
        .route("/v1/status", get(status))
        .with_state(host)
        .route("/screen.jpg", get(screen).with_state(viewers))
        .route("/", get(move || std::future::ready(page.response())))
        .method_not_allowed_fallback(wrong_method)
        .fallback(not_found)
}

async fn not_found(uri: axum::http::Uri) -> Fault {
    Fault::NotFound(uri.path().to_owned())
}

async fn wrong_method(method: axum::http::Method) -> Fault {
    Fault::WrongMethod(method.to_string())
}

const NO_STORE: (HeaderName, HeaderValue) =
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));

async fn status(State(host): State<Host>) -> Result<impl IntoResponse, Fault> {
    let status: Status = host.ask(ANSWER_LIMIT, Request::Status).await?;
    Ok(([NO_STORE], Json(status)))
}

async fn doctor(State(host): State<Host>) -> Result<Json<DoctorReport>, Fault> {
    host.ask(DOCTOR_LIMIT, Request::Doctor).await.map(Json)
}

async fn command(State(host): State<Host>, body: Bytes) -> Result<StatusCode, Fault> {
    // Whatever content type is said: `curl -d` says it is a form.
    let command: WireCommand =
        serde_json::from_slice(&body).map_err(|error| Fault::BadCommand(error.to_string()))?;
    host.ask(ANSWER_LIMIT, |reply| Request::Command(command, reply))
        .await?
        .map_err(Fault::Refused)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn pair(State(host): State<Host>, body: Bytes) -> Result<Json<PairAnswer>, Fault> {
    let PairRequest { url } =
        serde_json::from_slice(&body).map_err(|error| Fault::BadCommand(error.to_string()))?;
    let answer = host.ask(ANSWER_LIMIT, |reply| Request::Pair(url, reply));
    let url = answer.await?.map_err(Fault::Refused)?;
    Ok(Json(PairAnswer { url }))
}

async fn unpair(State(host): State<Host>) -> Result<StatusCode, Fault> {
    let answer = host.ask(ANSWER_LIMIT, Request::Unpair).await?;
    answer.map_err(Fault::Refused)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct PictureQuery {
    max_width: Option<u32>,
    screen: Option<ScreenName>,
    /// Rather no picture than one that the display may not show.
    #[serde(default)]
    scanned_out: bool,
}

impl PictureQuery {
    fn source(&self) -> PictureSource {
        match self.scanned_out {
            true => PictureSource::ScannedOut,
            false => PictureSource::Best,
        }
    }
}

async fn screenshot_png(host: State<Host>, query: Query<PictureQuery>) -> Result<Response, Fault> {
    screenshot(host, query, PictureFormat::Png).await
}

async fn screenshot_jpg(host: State<Host>, query: Query<PictureQuery>) -> Result<Response, Fault> {
    screenshot(host, query, PictureFormat::Jpeg).await
}

async fn screenshot(
    State(host): State<Host>,
    Query(query): Query<PictureQuery>,
    format: PictureFormat,
) -> Result<Response, Fault> {
    let source = query.source();
    let bytes = picture(&host, format, query.max_width, query.screen, source).await?;
    Ok(picture_response(format, bytes.into()))
}

async fn picture(
    host: &Host,
    format: PictureFormat,
    max_width: Option<u32>,
    screen: Option<ScreenName>,
    source: PictureSource,
) -> Result<Vec<u8>, Fault> {
    host.ask(PICTURE_LIMIT, |reply| Request::Screenshot {
        format,
        max_width: max_width.map(|width| width.clamp(16, 16_384)),
        screen,
        source,
        reply,
    })
    .await?
    .map_err(Fault::NoPicture)
}

fn picture_response(format: PictureFormat, bytes: Bytes) -> Response {
    let kind = match format {
        PictureFormat::Png => "image/png",
        PictureFormat::Jpeg => "image/jpeg",
    };
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static(kind));
    ([kind, NO_STORE], bytes).into_response()
}

/// The viewers of the live page share their pictures.
struct Viewers {
    host: Host,
    /// For this long a picture serves all viewers.
    age: Duration,
    last: Mutex<Option<Shot>>,
}

struct Shot {
    taken: Instant,
    max_width: Option<u32>,
    bytes: Bytes,
}

impl Viewers {
    fn new(host: Host, age: Duration) -> Self {
        let last = Mutex::new(None);
        Self { host, age, last }
    }

    async fn picture(&self, max_width: Option<u32>) -> Result<Bytes, Fault> {
        // Whoever holds the lock takes the picture; the others wait for it and find it fresh.
        let mut last = self.last.lock().await;
        if let Some(shot) = &*last
            && shot.max_width == max_width
            && shot.taken.elapsed() < self.age
        {
            return Ok(shot.bytes.clone());
        }
        let taken = Instant::now();
        let bytes = Bytes::from(
            picture(
                &self.host,
                PictureFormat::Jpeg,
                max_width,
                None,
                PictureSource::Best,
            )
            .await?,
        );
        *last = Some(Shot {
            taken,
            max_width,
            bytes: bytes.clone(),
        });
        Ok(bytes)
    }
}

async fn screen(
    State(viewers): State<Arc<Viewers>>,
    Query(query): Query<PictureQuery>,
) -> Result<Response, Fault> {
    let bytes = viewers.picture(query.max_width).await?;
    Ok(picture_response(PictureFormat::Jpeg, bytes))
}

async fn events(State(host): State<Host>) -> Result<Response, Fault> {
    let mut events = host.ask(ANSWER_LIMIT, Request::Watch).await?;
    let (mut lines, body) = Channel::<Bytes>::new(EVENT_BUFFER);
    tokio::spawn(async move {
        let mut at_ms = 0;
        loop {
            let event = match events.recv().await {
                Ok(event) => event,
                Err(broadcast::error::RecvError::Lagged(missed)) => Event {
                    at_ms,
                    kind: EventKind::Lagged { missed },
                },
                Err(broadcast::error::RecvError::Closed) => return,
            };
            at_ms = event.at_ms;
            let Ok(mut line) = serde_json::to_vec(&event) else {
                log::error!("an event has no JSON form");
                continue;
            };
            line.push(b'\n');
            // It fails when the reader has gone.
            if lines.send_data(line.into()).await.is_err() {
                return;
            }
        }
    });
    let kind = HeaderValue::from_static("application/x-ndjson");
    Ok(([(header::CONTENT_TYPE, kind), NO_STORE], Body::new(body)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU8, Ordering};

    /// A host whose pictures are numbered from 0.
    fn numbered() -> Host {
        let number = AtomicU8::new(0);
        Host::new(move |request| {
            if let Request::Screenshot { reply, .. } = request {
                let number = number.fetch_add(1, Ordering::Relaxed);
                drop(reply.send(Ok(vec![number])));
            }
            Ok(())
        })
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(work)
    }

    #[test]
    fn viewers_share_a_picture_while_it_is_fresh() {
        let viewers = Viewers::new(numbered(), Duration::from_secs(3600));
        run(async {
            let (a, b) = tokio::join!(viewers.picture(Some(640)), viewers.picture(Some(640)));
            assert_eq!((&a, &b), (&Ok(vec![0].into()), &Ok(vec![0].into())));
            assert_eq!(viewers.picture(Some(640)).await, Ok(vec![0].into()));
            // Another width is another picture.
            assert_eq!(viewers.picture(None).await, Ok(vec![1].into()));
        });
    }

    #[test]
    fn an_old_picture_is_taken_again() {
        let viewers = Viewers::new(numbered(), Duration::ZERO);
        run(async {
            assert_eq!(viewers.picture(None).await, Ok(vec![0].into()));
            assert_eq!(viewers.picture(None).await, Ok(vec![1].into()));
        });
    }
}
