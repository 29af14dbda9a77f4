//! The WebSocket on which a house tells its boxes and pages everything: one task a connection.
//!
//! The rules are `domain::session`'s; here is what they lack: the socket, the clock, and the way to the store. A
//! connection takes little memory, since there may be thousands: small buffers, one mailbox, one timer.

use std::{pin::Pin, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, Method, header},
    response::Response,
};
use serde::Deserialize;
use tokio::{
    sync::watch,
    time::{Instant, Sleep, timeout},
};
use tokio_tungstenite::tungstenite::{self, Message as Wire};
use utoipa::IntoParams;

use crate::{
    db::{PlayRow, ReportRow, Role},
    domain::{
        ids::{ReportId, ScreenName},
        protocol::sync::{BoxState, MAX_PEER_FRAME, Message, Play},
        session::{Closing, HouseInput, HouseOutput, HouseSession, Peer},
        units::MediaTime,
    },
    web::{
        Server,
        caller::Caller,
        clock,
        guests::{Guest, Place, Standing, Word},
        hall::{Hall, Live},
        json::{Query, has_nul},
        problem::{Class, Problem},
        screens::report_frame,
        socket::{Socket, Upgrade},
    },
};

/// How long a peer may take to accept what is sent, or to send the rest of what is too long.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a peer may take to answer our close.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often it is noted that a quiet box is still there.
const NOTE_MS: i64 = 15_000;

/// Which house.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// The house; a box may leave it out.
    house: Option<String>,
}

/// `GET /api/v1/environment`: the WebSocket of `docs/protocol.md`.
#[utoipa::path(get, path = "/environment", tag = "environment", params(Which), responses((status = 101, description = "the protocol of docs/protocol.md begins")))]
pub async fn connect(
    State(server): State<Server>,
    Query(which): Query<Which>,
    caller: Caller,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    let (house, guest) = match &caller {
        Caller::Box { screen, house } => (house.clone(), Guest::Box(screen.clone())),
        Caller::Person { .. } | Caller::Program { .. } => {
            if matches!(caller, Caller::Person { .. }) {
                same_origin(&headers, &server.url)?;
            }
            let house = which.house.ok_or_else(|| {
                Problem::new(Class::BadRequest, "say which house, as in ?house=ID")
            })?;
            caller.may(&server, &house, Role::Viewer).await?;
            (house, Guest::Page(caller.name()))
        }
    };
    let hall = server.halls.must(&house).await?;
    let tasks = server.talks.clone();
    Ok(upgrade.open(&tasks, MAX_PEER_FRAME, async move |socket| {
        let talk = Talk::new(server, hall, guest, headers);
        Box::pin(talk.run(socket)).await;
    }))
}

/// A page of another site could open a socket with our cookie, but its origin would tell. A proxy may put another host
/// in place of the one that was asked for, so the address by which people reach the server is good, too.
fn same_origin(headers: &HeaderMap, public: &str) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = |url: &'_ str| url.split_once("://").map(|(_, host)| host.to_lowercase());
    let origin = text(header::ORIGIN).and_then(host);
    let asked = text(header::HOST).map(str::to_lowercase);
    match origin {
        Some(origin) if [asked, host(public)].contains(&Some(origin.clone())) => Ok(()),
        _ => Err(Problem::new(
            Class::Forbidden,
            "this page is not one of the house's: open the house's own page",
        )),
    }
}

/// One connection.
struct Talk {
    server: Server,
    hall: std::sync::Arc<Hall>,
    guest: Guest,
    /// By these a page or program is recognised again.
    headers: HeaderMap,
    session: HouseSession,
    begun: Instant,
    noted: i64,
    /// When the guest was last heard, in milliseconds since 1970.
    heard: i64,
    stored: Option<(ReportId, tokio::sync::oneshot::Receiver<()>)>,
}

/// Whether the connection goes on.
enum Next {
    GoOn,
    Ended,
}

