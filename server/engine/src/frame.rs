//! Websocket frames, as a server writes and reads them (RFC 6455, section 5). There are no extensions.

use std::mem;

use bytes::{BufMut, Bytes};
use engineioxide_core::Str;
use thiserror::Error;

/// Two bytes, a length of 64 bits and the mask.
const MAX_HEADER: usize = 14;

/// The largest payload of a control frame (section 5.5).
const MAX_CONTROL: usize = 125;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;

/// A whole text message. `prefix` comes before the payload: the digit of an Engine.IO packet.
pub fn text(prefix: Option<u8>, payload: &[u8]) -> Bytes {
    frame(Opcode::Text, prefix, payload)
}

/// A whole binary message. `prefix` comes before the payload: the type of an Engine.IO 3 packet.
pub fn binary(prefix: Option<u8>, payload: &[u8]) -> Bytes {
    frame(Opcode::Binary, prefix, payload)
}

/// The answer to a ping with this payload.
pub fn pong(payload: &[u8]) -> Bytes {
    frame(Opcode::Pong, None, payload)
}

pub fn close(code: u16) -> Bytes {
    frame(Opcode::Close, None, &code.to_be_bytes())
}

fn frame(opcode: Opcode, prefix: Option<u8>, payload: &[u8]) -> Bytes {
    let length = payload.len() + usize::from(prefix.is_some());
    let mut frame;
    if let Ok(short @ 0..=125) = u8::try_from(length) {
        frame = Vec::with_capacity(2 + length);
        frame.extend([FIN | opcode as u8, short]);
    } else if let Ok(medium) = u16::try_from(length) {
        frame = Vec::with_capacity(4 + length);
        frame.extend([FIN | opcode as u8, 126]);
        frame.put_u16(medium);
    } else {
        frame = Vec::with_capacity(10 + length);
        frame.extend([FIN | opcode as u8, 127]);
        frame.put_u64(length as u64);
    }
    frame.extend(prefix);
    frame.extend_from_slice(payload);
    frame.into()
}

/// What a client says over a websocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Text(Str),
    Binary(Bytes),
    /// To be answered by a [`pong`] with the same payload.
    Ping(Bytes),
    Pong,
    /// The code, if one is told. Nothing of worth can follow.
    Close(Option<u16>),
}

/// Why a connection has to be closed. Its decoder is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Violation {
    #[error("not the websocket protocol")]
    Protocol,
    #[error("text that is not UTF-8")]
    NotUtf8,
    #[error("a message larger than is accepted")]
    TooLarge,
}

impl Violation {
    /// The code to close with (section 7.4.1).
    pub fn close_code(self) -> u16 {
        match self {
            Self::Protocol => 1002,
            Self::NotUtf8 => 1007,
            Self::TooLarge => 1009,
        }
    }
}

/// Reads a client's frames, however the connection has cut them.
///
/// Memory is held for a message under way only: not more than twice of what has arrived of it, nor more than a
/// message may have.
#[derive(Debug)]
pub struct Decoder {
    max_message: usize,
    header: Header,
    /// The frame whose payload is arriving.
    frame: Option<Frame>,
    /// What is to be continued, after a frame that was not the last of its message.
    fragmented: Option<Data>,
    message: Vec<u8>,
    control: Vec<u8>,
}

/// The start of the next frame, as far as it has arrived.
#[derive(Debug)]
struct Header {
    bytes: [u8; MAX_HEADER],
    length: usize,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    kind: Kind,
    is_final: bool,
    mask: [u8; 4],
    length: usize,
    /// How much of `length` has arrived.
    arrived: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Data(Data),
    Close,
    Ping,
    Pong,
}

#[derive(Clone, Copy, Debug)]
enum Data {
    Text,
    Binary,
}

#[derive(Clone, Copy)]
enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xa,
}

