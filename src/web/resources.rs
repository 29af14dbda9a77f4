//! What a house consists of, over REST: the house itself, and its groups, screens, playlists and items.
//!
//! They are one document (`domain::house`); a resource's entity tag is the revision at which it last changed, and a
//! change must name it, so that nobody overwrites what somebody else has just done.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    blob::BlobError,
    db::{Role, StoreError},
    domain::house::edit::Kind,
    web::{
        Server,
        caller::Caller,
        clock,
        hall::Hall,
        json::{Json, Path},
        problem::{Class, Problem},
        screens, secrets,
        sign_in::new_house,
    },
};

/// A house is to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHouse {
    /// What people call it.
    name: String,
}

/// The houses of the asker.
#[derive(Serialize, ToSchema)]
pub struct Houses {
    houses: Vec<Value>,
}

/// The kind of which a house has several, by its name in addresses.
fn kind(word: &str) -> Result<Kind, Problem> {
    let mut several = Kind::ALL.into_iter().filter(|kind| *kind != Kind::House);
    several
        .find(|kind| kind.key() == word)
        .ok_or_else(|| Problem::not_found("kind of thing"))
}

/// A resource with its entity tag.
fn tagged(status: StatusCode, resource: Value) -> Response {
    let tag = resource["rev"].as_u64().unwrap_or_default();
    let mut answer = (status, Json(resource)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{tag}\"")) {
        answer.headers_mut().insert(header::ETAG, tag);
    }
    answer
}

/// The tags that `If-Match` names, without what tells weak ones (a proxy that compresses makes them weak) and quotes.
pub(super) fn tags(headers: &HeaderMap) -> Vec<&str> {
    let values = headers.get_all(header::IF_MATCH).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .map(str::trim)
        // The star is none, and no tag of ours is one in quotes.
        .map(|tag| match tag {
            "*" => tag,
            _ => tag.trim_start_matches("W/").trim_matches(['"', '*']),
        })
        .collect()
}

/// The revision that `If-Match` names; nothing for `*`. Of several (RFC 9110, section 13.1.1) it is the one that the
/// resource has `now`, if that is among them.
fn expected(headers: &HeaderMap, now: &Value) -> Result<Option<u64>, Problem> {
    if !headers.contains_key(header::IF_MATCH) {
        let detail = "say with If-Match which revision you change: the ETag that came with it";
        return Err(Problem::new(Class::NoRevision, detail));
    }
    let tags = tags(headers);
    if tags.contains(&"*") {
        return Ok(None);
    }
    let mut revisions = tags.iter().filter_map(|tag| tag.parse().ok());
    let now = now["rev"].as_u64();
    // A tag that is none of ours is that of another state.
    let found = revisions.find(|rev| Some(*rev) == now);
    Ok(Some(found.unwrap_or(u64::MAX)))
}

/// The same where a request without `If-Match` means whatever is there.
fn expected_if_said(headers: &HeaderMap, now: &Value) -> Result<Option<u64>, Problem> {
    match headers.contains_key(header::IF_MATCH) {
        true => expected(headers, now),
        false => Ok(None),
    }
}

/// `GET /api/v1/houses`
#[utoipa::path(get, path = "/houses", tag = "houses", responses((status = 200, body = Houses)))]
pub async fn houses(State(server): State<Server>, caller: Caller) -> Result<Json<Houses>, Problem> {
    let mut houses = Vec::new();
    for (id, role) in caller.houses(&server).await? {
        if let Some(hall) = server.halls.hall(&id).await? {
            let mut house = hall.resource(Kind::House, &id)?;
            house["role"] = json!(role.as_str());
            houses.push(house);
        }
    }
    Ok(Json(Houses { houses }))
}

/// `POST /api/v1/houses`
#[utoipa::path(post, path = "/houses", tag = "houses", request_body = NewHouse, responses((status = 201, body = ref("#/components/schemas/House"))))]
pub async fn make_house(
    State(server): State<Server>,
    caller: Caller,
    Json(house): Json<NewHouse>,
) -> Result<Response, Problem> {
    let owner = match &caller {
        Caller::Person { user, .. } => Some(user.as_str()),
        Caller::Program {
            user,
            house: None,
            role: Role::Owner,
            ..
        } => user.as_deref(),
        Caller::Program { .. } | Caller::Box { .. } => {
            let detail = "a person, or an owner's token that is for all houses, can make a house";
            return Err(Problem::new(Class::Forbidden, detail));
        }
    };
    let name = house.name.trim();
    let new = new_house(name, owner)?;
    server.store.create_house(&new).await?;
    let hall = server.halls.must(&new.id).await?;
    Ok(tagged(
        StatusCode::CREATED,
        hall.resource(Kind::House, &new.id)?,
    ))
}

