//! The one task of the way to a house: alone, pairing or linked, one after the other.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    domain::{config::HouseUrl, protocol::sync::Play},
    net::{
        Ask, Discovery, Line, News, Options, Phase, Standing, Wish,
        cache::{Cache, Kept},
        discover::{Browser, Found},
        key::DeviceKey,
        link::{Link, LinkFile, Parting, Tie},
        pairing::{self, PairingError},
        plays::PlayLog,
        shelf::{Shelf, Wanted},
    },
};

/// How long a house is looked for where somebody waits for the answer.
const LOOK: Duration = Duration::from_secs(3);
/// The only house counts as the only one when no other was found for so long.
const SURE: Duration = Duration::from_secs(3);
/// The wait after a pairing that came to nothing; it doubles with every other.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// The wait before another code is asked for.
const AFTER_EXPIRY: Duration = Duration::from_secs(1);
/// The longest such wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What to do next.
pub(super) enum Next {
    /// Wait for somebody to say something, or for a house to be found.
    Alone,
    /// Pair with this house.
    Pair(HouseUrl, Wish),
    /// Be steered by this house.
    Serve(Link),
    /// No longer belong to this one.
    Part(HouseUrl, Parting),
    /// The box ends.
    End,
}

/// The task.
pub(super) struct Client {
    pub(super) options: Options,
    pub(super) shelf: Shelf,
    pub(super) asks: mpsc::UnboundedReceiver<Ask>,
    tell: Box<dyn Fn(News) + Send>,
    file: LinkFile,
    pub(super) cache: Cache,
    tie: Tie,
    pub(super) kept: Option<Arc<Kept>>,
    pub(super) plays: Option<PlayLog>,
    pub(super) wanted: Vec<Wanted>,
    told: Standing,
}

impl Client {
    /// Reads what is remembered.
    pub fn new(
        options: Options,
        shelf: Shelf,
        asks: mpsc::UnboundedReceiver<Ask>,
        tell: Box<dyn Fn(News) + Send>,
    ) -> Self {
        let folder: &Path = &options.state_dir;
        let (file, cache) = (LinkFile::new(folder), Cache::new(folder));
        let unread = |what: &str, err: std::io::Error| {
            log::error!(err = err.to_string().as_str(); "{what} cannot be read: going on as if there were none");
        };
        let tie = file.read().unwrap_or_else(|err| {
            unread("what the box remembers of its house", err);
            Tie::Never
        });
        let kept = cache.read().unwrap_or_else(|err| {
            unread("the kept environment", err);
            None
        });
        Self {
            shelf,
            asks,
            tell,
            file,
            cache,
            tie,
            kept: kept.map(Arc::new),
            plays: None,
            wanted: Vec::new(),
            told: Standing::default(),
            options,
        }
    }

    /// The environment that was kept.
    pub fn kept(&self) -> Option<Arc<Kept>> {
        self.kept.clone()
    }

    /// Runs until nobody asks any more.
    pub async fn run(mut self) {
        let mut next = self.first();
        loop {
            next = match next {
                Next::Alone => self.alone().await,
                Next::Pair(url, wish) => {
                    if wish == Wish::Person {
                        // It is remembered over a power cut.
                        self.remember(Tie::Asked { url: url.clone() });
                    }
                    self.pair(url, wish).await
                }
                Next::Serve(link) => {
                    self.remember(Tie::Linked(link.clone()));
                    self.serve(link).await
                }
                Next::Part(url, why) => {
                    self.remember(Tie::Parted { url, why });
                    if why == Parting::Unpaired {
                        self.forget();
                    }
                    Next::Alone
                }
                Next::End => break,
            };
        }
        if let Some(plays) = &mut self.plays {
            let _ = plays.sync();
        }
    }

    /// What to do after a start.
    fn first(&self) -> Next {
        match (&self.tie, &self.options.url) {
            // The address may have changed; the key says whether it is still the same house.
            (Tie::Linked(link), Some(url)) if link.configured.as_ref() != Some(url) => {
                Next::Serve(Link {
                    url: url.clone(),
                    configured: Some(url.clone()),
                    ..link.clone()
                })
            }
            (Tie::Linked(link), _) => Next::Serve(link.clone()),
            (Tie::Asked { url }, _) => Next::Pair(url.clone(), Wish::Nobody),
            (Tie::Parted { url, .. }, Some(configured)) if url == configured => Next::Alone,
            (Tie::Never | Tie::Parted { .. }, Some(url)) => Next::Pair(url.clone(), Wish::Nobody),
            (Tie::Never | Tie::Parted { .. }, None) => Next::Alone,
        }
    }

