//! Packets in the body of a polling request or answer (Engine.IO protocol 4, "payload"; protocol 3, "payload
//! encoding").
//!
//! What clients of protocol 3 do was read in engine.io-parser 1.0 to 2.2 and engine.io-client 1.8 and 3.5:
//!
//! * 1.x in Node posts the binary framing always, 1.x in browsers and 2.x wherever a packet is binary, as
//!   `application/octet-stream`; everything else is text framing. Those without binary XHR, and JSONP, ask for `b64=1`.
//! * In binary framing the length of text counts the bytes of its UTF-8, which is on the wire once, from both
//!   generations: they encode into a string of bytes and write its characters as bytes.
//! * In text framing 1.x writes that very string of bytes as UTF-8, so that the text is encoded twice.
//! * Half a surrogate pair becomes three bytes as of any other character (1.x) or U+FFFD (2.x).

mod text;

use base64::Engine as _;
use bytes::{Buf, Bytes};
use engineioxide_core::{ProtocolVersion, Str};

pub use self::text::{TextEncoding, decode_text, in_ascii, presumed};
use crate::packet::{BASE64, Packet, ParseError, base64_prefix};
pub use engine_link::DoubleEncoding;

/// Stands between the packets of protocol 4. JSON has it escaped, so that no Socket.IO packet contains it.
const SEPARATOR: u8 = 0x1e;

/// No body is longer than ten digits can tell.
const MAX_LENGTH_DIGITS: usize = 10;

/// How packets are put into one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Protocol 4: packets between record separators, bytes in base64.
    Separated,
    /// Protocol 3: `\0<digits>\xff<packet>`, for bytes `\x01<digits>\xff\x04<bytes>`.
    Binary,
    /// Protocol 3 with `b64=1`: `<UTF-16 units>:<packet>`, bytes in base64.
    Text,
}

impl Framing {
    /// Of a session's answers; `b64` is whether the client asks for text.
    pub fn of_answers(protocol: ProtocolVersion, b64: bool) -> Self {
        match (protocol, b64) {
            (ProtocolVersion::V4, _) => Self::Separated,
            (ProtocolVersion::V3, false) => Self::Binary,
            (ProtocolVersion::V3, true) => Self::Text,
        }
    }

    /// Of a request.
    pub fn of_request(protocol: ProtocolVersion, content_type: &str) -> Self {
        let mime = content_type.split(';').next().unwrap_or_default().trim();
        match protocol {
            ProtocolVersion::V4 => Self::Separated,
            ProtocolVersion::V3 if mime.eq_ignore_ascii_case(Self::Binary.content_type()) => Self::Binary,
            ProtocolVersion::V3 => Self::Text,
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Binary => "application/octet-stream",
            Self::Separated | Self::Text => "text/plain; charset=UTF-8",
        }
    }
}

/// The body of an answer.
///
/// `encoding` matters in text framing only: where it is not known, text is made ASCII as far as JSON's escapes allow, which
/// both generations of clients read alike. In binary framing they do so anyway.
pub fn encode<'a>(
    packets: impl IntoIterator<Item = &'a Packet>,
    framing: Framing,
    encoding: Option<TextEncoding>,
) -> Bytes {
    match framing {
        Framing::Separated => separated(packets).into(),
        Framing::Binary => binary(packets).into(),
        Framing::Text => counted(packets, encoding).into(),
    }
}

fn separated<'a>(packets: impl IntoIterator<Item = &'a Packet>) -> String {
    let mut body = String::new();
    for packet in packets {
        if !body.is_empty() {
            body.push(char::from(SEPARATOR));
        }
        if let Packet::Binary(bytes) = packet {
            body.push_str(base64_prefix(ProtocolVersion::V4));
            BASE64.encode_string(bytes, &mut body);
        } else {
            body.reserve(1 + packet.text().len());
            body.push(char::from(packet.digit()));
            body.push_str(packet.text());
        }
    }
    body
}

fn binary<'a>(packets: impl IntoIterator<Item = &'a Packet>) -> Vec<u8> {
    let mut body = Vec::new();
    for packet in packets {
        let (is_binary, kind, data) = match packet {
            Packet::Binary(bytes) => (1, 4, bytes.as_ref()),
            _ => (0, packet.digit(), packet.text().as_bytes()),
        };
        body.reserve(MAX_LENGTH_DIGITS + 3 + data.len());
        body.push(is_binary);
        body.extend((data.len() + 1).to_string().bytes().map(|digit| digit - b'0'));
        body.extend([0xff, kind]);
        body.extend_from_slice(data);
    }
    body
}

