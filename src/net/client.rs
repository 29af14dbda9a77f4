//! The one task of the way to a house: alone, pairing or linked, one after the other.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    domain::{config::HouseUrl, ids::HouseId, protocol::sync::Play},
    net::{
        Ask, Discovery, Line, News, Options, Phase, Standing, Wish,
        cache::{Cache, Kept},
        discover::{Browser, Found},
        key::DeviceKey,
        link::{Link, LinkFile, Parting, Tie},
        offers::{self, Offers, Outcome},
        plays::PlayLog,
        shelf::{Shelf, Wanted, format_of},
    },
};

/// How long houses are looked for where somebody waits for the answer.
const LOOK: Duration = Duration::from_secs(3);
/// Then all count as found when no other was for so long.
const QUIET: Duration = Duration::from_secs(1);
/// The same where nobody waits.
const SURE: Duration = Duration::from_secs(3);

/// What to do next.
pub(super) enum Next {
    /// Wait for somebody to say something, or for a house to be found.
    Alone,
    /// Pair with this house.
    Pair(HouseUrl, Wish),
    /// Pair with whichever says yes first.
    Offer {
        /// Houses that stay in question.
        named: Vec<Found>,
        /// Those that it finds are in question for as long as it does.
        browser: Option<Browser>,
        /// Who wants it.
        wish: Wish,
    },
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
        if let Some(kept) = &kept {
            say_left_out(kept, None);
        }
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
        // The key is there from the first start on; whatever needs it tries again, and says what that comes to.
        if let Err(err) = DeviceKey::open(&self.options.state_dir) {
            log::error!(err = err.to_string().as_str(); "the box has no key that a house could know it by");
        }
        let mut next = self.first();
        loop {
            next = match next {
                Next::Alone => self.alone().await,
                Next::Pair(url, wish) => {
                    if wish == Wish::Person {
                        self.remember_asked(url.clone());
                    }
                    self.offer(vec![Found::at(url)], None, wish).await
                }
                Next::Offer {
                    named,
                    browser,
                    wish,
                } => {
                    if let (Wish::Person, [only]) = (wish, &*named) {
                        self.remember_asked(only.url.clone());
                    }
                    self.offer(named, browser, wish).await
                }
                Next::Serve(link) => {
                    // A new address of the same house has yet to prove itself.
                    let is_moved = matches!(&self.tie, Tie::Linked(known) if known.server_key == link.server_key && known.url != link.url);
                    if !is_moved {
                        self.relink(&link);
                    }
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
            (Tie::Asked { url, .. }, _) => Next::Pair(url.clone(), Wish::Nobody),
            (Tie::Parted { url, .. }, Some(configured)) if url == configured => Next::Alone,
            (Tie::Never | Tie::Parted { .. }, Some(url)) => Next::Pair(url.clone(), Wish::Nobody),
            (Tie::Never | Tie::Parted { .. }, None) => Next::Alone,
        }
    }

    /// Somebody wants the box to belong to this house. It is remembered over a power cut, as is the house that the box
    /// belongs to until then.
    fn remember_asked(&mut self, url: HouseUrl) {
        let before = self.tie.link().cloned().map(Box::new);
        self.remember(Tie::Asked { url, before });
    }

    /// After a house has said no: what the box belongs to remains.
    fn refused(&self, url: HouseUrl) -> Next {
        match self.tie.link() {
            Some(link) => {
                log::warn!(
                    "{url} has refused this box, which stays with the house at {}",
                    link.url
                );
                Next::Serve(link.clone())
            }
            None => Next::Part(url, Parting::Refused),
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
            // Whatever was shown until now was of the environment that is kept.
            let before = self.kept.as_ref().map(|kept| &kept.environment.house.id);
            match PlayLog::open(&self.options.state_dir, before) {
                Ok(plays) => self.plays = Some(plays),
                Err(err) => {
                    log::error!(err = err.to_string().as_str(); "no play log");
                }
            }
        }
        self.plays.as_mut()
    }

    /// Writes an entry of the play log.
    pub(super) fn played(&mut self, house: HouseId, play: Play) {
        if let Some(plays) = self.log()
            && let Err(err) = plays.append(house, play)
        {
            log::warn!(err = err.to_string().as_str(); "the play log cannot be written");
        }
    }

    /// What is asked while there is no house to ask: only the play log and the list of media are kept up.
    fn note(&mut self, ask: Ask) {
        match ask {
            Ask::Played(house, play) => self.played(house, play),
            Ask::Wanted(wanted) => self.wanted = wanted,
            Ask::State(_) | Ask::Done(..) | Ask::Picture { .. } => {}
            Ask::Pair(_, reply) => drop(reply.send(Err("the box is busy: ask again".to_owned()))),
            Ask::Unpair(reply) => drop(reply.send(Err("the box is busy: ask again".to_owned()))),
        }
    }

    /// Whether the box asks for codes without being told to: it never belonged to a house, or was taken off a list and
    /// has nothing left to play.
    fn pairs_by_itself(&self) -> bool {
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

    async fn alone(&mut self) -> Next {
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

    /// Tells that a person wants to pair the box with one of these: before the answer, so that who asks next sees
    /// nothing older.
    pub(super) fn begin(&mut self, houses: &[Found]) {
        if let Some(first) = houses.first() {
            let phase = offers::unanswered(houses, Wish::Person);
            self.stand(Some(&first.url), phase, None);
        }
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
    async fn offer(
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

    /// Nothing can be done about the house but to hear what is asked.
    pub(super) async fn rest(&mut self, url: &HouseUrl) -> Next {
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
                self.begin(&[Found::at(wanted.clone())]);
                let _ = reply.send(Ok(wanted.clone()));
                Some(Next::Pair(wanted, Wish::Person))
            }
            Some(Ask::Unpair(reply)) => {
                let _ = reply.send(Ok(()));
                Some(match &self.tie {
                    // Nobody wants that any more; what was before goes on.
                    Tie::Asked {
                        before: Some(link), ..
                    } => Next::Serve(Link::clone(link)),
                    _ => Next::Part(url.clone(), Parting::Unpaired),
                })
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

    /// Says what of an environment is not understood, where that is news.
    pub(super) fn tell_left_out(&self, kept: &Kept) {
        say_left_out(kept, self.kept.as_deref());
    }

    /// What the link file is to say from now on: the house has proved that it is at this address.
    pub(super) fn relink(&mut self, link: &Link) {
        self.remember(Tie::Linked(link.clone()));
    }
}

fn found(browser: &Option<Browser>) -> Vec<Found> {
    browser.as_ref().map(Browser::found).unwrap_or_default()
}

/// Says in the log what of an environment is not understood; once, however many changes follow.
fn say_left_out(kept: &Kept, before: Option<&Kept>) {
    if let Some(parts) = kept.newly_left_out(before) {
        log::warn!(
            "the house's environment is of a later version: what is not understood here is left out: {parts}"
        );
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
    use serde_json::json;

    use super::*;
    use crate::{
        domain::{
            ids::{Epoch, HouseId, HouseScreenId, Revision},
            session::Held,
        },
        net::{Identity, Search},
    };

    fn url(text: &str) -> HouseUrl {
        text.parse().expect("an address")
    }

    /// A client of this state folder.
    fn client(folder: &Path, configured: Option<&str>, discovery: Discovery) -> Client {
        client_with_asks(folder, configured, discovery).0
    }

    fn client_with_asks(
        folder: &Path,
        configured: Option<&str>,
        discovery: Discovery,
    ) -> (Client, mpsc::UnboundedSender<Ask>) {
        let options = Options {
            state_dir: folder.to_owned(),
            url: configured.map(url),
            identity: Identity {
                name: "Foyer".to_owned(),
                outputs: Vec::new(),
            },
            discovery,
            search: Search::Network,
        };
        let (asks, asked) = mpsc::unbounded_channel();
        let client = Client::new(options, Shelf::new(folder), asked, Box::new(|_| {}));
        (client, asks)
    }

    fn first(tie: Tie, configured: Option<&str>) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        LinkFile::new(folder.path()).write(&tie).expect("written");
        match client(folder.path(), configured, Discovery::Never).first() {
            Next::Alone => "alone".to_owned(),
            Next::Pair(url, _) => format!("pair {}", url.short()),
            Next::Serve(link) => format!("serve {}", link.url.short()),
            Next::Offer { .. } | Next::Part(..) | Next::End => "something else".to_owned(),
        }
    }

    /// Keeps an environment with a playlist of one medium, whose file may be there.
    fn keep_playlist(folder: &Path, is_there: bool) {
        let sha256 = "a".repeat(64);
        let source = json!({"src": "/api/v1/media/a", "sha256": sha256, "size": 9});
        let tracks = json!([{"id": "t1", "items": ["i1"]}]);
        let document = json!({
            "house": {"id": "h1", "name": "Gallery"},
            "items": {"i1": {"kind": "image", "formats": {"source": source}}},
            "playlists": {"p1": {"name": "Summer", "montages": [{"id": "m1", "tracks": tracks}]}},
        });
        let held = Held {
            epoch: Epoch::new("e1"),
            rev: Revision(1),
            document: Arc::new(document),
        };
        let kept = Kept::read(held, HouseScreenId::new("s1")).expect("an environment");
        Cache::new(folder).write(&kept).expect("written");
        if is_there {
            let media = folder.join("media");
            std::fs::create_dir_all(&media).expect("a folder");
            std::fs::write(media.join(sha256), b"a picture").expect("written");
        }
    }

    #[test]
    fn only_a_box_that_would_stay_dark_pairs_by_itself() {
        let parted = |why| Tie::Parted {
            url: url("a.example"),
            why,
        };
        let asked = Tie::Asked {
            url: url("a.example"),
            before: None,
        };
        for (tie, playlist, expected) in [
            (Tie::Never, None, true),
            (parted(Parting::Revoked), None, true),
            (parted(Parting::Revoked), Some(false), true),
            (parted(Parting::Revoked), Some(true), false),
            (parted(Parting::Refused), None, false),
            (parted(Parting::Unpaired), None, false),
            (asked, None, false),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let folder = folder.path();
            LinkFile::new(folder).write(&tie).expect("written");
            if let Some(is_there) = playlist {
                keep_playlist(folder, is_there);
            }
            let by_itself = |discovery| client(folder, None, discovery).pairs_by_itself();
            let told = by_itself(Discovery::PairsByItself);
            assert_eq!(told, expected, "{tie:?} {playlist:?}");
            assert!(!by_itself(Discovery::WhenAsked) && !by_itself(Discovery::Never));
        }
    }

    #[tokio::test]
    async fn the_first_start_makes_the_key_where_it_can() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("state");
        client(&state, None, Discovery::Never).run().await;
        let key = std::fs::read(state.join("device.key")).expect("a key");
        client(&state, None, Discovery::Never).run().await;
        let again = std::fs::read(state.join("device.key")).expect("the key");
        assert_eq!(key, again);

        let file = folder.path().join("file");
        std::fs::write(&file, "no folder").expect("written");
        client(&file, None, Discovery::Never).run().await;
    }

    #[tokio::test]
    async fn who_asks_is_answered_where_the_house_cannot_even_be_tried() {
        let folder = tempfile::tempdir().expect("a folder");
        // There is no key, and none can be made.
        std::fs::create_dir(folder.path().join("device.key")).expect("a folder");
        let link = Link {
            url: url("a.example"),
            configured: None,
            house: HouseId::new("h1"),
            screen: HouseScreenId::new("s1"),
            server_key: [1; 32],
            certificate: None,
        };
        let tie = Tie::Linked(link);
        LinkFile::new(folder.path()).write(&tie).expect("written");
        let (client, asks) = client_with_asks(folder.path(), None, Discovery::Never);
        let ((), answer) = tokio::join!(client.run(), async {
            let (reply, answer) = oneshot::channel();
            asks.send(Ask::Pair(None, reply)).expect("it runs");
            let answer = answer.await.expect("an answer");
            // It ends when nobody can ask any more.
            drop(asks);
            answer
        });
        assert_eq!(answer, Ok(url("a.example")));
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
            before: None,
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
