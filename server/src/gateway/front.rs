//! What stands before the engine: the browser's bundle, and the answers that let any origin in.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use engine_link::{Above, Cookie, Head, Settings, Visitor};
use tower::ServiceExt;

use super::bundle;
use crate::config;
use crate::http::peer::Peer;

const PATH: &str = "/socket.io/";

/// Characters that are kept of what a client calls itself.
const MAX_USER_AGENT: usize = 120;

#[derive(Clone)]
pub struct Front {
    bundle: Router,
    engine: Arc<Settings>,
}

impl Front {
    pub fn new(config: &config::Gateway) -> Self {
        Self { bundle: bundle::routes(), engine: Arc::new(engine_settings(config)) }
    }
}

fn engine_settings(config: &config::Gateway) -> Settings {
    let cookie = Cookie { name: config.cookie.clone(), attributes: config.cookie_attributes.clone() };
    Settings {
        unnamed_protocol: config.unnamed_protocol.into(),
        cookie: Some(cookie).filter(|cookie| !cookie.name.is_empty()),
        double_encoding: config.double_encoding.into(),
        above: Above::SocketIo,
        head: Head::Dropped,
        send_queue_bytes: config.send_queue_bytes.get(),
        write_timeout: config.write_timeout,
    }
}

/// Passes on what concerns others, and what the engine answers.
pub async fn pass(State(front): State<Front>, mut request: Request, next: Next) -> Response {
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
        request.extensions_mut().insert(front.engine.clone());
        if begins_session(&request) {
            let visitor = visitor(&request);
            request.extensions_mut().insert(Arc::new(visitor));
        }
        next.run(request).await
    };
    allow_origin(response.headers_mut(), origin);
    response
}

fn begins_session(request: &Request) -> bool {
    !request.uri().query().unwrap_or_default().split('&').any(|pair| pair.starts_with("sid="))
}

/// Who comes, for as long as the socket lives: so what is kept is short.
fn visitor(request: &Request) -> Visitor {
    let user_agent = request.headers().get(header::USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    let user_agent: String = String::from_utf8_lossy(user_agent).chars().take(MAX_USER_AGENT).collect();
    let address = request.extensions().get::<Peer>().map(|peer| peer.0);
    Visitor { address, user_agent: user_agent.into() }
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