    fn remember(&mut self, tie: Tie) {
        if tie == self.tie {
            return;
        }
        if let Err(err) = self.file.write(&tie) {
            log::error!(err = err.to_string().as_str(); "how the box stands to its house cannot be written: it is lost with the next restart");
        }
        self.tie = tie;
    }

    fn forget(&mut self) {
        self.kept = None;
        if let Err(err) = self.cache.forget() {
            log::error!(err = err.to_string().as_str(); "the kept environment cannot be removed");
        }
        self.news(News::Forgotten);
    }

    pub(super) fn news(&self, news: News) {
        (self.tell)(news);
    }

    /// Tells how it stands, where that is news.
    pub(super) fn stand(&mut self, url: Option<&HouseUrl>, phase: Phase, problem: Option<String>) {
        self.stand_beside(url, phase, problem, Vec::new());
    }

    fn stand_beside(
        &mut self,
        url: Option<&HouseUrl>,
        phase: Phase,
        problem: Option<String>,
        found: Vec<Found>,
    ) {
        let standing = Standing {
            url: url.cloned(),
            phase,
            problem,
            found,
        };
        if standing != self.told {
            self.told = standing.clone();
            self.news(News::Standing(standing));
        }
    }

    /// The play log, opened when it is first needed.
    pub(super) fn log(&mut self) -> Option<&mut PlayLog> {
        if self.plays.is_none() {
            match PlayLog::open(&self.options.state_dir) {
                Ok(plays) => self.plays = Some(plays),
                Err(err) => {
                    log::error!(err = err.to_string().as_str(); "no play log");
                }
            }
        }
        self.plays.as_mut()
    }

    /// Writes an entry of the play log; answers it with its number.
    pub(super) fn played(&mut self, play: Play) -> Option<Play> {
        match self.log()?.append(play) {
            Ok(play) => Some(play),
            Err(err) => {
                log::warn!(err = err.to_string().as_str(); "the play log cannot be written");
                None
            }
        }
    }

    /// What is asked while there is no house to ask: only the play log and the list of media are kept up.
    fn note(&mut self, ask: Ask) {
        match ask {
            Ask::Played(play) => drop(self.played(play)),
            Ask::Wanted(wanted) => self.wanted = wanted,
            Ask::State(_) | Ask::Done(..) | Ask::Picture(..) => {}
            Ask::Pair(_, reply) => drop(reply.send(Err("the box is busy: ask again".to_owned()))),
            Ask::Unpair(reply) => drop(reply.send(Err("the box is busy: ask again".to_owned()))),
        }
    }

    async fn alone(&mut self) -> Next {
        let (url, phase) = match &self.tie {
            Tie::Parted { url, why } => (Some(url.clone()), Phase::Parted(*why)),
            Tie::Never | Tie::Linked(_) | Tie::Asked { .. } => (None, Phase::Alone),
        };
        let mut browser = match self.options.discovery {
            Discovery::PairsWithTheOnlyOne => browse(),
            Discovery::WhenAsked | Discovery::Never => None,
        };
        let pairs = browser.is_some() && self.tie == Tie::Never;
        let mut sure = None;
        loop {
            let found = browser.as_ref().map(Browser::found).unwrap_or_default();
            self.stand_beside(url.as_ref(), phase.clone(), None, found);
            tokio::select! {
                ask = self.asks.recv() => match ask {
                    None => return Next::End,
                    Some(Ask::Pair(wanted, reply)) => {
                        if let Some(url) = self.choose(wanted, &mut browser, reply).await {
                            return Next::Pair(url, Wish::Person);
                        }
                    }
                    Some(Ask::Unpair(reply)) => {
                        drop(reply.send(Err("the box belongs to no house".to_owned())));
                    }
                    Some(other) => self.note(other),
                },
                () = changed(&mut browser) => sure = Some(Instant::now() + SURE),
                () = until(sure) => {
                    sure = None;
                    let found = browser.as_ref().map(Browser::found).unwrap_or_default();
                    if let (true, [only]) = (pairs, &*found) {
                        log::info!("the house {} is the only one here: pairing with it", only.name);
                        return Next::Pair(only.url.clone(), Wish::Nobody);
                    }
                }
            }
        }
    }