impl Talk {
    fn new(server: Server, hall: std::sync::Arc<Hall>, guest: Guest, headers: HeaderMap) -> Self {
        let peer = match guest {
            Guest::Box(_) => Peer::Box,
            Guest::Page(_) => Peer::Page,
        };
        let mut kept = HeaderMap::new();
        for name in [header::AUTHORIZATION, header::COOKIE] {
            // A box is recognised by its device, and there may be thousands of them.
            if peer == Peer::Page
                && let Some(value) = headers.get(&name)
            {
                kept.insert(name, value.clone());
            }
        }
        Self {
            server,
            hall,
            guest,
            headers: kept,
            session: HouseSession::new(MediaTime::ZERO, peer),
            begun: Instant::now(),
            noted: 0,
            heard: 0,
            stored: None,
        }
    }

    fn now(&self) -> MediaTime {
        let elapsed = self.begun.elapsed().as_nanos();
        MediaTime::from_nanos(i64::try_from(elapsed).unwrap_or(i64::MAX))
    }

    async fn run(mut self, mut socket: Socket) {
        let mut place = self.hall.enter(self.guest.clone());
        let mut goes = self.server.halls.goes();
        let mut wake = Box::pin(tokio::time::sleep(PATIENCE));
        self.arrived().await;
        while let Next::GoOn = self.drain(&mut socket, wake.as_mut()).await {
            let input = self
                .next(&mut socket, &mut place, &mut goes, wake.as_mut())
                .await;
            let Some(input) = input else { continue };
            let ended = matches!(input, HouseInput::Closed);
            let now = self.now();
            self.hall
                .with_history(|history| self.session.handle(now, input, history));
            if ended {
                break;
            }
        }
        drop(place);
        // What is left are answers to commands that will not come.
        while let Some(output) = self.session.poll() {
            if let HouseOutput::Done { id, error } = output {
                self.answered(id.as_str(), error).await;
            }
        }
        self.left().await;
        // The peer's own close is read, so that the connection ends well on both sides.
        let patience = match socket.is_cut() {
            true => PATIENCE,
            false => FAREWELL,
        };
        let _ = timeout(patience, socket.see_off()).await;
    }

    /// Waits for the next thing to happen; nothing where there is nothing to tell the session.
    async fn next(
        &mut self,
        socket: &mut Socket,
        place: &mut Place,
        goes: &mut watch::Receiver<bool>,
        mut wake: Pin<&mut Sleep>,
    ) -> Option<HouseInput> {
        tokio::select! {
            biased;
            () = gone(goes) => Some(HouseInput::End(Closing::Restart)),
            standing = place.signal.changed() => match standing {
                Standing::Doubted => self.recheck().await,
                // Whoever may come again does, with a token of its own.
                Standing::Ousted => self.recheck().await.or(Some(HouseInput::Closed)),
                Standing::Replaced => Some(HouseInput::Closed),
                Standing::Homeless => Some(HouseInput::End(Closing::Revoked)),
            },
            word = place.words.next() => match word {
                Some(Word::Command(frame)) => Some(HouseInput::Command { id: frame.id, command: frame.command }),
                Some(Word::Tell(frame)) => Some(HouseInput::Tell(frame)),
                Some(Word::Lost) => {
                    self.tell_all();
                    None
                }
                None => Some(HouseInput::End(Closing::Restart)),
            },
            Ok(()) = place.revision.changed() => Some(HouseInput::Changed),
            stored = answer(&mut self.stored) => Some(stored),
            frame = socket.next() => Some(match frame {
                Some(Ok(Wire::Text(text))) => {
                    self.heard().await;
                    match Message::read(text.as_str()) {
                        // Databases keep no NUL.
                        Ok(_) if has_nul(text.as_str()) => HouseInput::Garbled,
                        Ok(message) => {
                            self.catch_up(&message).await;
                            HouseInput::Received(message)
                        }
                        Err(_) => HouseInput::Garbled,
                    }
                }
                Some(Ok(Wire::Binary(_))) => HouseInput::Garbled,
                Some(Ok(Wire::Ping(_) | Wire::Pong(_))) => {
                    self.heard().await;
                    HouseInput::Heard
                }
                Some(Err(tungstenite::Error::Capacity(_))) => HouseInput::End(Closing::TooBig),
                Some(Ok(Wire::Close(_) | Wire::Frame(_)) | Err(_)) | None => HouseInput::Closed,
            }),
            () = wake.as_mut() => {
                // Until the session says when to wake next.
                wake.reset(Instant::now() + PATIENCE);
                Some(HouseInput::Timer)
            }
        }
    }

