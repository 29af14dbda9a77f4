//! How the server is, for whoever watches over it.

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;

use crate::web::{
    Server,
    address::IsHere,
    caller::Caller,
    problem::{Class, Problem},
};

static METRICS: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

const REQUESTS: &str = "musebox_house_requests_total";

/// What is counted where it happens, and what it means.
const COUNTERS: [(&str, &str); 12] = [
    (
        "musebox_house_commits_total",
        "Changes of houses that this server has stored",
    ),
    (
        "musebox_house_reports_written_total",
        "Reports of screens that were stored",
    ),
    (
        "musebox_house_reports_failed_total",
        "Reports of screens that were given up",
    ),
    (
        "musebox_house_plays_written_total",
        "Entries of the play log that were new and are stored",
    ),
    (
        "musebox_house_store_errors_total",
        "Times that the database failed or did not answer",
    ),
    (
        "musebox_house_uploads_finished_total",
        "Uploads that have become media",
    ),
    ("musebox_house_uploaded_bytes_total", "Bytes of these media"),
    (
        "musebox_house_news_lost_total",
        "Times that news of other servers may have been missed",
    ),
    (
        "musebox_house_alert_looks_total",
        "Times that it was looked for screens that are silent or dark",
    ),
    (
        "musebox_house_alerts_sent_total",
        "Alerts that their receivers have taken",
    ),
    (
        "musebox_house_alerts_failed_total",
        "Alerts that were given up",
    ),
    (
        REQUESTS,
        "Requests that were answered, by the class of their status",
    ),
];

/// The classes of a status (RFC 9110, section 15).
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What counts, and gives the counts out in Prometheus' text form. One a process.
fn recorder() -> Option<&'static PrometheusHandle> {
    METRICS.get_or_init(install).as_ref()
}

/// Installs it with everything at nought, so that whoever watches for a failure sees the first one, too.
fn install() -> Option<PrometheusHandle> {
    let handle = PrometheusBuilder::new().install_recorder().ok()?;
    for (name, meaning) in COUNTERS {
        metrics::describe_counter!(name, meaning);
        if name != REQUESTS {
            metrics::counter!(name).increment(0);
        }
    }
    for class in CLASSES {
        metrics::counter!(REQUESTS, "class" => class).increment(0);
    }
    Some(handle)
}

/// Counts the answers to requests.
pub async fn counted(request: Request, next: Next) -> Response {
    let answer = next.run(request).await;
    let class = usize::from(answer.status().as_u16() / 100);
    if let Some(class) = CLASSES.get(class.wrapping_sub(1)) {
        metrics::counter!(REQUESTS, "class" => *class).increment(1);
    }
    answer
}

/// The routes for machines.
pub fn routes() -> Router<Server> {
    recorder();
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

async fn ready(State(server): State<Server>) -> (StatusCode, &'static str) {
    if *server.halls.goes().borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "ending\n");
    }
    match server.store.ping().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database does not answer\n",
        ),
    }
}

/// What is counted, for whoever is on this machine or has a token for all houses that was made on it.
async fn metrics(
    State(server): State<Server>,
    IsHere(here): IsHere,
    caller: Result<Caller, Problem>,
) -> Result<impl IntoResponse, Problem> {
    if !here {
        may_watch(&caller?)?;
    }
    let (boxes, pages) = server.halls.guests().await;
    metrics::gauge!("musebox_house_boxes_connected").set(boxes as f64);
    metrics::gauge!("musebox_house_pages_connected").set(pages as f64);
    let text = recorder().map(PrometheusHandle::render);
    let text = text.ok_or_else(|| Problem::internal("metrics", "another recorder is installed"))?;
    // The form of Prometheus' exposition, version 0.0.4.
    Ok((
        [("content-type", "text/plain; version=0.0.4; charset=utf-8")],
        text,
    ))
}

fn may_watch(caller: &Caller) -> Result<(), Problem> {
    match caller {
        Caller::Program {
            user: None,
            house: None,
            ..
        } => Ok(()),
        Caller::Program { .. } | Caller::Person { .. } | Caller::Box { .. } => Err(Problem::new(
            Class::Forbidden,
            "this needs a token for all houses that \"musebox-house token create\" has made",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{blob::Files, db, web::Parts};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_that_ends_or_has_no_database_is_not_ready() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = format!("sqlite:{}", folder.path().join("house.db").display());
        let parts = Parts {
            store: db::open(&database).await.expect("a database"),
            files: Files::open(folder.path())
                .await
                .expect("a folder for media"),
            behind_proxy: false,
            secure: false,
            spki: None,
            url: "http://127.0.0.1:8470".to_owned(),
        };
        let server = Server::new(parts).await.expect("a server");
        let asked = || ready(State(server.clone()));
        assert_eq!(asked().await, (StatusCode::OK, "ready\n"));
        server.store.close().await;
        let (status, words) = asked().await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(words.contains("database"), "{words}");
        server.halls.farewell();
        let ending = (StatusCode::SERVICE_UNAVAILABLE, "ending\n");
        assert_eq!(asked().await, ending);
    }
}
