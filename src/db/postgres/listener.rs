//! The one connection of a server that hears what the others have committed.

use std::time::Duration;

use log::warn;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::{
    sync::broadcast,
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::PATIENCE;
use crate::db::{News, StoreError};

/// The channel of all news.
pub(super) const CHANNEL: &str = "musebox";

/// After so long a silence the connection is asked whether it is still one.
const SILENCE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Listens until the task is ended. What is committed after the return is heard.
pub(super) async fn start(
    options: PgConnectOptions,
    news: broadcast::Sender<News>,
) -> Result<AbortHandle, StoreError> {
    let first = connect(&options).await?;
    let task = tokio::spawn(async move {
        let mut listener = first;
        loop {
            let error = hear(&mut listener, &news).await;
            warn!(err:% = error; "the database's news are lost for now");
            listener = connect_again(&options).await;
            // Whatever was committed in between was told to nobody here. Nobody may be listening.
            let _ = news.send(News::Lost);
        }
    });
    Ok(task.abort_handle())
}

async fn connect(options: &PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    // A pool of its own: a dead connection of it takes no place from the others.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(PATIENCE)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

async fn connect_again(options: &PgConnectOptions) -> PgListener {
    let mut pause = Duration::from_millis(50);
    loop {
        match connect(options).await {
            Ok(listener) => return listener,
            Err(error) => warn!(err:% = error; "the database's news cannot be heard"),
        }
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// Passes the news on until the connection is lost; the answer is why.
async fn hear(listener: &mut PgListener, news: &broadcast::Sender<News>) -> sqlx::Error {
    loop {
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(told))) => match serde_json::from_str(told.payload()) {
                Ok(told) => {
                    // Nobody may be listening.
                    let _ = news.send(told);
                }
                Err(error) => warn!(err:% = error; "a newer server told something unknown"),
            },
            Ok(Ok(None)) => return gone(),
            Ok(Err(error)) => return error,
            Err(_) => {
                let asked = sqlx::query("SELECT 1").execute(&mut *listener);
                match timeout(PATIENCE, asked).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => return error,
                    Err(_) => return gone(),
                }
            }
        }
    }
}

fn gone() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into())
}
