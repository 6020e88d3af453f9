//! Websockets: sessions that begin with one, and those that upgrade to one.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes};
use engine_link::{Above, DoubleEncoding, Settings, Share};
use engineioxide_core::{ProtocolVersion, Str};
use http::Response;
use http::request::Parts;
use http_body_util::Full;
use hyper::upgrade::OnUpgrade;
use tokio::io::ReadBuf;
use tokio::time::Instant;

use crate::answer::{self, Refusal};
use crate::config::EngineIoConfig;
use crate::connection::{Carrier, Connection, NORMAL_CLOSURE, POLICY_VIOLATION, PROTOCOL_ERROR, Rest};
use crate::deadlines;
use crate::engine::{self, EngineIo};
use crate::frame::{self, Decoder, Message, Violation};
use crate::handler::EngineIoHandler;
use crate::outbox::{Dialect, Outbox};
use crate::packet::{Packet, ParseError};
use crate::payload::{self, TextEncoding};
use crate::request::{Query, websocket_key};
use crate::socket::{DisconnectReason, Socket};
use crate::wire::{self, Wire, Writer};

/// Read at once, for all connections of a thread: none keeps a buffer of its own.
const BUFFER: usize = 64 * 1024;

/// Reads before other tasks get their turn, where what is read is no message yet.
const READS: usize = 16;

/// How long a client may pause that has broken the protocol and still sends.
const LULL: Duration = Duration::from_millis(200);

/// What a client asks with whether its websocket works.
const PROBE: &str = "probe";

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// Answers a request for a websocket. With a socket, it is to take over from polling.
pub(crate) fn open<H: EngineIoHandler>(
    engine: &Arc<EngineIo<H>>,
    socket: Option<Arc<Socket<H::Data>>>,
    mut parts: Parts,
    query: &Query<'_>,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let answer = answer::switching(websocket_key(&parts.method, &parts.headers)?);
    let upgrade = parts.extensions.remove::<OnUpgrade>().ok_or(Refusal::BadRequest)?;
    let engine = engine.clone();
    if let Some(socket) = socket {
        let connection = &socket.connection;
        let is_first = connection.begin_upgrade()?;
        let (protocol, above) = (connection.protocol, connection.settings.above);
        let dialect = Dialect { protocol, above, wants_text: query.wants_text() };
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) if is_first => take_over(engine, socket, Wire::of_upgraded(upgraded), dialect).await,
                Ok(upgraded) => turn_away(Wire::of_upgraded(upgraded), &engine.config).await,
                Err(_) if is_first => socket.connection.abandon_upgrade(),
                Err(_) => {}
            }
        });
    } else {
        let dialect = dialect(&parts, query)?;
        tokio::spawn(async move {
            if let Ok(upgraded) = upgrade.await {
                begin(&engine, parts, Wire::of_upgraded(upgraded), dialect);
            }
        });
    }
    Ok(answer)
}

/// How the client reads that begins a session with this request.
pub(crate) fn dialect(parts: &Parts, query: &Query<'_>) -> Result<Dialect, Refusal> {
    let settings = engine::settings(parts);
    let protocol = query.protocol(settings.unnamed_protocol)?;
    Ok(Dialect { protocol, above: settings.above, wants_text: query.wants_text() })
}

/// Begins a session on a websocket that has been opened.
pub(crate) fn begin<H: EngineIoHandler>(engine: &Arc<EngineIo<H>>, parts: Parts, wire: Wire, dialect: Dialect) {
    let outbox = Outbox::new(Arc::new(wire.writer), dialect);
    let socket = engine.begin(parts, dialect.protocol, Carrier::Websocket(outbox));
    let connection = &socket.connection;
    connection.tell([Packet::Open(engine.open_packet(connection))]);
    let messages = Messages::new(wire.reader, wire.read, engine.config.max_message(), &connection.settings);
    // Made first, so that it ends the session even if the handler panics; polled last, so that the handler hears of the
    // session before it hears its packets.
    let running = run(engine.clone(), socket.clone(), messages);
    engine.handler.clone().on_connect(socket);
    tokio::spawn(running);
}

/// Reads a session's packets and watches over it; in one task, as most connections have nothing to do most of the time.
fn run<H: EngineIoHandler>(
    engine: Arc<EngineIo<H>>,
    socket: Arc<Socket<H::Data>>,
    mut messages: Messages,
) -> impl Future<Output = ()> {
    let watching = deadlines::watch(engine.clone(), socket.clone());
    async move {
        let reading = async {
            messages.deliver(&engine, &socket).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            // Reading may use up the task's turn each time; a client that floods is watched over all the same.
            biased;
            () = watching => {}
            () = reading => {}
        }
    }
}

