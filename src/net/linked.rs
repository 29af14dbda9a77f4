//! Steered by a house: the session's rules with a real socket, clock and random numbers.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use reqwest::{Method, header};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use crate::{
    domain::{
        config::HouseUrl,
        ids::{CommandId, HouseScreenId, ScreenName},
        protocol::sync::{
            BoxError, BoxState, CLOSE_GOING_AWAY, CLOSE_REVOKED, ErrorCode, Message, Play,
        },
        session::{BoxInput, BoxOutput, BoxSession, Held},
        units::MediaTime,
    },
    net::{
        Ask, Line, News, Wish,
        api::{self, Api, ApiError},
        cache::Kept,
        checks::Checks,
        client::{Client, Next},
        discover::{Browser, Found},
        fetch::{Fetcher, Told},
        key::DeviceKey,
        link::{Link, Parting},
        socket::{Came, Socket},
        tls::Trust,
        token::Tokens,
    },
    os::clock,
};

/// How often the play log is brought onto the disk and handed over, where it has grown.
const SYNC_EVERY: Duration = Duration::from_secs(5);

type Connecting = Pin<Box<dyn Future<Output = Result<(Socket, HouseScreenId), ApiError>> + Send>>;

/// What is asked beside the connection.
type Question = Pin<Box<dyn Future<Output = Option<Answer>> + Send>>;

/// What a house has proved with its key.
enum Answer {
    /// That the box is off its list.
    Parted,
    /// That it is at another address.
    At(HouseUrl),
}

/// One house's way, while the box is linked.
struct Service<'a> {
    client: &'a mut Client,
    link: Link,
    api: Api,
    tokens: Tokens,
    session: BoxSession,
    socket: Option<Socket>,
    connecting: Option<Connecting>,
    /// Looks for the house on the network while it cannot be reached.
    browser: Option<Browser>,
    question: Option<Question>,
    /// The newest entry of the play log that the session has.
    handed: u64,
    wake: Option<MediaTime>,
    /// What commands came to that took a while.
    done: mpsc::UnboundedSender<(CommandId, Option<String>)>,
    problem: Option<String>,
    /// How the box was when it was told last.
    state: Option<Box<BoxState>>,
    /// Media that cannot be fetched.
    troubles: Vec<BoxError>,
    checks: Checks,
}

impl Client {
    /// Lets the house steer, until that ends.
    pub(super) async fn serve(&mut self, link: Link) -> Next {
        self.stand_linked(&link, Line::Down, None);
        let key = DeviceKey::open(&self.options.state_dir).map_err(|err| err.to_string());
        let api = Api::new(link.url.clone(), trust(&link)).map_err(|err| err.to_string());
        let (key, api) = match (key, api) {
            (Ok(key), Ok(api)) => (key, api),
            (Err(err), _) | (_, Err(err)) => {
                log::error!(err = err.as_str(); "the house cannot be spoken to");
                self.stand_linked(&link, Line::Down, Some(err));
                return self.rest(&link.url).await;
            }
        };
        let tokens = Tokens::new(api.clone(), key, link.server_key);
        let held = self.kept.as_ref().map(|kept| kept.held.clone());
        let outputs = self.options.identity.outputs.clone();
        let version = env!("CARGO_PKG_VERSION");
        let session = BoxSession::new(clock::monotonic(), version, outputs, held);
        let (done, dones) = mpsc::unbounded_channel();
        let checks = Checks::new(self.shelf.clone());
        let mut service = Service {
            client: self,
            link,
            api,
            tokens,
            session,
            socket: None,
            connecting: None,
            browser: None,
            question: None,
            handed: 0,
            wake: None,
            done,
            problem: None,
            state: None,
            troubles: Vec::new(),
            checks,
        };
        let next = service.run(dones).await;
        if let Some(socket) = service.socket.take() {
            socket.close(CLOSE_GOING_AWAY).await;
        }
        next
    }
}

