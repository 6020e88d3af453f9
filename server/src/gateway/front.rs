//! What the protocol engine does not check: the request line, the websocket handshake, and the answers of its errors.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::bundle;
use super::connection::{Carries, Connection};
use super::polling::{Framing, session_in};
use super::transports::{Transports, Upgrade};
use crate::config::Config;
use crate::http::body;

const PATH: &str = "/socket.io/";

#[derive(Clone)]
pub struct Front {
    transports: Transports,
    bundle: Router,
    max_body_bytes: usize,
    body_timeout: Duration,
}

impl Front {
    pub fn new(transports: Transports, config: &Config) -> Self {
        Self {
            transports,
            bundle: bundle::routes(),
            max_body_bytes: config.gateway.max_http_buffer_size.get(),
            body_timeout: Duration::from_secs(config.http.request_timeout_seconds.get()),
        }
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
        front.pass(request, next).await.unwrap_or_else(|instead| *instead.0)
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

/// An answer that is given in the engine's place; in a box, as it is large.
struct Instead(Box<Response>);

impl Instead {
    fn of(answer: impl IntoResponse) -> Self {
        Self(Box::new(answer.into_response()))
    }
}

impl Front {
    async fn pass(&self, request: Request, next: Next) -> Result<Response, Instead> {
        if request.method() == Method::OPTIONS {
            return Err(Instead::of(preflight(request.headers())));
        }
        let query = Query::of(request.uri());
        let request = with_protocol(request, &query);
        match query.transport.as_deref() {
            Some("polling") => self.poll(request, &query, next).await,
            Some("websocket") => self.open_websocket(request, &query, next).await,
            _ => Err(Instead::of(Refusal::TransportUnknown)),
        }
    }

    async fn poll(&self, request: Request, query: &Query, next: Next) -> Result<Response, Instead> {
        let is_post = match *request.method() {
            Method::GET => false,
            Method::POST if query.session.is_some() => true,
            _ => return Err(Instead::of(Refusal::BadMethod)),
        };
        let known = query.session.as_deref().and_then(|session| Some((session, self.transports.framing(session)?)));
        if let Some((session, framing)) = known.filter(|(session, _)| self.transports.take_finished(session)) {
            close_session(request.uri().clone(), framing, next).await;
            return Err(Instead::of(framing.end(session)));
        }
        let request = match (is_post, known) {
            (false, _) => request,
            (true, Some((session, framing))) => self.whole(request, session, framing).await?,
            // A websocket's session, or none: the engine tells, without its body.
            (true, None) => request.map(|_| Body::empty()),
        };
        let response = next.run(request).await;
        if response.status() == StatusCode::BAD_REQUEST {
            return Ok(as_node(response).await);
        }
        self.in_dialect(response, query, known.map(|(_, framing)| framing), is_post).await
    }

    async fn in_dialect(
        &self,
        mut response: Response,
        query: &Query,
        framing: Option<Framing>,
        is_post: bool,
    ) -> Result<Response, Instead> {
        let framing = framing.unwrap_or_else(|| query.framing());
        let mut session = query.session.clone();
        if is_post {
            framing.posted(&mut response);
        } else {
            let (answer, body) = framing.answer(response).await.map_err(Instead::of)?;
            response = answer;
            if let Some(session) = &session {
                self.transports.polled(session, &body);
            } else if let Some(opened) = session_in(&body) {
                self.transports.open(&opened, framing);
                session = Some(opened);
            }
        }
        if let Some(session) = session {
            framing.set_cookie(&session, response.headers_mut());
        }
        Ok(response)
    }

    async fn open_websocket(&self, request: Request, query: &Query, next: Next) -> Result<Response, Instead> {
        check_websocket(request.method(), request.headers())?;
        let connection = request.extensions().get::<Arc<Connection>>().cloned();
        let connection = connection.ok_or_else(|| Instead::of(Refusal::BadRequest))?;
        if let Some(session) = &query.session {
            match self.transports.upgrade(session, &connection) {
                Upgrade::Begun => {}
                Upgrade::Unknown => return Err(Instead::of(Refusal::SessionUnknown)),
                Upgrade::Taken => return Err(Instead::of(Refusal::BadRequest)),
            }
        }
        connection.carry(query.carries());
        let response = next.run(request).await;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        connection.carry(Carries::Http);
        if let Some(session) = &query.session {
            self.transports.give_up_upgrade(session);
        }
        Ok(as_node(response).await)
    }

    /// A request with its whole body: one that is too large is refused before any packet of it is handled, and the text
    /// of Engine.IO 3 clients is encoded once.
    async fn whole(&self, request: Request, session: &str, framing: Framing) -> Result<Request, Instead> {
        let (parts, body) = request.into_parts();
        let read = tokio::time::timeout(self.body_timeout, body::read(body, self.max_body_bytes));
        let bytes = read.await.map_err(|_| Instead::of(Refusal::BadRequest))?.map_err(Instead::of)?;
        let is_binary =
            parts.headers.get(header::CONTENT_TYPE).is_some_and(|value| value == "application/octet-stream");
        let text = std::str::from_utf8(&bytes).ok().filter(|_| framing.is_version_3() && !is_binary);
        let normal = text.and_then(|text| self.transports.learn_encoding(session, text)?.normalize(text));
        Ok(Request::from_parts(parts, normal.map_or_else(|| Body::from(bytes.clone()), Body::from)))
    }
}

/// Ends the engine's side of a session as its client would.
async fn close_session(uri: Uri, framing: Framing, next: Next) {
    let mut farewell = Request::new(Body::from(framing.close_packet()));
    *farewell.method_mut() = Method::POST;
    *farewell.uri_mut() = uri;
    next.run(farewell).await;
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
    b64: Option<String>,
}

impl Query {
    fn of(uri: &Uri) -> Self {
        let pairs = || url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let get = |name: &str| pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        Self { transport: get("transport"), session: get("sid"), protocol: get("EIO"), b64: get("b64") }
    }

    fn has_protocol(&self) -> bool {
        matches!(self.protocol.as_deref(), Some("3" | "4"))
    }

    fn framing(&self) -> Framing {
        Framing::of(self.protocol.as_deref(), self.b64.as_deref())
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

/// RFC 6455, section 4.2.1.
fn check_websocket(method: &Method, headers: &HeaderMap) -> Result<(), Instead> {
    let has_word = |name, word: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(word))
    };
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version != "13") {
        let version = [(header::SEC_WEBSOCKET_VERSION, "13"), (header::CONNECTION, "close")];
        return Err(Instead::of((StatusCode::UPGRADE_REQUIRED, version)));
    }
    let is_sound = *method == Method::GET
        && has_word(header::UPGRADE, "websocket")
        && has_word(header::CONNECTION, "upgrade")
        && headers.contains_key(header::SEC_WEBSOCKET_VERSION)
        && is_nonce(key);
    if is_sound { Ok(()) } else { Err(Instead::of(Refusal::BadRequest)) }
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