impl Decoder {
    /// `max_message` is the largest message, in bytes of payload, with all its fragments.
    pub fn new(max_message: usize) -> Self {
        Self {
            max_message,
            header: Header { bytes: [0; MAX_HEADER], length: 0 },
            frame: None,
            fragmented: None,
            message: Vec::new(),
            control: Vec::new(),
        }
    }

    /// Takes bytes off `input` until a message is complete, or there are none left.
    pub fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Violation> {
        loop {
            let Some(mut frame) = self.next_frame(input)? else { return Ok(None) };
            self.receive(&mut frame, input);
            if frame.arrived < frame.length {
                self.frame = Some(frame);
                return Ok(None);
            }
            if let Some(message) = self.complete(frame)? {
                return Ok(Some(message));
            }
        }
    }

    /// The memory that is held for a message under way, in bytes.
    pub fn held(&self) -> usize {
        self.message.capacity() + self.control.capacity()
    }

    /// The frame under way, or the next one as soon as its header is there.
    fn next_frame(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Violation> {
        if let Some(frame) = self.frame.take() {
            return Ok(Some(frame));
        }
        if !self.header.fill(2, input) {
            return Ok(None);
        }
        let [first, second, ..] = self.header.bytes;
        let is_final = first & FIN != 0;
        if first & RESERVED != 0 || second & MASKED == 0 {
            return Err(Violation::Protocol);
        }
        let kind = self.kind_of(first)?;
        let short = usize::from(second & !MASKED);
        if !matches!(kind, Kind::Data(_)) && (!is_final || short > MAX_CONTROL) {
            return Err(Violation::Protocol);
        }
        let mask_at = match short {
            127 => 10,
            126 => 4,
            _ => 2,
        };
        if !self.header.fill(mask_at + 4, input) {
            return Ok(None);
        }
        let length = match short {
            126 | 127 => self.header.extended_length(mask_at)?,
            _ => short,
        };
        if let Kind::Data(data) = kind {
            if length > self.max_message.saturating_sub(self.message.len()) {
                return Err(Violation::TooLarge);
            }
            self.fragmented = (!is_final).then_some(data);
        }
        let mut mask = [0; 4];
        mask.copy_from_slice(&self.header.bytes[mask_at..mask_at + 4]);
        self.header.length = 0;
        Ok(Some(Frame { kind, is_final, mask, length, arrived: 0 }))
    }

    fn kind_of(&self, first: u8) -> Result<Kind, Violation> {
        match (Opcode::of(first)?, self.fragmented) {
            (Opcode::Continuation, Some(data)) => Ok(Kind::Data(data)),
            (Opcode::Text, None) => Ok(Kind::Data(Data::Text)),
            (Opcode::Binary, None) => Ok(Kind::Data(Data::Binary)),
            (Opcode::Continuation, None) | (Opcode::Text | Opcode::Binary, Some(_)) => Err(Violation::Protocol),
            (Opcode::Close, _) => Ok(Kind::Close),
            (Opcode::Ping, _) => Ok(Kind::Ping),
            (Opcode::Pong, _) => Ok(Kind::Pong),
        }
    }

    /// Unmasks what has arrived of the frame's payload, and puts it with the rest.
    fn receive(&mut self, frame: &mut Frame, input: &mut &[u8]) {
        let missing = frame.length - frame.arrived;
        let (masked, rest) = input.split_at(missing.min(input.len()));
        *input = rest;
        let payload = if let Kind::Data(_) = frame.kind { &mut self.message } else { &mut self.control };
        let start = payload.len();
        let limit = if frame.is_final { start + missing } else { self.max_message };
        grow(payload, masked.len(), limit);
        payload.extend_from_slice(masked);
        let mut mask = frame.mask;
        mask.rotate_left(frame.arrived % 4);
        unmask(&mut payload[start..], mask);
        frame.arrived += masked.len();
    }

    fn complete(&mut self, frame: Frame) -> Result<Option<Message>, Violation> {
        match frame.kind {
            Kind::Data(_) if !frame.is_final => Ok(None),
            Kind::Data(Data::Binary) => Ok(Some(Message::Binary(mem::take(&mut self.message).into()))),
            Kind::Data(Data::Text) => {
                let text = String::from_utf8(mem::take(&mut self.message)).map_err(|_| Violation::NotUtf8)?;
                Ok(Some(Message::Text(text.into())))
            }
            Kind::Close => close_code(&mem::take(&mut self.control)).map(|code| Some(Message::Close(code))),
            Kind::Ping => Ok(Some(Message::Ping(mem::take(&mut self.control).into()))),
            Kind::Pong => {
                self.control = Vec::new();
                Ok(Some(Message::Pong))
            }
        }
    }
}

impl Header {
    /// Whether the first `wanted` bytes are there, now that `input` has given what is missing of them.
    fn fill(&mut self, wanted: usize, input: &mut &[u8]) -> bool {
        let missing = wanted.saturating_sub(self.length);
        let (taken, rest) = input.split_at(missing.min(input.len()));
        self.bytes[self.length..self.length + taken.len()].copy_from_slice(taken);
        self.length += taken.len();
        *input = rest;
        self.length >= wanted
    }

