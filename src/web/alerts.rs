//! Who is told when a screen goes silent or dark. Sending is the app's work.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    db::Role,
    web::{
        Server,
        caller::Caller,
        json::{Json, Path},
        problem::{Class, Problem},
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

/// `GET /api/v1/houses/{house}/alerts`
#[utoipa::path(get, path = "/houses/{house}/alerts", tag = "alerts", params(("house" = String, Path)), responses((status = 200, body = Alerts)))]
pub async fn get(
    State(server): State<Server>,
    Path(house): Path<String>,
    caller: Caller,
) -> Result<Json<Alerts>, Problem> {
    caller.may(&server, &house, Role::Editor).await?;
    let stored = server.store.alerts(&house).await?;
    let alerts = stored.and_then(|value| serde_json::from_value(value).ok());
    Ok(Json(alerts.unwrap_or_default()))
}

/// `PUT /api/v1/houses/{house}/alerts`
#[utoipa::path(put, path = "/houses/{house}/alerts", tag = "alerts", params(("house" = String, Path)), request_body = Alerts, responses((status = 200, body = Alerts)))]
pub async fn put(
    State(server): State<Server>,
    Path(house): Path<String>,
    caller: Caller,
    Json(alerts): Json<Alerts>,
) -> Result<Json<Alerts>, Problem> {
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
    let value =
        serde_json::to_value(&alerts).map_err(|err| Problem::internal("writing alerts", err))?;
    server.store.set_alerts(&house, &value).await?;
    Ok(Json(alerts))
}
