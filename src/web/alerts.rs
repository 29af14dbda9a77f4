//! Who is told when a screen goes silent or dark. Sending is the app's work.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    db::Role,
    web::{
        Server,
        caller::Caller,
        json::{Json, Path},
        problem::{Class, Problem},
        resources::tags,
        secrets,
        sign_in::checked_email,
    },
};

/// How many addresses of a house can get an e-mail.
pub const MOST_ADDRESSES: usize = 10;
/// The shortest and longest silence that can be asked for, in seconds: less than two heartbeats says nothing.
const SILENCE: std::ops::RangeInclusive<i64> = 60..=86_400;

/// Who is told, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    /// These addresses get an e-mail; ten at most.
    #[serde(default)]
    pub email: Vec<String>,
    /// This URL gets a POST with a JSON document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// After this many seconds without a word of a screen.
    #[serde(default = "two_minutes")]
    pub silent_after_s: i64,
}

fn two_minutes() -> i64 {
    120
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            email: Vec::new(),
            webhook: None,
            silent_after_s: two_minutes(),
        }
    }
}

impl Alerts {
    /// Whether anybody is named.
    pub fn name_somebody(&self) -> bool {
        !self.email.is_empty() || self.webhook.is_some()
    }

    /// What is stored of a house, or what a house begins with.
    fn read(stored: Option<&Value>) -> Self {
        let read = stored.and_then(|stored| Self::deserialize(stored).ok());
        read.unwrap_or_default()
    }

    fn written(&self) -> Result<Value, Problem> {
        serde_json::to_value(self).map_err(|err| Problem::internal("writing alerts", err))
    }

    /// The entity tag: a hash of what is said.
    fn tag(&self) -> Result<String, Problem> {
        let mut hash = secrets::hash(&self.written()?.to_string());
        hash.truncate(16);
        Ok(hash)
    }

    fn answer(self) -> Result<Response, Problem> {
        let tag = HeaderValue::from_str(&format!("\"{}\"", self.tag()?));
        let mut answer = Json(self).into_response();
        if let Ok(tag) = tag {
            answer.headers_mut().insert(header::ETAG, tag);
        }
        Ok(answer)
    }
}

/// `GET /api/v1/houses/{house}/alerts`
#[utoipa::path(get, path = "/houses/{house}/alerts", tag = "alerts", params(("house" = String, Path)), responses((status = 200, body = Alerts, headers(("ETag" = String)))))]
pub async fn get(
    State(server): State<Server>,
    Path(house): Path<String>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.may(&server, &house, Role::Editor).await?;
    let stored = server.store.alerts(&house).await?;
    Alerts::read(stored.as_ref()).answer()
}

/// `PUT /api/v1/houses/{house}/alerts`; with `If-Match`, only in place of what had that tag.
#[utoipa::path(put, path = "/houses/{house}/alerts", tag = "alerts", params(("house" = String, Path), ("If-Match" = Option<String>, Header)), request_body = Alerts, responses((status = 200, body = Alerts, headers(("ETag" = String))), (status = 412, description = "they have changed meanwhile")))]
pub async fn put(
    State(server): State<Server>,
    Path(house): Path<String>,
    caller: Caller,
    headers: HeaderMap,
    Json(alerts): Json<Alerts>,
) -> Result<Response, Problem> {
    caller.may(&server, &house, Role::Editor).await?;
    if alerts.email.len() > MOST_ADDRESSES {
        let detail = format!("{MOST_ADDRESSES} addresses are the most: use a list's address");
        return Err(Problem::new(Class::Invalid, detail).at("email"));
    }
    for (number, address) in alerts.email.iter().enumerate() {
        checked_email(address).map_err(|problem| problem.at(format!("email[{number}]")))?;
    }
    let web = |url: &String| url.starts_with("https://") || url.starts_with("http://");
    if !alerts.webhook.as_ref().is_none_or(web) {
        let detail = "a webhook begins with https:// or http://";
        return Err(Problem::new(Class::Invalid, detail).at("webhook"));
    }
    if !SILENCE.contains(&alerts.silent_after_s) {
        let detail = "60 to 86400 seconds can be chosen";
        return Err(Problem::new(Class::Invalid, detail).at("silent_after_s"));
    }
    let value = alerts.written()?;
    let tags = tags(&headers);
    if !headers.contains_key(header::IF_MATCH) || tags.contains(&"*") {
        server.store.set_alerts(&house, &value).await?;
        return alerts.answer();
    }
    let was = server.store.alerts(&house).await?;
    let now = Alerts::read(was.as_ref());
    let stored = tags.contains(&&*now.tag()?)
        && server
            .store
            .change_alerts(&house, was.as_ref(), &value)
            .await?;
    if !stored {
        let detail = "these alerts were changed meanwhile: look at them again";
        return Err(Problem::new(Class::Stale, detail).with_current(now.written()?));
    }
    alerts.answer()
}
