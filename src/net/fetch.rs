//! Fetching media: whole files, one at a time, going on where a cut left off, checked before they count.

use std::{io, path::Path, time::Duration};

use reqwest::{Client, RequestBuilder, Response, StatusCode, header};
use serde::Deserialize;

use thiserror::Error;
use tokio::{
    io::AsyncWriteExt,
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    domain::{
        house::Format,
        protocol::{ErrorKind, sync::BoxError},
    },
    net::{
        api::{self, Api, ApiError},
        shelf::{Origin, Shelf, Wanted, is_hash, sha256_of},
        token::Tokens,
    },
    os::durable::{self, Readers},
};

/// The wait after the first failure of a medium; it doubles with every other.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The wait after a medium came whole and was another one: the same bytes would come again.
const OTHER_WAIT: Duration = Duration::from_secs(3600);
/// So many media that cannot be fetched are told.
const MOST_TROUBLES: usize = 16;

/// Why a medium did not come.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The server says no, or is not there.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The connection broke; what came is kept.
    #[error("the connection broke after {got} bytes: {message}")]
    Cut {
        /// How much is there.
        got: u64,
        /// What happened.
        message: String,
    },
    /// The server sends what was not asked for.
    #[error("the server answers strangely: {0}")]
    Strange(String),
    /// It came as a whole and is something else.
    #[error("its SHA-256 is {found}, the house says {wanted}")]
    Hash {
        /// What came.
        found: String,
        /// What should have come.
        wanted: String,
        /// Its beginning had come before, and may have been what was wrong.
        resumed: bool,
    },
    /// There is no room for it.
    #[error("the disk is full")]
    Full,
    /// The disk fails.
    #[error("writing it: {0}")]
    Disk(io::Error),
}

impl FetchError {
    /// Its class, in the words of the protocol.
    fn kind(&self) -> ErrorKind {
        match self {
            FetchError::Api(_) | FetchError::Cut { .. } | FetchError::Strange(_) => {
                ErrorKind::Network
            }
            FetchError::Hash { .. } => ErrorKind::Hash,
            FetchError::Full | FetchError::Disk(_) => ErrorKind::Missing,
        }
    }

    /// Whether it may be otherwise a moment later without anybody's doing.
    fn is_passing(&self) -> bool {
        match self {
            FetchError::Api(_) | FetchError::Cut { .. } => true,
            FetchError::Strange(_)
            | FetchError::Hash { .. }
            | FetchError::Full
            | FetchError::Disk(_) => false,
        }
    }
}

impl From<io::Error> for FetchError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FetchError::Full,
            _ => FetchError::Disk(error),
        }
    }
}

/// A medium that failed.
struct Failed {
    wanted: Wanted,
    times: u32,
    again: Instant,
    /// The last fault; nothing where it may be over in a moment.
    fault: Option<(ErrorKind, String)>,
}

/// What a fetcher tells.
pub enum Told {
    /// A medium is there as a whole.
    Arrived,
    /// These media cannot be fetched, and will be tried again.
    Troubles(Vec<BoxError>),
}

/// Fetches media for a box.
pub struct Fetcher {
    shelf: Shelf,
    api: Api,
    tokens: Tokens,
    world: Option<Client>,
    failed: Vec<Failed>,
}

impl Fetcher {
    /// One that fetches from a house and from where it sends the box.
    pub fn new(shelf: Shelf, api: Api, tokens: Tokens) -> Self {
        Self {
            shelf,
            api,
            tokens,
            world: None,
            failed: Vec::new(),
        }
    }

    /// Fetches what is wanted, the first first, for ever, and tells what comes of it.
    pub async fn run(mut self, mut wanted: watch::Receiver<Vec<Wanted>>, tell: impl Fn(Told)) {
        if let Err(err) = self.shelf.make() {
            log::error!(err = err.to_string().as_str(); "no folder for media: none are fetched");
            return std::future::pending().await;
        }
        let shelf = self.shelf.clone();
        let mut tidied = false;
        loop {
            let list = wanted.borrow_and_update().clone();
            if !tidied && !list.is_empty() {
                // Once a start is enough while there is room.
                self.clear(&list);
                tidied = true;
            }
            let is_wanted = |failed: &Failed| list.contains(&failed.wanted);
            if self.failed.iter().any(|failed| !is_wanted(failed)) {
                self.failed.retain(is_wanted);
                tell(Told::Troubles(self.troubles()));
            }
            let now = Instant::now();
            let (next, pause) = self.next(&list, now);
            let Some(next) = next else {
                let changed = match pause {
                    Some(until) => tokio::select! {
                        () = sleep_until(until) => Ok(()),
                        changed = wanted.changed() => changed,
                    },
                    None => wanted.changed().await,
                };
                if changed.is_err() {
                    return std::future::pending().await;
                }
                continue;
            };
            let outcome = tokio::select! {
                outcome = self.fetch(&next, &list) => outcome,
                // What came so far is kept, in case that it is still wanted.
                changed = overtaken(&mut wanted, &next, &shelf) => match changed {
                    true => continue,
                    false => return std::future::pending().await,
                },
            };
            match outcome {
                Ok(()) => {
                    log::info!(ITEM = next.item.as_str(); "a medium has arrived whole");
                    self.failed
                        .retain(|failed| failed.wanted.format != next.format);
                    tell(Told::Troubles(self.troubles()));
                    tell(Told::Arrived);
                }
                Err(err) => {
                    self.note(&next, &err);
                    tell(Told::Troubles(self.troubles()));
                }
            }
        }
    }

