//! How the server is, for whoever watches over it.

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;

use crate::web::{Server, problem::Problem};

static METRICS: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// What counts, and gives the counts out in Prometheus' text form. One a process.
fn recorder() -> Option<&'static PrometheusHandle> {
    let installed = || PrometheusBuilder::new().install_recorder().ok();
    METRICS.get_or_init(installed).as_ref()
}

/// The routes for machines.
pub fn routes() -> Router<Server> {
    recorder();
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

async fn ready(State(server): State<Server>) -> impl IntoResponse {
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

async fn metrics(State(server): State<Server>) -> Result<String, Problem> {
    let (boxes, pages) = server.halls.guests().await;
    metrics::gauge!("musebox_house_boxes_connected").set(boxes as f64);
    metrics::gauge!("musebox_house_pages_connected").set(pages as f64);
    let recorder = recorder();
    recorder
        .map(PrometheusHandle::render)
        .ok_or_else(|| Problem::internal("metrics", "another recorder is installed"))
}
