//! Uploads: in pieces, so that one that is cut goes on where it was, and an item at the end.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    blob::BlobError,
    db::{MediaFile, Role, StoreError, Upload},
    domain::{
        hex,
        house::{Kind, MAX_NAME},
    },
    web::{
        Server,
        caller::Caller,
        clock,
        json::{Json, Path},
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
        .is_some_and(|digits| hex::read::<32>(digits).is_none())
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

/// How an upload stands.
enum Standing {
    /// It is under way.
    Open(Upload),
    /// It has become this item. Whoever did not hear the answer may ask again.
    Done(Value),
}

async fn find(server: &Server, house: &str, id: &str) -> Result<Standing, Problem> {
    match server.store.upload(id).await? {
        Some(upload) if upload.house == house => Ok(Standing::Open(upload)),
        Some(_) => Err(Problem::not_found("upload")),
        None => {
            let hall = server.halls.must(house).await?;
            let item = hall.resource(Kind::Item, id);
            let item = item.map_err(|_| Problem::not_found("upload"))?;
            Ok(Standing::Done(item))
        }
    }
}

/// `GET` and `HEAD /api/v1/houses/{house}/uploads/{id}`
#[utoipa::path(get, path = "/houses/{house}/uploads/{id}", tag = "media", params(("house" = String, Path), ("id" = String, Path)), responses((status = 200, description = "how far it is, or the item that it has become", body = Begun)))]
pub async fn look(
    State(server): State<Server>,
    Path((house, id)): Path<(String, String)>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.may(&server, &house, Role::Editor).await?;
    let upload = match find(&server, &house, &id).await? {
        Standing::Open(upload) => upload,
        Standing::Done(item) => return Ok(done(item)),
    };
    let begun = Begun {
        id: upload.id,
        offset: upload.offset,
        size: upload.size,
    };
    Ok(([(OFFSET, offset(upload.offset))], Json(begun)).into_response())
}

fn done(item: Value) -> Response {
    let size = item["formats"]["source"]["size"].as_i64();
    let size = offset(size.unwrap_or_default());
    ([(OFFSET, size)], Json(Done { item })).into_response()
}

fn offset(at: i64) -> HeaderValue {
    HeaderValue::from(at)
}

/// `PATCH /api/v1/houses/{house}/uploads/{id}`
#[utoipa::path(patch, path = "/houses/{house}/uploads/{id}", tag = "media", params(("house" = String, Path), ("id" = String, Path), ("Upload-Offset" = i64, Header, description = "where this piece begins")),
    request_body(content = ref("#/components/schemas/Bytes"), content_type = "application/offset+octet-stream"), responses((status = 204, description = "stored; Upload-Offset tells how far"), (status = 200, body = Done), (status = 409, description = "another offset; Upload-Offset tells which")))]
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
    let mut upload = match find(&server, &house, &id).await? {
        Standing::Open(upload) => upload,
        Standing::Done(item) => return Ok(done(item)),
    };
    let told = headers.get(OFFSET).and_then(|value| value.to_str().ok());
    let told = told
        .and_then(|text| text.parse::<i64>().ok())
        .ok_or_else(|| {
            let detail = "say with Upload-Offset where this piece begins";
            Problem::new(Class::BadRequest, detail)
        })?;
    if told != upload.offset {
        return Ok(elsewhere(&upload, told));
    }
    if upload.offset < upload.size {
        match take(&server, &mut upload, body).await {
            Err(Fault::Lost) => return Ok(elsewhere(&upload, told)),
            Err(Fault::Problem(problem)) => return Err(problem),
            Ok(()) if upload.offset < upload.size => {
                let told = [(OFFSET, offset(upload.offset))];
                return Ok((StatusCode::NO_CONTENT, told).into_response());
            }
            Ok(()) => {}
        }
    }
    finish(&server, &upload, &caller.name()).await.map(done)
}

/// The upload does not go on at `told`.
fn elsewhere(upload: &Upload, told: i64) -> Response {
    let detail = format!("the upload goes on at byte {}, not {told}", upload.offset);
    let mut refused = Problem::new(Class::Conflict, detail).into_response();
    let headers = refused.headers_mut();
    headers.insert(OFFSET, offset(upload.offset));
    refused
}

/// Why a piece is not taken.
enum Fault {
    /// The disk has less of the upload than was noted.
    Lost,
    /// Anything that the asker is told.
    Problem(Problem),
}

impl<E: Into<Problem>> From<E> for Fault {
    fn from(error: E) -> Self {
        Fault::Problem(error.into())
    }
}