/// Lets a websocket take over from polling: `2probe`, `3probe`, `5` (Engine.IO protocol, "upgrade").
async fn take_over<H: EngineIoHandler>(
    engine: Arc<EngineIo<H>>,
    socket: Arc<Socket<H::Data>>,
    wire: Wire,
    dialect: Dialect,
) {
    let connection = &socket.connection;
    let mut messages = Messages::new(wire.reader, wire.read, engine.config.max_message(), &connection.settings);
    let writer = Arc::new(wire.writer);
    let upgrading = Upgrading(connection);
    let agreement = async {
        let is_agreed = probe(connection, &mut messages, &writer, dialect).await;
        if is_agreed {
            connection.end_posts().await;
        }
        is_agreed
    };
    let is_agreed = tokio::time::timeout(engine.config.upgrade_timeout, agreement).await.unwrap_or(false);
    if !is_agreed || connection.finish_upgrade(Outbox::new(writer, dialect)).is_err() {
        return;
    }
    drop(upgrading);
    let _reading = Reading(connection);
    tokio::select! {
        biased;
        () = connection.gone() => {}
        () = messages.deliver(&engine, &socket) => {}
    }
}

/// Closes a websocket for a session that has one already: there may be no second (Engine.IO protocol, "upgrade").
async fn turn_away(mut wire: Wire, config: &EngineIoConfig) {
    let closing = async {
        if write_all(&wire.writer, frame::close(PROTOCOL_ERROR)).await.is_ok() {
            discard(&mut wire.reader).await;
        }
    };
    tokio::time::timeout(config.upgrade_timeout, closing).await.ok();
}

/// Reads until the client has closed its side, or pauses: what is left unread when the socket is closed would break the
/// connection, and take the close frame with it.
async fn discard(reader: &mut wire::Reader) {
    while tokio::time::timeout(LULL, read_away(reader)).await == Ok(true) {}
}

/// Reads, and whether there was something.
async fn read_away(reader: &mut wire::Reader) -> bool {
    std::future::poll_fn(|cx| {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            let read = std::task::ready!(reader.poll_read(cx, &mut buffer));
            Poll::Ready(read.is_ok() && !buffer.filled().is_empty())
        })
    })
    .await
}

/// A session that is read. Where that ends, if only by a panic of the handler, the session does.
struct Reading<'a>(&'a Connection);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.end(DisconnectReason::TransportError.into(), Rest::Dropped);
    }
}

/// A websocket that tries to take over. If it does not, another may.
struct Upgrading<'a>(&'a Connection);

impl Drop for Upgrading<'_> {
    fn drop(&mut self) {
        self.0.abandon_upgrade();
    }
}

async fn probe(connection: &Connection, messages: &mut Messages, writer: &Writer, dialect: Dialect) -> bool {
    loop {
        match messages.next_packet(dialect.protocol).await {
            Some(Packet::Ping(probe)) if probe == PROBE => {
                if write_all(writer, dialect.frame(&Packet::Pong(probe))).await.is_err() {
                    return false;
                }
                connection.probe_upgrade();
            }
            Some(Packet::Upgrade) => return true,
            Some(Packet::Noop) => {}
            _ => return false,
        }
    }
}

async fn write_all(writer: &Writer, mut bytes: Bytes) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::future::poll_fn(|cx| writer.poll_write(cx, std::slice::from_ref(&bytes))).await?;
        bytes.advance(written);
    }
    Ok(())
}

/// The messages that a client sends.
struct Messages {
    reader: wire::Reader,
    decoder: Decoder,
    /// Of what may be held of messages that are not whole.
    share: Share,
    /// What was read and not decoded yet.
    rest: Bytes,
    /// When a message was first found under way between its fragments.
    begun: Option<Instant>,
    /// How the client encodes text, once that is known.
    encoding: Option<TextEncoding>,
}

/// The next message; where it is not whole yet, what there is of it takes a share of what may be held.
fn decode(decoder: &mut Decoder, share: &mut Share, input: &mut &[u8]) -> Result<Option<Message>, Stop> {
    let message = decoder.decode(input).map_err(Stop::Violation)?;
    share.hold(decoder.held()).map_err(|_| Stop::IntakeFull)?;
    Ok(message)
}

/// Why there are no more messages.
enum Stop {
    /// The client has closed its side, with a frame of this code, or without one.
    Closed(Option<u16>),
    Broken,
    Violation(Violation),
    IntakeFull,
    /// A message is under way for too long.
    Late,
}

impl Messages {
    fn new(reader: wire::Reader, read: Bytes, max_message: usize, settings: &Settings) -> Self {
        let (decoder, share) = (Decoder::new(max_message), settings.intake.share());
        Self { reader, decoder, share, rest: read, begun: None, encoding: None }
    }

