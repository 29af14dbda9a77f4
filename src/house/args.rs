//! The arguments of musebox-house, and its configuration file.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use serde::Deserialize;

use crate::{db::Role, house::folder::data_folder};

/// Where the server listens if nothing is said.
const DEFAULT_LISTEN: &str = "127.0.0.1:8470";

/// Steer the screens of a house.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "musebox-house",
    version,
    args_conflicts_with_subcommands = true
)]
#[command(
    after_long_help = "Exit status: 0 a clean end, 1 a failure while running, 2 a bad argument or configuration."
)]
pub struct Command {
    /// What to do; without a word the server runs.
    #[command(subcommand)]
    pub task: Option<Task>,
    /// How the server runs.
    #[command(flatten)]
    pub serve: Serve,
}

/// How the server runs.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serve {
    /// Read settings from this file; arguments go before it.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// The folder for the database and the media [default: /var/lib/musebox-house, or below $XDG_STATE_HOME when not root].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:8470].
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// The database, as in postgres://user@host/name [default: a SQLite file in the data folder].
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Where media are kept, as in file:///srv/media [default: a folder in the data folder].
    #[arg(long, value_name = "URL")]
    pub media: Option<String>,
    /// Speak plain HTTP on any address: a proxy in front does TLS and sets X-Forwarded-For.
    #[arg(long)]
    #[serde(default)]
    pub behind_proxy: bool,
    /// The certificate for TLS (PEM); with --tls-key.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// The address by which people and boxes reach the server, as in https://house.example; for links and codes.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Do not announce the house on the local network (_musebox-house._tcp).
    #[arg(long)]
    #[serde(default)]
    pub no_announce: bool,
    /// The mail server for alerts, as in smtp://user:password@host:25.
    #[arg(long, value_name = "URL")]
    pub smtp: Option<String>,
    /// The sender of alerts by e-mail.
    #[arg(long, value_name = "ADDRESS")]
    pub mail_from: Option<String>,
    /// Let alerts go to webhooks in private networks and on this machine, too; without it, only to the public
    /// internet.
    ///
    /// Whoever may edit a house names its webhook, and the server asks it from where the server stands. A proxy that
    /// the environment names is used with this only.
    #[arg(long)]
    #[serde(default)]
    pub allow_private_webhooks: bool,
}

/// What else can be done.
#[derive(Clone, Debug, Subcommand)]
pub enum Task {
    /// Make and revoke API tokens.
    Token {
        /// What to do with tokens.
        #[command(subcommand)]
        task: TokenTask,
    },
    /// Print a new one-time link, by which an operator signs up: at the address that was served last from the data
    /// folder, or its path where none was.
    SetupLink {
        /// Where the data are.
        #[command(flatten)]
        place: Place,
    },
    /// Give somebody a new password, read from standard input, and end their sessions.
    Password {
        /// Their address.
        email: String,
        /// Where the data are.
        #[command(flatten)]
        place: Place,
    },
    /// Tell boxes that the database was put back from elsewhere, as with pg_restore; before any server starts.
    NewEpoch {
        /// Where the data are.
        #[command(flatten)]
        place: Place,
    },
    /// Write the database into a file while the server runs.
    Backup {
        /// The file; it must not exist.
        file: PathBuf,
        /// Where the data are.
        #[command(flatten)]
        place: Place,
    },
    /// Put a backup in the database's place; the server must not run.
    Restore {
        /// The file.
        file: PathBuf,
        /// Where the data are.
        #[command(flatten)]
        place: Place,
    },
}

/// What to do with tokens.
#[derive(Clone, Debug, Subcommand)]
pub enum TokenTask {
    /// Print a new API token, which is told only once.
    Create {
        /// What it may do: an owner everything, an editor all but members, tokens and removing the house, a viewer
        /// look.
        #[arg(long, default_value_t = Role::Owner)]
        role: Role,
        /// What to call it.
        #[arg(long, default_value = "command line")]
        name: String,
        /// The only house it is for; without it, all houses.
        #[arg(long, value_name = "ID")]
        house: Option<String>,
        /// Where the data are.
        #[command(flatten)]
        place: Place,
    },
    /// List the tokens.
    List {
        /// Where the data are.
        #[command(flatten)]
        place: Place,
    },
    /// Take a token back.
    Revoke {
        /// Its id.
        id: String,
        /// Where the data are.
        #[command(flatten)]
        place: Place,
    },
}

/// Where the data are.
#[derive(Clone, Debug, Default, Args)]
pub struct Place {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The database, where it is not in the data folder.
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
}

impl Serve {
    /// The arguments over the file that they name.
    pub fn with_file(self) -> anyhow::Result<Self> {
        let Some(path) = &self.config else {
            return Ok(self);
        };
        let shown = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {shown}"))?;
        let file: Serve = toml::from_str(&text).map_err(|err| {
            let line = err
                .span()
                .map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            anyhow::anyhow!("{shown}:{line}: {}", err.message().replace('\n', ", "))
        })?;
        Ok(Self {
            data: self.data.or(file.data),
            listen: self.listen.or(file.listen),
            database: self.database.or(file.database),
            media: self.media.or(file.media),
            behind_proxy: self.behind_proxy || file.behind_proxy,
            tls_cert: self.tls_cert.or(file.tls_cert),
            tls_key: self.tls_key.or(file.tls_key),
            public_url: self.public_url.or(file.public_url),
            no_announce: self.no_announce || file.no_announce,
            smtp: self.smtp.or(file.smtp),
            mail_from: self.mail_from.or(file.mail_from),
            allow_private_webhooks: self.allow_private_webhooks || file.allow_private_webhooks,
            config: self.config,
        })
    }

    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        self.listen
            .unwrap_or_else(|| DEFAULT_LISTEN.parse().expect("the default is an address"))
    }
}

impl Place {
    /// The data folder: what is said, else the usual one.
    pub fn folder(&self) -> PathBuf {
        data_folder(self.data.clone())
    }

    /// The database: what is said, else the file in the data folder.
    pub fn database(&self) -> String {
        database_url(self.database.clone(), &self.folder())
    }
}

/// The database: what is said, else a file in the data folder.
pub fn database_url(said: Option<String>, folder: &std::path::Path) -> String {
    said.unwrap_or_else(|| format!("sqlite:{}", folder.join("house.db").display()))
}