impl Service<'_> {
    async fn run(
        &mut self,
        mut dones: mpsc::UnboundedReceiver<(CommandId, Option<String>)>,
    ) -> Next {
        // What waits in it is handed over with the first tick.
        self.client.log();
        let (want, wanted) = watch::channel(self.client.wanted.clone());
        let (tell, mut told) = mpsc::unbounded_channel();
        let fetcher = Fetcher::new(
            self.client.shelf.clone(),
            self.api.clone(),
            self.tokens.clone(),
        );
        let fetching = fetcher.run(wanted, move |what| {
            let _ = tell.send(what);
        });
        let mut fetching = std::pin::pin!(fetching);
        let mut sync = interval(SYNC_EVERY);
        sync.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if let Some(next) = self.carry_out().await {
                return next;
            }
            let outcome = tokio::select! {
                ask = self.client.asks.recv() => match ask {
                    None => return Next::End,
                    Some(Ask::Wanted(list)) => {
                        self.client.wanted.clone_from(&list);
                        want.send_replace(list);
                        Outcome::Nothing
                    }
                    Some(Ask::Doubted(file)) => {
                        self.checks.doubt(file);
                        Outcome::Nothing
                    }
                    Some(ask) => self.asked(ask),
                },
                answer = answered(&mut self.question) => {
                    self.question = None;
                    self.answered(answer)
                }
                () = found(&mut self.browser) => {
                    self.seek();
                    Outcome::Nothing
                }
                outcome = connected(&mut self.connecting) => {
                    self.connecting = None;
                    self.connected(outcome)
                }
                came = came(&mut self.socket) => self.came(came),
                () = until(self.wake) => Outcome::Input(BoxInput::Timer),
                Some((id, error)) = dones.recv() => Outcome::Input(BoxInput::Done { id, error }),
                Some(told) = told.recv() => self.fetched(told),
                // While there is no house to fetch a medium from, what is left of it is better than nothing.
                () = self.checks.found_missing(), if self.socket.is_some() => {
                    // Whoever fetches looks what is missing.
                    want.send_modify(|_| {});
                    Outcome::Nothing
                }
                _ = sync.tick() => {
                    self.hand_over();
                    Outcome::Nothing
                }
                () = &mut fetching => Outcome::Nothing,
            };
            match outcome {
                Outcome::Input(input) => self.handle(input),
                Outcome::Nothing => {}
                Outcome::Next(next) => return next,
            }
        }
    }

    fn fetched(&mut self, told: Told) -> Outcome {
        match told {
            Told::Arrived => {
                self.client.news(News::Arrived);
                Outcome::Nothing
            }
            Told::Troubles(troubles) => {
                let is_news = std::mem::replace(&mut self.troubles, troubles) != self.troubles;
                match &self.state {
                    Some(state) if is_news => Outcome::Input(self.report(state)),
                    Some(_) | None => Outcome::Nothing,
                }
            }
        }
    }

    /// How the box is, with what only its way to the house knows.
    fn report(&self, state: &BoxState) -> BoxInput {
        let mut state = state.clone();
        // What is obeyed, which is not what was sent where that is no environment.
        if let Some(kept) = &self.client.kept {
            state.rev = Some(kept.held.rev);
            state.epoch = Some(kept.held.epoch.clone());
        }
        state.errors.extend(self.troubles.iter().cloned());
        BoxInput::Report(Box::new(state))
    }

    fn handle(&mut self, input: BoxInput) {
        self.session.handle(clock::monotonic(), input, chance());
    }

    /// Brings the play log onto the disk, and hands over what has come there.
    fn hand_over(&mut self) {
        let Some(plays) = &mut self.client.plays else {
            return;
        };
        if let Err(err) = plays.sync() {
            log::warn!(err = err.to_string().as_str(); "the play log cannot be written");
        }
        let waiting = plays.waiting(&self.link.house, self.handed);
        // The session keeps what it is handed in memory: the rest waits in the log.
        let waiting = waiting.take(self.session.room_for_plays());
        let waiting: Vec<Play> = waiting.cloned().collect();
        if let Some(last) = waiting.last() {
            self.handed = last.seq;
            self.handle(BoxInput::Played(waiting));
        }
    }

    /// Does what the session says.
    async fn carry_out(&mut self) -> Option<Next> {
        while let Some(output) = self.session.poll() {
            match output {
                BoxOutput::Connect => self.connect(),
                BoxOutput::Send(message) => self.send(&message).await,
                BoxOutput::Ping => {
                    let sent = match &mut self.socket {
                        Some(socket) => socket.ping().await,
                        None => true,
                    };
                    if !sent {
                        self.broke();
                    }
                }
                BoxOutput::Close { code } => {
                    self.connecting = None;
                    if let Some(socket) = self.socket.take() {
                        // Beside us: the next connection does not wait for it.
                        tokio::spawn(socket.close(code));
                    }
                    self.line();
                }
                BoxOutput::Adopt(held) => self.adopt(held),
                BoxOutput::Carry { id, command } => self.client.news(News::Command(id, command)),
                BoxOutput::Stored { seq } => {
                    if let Some(plays) = &mut self.client.plays
                        && let Err(err) = plays.settle(seq)
                    {
                        log::warn!(err = err.to_string().as_str(); "the play log cannot be written");
                    }
                }
                BoxOutput::Told(error) => {
                    log::warn!(code = format!("{:?}", error.code).as_str(); "the house says: {}", error.message);
                    match error.code {
                        ErrorCode::UnknownProto => self.problem = Some(error.message),
                        ErrorCode::Revoked => self.doubt(),
                        ErrorCode::BadMessage
                        | ErrorCode::NoHello
                        | ErrorCode::TooBig
                        | ErrorCode::Unknown => {}
                    }
                    self.line();
                }
                BoxOutput::WakeAt(at) => self.wake = Some(at),
            }
        }
        None
    }

    fn connect(&mut self) {
        let (api, tokens) = (self.api.clone(), self.tokens.clone());
        self.connecting = Some(Box::pin(async move {
            let token = tokens.token().await?;
            match Socket::connect(&api, &token.text).await {
                Ok(socket) => Ok((socket, token.screen)),
                Err(err) => {
                    if err.is_unauthorized() {
                        tokens.forget(&token).await;
                    }
                    Err(err)
                }
            }
        }));
    }

    /// Somebody says that the box is off the list. Only the house's signature takes it off, so that is asked for.
    fn doubt(&mut self) {
        let tokens = self.tokens.clone();
        self.question = Some(Box::pin(async move {
            tokens.renew().await;
            let answer = tokens.token().await;
            matches!(answer, Err(ApiError::Parted { .. })).then_some(Answer::Parted)
        }));
    }

    /// The house cannot be reached: asks whoever is found whether it is the house.
    fn seek(&mut self) {
        if self.question.is_some() || self.socket.is_some() {
            return;
        }
        let (tokens, trust) = (self.tokens.clone(), trust(&self.link));
        let found = self.browser.iter().flat_map(Browser::found);
        let mut others: Vec<HouseUrl> = found.map(|house| house.url).collect();
        others.retain(|url| *url != self.link.url);
        self.question = Some(Box::pin(async move {
            for url in others {
                if let Ok(api) = Api::new(url.clone(), trust.clone())
                    && tokens.at(api).is_house().await
                {
                    return Some(Answer::At(url));
                }
            }
            None
        }));
    }

    fn answered(&mut self, answer: Option<Answer>) -> Outcome {
        match answer {
            Some(Answer::Parted) => Outcome::Next(self.revoked()),
            Some(Answer::At(url)) => {
                log::info!("the house is at {url} now, no longer at {}", self.link.url);
                let link = Link {
                    url,
                    ..self.link.clone()
                };
                self.client.relink(&link);
                Outcome::Next(Next::Serve(link))
            }
            None => Outcome::Nothing,
        }
    }

    fn connected(&mut self, outcome: Result<(Socket, HouseScreenId), ApiError>) -> Outcome {
        match outcome {
            Ok((socket, screen)) => {
                log::info!("connected to the house at {}", self.link.url);
                self.link.screen = screen;
                self.client.relink(&self.link);
                (self.browser, self.question) = (None, None);
                self.problem = None;
                self.socket = Some(socket);
                self.line();
                Outcome::Input(BoxInput::Opened)
            }
            Err(ApiError::Parted { .. }) => Outcome::Next(self.revoked()),
            Err(err) if err.is_another_house() && self.client.is_named_anew(&self.link.url) => {
                log::info!(
                    "{} is another house than before: it is asked for a code",
                    self.link.url
                );
                Outcome::Next(Next::Pair(self.link.url.clone(), Wish::Nobody))
            }
            Err(err) => {
                match &self.browser {
                    Some(_) => self.seek(),
                    None => self.browser = self.client.look_for_its_house(),
                }
                let text = err.to_string();
                if self.problem.as_ref() != Some(&text) {
                    log::warn!(err = text.as_str(); "no connection to the house; what is here goes on");
                }
                self.problem = Some(text);
                self.line();
                Outcome::Input(BoxInput::Closed { code: None })
            }
        }
    }

    fn came(&mut self, came: Came) -> Outcome {
        match came {
            Came::Text(text) => Outcome::Input(match Message::read(&text) {
                Ok(message) => BoxInput::Received(message),
                Err(err) => {
                    log::debug!(err = err.to_string().as_str(); "a frame from the house");
                    BoxInput::Garbled
                }
            }),
            Came::Binary => Outcome::Input(BoxInput::Garbled),
            Came::Beat => Outcome::Input(BoxInput::Heard),
            Came::End(code) => {
                self.socket = None;
                log::info!("the connection to the house has ended; what is here goes on");
                self.line();
                if code == Some(CLOSE_REVOKED) {
                    self.doubt();
                    return Outcome::Input(BoxInput::Closed { code: None });
                }
                Outcome::Input(BoxInput::Closed { code })
            }
        }
    }

    async fn send(&mut self, message: &Message) {
        let sent = match &mut self.socket {
            Some(socket) => socket.send(message.write()).await,
            None => true,
        };
        if !sent {
            self.broke();
        }
    }

    /// The connection cannot be written to.
    fn broke(&mut self) {
        if self.socket.take().is_some() {
            self.line();
            self.handle(BoxInput::Closed { code: None });
        }
    }

    /// Tells whether there is a connection.
    fn line(&mut self) {
        let line = match self.socket {
            Some(_) => Line::Up,
            None => Line::Down,
        };
        self.client
            .stand_linked(&self.link, line, self.problem.clone());
    }

    fn adopt(&mut self, held: Held) {
        match Kept::read(held, self.link.screen.clone()) {
            Ok(kept) if !kept.has_screen() => {
                log::warn!(
                    "the house's environment is without this box's screen; the one before stays"
                );
            }
            Ok(kept) => {
                self.client.tell_left_out(&kept);
                let kept = Arc::new(kept);
                // Obeyed first, kept then: the disk may be slow.
                self.client.news(News::Environment(kept.clone()));
                if let Err(err) = self.client.cache.write(&kept) {
                    log::error!(err = err.to_string().as_str(); "the environment cannot be kept: after a restart without a network the one before holds");
                }
                self.client.kept = Some(kept);
            }
            Err(err) => {
                log::error!(err = err.to_string().as_str(); "what the house sent is no environment; the one before stays");
            }
        }
    }

    fn revoked(&mut self) -> Next {
        log::warn!(
            "the house at {} has taken this box off its list",
            self.link.url
        );
        self.socket = None;
        Next::Part(self.link.url.clone(), Parting::Revoked)
    }

    fn asked(&mut self, ask: Ask) -> Outcome {
        match ask {
            Ask::Pair(wanted, reply) => {
                let url = wanted.unwrap_or_else(|| self.link.url.clone());
                if url == self.link.url && self.socket.is_some() {
                    let why =
                        format!("the box belongs to {url} already: museboxctl unpair ends that");
                    let _ = reply.send(Err(why));
                    return Outcome::Nothing;
                }
                self.client.begin(&[Found::at(url.clone())]);
                let _ = reply.send(Ok(url.clone()));
                Outcome::Next(Next::Pair(url, Wish::Person))
            }
            Ask::Unpair(reply) => {
                let _ = reply.send(Ok(()));
                Outcome::Next(Next::Part(self.link.url.clone(), Parting::Unpaired))
            }
            Ask::State(state) => {
                let report = self.report(&state);
                self.state = Some(state);
                Outcome::Input(report)
            }
            Ask::Played(house, play) => {
                self.client.played(house, play);
                Outcome::Nothing
            }
            Ask::Done(id, error) => Outcome::Input(BoxInput::Done { id, error }),
            Ask::Picture {
                command,
                output,
                jpeg: Ok(jpeg),
            } => {
                self.put_picture(command, output.as_ref(), jpeg);
                Outcome::Nothing
            }
            Ask::Picture {
                command,
                output: _,
                jpeg: Err(error),
            } => Outcome::Input(BoxInput::Done {
                id: command,
                error: Some(error),
            }),
            Ask::Wanted(_) | Ask::Doubted(_) => Outcome::Nothing,
        }
    }

    /// Hands a picture over, and only then says that the command is done.
    fn put_picture(&self, id: CommandId, output: Option<&ScreenName>, jpeg: Vec<u8>) {
        let (api, tokens, done) = (self.api.clone(), self.tokens.clone(), self.done.clone());
        let path = picture_path(&self.link.screen, output);
        tokio::spawn(async move {
            let put = async {
                let token = tokens.token().await?;
                let request = api
                    .request(Method::PUT, &path, Some(&token.text))
                    .header(header::CONTENT_TYPE, "image/jpeg")
                    .body(jpeg);
                api::accepted(api::send(request).await?).await
            };
            let error = put.await.err().map(|err| err.to_string());
            let _ = done.send((id, error));
        });
    }
}

