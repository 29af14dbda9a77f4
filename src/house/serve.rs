//! The server itself: from its settings to a running process, and to an end that loses nothing.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use axum_server::Handle;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    blob::Files,
    db,
    house::{
        alerts::{self, Sender},
        announce::Announcement,
        args::{Serve, data_folder, database_url},
        desk,
        tls::{self, Tls},
    },
    web::{self, Server, clock},
};

/// How long connections get to end by themselves.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often it is looked what other servers have heard.
const AROUND: Duration = Duration::from_secs(2);
/// A box that was not heard for so long is not connected: it misses three heartbeats.
const SILENT_MS: i64 = 90_000;
/// How often what has expired is removed.
const PRUNE: Duration = Duration::from_secs(600);
/// How long the play log is kept: two years.
const PLAYS_MS: i64 = 2 * 366 * 24 * 3600 * 1000;
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
        Ok(Self {
            settings,
            address,
            folder,
            database,
            media,
            security,
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
            Security::Own => Some(tls::own(&self.folder, names(self.address))?),
        };
        let listener = TcpListener::bind(self.address)
            .with_context(|| format!("listening on {}", self.address))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let url = self.url(address, tls.is_some());
        let server = Server::new(web::Parts {
            store,
            files,
            behind_proxy: self.settings.behind_proxy,
            secure: tls.is_some(),
            spki: tls.as_ref().map(|tls| tls.spki),
            url: url.clone(),
        })
        .await
        .context("starting")?;
        let sender = Sender::new(
            self.settings.smtp.as_deref(),
            self.settings.mail_from.as_deref(),
        )
        .context("the settings for alerts")?;
        if server.store.users().await?.is_empty() {
            let token = desk::setup_link(server.store.as_ref()).await?;
            println!("Make the first operator here, within a day: {url}/setup?token={token}");
        }
        let reachable = !address.ip().is_loopback() || self.settings.public_url.is_some();
        let announcement = match reachable && !self.settings.no_announce {
            false => None,
            true => {
                let public = self.settings.public_url.as_deref();
                let started = Announcement::start(address, public, tls.is_some());
                started
                    .inspect_err(|err| log::warn!(err = format!("{err:#}").as_str(); "boxes will not find the house by themselves"))
                    .ok()
            }
        };
        println!("The house is at {url}/");
        log::info!("listening on {address}");
        let upkeep = tokio::spawn(upkeep(server.clone(), sender));
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        let served = serve(server.clone(), listener, tls).await;
        drop(announcement);
        upkeep.abort();
        server.ledger.flush().await;
        server.store.close().await;
        served
    }

    fn url(&self, address: SocketAddr, secure: bool) -> String {
        let scheme = match secure {
            true => "https",
            false => "http",
        };
        let public = self.settings.public_url.as_deref();
        let public = public.map(|url| url.trim_end_matches('/').to_owned());
        public.unwrap_or_else(|| format!("{scheme}://{address}"))
    }
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
            let server = axum_server::from_tcp_rustls(listener, tls.config)?;
            server.handle(handle).serve(service).await
        }
        None => {
            let server = axum_server::from_tcp(listener)?;
            server.handle(handle).serve(service).await
        }
    };
    served.context("serving")
}

/// What is done from time to time.
async fn upkeep(server: Server, sender: Sender) {
    let mut looks = tokio::time::interval(alerts::LOOK);
    let mut arounds = tokio::time::interval(AROUND);
    let mut prunes = tokio::time::interval(PRUNE);
    loop {
        let done = tokio::select! {
            _ = looks.tick() => sender.look(&server).await,
            _ = arounds.tick() => look_around(&server).await,
            _ = prunes.tick() => prune(&server).await,
        };
        if let Err(err) = done {
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
    server.store.prune(now).await?;
    server.store.prune_plays(now - PLAYS_MS).await?;
    for upload in server.store.uploads_before(now - UPLOAD_MS).await? {
        server.store.delete_upload(&upload.id).await?;
        if let Err(err) = server.files.give_up(&upload.id).await {
            log::warn!(err = err.to_string().as_str(); "an upload that was given up stays on the disk");
        }
    }
    Ok(())
}

/// The names that a certificate of our own is for.
fn names(address: SocketAddr) -> Vec<String> {
    let host = nix::unistd::gethostname().ok();
    let host = host.and_then(|name| name.into_string().ok());
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    if let Some(host) = host {
        names.push(format!("{host}.local"));
        names.push(host);
    }
    if !address.ip().is_unspecified() && !address.ip().is_loopback() {
        names.push(address.ip().to_string());
    }
    names
}

/// Makes the data folder, for nobody else's eyes.
fn make_private(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    if folder.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .and_then(|()| std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)))
        .with_context(|| format!("making the folder {}", folder.display()))
}
