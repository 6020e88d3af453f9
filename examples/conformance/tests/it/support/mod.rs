//! What the tests speak with: HTTP and websockets, down to their bytes.

pub mod http;
pub mod polling;
pub mod server;
pub mod websocket;

use std::time::Duration;

/// Whoever has not heard what they wait for by then will not hear it.
const DEADLINE: Duration = Duration::from_secs(20);

pub async fn within_deadline<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("nothing came in time"))
}

/// The versions of Engine.IO: 3 has Socket.IO 4 above it, 4 has 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eio {
    V3,
    V4,
}

impl Eio {
    pub fn number(self) -> u8 {
        match self {
            Self::V3 => 3,
            Self::V4 => 4,
        }
    }

    /// Texts as a client posts them. Version 3 gives each one's length as JavaScript counts it: in units of UTF-16.
    pub fn posted(self, packets: &[&str]) -> String {
        match self {
            Self::V3 => {
                let counted = |packet: &&str| format!("{}:{packet}", packet.encode_utf16().count());
                packets.iter().map(counted).collect::<Vec<_>>().concat()
            }
            Self::V4 => packets.join("\x1e"),
        }
    }

    /// Texts as a poll is answered with them. Version 3 has a zero for text, the length in bytes digit by digit, and 255
    /// before each, for clients that did not ask for text.
    pub fn polled(self, packets: &[&str]) -> Vec<u8> {
        let framed = |packet: &&str| {
            let digits = packet.len().to_string().bytes().map(|digit| digit - b'0').collect::<Vec<_>>();
            [b"\0", &digits[..], b"\xff", packet.as_bytes()].concat()
        };
        match self {
            Self::V3 => packets.iter().flat_map(framed).collect(),
            Self::V4 => self.posted(packets).into(),
        }
    }

    /// The texts that a poll is answered with: the reverse of [`Self::polled`].
    fn texts(self, mut body: &[u8]) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut texts = Vec::new();
        match self {
            Self::V3 => {
                while let Some((0, rest)) = body.split_first() {
                    let digits = rest.iter().position(|byte| *byte == 0xff).unwrap();
                    let length = rest[..digits].iter().fold(0, |length, digit| length * 10 + usize::from(*digit));
                    let (packet, rest) = rest[digits + 1..].split_at(length);
                    texts.push(text(packet));
                    body = rest;
                }
                assert_eq!(body, b"", "not text alone");
            }
            Self::V4 => texts.extend(text(body).split('\x1e').map(str::to_owned)),
        }
        texts
    }

    /// Bytes as a message of a websocket: version 3 has the type before them.
    pub fn framed(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::V3 => [b"\x04", bytes].concat(),
            Self::V4 => bytes.to_vec(),
        }
    }
}
