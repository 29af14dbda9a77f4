//! Whom the servers ask.

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::{broadcast, mpsc, oneshot};

use crate::{
    control_server::routes::Fault,
    domain::{
        config::HouseUrl,
        ids::ScreenName,
        protocol::{DoctorReport, Event, PictureFormat, PictureSource, Status, WireCommand},
    },
};

/// A question to the owner of the player's state, with the way back. An answer that is dropped counts as none.
#[derive(Debug)]
pub enum Request {
    /// How is the box?
    Status(oneshot::Sender<Status>),
    /// Do something, or say why not.
    Command(WireCommand, oneshot::Sender<Result<(), String>>),
    /// What is on the display?
    Screenshot {
        /// How to encode the picture.
        format: PictureFormat,
        /// How wide the picture may be at most, in pixels; nothing leaves it as it is.
        max_width: Option<u32>,
        /// Which screen; nothing is the first.
        screen: Option<ScreenName>,
        /// Where the picture may come from.
        source: PictureSource,
        /// The file's bytes, or why there are none.
        reply: oneshot::Sender<Result<Vec<u8>, String>>,
    },
    /// What happens from now on?
    Watch(oneshot::Sender<broadcast::Receiver<Event>>),
    /// Pair with this house, or with the one that is known or found. The answer is which one that is.
    Pair(Option<HouseUrl>, oneshot::Sender<Result<HouseUrl, String>>),
    /// Leave the house.
    Unpair(oneshot::Sender<Result<(), String>>),
    /// Look for faults.
    Doctor(oneshot::Sender<DoctorReport>),
}

/// Why the host took no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too many wait already.
    Busy,
    /// It is shutting down.
    Gone,
}

/// Whoever answers requests. Cheap to clone.
#[derive(Clone)]
pub struct Host(Arc<dyn Fn(Request) -> Result<(), Refused> + Send + Sync>);

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Host")
    }
}

impl Host {
    /// A host that gets its requests through `hand_over`, which must not block: it typically wraps the request into
    /// the event of an owner's loop and sends it there.
    pub fn new(hand_over: impl Fn(Request) -> Result<(), Refused> + Send + Sync + 'static) -> Self {
        Self(Arc::new(hand_over))
    }

    /// A host that reads its requests from a channel, of which `capacity` may wait.
    pub fn channel(capacity: usize) -> (Self, mpsc::Receiver<Request>) {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        let host = Self::new(move |request| {
            sender.try_send(request).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Refused::Busy,
                mpsc::error::TrySendError::Closed(_) => Refused::Gone,
            })
        });
        (host, receiver)
    }

    /// Asks, and waits for the answer as long as `limit`.
    pub(super) async fn ask<T>(
        &self,
        limit: Duration,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        (self.0)(request(reply)).map_err(|refused| match refused {
            Refused::Busy => Fault::Busy,
            Refused::Gone => Fault::Gone,
        })?;
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(Fault::Gone),
            Err(_) => Err(Fault::Silent(limit)),
        }
    }
}
