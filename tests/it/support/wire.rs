//! A Socket.IO client that shows every packet, over either protocol and any transport.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use super::app::TestApp;
use super::person::Person;
use super::polling::{Polling, encode};
use super::websocket::Websocket;

/// Whoever has not heard what they wait for by then will not hear it.
const DEADLINE: Duration = Duration::from_secs(20);

/// Our engine waits no longer than three seconds for a client to close.
const CLOSING: Duration = Duration::from_secs(5);

/// The Engine.IO protocols: 3 is spoken by socket.io clients of 1.x and 2.x, 4 by later ones.
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Polling,
    Websocket,
    /// Begins with polling and goes over to websocket once it is greeted, as clients do by default.
    Upgrade,
}

pub struct Wire {
    pub eio: Eio,
    /// The open packet.
    pub open: Value,
    pub link: Link,
    inbox: VecDeque<String>,
    acks: u64,
}

pub enum Link {
    Polling(Polling),
    Websocket(Websocket),
}

/// What comes next on a wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Packet(String),
    /// The transport has ended, with a websocket's close code if there was one.
    Closed(Option<u16>),
}

/// An event of the server's.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub name: String,
    pub data: Value,
    /// The id by which the server asks for an ack.
    pub ack: Option<u64>,
}

pub async fn within_deadline<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("nothing came in time"))
}

impl Wire {
    /// A transport that is open, and no more: nothing has been sent over it.
    pub async fn open(app: &TestApp, eio: Eio, transport: Transport) -> Self {
        Self::open_as(app, eio, transport, "").await
    }

    /// The same as a browser does that has cookies.
    async fn open_as(app: &TestApp, eio: Eio, transport: Transport, cookies: &str) -> Self {
        let (link, packets) = match transport {
            Transport::Polling | Transport::Upgrade => {
                let (polling, packets) = Polling::open_as(app, eio, "", cookies).await;
                (Link::Polling(polling), packets)
            }
            Transport::Websocket => {
                let mut websocket = Websocket::try_connect_as(app, eio, None, cookies).await.unwrap();
                let Heard::Packet(packet) = within_deadline(websocket.read()).await else { panic!("it is closed") };
                (Link::Websocket(websocket), vec![packet])
            }
        };
        let [packet] = &packets[..] else { panic!("not the open packet alone: {packets:?}") };
        let open = serde_json::from_str(packet.strip_prefix('0').unwrap()).unwrap();
        Self { eio, open, link, inbox: VecDeque::new(), acks: 0 }
    }

    /// A websocket of which nothing has been read yet, not even the open packet.
    pub async fn begin(app: &TestApp, eio: Eio) -> Self {
        let link = Link::Websocket(Websocket::connect(app, eio, None).await);
        Self { eio, open: Value::Null, link, inbox: VecDeque::new(), acks: 0 }
    }

    /// A socket that is connected and greeted.
    pub async fn connect(app: &TestApp, eio: Eio, transport: Transport) -> Self {
        Self::connect_as(app, eio, transport, "").await
    }

    /// The same as a browser does that has cookies.
    pub async fn connect_as(app: &TestApp, eio: Eio, transport: Transport, cookies: &str) -> Self {
        let mut wire = Self::open_as(app, eio, transport, cookies).await;
        if eio == Eio::V4 {
            wire.send("40").await;
        }
        wire.is_greeted().await;
        if transport == Transport::Upgrade {
            wire.upgrade(app).await;
        }
        wire
    }

    /// A socket over websocket that is authenticated; most tests need no more of the wire than this.
    pub async fn enter(app: &TestApp, person: &Person) -> Self {
        let mut wire = Self::connect(app, Eio::V4, Transport::Websocket).await;
        wire.authenticate(person).await;
        wire
    }

    /// A socket over websocket that hears all conversations of a person; `offsets` by conversation.
    pub async fn attend(app: &TestApp, person: &Person, offsets: &Value) -> Self {
        let mut wire = Self::connect(app, Eio::V4, Transport::Websocket).await;
        wire.emit("authentication", &json!({ "token": person.token, "conversations": offsets })).await;
        wire.is_authenticated().await;
        wire
    }

    /// A socket over websocket that comes back with the last `seq` it has heard.
    pub async fn come_back(app: &TestApp, eio: Eio, person: &Person, offset: impl Into<Value>) -> Self {
        let mut wire = Self::connect(app, eio, Transport::Websocket).await;
        let offset: Value = offset.into();
        wire.emit("authentication", &json!({ "token": person.token, "serverOffset": offset })).await;
        wire.is_authenticated().await;
        wire
    }