    /// Does what the session wants.
    async fn drain(&mut self, socket: &mut Socket, mut wake: Pin<&mut Sleep>) -> Next {
        while let Some(output) = self.session.poll() {
            let sent = match output {
                HouseOutput::Send(frame) => timeout(PATIENCE, socket.send(frame.as_str())).await,
                HouseOutput::Ping => timeout(PATIENCE, socket.ping()).await,
                HouseOutput::Close { code, reason } => {
                    let _ = timeout(PATIENCE, socket.close(code, reason)).await;
                    return Next::Ended;
                }
                HouseOutput::Greeted(hello) => {
                    self.greeted(&hello.outputs).await;
                    continue;
                }
                HouseOutput::Reported { id, state, plays } => {
                    self.reported(id, state, plays).await;
                    continue;
                }
                HouseOutput::Done { id, error } => {
                    self.answered(id.as_str(), error).await;
                    continue;
                }
                HouseOutput::WakeAt(at) => {
                    let at = at.map_or(PATIENCE * 1000, MediaTime::duration);
                    wake.as_mut().reset(self.begun + at);
                    continue;
                }
            };
            if !matches!(sent, Ok(Ok(()))) {
                return Next::Ended;
            }
        }
        Next::GoOn
    }

    /// Tells a page what every screen has said last.
    fn tell_all(&mut self) {
        let now = self.now();
        for (screen, live) in self.hall.reports() {
            if let Some(report) = report_frame(&screen, &live) {
                self.hall.with_history(|history| {
                    let report = HouseInput::Tell(report);
                    self.session.handle(now, report, history);
                });
            }
        }
    }

    /// The guest may have lost its right to be here.
    async fn recheck(&mut self) -> Option<HouseInput> {
        if let Guest::Box(screen) = &self.guest {
            // A box's token runs out while it is connected; only its revocation ends the connection.
            return match self.server.store.device(screen).await {
                Ok(Some(device)) if device.revoked.is_none() => None,
                Ok(_) => Some(HouseInput::End(Closing::Revoked)),
                Err(_) => None,
            };
        }
        let again = Caller::of(&self.server, &Method::GET, &self.headers).await;
        let allowed = match again {
            Ok(caller) => caller.may(&self.server, self.hall.id(), Role::Viewer).await,
            Err(problem) => Err(problem),
        };
        match allowed.map_err(|problem| problem.class()) {
            Ok(_) | Err(Class::Internal | Class::Unavailable) => None,
            Err(_) => Some(HouseInput::End(Closing::Revoked)),
        }
    }

    /// A peer that knows a newer document than this server was at another one: the house is read again first.
    async fn catch_up(&self, message: &Message) {
        let Message::Hello(hello) = message else {
            return;
        };
        let behind = self.hall.with_history(|history| history.is_behind(hello));
        if behind && let Err(err) = self.hall.refresh().await {
            log::error!(err = err.to_string().as_str(); "a house could not be read again");
        }
    }

    /// A command has its answer, which perhaps another server waits for.
    async fn answered(&self, id: &str, error: Option<String>) {
        if !self.hall.answered(id, error.clone())
            && let Err(err) = self.server.store.answer_command(id, error).await
        {
            log::warn!(err = err.to_string().as_str(); "an answer does not reach who waits for it");
        }
    }

    async fn arrived(&mut self) {
        if let Guest::Box(screen) = &self.guest {
            log::info!(screen = screen.as_str(), house = self.hall.id(); "a box is connected");
        }
        self.tell(None, true).await;
    }

