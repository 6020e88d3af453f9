//! Polling answers in the dialects of their clients: Engine.IO 3's binary framing, its cookie, and the end of a session.
//!
//! The engine frames Engine.IO 3 answers as text, which 1.x clients read as doubly encoded where it is not ASCII. Binary
//! framing (Engine.IO protocol 3, "payload") is read alike by all, and was the original's default.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::error::Result;
use crate::http::body;

/// How a session's packets are put into one body; it is settled at the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Engine.IO 3: `\0<digits>\xff<packet>`.
    Binary,
    /// Engine.IO 3 with `b64=1`: `<characters>:<packet>`.
    Text,
    /// Engine.IO 4: packets between record separators.
    Separated,
}

impl Framing {
    pub fn of(protocol: Option<&str>, b64: Option<&str>) -> Self {
        match (protocol, b64) {
            (Some("4"), _) => Self::Separated,
            (_, Some("1" | "true")) => Self::Text,
            _ => Self::Binary,
        }
    }

    fn is_version_3(self) -> bool {
        self != Self::Separated
    }

    /// A close packet as a client would send it.
    pub fn close_packet(self) -> &'static str {
        if self.is_version_3() { "1:1" } else { "1" }
    }

    /// The answer that ends a session.
    pub fn end(self, session: &str) -> Response {
        let text = if self.is_version_3() { "1:61:1" } else { "1" };
        let mut response =
            ([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"))], text).into_response();
        self.reframe_ready(&mut response, text.as_bytes());
        self.set_cookie(session, response.headers_mut());
        response
    }

    /// The engine's answer to a `GET`, as this client reads it. Also returns the id in a handshake's answer.
    pub async fn answer(self, response: Response, limit: usize) -> Result<(Response, Option<String>)> {
        let (parts, body) = response.into_parts();
        let bytes = body::read(body, limit).await?;
        let session = session_in(&bytes);
        let mut response = Response::from_parts(parts, Body::from(bytes.clone()));
        if response.status() == StatusCode::OK {
            self.reframe_ready(&mut response, &bytes);
        }
        Ok((response, session))
    }

    fn reframe_ready(self, response: &mut Response, bytes: &[u8]) {
        let is_text =
            response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text"));
        if self != Self::Binary || !is_text {
            return;
        }
        if let Some(framed) = std::str::from_utf8(bytes).ok().and_then(to_binary) {
            let headers = response.headers_mut();
            headers.remove(header::CONTENT_LENGTH);
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            *response.body_mut() = Body::from(framed);
        }
    }

    /// What a client that posts hears: `ok`, of the type that the original's had.
    pub fn posted(self, response: &mut Response) {
        if self.is_version_3() && response.status() == StatusCode::OK {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
        }
    }

    /// The original's cookie, for balancers that keep a session on one node.
    pub fn set_cookie(self, session: &str, headers: &mut HeaderMap) {
        if self.is_version_3()
            && let Ok(cookie) = HeaderValue::from_str(&format!("io={session}; Path=/; HttpOnly"))
        {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
}

/// The session id in an open packet, `0{"sid":…}` behind any framing.
fn session_in(bytes: &[u8]) -> Option<String> {
    let open = bytes.windows(2).position(|pair| pair == b"0{").filter(|at| *at < 6)?;
    let packet: Value = serde_json::from_slice(&bytes[open + 1..]).ok()?;
    Some(packet.get("sid")?.as_str()?.to_owned())
}

/// Text framing to binary framing. Text framing counts UTF-16 units, binary framing bytes.
fn to_binary(mut text: &str) -> Option<Vec<u8>> {
    let mut framed = Vec::with_capacity(text.len() + 8);
    while !text.is_empty() {
        let (units, rest) = text.split_once(':')?;
        let (packet, rest) = rest.split_at(bytes_of_units(rest, units.parse().ok()?)?);
        framed.push(0);
        framed.extend(packet.len().to_string().bytes().map(|digit| digit - b'0'));
        framed.push(0xff);
        framed.extend_from_slice(packet.as_bytes());
        text = rest;
    }
    Some(framed)
}

/// How many bytes the first `units` UTF-16 units of `text` take.
fn bytes_of_units(text: &str, units: usize) -> Option<usize> {
    let mut left = units;
    for (at, character) in text.char_indices() {
        if left == 0 {
            return Some(at);
        }
        left = left.checked_sub(character.len_utf16())?;
    }
    (left == 0).then_some(text.len())
}

#[cfg(test)]
mod tests {
    use super::{session_in, to_binary};

    #[test]
    fn text_framing_becomes_binary_framing() {
        let accented = [b"\x00\x02\xff40\x00\x07\xff4".as_slice(), "é😀".as_bytes()].concat();
        assert_eq!(to_binary("2:404:4é😀").unwrap(), accented);
        assert_eq!(to_binary("9:40"), None);
    }

    #[test]
    fn the_session_of_an_open_packet_is_found() {
        assert_eq!(session_in(b"13:0{\"sid\":\"abc\"}").as_deref(), Some("abc"));
        assert_eq!(session_in(b"0{\"sid\":\"abc\"}").as_deref(), Some("abc"));
        assert_eq!(session_in(b"2:40"), None);
    }
}
