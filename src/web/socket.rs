//! A WebSocket (RFC 6455) that takes little memory while it is quiet.
//!
//! The library keeps the room of the longest frame that it has ever written, for each connection. So a long text goes
//! out in short frames (RFC 6455, section 5.4), and thousands of boxes that were once sent a large house cost no more
//! than those that were sent a small one.

use axum::{
    body::Body,
    extract::FromRequestParts,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::Response,
};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Bytes, Message,
        handshake::derive_accept_key,
        protocol::{
            CloseFrame, Role, WebSocketConfig,
            frame::{
                Frame,
                coding::{Data, OpCode},
            },
        },
    },
};
use tokio_util::task::TaskTracker;

use crate::web::problem::{Class, Problem};

/// What the socket reads at once. The default of 128 KiB would be all of a connection's memory.
const READ_BUFFER: usize = 1024;
/// The longest frame that is sent.
const LONGEST_FRAME: usize = 2048;

/// A request to open a WebSocket.
pub struct Upgrade {
    upgrade: OnUpgrade,
    accept: HeaderValue,
}

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let has = |name, word: &str| {
            let values = parts.headers.get_all(name).iter();
            let words = values
                .filter_map(|value| value.to_str().ok())
                .flat_map(|line| line.split(','));
            words
                .into_iter()
                .any(|found| found.trim().eq_ignore_ascii_case(word))
        };
        let asked = has(header::CONNECTION, "upgrade")
            && has(header::UPGRADE, "websocket")
            && has(header::SEC_WEBSOCKET_VERSION, "13");
        let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).cloned();
        let refused = || {
            Problem::new(
                Class::BadRequest,
                "this address is a WebSocket: open it as one",
            )
        };
        let (true, Some(key)) = (asked, key) else {
            return Err(refused());
        };
        let accept = derive_accept_key(key.as_bytes());
        let accept = HeaderValue::from_str(&accept).map_err(|_| refused())?;
        let upgrade = parts.extensions.remove::<OnUpgrade>().ok_or_else(refused)?;
        Ok(Self { upgrade, accept })
    }
}

impl Upgrade {
    /// Opens the socket, which takes frames of at most `longest` bytes, and goes on with it in a task of these.
    pub fn open<F>(
        self,
        tasks: &TaskTracker,
        longest: usize,
        talk: impl FnOnce(Socket) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(4 * LONGEST_FRAME)
            .max_message_size(Some(longest))
            .max_frame_size(Some(longest));
        let upgrade = self.upgrade;
        tasks.spawn(async move {
            // Whoever left before the answer is nobody's loss.
            if let Ok(upgraded) = upgrade.await {
                let upgraded = TokioIo::new(upgraded);
                let stream =
                    WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await;
                talk(Socket { stream, cut: false }).await;
            }
        });
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = answer.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        answer
    }
}

/// An open WebSocket.
pub struct Socket {
    stream: WebSocketStream<TokioIo<Upgraded>>,
    /// Whether a message was too long, of which nobody has read the rest.
    cut: bool,
}

impl Socket {
    /// The next message; nothing at the end.
    pub async fn next(&mut self) -> Option<Result<Message, tungstenite::Error>> {
        let next = self.stream.next().await;
        if let Some(Err(tungstenite::Error::Capacity(_))) = next {
            self.cut = true;
        }
        next
    }

    /// Whether a message was too long: nothing comes after it.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Reads and forgets what still comes, until the peer has closed. What is left unread would reset the connection,
    /// and the peer might never hear why it ended.
    pub async fn see_off(&mut self) {
        while let Some(Ok(_)) = self.next().await {}
        if self.cut {
            let mut rest = vec![0; READ_BUFFER];
            while let Ok(1..) = self.stream.get_mut().read(&mut rest).await {}
        }
    }

    /// Sends a text, in frames that are short.
    pub async fn send(&mut self, text: &str) -> Result<(), tungstenite::Error> {
        self.put(Data::Text, text.as_bytes()).await
    }

    /// Sends bytes, in frames that are short. The house's own protocol is texts; the conformance suite has both.
    pub async fn send_binary(&mut self, bytes: &[u8]) -> Result<(), tungstenite::Error> {
        self.put(Data::Binary, bytes).await
    }

    async fn put(&mut self, mut opcode: Data, message: &[u8]) -> Result<(), tungstenite::Error> {
        let mut rest = message;
        loop {
            let (piece, after) = rest.split_at(rest.len().min(LONGEST_FRAME));
            let (piece, last) = (Bytes::copy_from_slice(piece), after.is_empty());
            let frame = Frame::message(piece, OpCode::Data(opcode), last);
            self.stream.send(Message::Frame(frame)).await?;
            if last {
                return Ok(());
            }
            (rest, opcode) = (after, Data::Continue);
        }
    }

    /// Sends a ping.
    pub async fn ping(&mut self) -> Result<(), tungstenite::Error> {
        self.stream.send(Message::Ping(Bytes::new())).await
    }

    /// Begins to close.
    pub async fn close(
        &mut self,
        code: u16,
        reason: &'static str,
    ) -> Result<(), tungstenite::Error> {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        self.stream.send(Message::Close(Some(frame))).await
    }
}