    pub async fn is_greeted(&mut self) {
        let connected = self.packet().await;
        assert!(connected.starts_with("40"), "{connected}");
        assert_eq!(self.event().await.name, "news");
    }

    /// Goes over from polling to websocket.
    pub async fn upgrade(&mut self, app: &TestApp) {
        self.upgrade_and_send(app, &[]).await;
    }

    /// Goes over from polling to websocket, with `packets` in one burst behind the packet that does it.
    pub async fn upgrade_and_send(&mut self, app: &TestApp, packets: &[&str]) {
        let session = self.session().to_owned();
        let pending = self.polling().poll_to_the_end();
        let mut websocket = Websocket::connect(app, self.eio, Some(&session)).await;
        websocket.send(&["2probe"]).await;
        assert_eq!(within_deadline(websocket.read()).await, Heard::Packet("3probe".to_owned()));
        within_deadline(pending).await.unwrap();
        websocket.send(&[&["5"], packets].concat()).await;
        self.link = Link::Websocket(websocket);
    }

    pub fn session(&self) -> &str {
        self.open["sid"].as_str().unwrap()
    }

    /// The polling under this wire.
    pub fn polling(&mut self) -> &mut Polling {
        let Link::Polling(polling) = &mut self.link else { panic!("it is a websocket") };
        polling
    }

    /// The websocket under this wire.
    pub fn websocket(&mut self) -> &mut Websocket {
        let Link::Websocket(websocket) = &mut self.link else { panic!("it is polling") };
        websocket
    }

    pub async fn send(&mut self, packet: &str) {
        self.send_all(&[packet]).await;
    }

    /// Sends packets in one burst: one TCP segment or one POST, as far as they fit.
    pub async fn send_all(&mut self, packets: &[&str]) {
        match &mut self.link {
            Link::Polling(polling) => within_deadline(polling.send(packets)).await,
            Link::Websocket(websocket) => within_deadline(websocket.send(packets)).await,
        }
    }

    pub async fn emit(&mut self, event: &str, data: &Value) {
        self.send(&format!("42{}", json!([event, data]))).await;
    }

    /// Emits and waits for the answer.
    pub async fn ask(&mut self, event: &str, data: &Value) -> Value {
        let id = self.emit_with_ack(event, data).await;
        self.answer(id).await
    }

    pub async fn emit_with_ack(&mut self, event: &str, data: &Value) -> u64 {
        self.acks += 1;
        self.send(&format!("42{}{}", self.acks, json!([event, data]))).await;
        self.acks
    }

    /// The answer to the ack `id`. What comes before it is heard after it.
    pub async fn answer(&mut self, id: u64) -> Value {
        let mut before = VecDeque::new();
        loop {
            let packet = self.packet().await;
            if let Some(answer) = packet.strip_prefix(&format!("43{id}[")) {
                before.append(&mut self.inbox);
                self.inbox = before;
                return serde_json::from_str(answer.strip_suffix(']').unwrap()).unwrap();
            }
            before.push_back(packet);
        }
    }

    pub async fn say(&mut self, text: &str) {
        self.emit("client-sent-message", &json!({ "message": text })).await;
    }

    /// Says something and waits until it is committed. Returns its `seq`.
    pub async fn post(&mut self, text: &str) -> i64 {
        let answer = self.ask("client-sent-message", &json!({ "message": text })).await;
        assert_eq!(answer["ok"], true, "{answer}");
        answer["seq"].as_i64().unwrap()
    }

    /// Signs in and hears that it worked.
    pub async fn authenticate(&mut self, person: &Person) {
        self.emit("authentication", &json!({ "token": person.token })).await;
        self.is_authenticated().await;
    }

    pub async fn is_authenticated(&mut self) {
        let event = self.event().await;
        assert_eq!(event, Event { name: "authenticated".to_owned(), data: json!(true), ack: None });
    }

    /// Hears that a token is none. Returns the ack's id.
    pub async fn is_unauthorized(&mut self) -> u64 {
        let Event { name, data, ack } = self.event().await;
        assert_eq!((name.as_str(), data), ("unauthorized", json!({ "message": "Token not found." })));
        ack.unwrap()
    }

