//! The server itself: from its settings to a running process, and to an end that loses nothing.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, bail};
use axum_server::Handle;
use hyper_util::rt::TokioTimer;
use sd_notify::NotifyState;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::timeout,
};

use crate::{
    blob::Files,
    db,
    house::{
        alerts::{self, Lookout},
        announce::Announcement,
        args::{Serve, database_url},
        desk,
        folder::{data_folder, make_private},
        post::Post,
        tls::{self, Tls},
        webhook::Reach,
        whereabouts::{self, Whereabouts},
    },
    web::{self, Server, clock, dates, uploads},
};

/// How long connections get to end by themselves.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long a request's head may take to come. A connection that waits for its next request is ended then, too.
const HEAD: Duration = Duration::from_secs(30);
/// How often it is looked what other servers have heard.
const AROUND: Duration = Duration::from_secs(2);
/// A box that was not heard for so long is not connected: it misses three heartbeats.
const SILENT_MS: i64 = 90_000;
/// How often it is looked whether pages may still be where they are: a session may have run out, or have been ended at
/// the command line.
const DOUBT: Duration = Duration::from_secs(30);
/// How often what has expired is removed.
const PRUNE: Duration = Duration::from_secs(600);
/// How long an upload that does not go on is kept: a week.
const UPLOAD_MS: i64 = 7 * 24 * 3600 * 1000;

/// A server that can be started.
pub struct Plan {
    settings: Serve,
    address: SocketAddr,
    folder: PathBuf,
    database: String,
    media: PathBuf,
    security: Security,
    post: Post,
}

/// How what goes over the network is protected.
enum Security {
    /// Not at all: only this machine can listen.
    Loopback,
    /// By somebody in front of the server.
    Proxy,
    /// By a certificate from files.
    Files(PathBuf, PathBuf),
    /// By a certificate of our own.
    Own,
}

impl Plan {
    /// Checks the settings.
    pub fn of(settings: Serve) -> anyhow::Result<Self> {
        let address = settings.address();
        let folder = data_folder(settings.data.clone());
        let database = database_url(settings.database.clone(), &folder);
        let security = match (&settings.tls_cert, &settings.tls_key) {
            (Some(cert), Some(key)) => Security::Files(cert.clone(), key.clone()),
            (Some(_), None) | (None, Some(_)) => {
                bail!("tls_cert and tls_key belong together: give both")
            }
            (None, None) if settings.behind_proxy => Security::Proxy,
            (None, None) if address.ip().is_loopback() => Security::Loopback,
            (None, None) => Security::Own,
        };
        let media = match settings.media.as_deref() {
            None => folder.join("media"),
            Some(url) => match url.strip_prefix("file://") {
                Some(path) => PathBuf::from(path),
                None if url.contains("://") => {
                    bail!("{url}: media are kept in a folder, as in file:///srv/media")
                }
                None => PathBuf::from(url),
            },
        };
        let post = post(&settings).context("the settings for alerts")?;
        Ok(Self {
            settings,
            address,
            folder,
            database,
            media,
            security,
            post,
        })
    }

    /// Runs until a signal ends it.
    pub async fn run(self) -> anyhow::Result<()> {
        make_private(&self.folder)?;
        let store = db::open(&self.database)
            .await
            .context("opening the database")?;
        let files = Files::open(&self.media).await?;
        let tls = match &self.security {
            Security::Loopback | Security::Proxy => None,
            Security::Files(cert, key) => Some(tls::read(cert, key)?),
            Security::Own => Some(tls::own(
                &self.folder,
                names(self.address, whereabouts::host_name()),
            )?),
        };
        let listener = TcpListener::bind(self.address)
            .with_context(|| format!("listening on {}", self.address))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let public = self.settings.public_url.as_deref();
        let place = Whereabouts::of(address, public, tls.is_some());
        let server = Server::new(web::Parts {
            store,
            files,
            behind_proxy: self.settings.behind_proxy,
            secure: tls.is_some(),
            spki: tls.as_ref().map(|tls| tls.spki),
            url: place.url.clone(),
        })
        .await
        .context("starting")?;
        self.greet(&server, &place).await?;
        let announcement = self.announce(address, tls.is_some());
        log::info!("listening on {address}");
        let upkeep = tokio::spawn(upkeep(server.clone(), Lookout::new(self.post.clone())));
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        let served = serve(server.clone(), listener, tls).await;
        server.talks.close();
        if timeout(FAREWELL, server.talks.wait()).await.is_err() {
            log::warn!("{} connections did not end in time", server.talks.len());
        }
        drop(announcement);
        upkeep.abort();
        server.ledger.flush().await;
        server.store.close().await;
        served
    }

    /// Tells the operator where the house is, and where to begin.
    async fn greet(&self, server: &Server, place: &Whereabouts) -> anyhow::Result<()> {
        if let Err(err) = whereabouts::remember(&self.folder, &place.url) {
            log::warn!(err = format!("{err:#}").as_str(); "setup-link will not know the address");
        }
        if server.store.users().await?.is_empty() {
            let token = desk::setup_link(server.store.as_ref()).await?;
            let link = desk::set_up_at(&place.url, &token);
            println!("Make the first operator here, within a day: {link}");
            if let Some(url) = &place.by_number {
                println!("or here: {}", desk::set_up_at(url, &token));
            }
        }
        println!("The house is at {}/", place.url);
        if let Some(url) = &place.by_number {
            println!("or at {url}/");
        }
        Ok(())
    }

