//! Polling answers in the dialects of their clients: Engine.IO 3's binary framing, its cookie, and the end of a session.
//!
//! The engine frames Engine.IO 3 answers as text, which 1.x clients take for doubly encoded where it is not ASCII. Binary
//! framing (Engine.IO protocol 3, "payload") is read alike by all, and was the original's default; where a client asks
//! for text, JSON's escapes keep it ASCII.

use axum::body::{Body, Bytes};
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

    pub fn is_version_3(self) -> bool {
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

    /// The engine's answer to a `GET`, as this client reads it, and the body as the engine gave it.
    pub async fn answer(self, response: Response) -> Result<(Response, Bytes)> {
        let (parts, body) = response.into_parts();
        // The engine has it in memory: some packets of one queue.
        let bytes = body::read(body, usize::MAX).await?;
        let mut response = Response::from_parts(parts, Body::from(bytes.clone()));
        if response.status() == StatusCode::OK {
            self.reframe_ready(&mut response, &bytes);
        }
        Ok((response, bytes))
    }

    fn reframe_ready(self, response: &mut Response, bytes: &[u8]) {
        let is_text =
            response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text"));
        let Some(text) = std::str::from_utf8(bytes).ok().filter(|_| is_text) else { return };
        let framed = match self {
            Self::Binary => to_binary(text),
            Self::Text if !text.is_ascii() => to_ascii(text).map(String::into_bytes),
            Self::Text | Self::Separated => None,
        };
        let Some(framed) = framed else { return };
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        if self == Self::Binary {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        }
        *response.body_mut() = Body::from(framed);
    }

    /// Whether one of the packets in a body, as the engine framed it, is a DISCONNECT from the main namespace.
    pub fn tells_of_disconnect(self, body: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(body) else { return false };
        let packets = if self.is_version_3() { packets(text) } else { Some(text.split('\u{1e}').collect()) };
        packets.is_some_and(|packets| packets.contains(&"41"))
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
pub fn session_in(bytes: &[u8]) -> Option<String> {
    let open = bytes.windows(2).position(|pair| pair == b"0{").filter(|at| *at < 6)?;
    let packet: Value = serde_json::from_slice(&bytes[open + 1..]).ok()?;
    Some(packet.get("sid")?.as_str()?.to_owned())
}

/// How often a client encodes the text of its packets as UTF-8: 1.x clients do it once more than they should, and say
/// nothing of it. What they send is told from the text itself, and then known for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Once,
    Twice,
}

impl Encoding {
    /// What the text of `body` shows; nothing where it is all ASCII. Text that only looks doubly encoded (`Ã©`) is taken
    /// for it.
    pub fn of(body: &str) -> Option<Self> {
        if body.is_ascii() {
            return None;
        }
        let is_twice = packets(body)?.iter().all(|packet| decode_once_more(packet).is_some());
        Some(if is_twice { Self::Twice } else { Self::Once })
    }

    /// The body as a client would have sent it that encodes its text once.
    pub fn normalize(self, body: &str) -> Option<String> {
        match self {
            Self::Once => None,
            Self::Twice => {
                packets(body)?.iter().map(|packet| decode_once_more(packet).map(|text| frame(&text))).collect()
            }
        }
    }
}

fn frame(packet: &str) -> String {
    format!("{}:{packet}", packet.encode_utf16().count())
}

/// The text whose UTF-8 bytes are the characters of `packet`.
fn decode_once_more(packet: &str) -> Option<String> {
    let bytes = packet.chars().map(|character| u8::try_from(character).ok()).collect::<Option<Vec<_>>>()?;
    String::from_utf8(bytes).ok()
}

/// The packets of a body in text framing, which counts UTF-16 units.
fn packets(mut body: &str) -> Option<Vec<&str>> {
    let mut packets = Vec::new();
    while !body.is_empty() {
        let (units, rest) = body.split_once(':')?;
        let (packet, rest) = rest.split_at(bytes_of_units(rest, units.parse().ok()?)?);
        packets.push(packet);
        body = rest;
    }
    Some(packets)
}

/// Text framing to binary framing, which counts bytes.
fn to_binary(text: &str) -> Option<Vec<u8>> {
    let mut framed = Vec::with_capacity(text.len() + 8);
    for packet in packets(text)? {
        framed.push(0);
        framed.extend(packet.len().to_string().bytes().map(|digit| digit - b'0'));
        framed.push(0xff);
        framed.extend_from_slice(packet.as_bytes());
    }
    Some(framed)
}

/// The same packets in ASCII: what is not can stand in their JSON only, which has escapes for it (RFC 8259, section 7).
fn to_ascii(text: &str) -> Option<String> {
    Some(packets(text)?.into_iter().map(|packet| frame(&escape(packet))).collect())
}

fn escape(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len() * 2);
    for character in json.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                ascii.push_str("\\u");
                let digits = [12, 8, 4, 0].map(|shift| char::from_digit((u32::from(*unit) >> shift) & 0xf, 16));
                ascii.extend(digits.into_iter().flatten());
            }
        }
    }
    ascii
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
    use super::{Encoding, session_in, to_ascii, to_binary};

    #[test]
    fn text_that_was_encoded_twice_is_told_and_mended() {
        let twice: String = "4é😀".bytes().map(char::from).collect();
        let body = format!("2:40{}:{twice}", twice.encode_utf16().count());
        assert_eq!(Encoding::of(&body), Some(Encoding::Twice));
        assert_eq!(Encoding::Twice.normalize(&body).unwrap(), "2:404:4é😀");
        assert_eq!(Encoding::of("2:404:4é😀"), Some(Encoding::Once));
        assert_eq!(Encoding::of("2:4é"), Some(Encoding::Once));
        assert_eq!(Encoding::of("2:40"), None);
    }

    #[test]
    fn text_framing_becomes_binary_framing_or_ascii() {
        let accented = [b"\x00\x02\xff40\x00\x07\xff4".as_slice(), "é😀".as_bytes()].concat();
        assert_eq!(to_binary("2:404:4é😀").unwrap(), accented);
        assert_eq!(to_binary("9:40"), None);
        assert_eq!(to_ascii("2:404:4é😀").unwrap(), "2:4019:4\\u00e9\\ud83d\\ude00");
    }

    #[test]
    fn the_session_of_an_open_packet_is_found() {
        assert_eq!(session_in(b"13:0{\"sid\":\"abc\"}").as_deref(), Some("abc"));
        assert_eq!(session_in(b"0{\"sid\":\"abc\"}").as_deref(), Some("abc"));
        assert_eq!(session_in(b"2:40"), None);
    }
}
