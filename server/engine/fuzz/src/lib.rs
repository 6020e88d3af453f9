//! What must hold of the codec whatever bytes it is given: one function for each fuzz target. `tests/it/mutations.rs`
//! runs the same ones on stable, for a moment.

use bytes::Bytes;
use engineioxide::frame::{self, Decoder, Message, Violation};
use engineioxide::jsonp;
use engineioxide::packet::{Packet, ParseError};
use engineioxide::payload::{DoubleEncoding, Framing, TextEncoding, decode, decode_text, encode, in_ascii};
use engineioxide_core::ProtocolVersion;
use serde_json::Value;

/// `data` is a message of a websocket.
pub fn packet(data: &[u8]) {
    for protocol in [ProtocolVersion::V3, ProtocolVersion::V4] {
        if let Ok(text) = String::from_utf8(data.to_vec())
            && let Ok(packet) = Packet::from_text(text.into(), protocol)
        {
            assert!(size(&packet) < data.len());
            come_back(&[packet], protocol);
        }
        if let Ok(packet) = Packet::from_binary(Bytes::copy_from_slice(data), protocol) {
            let Packet::Binary(bytes) = &packet else { unreachable!("a binary message is {packet:?}") };
            assert!(data.ends_with(bytes) && data.len() - bytes.len() <= 1);
            come_back(&[packet], protocol);
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        is_read_as_often_as_it_is_encoded(text);
        is_escaped(text, &in_ascii(text));
    }
}

/// The first byte of `data` chooses how the others are to be read: as a request's body, and as what JSONP has to carry.
pub fn payload(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else { return };
    let choice = usize::from(*choice);
    let framing = [Framing::Separated, Framing::Binary, Framing::Text][choice % 3];
    let setting = [DoubleEncoding::Detect, DoubleEncoding::Always, DoubleEncoding::Never][choice / 3 % 3];
    let before = [None, Some(TextEncoding::Once), Some(TextEncoding::Twice)][choice / 9 % 3];

    let mut encoding = before;
    let packets = decode(&Bytes::copy_from_slice(body), framing, &mut encoding, setting);
    if setting == DoubleEncoding::Detect && (before == Some(TextEncoding::Once) || framing != Framing::Text) {
        assert_eq!(encoding, before);
    }
    if setting == DoubleEncoding::Detect && framing == Framing::Text && std::str::from_utf8(body).is_ok() {
        assert_ne!(packets, Err(ParseError::NotUtf8), "what is not encoded twice is encoded once");
    }
    if let Ok(packets) = packets {
        assert!(packets.len() <= body.len() && packets.iter().map(size).sum::<usize>() <= body.len());
        if framing == Framing::Separated {
            come_back(&packets, ProtocolVersion::V4);
        } else {
            come_back(&packets, ProtocolVersion::V3);
            come_back_escaped(&packets);
        }
    }

    if let Ok(text) = std::str::from_utf8(body) {
        script_is_harmless(text);
        form_comes_back(text);
    }
    if let Ok(payload) = jsonp::unwrap(body) {
        assert!(payload.len() < body.len());
        script_is_harmless(&payload);
    }
}

/// The first bytes of `data` choose a limit and how the connection cuts what follows, which is read as a client's frames
/// and as a recipe for messages.
pub fn frame(data: &[u8]) {
    let [limit, chunk, input @ ..] = data else { return };
    let max_message = [0, 1, 125, 1000, 70_000, usize::MAX][usize::from(*limit) % 6];
    let chunk = usize::from(*chunk) + 1;
    assert_eq!(read(input, chunk, max_message), read(input, usize::MAX, max_message));

    let (messages, frames) = cook(input);
    assert_eq!(read(&frames, chunk, usize::MAX), (messages, None));
}

/// How much text or how many bytes a packet has.
fn size(packet: &Packet) -> usize {
    match packet {
        Packet::Open(text) | Packet::Ping(text) | Packet::Pong(text) | Packet::Message(text) => text.len(),
        Packet::Binary(bytes) => bytes.len(),
        Packet::Close | Packet::Upgrade | Packet::Noop => 0,
    }
}

/// Each framing of the protocol that carries packets exactly gives them back.
fn come_back(packets: &[Packet], protocol: ProtocolVersion) {
    let round = |framing, encoding, setting| {
        let body = encode(packets, framing, encoding);
        assert_eq!(decode(&body, framing, &mut None, setting).as_deref(), Ok(packets));
    };
    match protocol {
        ProtocolVersion::V3 => {
            round(Framing::Binary, None, DoubleEncoding::Detect);
            round(Framing::Text, Some(TextEncoding::Once), DoubleEncoding::Never);
            round(Framing::Text, Some(TextEncoding::Twice), DoubleEncoding::Always);
            round(Framing::Text, Some(TextEncoding::Twice), DoubleEncoding::Detect);
        }
        ProtocolVersion::V4 => {
            let separator = |packet: &Packet| format!("{packet:?}").contains("\\x1e");
            // A separator within a packet of a websocket has no place in a payload.
            if !packets.iter().any(separator) {
                round(Framing::Separated, None, DoubleEncoding::Detect);
            }
        }
    }
}

/// Text framing for a client of unknown encoding leaves JSON what it is, and other text alone.
fn come_back_escaped(packets: &[Packet]) {
    let body = encode(packets, Framing::Text, None);
    let back = decode(&body, Framing::Text, &mut None, DoubleEncoding::Never).expect("a payload of our own");
    assert_eq!(back.len(), packets.len());
    for pair in packets.iter().zip(&back) {
        let (Packet::Message(before), Packet::Message(after)) = pair else {
            assert_eq!(pair.0, pair.1);
            continue;
        };
        is_escaped(before, after);
    }
}

/// JSON stays what it is, and so does text that has no strings.
fn is_escaped(before: &str, after: &str) {
    if let Ok(json) = serde_json::from_str::<Value>(before) {
        assert!(after.is_ascii());
        assert_eq!(serde_json::from_str::<Value>(after).ok(), Some(json));
    } else if before.is_ascii() || !before.contains('"') {
        assert_eq!(before, after);
    }
}

/// A message of a websocket, from clients that encode it once and from those that do it twice.
fn is_read_as_often_as_it_is_encoded(text: &str) {
    let read = |sent: &str, setting| {
        let mut encoding = None;
        (decode_text(sent.to_owned().into(), &mut encoding, setting), encoding)
    };
    let twice: String = text.bytes().map(char::from).collect();
    assert_eq!(read(text, DoubleEncoding::Never).0.as_deref(), Ok(text));
    assert_eq!(read(&twice, DoubleEncoding::Always).0.as_deref(), Ok(text));
    let learned = (!text.is_ascii()).then_some(TextEncoding::Twice);
    let (detected, encoding) = read(&twice, DoubleEncoding::Detect);
    assert_eq!((detected.as_deref(), encoding), (Ok(text), learned));
    // What is not encoded twice is encoded once, and ambiguous text is never an error.
    assert!(read(text, DoubleEncoding::Detect).0.is_ok());
}

fn script_is_harmless(payload: &str) {
    let script = jsonp::wrap(7, payload);
    let literal = script.strip_prefix("___eio[7](").and_then(|rest| rest.strip_suffix(");")).expect("a call");
    assert_eq!(serde_json::from_str::<String>(literal).ok().as_deref(), Some(payload));
    assert!(!literal.contains(['<', '\n', '\r', '\u{2028}', '\u{2029}']));
}

/// A form that a page fills with `payload` gives it back, if a backslash before a line feed does not look like an escape.
fn form_comes_back(payload: &str) {
    if payload.contains("\\\n") {
        return;
    }
    let escaped = payload.replace("\\n", "\\\n").replace('\n', "\\n");
    let mut form = b"d=".to_vec();
    for byte in escaped.bytes() {
        match byte {
            b' ' => form.push(b'+'),
            byte if byte.is_ascii_alphanumeric() => form.push(byte),
            byte => form.extend(format!("%{byte:02x}").bytes()),
        }
    }
    assert_eq!(jsonp::unwrap(&form).as_deref(), Ok(payload));
}

/// What a decoder makes of `input` in pieces of `chunk` bytes, with an eye on its memory.
fn read(input: &[u8], chunk: usize, max_message: usize) -> (Vec<Message>, Option<Violation>) {
    let mut decoder = Decoder::new(max_message);
    let mut messages = Vec::new();
    let mut arrived = 0;
    for piece in input.chunks(chunk) {
        arrived += piece.len();
        let mut rest = piece;
        loop {
            match decoder.decode(&mut rest) {
                Ok(Some(message)) => {
                    let limit = if let Message::Ping(_) = message { 125 } else { max_message };
                    assert!(length(&message) <= limit);
                    messages.push(message);
                }
                Ok(None) => break,
                Err(violation) => return (messages, Some(violation)),
            }
        }
        assert!(rest.is_empty(), "what is left is nobody's");
        assert!(decoder.held() <= (2 * arrived).min(max_message.saturating_add(125)));
    }
    (messages, None)
}

fn length(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) => bytes.len(),
        Message::Pong | Message::Close(_) => 0,
    }
}