    async fn left(&mut self) {
        let Guest::Box(screen) = &self.guest else {
            return;
        };
        // Another connection of the same box may be here already.
        if !self.hall.is_here(screen) {
            log::info!(screen = screen.as_str(), house = self.hall.id(); "a box is gone");
            self.tell(None, false).await;
        }
    }

    /// A quiet box is noted from time to time, so that everybody knows that it is there.
    async fn heard(&mut self) {
        self.heard = clock::now_ms();
        if clock::now_ms() - self.noted >= NOTE_MS {
            self.tell(None, true).await;
        }
    }

    async fn greeted(&mut self, outputs: &[ScreenName]) {
        let Guest::Box(screen) = &self.guest else {
            return;
        };
        if outputs.is_empty() || self.hall.has_outputs(screen, outputs) {
            return;
        }
        if let Err(problem) = self.hall.outputs(screen, outputs).await {
            log::warn!(screen = screen.as_str(), err = problem.detail(); "the outputs of a box are not noted");
        }
    }

    async fn reported(
        &mut self,
        id: Option<ReportId>,
        state: Option<Box<BoxState>>,
        plays: Vec<Play>,
    ) {
        let Guest::Box(screen) = self.guest.clone() else {
            return;
        };
        let state = state.and_then(|state| serde_json::to_value(state).ok());
        self.tell(state, true).await;
        let (told, now) = (plays.len(), clock::now_ms());
        let rows = plays.into_iter().filter_map(|play| {
            let seq = i64::try_from(play.seq).ok()?;
            let at = clock::read(&play.at)?;
            Some(PlayRow {
                house: self.hall.id().to_owned(),
                screen: screen.clone(),
                seq,
                at: self.hall.dates().of(&screen, seq, at, now),
                output: play.output.as_str().to_owned(),
                playlist: play.playlist.map(|id| id.as_str().to_owned()),
                item: play.item.as_str().to_owned(),
                duration_ms: i64::try_from(play.duration_ms).ok()?,
            })
        });
        let rows: Vec<PlayRow> = rows.collect();
        // To refuse them would keep the box sending them for ever.
        if rows.len() < told {
            let lost = told - rows.len();
            log::warn!(screen = screen.as_str(), lost; "entries of the play log make no sense and are dropped");
        }
        if let Some(id) = id {
            self.stored = Some((id, self.server.ledger.plays(rows).await));
        }
    }

    /// Notes how a box is, and tells the pages.
    async fn tell(&mut self, state: Option<serde_json::Value>, online: bool) {
        let Guest::Box(screen) = &self.guest else {
            return;
        };
        if online {
            self.heard = clock::now_ms();
        }
        // One that has gone may be at another server since; what that has heard counts.
        let now = self.heard;
        self.noted = now;
        let live = Live {
            state,
            seen: now,
            online,
        };
        self.hall.note(screen, &live);
        let guests = self.hall.guests();
        if guests.has_pages()
            && let Some(report) = report_frame(screen, &live)
        {
            guests.tell_pages(&report);
        }
        let row = ReportRow {
            screen: screen.clone(),
            house: self.hall.id().to_owned(),
            state: live.state,
            seen: now,
            online,
        };
        self.server.ledger.report(row).await;
    }
}

/// Waits until the server goes.
async fn gone(goes: &mut watch::Receiver<bool>) {
    // Without a sender the server has gone.
    let _ = goes.wait_for(|goes| *goes).await;
}

/// Waits until the showings of a report are stored; for ever where there are none.
async fn answer(stored: &mut Option<(ReportId, tokio::sync::oneshot::Receiver<()>)>) -> HouseInput {
    let Some((_, receiver)) = stored.as_mut() else {
        return std::future::pending().await;
    };
    let done = receiver.await;
    let id = stored.take().map(|(id, _)| id);
    HouseInput::Stored {
        id: id.expect("it was there before the wait"),
        error: done
            .err()
            .map(|_| "the database does not answer".to_owned()),
    }
}