    /// The first medium that is missing and may be tried, else when one may be tried.
    fn next(&self, list: &[Wanted], now: Instant) -> (Option<Wanted>, Option<Instant>) {
        let mut pause: Option<Instant> = None;
        for wanted in list.iter().filter(|wanted| is_missing(&self.shelf, wanted)) {
            match self
                .failed
                .iter()
                .find(|failed| failed.wanted.format == wanted.format)
            {
                Some(failed) if failed.again > now => {
                    pause = Some(pause.map_or(failed.again, |pause| pause.min(failed.again)));
                }
                Some(_) | None => return (Some(wanted.clone()), None),
            }
        }
        (None, pause)
    }

    fn note(&mut self, wanted: &Wanted, error: &FetchError) {
        let known = self
            .failed
            .iter_mut()
            .find(|failed| failed.wanted.format == wanted.format);
        let times = known.as_ref().map_or(0, |failed| failed.times);
        let wait = match error {
            FetchError::Hash { resumed: false, .. } => OTHER_WAIT,
            _ => (FIRST_WAIT * 2_u32.saturating_pow(times.min(8))).min(LONGEST_WAIT),
        };
        let again = Instant::now() + wait;
        let is_told = times > 0 || !error.is_passing();
        let fault = is_told.then(|| (error.kind(), error.to_string()));
        if times == 0 {
            log::warn!(ITEM = wanted.item.as_str(), err = error.to_string().as_str(); "a medium cannot be fetched; it is tried again");
        } else {
            log::debug!(ITEM = wanted.item.as_str(), err = error.to_string().as_str(); "a medium cannot be fetched");
        }
        match known {
            Some(failed) => {
                (failed.times, failed.again, failed.fault) = (times + 1, again, fault);
            }
            None => self.failed.push(Failed {
                wanted: wanted.clone(),
                times: 1,
                again,
                fault,
            }),
        }
    }

    /// What people should know of.
    fn troubles(&self) -> Vec<BoxError> {
        let told = self.failed.iter().filter_map(|failed| {
            let (kind, why) = failed.fault.as_ref()?;
            Some(BoxError {
                item: Some(failed.wanted.item.clone()),
                kind: *kind,
                message: format!("cannot be fetched: {why}"),
                count: u64::from(failed.times),
            })
        });
        told.take(MOST_TROUBLES).collect()
    }

    fn clear(&self, list: &[Wanted]) {
        match self.shelf.clear(list) {
            Ok(0) => {}
            Ok(count) => log::info!("{count} files of media that no playlist has are removed"),
            Err(err) => {
                log::warn!(err = err.to_string().as_str(); "media that no playlist has cannot be removed")
            }
        }
    }

    /// Makes room for a medium by removing what is wanted less, the last first.
    fn give_up(&self, wanted: &Wanted, list: &[Wanted], missing: u64) {
        let place = list.iter().position(|other| other == wanted);
        let (first, last) = list.split_at(place.map_or(list.len(), |place| place + 1));
        match self
            .shelf
            .give_up(first, last, |shelf| shelf.has_room(missing))
        {
            Ok(0) => {}
            Ok(count) => {
                log::warn!(ITEM = wanted.item.as_str(); "the disk is full: {count} media that are not wanted as much make room")
            }
            Err(err) => {
                log::warn!(err = err.to_string().as_str(); "media that are not wanted as much cannot be removed")
            }
        }
    }

    async fn fetch(&mut self, wanted: &Wanted, list: &[Wanted]) -> Result<(), FetchError> {
        let format = &wanted.format;
        let part = self.shelf.part(format);
        let got = length(&part);
        let missing = format.size.saturating_sub(got);
        if !self.shelf.has_room(missing) {
            self.clear(list);
            self.give_up(wanted, list, missing);
            if !self.shelf.has_room(missing) {
                return Err(FetchError::Full);
            }
        }
        if format.size == 0 || got < format.size {
            let response = self.ask(format, got).await?;
            self.receive(format, got, response).await?;
        }
        self.finish(format, got > 0).await
    }

