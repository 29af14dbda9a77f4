//! Media: whole or by ranges (RFC 9110, section 14), to members, to boxes, and to whoever has a signed link.
//!
//! Deliberately absent: fragmenting on the fly (`&frag=1`) and encryption, which come with their own issues.

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use tokio_util::io::ReaderStream;
use utoipa::{IntoParams, ToSchema};

use crate::{
    db::{MediaFile, Role},
    web::{
        Server,
        caller::Caller,
        clock,
        json::{Path, Query},
        problem::{Class, Problem},
        secrets, signature,
    },
};

/// How long a signed link is good, in seconds.
const LINK_SECONDS: i64 = 15 * 60;

/// What a link carries beside the name.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Link {
    /// Until when the link is good, in seconds since 1970.
    exp: Option<i64>,
    /// Its signature.
    sig: Option<String>,
    /// Asked for by existing clients; media never change under their name, so it is only taken note of.
    #[serde(rename = "version")]
    _version: Option<String>,
}

fn signature(key: &[u8], name: &str, exp: i64) -> String {
    signature::sign(key, &["media", name], exp)
}

/// A link to a medium that needs nothing else, until `exp` (seconds since 1970).
fn signed(key: &[u8], name: &str, exp: i64) -> String {
    let sig = signature(key, name, exp);
    format!("/api/v1/media/{name}?exp={exp}&sig={sig}")
}

/// Whether a link is ours and still good at `now` (seconds since 1970).
fn is_signed(key: &[u8], name: &str, link: &Link, now: i64) -> bool {
    let (Some(exp), Some(sig)) = (link.exp, &link.sig) else {
        return false;
    };
    now < exp && secrets::same(sig, &signature(key, name, exp))
}

/// A link that needs nothing else.
#[derive(Serialize, ToSchema)]
struct Signed {
    /// Where the medium is; an address without a server is the house's.
    url: String,
    /// Until when a request for it may begin (RFC 3339).
    expires: String,
}

/// `GET /api/v1/media/{name}/link`: a link to hand to what shall not hold a token, or to another server.
#[utoipa::path(get, path = "/media/{name}/link", tag = "media", params(("name" = String, Path)), responses((status = 200, body = Signed)))]
pub async fn link(
    State(server): State<Server>,
    Path(name): Path<String>,
    caller: Caller,
) -> Result<Response, Problem> {
    let row = visible(&server, &name, caller).await?;
    let exp = clock::now_ms() / 1000 + LINK_SECONDS;
    let link = Signed {
        url: signed(&server.signing_key, &row.name, exp),
        expires: clock::written(exp * 1000),
    };
    // Whoever keeps it would hand out one that has ended.
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(link)).into_response())
}

/// The medium, where the caller may see it; nobody else learns whether one of this name exists.
async fn visible(server: &Server, name: &str, caller: Caller) -> Result<MediaFile, Problem> {
    let none = || Problem::not_found("medium");
    let row = server.store.media(name).await?.ok_or_else(none)?;
    let allowed = caller.may(server, &row.house, Role::Viewer).await;
    allowed.map_err(|_| none())?;
    Ok(row)
}

/// `GET` and `HEAD /api/v1/media/{name}`
#[utoipa::path(get, path = "/media/{name}", security((), ("token" = []), ("session" = [])), tag = "media", params(("name" = String, Path), Link, ("Range" = Option<String>, Header), ("If-Range" = Option<String>, Header)), responses((status = 200, description = "the whole medium"), (status = 206, description = "the range"), (status = 304, description = "unchanged"), (status = 416, description = "the range lies outside")))]
pub async fn get(
    State(server): State<Server>,
    Path(name): Path<String>,
    Query(link): Query<Link>,
    caller: Result<Caller, Problem>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let row = match is_signed(&server.signing_key, &name, &link, clock::now_ms() / 1000) {
        true => server.store.media(&name).await?,
        false => Some(visible(&server, &name, caller?).await?),
    };
    let row = row.ok_or_else(|| Problem::not_found("medium"))?;
    serve(&server, &row, &method, &headers).await
}