    /// The house to pair with, which is also the answer to whoever asked.
    async fn choose(
        &mut self,
        wanted: Option<HouseUrl>,
        browser: &mut Option<Browser>,
        reply: oneshot::Sender<Result<HouseUrl, String>>,
    ) -> Option<HouseUrl> {
        let before = match &self.tie {
            Tie::Parted { url, .. } | Tie::Asked { url } => Some(url.clone()),
            Tie::Linked(link) => Some(link.url.clone()),
            Tie::Never => None,
        };
        let known = wanted.or_else(|| self.options.url.clone()).or(before);
        let chosen = match known {
            Some(url) => Ok(url),
            None => self.look(browser).await,
        };
        let url = chosen.clone().ok();
        if let Some(url) = &url {
            self.begin(url);
        }
        let _ = reply.send(chosen);
        url
    }

    /// Tells that a person wants to pair the box: before the answer, so that who asks next sees nothing older.
    pub(super) fn begin(&mut self, url: &HouseUrl) {
        let phase = Phase::Pairing {
            invitation: None,
            wish: Wish::Person,
        };
        self.stand(Some(url), phase, None);
    }

    /// Looks for a house on the network.
    async fn look(&self, browser: &mut Option<Browser>) -> Result<HouseUrl, String> {
        let none =
            "no house is known: name one, as in museboxctl pair https://gallery.example:8443";
        if browser.is_none() && self.options.discovery != Discovery::Never {
            *browser = browse();
        }
        let Some(browser) = browser else {
            return Err(none.to_owned());
        };
        if browser.found().is_empty() {
            let _ = timeout(LOOK, browser.changed()).await;
        }
        match &*browser.found() {
            [] => Err(format!("no house announces itself here, and {none}")),
            [only] => Ok(only.url.clone()),
            several => {
                let names = several
                    .iter()
                    .map(|found| format!("{} ({})", found.url, found.name));
                let names: Vec<String> = names.collect();
                Err(format!(
                    "there are several houses here, name one: {}",
                    names.join(", ")
                ))
            }
        }
    }

    async fn pair(&mut self, url: HouseUrl, wish: Wish) -> Next {
        let phase = |invitation| Phase::Pairing { invitation, wish };
        let mut wait = FIRST_WAIT;
        let key = match DeviceKey::open(&self.options.state_dir) {
            Ok(key) => key,
            Err(err) => {
                log::error!(err = err.to_string().as_str(); "the box cannot be paired");
                self.stand(Some(&url), phase(None), Some(err.to_string()));
                return self.rest(&url).await;
            }
        };
        let identity = self.options.identity.clone();
        let mut problem = None;
        loop {
            self.stand(Some(&url), phase(None), problem.take());
            let (invite, mut invited) = mpsc::unbounded_channel();
            let pairing = pairing::pair(&url, &identity, &key, |invitation| {
                let _ = invite.send(invitation);
            });
            let mut pairing = std::pin::pin!(pairing);
            let outcome = loop {
                tokio::select! {
                    outcome = &mut pairing => break outcome,
                    Some(invitation) = invited.recv() => {
                        log::info!(
                            "pair this box at {url}/pair with the code {}; its check number is {}",
                            invitation.code, invitation.check
                        );
                        wait = FIRST_WAIT;
                        self.stand(Some(&url), phase(Some(invitation)), None);
                    }
                    ask = self.asks.recv() => {
                        if let Some(next) = self.asked_while_pairing(ask, &url) {
                            return next;
                        }
                    }
                }
            };
            let error = match outcome {
                Ok(link) => {
                    log::info!("the box belongs to the house at {url} now");
                    return Next::Serve(Link {
                        configured: self.options.url.clone(),
                        ..link
                    });
                }
                Err(PairingError::Expired) => {
                    log::info!("the code has expired: asking for another");
                    sleep(AFTER_EXPIRY).await;
                    continue;
                }
                Err(error @ PairingError::Refused(_)) => {
                    log::warn!("{error}");
                    return Next::Part(url.clone(), Parting::Refused);
                }
                Err(error @ (PairingError::Api(_) | PairingError::Tampered(_))) => error,
            };
            log::warn!(err = error.to_string().as_str(); "the box cannot be paired yet");
            problem = Some(error.to_string());
            self.stand(Some(&url), phase(None), problem.clone());
            let pause = sleep(wait);
            let mut pause = std::pin::pin!(pause);
            wait = (2 * wait).min(LONGEST_WAIT);
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    ask = self.asks.recv() => {
                        if let Some(next) = self.asked_while_pairing(ask, &url) {
                            return next;
                        }
                    }
                }
            }
        }
    }

    /// Nothing can be done about the house but to hear what is asked.
    async fn rest(&mut self, url: &HouseUrl) -> Next {
        loop {
            let ask = self.asks.recv().await;
            if let Some(next) = self.asked_while_pairing(ask, url) {
                return next;
            }
        }
    }

    fn asked_while_pairing(&mut self, ask: Option<Ask>, url: &HouseUrl) -> Option<Next> {
        match ask {
            None => Some(Next::End),
            Some(Ask::Pair(wanted, reply)) => {
                let wanted = wanted.unwrap_or_else(|| url.clone());
                self.begin(&wanted);
                let _ = reply.send(Ok(wanted.clone()));
                Some(Next::Pair(wanted, Wish::Person))
            }
            Some(Ask::Unpair(reply)) => {
                let _ = reply.send(Ok(()));
                Some(Next::Part(url.clone(), Parting::Unpaired))
            }
            Some(other) => {
                self.note(other);
                None
            }
        }
    }

    /// How it stands with the house of a link.
    pub(super) fn stand_linked(&mut self, link: &Link, line: Line, problem: Option<String>) {
        let phase = Phase::Linked {
            house: link.house.clone(),
            screen: link.screen.clone(),
            line,
        };
        self.stand(Some(&link.url), phase, problem);
    }

    /// What the link file is to say from now on.
    pub(super) fn relink(&mut self, link: &Link) {
        self.remember(Tie::Linked(link.clone()));
    }
}

