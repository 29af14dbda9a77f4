//! Bodies and queries, whose faults are answered as problem documents.

use axum::{
    extract::{
        FromRequest, FromRequestParts, Request,
        rejection::{JsonRejection, QueryRejection},
    },
    http::request::Parts,
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::web::problem::{Class, Problem};

/// A JSON body.
pub struct Json<T>(pub T);

/// The values after the question mark.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
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
            other => match other.status().as_u16() {
                413 => Problem::new(Class::TooLarge, "the body is too large"),
                _ => Problem::new(Class::BadRequest, other.body_text()),
            },
        })?;
        Ok(Self(body))
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