/// `GET /api/v1/houses/{house}`
#[utoipa::path(get, path = "/houses/{house}", tag = "houses", params(("house" = String, Path)), responses((status = 200, body = ref("#/components/schemas/House"), headers(("ETag" = String)))))]
pub async fn house(
    State(server): State<Server>,
    Path(house): Path<String>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.may(&server, &house, Role::Viewer).await?;
    let hall = server.halls.must(&house).await?;
    Ok(tagged(StatusCode::OK, hall.resource(Kind::House, &house)?))
}

/// `PATCH /api/v1/houses/{house}`: a merge patch (RFC 7396). `{"autostart_playlist": true}` is the toggle.
#[utoipa::path(patch, path = "/houses/{house}", tag = "houses", params(("house" = String, Path), ("If-Match" = String, Header)), request_body(content = Value, content_type = "application/merge-patch+json"), responses((status = 200, body = ref("#/components/schemas/House")), (status = 412, description = "it has changed meanwhile"), (status = 428, description = "If-Match is missing")))]
pub async fn change_house(
    State(server): State<Server>,
    Path(house): Path<String>,
    caller: Caller,
    headers: HeaderMap,
    Json(patch): Json<Value>,
) -> Result<Response, Problem> {
    caller.may(&server, &house, Role::Editor).await?;
    let hall = server.halls.must(&house).await?;
    let expected = expected(&headers, &hall.resource(Kind::House, &house)?)?;
    let changed = hall
        .change(Kind::House, &house, patch, expected, &caller.name())
        .await?;
    Ok(tagged(StatusCode::OK, changed))
}

