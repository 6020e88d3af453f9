//! Polling: the client fetches packets with `GET` and brings them with `POST`.

use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use engine_link::{Above, Settings};
use engineioxide_core::ProtocolVersion;
use http::Response;
use http_body::Body;
use http_body_util::Full;

use crate::answer::{self, Polled, Refusal};
use crate::connection::{Carrier, Connection, End, PROTOCOL_ERROR, Rest, State};
use crate::engine::EngineIo;
use crate::handler::EngineIoHandler;
use crate::jsonp;
use crate::outbox::Outbox;
use crate::packet::Packet;
use crate::payload::{self, Framing, TextEncoding};
use crate::request::Query;
use crate::socket::{DisconnectReason, Socket};

/// How often a client polls in vain while it upgrades.
const NOOP_INTERVAL: Duration = Duration::from_millis(100);

/// Packets in one answer. python-engineio closes a connection that is sent more.
const MAX_PACKETS: usize = 16;

/// What waits for a client that polls.
pub(crate) struct Polling {
    packets: Vec<Packet>,
    bytes: usize,
    poller: Poller,
    is_posting: bool,
    upgrade: Upgrade,
    framing: Framing,
    /// How the client encodes text, once that is known.
    encoding: Option<TextEncoding>,
    /// The client has been told that this is the end.
    is_told: bool,
    /// Nothing is sent any more: a poll that waits is told of the end, and none that comes later.
    is_dropped: bool,
}

enum Poller {
    None,
    /// A `GET` has come, and waits for packets.
    Waits(Option<Waker>),
}

/// A websocket that is to take over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Upgrade {
    None,
    Begun,
    /// The client has heard that the websocket works, and will poll no more.
    Probed,
    /// It has said so: what it posts from now on would be out of order.
    Agreed,
}

impl Polling {
    pub fn new(framing: Framing, settings: &Settings) -> Self {
        Self {
            packets: Vec::new(),
            bytes: 0,
            poller: Poller::None,
            is_posting: false,
            upgrade: Upgrade::None,
            framing,
            encoding: payload::presumed(settings.double_encoding),
            is_told: false,
            is_dropped: false,
        }
    }

    pub fn push(&mut self, packet: Packet) {
        self.bytes += size(&packet);
        self.packets.push(packet);
    }

    /// Forgets what waits, and what would have been said at the end.
    pub fn drop_all(&mut self) {
        self.packets = Vec::new();
        self.bytes = 0;
        self.is_dropped = true;
    }

    /// How many packets and bytes wait.
    pub fn waiting(&self) -> (usize, usize) {
        (self.packets.len(), self.bytes)
    }

    /// Whether a `GET` waits that would be answered by the next packet.
    pub fn is_polled(&self) -> bool {
        matches!(self.poller, Poller::Waits(_)) && self.packets.is_empty()
    }

    pub fn is_finished(&self) -> bool {
        self.is_told || (self.is_dropped && matches!(self.poller, Poller::None))
    }

    pub fn wake(&mut self) {
        if let Poller::Waits(waker) = &mut self.poller
            && let Some(waker) = waker.take()
        {
            waker.wake();
        }
    }

    fn take(&mut self) -> Vec<Packet> {
        self.bytes = 0;
        std::mem::take(&mut self.packets)
    }

    /// The packets of one answer.
    fn take_some(&mut self) -> Vec<Packet> {
        let rest = self.packets.split_off(self.packets.len().min(MAX_PACKETS));
        self.bytes = rest.iter().map(size).sum();
        std::mem::replace(&mut self.packets, rest)
    }

    /// What a client is told when there is nothing more to tell.
    fn last_packets(&self, end: &End, protocol: ProtocolVersion) -> Vec<Packet> {
        match protocol {
            // It has closed the session itself, and its poll is let go.
            _ if self.is_dropped && end.reason == DisconnectReason::TransportClose => vec![Packet::Noop],
            // As old servers did.
            ProtocolVersion::V3 if !self.is_dropped => vec![Packet::Noop, Packet::Close],
            _ => vec![Packet::Close],
        }
    }
}

/// About how many bytes a packet takes.
fn size(packet: &Packet) -> usize {
    match packet {
        Packet::Open(text) | Packet::Ping(text) | Packet::Pong(text) | Packet::Message(text) => text.len() + 1,
        Packet::Binary(bytes) => bytes.len() + 1,
        Packet::Close | Packet::Upgrade | Packet::Noop => 1,
    }
}

/// The one `GET` of a connection that waits. A client that goes away meanwhile ends the connection.
struct WaitingPoll<'a> {
    connection: &'a Connection,
    is_answered: bool,
}

