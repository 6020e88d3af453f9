//! Each request has an id, and is logged and counted.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use super::peer::Peer;
use crate::app::App;

/// As nginx and others name it.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_ID: usize = 64;

/// What is logged of a request is its route and not its path, as a path may hold a key.
pub async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = id_of(&request);
    let method = name(request.method());
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default(), method);
    let answer = async {
        let response = next.run(request).await;
        let route = response.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let (status, took) = (response.status().as_u16(), started.elapsed());
        app.metrics.note_answer(method, status, took);
        tracing::info!(route, status, seconds = took.as_secs_f64(), "answered");
        response
    };
    let mut response = answer.instrument(span).await;
    response.headers_mut().insert(X_REQUEST_ID, id);
    response
}

/// Lets whoever stands around the routes know which it was.
pub async fn note_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

/// What a trusted proxy has given, so that its log and this one can be held against each other; else a new one.
fn id_of(request: &Request) -> HeaderValue {
    let is_sound = |id: &&HeaderValue| {
        let id = id.as_bytes();
        (1..=MAX_ID).contains(&id.len()) && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
    };
    let is_behind_proxy = request.extensions().get::<Peer>().is_some_and(|peer| peer.is_behind_proxy);
    let given = request.headers().get(X_REQUEST_ID).filter(|_| is_behind_proxy).filter(is_sound).cloned();
    given
        .or_else(|| HeaderValue::from_str(&crate::random::alphanumeric::<16>()).ok())
        .unwrap_or(HeaderValue::from_static(""))
}

/// One of few, whatever a client has made up.
fn name(method: &Method) -> &'static str {
    const NAMES: [&str; 7] = ["GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"];
    NAMES.into_iter().find(|name| *name == method.as_str()).unwrap_or("other")
}
