//! Websockets as RFC 6455 has them, to the bit.

use std::io::ErrorKind;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::http::{Answer, Connection, Headers};
use super::polling::Polling;
use super::server::Server;
use super::{Eio, within_deadline};

pub const FINAL: u8 = 0x80;
pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xa;

/// The RFC's own example of a key, and what a server answers it with (section 1.3).
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub const HANDSHAKE: Headers<'static> =
    &[("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", KEY)];

const MASKED: u8 = 0x80;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub struct Websocket(Connection);

/// What comes next on a websocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
    /// The end of the connection.
    End,
}

impl Websocket {
    /// # Errors
    /// The answer where it is refused.
    pub async fn try_open(server: Server, query: &str) -> Result<Self, Answer> {
        let mut connection = Connection::open(server).await;
        connection.send_head("GET", &server.target(query), HANDSHAKE).await;
        let answer = connection.answer().await;
        if answer.status == 101 { Ok(Self(connection)) } else { Err(answer) }
    }

    pub async fn open(server: Server, query: &str) -> Self {
        Self::try_open(server, query).await.unwrap_or_else(|answer| panic!("refused: {answer:?}"))
    }

    /// A session that begins with a websocket, and its open packet.
    pub async fn begin(server: Server, eio: Eio) -> (Self, Value) {
        let mut websocket = Self::open(server, &format!("EIO={}&transport=websocket", eio.number())).await;
        let Heard::Text(open) = websocket.hear().await else { panic!("not the open packet") };
        (websocket, serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap())
    }

    pub async fn connect(server: Server, eio: Eio) -> Self {
        Self::begin(server, eio).await.0
    }

    /// A websocket that asks to take over from polling.
    pub async fn beside(polling: &Polling) -> Self {
        Self::open(polling.server, &polling.upgrade_query()).await
    }

    /// A socket of Socket.IO that is connected to the main namespace and greeted.
    pub async fn enter(server: Server, eio: Eio) -> Self {
        let mut websocket = Self::connect(server, eio).await;
        match eio {
            Eio::V3 => websocket.hears("40").await,
            Eio::V4 => {
                websocket.send("40").await;
                websocket.is_connected("").await;
            }
        }
        websocket.hears(r#"42["auth",{}]"#).await;
        websocket
    }

    /// Hears next that it is connected to a namespace, with an id as Socket.IO 5 has it. Returns that.
    pub async fn is_connected(&mut self, namespace: &str) -> String {
        let Heard::Text(packet) = self.hear().await else { panic!("not a packet") };
        let data = packet.strip_prefix(&format!("40{namespace}")).unwrap_or_else(|| panic!("not connected: {packet}"));
        let Value::Object(data) = serde_json::from_str(data).unwrap() else { panic!("not an object: {packet}") };
        assert!(data.keys().eq(["sid"]), "{packet}");
        data["sid"].as_str().unwrap().to_owned()
    }

    /// Sends a text.
    pub async fn send(&mut self, text: &str) {
        self.send_frame(FINAL | TEXT, text.as_bytes()).await;
    }

    /// Sends texts in one burst.
    pub async fn send_all(&mut self, texts: &[&str]) {
        let frames = texts.iter().flat_map(|text| frame(FINAL | TEXT, text.as_bytes())).collect::<Vec<_>>();
        self.send_raw(&frames).await;
    }

    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.send_frame(FINAL | BINARY, bytes).await;
    }

    /// Sends a frame; its first byte has the opcode, and whether it is the last of its message.
    pub async fn send_frame(&mut self, first: u8, payload: &[u8]) {
        self.send_raw(&frame(first, payload)).await;
    }

    pub async fn send_raw(&mut self, bytes: &[u8]) {
        self.0.send(bytes).await;
    }

    /// # Errors
    /// The server has closed the connection.
    pub async fn try_send_raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.stream.write_all(bytes).await
    }

    pub async fn hear(&mut self) -> Heard {
        match within_deadline(read_frame(&mut self.0.stream)).await {
            Ok(heard) => heard,
            Err(error) => {
                let is_end = matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset);
                assert!(is_end, "{error}");
                Heard::End
            }
        }
    }

    /// Breaks the connection off, with a reset.
    pub fn reset(self) {
        let tcp = self.0.stream.into_inner();
        socket2::SockRef::from(&tcp).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Hears a text next.
    pub async fn hears(&mut self, text: &str) {
        assert_eq!(self.hear().await, Heard::Text(text.to_owned()));
    }

    pub async fn hears_binary(&mut self, bytes: &[u8]) {
        assert_eq!(self.hear().await, Heard::Binary(bytes.to_vec()));
    }

    /// Hears next that the connection is closed with this code, and then its end.
    pub async fn is_closed(&mut self, code: u16) {
        assert_eq!(self.hear().await, Heard::Close(Some(code)));
        self.send_close(code).await;
        self.is_at_its_end().await;
    }

    /// Hears next that the connection has ended.
    pub async fn is_at_its_end(&mut self) {
        assert_eq!(self.hear().await, Heard::End);
    }

    /// The server may have cut the connection already.
    async fn send_close(&mut self, code: u16) {
        let close = frame(FINAL | CLOSE, &code.to_be_bytes());
        within_deadline(self.0.stream.write_all(&close)).await.ok();
    }
}

/// A frame as a client sends it.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(MASKED | u8::try_from(short).unwrap()),
        medium @ 126..0x1_0000 => {
            frame.push(MASKED | 0x7e);
            frame.extend(u16::try_from(medium).unwrap().to_be_bytes());
        }
        long => {
            frame.push(MASKED | 0x7f);
            frame.extend(u64::try_from(long).unwrap().to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.into_iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// A server sends whole messages, unmasked.
async fn read_frame(stream: &mut BufReader<TcpStream>) -> std::io::Result<Heard> {
    let first = stream.read_u8().await?;
    let length = match stream.read_u8().await? {
        126 => stream.read_u16().await?.into(),
        127 => stream.read_u64().await?,
        short @ 0..126 => short.into(),
        128.. => panic!("a masked frame"),
    };
    let mut payload = vec![0; length.try_into().unwrap()];
    stream.read_exact(&mut payload).await?;
    assert_eq!(first & FINAL, FINAL, "a message in fragments");
    Ok(match first & !FINAL {
        TEXT => Heard::Text(String::from_utf8(payload).unwrap()),
        BINARY => Heard::Binary(payload),
        PONG => Heard::Pong(payload),
        CLOSE => Heard::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
        other => panic!("a frame of type {other}"),
    })
}
