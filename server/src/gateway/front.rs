//! What the protocol engine does not check: the request line, the websocket handshake, and the answers of its errors.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::bundle;
use super::connection::{Carries, Connection, Connections};
use crate::config;
use crate::http::body;

const PATH: &str = "/socket.io/";

#[derive(Clone)]
pub struct Front {
    connections: Connections,
    bundle: Router,
    max_body_bytes: usize,
}

impl Front {
    pub fn new(connections: Connections, config: &config::Gateway) -> Self {
        Self { connections, bundle: bundle::routes(), max_body_bytes: config.max_http_buffer_size.get() }
    }
}

/// Errors of Engine.IO, with the codes and texts of Node's server (engine.io, "errors").
#[derive(Clone, Copy)]
enum Refusal {
    TransportUnknown,
    SessionUnknown,
    BadMethod,
    BadRequest,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (code, message) = match self {
            Self::TransportUnknown => (0, "Transport unknown"),
            Self::SessionUnknown => (1, "Session ID unknown"),
            Self::BadMethod => (2, "Bad handshake method"),
            Self::BadRequest => (3, "Bad request"),
        };
        (StatusCode::BAD_REQUEST, axum::Json(json!({ "code": code, "message": message }))).into_response()
    }
}

/// Stands before the engine: passes on what concerns others, answers what is malformed.
pub async fn check(State(front): State<Front>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path != PATH.trim_end_matches('/') && !path.starts_with(PATH) {
        return next.run(request).await;
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = if path.len() > PATH.len() {
        front.bundle.clone().oneshot(request).await.into_response()
    } else {
        match prepare(&front, request).await {
            Ok(prepared) => run(next, prepared).await,
            Err(response) => *response,
        }
    };
    allow_origin(response.headers_mut(), origin);
    response
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

/// A request that the engine may see.
struct Prepared {
    request: Request,
    websocket: Option<Arc<Connection>>,
}

async fn prepare(front: &Front, request: Request) -> Result<Prepared, Box<Response>> {
    if request.method() == Method::OPTIONS {
        return Err(Box::new(preflight(request.headers())));
    }
    let refuse = |refusal: Refusal| Box::new(refusal.into_response());
    let query = Query::of(request.uri());
    let request = with_protocol(request, &query);
    match query.transport.as_deref() {
        Some("polling") => {
            if query.session.is_none() && request.method() != Method::GET {
                return Err(refuse(Refusal::BadMethod));
            }
            if !matches!(*request.method(), Method::GET | Method::POST) {
                return Err(refuse(Refusal::BadMethod));
            }
            let request =
                within_limit(request, front.max_body_bytes).await.map_err(|error| Box::new(error.into_response()))?;
            Ok(Prepared { request, websocket: None })
        }
        Some("websocket") => {
            check_websocket(request.method(), request.headers())?;
            let connection = request.extensions().get::<Arc<Connection>>().cloned();
            let connection = connection.ok_or_else(|| refuse(Refusal::BadRequest))?;
            if let Some(session) = &query.session
                && !front.connections.upgrade(session, &connection)
            {
                return Err(refuse(Refusal::BadRequest));
            }
            connection.carry(query.carries());
            Ok(Prepared { request, websocket: Some(connection) })
        }
        _ => Err(refuse(Refusal::TransportUnknown)),
    }
}

async fn run(next: Next, prepared: Prepared) -> Response {
    let response = next.run(prepared.request).await;
    if let Some(connection) = prepared.websocket
        && response.status() != StatusCode::SWITCHING_PROTOCOLS
    {
        connection.carry(Carries::Http);
    }
    if response.status() == StatusCode::BAD_REQUEST { as_node(response).await } else { response }
}

/// The engine's errors with numeric codes, and with a body where they have none.
async fn as_node(response: Response) -> Response {
    let body = body::read(response.into_body(), 1024).await.unwrap_or_default();
    let code = serde_json::from_slice::<Value>(&body).ok().and_then(|body| body["code"].as_str()?.parse().ok());
    match code {
        Some(0) => Refusal::TransportUnknown,
        Some(1) => Refusal::SessionUnknown,
        Some(2) => Refusal::BadMethod,
        _ => Refusal::BadRequest,
    }
    .into_response()
}

/// The engine's parameters of a request.
struct Query {
    transport: Option<String>,
    session: Option<String>,
    protocol: Option<String>,
}

impl Query {
    fn of(uri: &Uri) -> Self {
        let pairs = || url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let get = |name: &str| pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        Self { transport: get("transport"), session: get("sid"), protocol: get("EIO") }
    }

    fn has_protocol(&self) -> bool {
        matches!(self.protocol.as_deref(), Some("3" | "4"))
    }

    fn carries(&self) -> Carries {
        match (&self.session, self.protocol.as_deref()) {
            (Some(_), _) => Carries::Upgrade,
            (None, Some("4")) => Carries::ConnectedByClient,
            (None, _) => Carries::ConnectedByServer,
        }
    }
}

/// Clients that say no protocol, or one that nobody knows, speak Engine.IO 3, which the original took them to speak.
fn with_protocol(mut request: Request, query: &Query) -> Request {
    if query.has_protocol() {
        return request;
    }
    let others = request.uri().query().unwrap_or_default().split('&').filter(|pair| !pair.starts_with("EIO="));
    let query = others.chain(["EIO=3"]).collect::<Vec<_>>().join("&");
    if let Ok(uri) = format!("{}?{query}", request.uri().path()).parse() {
        *request.uri_mut() = uri;
    }
    request
}

/// A body that is too large is refused before any packet of it is handled.
async fn within_limit(request: Request, limit: usize) -> crate::error::Result<Request> {
    let (parts, body) = request.into_parts();
    let bytes = body::read(body, limit).await?;
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// RFC 6455, section 4.2.1.
fn check_websocket(method: &Method, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let has_word = |name, word: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(word))
    };
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version != "13") {
        let version = [(header::SEC_WEBSOCKET_VERSION, "13"), (header::CONNECTION, "close")];
        return Err(Box::new((StatusCode::UPGRADE_REQUIRED, version).into_response()));
    }
    let is_sound = *method == Method::GET
        && has_word(header::UPGRADE, "websocket")
        && has_word(header::CONNECTION, "upgrade")
        && headers.contains_key(header::SEC_WEBSOCKET_VERSION)
        && is_nonce(key);
    if is_sound { Ok(()) } else { Err(Box::new(Refusal::BadRequest.into_response())) }
}

/// Sixteen bytes in base64.
fn is_nonce(key: &[u8]) -> bool {
    key.len() == 24
        && key.ends_with(b"==")
        && key[..22].iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
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
