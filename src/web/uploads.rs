//! Uploads: in pieces, so that one that is cut goes on where it was, and an item at the end.

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    db::{MediaFile, Role, Upload},
    domain::house::edit::Kind,
    web::{
        Server,
        caller::Caller,
        clock,
        json::Json,
        problem::{Class, Problem},
        secrets,
    },
};

/// Where the next piece goes.
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// The largest medium: 64 GiB.
const LARGEST: i64 = 64 << 30;
/// What media may be, by the ending of their name. The list is closed: what boxes cannot show is refused at once.
const KINDS: [(&str, &str, &str); 11] = [
    ("mp4", "video", "video/mp4"),
    ("m4v", "video", "video/mp4"),
    ("mov", "video", "video/quicktime"),
    ("mkv", "video", "video/x-matroska"),
    ("webm", "video", "video/webm"),
    ("avi", "video", "video/x-msvideo"),
    ("ts", "video", "video/mp2t"),
    ("jpg", "image", "image/jpeg"),
    ("jpeg", "image", "image/jpeg"),
    ("png", "image", "image/png"),
    ("webp", "image", "image/webp"),
];

/// A medium is to come.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// The file's name; its ending tells what it is.
    name: String,
    /// Its length in bytes.
    size: i64,
    /// Its SHA-256, if it is known; then the upload is checked against it.
    sha256: Option<String>,
}

/// An upload that has begun.
#[derive(Serialize, ToSchema)]
pub struct Begun {
    id: String,
    offset: i64,
    size: i64,
}

/// An upload that is whole.
#[derive(Serialize, ToSchema)]
pub struct Done {
    /// The item that was made for it.
    item: Value,
}

fn kind_of(name: &str) -> Option<(&'static str, &'static str, &'static str)> {
    let (_, ending) = name.rsplit_once('.')?;
    let ending = ending.to_ascii_lowercase();
    KINDS.into_iter().find(|(known, ..)| *known == ending)
}

/// `POST /api/v1/houses/{house}/uploads`
#[utoipa::path(post, path = "/houses/{house}/uploads", tag = "media", params(("house" = String, Path)), request_body = Begin, responses((status = 201, body = Begun)))]
pub async fn begin(
    State(server): State<Server>,
    Path(house): Path<String>,
    caller: Caller,
    Json(begin): Json<Begin>,
) -> Result<(StatusCode, Json<Begun>), Problem> {
    caller.may(&server, &house, Role::Editor).await?;
    if kind_of(&begin.name).is_none() {
        let endings: Vec<&str> = KINDS.iter().map(|(ending, ..)| *ending).collect();
        let detail = format!("{:?} is none of {}", begin.name, endings.join(", "));
        return Err(Problem::new(Class::Invalid, detail).at("name"));
    }
    if !(1..=LARGEST).contains(&begin.size) {
        let detail = "a medium has 1 byte to 64 GiB";
        return Err(Problem::new(Class::Invalid, detail).at("size"));
    }
    let sha256 = begin.sha256.map(|digits| digits.to_ascii_lowercase());
    if sha256
        .as_deref()
        .is_some_and(|digits| secrets::bytes::<32>(digits).is_none())
    {
        let detail = "the 64 hexadecimal digits that sha256sum prints are needed";
        return Err(Problem::new(Class::Invalid, detail).at("sha256"));
    }
    let upload = Upload {
        id: secrets::id(),
        house,
        name: begin.name,
        size: begin.size,
        sha256,
        offset: 0,
        made: clock::now_ms(),
    };
    server.store.create_upload(&upload).await?;
    let begun = Begun {
        id: upload.id,
        offset: 0,
        size: upload.size,
    };
    Ok((StatusCode::CREATED, Json(begun)))
}

async fn find(server: &Server, house: &str, id: &str) -> Result<Upload, Problem> {
    let upload = server.store.upload(id).await?;
    upload
        .filter(|upload| upload.house == house)
        .ok_or_else(|| Problem::not_found("upload"))
}

/// `GET` and `HEAD /api/v1/houses/{house}/uploads/{id}`
#[utoipa::path(get, path = "/houses/{house}/uploads/{id}", tag = "media", params(("house" = String, Path), ("id" = String, Path)), responses((status = 200, body = Begun)))]
pub async fn look(
    State(server): State<Server>,
    Path((house, id)): Path<(String, String)>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.may(&server, &house, Role::Editor).await?;
    let upload = find(&server, &house, &id).await?;
    let begun = Begun {
        id: upload.id,
        offset: upload.offset,
        size: upload.size,
    };
    Ok(([(OFFSET, offset(upload.offset))], Json(begun)).into_response())
}

fn offset(at: i64) -> HeaderValue {
    HeaderValue::from(at)
}

