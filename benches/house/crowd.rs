//! The boxes: one task each, which connects, says hello, notes the newest revision that it was told, and reports how it
//! is as a box does that plays.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::Semaphore,
};
use tokio_tungstenite::tungstenite::{
    Message, client::IntoClientRequest, protocol::WebSocketConfig,
};

use crate::stage::{Stage, token};

/// How many boxes shake hands at the same time.
const AT_ONCE: usize = 64;

/// How often a box that plays says how far it is.
const REPORTS: Duration = Duration::from_secs(10);

/// What a box holds.
#[derive(Default)]
struct Seat {
    rev: AtomicU64,
    /// When it was told that, in microseconds since the crowd began.
    at: AtomicU64,
}

/// All boxes.
pub struct Crowd {
    begun: Instant,
    seats: Arc<Vec<Seat>>,
}

/// What is read of a frame.
#[derive(Deserialize)]
struct Told {
    epoch: Option<String>,
    rev: Option<u64>,
}

impl Crowd {
    /// Connects all boxes; they stay, and come back when the server restarts.
    pub async fn connect(stage: &Stage) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let seats: Arc<Vec<Seat>> = Arc::new((0..stage.boxes).map(|_| Seat::default()).collect());
        let hands = Arc::new(Semaphore::new(AT_ONCE));
        let tls = match &stage.certificate {
            None => None,
            Some(certificate) => {
                let mut roots = rustls::RootCertStore::empty();
                roots.add(certificate.clone().into())?;
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let config = rustls::ClientConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()?
                    .with_root_certificates(roots)
                    .with_no_client_auth();
                Some(tokio_rustls::TlsConnector::from(Arc::new(config)))
            }
        };
        let (_, address) = stage.url.split_once("://").context("a URL")?;
        for number in 0..stage.boxes {
            let (seats, hands, tls) = (seats.clone(), hands.clone(), tls.clone());
            let address = address.to_owned();
            tokio::spawn(async move {
                let mut held: Option<(String, u64)> = None;
                loop {
                    // The rule of docs/protocol.md: the first time within ten seconds; spread by the box's number, so
                    // that every run is the same. The hand-shakes themselves wait for their turn.
                    let came = sit(
                        &seats,
                        begun,
                        number,
                        &address,
                        tls.as_ref(),
                        &hands,
                        &mut held,
                    )
                    .await;
                    if came.is_err() && number == 0 {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    let spread = (number as u64 * 7919) % 10_000;
                    tokio::time::sleep(Duration::from_millis(spread)).await;
                }
            });
        }
        Ok(Self { begun, seats })
    }

    /// Waits until all hold this revision.
    pub async fn reach(&self, rev: u64, patience: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + patience;
        loop {
            let missing = self
                .seats
                .iter()
                .filter(|seat| seat.rev.load(Ordering::Relaxed) < rev)
                .count();
            if missing == 0 {
                return Ok(());
            }
            if Instant::now() > until {
                bail!("{missing} boxes do not hold revision {rev}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How long after `from` each box was told this revision, in seconds, in order.
    pub async fn times_to(
        &self,
        rev: u64,
        from: Instant,
        patience: Duration,
    ) -> anyhow::Result<Vec<f64>> {
        self.reach(rev, patience).await?;
        let from = (from - self.begun).as_secs_f64();
        let times = self
            .seats
            .iter()
            .map(|seat| seat.at.load(Ordering::Relaxed) as f64 / 1e6 - from);
        let mut times: Vec<f64> = times.collect();
        times.sort_by(f64::total_cmp);
        Ok(times)
    }
}

async fn sit(
    seats: &[Seat],
    begun: Instant,
    number: usize,
    address: &str,
    tls: Option<&tokio_rustls::TlsConnector>,
    hands: &Semaphore,
    held: &mut Option<(String, u64)>,
) -> anyhow::Result<()> {
    let turn = hands.acquire().await?;
    let stream = TcpStream::connect(address).await?;
    match tls {
        None => talk(stream, turn, &seats[number], begun, number, address, held).await,
        Some(tls) => {
            let stream = tls.connect("localhost".try_into()?, stream).await?;
            talk(stream, turn, &seats[number], begun, number, address, held).await
        }
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    turn: tokio::sync::SemaphorePermit<'_>,
    seat: &Seat,
    begun: Instant,
    number: usize,
    address: &str,
    held: &mut Option<(String, u64)>,
) -> anyhow::Result<()> {
    let mut request = format!("ws://{address}/api/v1/environment").into_client_request()?;
    let bearer = format!("Bearer {}", token(number)).parse()?;
    request.headers_mut().insert("authorization", bearer);
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0);
    let (mut socket, _) =
        tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
    let hello = match &held {
        None => serde_json::json!({"type": "hello", "proto": 1, "outputs": ["main"]}),
        Some((epoch, rev)) => {
            serde_json::json!({"type": "hello", "proto": 1, "epoch": epoch, "rev": rev, "outputs": ["main"]})
        }
    };
    socket.send(Message::text(hello.to_string())).await?;
    let mut turn = Some(turn);
    let mut reports = tokio::time::interval(REPORTS);
    let mut uptime = Duration::ZERO;
    loop {
        let frame = tokio::select! {
            frame = socket.next() => frame,
            // The first time at once, but after what it is told.
            _ = reports.tick(), if turn.is_none() => {
                let text = report(number, uptime, held.as_ref()).to_string();
                socket.send(Message::text(text)).await?;
                uptime += REPORTS;
                continue;
            }
        };
        let Some(frame) = frame else { break };
        if let Message::Text(text) = frame? {
            let told: Told = serde_json::from_str(text.as_str())?;
            if let (Some(epoch), Some(rev)) = (told.epoch, told.rev) {
                seat.at.store(
                    u64::try_from(begun.elapsed().as_micros())?,
                    Ordering::Relaxed,
                );
                seat.rev.store(rev, Ordering::Relaxed);
                *held = Some((epoch, rev));
                turn.take();
            }
        }
    }
    Ok(())
}

/// How a box is that plays, with one item that it could not play.
fn report(number: usize, uptime: Duration, held: Option<&(String, u64)>) -> Value {
    let seconds = uptime.as_secs();
    serde_json::json!({"type": "reported", "state": {
        "state": "playing", "playlist": "p1", "position": "M0T0I0", "item": "i1", "title": format!("Item {number}"),
        "outputs": [{"name": "main", "position": "M0T0I0", "item": "i1"}],
        "power": "on", "version": "0.1.0", "uptime_ms": seconds * 1000,
        "rev": held.map(|(_, rev)| rev), "epoch": held.map(|(epoch, _)| epoch),
        "counters": {
            "presented": seconds * 60, "late": 0, "dropped": 0, "missed_vblanks": 0, "items_shown": seconds / 10,
        },
        "errors": [{"item": "i2", "kind": "corrupt", "message": "there is no video in it", "count": 1}],
        "media": {"complete": 3, "total": 4},
    }})
}
