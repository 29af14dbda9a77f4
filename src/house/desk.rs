//! What is done at the command line, beside a server that runs or without one.

use std::{
    io::{self, Read, Write, stderr, stdin, stdout},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, bail};

use crate::{
    db::{self, SetupLink, StoreError},
    house::{
        args::{Place, Task, TokenTask},
        folder::make_private,
        whereabouts,
    },
    web::{clock, members::new_token, secrets, sign_in::checked_password},
};

/// How long a set-up link is good: a day.
const LINK_MS: i64 = 24 * 3600 * 1000;

/// Does a task.
pub async fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Token { task } => token(task).await,
        Task::SetupLink { place } => {
            let store = made(&place).await?;
            let token = setup_link(store.as_ref()).await?;
            let url = whereabouts::remembered(&place.folder()).unwrap_or_default();
            writeln!(stdout(), "{}", set_up_at(&url, &token))?;
            Ok(())
        }
        Task::Password { email, place } => {
            let store = existing(&place).await?;
            let Some(mut user) = store.user_by_email(&email).await? else {
                bail!("nobody has the address {email}");
            };
            let mut password = String::new();
            stdin()
                .read_to_string(&mut password)
                .context("reading the password")?;
            let password = password.trim_end_matches(['\r', '\n']);
            checked_password(password)
                .map_err(|problem| anyhow::anyhow!("{}", problem.detail()))?;
            user.password_hash = secrets::hash_password(password);
            store.update_user(&user).await?;
            store.delete_sessions_of(&user.id).await?;
            Ok(())
        }
        Task::NewEpoch { place } => {
            existing(&place).await?.new_epoch().await?;
            Ok(())
        }
        Task::Backup { file, place } => {
            if file.exists() {
                bail!("{} is there already: name another file", file.display());
            }
            existing(&place)
                .await?
                .backup(&file)
                .await
                .context("writing the backup")
        }
        Task::Restore { file, place } => {
            let fresh = db::missing(&place.database())?;
            let old = db::restore(&file, &place.database())
                .await
                .context("restoring")?;
            if let Some(old) = old {
                writeln!(stdout(), "The database of before is {}.", old.display())?;
            }
            tell_new(fresh.as_deref())?;
            Ok(())
        }
    }
}

async fn token(task: TokenTask) -> anyhow::Result<()> {
    match task {
        TokenTask::Create {
            role,
            name,
            house,
            place,
        } => {
            let store = made(&place).await?;
            let (token, secret) = new_token(&name, role, house, None);
            store.create_api_token(&token).await?;
            writeln!(stdout(), "{secret}")?;
        }
        TokenTask::List { place } => {
            for token in existing(&place).await?.api_tokens(None).await? {
                let state = match token.revoked {
                    Some(_) => "revoked",
                    None => "good",
                };
                let made = clock::written(token.made);
                writeln!(
                    stdout(),
                    "{}  {}  {made}  {state}  {}",
                    token.id,
                    token.role,
                    token.name
                )?;
            }
        }
        TokenTask::Revoke { id, place } => {
            let store = existing(&place).await?;
            match store.revoke_api_token(&id, clock::now_ms()).await {
                Err(StoreError::NotFound { .. }) => bail!("there is no token {id} that is good"),
                done => done?,
            }
        }
    }
    Ok(())
}

/// Opens a database that must be there: in a wrong folder nothing is made.
async fn existing(place: &Place) -> anyhow::Result<Arc<dyn db::Store>> {
    if let Some(path) = db::missing(&place.database())? {
        let name_it = match place.database {
            Some(_) => "name the server's database with --database",
            None => "name the server's data folder with --data",
        };
        bail!("there is no database {}: {name_it}", path.display());
    }
    open(place).await
}

/// Opens a database, which is made where there is none: before the server's first start that is meant, in a wrong folder
/// it is not, so it is told.
async fn made(place: &Place) -> anyhow::Result<Arc<dyn db::Store>> {
    let fresh = db::missing(&place.database())?;
    let store = open(place).await?;
    tell_new(fresh.as_deref())?;
    Ok(store)
}

/// Tells that a database is where none was.
fn tell_new(path: Option<&Path>) -> io::Result<()> {
    match path {
        Some(path) => writeln!(
            stderr(),
            "There was no database here before: {} is new.",
            path.display()
        ),
        None => Ok(()),
    }
}

async fn open(place: &Place) -> anyhow::Result<Arc<dyn db::Store>> {
    if place.database.is_none() {
        make_private(&place.folder())?;
    }
    db::open(&place.database())
        .await
        .context("opening the database")
}

/// A set-up link of the server at this address.
pub fn set_up_at(url: &str, token: &str) -> String {
    format!("{url}/setup?token={token}")
}

/// Makes a set-up link; answers its token.
pub async fn setup_link(store: &dyn db::Store) -> anyhow::Result<String> {
    let token = secrets::secret();
    let link = SetupLink {
        token_hash: secrets::hash(&token),
        expires: clock::now_ms() + LINK_MS,
    };
    store.create_setup_link(&link).await?;
    Ok(token)
}