/// Where a picture of an output goes; of the first, where none is named.
fn picture_path(screen: &HouseScreenId, output: Option<&ScreenName>) -> String {
    let path = format!("/screens/{screen}/picture");
    match output {
        Some(output) => {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("output", output.as_str());
            format!("{path}?{}", query.finish())
        }
        None => path,
    }
}

/// What comes of what happened.
enum Outcome {
    /// Something for the session.
    Input(BoxInput),
    /// Nothing more.
    Nothing,
    /// The end of this.
    Next(Next),
}

fn trust(link: &Link) -> Trust {
    link.certificate.map_or(Trust::Authorities, Trust::Pinned)
}

async fn answered(question: &mut Option<Question>) -> Option<Answer> {
    match question {
        Some(question) => question.await,
        None => std::future::pending().await,
    }
}

async fn found(browser: &mut Option<Browser>) {
    match browser {
        Some(browser) => browser.changed().await,
        None => std::future::pending().await,
    }
}

async fn connected(
    connecting: &mut Option<Connecting>,
) -> Result<(Socket, HouseScreenId), ApiError> {
    match connecting {
        Some(connecting) => connecting.await,
        None => std::future::pending().await,
    }
}

async fn came(socket: &mut Option<Socket>) -> Came {
    match socket {
        Some(socket) => socket.next().await,
        None => std::future::pending().await,
    }
}

async fn until(time: Option<MediaTime>) {
    match time {
        Some(time) => sleep_until(Instant::now() + (time - clock::monotonic()).duration()).await,
        None => std::future::pending().await,
    }
}

/// A random number from 0 to 1.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        // The longest wait, then.
        Err(_) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_goes_where_its_output_says() {
        let path = |output: Option<&str>| {
            let output = output.map(ScreenName::new);
            picture_path(&HouseScreenId::new("s1"), output.as_ref())
        };
        assert_eq!(path(None), "/screens/s1/picture");
        assert_eq!(path(Some("left")), "/screens/s1/picture?output=left");
        assert_eq!(
            path(Some("north wall & stairs/2")),
            "/screens/s1/picture?output=north+wall+%26+stairs%2F2"
        );
    }
}
