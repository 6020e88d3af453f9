//! The text encodings of protocol 3.

use std::borrow::Cow;

use engine_link::DoubleEncoding;
use engineioxide_core::Str;

use crate::jsonp::push_escape;
use crate::packet::{Packet, ParseError};

/// How often a client of protocol 3 encodes, and expects encoded, what stands in text framing: 1.x clients once more
/// than they should. They say nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextEncoding {
    Once,
    Twice,
}

/// What is known of a session before it has sent anything.
pub fn presumed(setting: DoubleEncoding) -> Option<TextEncoding> {
    match setting {
        DoubleEncoding::Detect => None,
        DoubleEncoding::Always => Some(TextEncoding::Twice),
        DoubleEncoding::Never => Some(TextEncoding::Once),
    }
}

/// The packets of a body in text framing, decoded as often as their client encodes them.
pub(super) fn incoming(
    texts: Vec<Str>,
    encoding: &mut Option<TextEncoding>,
    setting: DoubleEncoding,
) -> Result<Vec<Str>, ParseError> {
    *encoding = presumed(setting).or(*encoding);
    if *encoding == Some(TextEncoding::Once) || texts.iter().all(|text| text.is_ascii()) {
        return Ok(texts);
    }
    let decoded: Result<Vec<_>, _> = texts.iter().map(decode_once_more).collect();
    if setting == DoubleEncoding::Detect && decoded.is_err() {
        *encoding = Some(TextEncoding::Once);
        return Ok(texts);
    }
    *encoding = Some(TextEncoding::Twice);
    decoded
}

/// The text whose UTF-8 bytes are the characters of `text`.
fn decode_once_more(text: &Str) -> Result<Str, ParseError> {
    if text.is_ascii() {
        return Ok(text.clone());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        bytes.push(u8::try_from(character).map_err(|_| ParseError::NotUtf8)?);
    }
    from_bytes(bytes).map(Str::from)
}

/// Text from UTF-8 of an old client, which may hold halves of surrogate pairs: they become U+FFFD, of three bytes as
/// well.
pub(super) fn from_bytes(bytes: Vec<u8>) -> Result<String, ParseError> {
    String::from_utf8(bytes).or_else(|error| {
        let mut bytes = error.into_bytes();
        for at in 0..bytes.len().saturating_sub(2) {
            if let [0xed, 0xa0..=0xbf, 0x80..=0xbf] = bytes[at..at + 3] {
                bytes[at..at + 3].copy_from_slice("\u{fffd}".as_bytes());
            }
        }
        String::from_utf8(bytes).map_err(|_| ParseError::NotUtf8)
    })
}

/// One text of a client, decoded as often as it encodes.
///
/// # Errors
/// It is not encoded twice, and would have to be.
pub fn decode_text(text: Str, encoding: &mut Option<TextEncoding>, setting: DoubleEncoding) -> Result<Str, ParseError> {
    incoming(vec![text], encoding, setting)?.pop().ok_or(ParseError::Empty)
}

/// The text of a packet as a client reads it in text framing.
pub(super) fn outgoing(packet: &Packet, encoding: Option<TextEncoding>) -> Cow<'_, str> {
    let text = packet.text();
    match packet {
        _ if text.is_ascii() => text.into(),
        _ if encoding == Some(TextEncoding::Twice) => text.bytes().map(char::from).collect(),
        Packet::Message(text) if encoding.is_none() => in_ascii(text),
        _ => text.into(),
    }
}

/// The same JSON with its strings in ASCII. What is not ASCII outside of them (a namespace) is left.
pub fn in_ascii(json: &str) -> Cow<'_, str> {
    if json.is_ascii() { json.into() } else { escape(json).into() }
}

fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len() * 2);
    let mut is_in_string = false;
    let mut characters = json.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => is_in_string = !is_in_string,
            '\\' if is_in_string => {
                escaped.push(character);
                escaped.extend(characters.next());
                continue;
            }
            _ if is_in_string && !character.is_ascii() => {
                push_escape(&mut escaped, character);
                continue;
            }
            _ => {}
        }
        escaped.push(character);
    }
    escaped
}
