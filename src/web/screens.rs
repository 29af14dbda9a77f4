//! Screens at work: what they show now, and what they are told to do at once.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

use crate::{
    blob::BlobError,
    db::Role,
    domain::{
        house::Kind,
        ids::ScreenName,
        protocol::sync::{Frame, HouseCommand, Message},
    },
    web::{
        Server,
        caller::Caller,
        clock,
        hall::{Hall, Live},
        json::{Json, Path, Query},
        problem::{Class, Problem},
        secrets,
    },
};

/// How long a command's answer is waited for.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a fresh picture is waited for.
const PICTURE: Duration = Duration::from_secs(4);
/// The largest picture that a box may send, in bytes.
pub const LARGEST_PICTURE: usize = 1 << 20;

/// What screens have said last.
#[derive(Serialize, ToSchema)]
pub struct Reports {
    screens: BTreeMap<String, Report>,
}

#[derive(Serialize, ToSchema)]
struct Report {
    online: bool,
    /// When it was last heard.
    seen: String,
    /// What it said; nothing before its first report.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Value>,
}

/// A command was carried out, or is on its way.
#[derive(Serialize, ToSchema)]
pub struct Commanded {
    /// The screens that have it.
    screens: Vec<String>,
    /// Those that have not answered yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<String>,
    /// Those that are not connected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    offline: Vec<String>,
    /// Those that refused, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    refused: BTreeMap<String, String>,
}

/// Which picture of a screen.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Of which output of the box; of the first where none is named.
    output: Option<String>,
    /// A picture that is older than this many seconds is asked for anew.
    fresh: Option<u64>,
}

/// `GET /api/v1/houses/{house}/reports`
#[utoipa::path(get, path = "/houses/{house}/reports", tag = "screens at work", params(("house" = String, Path)), responses((status = 200, body = Reports)))]
pub async fn reports(
    State(server): State<Server>,
    Path(house): Path<String>,
    caller: Caller,
) -> Result<Json<Reports>, Problem> {
    caller.may(&server, &house, Role::Viewer).await?;
    let hall = server.halls.must(&house).await?;
    hall.look_around().await?;
    let reports = hall.reports().into_iter().map(|(screen, live)| {
        let report = Report {
            online: live.online,
            seen: clock::written(live.seen),
            state: live.state,
        };
        (screen, report)
    });
    Ok(Json(Reports {
        screens: reports.collect(),
    }))
}

/// `POST /api/v1/houses/{house}/commands`: for all screens.
#[utoipa::path(post, path = "/houses/{house}/commands", tag = "screens at work", params(("house" = String, Path)), request_body = ref("#/components/schemas/HouseCommand"), responses((status = 200, body = Commanded)))]
pub async fn command_all(
    State(server): State<Server>,
    Path(house): Path<String>,
    caller: Caller,
    Json(command): Json<Value>,
) -> Result<Json<Commanded>, Problem> {
    caller.may(&server, &house, Role::Editor).await?;
    let hall = server.halls.must(&house).await?;
    let screens = hall.resources(Kind::Screen);
    let screens = screens
        .iter()
        .filter_map(|screen| Some(screen["id"].as_str()?.to_owned()));
    carry(&hall, screens.collect(), read(command)?)
        .await
        .map(Json)
}

/// `POST /api/v1/houses/{house}/groups/{group}/commands`: for the screens of a group.
#[utoipa::path(post, path = "/houses/{house}/groups/{group}/commands", tag = "screens at work", params(("house" = String, Path), ("group" = String, Path)), request_body = ref("#/components/schemas/HouseCommand"), responses((status = 200, body = Commanded)))]
pub async fn command_group(
    State(server): State<Server>,
    Path((house, group)): Path<(String, String)>,
    caller: Caller,
    Json(command): Json<Value>,
) -> Result<Json<Commanded>, Problem> {
    caller.may(&server, &house, Role::Editor).await?;
    let hall = server.halls.must(&house).await?;
    hall.resource(Kind::Group, &group)?;
    let screens = hall.resources(Kind::Screen);
    let screens = screens.iter().filter(|screen| screen["group"] == group);
    let screens = screens.filter_map(|screen| Some(screen["id"].as_str()?.to_owned()));
    carry(&hall, screens.collect(), read(command)?)
        .await
        .map(Json)
}