    /// The length that stands before `end`. It need not be the shortest form, and can be one that no memory has.
    fn extended_length(&self, end: usize) -> Result<usize, Violation> {
        let length = self.bytes[2..end].iter().fold(0u64, |length, byte| length << 8 | u64::from(*byte));
        if length >> 63 != 0 {
            return Err(Violation::Protocol);
        }
        usize::try_from(length).map_err(|_| Violation::TooLarge)
    }
}

impl Opcode {
    fn of(first: u8) -> Result<Self, Violation> {
        match first & 0x0f {
            0x0 => Ok(Self::Continuation),
            0x1 => Ok(Self::Text),
            0x2 => Ok(Self::Binary),
            0x8 => Ok(Self::Close),
            0x9 => Ok(Self::Ping),
            0xa => Ok(Self::Pong),
            _ => Err(Violation::Protocol),
        }
    }
}

/// Makes room for `more` bytes, and at once for as many as there are already, but not beyond `limit`.
fn grow(payload: &mut Vec<u8>, more: usize, limit: usize) {
    let needed = payload.len() + more;
    if needed > payload.capacity() {
        let capacity = needed.max((payload.capacity() * 2).min(limit));
        payload.reserve_exact(capacity - payload.len());
    }
}

/// Section 5.3, eight bytes at a time.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= key;
    }
}

