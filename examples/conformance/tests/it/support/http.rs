//! HTTP/1.1, as much as a test needs.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::server::Server;
use super::{Eio, within_deadline};

pub type Headers<'a> = &'a [(&'a str, &'a str)];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|header| header.0.eq_ignore_ascii_case(name)).map(|header| header.1.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The answer is a poll's, with these texts.
    #[track_caller]
    pub fn brings(&self, eio: Eio, packets: &[&str]) {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(eio.polled(&self.body), packets);
    }

    /// The answer is a refusal, with Node's code and text for it.
    #[track_caller]
    pub fn is_refusal(&self, code: u8, message: &str) {
        assert_eq!((self.status, self.header("Content-Type")), (400, Some("application/json")), "{self:?}");
        assert_eq!(self.text(), format!(r#"{{"code":{code},"message":"{message}"}}"#));
    }

    #[track_caller]
    pub fn is_transport_unknown(&self) {
        self.is_refusal(0, "Transport unknown");
    }

    #[track_caller]
    pub fn is_session_unknown(&self) {
        self.is_refusal(1, "Session ID unknown");
    }

    #[track_caller]
    pub fn is_bad_method(&self) {
        self.is_refusal(2, "Bad handshake method");
    }

    #[track_caller]
    pub fn is_bad_request(&self) {
        self.is_refusal(3, "Bad request");
    }

    #[track_caller]
    pub fn is_unsupported_protocol(&self) {
        self.is_refusal(5, "Unsupported protocol version");
    }
}

pub struct Connection {
    pub stream: BufReader<TcpStream>,
}

impl Connection {
    pub async fn open(server: Server) -> Self {
        let tcp = TcpStream::connect(server.address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(tcp) }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        within_deadline(self.stream.write_all(bytes)).await.unwrap();
    }

    /// Sends a request up to its body.
    pub async fn send_head(&mut self, method: &str, target: &str, headers: Headers<'_>) {
        let headers = headers.iter().map(|(name, text)| format!("{name}: {text}\r\n")).collect::<Vec<_>>().concat();
        self.send(format!("{method} {target} HTTP/1.1\r\nHost: natter.test\r\n{headers}\r\n").as_bytes()).await;
    }

    pub async fn answer(&mut self) -> Answer {
        within_deadline(self.read_answer()).await
    }

    async fn read_answer(&mut self) -> Answer {
        let status = self.line().await;
        let status = status.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line().await;
            let Some((name, text)) = line.split_once(": ") else { break };
            headers.push((name.to_owned(), text.to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length = answer.header("Content-Length").map_or(0, |length| length.parse().unwrap());
        answer.body = vec![0; length];
        self.stream.read_exact(&mut answer.body).await.unwrap();
        answer
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.unwrap();
        line.strip_suffix("\r\n").unwrap().to_owned()
    }
}

/// Asks over a connection of its own.
pub async fn ask(server: Server, method: &str, query: &str, headers: Headers<'_>, body: &[u8]) -> Answer {
    let mut connection = Connection::open(server).await;
    let length = body.len().to_string();
    let headers = [headers, &[("Content-Length", &length)]].concat();
    connection.send_head(method, &server.target(query), &headers).await;
    connection.send(body).await;
    connection.answer().await
}

pub async fn get(server: Server, query: &str) -> Answer {
    ask(server, "GET", query, &[], b"").await
}