/// `POST /api/v1/houses/{house}/screens/{screen}/commands`
#[utoipa::path(post, path = "/houses/{house}/screens/{screen}/commands", tag = "screens at work", params(("house" = String, Path), ("screen" = String, Path)), request_body = ref("#/components/schemas/HouseCommand"), responses((status = 200, body = Commanded), (status = 202, description = "no answer yet", body = Commanded), (status = 409, description = "not connected, or refused")))]
pub async fn command(
    State(server): State<Server>,
    Path((house, screen)): Path<(String, String)>,
    caller: Caller,
    Json(command): Json<Value>,
) -> Result<Response, Problem> {
    caller.may(&server, &house, Role::Editor).await?;
    let hall = server.halls.must(&house).await?;
    hall.resource(Kind::Screen, &screen)?;
    let command = read(command)?;
    let done = carry(&hall, vec![screen], command).await?;
    if !done.offline.is_empty() {
        let detail = "the screen is not connected now; settings reach it when it comes back";
        return Err(Problem::new(Class::Conflict, detail));
    }
    if let Some(why) = done.refused.values().next() {
        return Err(Problem::new(Class::Conflict, why.clone()));
    }
    let status = match done.waiting.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::ACCEPTED,
    };
    Ok((status, Json(done)).into_response())
}

fn read(command: Value) -> Result<HouseCommand, Problem> {
    let bad = |why: String| Problem::new(Class::Invalid, why).at("command");
    match serde_json::from_value(command) {
        Ok(HouseCommand::Unknown) => Err(bad(
            "this is none of play, pause, stop, next, previous, goto, replay, display, screenshot and identify".to_owned(),
        )),
        Ok(command) => Ok(command),
        Err(err) => Err(bad(err.to_string())),
    }
}

/// Sends a command to screens and waits for their answers.
async fn carry(
    hall: &Hall,
    screens: Vec<String>,
    command: HouseCommand,
) -> Result<Commanded, Problem> {
    let mut done = Commanded {
        screens: Vec::new(),
        waiting: Vec::new(),
        offline: Vec::new(),
        refused: BTreeMap::new(),
    };
    let mut sent = Vec::new();
    if screens.iter().any(|screen| !hall.is_here(screen)) {
        hall.look_around().await?;
    }
    for screen in screens {
        match hall.command(&screen, command.clone()).await? {
            Some(answer) => sent.push((screen, answer)),
            None => done.offline.push(screen),
        }
    }
    let end = Instant::now() + ANSWER;
    for (screen, answer) in sent {
        match answer.until(end).await {
            Some(Ok(())) => {}
            Some(Err(why)) => drop(done.refused.insert(screen.clone(), why)),
            None => done.waiting.push(screen.clone()),
        }
        done.screens.push(screen);
    }
    Ok(done)
}

/// The file of the newest picture of a screen's output.
fn picture_name(screen: &str, output: Option<&ScreenName>) -> String {
    match output {
        None => format!("picture-{screen}.jpg"),
        // What an output is called may not be what a file can be called.
        Some(output) => {
            let output = &secrets::hash(output.as_str())[..16];
            format!("picture-{screen}-{output}.jpg")
        }
    }
}

/// Removes what a screen that is gone has shown last.
pub async fn remove_pictures(server: &Server, id: &str, screen: &Value) -> Result<(), BlobError> {
    let outputs = screen["outputs"].as_array().into_iter().flatten();
    let outputs = outputs.filter_map(|output| Some(ScreenName::new(output.as_str()?)));
    for output in std::iter::once(None).chain(outputs.map(Some)) {
        let name = picture_name(id, output.as_ref());
        server.files.remove(&name).await?;
    }
    Ok(())
}

/// The name of an output, if the screen has such a one; nothing for its first.
fn output(hall: &Hall, screen: &str, wanted: Option<&str>) -> Result<Option<ScreenName>, Problem> {
    let screen = hall.resource(Kind::Screen, screen)?;
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    let mut outputs = screen["outputs"].as_array().into_iter().flatten();
    match outputs.position(|known| known == wanted) {
        None => Err(Problem::not_found("output of this screen")),
        Some(0) => Ok(None),
        Some(_) => Ok(Some(ScreenName::new(wanted))),
    }
}

