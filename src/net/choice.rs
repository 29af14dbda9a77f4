//! Which house to ask: one that is named, one that is known, or those that are found on the network.

use std::time::Duration;

use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    domain::config::HouseUrl,
    net::{
        Ask, Discovery, Phase, Wish,
        client::{Client, Next},
        discover::{Browser, Found},
        key::DeviceKey,
        link::{Link, Parting, Tie},
        offers::{self, Offers, Outcome},
        shelf::format_of,
    },
};

/// How long houses are looked for where somebody waits for the answer.
const LOOK: Duration = Duration::from_secs(3);
/// Then all count as found when no other was for so long.
const QUIET: Duration = Duration::from_secs(1);
/// The same where nobody waits.
const SURE: Duration = Duration::from_secs(3);

impl Client {
    /// Whether the box asks for codes without being told to: it never belonged to a house, or was taken off a list and
    /// has nothing left to play.
    pub(super) fn pairs_by_itself(&self) -> bool {
        match self.options.discovery {
            Discovery::WhenAsked | Discovery::Never => return false,
            Discovery::PairsByItself => {}
        }
        match &self.tie {
            Tie::Never => true,
            Tie::Parted { why, .. } => *why == Parting::Revoked && !self.has_something_to_play(),
            Tie::Linked(_) | Tie::Asked { .. } => false,
        }
    }