    /// Hears a chat message next.
    pub async fn message(&mut self) -> Value {
        let Event { name, data, ack } = self.event().await;
        assert_eq!((name.as_str(), ack), ("server-got-message", None), "{data}");
        data
    }

    /// Hears the chat message `line` next.
    pub async fn hears(&mut self, line: &str) {
        assert_eq!(self.message().await["message"], line);
    }

    /// Hears the chat messages of these numbers next.
    pub async fn hears_all(&mut self, seqs: impl IntoIterator<Item = i64>) {
        for seq in seqs {
            assert_eq!(self.message().await["seq"], seq);
        }
    }

    /// Hears chat messages until the transport closes, without a hole. Returns the last `seq`, which is 0 before the first.
    pub async fn hears_until_closed(&mut self) -> i64 {
        let (last, end) = self.hears_until_something_else().await;
        assert!(matches!(end, Heard::Closed(_)), "{end:?}");
        last
    }

    /// The same where the engine may close no transport: until it is disconnected at least.
    pub async fn hears_until_ended(&mut self) -> i64 {
        let (last, end) = self.hears_until_something_else().await;
        assert!(matches!(end, Heard::Closed(_)) || end == Heard::Packet("41".to_owned()), "{end:?}");
        last
    }

    async fn hears_until_something_else(&mut self) -> (i64, Heard) {
        let mut last = 0;
        loop {
            match self.next().await {
                Heard::Packet(packet) if packet.contains(&format!(r#""seq":{},"#, last + 1)) => last += 1,
                end => return (last, end),
            }
        }
    }

    /// Hears next that it is disconnected; whether its transport closes then is the engine's affair.
    pub async fn is_disconnected(&mut self) {
        assert_eq!(self.packet().await, "41");
    }

    /// Hears next that the transport closes in good order.
    pub async fn is_closed(&mut self) {
        let closed = tokio::time::timeout(CLOSING, self.next()).await;
        assert_eq!(closed.unwrap_or_else(|_| panic!("it stays open")), Heard::Closed(Some(1000)));
    }

    /// Hears an event next.
    pub async fn event(&mut self) -> Event {
        let packet = self.packet().await;
        let event = packet.strip_prefix("42").unwrap_or_else(|| panic!("not an event: {packet}"));
        let (id, arguments) = event.split_at(event.find('[').unwrap());
        let (name, data) = serde_json::from_str(arguments).unwrap_or_else(|error| panic!("{error}: {packet}"));
        Event { name, data, ack: (!id.is_empty()).then(|| id.parse().unwrap()) }
    }

    /// Hears an event of this name next, but for what all are told, who comes and goes and which rooms are new; and for
    /// changes of conversations, which may be told more than once.
    pub async fn told(&mut self, name: &str) -> Value {
        loop {
            let event = self.event().await;
            let may_come = ["presence-changed", "conversation-opened", "conversation-changed"];
            if name == event.name || !may_come.contains(&&*event.name) {
                assert_eq!(event.name, name, "{}", event.data);
                return event.data;
            }
        }
    }

    pub async fn packet(&mut self) -> String {
        match self.next().await {
            Heard::Packet(packet) => packet,
            Heard::Closed(code) => panic!("the transport was closed: {code:?}"),
        }
    }

    /// What comes next, but for the transport's own pings, which are answered.
    pub async fn next(&mut self) -> Heard {
        within_deadline(async {
            loop {
                if let Some(packet) = self.inbox.pop_front() {
                    match packet.as_str() {
                        "2" => self.answer_ping().await,
                        "6" => {}
                        "1" => return Heard::Closed(None),
                        _ => return Heard::Packet(packet),
                    }
                    continue;
                }
                match &mut self.link {
                    Link::Polling(polling) => match polling.poll().await {
                        Some(packets) => self.inbox.extend(packets),
                        None => return Heard::Closed(None),
                    },
                    Link::Websocket(websocket) => match websocket.read().await {
                        Heard::Packet(packet) => self.inbox.push_back(packet),
                        closed @ Heard::Closed(_) => return closed,
                    },
                }
            }
        })
        .await
    }

    /// The transport may have ended meanwhile, which is then heard next.
    async fn answer_ping(&mut self) {
        match &mut self.link {
            Link::Polling(polling) => drop(polling.post(encode(self.eio, &["3"])).send().await),
            Link::Websocket(websocket) => websocket.send_text("3").await,
        }
    }
}
