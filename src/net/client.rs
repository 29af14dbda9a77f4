//! The one task of the way to a house: alone, pairing or linked, one after the other.

use std::{path::Path, sync::Arc};

use tokio::sync::mpsc;

use crate::{
    domain::{config::HouseUrl, ids::HouseId, protocol::sync::Play},
    net::{
        Ask, Line, News, Options, Phase, Standing, Wish,
        cache::{Cache, Kept},
        discover::{Browser, Found},
        key::DeviceKey,
        link::{Link, LinkFile, Parting, Tie},
        offers,
        plays::PlayLog,
        shelf::{Shelf, Wanted},
    },
};

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
    pub(super) tie: Tie,
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
    pub(super) fn remember_asked(&mut self, url: HouseUrl) {
        let before = self.tie.link().cloned().map(Box::new);
        self.remember(Tie::Asked { url, before });
    }

    /// After a house has said no: what the box belongs to remains.
    pub(super) fn refused(&self, url: HouseUrl) -> Next {
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

    pub(super) fn stand_beside(
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
    pub(super) fn note(&mut self, ask: Ask) {
        match ask {
            Ask::Played(house, play) => self.played(house, play),
            Ask::Wanted(wanted) => self.wanted = wanted,
            Ask::State(_) | Ask::Done(..) | Ask::Picture { .. } | Ask::Doubted(_) => {}
            Ask::Pair(_, reply) => drop(reply.send(Err("the box is busy: ask again".to_owned()))),
            Ask::Unpair(reply) => drop(reply.send(Err("the box is busy: ask again".to_owned()))),
        }
    }

    /// Tells that a person wants to pair the box with one of these: before the answer, so that who asks next sees
    /// nothing older.
    pub(super) fn begin(&mut self, houses: &[Found]) {
        if let Some(first) = houses.first() {
            let phase = offers::unanswered(houses, Wish::Person);
            self.stand(Some(&first.url), phase, None);
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

    pub(super) fn asked_while_pairing(&mut self, ask: Option<Ask>, url: &HouseUrl) -> Option<Next> {
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

/// Says in the log what of an environment is not understood; once, however many changes follow.
fn say_left_out(kept: &Kept, before: Option<&Kept>) {
    if let Some(parts) = kept.newly_left_out(before) {
        log::warn!(
            "the house's environment is of a later version: what is not understood here is left out: {parts}"
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::sync::oneshot;

    use super::*;
    use crate::{
        domain::{
            ids::{Epoch, HouseId, HouseScreenId, Revision},
            session::Held,
        },
        net::{Discovery, Identity, Search},
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