    /// Whether any playlist of the kept environment can be played, in part at least.
    fn has_something_to_play(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| {
            let environment = &kept.environment;
            let mut playlists = environment
                .playlists
                .keys()
                .map(|id| environment.playlist(id, |_, item| self.shelf.src(format_of(item)?)));
            playlists.any(|playlist| playlist.is_some())
        })
    }

    pub(super) async fn alone(&mut self) -> Next {
        let (url, phase) = match &self.tie {
            Tie::Parted { url, why } => (Some(url.clone()), Phase::Parted(*why)),
            Tie::Never | Tie::Linked(_) | Tie::Asked { .. } => (None, Phase::Alone),
        };
        let by_itself = self.pairs_by_itself();
        if by_itself && let Some(url) = &self.options.url {
            return Next::Pair(url.clone(), Wish::Nobody);
        }
        let mut browser = match self.options.discovery {
            Discovery::PairsByItself => self.browse(),
            Discovery::WhenAsked | Discovery::Never => None,
        };
        let mut sure = None;
        loop {
            self.stand_beside(url.as_ref(), phase.clone(), None, found(&browser));
            tokio::select! {
                ask = self.asks.recv() => match ask {
                    None => return Next::End,
                    Some(Ask::Pair(wanted, reply)) => {
                        if let Some(next) = self.choose(wanted, &mut browser, reply).await {
                            return next;
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
                    let names: Vec<String> =
                        found(&browser).into_iter().map(|house| house.name).collect();
                    if by_itself && !names.is_empty() {
                        log::info!("found here, and asked for a code: {}", names.join(", "));
                        return Next::Offer {
                            named: Vec::new(),
                            browser,
                            wish: Wish::Nobody,
                        };
                    }
                }
            }
        }
    }

    /// With whom to pair now that somebody wants it: the house that is named or known, or else those that are found.
    /// The first is also the answer to whoever asked.
    async fn choose(
        &mut self,
        wanted: Option<HouseUrl>,
        browser: &mut Option<Browser>,
        reply: oneshot::Sender<Result<HouseUrl, String>>,
    ) -> Option<Next> {
        let (known, before) = match &self.tie {
            Tie::Asked { url, .. } => (Some(url.clone()), None),
            Tie::Linked(link) => (Some(link.url.clone()), None),
            Tie::Parted { url, .. } => (None, Some(url.clone())),
            Tie::Never => (None, None),
        };
        let named = wanted.or_else(|| self.options.url.clone()).or(known);
        if let Some(url) = named {
            self.begin(&[Found::at(url.clone())]);
            let _ = reply.send(Ok(url.clone()));
            return Some(Next::Pair(url, Wish::Person));
        }
        let mut houses = self.look(browser).await;
        // It may be one that does not announce itself.
        if let Some(url) = before
            && houses.iter().all(|house| house.url != url)
        {
            houses.push(Found::at(url));
        }
        let answer = match houses.first() {
            Some(first) => Ok(first.url.clone()),
            None => {
                let advice = "no house is known: name one, as in museboxctl pair https://gallery.example:8443";
                Err(match browser {
                    Some(_) => format!("no house announces itself here, and {advice}"),
                    None => advice.to_owned(),
                })
            }
        };
        let chosen = answer.is_ok();
        self.begin(&houses);
        let _ = reply.send(answer);
        chosen.then(|| Next::Offer {
            named: houses,
            browser: browser.take(),
            wish: Wish::Person,
        })
    }
    /// Looks for houses, for somebody who waits.
    async fn look(&self, browser: &mut Option<Browser>) -> Vec<Found> {
        if browser.is_none() && self.options.discovery != Discovery::Never {
            *browser = self.browse();
        }
        let Some(browser) = browser else {
            return Vec::new();
        };
        let end = Instant::now() + LOOK;
        loop {
            let until = match browser.found().is_empty() {
                true => end,
                false => end.min(Instant::now() + QUIET),
            };
            if timeout_at(until, browser.changed()).await.is_err() {
                return browser.found();
            }
        }
    }

    /// Begins to look for a house whose address nobody has named, where the box may.
    pub(super) fn look_for_its_house(&self) -> Option<Browser> {
        let may = self.options.url.is_none() && self.options.discovery != Discovery::Never;
        may.then(|| self.browse()).flatten()
    }

    /// Whether the configuration names this address for a house that was at another one.
    pub(super) fn is_named_anew(&self, url: &HouseUrl) -> bool {
        let before = self.tie.link().map(|link| &link.url);
        self.options.url.as_ref() == Some(url) && before.is_some_and(|before| before != url)
    }

    fn browse(&self) -> Option<Browser> {
        match Browser::start(&self.options.search) {
            Ok(browser) => Some(browser),
            Err(err) => {
                log::warn!(err = err.as_str(); "houses on the network cannot be looked for");
                None
            }
        }
    }

    /// Asks houses for codes until one of them lets the box in: those that are named, and those that a browser finds.
    pub(super) async fn offer(
        &mut self,
        named: Vec<Found>,
        mut browser: Option<Browser>,
        mut wish: Wish,
    ) -> Next {
        let in_question = |browser: &Option<Browser>| {
            let mut houses = named.clone();
            houses.extend(found(browser));
            houses
        };
        let key = match DeviceKey::open(&self.options.state_dir) {
            Ok(key) => key,
            Err(err) => {
                log::error!(err = err.to_string().as_str(); "the box cannot be paired");
                let houses = in_question(&browser);
                let Some(first) = houses.first() else {
                    return Next::Alone;
                };
                let phase = offers::unanswered(&houses, wish);
                self.stand(Some(&first.url), phase, Some(err.to_string()));
                return self.rest(&first.url).await;
            }
        };
        let mut offers = Offers::new(self.options.identity.clone(), key);
        loop {
            offers.ask(&in_question(&browser));
            let Some(first) = offers.first().cloned() else {
                return match offers.refused() {
                    Some(url) => self.refused(url.clone()),
                    None => Next::Alone,
                };
            };
            let (phase, problem) = offers.standing(wish);
            self.stand(Some(&first), phase, problem);
            tokio::select! {
                outcome = offers.next() => match outcome {
                    Outcome::Changed => {}
                    Outcome::Linked(link) => {
                        return Next::Serve(Link {
                            configured: self.options.url.clone(),
                            ..*link
                        });
                    }
                },
                () = changed(&mut browser) => {}
                ask = self.asks.recv() => match ask {
                    Some(Ask::Pair(None, reply)) => {
                        wish = Wish::Person;
                        offers.hurry();
                        let (phase, problem) = offers.standing(wish);
                        if let Phase::Pairing { .. } = phase {
                            self.remember_asked(first.clone());
                        }
                        self.stand(Some(&first), phase, problem);
                        let _ = reply.send(Ok(first));
                    }
                    ask => {
                        if let Some(next) = self.asked_while_pairing(ask, &first) {
                            return next;
                        }
                    }
                },
            }
        }
    }
}

fn found(browser: &Option<Browser>) -> Vec<Found> {
    browser.as_ref().map(Browser::found).unwrap_or_default()
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
