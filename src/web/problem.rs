//! What went wrong with a request, as a problem document (RFC 9457).
//!
//! Every refusal of the server is one of these; the HTTP status is chosen here and nowhere else.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{blob::BlobError, db::StoreError, domain::house::EditError};

/// A refusal: its class, and what to do about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    class: Class,
    detail: String,
    key: Option<String>,
    current: Option<Value>,
    signature: Option<String>,
}

/// The class of a refusal; its name is the end of the document's `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The request makes no sense.
    BadRequest,
    /// Nobody is signed in.
    NotSignedIn,
    /// The cookie came without its token: perhaps another site sent the request.
    Csrf,
    /// Whoever asks may look, but not change.
    Forbidden,
    /// The device's enrolment was taken back.
    Revoked,
    /// There is no such thing, or it is none of the asker's business.
    NotFound,
    /// The address takes other methods.
    MethodNotAllowed,
    /// Something else is in the way.
    Conflict,
    /// It is over: an upload that was given up, a code that has expired.
    Gone,
    /// The thing has changed since it was read.
    Stale,
    /// The request must say with `If-Match` which revision it changes.
    NoRevision,
    /// A value is not possible.
    Invalid,
    /// The body is too large.
    TooLarge,
    /// Too often; again later.
    TooMany,
    /// The range lies outside.
    Range,
    /// The server cannot do it now.
    Unavailable,
    /// The disk has no room; again later is of no use.
    Full,
    /// A fault of ours.
    Internal,
}

impl Class {
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Class::BadRequest => (StatusCode::BAD_REQUEST, "bad-request", "Bad request"),
            Class::NotSignedIn => (StatusCode::UNAUTHORIZED, "not-signed-in", "Not signed in"),
            Class::Csrf => (StatusCode::FORBIDDEN, "csrf", "Token missing"),
            Class::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
            Class::Revoked => (StatusCode::FORBIDDEN, "revoked", "No longer enrolled"),
            Class::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Class::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "Method not allowed",
            ),
            Class::Conflict => (StatusCode::CONFLICT, "conflict", "In the way"),
            Class::Gone => (StatusCode::GONE, "gone", "Over"),
            Class::Stale => (
                StatusCode::PRECONDITION_FAILED,
                "stale",
                "Changed meanwhile",
            ),
            Class::NoRevision => (
                StatusCode::PRECONDITION_REQUIRED,
                "no-revision",
                "Revision missing",
            ),
            Class::Invalid => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid",
                "Value not possible",
            ),
            Class::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large"),
            Class::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too-many", "Too often"),
            Class::Range => (
                StatusCode::RANGE_NOT_SATISFIABLE,
                "range",
                "Range outside the medium",
            ),
            Class::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "Not possible now",
            ),
            Class::Full => (StatusCode::INSUFFICIENT_STORAGE, "full", "Disk full"),
            Class::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "A fault of the server",
            ),
        }
    }
}

impl Problem {
    /// A refusal with what to tell people.
    pub fn new(class: Class, detail: impl Into<String>) -> Self {
        Self {
            class,
            detail: detail.into(),
            key: None,
            current: None,
            signature: None,
        }
    }

    /// The refusal is about this key of the body.
    pub fn at(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// What there is now, so that nobody has to ask again.
    pub fn with_current(mut self, current: Value) -> Self {
        self.current = Some(current);
        self
    }

    /// Signed by the house's key, in hexadecimal digits, for whoever knows that key.
    pub fn signed(mut self, signature: String) -> Self {
        self.signature = Some(signature);
        self
    }

    /// There is no such thing, or it is none of the asker's business: strangers cannot tell which.
    pub fn not_found(what: &str) -> Self {
        Self::new(Class::NotFound, format!("there is no such {what} here"))
    }

    /// A fault of ours; the asker is not told which.
    pub fn internal(what: &str, error: impl std::fmt::Display) -> Self {
        log::error!(err = error.to_string().as_str(); "{what}");
        let detail = "the server failed: its log tells why";
        Self::new(Class::Internal, detail)
    }

    /// The class of the refusal.
    pub fn class(&self) -> Class {
        self.class
    }

    /// What people are told.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { what } => Problem::not_found(what),
            StoreError::Conflict => Problem::new(
                Class::Conflict,
                "something else changed it at the same time: try again",
            ),
            StoreError::Taken { what } => {
                Problem::new(Class::Conflict, format!("this {what} is taken already"))
            }
            StoreError::Unavailable(_) => {
                metrics::counter!("musebox_house_store_errors_total").increment(1);
                log::error!(err = error.to_string().as_str(); "the database does not answer");
                Problem::new(
                    Class::Unavailable,
                    "the database does not answer now: try again",
                )
            }
            other => {
                metrics::counter!("musebox_house_store_errors_total").increment(1);
                Problem::internal("the database failed", other)
            }
        }
    }
}

impl From<EditError> for Problem {
    fn from(error: EditError) -> Self {
        let detail = error.to_string();
        match error {
            EditError::NotFound { .. } => Problem::new(Class::NotFound, detail),
            EditError::Invalid { key, message } => Problem::new(Class::Invalid, message).at(key),
            EditError::InUse { .. } => Problem::new(Class::Conflict, detail),
        }
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Missing(_) | BlobError::Name(_) => Problem::not_found("file"),
            BlobError::Full => Problem::new(
                Class::Full,
                "the server's disk is full: remove media that are not needed",
            ),
            BlobError::Short(_) | BlobError::Io { .. } => Problem::internal("a file failed", error),
        }
    }
}

/// The media type of the documents.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The document's form.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document {
    /// `urn:musebox:problem:` and the class of the refusal.
    #[serde(rename = "type")]
    kind: String,
    /// The class in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong, and what to do about it.
    detail: String,
    /// The key of the body that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// What there is now, where a change came too late.
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<Value>,
    /// The house's signature under the refusal of a box that is not its own: 128 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, name, title) = self.class.parts();
        let document = Document {
            kind: format!("urn:musebox:problem:{name}"),
            title,
            status: status.as_u16(),
            detail: self.detail,
            key: self.key,
            current: self.current,
            signature: self.signature,
        };
        let mut response = (status, Json(document)).into_response();
        let media_type = HeaderValue::from_static(MEDIA_TYPE);
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, media_type);
        if self.class == Class::TooMany {
            let seconds = HeaderValue::from_static("60");
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}
