//! Packets, and how each is one message of text or of bytes (Engine.IO protocols 3 and 4, "packet encoding").

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig};
use bytes::{Buf, Bytes};
use engineioxide_core::{ProtocolVersion, Str};
use thiserror::Error;

/// Padding is written, and not asked for: Node reads base64 without it.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// The handshake, in JSON.
    Open(Str),
    Close,
    /// Carries `probe` before an upgrade.
    Ping(Str),
    Pong(Str),
    Message(Str),
    /// A message of bytes.
    Binary(Bytes),
    Upgrade,
    Noop,
}

/// Why something from a client is no packet, or no payload of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    #[error("nothing where a packet should be")]
    Empty,
    #[error("unknown packet type")]
    UnknownType,
    #[error("malformed base64")]
    Base64,
    #[error("malformed length of a packet, or fewer bytes than it says")]
    Length,
    /// Where double encoding is `Always` expected, also text that is encoded once.
    #[error("malformed UTF-8")]
    NotUtf8,
    #[error("no form with a field `d`")]
    Form,
}

impl Packet {
    /// Reads a text message of a websocket, or a packet from a payload: a digit for the type and its data, or `b` and
    /// base64 (in protocol 3 `b4`, for the type is told there, too).
    ///
    /// Data behind a packet that has none (`1abc`) is ignored, as the original does.
    #[expect(clippy::needless_pass_by_value, reason = "the packet takes the text's place, and shares its memory")]
    pub fn from_text(text: Str, protocol: ProtocolVersion) -> Result<Self, ParseError> {
        let data = || text.slice(1..);
        match text.get(0).ok_or(ParseError::Empty)? {
            b'0' => Ok(Self::Open(data())),
            b'1' => Ok(Self::Close),
            b'2' => Ok(Self::Ping(data())),
            b'3' => Ok(Self::Pong(data())),
            b'4' => Ok(Self::Message(data())),
            b'5' => Ok(Self::Upgrade),
            b'6' => Ok(Self::Noop),
            b'b' => {
                let base64 = text.strip_prefix(base64_prefix(protocol)).ok_or(ParseError::UnknownType)?;
                Ok(Self::Binary(BASE64.decode(base64).map_err(|_| ParseError::Base64)?.into()))
            }
            _ => Err(ParseError::UnknownType),
        }
    }

    /// Reads a binary message of a websocket, which in protocol 3 begins with the type's number; only messages are
    /// binary.
    pub fn from_binary(mut bytes: Bytes, protocol: ProtocolVersion) -> Result<Self, ParseError> {
        if protocol == ProtocolVersion::V3 {
            match bytes.first() {
                None => return Err(ParseError::Empty),
                Some(4) => bytes.advance(1),
                Some(_) => return Err(ParseError::UnknownType),
            }
        }
        Ok(Self::Binary(bytes))
    }

    /// The digit of the type.
    pub(crate) fn digit(&self) -> u8 {
        match self {
            Self::Open(_) => b'0',
            Self::Close => b'1',
            Self::Ping(_) => b'2',
            Self::Pong(_) => b'3',
            Self::Message(_) | Self::Binary(_) => b'4',
            Self::Upgrade => b'5',
            Self::Noop => b'6',
        }
    }

    /// The text behind the type; there is none in a binary message.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Open(text) | Self::Ping(text) | Self::Pong(text) | Self::Message(text) => text,
            Self::Close | Self::Binary(_) | Self::Upgrade | Self::Noop => "",
        }
    }
}

/// A binary message as text.
pub(crate) fn base64(bytes: &[u8], protocol: ProtocolVersion) -> String {
    let mut text = base64_prefix(protocol).to_owned();
    BASE64.encode_string(bytes, &mut text);
    text
}

/// What stands before the base64 of a binary message.
pub(crate) fn base64_prefix(protocol: ProtocolVersion) -> &'static str {
    match protocol {
        ProtocolVersion::V3 => "b4",
        ProtocolVersion::V4 => "b",
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use engineioxide_core::ProtocolVersion::{self, V3, V4};

    use super::{Packet, ParseError};

    fn text(text: &'static str, protocol: ProtocolVersion) -> Result<Packet, ParseError> {
        Packet::from_text(text.into(), protocol)
    }

    #[test]
    fn text_is_a_digit_and_data() {
        assert_eq!(text(r#"0{"sid":"a"}"#, V4), Ok(Packet::Open(r#"{"sid":"a"}"#.into())));
        assert_eq!(text("1", V4), Ok(Packet::Close));
        assert_eq!(text("2probe", V4), Ok(Packet::Ping("probe".into())));
        assert_eq!(text("3probe", V3), Ok(Packet::Pong("probe".into())));
        assert_eq!(text("4hello", V4), Ok(Packet::Message("hello".into())));
        assert_eq!(text("4", V4), Ok(Packet::Message("".into())));
        assert_eq!(text("5", V4), Ok(Packet::Upgrade));
        assert_eq!(text("6ignored", V4), Ok(Packet::Noop));
    }

    #[test]
    fn what_is_no_packet_is_told() {
        assert_eq!(text("", V4), Err(ParseError::Empty));
        assert_eq!(text("7", V4), Err(ParseError::UnknownType));
        assert_eq!(text("é", V4), Err(ParseError::UnknownType));
        assert_eq!(text("bAQ?", V4), Err(ParseError::Base64));
        assert_eq!(text("b2AQ==", V3), Err(ParseError::UnknownType));
        assert_eq!(Packet::from_binary(Bytes::new(), V3), Err(ParseError::Empty));
        assert_eq!(Packet::from_binary(Bytes::from_static(&[2, 1]), V3), Err(ParseError::UnknownType));
    }

    #[test]
    fn bytes_are_base64_in_text_and_bare_in_binary() {
        let packet = Ok(Packet::Binary(Bytes::from_static(&[1, 2, 3, 4])));
        assert_eq!(text("bAQIDBA==", V4), packet);
        assert_eq!(text("bAQIDBA", V4), packet);
        assert_eq!(text("b4AQIDBA==", V3), packet);
        assert_eq!(Packet::from_binary(Bytes::from_static(&[1, 2, 3, 4]), V4), packet);
        assert_eq!(Packet::from_binary(Bytes::from_static(&[4, 1, 2, 3, 4]), V3), packet);
    }
}
