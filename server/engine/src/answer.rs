//! How requests are answered.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use engineioxide_core::ProtocolVersion;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use sha1::{Digest, Sha1};

use crate::connection::Connection;

/// Requests that are refused, with the codes and texts of Node's engine.io where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    TransportUnknown,
    SessionUnknown,
    BadMethod,
    BadRequest,
    ProtocolUnsupported,
    TooLarge,
    /// Too much is half sent, by all clients together.
    IntakeFull,
    WebsocketVersion,
}

impl Refusal {
    pub fn answer(self) -> Response<Full<Bytes>> {
        let (code, message) = match self {
            Self::TransportUnknown => (0, "Transport unknown"),
            Self::SessionUnknown => (1, "Session ID unknown"),
            Self::BadMethod => (2, "Bad handshake method"),
            Self::BadRequest => (3, "Bad request"),
            Self::ProtocolUnsupported => (5, "Unsupported protocol version"),
            Self::TooLarge => return closing(StatusCode::PAYLOAD_TOO_LARGE),
            Self::IntakeFull => return closing(StatusCode::TOO_MANY_REQUESTS),
            Self::WebsocketVersion => {
                let mut answer = closing(StatusCode::UPGRADE_REQUIRED);
                let headers = answer.headers_mut();
                headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
                // RFC 9110, section 15.5.22.
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(header::CONNECTION, HeaderValue::from_static("close, upgrade"));
                return answer;
            }
        };
        let body = format!("{{\"code\":{code},\"message\":\"{message}\"}}");
        let mut answer = with_type("application/json", body.into());
        *answer.status_mut() = StatusCode::BAD_REQUEST;
        answer
    }
}

/// What was refused is not read to its end.
fn closing(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn with_type(content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// Packets for a client that polls.
pub(crate) struct Polled {
    pub content_type: &'static str,
    pub body: Bytes,
}

impl Polled {
    pub fn jsonp(script: String) -> Self {
        Self { content_type: "text/javascript; charset=UTF-8", body: script.into() }
    }
}

pub(crate) fn polled(polled: Polled, connection: &Connection) -> Response<Full<Bytes>> {
    let mut answer = with_type(polled.content_type, polled.body);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set_cookie(answer.headers_mut(), connection);
    answer
}

/// What a client that posts hears. Of type HTML, so that no old browser offers to save it.
pub(crate) fn posted(connection: &Connection) -> Response<Full<Bytes>> {
    let mut answer = with_type("text/html", Bytes::from_static(b"ok"));
    set_cookie(answer.headers_mut(), connection);
    answer
}

fn set_cookie(headers: &mut HeaderMap, connection: &Connection) {
    let Some(cookie) = &connection.settings.cookie else { return };
    if connection.protocol == ProtocolVersion::V3 {
        let separator = if cookie.attributes.is_empty() { "" } else { "; " };
        let cookie = format!("{}={}{separator}{}", cookie.name, connection.id, cookie.attributes);
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            headers.append(header::SET_COOKIE, value);
        }
    }
}

/// The end of a websocket's opening handshake (RFC 6455, section 4.2.2).
pub(crate) fn switching(key: &HeaderValue) -> Response<Full<Bytes>> {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let accept = BASE64_STANDARD.encode(Sha1::new().chain_update(key.as_bytes()).chain_update(GUID).finalize());
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    answer
}