/// Messages, and the frames of a client that sends them: what a server would send, masked and in fragments.
fn cook(mut recipe: &[u8]) -> (Vec<Message>, Vec<u8>) {
    let mut messages = Vec::new();
    let mut frames = Vec::new();
    while let [choice, length, cut, after @ ..] = recipe {
        let (ingredients, rest) = after.split_at(after.len().min(usize::from(*length)));
        recipe = rest;
        let payload = match choice / 8 % 8 {
            0 => ingredients.repeat(3),
            1 if frames.is_empty() => ingredients.repeat(600),
            _ => ingredients.to_vec(),
        };
        let prefix = (choice & 0x80 != 0).then_some(b'4');
        let prefixed: Vec<u8> = prefix.into_iter().chain(payload.iter().copied()).collect();
        let (frame, message) = match choice % 5 {
            0 => {
                let text = String::from_utf8_lossy(&payload);
                let prefixed: String = prefix.map(char::from).into_iter().chain(text.chars()).collect();
                (frame::text(prefix, text.as_bytes()), Message::Text(prefixed.into()))
            }
            1 => (frame::binary(prefix, &payload), Message::Binary(prefixed.into())),
            2 => (frame::pong(&payload[..payload.len().min(125)]), Message::Pong),
            3 => {
                let code = 3000 + u16::from(*cut);
                (frame::close(code), Message::Close(Some(code)))
            }
            _ => {
                let payload = &payload[..payload.len().min(125)];
                let mut ping = frame::pong(payload).to_vec();
                ping[0] = 0x89;
                (ping.into(), Message::Ping(Bytes::copy_from_slice(payload)))
            }
        };
        let is_data = frame[0] & 0x08 == 0;
        for fragment in fragments(&frame, usize::from(*cut), is_data) {
            frames.extend(masked(&fragment, [*choice, *length, *cut, 0x5a]));
        }
        messages.push(message);
    }
    (messages, frames)
}

/// A whole frame in two, the first of which ends after `cut` bytes of payload.
fn fragments(frame: &[u8], cut: usize, is_data: bool) -> Vec<Vec<u8>> {
    let payload = &frame[header_length(frame)..];
    if !is_data || cut.is_multiple_of(2) || payload.len() < cut {
        return vec![frame.to_vec()];
    }
    let (first, last) = payload.split_at(cut);
    let mut start = frame::binary(None, first).to_vec();
    start[0] = frame[0] & 0x7f;
    let mut end = frame::binary(None, last).to_vec();
    end[0] = 0x80;
    vec![start, end]
}

fn header_length(frame: &[u8]) -> usize {
    match frame[1] {
        127 => 10,
        126 => 4,
        _ => 2,
    }
}

fn masked(frame: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let (header, payload) = frame.split_at(header_length(frame));
    let mut masked = header.to_vec();
    masked[1] |= 0x80;
    masked.extend(mask);
    masked.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    masked
}