/// `GET /api/v1/houses/{house}/screens/{screen}/picture`
#[utoipa::path(get, path = "/houses/{house}/screens/{screen}/picture", tag = "screens at work", params(("house" = String, Path), ("screen" = String, Path), Which), responses((status = 200, description = "a JPEG; Last-Modified tells of when", content_type = "image/jpeg"), (status = 404, description = "there is none yet")))]
pub async fn picture(
    State(server): State<Server>,
    Path((house, screen)): Path<(String, String)>,
    Query(which): Query<Which>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.may(&server, &house, Role::Viewer).await?;
    let hall = server.halls.must(&house).await?;
    let output = output(&hall, &screen, which.output.as_deref())?;
    let name = picture_name(&screen, output.as_ref());
    let taken = server.files.modified_ms(&name).await?;
    let oldest = which.fresh.map(|seconds| {
        let ms = i64::try_from(seconds)
            .unwrap_or(i64::MAX)
            .saturating_mul(1000);
        clock::now_ms().saturating_sub(ms)
    });
    if oldest.is_some_and(|oldest| taken.is_none_or(|taken| taken < oldest)) {
        // Several pages that look at the same output ask its box once.
        let _turn = server.picturing.turn(&name).await;
        let taken = server.files.modified_ms(&name).await?;
        let still = oldest.is_some_and(|oldest| taken.is_none_or(|taken| taken < oldest));
        if still && !hall.is_here(&screen) {
            hall.look_around().await?;
        }
        let command = HouseCommand::Screenshot { output };
        if still && let Some(answer) = hall.command(&screen, command).await? {
            // The box sends the picture before it answers.
            answer.until(Instant::now() + PICTURE).await;
        }
    }
    let taken = server.files.modified_ms(&name).await?;
    let taken = taken.ok_or_else(|| Problem::not_found("picture of this screen yet"))?;
    let bytes = server.files.whole(&name).await?;
    let mut answer = Bytes::from(bytes).into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(date) = HeaderValue::from_str(&http_date(taken)) {
        headers.insert(header::LAST_MODIFIED, date);
    }
    Ok(answer)
}

/// A moment as HTTP writes it (RFC 9110, section 5.6.7).
fn http_date(ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    let moment = moment.to_zoned(jiff::tz::TimeZone::UTC);
    moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// What a picture shows.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Shown {
    /// Which output of the box; the first where none is named.
    output: Option<String>,
}

/// `PUT /api/v1/screens/{screen}/picture`: a box sends what it shows.
#[utoipa::path(put, path = "/screens/{screen}/picture", tag = "screens at work", params(("screen" = String, Path), Shown), request_body(content = ref("#/components/schemas/Bytes"), content_type = "image/jpeg"), responses((status = 204, description = "kept")))]
pub async fn send_picture(
    State(server): State<Server>,
    Path(screen): Path<String>,
    Query(shown): Query<Shown>,
    caller: Caller,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let house = match &caller {
        Caller::Box { screen: own, house } if *own == screen => house,
        Caller::Box { .. } | Caller::Person { .. } | Caller::Program { .. } => {
            return Err(Problem::not_found("screen"));
        }
    };
    let hall = server.halls.must(house).await?;
    let output = output(&hall, &screen, shown.output.as_deref())?;
    // SOI and the first marker's start (ITU-T T.81, annex B).
    if !body.starts_with(&[0xff, 0xd8, 0xff]) {
        return Err(Problem::new(Class::Invalid, "the picture must be a JPEG"));
    }
    let name = picture_name(&screen, output.as_ref());
    server.files.put(&name, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How a screen's report goes to pages.
pub fn report_frame(screen: &str, live: &Live) -> Option<Frame> {
    let mut report = json!({
        "type": "reported", "screen": screen, "online": live.online, "seen": clock::written(live.seen),
    });
    if let Some(state) = &live.state {
        report["state"] = state.clone();
    }
    let message = serde_json::from_value::<Message>(report).ok()?;
    Some(Frame::from(&message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_http_does() {
        assert_eq!(http_date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn a_command_that_is_none_is_refused_with_what_there_is() {
        assert_eq!(read(json!({"command": "next"})), Ok(HouseCommand::Next));
        for bad in [
            json!({"command": "dance"}),
            json!({}),
            json!({"command": "goto"}),
        ] {
            assert!(read(bad).is_err());
        }
    }
}
