//! The server's end of the control socket, and the live page.
//!
//! Both hand every question to the [`Host`], which is whoever owns the player's state, and wait for its answer.
//! On the Unix socket everything may be asked and commanded: the file's mode says who may. On TCP there is only what
//! one may look at, on this machine only.
//!
//! Deliberately absent: any state of the player, and any rule about commands.

mod host;
mod page;
mod routes;
mod tcp;
mod unix;

use std::{future::Future, io, time::Duration};

use axum::Router;
use tokio::sync::watch;

pub use host::{Host, Refused, Request};
pub use tcp::HttpServer;
pub use unix::{BindError, UnixServer};

/// How long open connections may go on after the server was told to stop.
const GRACE: Duration = Duration::from_millis(500);

/// Serves until `shutdown`; watchers, whose answers have no end, are cut off soon after.
async fn serve<L>(
    listener: L,
    routes: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()>
where
    L: axum::serve::Listener,
    L::Addr: std::fmt::Debug,
{
    let (stop, stopped) = watch::channel(());
    let graceful = axum::serve(listener, routes).with_graceful_shutdown(async move {
        shutdown.await;
        drop(stop);
    });
    let overdue = async move {
        let mut stopped = stopped;
        // Nobody ever sends: this ends when the other half is dropped.
        while stopped.changed().await.is_ok() {}
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        result = graceful.into_future() => result,
        () = overdue => Ok(()),
    }
}
