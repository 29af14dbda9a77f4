//! Routes and page of the house server.
//!
//! Deliberately absent: listening, TLS, signals and what is done from time to time, which are the app's.

pub mod address;
pub mod alerts;
pub mod caller;
pub mod clock;
pub mod dates;
pub mod enrolments;
pub mod environment;
pub mod guests;
pub mod hall;
pub mod halls;
pub mod health;
pub mod interface;
pub mod invitation;
pub mod json;
pub mod ledger;
pub mod media;
pub mod members;
pub mod page;
pub mod passwords;
pub mod plays;
pub mod problem;
pub mod resources;
pub mod screens;
pub mod secrets;
mod shapes;
pub mod sign_in;
pub mod signature;
pub mod socket;
pub mod throttle;
pub mod turns;
pub mod uploads;

use std::{ops::Deref, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use ed25519_dalek::SigningKey;
use tokio_util::task::TaskTracker;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::{
    blob::Files,
    db::{Store, StoreError},
    domain::hex,
};

pub use interface::openapi;

use halls::Halls;
use ledger::Ledger;
use passwords::Passwords;
use problem::{Class, Problem};
use throttle::Throttle;
use turns::Turns;

/// The longest JSON body: a large playlist.
const LONGEST_BODY: usize = 8 << 20;

/// What nobody may load or run in our pages but what comes from us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
                      media-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// What a server is made of.
pub struct Parts {
    /// What it keeps.
    pub store: Arc<dyn Store>,
    /// Where media lie.
    pub files: Files,
    /// Whether a proxy does TLS in front of it.
    pub behind_proxy: bool,
    /// Whether it does TLS itself.
    pub secure: bool,
    /// The SHA-256 of its certificate's public key.
    pub spki: Option<[u8; 32]>,
    /// The address by which people and boxes reach it.
    pub url: String,
}

/// The server, shared by all requests.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

/// The server's parts.
pub struct Inner {
    /// What it keeps.
    pub store: Arc<dyn Store>,
    /// Where media lie.
    pub files: Files,
    /// The houses.
    pub halls: Arc<Halls>,
    /// The way into the log of reports and showings.
    pub ledger: Ledger,
    /// How often somebody may try.
    pub throttles: Throttles,
    /// One piece of an upload at a time.
    pub uploading: Turns,
    /// One picture of a screen at a time.
    pub picturing: Turns,
    /// The WebSockets that are open.
    pub talks: TaskTracker,
    /// By this key boxes know their house again.
    pub identity: SigningKey,
    /// Signs links to media.
    pub signing_key: [u8; 32],
    /// Where passwords are hashed.
    pub passwords: Passwords,
    /// The hash of a password that nobody has.
    pub nobodys_password: String,
    /// Whether a proxy does TLS in front of it.
    pub behind_proxy: bool,
    /// Whether it does TLS itself.
    pub secure: bool,
    /// The SHA-256 of its certificate's public key.
    pub spki: Option<[u8; 32]>,
    /// The address by which people and boxes reach it.
    pub url: String,
}

/// How often somebody may try.
pub struct Throttles {
    /// Sign-ins from an address.
    pub sign_in_address: Throttle,
    /// Sign-ins to an account.
    pub sign_in_account: Throttle,
    /// Enrolments from an address.
    pub enrol: Throttle,
    /// Codes typed in a house.
    pub code_house: Throttle,
    /// Codes typed from an address.
    pub code_address: Throttle,
}

impl Deref for Server {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Server {
    /// A server that can answer requests; must be made on a runtime.
    pub async fn new(parts: Parts) -> Result<Self, StoreError> {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let identity = kept(parts.store.as_ref(), "identity").await?;
        let signing_key = kept(parts.store.as_ref(), "signing").await?;
        Ok(Self(Arc::new(Inner {
            halls: Halls::new(Arc::clone(&parts.store)),
            ledger: Ledger::start(Arc::clone(&parts.store)),
            throttles: Throttles {
                sign_in_address: Throttle::new(30, minutes(5)),
                sign_in_account: Throttle::new(10, minutes(15)),
                enrol: Throttle::new(30, minutes(1)),
                code_house: Throttle::new(20, minutes(1)),
                code_address: Throttle::new(20, minutes(1)),
            },
            uploading: Turns::default(),
            picturing: Turns::default(),
            talks: TaskTracker::new(),
            identity: SigningKey::from_bytes(&identity),
            signing_key,
            passwords: Passwords::default(),
            nobodys_password: secrets::hash_password(&secrets::secret()),
            store: parts.store,
            files: parts.files,
            behind_proxy: parts.behind_proxy,
            secure: parts.secure,
            spki: parts.spki,
            url: parts.url,
        })))
    }

    /// Whether the asker's connection is protected, so that cookies may say so.
    pub fn is_secure(&self, headers: &HeaderMap) -> bool {
        let forwarded = headers.get("x-forwarded-proto").map(HeaderValue::as_bytes);
        self.secure || (self.behind_proxy && forwarded == Some(b"https"))
    }
}

/// A secret of 32 bytes that all servers of a database share; made when it is first needed.
async fn kept(store: &dyn Store, name: &str) -> Result<[u8; 32], StoreError> {
    let text = store.secret(name, &secrets::secret()).await?;
    hex::read(&text).ok_or_else(|| StoreError::Corrupt {
        what: format!("the secret {name} is no 32 bytes"),
    })
}

/// What changes something is done to its end, also when whoever asked has left meanwhile: what is stored is told.
async fn to_the_end(request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let done = tokio::spawn(next.run(request)).await;
    done.unwrap_or_else(|err| Problem::internal("a request failed", err).into_response())
}

/// All routes.
pub fn router(server: Server) -> Router {
    let described = axum::Json(openapi());
    let (routes, _) = interface::routes().split_for_parts();
    let routes = routes
        .route("/openapi.json", get(async move || described))
        .fallback(async || Problem::not_found("address"))
        .method_not_allowed_fallback(async || {
            let detail = "this address does not take that method: see /api/v1/openapi.json";
            Problem::new(Class::MethodNotAllowed, detail)
        });
    let always = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    Router::new()
        .nest("/api/v1", routes)
        .route("/wallmuse/ws/s3_get_file/{name}", get(media::get))
        .merge(health::routes())
        .merge(page::routes())
        .layer(from_fn(to_the_end))
        .layer(always(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(always(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(always(header::REFERRER_POLICY, "same-origin"))
        .layer(always(header::X_FRAME_OPTIONS, "DENY"))
        .layer(from_fn(health::counted))
        .with_state(server)
}