fn counted<'a>(packets: impl IntoIterator<Item = &'a Packet>, encoding: Option<TextEncoding>) -> String {
    let mut body = String::new();
    for packet in packets {
        if let Packet::Binary(bytes) = packet {
            let base64 = BASE64.encode(bytes);
            push_counted(&mut body, base64_prefix(ProtocolVersion::V3), &base64);
        } else {
            let digit = char::from(packet.digit());
            push_counted(&mut body, digit.encode_utf8(&mut [0; 4]), &text::outgoing(packet, encoding));
        }
    }
    // To clients an empty body is an error, and this the payload of no packet.
    if body.is_empty() { "0:".to_owned() } else { body }
}

fn push_counted(body: &mut String, kind: &str, data: &str) {
    let units = if data.is_ascii() { data.len() } else { data.encode_utf16().count() };
    body.reserve(MAX_LENGTH_DIGITS + 1 + kind.len() + data.len());
    body.push_str(&(kind.len() + units).to_string());
    body.push(':');
    body.push_str(kind);
    body.push_str(data);
}

/// The packets in the body of a request, in order; one that is malformed fails them all.
///
/// What a body in text framing shows of its client's encoding is noted in `encoding`.
pub fn decode(
    body: &Bytes,
    framing: Framing,
    encoding: &mut Option<TextEncoding>,
    setting: DoubleEncoding,
) -> Result<Vec<Packet>, ParseError> {
    match framing {
        Framing::Separated => split(&utf8(body)?),
        Framing::Binary => binary_packets(body.clone()),
        Framing::Text => text::incoming(counted_texts(&utf8(body)?)?, encoding, setting)?
            .into_iter()
            .map(|text| Packet::from_text(text, ProtocolVersion::V3))
            .collect(),
    }
}

fn utf8(body: &Bytes) -> Result<Str, ParseError> {
    let text = std::str::from_utf8(body).map_err(|_| ParseError::NotUtf8)?;
    Ok(Str::copy_from_slice(text))
}

fn split(body: &Str) -> Result<Vec<Packet>, ParseError> {
    let mut start = 0;
    let ends = memchr::memchr_iter(SEPARATOR, body.as_bytes()).chain([body.len()]);
    ends.map(|end| {
        let packet = body.slice(start..end);
        start = end + 1;
        Packet::from_text(packet, ProtocolVersion::V4)
    })
    .collect()
}

fn binary_packets(mut body: Bytes) -> Result<Vec<Packet>, ParseError> {
    let mut packets = Vec::new();
    while let Some(first) = body.first().copied() {
        let marker = body.iter().skip(1).take(MAX_LENGTH_DIGITS + 1).position(|byte| *byte == 0xff);
        let digits = marker.ok_or(ParseError::Length)?;
        let length = length(body[1..=digits].iter().copied())?;
        body.advance(digits + 2);
        if length > body.len() {
            return Err(ParseError::Length);
        }
        let data = body.split_to(length);
        packets.push(match first {
            0 => Packet::from_text(text::from_bytes(data.into())?.into(), ProtocolVersion::V3)?,
            1 => Packet::from_binary(data, ProtocolVersion::V3)?,
            _ => return Err(ParseError::UnknownType),
        });
    }
    Ok(packets)
}

/// The texts of a payload in text framing; those of no length, of which old payloads may be made, say nothing.
fn counted_texts(body: &Str) -> Result<Vec<Str>, ParseError> {
    let mut texts = Vec::new();
    let mut start = 0;
    if body.is_empty() {
        return Err(ParseError::Empty);
    }
    while start < body.len() {
        let bytes = &body.as_bytes()[start..];
        let digits = bytes.iter().take(MAX_LENGTH_DIGITS + 1).position(|byte| *byte == b':');
        let digits = digits.ok_or(ParseError::Length)?;
        let units = length(bytes[..digits].iter().map(|digit| digit.wrapping_sub(b'0')))?;
        start += digits + 1;
        let end = start + bytes_of_units(&body[start..], units).ok_or(ParseError::Length)?;
        if start < end {
            texts.push(body.slice(start..end));
        }
        start = end;
    }
    Ok(texts)
}

/// A number of [`MAX_LENGTH_DIGITS`] at most, from its digits' values.
fn length(digits: impl ExactSizeIterator<Item = u8>) -> Result<usize, ParseError> {
    if digits.len() == 0 {
        return Err(ParseError::Length);
    }
    let number =
        digits.into_iter().try_fold(0u64, |number, digit| (digit < 10).then(|| number * 10 + u64::from(digit)));
    number.and_then(|number| number.try_into().ok()).ok_or(ParseError::Length)
}

