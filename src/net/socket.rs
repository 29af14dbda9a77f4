//! The WebSocket to a house, as frames of text.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        http::{HeaderValue, header},
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

use crate::{
    domain::protocol::sync::MAX_HOUSE_FRAME,
    net::api::{self, Api, ApiError, causes},
};

/// How long the other side may take to agree to an end.
const END_LIMIT: Duration = Duration::from_secs(2);
/// How long a frame may take to go out.
const SEND_LIMIT: Duration = Duration::from_secs(75);
/// Memory for reading; the library's default of 128 KiB is more than a box needs.
const READ_BUFFER: usize = 4096;

/// What a connection runs over.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A connection.
pub struct Socket {
    stream: WebSocketStream<Box<dyn Wire>>,
    /// The code with which the house has said goodbye.
    code: Option<u16>,
}

/// Something that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// A text.
    Text(String),
    /// A frame that is none.
    Binary,
    /// A ping or a pong.
    Beat,
    /// The end, with the house's close code where it sent one.
    End(Option<u16>),
}

/// How the library reads and writes: nothing longer than what a house may send.
pub fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(READ_BUFFER)
        .max_write_buffer_size(2 * MAX_HOUSE_FRAME)
        .max_message_size(Some(MAX_HOUSE_FRAME))
        .max_frame_size(Some(MAX_HOUSE_FRAME))
}

impl Socket {
    /// Connects to a house's environment.
    pub async fn connect(api: &Api, token: &str) -> Result<Self, ApiError> {
        let url = api.url();
        let failed = |message: String| ApiError::Unreachable {
            url: url.to_string(),
            message,
        };
        let tcp = TcpStream::connect((url.host(), url.port()))
            .await
            .map_err(|err| failed(err.to_string()))?;
        tcp.set_nodelay(true)
            .map_err(|err| failed(err.to_string()))?;
        let wire: Box<dyn Wire> = match api.tls() {
            None => Box::new(tcp),
            Some(config) => {
                let name = ServerName::try_from(url.host().to_owned())
                    .map_err(|err| failed(err.to_string()))?;
                let tls = TlsConnector::from(Arc::new(config))
                    .connect(name, tcp)
                    .await;
                Box::new(tls.map_err(|err| failed(causes(&err)))?)
            }
        };
        // http becomes ws, https becomes wss.
        let address = url.join("/api/v1/environment").replacen("http", "ws", 1);
        let mut request = address
            .into_client_request()
            .map_err(|err| failed(err.to_string()))?;
        let bearer = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|err| failed(err.to_string()))?;
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        match client_async_with_config(request, wire, Some(config())).await {
            Ok((stream, _)) => Ok(Self { stream, code: None }),
            Err(Error::Http(response)) => {
                let answer = response.body().as_deref().unwrap_or_default();
                Err(api::refusal(response.status(), answer))
            }
            Err(err) => Err(failed(causes(&err))),
        }
    }

    /// Waits for what comes. After [`Came::End`] there is nothing more.
    pub async fn next(&mut self) -> Came {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Came::Text(text.as_str().to_owned()),
                Some(Ok(Message::Binary(_))) => return Came::Binary,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Came::Beat,
                // The end is only there when the stream says so: until then our own goodbye may not be out.
                Some(Ok(Message::Close(frame))) => {
                    self.code = self.code.or(frame.map(|frame| frame.code.into()));
                }
                Some(Ok(Message::Frame(_))) => {}
                Some(Err(err)) => {
                    log::debug!(err = causes(&err).as_str(); "the connection to the house broke");
                    return Came::End(self.code);
                }
                None => return Came::End(self.code),
            }
        }
    }

    /// Sends a text; false where the connection is gone.
    pub async fn send(&mut self, text: String) -> bool {
        self.put(Message::text(text)).await
    }

    /// Sends a ping; false where the connection is gone.
    pub async fn ping(&mut self) -> bool {
        self.put(Message::Ping(Vec::new().into())).await
    }

    async fn put(&mut self, message: Message) -> bool {
        let sent = timeout(SEND_LIMIT, self.stream.send(message)).await;
        matches!(sent, Ok(Ok(())))
    }

    /// Says goodbye, and waits a little for the house to say it, too.
    pub async fn close(mut self, code: u16) {
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: "".into(),
        };
        let goodbye = async {
            let _ = self.stream.send(Message::Close(Some(frame))).await;
            while let Some(Ok(_)) = self.stream.next().await {}
        };
        let _ = timeout(END_LIMIT, goodbye).await;
    }
}
