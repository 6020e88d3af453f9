//! What a request asks for.

use bytes::{Buf, Bytes};
use engine_link::{Share, UnnamedProtocol};
use engineioxide_core::ProtocolVersion;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use http_body::Body;
use http_body_util::BodyExt;

use crate::answer::Refusal;

/// The parameters that clients send; none of them needs decoding.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Query<'a> {
    pub transport: Option<&'a str>,
    pub session: Option<&'a str>,
    protocol: Option<&'a str>,
    b64: Option<&'a str>,
    jsonp: Option<&'a str>,
}

impl<'a> Query<'a> {
    pub fn of(uri: &'a Uri) -> Self {
        let text = uri.query().unwrap_or_default();
        let mut query = Self { session: engine_link::session_of(text), ..Self::default() };
        for pair in text.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let field = match name {
                "transport" => &mut query.transport,
                "EIO" => &mut query.protocol,
                "b64" => &mut query.b64,
                "j" => &mut query.jsonp,
                _ => continue,
            };
            // The first counts.
            *field = field.or(Some(value));
        }
        query
    }

    pub fn protocol(&self, unnamed: UnnamedProtocol) -> Result<ProtocolVersion, Refusal> {
        match (self.protocol, unnamed) {
            (Some("4"), _) => Ok(ProtocolVersion::V4),
            (Some("3"), _) | (_, UnnamedProtocol::IsThird) => Ok(ProtocolVersion::V3),
            _ => Err(Refusal::ProtocolUnsupported),
        }
    }

    /// Whether the client can be sent text only.
    pub fn wants_text(&self) -> bool {
        self.jsonp.is_some() || matches!(self.b64, Some("1" | "true"))
    }

    /// The number of the function to call, for clients that poll with script elements.
    pub fn jsonp(&self) -> Option<u64> {
        let digits: String = self.jsonp?.chars().filter(char::is_ascii_digit).take(18).collect();
        Some(digits.parse().unwrap_or_default())
    }
}

/// The type of a body, as far as it is text.
pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Reads a whole body of at most `limit` bytes, for which there is a `share` of what may be held.
pub(crate) async fn read(mut body: impl Body + Unpin, limit: usize, share: &mut Share) -> Result<Bytes, Refusal> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame.map_err(|_| Refusal::BadRequest)?.into_data() else { continue };
        if read.len() + data.remaining() > limit {
            return Err(Refusal::TooLarge);
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            read.extend_from_slice(chunk);
            data.advance(chunk.len());
        }
        share.hold(read.capacity()).map_err(|_| Refusal::IntakeFull)?;
    }
    Ok(read.into())
}

/// The key of a websocket's opening handshake, if that is sound (RFC 6455, section 4.2.1).
pub(crate) fn websocket_key<'a>(method: &Method, headers: &'a HeaderMap) -> Result<&'a HeaderValue, Refusal> {
    let version = headers.get(header::SEC_WEBSOCKET_VERSION);
    if version.is_some_and(|version| version != "13") {
        return Err(Refusal::WebsocketVersion);
    }
    let is_sound = method == Method::GET
        && version.is_some()
        && has_word(headers, header::UPGRADE, "websocket")
        && has_word(headers, header::CONNECTION, "upgrade");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| is_sound && is_nonce(key.as_bytes()));
    key.ok_or(Refusal::BadRequest)
}

fn has_word(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(word))
}

/// Sixteen bytes in base64.
fn is_nonce(key: &[u8]) -> bool {
    key.len() == 24
        && key.ends_with(b"==")
        && key[..22].iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}