impl Drop for WaitingPoll<'_> {
    fn drop(&mut self) {
        let is_polling = match &mut self.connection.state().carrier {
            Carrier::Polling(polling) => {
                polling.poller = Poller::None;
                if !self.is_answered {
                    // Even where the session has ended before: nobody comes to be told of it.
                    polling.drop_all();
                }
                true
            }
            // Its client has gone over to a websocket, and needs it no more.
            _ => false,
        };
        if is_polling && !self.is_answered {
            self.connection.end(DisconnectReason::TransportClose.into(), Rest::Dropped);
        }
        self.connection.woken.notify_one();
    }
}

/// Answers a `GET` with the packets that wait, as soon as there are some.
pub(crate) async fn get(connection: &Connection, query: &Query<'_>) -> Result<Response<Full<Bytes>>, Refusal> {
    begin_waiting(connection)?;
    let mut waiting = WaitingPoll { connection, is_answered: false };
    let packets = match tokio::time::timeout(noop_interval(connection), next_packets(connection)).await {
        Ok(packets) => packets,
        Err(_) => vec![Packet::Noop],
    };
    waiting.is_answered = true;
    drop(waiting);
    Ok(polled(connection, query, &packets))
}

fn begin_waiting(connection: &Connection) -> Result<(), Refusal> {
    let mut state = connection.state();
    let Carrier::Polling(polling) = &mut state.carrier else { return Err(Refusal::BadRequest) };
    if polling.is_dropped {
        return Err(Refusal::SessionUnknown);
    }
    if matches!(polling.poller, Poller::Waits(_)) {
        drop(state);
        connection.end(DisconnectReason::MultipleHttpPollingError.into(), Rest::Dropped);
        return Err(Refusal::BadRequest);
    }
    polling.poller = Poller::Waits(None);
    Ok(())
}

/// A client that upgrades polls on until it has heard that its websocket works; after that it waits for its last poll.
fn noop_interval(connection: &Connection) -> Duration {
    match &connection.state().carrier {
        Carrier::Polling(Polling { upgrade: Upgrade::Probed | Upgrade::Agreed, .. }) => NOOP_INTERVAL,
        // The heartbeat ends what waits for longer.
        _ => Duration::from_hours(24),
    }
}

