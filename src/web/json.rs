//! Bodies and queries, whose faults are answered as problem documents.

use axum::{
    body::{Body, Bytes},
    extract::{
        FromRequest, FromRequestParts, Request,
        rejection::{JsonRejection, QueryRejection},
    },
    http::request::Parts,
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::web::problem::{Class, Problem};

/// A JSON body, which is an object at every address.
pub struct Json<T>(pub T);

/// The parts of the address.
pub struct Path<T>(pub T);

/// The values after the question mark.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), state).await;
        let bytes = bytes.map_err(|rejection| match rejection.status().as_u16() {
            413 => Problem::new(Class::TooLarge, "the body is too large"),
            _ => Problem::new(Class::BadRequest, rejection.body_text()),
        })?;
        let nul = std::str::from_utf8(&bytes).is_ok_and(has_nul);
        // Serde would read a list as a structure, too: its values in the order of the fields.
        if bytes.trim_ascii_start().starts_with(b"[") {
            return Err(Problem::new(
                Class::Invalid,
                "the body must be a JSON object, and this is a list",
            ));
        }
        let request = Request::from_parts(parts, Body::from(bytes));
        let read = axum::Json::from_request(request, state).await;
        let axum::Json(body) = read.map_err(|rejection| match &rejection {
            JsonRejection::JsonDataError(error) => {
                let text = error.body_text();
                let detail = text.split_once(": ").map_or(&*text, |(_, detail)| detail);
                Problem::new(Class::Invalid, detail)
            }
            JsonRejection::MissingJsonContentType(_) => Problem::new(
                Class::BadRequest,
                "the body must be JSON: send Content-Type: application/json",
            ),
            other => Problem::new(Class::BadRequest, other.body_text()),
        })?;
        match nul {
            true => Err(Problem::new(
                Class::Invalid,
                "no text may have a NUL character in it",
            )),
            false => Ok(Self(body)),
        }
    }
}

/// Whether a JSON text has a NUL character in one of its texts, which no database keeps.
pub fn has_nul(json: &str) -> bool {
    json.match_indices("\\u0000").any(|(at, _)| {
        let before = json[..at].bytes().rev();
        before.take_while(|byte| *byte == b'\\').count() % 2 == 0
    })
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let none = || Problem::not_found("address");
        if parts.uri.path().contains("%00") {
            return Err(none());
        }
        let read = axum::extract::Path::from_request_parts(parts, state).await;
        read.map(|axum::extract::Path(values)| Self(values))
            .map_err(|_| none())
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Query::from_request_parts(parts, state).await;
        read.map(|axum::extract::Query(values)| Self(values))
            .map_err(|rejection: QueryRejection| {
                Problem::new(Class::BadRequest, rejection.body_text())
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_found_and_a_written_out_one_is_none() {
        for (json, found) in [
            (r#"{"a": "b\u0000"}"#, true),
            (r#""\u0000""#, true),
            (r#""\\u0000""#, false),
            (r#""\\\u0000""#, true),
            (r#""\u00000""#, true),
            (r#""\u0001""#, false),
        ] {
            assert_eq!(has_nul(json), found, "{json}");
        }
    }
}
