//! Figures for Prometheus, on a listener of their own: they are no client's business.

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::app::App;
use crate::error::{Error, Result};
use crate::gateway::connections::Connections;
use crate::metrics::Waiting;

/// The text format's version that is spoken.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub fn router(app: App, connections: Connections) -> Router {
    Router::new().route("/metrics", get(show)).with_state((app, connections))
}

async fn show(State((app, connections)): State<(App, Connections)>) -> Result<Response> {
    let (messages, message_bytes) = app.log.waiting();
    let (password_checks, received_bytes) = (app.passwords.waiting(), app.intake.held());
    let waiting = Waiting { messages, message_bytes, password_checks, received_bytes };
    let text = app.metrics.exposition(connections.census(), waiting).map_err(Error::Internal)?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}