/// The code in a close frame's payload; behind it is a reason (sections 5.5.1 and 7.4).
fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        [_] => return Err(Violation::Protocol),
    };
    // 1004 to 1006 and 1015 are told of connections, not over them; 1012 to 1014 were registered since.
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::Protocol);
    }
    std::str::from_utf8(reason).map_err(|_| Violation::NotUtf8)?;
    Ok(Some(code))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Decoder, Message, Violation, binary, close, pong, text, unmask};

    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    /// A frame as a client sends it.
    fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            short @ 0..126 => frame.push(0x80 | u8::try_from(short).unwrap()),
            medium @ 126..0x1_0000 => {
                frame.push(0xfe);
                frame.extend(u16::try_from(medium).unwrap().to_be_bytes());
            }
            long => {
                frame.push(0xff);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        frame.extend(MASK);
        frame.extend(payload.iter().zip(MASK.into_iter().cycle()).map(|(byte, key)| byte ^ key));
        frame
    }

    fn decode_all(decoder: &mut Decoder, mut input: &[u8]) -> Result<Vec<Message>, Violation> {
        let mut messages = Vec::new();
        while let Some(message) = decoder.decode(&mut input)? {
            messages.push(message);
        }
        assert!(input.is_empty());
        Ok(messages)
    }

    /// The same, whole and byte for byte.
    fn decode(input: &[u8]) -> Result<Vec<Message>, Violation> {
        let whole = decode_all(&mut Decoder::new(100_000), input);
        let mut decoder = Decoder::new(100_000);
        let single = input.iter().map(|byte| decode_all(&mut decoder, &[*byte])).collect::<Result<Vec<_>, _>>();
        assert_eq!(single.map(|messages| messages.concat()), whole);
        whole
    }

    #[test]
    fn the_examples_of_the_rfc_are_written() {
        assert_eq!(text(None, b"Hello"), b"\x81\x05Hello".as_slice());
        assert_eq!(text(Some(b'4'), b"Hello"), b"\x81\x064Hello".as_slice());
        assert_eq!(pong(b"Hello"), b"\x8a\x05Hello".as_slice());
        assert_eq!(close(1001), [0x88, 2, 0x03, 0xe9].as_slice());
        assert_eq!(binary(None, &[7; 125])[..3], [0x82, 125, 7]);
        assert_eq!(binary(Some(4), &[7; 125])[..6], [0x82, 126, 0, 126, 4, 7]);
        assert_eq!(binary(None, &[7; 256])[..5], [0x82, 126, 1, 0, 7]);
        assert_eq!(binary(None, &vec![7; 65_535])[..5], [0x82, 126, 0xff, 0xff, 7]);
        assert_eq!(binary(None, &vec![7; 65_536])[..11], [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0, 7]);
        assert_eq!(binary(None, &vec![7; 65_536]).len(), 65_546);
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(decode(&hello), Ok(vec![Message::Text("Hello".into())]));
        let fragmented = [client_frame(0x01, b"Hel"), client_frame(0x80, b"lo")].concat();
        assert_eq!(decode(&fragmented), Ok(vec![Message::Text("Hello".into())]));
        assert_eq!(decode(&client_frame(0x89, b"Hello")), Ok(vec![Message::Ping("Hello".into())]));
        let long = Bytes::from(vec![7; 65_536]);
        assert_eq!(decode(&client_frame(0x82, &long)), Ok(vec![Message::Binary(long)]));
    }

    #[test]
    fn control_frames_between_fragments_are_delivered_at_once() {
        let frames = [
            client_frame(0x02, &[1, 2]),
            client_frame(0x89, b"ping"),
            client_frame(0x00, &[]),
            client_frame(0x8a, b"unasked"),
            client_frame(0x80, &[3]),
            client_frame(0x81, b""),
            client_frame(0x88, b""),
        ];
        let messages = vec![
            Message::Ping("ping".into()),
            Message::Pong,
            Message::Binary(Bytes::from_static(&[1, 2, 3])),
            Message::Text("".into()),
            Message::Close(None),
        ];
        assert_eq!(decode(&frames.concat()), Ok(messages));
    }

    #[test]
    fn what_a_client_must_not_send_is_a_violation() {
        for (what, frames) in [
            ("an unmasked frame", vec![b"\x81\x00".to_vec()]),
            ("a reserved bit", vec![client_frame(0xc1, b"")]),
            ("a reserved opcode", vec![client_frame(0x83, b"")]),
            ("a reserved control opcode", vec![client_frame(0x8b, b"")]),
            ("a fragmented ping", vec![client_frame(0x09, b"")]),
            ("a long ping", vec![client_frame(0x89, &[0; 126])]),
            ("a continuation of nothing", vec![client_frame(0x80, b"")]),
            ("a continuation of what is complete", vec![client_frame(0x81, b""), client_frame(0x80, b"")]),
            ("a message within another", vec![client_frame(0x01, b""), client_frame(0x81, b"")]),
            ("half a close code", vec![client_frame(0x88, &[3])]),
            ("a length that is negative", vec![b"\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0".to_vec()]),
        ] {
            let input = frames.concat();
            let messages = decode_all(&mut Decoder::new(1000), &input);
            assert_eq!(messages, Err(Violation::Protocol), "{what}");
            assert_eq!(decode(&input), Err(Violation::Protocol), "{what}");
        }
        assert_eq!(Violation::Protocol.close_code(), 1002);
    }

    #[test]
    fn a_close_tells_a_code_that_may_be_told() {
        for code in [1000u16, 1003, 1007, 1014, 3000, 4999] {
            let payload = [&code.to_be_bytes(), "bye é".as_bytes()].concat();
            assert_eq!(decode(&client_frame(0x88, &payload)), Ok(vec![Message::Close(Some(code))]));
        }
        for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
            assert_eq!(decode(&client_frame(0x88, &code.to_be_bytes())), Err(Violation::Protocol));
        }
        assert_eq!(decode(&client_frame(0x88, b"\x03\xe8\xff")), Err(Violation::NotUtf8));
    }

    #[test]
    fn text_is_checked_when_it_is_complete() {
        let split_character = [client_frame(0x01, b"\xc3"), client_frame(0x80, b"\xa9")].concat();
        assert_eq!(decode(&split_character), Ok(vec![Message::Text("é".into())]));
        assert_eq!(decode(&client_frame(0x01, b"\xff")), Ok(vec![]));
        assert_eq!(decode(&client_frame(0x81, b"\xff")), Err(Violation::NotUtf8));
        assert_eq!(Violation::NotUtf8.close_code(), 1007);
    }

    #[test]
    fn a_message_that_is_too_large_is_refused_by_its_header() {
        let frame = client_frame(0x82, &[0; 11]);
        assert_eq!(decode_all(&mut Decoder::new(10), &frame[..6]), Err(Violation::TooLarge));
        assert_eq!(decode_all(&mut Decoder::new(11), &frame).unwrap().len(), 1);
        let fragments = [client_frame(0x02, &[0; 6]), client_frame(0x80, &[0; 5])].concat();
        assert_eq!(decode_all(&mut Decoder::new(10), &fragments[..18]), Err(Violation::TooLarge));
        let huge = b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(decode_all(&mut Decoder::new(usize::MAX >> 2), huge), Err(Violation::TooLarge));
        assert_eq!(Violation::TooLarge.close_code(), 1009);
    }

    #[test]
    fn lengths_need_not_be_minimal() {
        let frame = [b"\x81\xff\0\0\0\0\0\0\0\x02\0\0\0\0".as_slice(), b"ok"].concat();
        assert_eq!(decode(&frame), Ok(vec![Message::Text("ok".into())]));
    }

    #[test]
    fn a_lying_length_holds_no_memory() {
        let mut decoder = Decoder::new(1 << 40);
        let header = b"\x82\xff\0\0\0\x7f\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(decode_all(&mut decoder, header), Ok(vec![]));
        assert_eq!(decoder.held(), 0);
        assert_eq!(decode_all(&mut decoder, &[0; 100]), Ok(vec![]));
        assert_eq!(decoder.held(), 100);
        assert_eq!(decode_all(&mut decoder, &[0]), Ok(vec![]));
        assert_eq!(decoder.held(), 200);
    }

    #[test]
    fn no_memory_is_held_between_messages() {
        let mut decoder = Decoder::new(1000);
        for first in [0x81, 0x82, 0x89, 0x8a] {
            decode_all(&mut decoder, &client_frame(first, &[b'a'; 100])[..50]).unwrap();
            assert_eq!(decoder.held(), 44);
            decode_all(&mut decoder, &client_frame(first, &[b'a'; 100])[50..]).unwrap();
            assert_eq!(decoder.held(), 0);
        }
    }

    #[test]
    fn unmasking_is_the_same_at_every_length() {
        for length in 0..40 {
            let mut payload = vec![0x55; length];
            unmask(&mut payload, MASK);
            let expected: Vec<_> = MASK.into_iter().cycle().take(length).map(|key| key ^ 0x55).collect();
            assert_eq!(payload, expected);
        }
    }
}
