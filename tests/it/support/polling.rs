//! Engine.IO over HTTP long polling.

use reqwest::header::{self, HeaderMap};
use reqwest::{Client, RequestBuilder, Response};
use tokio::task::JoinHandle;

use super::app::TestApp;
use super::wire::Eio;

/// What stands between packets in a body of Engine.IO 4.
const SEPARATOR: char = '\x1e';

#[derive(Clone)]
pub struct Polling {
    eio: Eio,
    http: Client,
    url: String,
}

impl Polling {
    /// Opens a session. Returns the packets of the first answer, too.
    pub async fn open(app: &TestApp, eio: Eio) -> (Self, Vec<String>) {
        Self::open_with(app, eio, "").await
    }

    /// Opens a session with more in the query of its handshake.
    pub async fn open_with(app: &TestApp, eio: Eio, more: &str) -> (Self, Vec<String>) {
        Self::open_as(app, eio, more, "").await
    }

    /// The same as a browser does that has cookies.
    pub async fn open_as(app: &TestApp, eio: Eio, more: &str, cookies: &str) -> (Self, Vec<String>) {
        let cookies = Some(cookies).filter(|cookies| !cookies.is_empty());
        let headers: HeaderMap =
            cookies.map(|cookies| (header::COOKIE, cookies.parse().unwrap())).into_iter().collect();
        let http = Client::builder().no_proxy().default_headers(headers).build().unwrap();
        let url = app.url(&format!("/socket.io/?EIO={}&transport=polling{more}", eio.number()));
        let mut polling = Self { eio, http, url };
        let packets = polling.poll().await.unwrap();
        let open: serde_json::Value = serde_json::from_str(&packets[0][1..]).unwrap();
        polling.url = format!("{}&sid={}", polling.url, open["sid"].as_str().unwrap());
        (polling, packets)
    }

    pub fn get(&self) -> RequestBuilder {
        self.get_with("")
    }

    /// A poll with more in its query.
    pub fn get_with(&self, more: &str) -> RequestBuilder {
        self.http.get(format!("{}{more}", self.url))
    }

    pub fn post(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.http.post(&self.url).header("Content-Type", "text/plain;charset=UTF-8").body(body)
    }

    /// The packets of the next answer, or none where the session is gone.
    pub async fn poll(&self) -> Option<Vec<String>> {
        decode(self.eio, self.get().send().await.unwrap()).await
    }

    /// Polls in a task of its own until the server says that there is nothing more to come this way.
    pub fn poll_to_the_end(&self) -> JoinHandle<()> {
        let polling = self.clone();
        tokio::spawn(async move {
            loop {
                let packets = polling.poll().await.unwrap();
                match packets.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                    ["6"] => return,
                    ["2"] => polling.send(&["3"]).await,
                    ["2", "6"] => return polling.send(&["3"]).await,
                    ref other => panic!("neither a ping nor the end: {other:?}"),
                }
            }
        })
    }

    pub async fn send(&self, packets: &[&str]) {
        let response = self.post(encode(self.eio, packets)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.text().await.unwrap(), "ok");
    }
}

/// Engine.IO 3 gives each packet's length as JavaScript counts it: in units of UTF-16.
pub fn encode(eio: Eio, packets: &[&str]) -> String {
    match eio {
        Eio::V3 => {
            let with_length = |packet: &&str| format!("{}:{packet}", packet.encode_utf16().count());
            packets.iter().map(with_length).collect::<Vec<_>>().concat()
        }
        Eio::V4 => packets.join(&SEPARATOR.to_string()),
    }
}

/// Bodies that hold no packets.
pub fn malformed(eio: Eio) -> [Vec<u8>; 5] {
    [
        b"garbage".to_vec(),
        b"\xff\xfe\xfd".to_vec(),
        encode(eio, &["7"]).into(),
        b"99999999999999999999:4".to_vec(),
        b"\x00\x01\xff".to_vec(),
    ]
}

async fn decode(eio: Eio, response: Response) -> Option<Vec<String>> {
    if response.status() != 200 {
        return None;
    }
    let body = response.bytes().await.unwrap();
    match eio {
        _ if body.is_empty() => None,
        Eio::V4 => Some(text_of(&body).split(SEPARATOR).map(str::to_owned).collect()),
        Eio::V3 if body[0] == 0 => Some(decode_binary(&body)),
        Eio::V3 => Some(decode_lengths(&text_of(&body))),
    }
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Engine.IO 3's binary framing: a zero for text, the length in bytes digit by digit, 255, the packet.
fn decode_binary(mut body: &[u8]) -> Vec<String> {
    let mut packets = Vec::new();
    while let Some((0, rest)) = body.split_first() {
        let end = rest.iter().position(|byte| *byte == 0xff).unwrap();
        let length = rest[..end].iter().fold(0, |length, digit| length * 10 + usize::from(*digit));
        let (packet, rest) = rest[end + 1..].split_at(length);
        packets.push(text_of(packet));
        body = rest;
    }
    assert_eq!(body, b"");
    packets
}

fn decode_lengths(mut text: &str) -> Vec<String> {
    let mut packets = Vec::new();
    while let Some((length, rest)) = text.split_once(':') {
        let units: Vec<u16> = rest.encode_utf16().take(length.parse().unwrap()).collect();
        let packet = String::from_utf16(&units).unwrap();
        text = &rest[packet.len()..];
        packets.push(packet);
    }
    packets
}