/// How many bytes the first `units` UTF-16 units of `text` take.
fn bytes_of_units(text: &str, units: usize) -> Option<usize> {
    if text.as_bytes().get(..units)?.is_ascii() {
        return Some(units);
    }
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
    use bytes::Bytes;
    use engineioxide_core::ProtocolVersion::{V3, V4};

    use super::{DoubleEncoding, Framing, TextEncoding, decode, encode};
    use crate::packet::{Packet, ParseError};

    fn hello_and_bytes() -> [Packet; 2] {
        [Packet::Message("hé€😀".into()), Packet::Binary(Bytes::from_static(&[1, 2, 3, 4]))]
    }

    fn decode_once(body: impl Into<Bytes>, framing: Framing) -> Result<Vec<Packet>, ParseError> {
        decode(&body.into(), framing, &mut None, DoubleEncoding::Never)
    }

    #[test]
    fn a_framing_follows_from_the_protocol_and_what_is_asked_for() {
        assert_eq!(Framing::of_answers(V4, true), Framing::Separated);
        assert_eq!(Framing::of_answers(V3, false), Framing::Binary);
        assert_eq!(Framing::of_answers(V3, true), Framing::Text);
        assert_eq!(Framing::of_request(V3, "Application/Octet-Stream ; a=b"), Framing::Binary);
        assert_eq!(Framing::of_request(V3, "text/plain;charset=UTF-8"), Framing::Text);
        assert_eq!(Framing::of_request(V4, "application/octet-stream"), Framing::Separated);
    }

    #[test]
    fn protocol_4_separates_packets() {
        let body = "4hé€😀\u{1e}bAQIDBA==";
        assert_eq!(encode(&hello_and_bytes(), Framing::Separated, None), body);
        assert_eq!(decode_once(body, Framing::Separated).unwrap(), hello_and_bytes());
        assert_eq!(decode_once("", Framing::Separated), Err(ParseError::Empty));
        assert_eq!(decode_once("4a\u{1e}", Framing::Separated), Err(ParseError::Empty));
        assert_eq!(decode_once(&b"4\xff"[..], Framing::Separated), Err(ParseError::NotUtf8));
    }

    #[test]
    fn binary_framing_counts_bytes() {
        let body = [b"\0\x01\x01\xff4".as_slice(), "hé€😀".as_bytes(), b"\x01\x05\xff\x04\x01\x02\x03\x04"].concat();
        assert_eq!(encode(&hello_and_bytes(), Framing::Binary, None), body);
        assert_eq!(decode_once(body, Framing::Binary).unwrap(), hello_and_bytes());
        assert_eq!(decode_once("", Framing::Binary), Ok(vec![]));
        let base64 = b"\0\x0a\xffb4AQIDBA==".to_vec();
        assert_eq!(decode_once(base64, Framing::Binary), Err(ParseError::Length));
        let base64 = b"\0\x01\0\xffb4AQIDBA==".to_vec();
        assert_eq!(decode_once(base64, Framing::Binary).unwrap(), hello_and_bytes()[1..]);
    }

    #[test]
    fn binary_framing_is_read_strictly() {
        for body in [
            b"\0".as_slice(),
            b"\0\xff",
            b"\0\x01",
            b"\0\x02\xff4",
            b"\0\x0b\xff4",
            b"\0\0\0\0\0\0\0\0\0\0\0\x01\xff4",
            b"\0\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\xff4",
        ] {
            assert_eq!(decode_once(body, Framing::Binary), Err(ParseError::Length), "{body:?}");
        }
        assert_eq!(decode_once(&b"\x02\x01\xff4"[..], Framing::Binary), Err(ParseError::UnknownType));
        assert_eq!(decode_once(&b"\0\0\xff"[..], Framing::Binary), Err(ParseError::Empty));
        assert_eq!(decode_once(&b"\0\x02\xff4\xff"[..], Framing::Binary), Err(ParseError::NotUtf8));
    }

    #[test]
    fn text_framing_counts_utf_16_units() {
        let body = "6:4hé€😀10:b4AQIDBA==";
        assert_eq!(decode_once(body, Framing::Text).unwrap(), hello_and_bytes());
        assert_eq!(decode_once("0:1:60:", Framing::Text), Ok(vec![Packet::Noop]));
        assert_eq!(encode([], Framing::Text, None), "0:");
        assert_eq!(encode(&[Packet::Noop, Packet::Ping("probe".into())], Framing::Text, None), "1:66:2probe");
    }

    #[test]
    fn text_framing_is_read_strictly() {
        for body in [":", "a:", "1", "+1:6", "1:", "2:6", "2:4😀", "00000000001:6", "9999999999:6", "1:6x"] {
            assert_eq!(decode_once(body, Framing::Text), Err(ParseError::Length), "{body}");
        }
        assert_eq!(decode_once("", Framing::Text), Err(ParseError::Empty));
        assert_eq!(decode_once("1:7", Framing::Text), Err(ParseError::UnknownType));
    }

    #[test]
    fn halves_of_surrogate_pairs_are_replaced() {
        let packets = Ok(vec![Packet::Message("a\u{fffd}".into())]);
        assert_eq!(decode_once(&b"\0\x05\xff4a\xed\xa0\xbd"[..], Framing::Binary), packets);
        assert_eq!(decode_once(&b"\0\x04\xff4\xed\xa0a"[..], Framing::Binary), Err(ParseError::NotUtf8));
        let twice = "5:4a\u{ed}\u{a0}\u{bd}";
        assert_eq!(decode(&twice.into(), Framing::Text, &mut None, DoubleEncoding::Detect), packets);
    }

    /// `text` as the only message in text framing, encoded once.
    fn message(text: &str) -> Bytes {
        format!("{}:4{text}", text.encode_utf16().count() + 1).into()
    }

    fn twice(text: &str) -> Bytes {
        message(&text.bytes().map(char::from).collect::<String>())
    }

    #[test]
    fn double_encoding_is_told_from_the_text_and_remembered() {
        let mut encoding = None;
        let mut read = |body: Bytes| {
            let packets = decode(&body, Framing::Text, &mut encoding, DoubleEncoding::Detect).unwrap();
            let [Packet::Message(text)] = packets.as_slice() else { panic!("{packets:?}") };
            (text.to_string(), encoding)
        };
        assert_eq!(read(message("ascii")), ("ascii".to_owned(), None));
        assert_eq!(read(twice("é€😀")), ("é€😀".to_owned(), Some(TextEncoding::Twice)));
        assert_eq!(read(message("ascii")), ("ascii".to_owned(), Some(TextEncoding::Twice)));
        assert_eq!(read(twice("é")), ("é".to_owned(), Some(TextEncoding::Twice)));
        // A client that encodes twice cannot send this.
        assert_eq!(read(message("€")), ("€".to_owned(), Some(TextEncoding::Once)));
        assert_eq!(read(message("Ã©")), ("Ã©".to_owned(), Some(TextEncoding::Once)));
    }

    #[test]
    fn every_packet_that_is_not_ascii_has_to_look_doubly_encoded() {
        let mut encoding = None;
        let body = Bytes::from([twice("é"), message("é"), message("a")].concat());
        let packets = decode(&body, Framing::Text, &mut encoding, DoubleEncoding::Detect).unwrap();
        assert_eq!(packets, ["Ã©", "é", "a"].map(|text| Packet::Message(text.into())));
        assert_eq!(encoding, Some(TextEncoding::Once));
    }

    #[test]
    fn a_setting_stands_above_what_is_seen() {
        let mut encoding = None;
        let never = decode(&twice("é"), Framing::Text, &mut encoding, DoubleEncoding::Never);
        assert_eq!((never.unwrap(), encoding), (vec![Packet::Message("Ã©".into())], Some(TextEncoding::Once)));
        let always = decode(&twice("é"), Framing::Text, &mut encoding, DoubleEncoding::Always);
        assert_eq!((always.unwrap(), encoding), (vec![Packet::Message("é".into())], Some(TextEncoding::Twice)));
        let always = decode(&message("€"), Framing::Text, &mut encoding, DoubleEncoding::Always);
        assert_eq!((always, encoding), (Err(ParseError::NotUtf8), Some(TextEncoding::Twice)));
    }

    #[test]
    fn text_framing_is_encoded_twice_for_those_who_do_so() {
        let packets = [Packet::Message("é😀".into())];
        assert_eq!(encode(&packets, Framing::Text, Some(TextEncoding::Twice)), twice("é😀"));
    }

    #[test]
    fn text_framing_is_ascii_within_json_strings_for_those_of_whom_nothing_is_known() {
        let json = r#"2/é,["é\"€\\","😀"]"#;
        let packets = [Packet::Message(json.into()), Packet::Pong("é".into())];
        let escaped = r#"2/é,["\u00e9\"\u20ac\\","\ud83d\ude00"]"#;
        let body = [message(escaped), "2:3é".into()].concat();
        assert_eq!(encode(&packets, Framing::Text, None), body);
        assert_eq!(encode(&packets, Framing::Text, Some(TextEncoding::Once)), [message(json), "2:3é".into()].concat());
    }
}
