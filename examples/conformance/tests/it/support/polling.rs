//! Engine.IO over HTTP long polling.

use super::Eio;
use super::http::{Answer, Connection, ask, get};
use super::server::Server;

/// A session that was opened by polling.
#[derive(Clone, Debug)]
pub struct Polling {
    pub server: Server,
    pub eio: Eio,
    pub session: String,
}

impl Polling {
    pub async fn open(server: Server, eio: Eio) -> Self {
        Self::open_with(server, eio, "").await
    }

    /// Opens a session with more in the query of its handshake.
    pub async fn open_with(server: Server, eio: Eio, more: &str) -> Self {
        let answer = get(server, &format!("EIO={}&transport=polling{more}", eio.number())).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Self { server, eio, session: session_in(&answer) }
    }

    fn query(&self, transport: &str) -> String {
        format!("EIO={}&transport={transport}&sid={}", self.eio.number(), self.session)
    }

    /// What a websocket asks for that is to take over.
    pub fn upgrade_query(&self) -> String {
        self.query("websocket")
    }

    pub async fn get(&self) -> Answer {
        self.get_with("").await
    }

    /// A poll with more in its query.
    pub async fn get_with(&self, more: &str) -> Answer {
        get(self.server, &format!("{}{more}", self.query("polling"))).await
    }

    /// A poll whose answer is not waited for yet.
    pub async fn begin_get(&self) -> Connection {
        let mut connection = Connection::open(self.server).await;
        connection.send_head("GET", &self.server.target(&self.query("polling")), &[]).await;
        connection
    }

    /// Polls next these packets.
    pub async fn hears(&self, packets: &[&str]) {
        let answer = self.get().await;
        answer.brings(self.eio, packets);
    }

    /// The next `count` packets, which are texts, in however many answers.
    pub async fn next(&self, count: usize) -> Vec<String> {
        let mut packets = Vec::new();
        while packets.len() < count {
            let answer = self.get().await;
            assert_eq!(answer.status, 200, "{answer:?}");
            packets.extend(self.eio.polled(&answer.body));
        }
        packets
    }

    pub async fn post(&self, body: impl AsRef<[u8]>) -> Answer {
        self.post_as("text/plain;charset=UTF-8", "", body).await
    }

    /// A post of a body of this type, with more in its query.
    pub async fn post_as(&self, content_type: &str, more: &str, body: impl AsRef<[u8]>) -> Answer {
        let query = format!("{}{more}", self.query("polling"));
        ask(self.server, "POST", &query, &[("Content-Type", content_type)], body.as_ref()).await
    }

    /// Posts packets, which is answered `ok`.
    pub async fn send(&self, packets: &[&str]) {
        let answer = self.post(self.eio.posted(packets)).await;
        assert_eq!((answer.status, answer.text()), (200, "ok"));
    }

    /// A post of `length` bytes of which the server has read the head, and waits for the body.
    pub async fn begin_post(&self, length: usize) -> Connection {
        let mut connection = Connection::open(self.server).await;
        let headers = [("Content-Length", &length.to_string()[..]), ("Expect", "100-continue")];
        connection.send_head("POST", &self.server.target(&self.query("polling")), &headers).await;
        assert_eq!(connection.answer().await.status, 100);
        connection
    }
}

/// The session id in an answer's open packet, however that is framed.
fn session_in(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let (_, behind) = text.split_once("sid").unwrap();
    let is_of_id = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    behind
        .trim_start_matches(|character| !is_of_id(character))
        .split(|character| !is_of_id(character))
        .next()
        .unwrap()
        .to_owned()
}
