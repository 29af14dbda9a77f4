//! Routes and page of the house server.
//!
//! Deliberately absent: listening, TLS, signals and what is done from time to time, which are the app's.

pub mod address;
pub mod alerts;
pub mod caller;
pub mod clock;
pub mod enrolments;
pub mod environment;
pub mod hall;
pub mod halls;
pub mod health;
pub mod invitation;
pub mod json;
pub mod ledger;
pub mod media;
pub mod members;
pub mod page;
pub mod plays;
pub mod problem;
pub mod resources;
pub mod screens;
pub mod secrets;
pub mod sign_in;
pub mod signature;
pub mod socket;
pub mod throttle;
pub mod turns;
pub mod uploads;

use std::{ops::Deref, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    routing::get,
};
use ed25519_dalek::SigningKey;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::OpenApi;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt},
    routes,
};

use crate::{
    blob::Files,
    db::{Store, StoreError},
};

use halls::Halls;
use ledger::Ledger;
use problem::Problem;
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
    /// By this key boxes know their house again.
    pub identity: SigningKey,
    /// Signs links to media.
    pub signing_key: [u8; 32],
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
            identity: SigningKey::from_bytes(&identity),
            signing_key,
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
    secrets::bytes(&text).ok_or_else(|| StoreError::Corrupt {
        what: format!("the secret {name} is no 32 bytes"),
    })
}

/// What the interface is called.
#[derive(OpenApi)]
#[openapi(info(
    title = "musebox-house",
    description = "Steers the screens of a house. Errors are problem documents (RFC 9457)."
))]
struct Interface;

/// The routes under `/api/v1`, each with its description.
fn interface() -> OpenApiRouter<Server> {
    OpenApiRouter::with_openapi(Interface::openapi())
        .routes(routes!(sign_in::sign_in))
        .routes(routes!(sign_in::sign_out))
        .routes(routes!(sign_in::set_up))
        .routes(routes!(sign_in::me))
        .routes(routes!(resources::houses, resources::make_house))
        .routes(routes!(
            resources::house,
            resources::change_house,
            resources::remove_house
        ))
        .routes(routes!(resources::environment))
        .routes(routes!(members::list, members::add))
        .routes(routes!(members::remove))
        .routes(routes!(members::tokens, members::make_token))
        .routes(routes!(members::revoke_token))
        .routes(routes!(alerts::get, alerts::put))
        .routes(routes!(plays::list))
        .routes(routes!(plays::table))
        .routes(routes!(screens::reports))
        .routes(routes!(screens::command_all))
        .routes(routes!(screens::command_group))
        .routes(routes!(screens::command))
        .routes(routes!(screens::picture))
        .routes(UtoipaMethodRouterExt::layer(
            routes!(screens::send_picture),
            DefaultBodyLimit::max(screens::LARGEST_PICTURE),
        ))
        .routes(routes!(uploads::begin))
        .routes(UtoipaMethodRouterExt::layer(
            routes!(uploads::look, uploads::append, uploads::give_up),
            DefaultBodyLimit::disable(),
        ))
        .routes(routes!(media::get))
        .routes(routes!(enrolments::ask))
        .routes(routes!(enrolments::reveal))
        .routes(routes!(enrolments::standing))
        .routes(routes!(enrolments::look_up))
        .routes(routes!(enrolments::approve))
        .routes(routes!(enrolments::refuse))
        .routes(routes!(enrolments::challenge))
        .routes(routes!(enrolments::token))
        .routes(routes!(environment::connect))
        .routes(routes!(resources::list, resources::create))
        .routes(routes!(
            resources::get,
            resources::change,
            resources::remove
        ))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
}

/// The description of the interface (OpenAPI 3.1).
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, mut description) = interface().split_for_parts();
    description.servers = Some(vec![utoipa::openapi::Server::new("/api/v1")]);
    description
}

/// All routes.
pub fn router(server: Server) -> Router {
    let (routes, _) = interface().split_for_parts();
    let described = axum::Json(openapi());
    let routes = routes
        .route("/openapi.json", get(async move || described))
        .fallback(async || Problem::not_found("address"));
    let always = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    Router::new()
        .nest("/api/v1", routes)
        .route("/wallmuse/ws/s3_get_file/{name}", get(media::get))
        .merge(health::routes())
        .merge(page::routes())
        .layer(always(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(always(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(always(header::REFERRER_POLICY, "same-origin"))
        .layer(always(header::X_FRAME_OPTIONS, "DENY"))
        .with_state(server)
}
