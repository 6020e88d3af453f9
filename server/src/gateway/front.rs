//! What stands before the engine: the browser's bundle, and the answers that let any origin in.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use engine_link::{Above, Companion, Cookie, Head, Intake, Settings};
use tower::ServiceExt;

use super::bundle;
use super::places::Places;
use super::visitor::Visitor;
use crate::app::App;
use crate::config;
use crate::http::peer::Peer;

const PATH: &str = "/socket.io/";

#[derive(Clone)]
pub struct Front {
    bundle: Router,
    engine: Arc<Settings>,
    places: Arc<Places>,
    app: App,
}

impl Front {
    pub fn new(app: App) -> Self {
        let engine = Arc::new(engine_settings(&app.config.gateway, &app.intake));
        Self { bundle: bundle::routes(), engine, places: Places::new(&app), app }
    }

    /// Hands a request to the engine. One that begins a session needs a place.
    async fn pass_on(&self, mut request: Request, next: Next) -> Response {
        request.extensions_mut().insert(self.engine.clone());
        if begins_session(&request) {
            let address = request.extensions().get::<Peer>().map(|peer| peer.address);
            match self.places.take(address) {
                Ok(place) => {
                    let visitor = Visitor::new(address, request.headers(), place);
                    request.extensions_mut().insert(Companion(Arc::new(visitor)));
                }
                Err(full) => {
                    self.app.metrics.refused_sockets.with_label_values(&[full.name()]).inc();
                    return full.into_response();
                }
            }
        }
        next.run(request).await
    }
}

fn engine_settings(config: &config::Gateway, intake: &Arc<Intake>) -> Settings {
    let cookie = Cookie { name: config.cookie.clone(), attributes: config.cookie_attributes.clone() };
    Settings {
        unnamed_protocol: config.unnamed_protocol.into(),
        cookie: Some(cookie).filter(|cookie| !cookie.name.is_empty()),
        double_encoding: config.double_encoding.into(),
        above: Above::SocketIo,
        head: Head::Dropped,
        send_queue_bytes: config.send_queue_bytes.get(),
        write_timeout: config.write_timeout,
        intake: intake.clone(),
    }
}

/// Passes on what concerns others, and what the engine answers.
pub async fn pass(State(front): State<Front>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path != PATH.trim_end_matches('/') && !path.starts_with(PATH) {
        return next.run(request).await;
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = if path.len() > PATH.len() {
        front.bundle.clone().oneshot(request).await.into_response()
    } else if request.method() == Method::OPTIONS {
        preflight(request.headers())
    } else {
        front.pass_on(request, next).await
    };
    allow_origin(response.headers_mut(), origin);
    response
}

fn begins_session(request: &Request) -> bool {
    engine_link::session_of(request.uri().query().unwrap_or_default()).is_none()
}

/// Any origin may connect: what counts is the token, which no browser sends by itself.
fn allow_origin(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    match origin {
        Some(origin) => {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        None => _ = headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    }
}

fn preflight(headers: &HeaderMap) -> Response {
    let wanted = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let methods = HeaderValue::from_static("GET,POST");
    let mut response = (StatusCode::NO_CONTENT, [(header::ACCESS_CONTROL_ALLOW_METHODS, methods)]).into_response();
    if let Some(wanted) = wanted {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted);
    }
    response
}