    /// The next message. A message that came alone is decoded where it was read to.
    async fn next(&mut self) -> Result<Message, Stop> {
        if let Some(message) = self.decode_rest()? {
            return Ok(message);
        }
        std::future::poll_fn(|cx| {
            SCRATCH.with_borrow_mut(|scratch| {
                for _ in 0..READS {
                    let mut buffer = ReadBuf::new(scratch);
                    let read = std::task::ready!(self.reader.poll_read(cx, &mut buffer));
                    let mut input = buffer.filled();
                    if read.is_err() {
                        return Poll::Ready(Err(Stop::Broken));
                    }
                    if input.is_empty() {
                        return Poll::Ready(Err(Stop::Closed(None)));
                    }
                    match decode(&mut self.decoder, &mut self.share, &mut input) {
                        Ok(None) => {}
                        Ok(Some(message)) => {
                            self.rest = Bytes::copy_from_slice(input);
                            return Poll::Ready(Ok(message));
                        }
                        Err(stop) => return Poll::Ready(Err(stop)),
                    }
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            })
        })
        .await
    }

    fn decode_rest(&mut self) -> Result<Option<Message>, Stop> {
        let mut input = &self.rest[..];
        let message = decode(&mut self.decoder, &mut self.share, &mut input)?;
        let decoded = self.rest.len() - input.len();
        self.rest.advance(decoded);
        if self.rest.is_empty() {
            self.rest = Bytes::new();
        }
        Ok(message)
    }

    /// The next packet while nothing else can be done with what is no packet than to give up.
    async fn next_packet(&mut self, protocol: ProtocolVersion) -> Option<Packet> {
        loop {
            tokio::task::coop::consume_budget().await;
            match self.next().await.ok()? {
                Message::Text(text) => return Packet::from_text(text, protocol).ok(),
                Message::Binary(bytes) => return Packet::from_binary(bytes, protocol).ok(),
                Message::Ping(_) | Message::Pong => {}
                Message::Close(_) => return None,
            }
        }
    }

    /// Hands packets to the handler until there are no more. Those of a session that has ended are read and dropped: its
    /// client is being told, and closes its side.
    async fn deliver<H: EngineIoHandler>(&mut self, engine: &EngineIo<H>, socket: &Arc<Socket<H::Data>>) {
        let connection = &socket.connection;
        let stop = loop {
            // A burst must not keep others waiting.
            tokio::task::coop::consume_budget().await;
            if self.is_late(engine.config.patience()) {
                break Stop::Late;
            }
            match self.next().await {
                Ok(Message::Close(code)) => break Stop::Closed(code.or(Some(NORMAL_CLOSURE))),
                Ok(message) if !connection.has_ended() => self.take(engine, socket, message).await,
                Ok(_) => {}
                Err(stop) => break stop,
            }
        };
        match stop {
            Stop::Closed(Some(code)) => connection.close_with(DisconnectReason::TransportClose, code),
            Stop::Closed(None) => connection.end(DisconnectReason::TransportClose.into(), Rest::Dropped),
            Stop::Broken => connection.end(DisconnectReason::TransportError.into(), Rest::Dropped),
            Stop::Violation(violation) => {
                connection.close_with(DisconnectReason::PacketParsingError, violation.close_code());
                discard(&mut self.reader).await;
            }
            Stop::Late => {
                self.let_go();
                connection.close_with(DisconnectReason::TransportError, POLICY_VIOLATION);
                discard(&mut self.reader).await;
            }
            Stop::IntakeFull => {
                self.let_go();
                connection.turn_away();
                discard(&mut self.reader).await;
            }
        }
        connection.note_read();
    }

    /// Whether a message is under way for longer than a client may be silent. Between its fragments only control frames may
    /// come, which are a sign of life; where none do, the heartbeat ends the session.
    fn is_late(&mut self, patience: Duration) -> bool {
        if self.decoder.held() == 0 {
            self.begun = None;
        }
        self.decoder.held() > 0 && self.begun.get_or_insert_with(Instant::now).elapsed() > patience
    }

    /// Forgets what has come of a message.
    fn let_go(&mut self) {
        self.decoder = Decoder::new(0);
        self.share.hold(0).ok();
    }

    async fn take<H: EngineIoHandler>(
        &mut self,
        engine: &EngineIo<H>,
        socket: &Arc<Socket<H::Data>>,
        message: Message,
    ) {
        let connection = &socket.connection;
        if matches!(message, Message::Text(_) | Message::Binary(_)) {
            self.begun = None;
        }
        let packet = match message {
            Message::Text(text) => {
                self.decode_text(text, connection).and_then(|text| Packet::from_text(text, connection.protocol))
            }
            Message::Binary(bytes) => Packet::from_binary(bytes, connection.protocol),
            Message::Ping(data) => {
                connection.note_heard();
                return connection.answer_ping(&data);
            }
            Message::Pong | Message::Close(_) => return connection.note_heard(),
        };
        match packet {
            // Whether the session goes on is looked at before the next.
            Ok(packet) => _ = engine.receive(socket, packet).await,
            Err(_) => connection.close_with(DisconnectReason::PacketParsingError, PROTOCOL_ERROR),
        }
    }

    /// socket.io-client 1.0 encodes text twice here, too; later ones do so over polling only.
    fn decode_text(&mut self, text: Str, connection: &Connection) -> Result<Str, ParseError> {
        let settings = &connection.settings;
        if connection.protocol == ProtocolVersion::V4 || settings.above == Above::Anything || text.is_ascii() {
            return Ok(text);
        }
        // Most who encode polling bodies twice do not here.
        let setting = match settings.double_encoding {
            DoubleEncoding::Always => DoubleEncoding::Detect,
            setting => setting,
        };
        payload::decode_text(text, &mut self.encoding, setting)
    }
}
