//! Whether the server is alive, and whether it should be sent clients: for supervisors and balancers.

use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::app::App;

/// Those who ask give up after a few seconds.
const PATIENCE: Duration = Duration::from_secs(2);

pub fn routes() -> Router<App> {
    let (live, ready) = (get(live), get(ready));
    Router::new()
        .route("/health", live.clone())
        .route("/healthz", live)
        .route("/ready", ready.clone())
        .route("/readyz", ready)
}

/// Answers for as long as the process does: what else is amiss, a restart would not mend.
async fn live() -> Response {
    uncached(StatusCode::OK, Json(Liveness { status: "ok" }))
}

async fn ready(State(app): State<App>) -> Response {
    let database = tokio::time::timeout(PATIENCE, app.database.ping()).await.is_ok_and(|answer| answer.is_ok());
    let log = app.log.is_open();
    let (code, status) =
        if database && log { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "unavailable") };
    let database = if database { "ok" } else { "unreachable" };
    let log = if log { "ok" } else { "draining" };
    uncached(code, Json(Readiness { status, database, log }))
}

#[derive(Serialize)]
struct Liveness {
    status: &'static str,
}

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    database: &'static str,
    log: &'static str,
}

fn uncached(code: StatusCode, body: impl IntoResponse) -> Response {
    (code, [(header::CACHE_CONTROL, "no-store")], body).into_response()
}