/// Puts a piece behind what is there, and notes how far the upload is.
async fn take(server: &Server, upload: &mut Upload, body: Body) -> Result<(), Fault> {
    let (begun, size) = (bytes(upload.offset), bytes(upload.size));
    let mut file = match server.files.append(&upload.id, begun).await {
        Err(BlobError::Short(there)) => {
            log::warn!(upload = upload.id.as_str(); "the disk has lost a part of an upload: it goes on at byte {there}");
            advance(server, upload, there).await?;
            return Err(Fault::Lost);
        }
        opened => opened?,
    };
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
            return Err(Problem::new(Class::TooLarge, detail).into());
        }
        file.write(&piece).await?;
    }
    let end = file.close().await?;
    if end > begun {
        advance(server, upload, end).await?;
    }
    match cut {
        None => Ok(()),
        Some(err) => {
            let detail = format!("the piece was cut at byte {end}: {err}");
            Err(Problem::new(Class::BadRequest, detail).into())
        }
    }
}

async fn advance(server: &Server, upload: &mut Upload, to: u64) -> Result<(), Problem> {
    let to = i64::try_from(to).unwrap_or(i64::MAX);
    let noted = server.store.advance_upload(&upload.id, upload.offset, to);
    noted.await?;
    upload.offset = to;
    Ok(())
}

fn bytes(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// Checks a whole upload, gives it its name, and makes an item of it. The upload ends last, so that whatever cuts this
/// short, it can be done again; each step is nothing where it was done before.
async fn finish(server: &Server, upload: &Upload, by: &str) -> Result<Value, Problem> {
    let (ending, kind, mime) = kind_of(&upload.name)
        .ok_or_else(|| Problem::internal("an upload of no known kind", &upload.name))?;
    let name = format!("{}.{ending}", upload.id);
    let found = match server
        .files
        .sha256(&upload.id, &name, bytes(upload.size))
        .await
    {
        Err(BlobError::Short(there)) => {
            advance(server, &mut upload.clone(), there).await?;
            let detail = "the server's disk has lost a part of it: send it on";
            return Err(Problem::new(Class::Unavailable, detail));
        }
        found => found?,
    };
    if upload.sha256.as_ref().is_some_and(|told| *told != found) {
        server.store.delete_upload(&upload.id).await?;
        server.files.give_up(&upload.id).await?;
        let detail = "what came has another SHA-256 than was said: send it again";
        return Err(Problem::new(Class::Invalid, detail).at("sha256"));
    }
    let body = json!({
        "title": title(&upload.name),
        "kind": kind,
        "formats": {"source": {
            "src": format!("/api/v1/media/{name}"), "sha256": found, "size": upload.size, "mime": mime,
        }},
    });
    let hall = server.halls.must(&upload.house).await?;
    let item = match hall.resource(Kind::Item, &upload.id) {
        Ok(item) => item,
        Err(_) => hall.create(Kind::Item, &upload.id, body, by).await?,
    };
    server.files.finish(&upload.id, &name).await?;
    let medium = MediaFile {
        name,
        house: upload.house.clone(),
        sha256: found,
        size: upload.size,
        mime: mime.to_owned(),
        made: clock::now_ms(),
    };
    match server.store.finish_upload(&upload.id, &medium).await {
        // Another server has finished it meanwhile.
        Err(StoreError::NotFound { .. }) => {}
        ended => ended?,
    }
    metrics::counter!("musebox_house_uploads_finished_total").increment(1);
    metrics::counter!("musebox_house_uploaded_bytes_total").increment(bytes(upload.size));
    Ok(item)
}

/// What an item is called at first: its file's name, as far as a title can be that.
fn title(name: &str) -> String {
    let title = name.rsplit_once('.').map_or(name, |(title, _)| title);
    let title: String = title
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_NAME)
        .collect();
    match title.trim().is_empty() {
        true => "Untitled".to_owned(),
        false => title,
    }
}

/// Finishes the uploads of which everything is here: a server that was ended in the middle left them.
pub async fn finish_whole(server: &Server) -> Result<(), StoreError> {
    for upload in server.store.uploads_before(i64::MAX).await? {
        if upload.offset < upload.size {
            continue;
        }
        let _turn = server.uploading.turn(&upload.id).await;
        if let Err(problem) = finish(server, &upload, "the server").await {
            log::warn!(upload = upload.id.as_str(), err = problem.detail(); "an upload cannot be finished");
        }
    }
    Ok(())
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
    if let Standing::Done(_) = find(&server, &house, &id).await? {
        return Err(Problem::not_found("upload"));
    }
    server.store.delete_upload(&id).await?;
    server.files.give_up(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