async fn serve(
    server: &Server,
    row: &MediaFile,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let etag = format!("\"{}\"", row.sha256);
    let size = u64::try_from(row.size).unwrap_or_default();
    let told = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let mut answer = Response::new(Body::empty());
    let set = |answer: &mut Response, name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().insert(name, value);
        }
    };
    set(&mut answer, header::ETAG, &etag);
    set(&mut answer, header::ACCEPT_RANGES, "bytes");
    set(&mut answer, header::CONTENT_TYPE, &row.mime);
    set(
        &mut answer,
        header::CACHE_CONTROL,
        "private, max-age=86400, immutable",
    );
    // An uploaded page must not run as one of ours.
    set(
        &mut answer,
        header::CONTENT_SECURITY_POLICY,
        "sandbox; default-src 'none'",
    );
    if told(header::IF_NONE_MATCH).is_some_and(|tags| lists(tags, &etag)) {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(answer);
    }
    // With another If-Range than ours the range is that of another file: the whole one is sent.
    // `HEAD` knows no ranges (RFC 9110, section 14.2).
    let whole = method != Method::GET || told(header::IF_RANGE).is_some_and(|tag| tag != etag);
    let range = told(header::RANGE).filter(|_| !whole);
    let (start, length) = match range.map(|text| one_range(text, size)) {
        None | Some(Asked::Everything) => (0, size),
        Some(Asked::Part(start, length)) => {
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            let part = format!("bytes {start}-{}/{size}", start + length - 1);
            set(&mut answer, header::CONTENT_RANGE, &part);
            (start, length)
        }
        Some(Asked::Outside) => {
            let detail = format!("the medium has {size} bytes");
            let mut refused = Problem::new(Class::Range, detail).into_response();
            set(
                &mut refused,
                header::CONTENT_RANGE,
                &format!("bytes */{size}"),
            );
            return Ok(refused);
        }
    };
    set(&mut answer, header::CONTENT_LENGTH, &length.to_string());
    if method != Method::HEAD {
        let file = server.files.read(&row.name, start, length).await?;
        *answer.body_mut() = Body::from_stream(ReaderStream::with_capacity(file, 64 << 10));
    }
    Ok(answer)
}

/// What a `Range` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Everything,
    Part(u64, u64),
    Outside,
}

/// One range of bytes; several, and what cannot be read, is answered with everything, as RFC 9110 allows.
fn one_range(text: &str, size: u64) -> Asked {
    let Ok(parsed) = http_range_header::parse_range_header(text) else {
        return Asked::Everything;
    };
    if parsed.len() != 1 {
        return Asked::Everything;
    }
    match parsed.validate(size).as_deref() {
        Ok([range]) => Asked::Part(*range.start(), range.end() - range.start() + 1),
        Ok(_) | Err(_) => Asked::Outside,
    }
}

fn lists(tags: &str, etag: &str) -> bool {
    tags.split(',')
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_answered_and_several_get_everything() {
        for (text, asked) in [
            ("bytes=0-0", Asked::Part(0, 1)),
            ("bytes=2-", Asked::Part(2, 8)),
            ("bytes=-3", Asked::Part(7, 3)),
            ("bytes=8-99", Asked::Part(8, 2)),
            ("bytes=10-", Asked::Outside),
            ("bytes=0-1,4-5", Asked::Everything),
            ("lines=1-2", Asked::Everything),
            ("bytes=x", Asked::Everything),
        ] {
            assert_eq!(one_range(text, 10), asked, "{text}");
        }
        assert_eq!(one_range("bytes=0-", 0), Asked::Outside);
    }

    #[test]
    fn a_link_is_good_until_its_end_and_for_its_name_only() {
        let link = |exp, sig: &str| Link {
            exp: Some(exp),
            sig: Some(sig.to_owned()),
            _version: None,
        };
        let sig = signature(b"key", "a.mp4", 100);
        assert!(is_signed(b"key", "a.mp4", &link(100, &sig), 99));
        assert!(!is_signed(b"key", "a.mp4", &link(100, &sig), 100));
        assert!(!is_signed(b"key", "a.mp4", &link(101, &sig), 99));
        assert!(!is_signed(b"key", "b.mp4", &link(100, &sig), 99));
        assert!(!is_signed(b"other", "a.mp4", &link(100, &sig), 99));
        assert!(!is_signed(b"key", "a.mp4", &Link::default(), 99));
        assert!(signed(b"key", "a.mp4", 100).ends_with(&format!("?exp=100&sig={sig}")));
    }
}
