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

    /// The texts that a poll is answered with, in whichever framing of its version.
    pub fn polled(self, body: &[u8]) -> Vec<String> {
        match (self, body.first()) {
            (Self::V4, _) => text(body).split('\x1e').map(str::to_owned).collect(),
            (Self::V3, Some(0)) => framed_texts(body),
            (Self::V3, _) => counted_texts(text(body)),
        }
    }

    /// Bytes as a message of a websocket: version 3 has the type before them.
    pub fn framed(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::V3 => [b"\x04", bytes].concat(),
            Self::V4 => bytes.to_vec(),
        }
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Texts of version 3 in the framing of bytes: each has before it a zero, its length in bytes digit by digit, and 255.
fn framed_texts(mut body: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some((0, rest)) = body.split_first() {
        let digits = rest.iter().position(|byte| *byte == 0xff).unwrap();
        let length = rest[..digits].iter().fold(0, |length, digit| length * 10 + usize::from(*digit));
        let (packet, rest) = rest[digits + 1..].split_at(length);
        texts.push(text(packet).to_owned());
        body = rest;
    }
    assert_eq!(body, b"", "not text alone");
    texts
}

/// Texts of version 3 behind their lengths in units of UTF-16.
fn counted_texts(mut body: &str) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some((length, rest)) = body.split_once(':') {
        let units: Vec<_> = rest.encode_utf16().take(length.parse().unwrap()).collect();
        let packet = String::from_utf16(&units).unwrap();
        body = &rest[packet.len()..];
        texts.push(packet);
    }
    texts
}