/// `PATCH /api/v1/houses/{house}/uploads/{id}`
#[utoipa::path(patch, path = "/houses/{house}/uploads/{id}", tag = "media", params(("house" = String, Path), ("id" = String, Path), ("Upload-Offset" = i64, Header, description = "where this piece begins")),
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"), responses((status = 204, description = "stored; Upload-Offset tells how far"), (status = 200, body = Done), (status = 409, description = "another offset; Upload-Offset tells which")))]
pub async fn append(
    State(server): State<Server>,
    Path((house, id)): Path<(String, String)>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.may(&server, &house, Role::Editor).await?;
    // One piece at a time: a second one waits, and is then told where the upload really stands.
    let _turn = server.uploading.turn(&id).await;
    let upload = find(&server, &house, &id).await?;
    let told = headers.get(OFFSET).and_then(|value| value.to_str().ok());
    let told = told
        .and_then(|text| text.parse::<i64>().ok())
        .ok_or_else(|| {
            let detail = "say with Upload-Offset where this piece begins";
            Problem::new(Class::BadRequest, detail)
        })?;
    if told != upload.offset {
        let detail = format!("the upload goes on at byte {}, not {told}", upload.offset);
        let mut refused = Problem::new(Class::Conflict, detail).into_response();
        refused.headers_mut().insert(OFFSET, offset(upload.offset));
        return Ok(refused);
    }
    let begun = u64::try_from(upload.offset).unwrap_or_default();
    let size = u64::try_from(upload.size).unwrap_or_default();
    let mut file = server.files.append(&id, begun).await?;
    let mut pieces = body.into_data_stream();
    let mut cut = None;
    while let Some(piece) = pieces.next().await {
        let piece = match piece {
            Ok(piece) => piece,
            // What has come is kept: the next piece goes on there.
            Err(err) => {
                cut = Some(err);
                break;
            }
        };
        if file.offset() + piece.len() as u64 > size {
            let detail = format!("the medium was said to have {size} bytes, and more came");
            return Err(Problem::new(Class::TooLarge, detail));
        }
        file.write(&piece).await?;
    }
    let end = i64::try_from(file.close().await?).unwrap_or(i64::MAX);
    if end > upload.offset {
        server.store.advance_upload(&id, upload.offset, end).await?;
    }
    if let Some(err) = cut {
        let detail = format!("the piece was cut at byte {end}: {err}");
        return Err(Problem::new(Class::BadRequest, detail));
    }
    if end < upload.size {
        return Ok((StatusCode::NO_CONTENT, [(OFFSET, offset(end))]).into_response());
    }
    let item = finish(&server, &upload, &caller).await?;
    Ok(([(OFFSET, offset(end))], Json(Done { item })).into_response())
}

/// Checks a whole upload, gives it its name, and makes an item of it.
async fn finish(server: &Server, upload: &Upload, caller: &Caller) -> Result<Value, Problem> {
    let found = server.files.partial_sha256(&upload.id).await?;
    if upload.sha256.as_ref().is_some_and(|told| *told != found) {
        server.store.delete_upload(&upload.id).await?;
        server.files.give_up(&upload.id).await?;
        let detail = "what came has another SHA-256 than was said: send it again";
        return Err(Problem::new(Class::Invalid, detail).at("sha256"));
    }
    let (ending, kind, mime) = kind_of(&upload.name).unwrap_or(("bin", "video", "video/mp4"));
    let name = format!("{}.{ending}", upload.id);
    server.files.finish(&upload.id, &name).await?;
    let medium = MediaFile {
        name: name.clone(),
        house: upload.house.clone(),
        sha256: found.clone(),
        size: upload.size,
        mime: mime.to_owned(),
        made: clock::now_ms(),
    };
    server.store.finish_upload(&upload.id, &medium).await?;
    let title = upload
        .name
        .rsplit_once('.')
        .map_or(&*upload.name, |(title, _)| title);
    let body = json!({
        "title": title,
        "kind": kind,
        "formats": {"source": {
            "src": format!("/api/v1/media/{name}"), "sha256": found, "size": upload.size, "mime": mime,
        }},
    });
    let hall = server.halls.must(&upload.house).await?;
    hall.create(Kind::Item, &upload.id, body, &caller.name())
        .await
}

/// `DELETE /api/v1/houses/{house}/uploads/{id}`
#[utoipa::path(delete, path = "/houses/{house}/uploads/{id}", tag = "media", params(("house" = String, Path), ("id" = String, Path)), responses((status = 204, description = "given up")))]
pub async fn give_up(
    State(server): State<Server>,
    Path((house, id)): Path<(String, String)>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    caller.may(&server, &house, Role::Editor).await?;
    let _turn = server.uploading.turn(&id).await;
    find(&server, &house, &id).await?;
    server.store.delete_upload(&id).await?;
    server.files.give_up(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