fn browse() -> Option<Browser> {
    match Browser::start() {
        Ok(browser) => Some(browser),
        Err(err) => {
            log::warn!(err = err.as_str(); "houses on the network cannot be looked for");
            None
        }
    }
}

async fn changed(browser: &mut Option<Browser>) {
    match browser {
        Some(browser) => browser.changed().await,
        None => std::future::pending().await,
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::ids::{HouseId, HouseScreenId},
        net::Identity,
    };

    fn url(text: &str) -> HouseUrl {
        text.parse().expect("an address")
    }

    fn first(tie: Tie, configured: Option<&str>) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        LinkFile::new(folder.path()).write(&tie).expect("written");
        let options = Options {
            state_dir: folder.path().to_owned(),
            url: configured.map(url),
            identity: Identity {
                name: "Foyer".to_owned(),
                outputs: Vec::new(),
            },
            discovery: Discovery::Never,
        };
        let (_asks, asked) = mpsc::unbounded_channel();
        let shelf = Shelf::new(folder.path());
        let client = Client::new(options, shelf, asked, Box::new(|_| {}));
        match client.first() {
            Next::Alone => "alone".to_owned(),
            Next::Pair(url, _) => format!("pair {}", url.short()),
            Next::Serve(link) => format!("serve {}", link.url.short()),
            Next::Part(..) | Next::End => "something else".to_owned(),
        }
    }

    #[test]
    fn a_start_goes_on_where_the_box_was() {
        let link = |configured: Option<&str>| {
            Tie::Linked(Link {
                url: url("a.example"),
                configured: configured.map(url),
                house: HouseId::new("h1"),
                screen: HouseScreenId::new("s1"),
                server_key: [1; 32],
                certificate: None,
            })
        };
        let asked = || Tie::Asked {
            url: url("a.example"),
        };
        let parted = || Tie::Parted {
            url: url("a.example"),
            why: Parting::Refused,
        };
        for (tie, configured, next) in [
            (Tie::Never, None, "alone"),
            (Tie::Never, Some("a.example"), "pair a.example"),
            (asked(), None, "pair a.example"),
            // Somebody at the box has said so, later than the file was written.
            (asked(), Some("b.example"), "pair a.example"),
            (link(None), None, "serve a.example"),
            // The house has moved: its key says whether it is the same.
            (link(None), Some("b.example"), "serve b.example"),
            // What was named before somebody at the box chose another house is old.
            (
                link(Some("b.example")),
                Some("b.example"),
                "serve a.example",
            ),
            (parted(), None, "alone"),
            (parted(), Some("a.example"), "alone"),
            (parted(), Some("b.example"), "pair b.example"),
        ] {
            assert_eq!(
                first(tie.clone(), configured),
                next,
                "{tie:?} {configured:?}"
            );
        }
    }
}