async fn next_packets(connection: &Connection) -> Vec<Packet> {
    std::future::poll_fn(|cx| {
        let state = &mut *connection.state();
        let Carrier::Polling(polling) = &mut state.carrier else { return Poll::Ready(vec![Packet::Noop]) };
        if polling.packets.is_empty()
            && let Some(end) = &state.end
        {
            polling.is_told = true;
            connection.woken.notify_one();
            return Poll::Ready(polling.last_packets(end, connection.protocol));
        }
        if polling.packets.is_empty() {
            polling.poller = Poller::Waits(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        Poll::Ready(polling.take_some())
    })
    .await
}

/// Packets as the answer to a `GET`.
pub(crate) fn polled(connection: &Connection, query: &Query<'_>, packets: &[Packet]) -> Response<Full<Bytes>> {
    let (framing, encoding) = match &connection.state().carrier {
        Carrier::Polling(polling) => (polling.framing, polling.encoding),
        _ => (Framing::of_answers(connection.protocol, query.wants_text()), None),
    };
    let has_bytes = packets.iter().any(|packet| matches!(packet, Packet::Binary(_)));
    let (framing, encoding) = match (connection.settings.above, framing) {
        // In bytes where there are bytes, as the protocol's document has it.
        (Above::Anything, Framing::Binary) if !has_bytes => (Framing::Text, encoding.or(Some(TextEncoding::Once))),
        (Above::Anything, _) => (framing, encoding.or(Some(TextEncoding::Once))),
        // Always in bytes, for browsers of 1.0 read nothing else; and in the escapes of JSON, which are read alike however
        // the client encodes.
        (Above::SocketIo, _) => (framing, None),
    };
    let body = payload::encode(packets, framing, encoding);
    let polled = match query.jsonp() {
        Some(index) => Polled::jsonp(jsonp::wrap(index, &String::from_utf8_lossy(&body))),
        None => Polled { content_type: framing.content_type(), body },
    };
    answer::polled(polled, connection)
}

/// Takes the packets of a `POST` and answers it.
pub(crate) async fn post<H: EngineIoHandler>(
    engine: &Arc<EngineIo<H>>,
    socket: &Arc<Socket<H::Data>>,
    query: &Query<'_>,
    content_type: &str,
    body: impl Body + Unpin,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let connection = &socket.connection;
    let posting = Posting::begin(connection)?;
    let mut share = connection.settings.intake.share();
    let read = crate::request::read(body, engine.config.max_body(), &mut share);
    let read = tokio::time::timeout(engine.config.patience(), read).await.map_err(|_| Refusal::BadRequest)?;
    if matches!(read, Err(Refusal::IntakeFull)) {
        // Who goes on all the same would miss what was refused.
        connection.turn_away();
    }
    let body = read?;
    let Ok(packets) = decode(connection, query, content_type, &body) else {
        connection.close_with(DisconnectReason::PacketParsingError, PROTOCOL_ERROR);
        return Err(Refusal::BadRequest);
    };
    // In a task of its own: a client that goes away before it is answered has said all of it.
    match tokio::spawn(deliver(engine.clone(), socket.clone(), packets, posting)).await {
        Ok(()) => Ok(answer::posted(connection)),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime goes down.
            Err(_) => Err(Refusal::SessionUnknown),
        },
    }
}

async fn deliver<H: EngineIoHandler>(
    engine: Arc<EngineIo<H>>,
    socket: Arc<Socket<H::Data>>,
    packets: Vec<Packet>,
    _posting: Posting,
) {
    for packet in packets {
        // A burst must not keep others waiting.
        tokio::task::coop::consume_budget().await;
        if engine.receive(&socket, packet).await.is_break() {
            break;
        }
    }
}

/// The one `POST` of a connection: what comes in another at the same time has no order.
struct Posting(Arc<Connection>);

impl Posting {
    fn begin(connection: &Arc<Connection>) -> Result<Self, Refusal> {
        let mut state = connection.state();
        if state.end.is_some() {
            return Err(Refusal::SessionUnknown);
        }
        let Carrier::Polling(polling) = &mut state.carrier else { return Err(Refusal::BadRequest) };
        if polling.upgrade == Upgrade::Agreed {
            return Err(Refusal::BadRequest);
        }
        if std::mem::replace(&mut polling.is_posting, true) {
            drop(state);
            connection.end(DisconnectReason::MultipleHttpPollingError.into(), Rest::Dropped);
            return Err(Refusal::BadRequest);
        }
        Ok(Self(connection.clone()))
    }
}

impl Drop for Posting {
    fn drop(&mut self) {
        if let Carrier::Polling(polling) = &mut self.0.state().carrier {
            polling.is_posting = false;
        }
        self.0.settled.notify_waiters();
    }
}

fn decode(
    connection: &Connection,
    query: &Query<'_>,
    content_type: &str,
    body: &Bytes,
) -> Result<Vec<Packet>, crate::packet::ParseError> {
    let unwrapped = query.jsonp().map(|_| jsonp::unwrap(body)).transpose()?.map(Bytes::from);
    let body = unwrapped.as_ref().unwrap_or(body);
    let framing = Framing::of_request(connection.protocol, content_type);
    let mut encoding = match &connection.state().carrier {
        Carrier::Polling(polling) => polling.encoding,
        _ => None,
    };
    let packets = payload::decode(body, framing, &mut encoding, connection.settings.double_encoding)?;
    if let Carrier::Polling(polling) = &mut connection.state().carrier {
        polling.encoding = encoding;
    }
    Ok(packets)
}

impl Connection {
    /// Lets one websocket try to take over; false where another does already, or has.
    ///
    /// # Errors
    /// The session has ended.
    pub fn begin_upgrade(&self) -> Result<bool, Refusal> {
        let mut state = self.state();
        if state.end.is_some() {
            return Err(Refusal::SessionUnknown);
        }
        match &mut state.carrier {
            Carrier::Polling(polling) if polling.upgrade == Upgrade::None => {
                polling.upgrade = Upgrade::Begun;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The client knows that its websocket works: a poll that waits is answered, as the client waits for it.
    pub fn probe_upgrade(&self) {
        if let Carrier::Polling(polling) = &mut self.state().carrier {
            polling.upgrade = Upgrade::Probed;
            if polling.is_polled() {
                polling.push(Packet::Noop);
                polling.wake();
            }
        }
    }

    /// Takes no more posts, and returns when the last is through: what it brought comes before what the websocket brings.
    pub async fn end_posts(&self) {
        if let Carrier::Polling(polling) = &mut self.state().carrier {
            polling.upgrade = Upgrade::Agreed;
        }
        let is_posting = |state: &State| matches!(&state.carrier, Carrier::Polling(polling) if polling.is_posting);
        self.until(|| {
            let state = self.state();
            !is_posting(&state) || state.end.is_some()
        })
        .await;
    }

    /// The websocket did not take over; another may try.
    pub fn abandon_upgrade(&self) {
        if let Carrier::Polling(polling) = &mut self.state().carrier {
            polling.upgrade = Upgrade::None;
        }
    }

    /// From here on a websocket carries the packets, those that wait first.
    ///
    /// # Errors
    /// The connection has ended meanwhile.
    pub fn finish_upgrade(self: &Arc<Self>, mut outbox: Outbox) -> Result<(), End> {
        let mut state = self.state();
        if let Some(end) = &state.end {
            return Err(end.clone());
        }
        if let Carrier::Polling(polling) = &mut state.carrier {
            for packet in polling.take() {
                if packet != Packet::Noop {
                    outbox.push(&packet);
                }
            }
            // Hears a noop, as this no longer is its transport.
            polling.wake();
        }
        state.carrier = Carrier::Websocket(outbox);
        self.send(state);
        Ok(())
    }
}