/// `DELETE /api/v1/houses/{house}`: the house with everything in it; its boxes are no longer enrolled.
#[utoipa::path(delete, path = "/houses/{house}", tag = "houses", params(("house" = String, Path), ("If-Match" = Option<String>, Header)), responses((status = 204, description = "gone"), (status = 412, description = "it has changed meanwhile")))]
pub async fn remove_house(
    State(server): State<Server>,
    Path(house): Path<String>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    caller.may(&server, &house, Role::Owner).await?;
    let hall = server.halls.must(&house).await?;
    let expected = expected_if_said(&headers, &hall.resource(Kind::House, &house)?)?;
    hall.check(Kind::House, &house, expected)?;
    let media = server.store.media_of(&house).await?;
    let uploads = server.store.uploads_before(i64::MAX).await?.into_iter();
    let uploads = uploads.filter(|upload| upload.house == house);
    let rev = expected.map(|rev| i64::try_from(rev).unwrap_or(i64::MAX));
    match server.store.delete_house(&house, rev).await {
        Err(StoreError::Conflict) => {
            hall.refresh().await?;
            hall.check(Kind::House, &house, expected)?;
            return Err(StoreError::Conflict.into());
        }
        done => done?,
    }
    server.halls.close(&house).await;
    // The database is done with them; what fails now is tried no more.
    for medium in media {
        left(server.files.remove(&medium.name).await);
    }
    for upload in uploads {
        left(server.files.give_up(&upload.id).await);
    }
    for screen in hall.resources(Kind::Screen) {
        let id = screen["id"].as_str().unwrap_or_default();
        left(screens::remove_pictures(&server, id, &screen).await);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Says what a house that is gone leaves on the disk.
fn left(removed: Result<(), BlobError>) {
    if let Err(err) = removed {
        log::warn!(err = err.to_string().as_str(); "a file of a house that is gone stays on the disk");
    }
}

/// `GET /api/v1/houses/{house}/environment`: the whole document.
#[utoipa::path(get, path = "/houses/{house}/environment", tag = "houses", params(("house" = String, Path)), responses((status = 200, body = ref("#/components/schemas/Environment"), headers(("ETag" = String)))))]
pub async fn environment(
    State(server): State<Server>,
    Path(house): Path<String>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.may(&server, &house, Role::Viewer).await?;
    let hall = server.halls.must(&house).await?;
    let (document, rev) = hall.document_and_rev();
    let tag = HeaderValue::from_str(&format!("\"{rev}\""));
    let mut answer = Json(document).into_response();
    if let Ok(tag) = tag {
        answer.headers_mut().insert(header::ETAG, tag);
    }
    Ok(answer)
}

/// `GET /api/v1/houses/{house}/{kind}`
#[utoipa::path(get, path = "/houses/{house}/{kind}", tag = "things of a house", params(("house" = String, Path), ("kind" = String, Path, description = "groups, screens, playlists or items")), responses((status = 200, body = ref("#/components/schemas/Things"))))]
pub async fn list(
    State(server): State<Server>,
    Path((house, word)): Path<(String, String)>,
    caller: Caller,
) -> Result<Json<Value>, Problem> {
    caller.may(&server, &house, Role::Viewer).await?;
    let kind = kind(&word)?;
    let hall = server.halls.must(&house).await?;
    let mut answer = serde_json::Map::new();
    answer.insert(word, Value::Array(hall.resources(kind)));
    Ok(Json(Value::Object(answer)))
}

/// `POST /api/v1/houses/{house}/{kind}`
#[utoipa::path(post, path = "/houses/{house}/{kind}", tag = "things of a house", params(("house" = String, Path), ("kind" = String, Path, description = "groups, playlists or items")), request_body = ref("#/components/schemas/NewThing"), responses((status = 201, body = ref("#/components/schemas/Thing"))))]
pub async fn create(
    State(server): State<Server>,
    Path((house, word)): Path<(String, String)>,
    caller: Caller,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    caller.may(&server, &house, Role::Editor).await?;
    let kind = kind(&word)?;
    if kind == Kind::Screen {
        let detail = "screens come by pairing: type the code that the box shows";
        return Err(Problem::new(Class::BadRequest, detail));
    }
    let hall = server.halls.must(&house).await?;
    let id = secrets::id();
    let made = hall.create(kind, &id, body, &caller.name()).await?;
    Ok(tagged(StatusCode::CREATED, made))
}

/// `GET /api/v1/houses/{house}/{kind}/{id}`
#[utoipa::path(get, path = "/houses/{house}/{kind}/{id}", tag = "things of a house", params(("house" = String, Path), ("kind" = String, Path), ("id" = String, Path)), responses((status = 200, body = ref("#/components/schemas/Thing"), headers(("ETag" = String)))))]
pub async fn get(
    State(server): State<Server>,
    Path((house, word, id)): Path<(String, String, String)>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.may(&server, &house, Role::Viewer).await?;
    let hall = server.halls.must(&house).await?;
    Ok(tagged(StatusCode::OK, hall.resource(kind(&word)?, &id)?))
}

/// `PATCH /api/v1/houses/{house}/{kind}/{id}`
#[utoipa::path(patch, path = "/houses/{house}/{kind}/{id}", tag = "things of a house", params(("house" = String, Path), ("kind" = String, Path), ("id" = String, Path), ("If-Match" = String, Header)), request_body(content = Value, content_type = "application/merge-patch+json"), responses((status = 200, body = ref("#/components/schemas/Thing")), (status = 412, description = "it has changed meanwhile")))]
pub async fn change(
    State(server): State<Server>,
    Path((house, word, id)): Path<(String, String, String)>,
    caller: Caller,
    headers: HeaderMap,
    Json(patch): Json<Value>,
) -> Result<Response, Problem> {
    caller.may(&server, &house, Role::Editor).await?;
    let hall = server.halls.must(&house).await?;
    let kind = kind(&word)?;
    let expected = expected(&headers, &hall.resource(kind, &id)?)?;
    let changed = hall
        .change(kind, &id, patch, expected, &caller.name())
        .await?;
    Ok(tagged(StatusCode::OK, changed))
}

/// `DELETE /api/v1/houses/{house}/{kind}/{id}`: a screen's box is no longer enrolled; an item's media are removed.
#[utoipa::path(delete, path = "/houses/{house}/{kind}/{id}", tag = "things of a house", params(("house" = String, Path), ("kind" = String, Path), ("id" = String, Path), ("If-Match" = Option<String>, Header)), responses((status = 204, description = "gone"), (status = 409, description = "it is in use"), (status = 412, description = "it has changed meanwhile")))]
pub async fn remove(
    State(server): State<Server>,
    Path((house, word, id)): Path<(String, String, String)>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    caller.may(&server, &house, Role::Editor).await?;
    let kind = kind(&word)?;
    let hall = server.halls.must(&house).await?;
    let was = hall.resource(kind, &id)?;
    let expected = expected_if_said(&headers, &was)?;
    hall.check(kind, &id, expected)?;
    if kind == Kind::Screen {
        // First the box is out, then its screen is gone: never the other way round.
        match server.store.revoke_device(&id, clock::now_ms()).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => {}
            Err(err) => return Err(err.into()),
        }
        // And it is told so before it can hear of a house without its screen.
        hall.guests().oust(&id);
    }
    hall.remove(kind, &id, expected, &caller.name()).await?;
    match kind {
        Kind::Item => remove_media(&server, &hall, &was).await?,
        Kind::Screen => screens::remove_pictures(&server, &id, &was).await?,
        Kind::House | Kind::Group | Kind::Playlist => {}
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Removes the media that only this item had.
async fn remove_media(server: &Server, hall: &Hall, item: &Value) -> Result<(), Problem> {
    let formats = item["formats"].as_object().into_iter().flatten();
    let names =
        formats.filter_map(|(_, format)| format["src"].as_str()?.strip_prefix("/api/v1/media/"));
    let others = hall.document()["items"].to_string();
    for name in names {
        let row = server.store.media(name).await?;
        let own = row.is_some_and(|row| row.house == hall.id());
        if own && !others.contains(name) {
            server.store.delete_media(name).await?;
            server.files.remove(name).await?;
        }
    }
    Ok(())
}