    fn announce(&self, address: SocketAddr, secure: bool) -> Option<Announcement> {
        let public = self.settings.public_url.as_deref();
        let reachable = !address.ip().is_loopback() || public.is_some();
        if !reachable || self.settings.no_announce {
            return None;
        }
        let Some(url) = whereabouts::announced(address.port(), public, secure) else {
            log::warn!(
                "the house is not announced, since boxes take no address without TLS: say with --public-url \
                 https://... how it is reached"
            );
            return None;
        };
        let started = Announcement::start(address.port(), &url);
        started
            .inspect_err(|err| {
                let err = format!("{err:#}");
                log::warn!(err = err.as_str(); "boxes will not find the house by themselves");
            })
            .ok()
    }
}

/// The way by which alerts go out.
fn post(settings: &Serve) -> anyhow::Result<Post> {
    let reach = match settings.allow_private_webhooks {
        true => Reach::Anywhere,
        false => Reach::Public,
    };
    let (smtp, from) = (settings.smtp.as_deref(), settings.mail_from.as_deref());
    Post::new(smtp, from, reach)
}

/// Serves until a signal, then says goodbye to every connection.
async fn serve(server: Server, listener: TcpListener, tls: Option<Tls>) -> anyhow::Result<()> {
    let mut ends = [
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    ];
    let handle = Handle::new();
    tokio::spawn({
        let (server, handle) = (server.clone(), handle.clone());
        async move {
            let [terminate, interrupt] = &mut ends;
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            log::info!("ending: boxes and pages are told to come back");
            let _ = sd_notify::notify(&[NotifyState::Stopping]);
            server.halls.farewell();
            handle.graceful_shutdown(Some(FAREWELL));
        }
    });
    // Without the builder's `http1_only`, which would not let a WebSocket take the connection over.
    let service = web::router(server).into_make_service_with_connect_info::<SocketAddr>();
    let served = match tls {
        Some(tls) => {
            let server = bounded(axum_server::from_tcp_rustls(listener, tls.config)?);
            server.handle(handle).serve(service).await
        }
        None => {
            let server = bounded(axum_server::from_tcp(listener)?);
            server.handle(handle).serve(service).await
        }
    };
    served.context("serving")
}

/// Ends connections that ask for nothing: each takes memory and a place among the open files.
fn bounded<A>(
    mut server: axum_server::Server<SocketAddr, A>,
) -> axum_server::Server<SocketAddr, A> {
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD);
    server.first_request_timeout(HEAD)
}

/// What is done from time to time.
async fn upkeep(server: Server, mut lookout: Lookout) {
    let mut looks = tokio::time::interval(alerts::LOOK);
    let mut arounds = tokio::time::interval(AROUND);
    let mut doubts = tokio::time::interval(DOUBT);
    let mut prunes = tokio::time::interval(PRUNE);
    loop {
        let done = tokio::select! {
            _ = looks.tick() => lookout.look(&server).await,
            _ = arounds.tick() => look_around(&server).await,
            _ = doubts.tick() => {
                server.halls.doubt_pages().await;
                Ok(())
            }
            _ = prunes.tick() => prune(&server).await,
        };
        if let Err(err) = done {
            metrics::counter!("musebox_house_store_errors_total").increment(1);
            log::error!(err = err.to_string().as_str(); "upkeep failed, and is tried again");
        }
    }
}

/// Tells pages of screens that are connected to another server, and of those that nobody hears any more.
async fn look_around(server: &Server) -> Result<(), db::StoreError> {
    server
        .store
        .mark_offline(clock::now_ms() - SILENT_MS)
        .await?;
    server.halls.look_around().await
}

async fn prune(server: &Server) -> Result<(), db::StoreError> {
    let now = clock::now_ms();
    uploads::finish_whole(server).await?;
    server.store.prune(now).await?;
    server.store.prune_plays(now - dates::KEPT_MS).await?;
    for upload in server.store.uploads_before(now - UPLOAD_MS).await? {
        server.store.delete_upload(&upload.id).await?;
        if let Err(err) = server.files.give_up(&upload.id).await {
            log::warn!(err = err.to_string().as_str(); "an upload that was given up stays on the disk");
        }
    }
    Ok(())
}

/// The names that a certificate of our own is for, on a machine of this name.
fn names(address: SocketAddr, host: Option<String>) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    names.push(whereabouts::local_name(host.as_deref()));
    names.extend(host);
    if !address.ip().is_unspecified() && !address.ip().is_loopback() {
        names.push(address.ip().to_string());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_for_the_name_that_is_announced_and_for_the_machine_s_own() {
        let everywhere = "0.0.0.0:8470".parse().expect("an address");
        let of = |host: &str| names(everywhere, Some(host.to_owned()));
        let first = ["localhost", "127.0.0.1", "pi.local"];
        assert_eq!(of("pi"), [&first[..], &["pi"]].concat());
        let whole = "pi.example.org";
        assert_eq!(of(whole), [&first[..], &[whole]].concat());
        let one = "192.0.2.7:8470".parse().expect("an address");
        let none = ["localhost", "127.0.0.1", "musebox-house.local", "192.0.2.7"];
        assert_eq!(names(one, None), none);
    }

    #[test]
    fn a_mail_server_that_is_none_is_a_fault_of_the_settings() {
        for (smtp, from) in [("mail.example", None), ("smtp://mail.example", Some("me"))] {
            let settings = Serve {
                smtp: Some(smtp.to_owned()),
                mail_from: from.map(str::to_owned),
                ..Serve::default()
            };
            let fault = Plan::of(settings).err().expect("a fault");
            assert!(fault.to_string().contains("alerts"), "{fault:#}");
        }
    }
}