    /// Asks for what is missing.
    async fn ask(&mut self, format: &Format, got: u64) -> Result<Response, FetchError> {
        let tag = std::fs::read_to_string(self.shelf.tag(format)).ok();
        let request = self.request(&format.src).await?;
        let request = match (got, &tag) {
            (0, _) => request,
            (got, None) => request.header(header::RANGE, format!("bytes={got}-")),
            (got, Some(tag)) => request
                .header(header::RANGE, format!("bytes={got}-"))
                .header(header::IF_RANGE, tag.as_str()),
        };
        let response = api::send(request).await?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            self.drop_part(format)?;
            let message = "what is there is no beginning of what the server has";
            return Err(FetchError::Strange(message.to_owned()));
        }
        Ok(api::accepted(response).await?)
    }

    /// A request for a medium. The house's own are behind links that it signs: they hold for one medium and for minutes,
    /// and may lead to another server, which never sees the box's token.
    async fn request(&mut self, src: &str) -> Result<RequestBuilder, FetchError> {
        let url = match self.api.url().medium(src) {
            Some(name) => self.link(name).await?,
            None => src.to_owned(),
        };
        match Origin::of(&url, self.api.url()) {
            Origin::House(url) => Ok(self.api.fetch(&url)),
            Origin::World(url) => Ok(self.world()?.get(url)),
            Origin::Live(_) | Origin::Nowhere => {
                let message = format!("{url} is nowhere to fetch from");
                Err(FetchError::Strange(message))
            }
        }
    }

    /// The signed link to a medium of the house.
    async fn link(&self, name: &str) -> Result<String, ApiError> {
        #[derive(Deserialize)]
        struct Link {
            url: String,
        }

        let path = format!("/media/{name}/link");
        let mut renewed = false;
        loop {
            let token = self.tokens.token().await?;
            match self.api.get::<Link>(&path, &token.text).await {
                Err(err) if err.is_unauthorized() && !renewed => {
                    self.tokens.forget(&token).await;
                    renewed = true;
                }
                answer => return answer.map(|link| link.url),
            }
        }
    }

    fn world(&mut self) -> Result<&Client, ApiError> {
        match &mut self.world {
            Some(client) => Ok(client),
            none => Ok(none.insert(api::world_client()?)),
        }
    }

    async fn receive(
        &self,
        format: &Format,
        got: u64,
        mut response: Response,
    ) -> Result<(), FetchError> {
        let headers = response.headers();
        let text = |name| {
            headers
                .get(name)
                .and_then(|value: &header::HeaderValue| value.to_str().ok())
        };
        let from = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let range = text(header::CONTENT_RANGE).unwrap_or_default();
                let wanted = format!("bytes {got}-");
                if !range.starts_with(&wanted) {
                    return Err(FetchError::Strange(format!("it sends \"{range}\"")));
                }
                got
            }
            // It has no ranges, or something else by now.
            _ => 0,
        };
        let part = self.shelf.part(format);
        if from == 0 {
            // Only a strong tag says that bytes are the same.
            let tag = text(header::ETAG).filter(|tag| !tag.starts_with("W/"));
            let path = self.shelf.tag(format);
            match tag {
                Some(tag) => durable::write(&path, tag.as_bytes(), Readers::All)?,
                None => durable::remove(&path)?,
            }
        }
        let mut file = tokio::fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(from == 0)
            .append(from > 0)
            .open(&part)
            .await?;
        let mut got = from;
        let outcome = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    got += chunk.len() as u64;
                    if format.size > 0 && got > format.size {
                        self.drop_part(format)?;
                        let message = format!("it is longer than {} bytes", format.size);
                        return Err(FetchError::Strange(message));
                    }
                    file.write_all(&chunk).await?;
                }
                Ok(None) => break Ok(()),
                Err(err) => {
                    let message = api::causes(&err.without_url());
                    break Err(FetchError::Cut { got, message });
                }
            }
        };
        file.flush().await?;
        file.sync_data().await?;
        match outcome {
            Ok(()) if got < format.size => Err(FetchError::Cut {
                got,
                message: "the server sends no more".to_owned(),
            }),
            outcome => outcome,
        }
    }

    /// Checks what came and gives it its name.
    async fn finish(&self, format: &Format, resumed: bool) -> Result<(), FetchError> {
        let part = self.shelf.part(format);
        if is_hash(&format.sha256) {
            let hashed = part.clone();
            let found = tokio::task::spawn_blocking(move || sha256_of(&hashed))
                .await
                .map_err(io::Error::other)??;
            if !found.eq_ignore_ascii_case(&format.sha256) {
                self.drop_part(format)?;
                return Err(FetchError::Hash {
                    found,
                    wanted: format.sha256.clone(),
                    resumed,
                });
            }
        }
        durable::remove(&self.shelf.tag(format))?;
        Ok(durable::publish(&part, &self.shelf.place(format))?)
    }

    fn drop_part(&self, format: &Format) -> io::Result<()> {
        durable::remove(&self.shelf.tag(format))?;
        durable::remove(&self.shelf.part(format))
    }
}

/// Whether a medium has to be fetched.
fn is_missing(shelf: &Shelf, wanted: &Wanted) -> bool {
    shelf.src(&wanted.format).is_none()
}

/// Waits until something else is to be fetched first; false when nobody wants anything any more.
async fn overtaken(
    wanted: &mut watch::Receiver<Vec<Wanted>>,
    current: &Wanted,
    shelf: &Shelf,
) -> bool {
    loop {
        if wanted.changed().await.is_err() {
            return false;
        }
        let list = wanted.borrow_and_update();
        let first = list.iter().find(|wanted| is_missing(shelf, wanted));
        if first.is_none_or(|first| first.format != current.format) {
            drop(list);
            wanted.mark_changed();
            return true;
        }
    }
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |data| data.len())
}
