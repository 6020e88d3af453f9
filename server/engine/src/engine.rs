//! The sessions, and how they begin.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use engine_link::{Above, Companion, Head, IntakeFull, Link, Settings};
use engineioxide_core::{ProtocolVersion, Sid, Str, TransportType};
use http::request::Parts;
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::Full;

use crate::answer::Refusal;
use crate::config::EngineIoConfig;
use crate::connection::{Beginning, Carrier, Connection, EngineSide, PROTOCOL_ERROR};
use crate::flusher::Flusher;
use crate::handler::EngineIoHandler;
use crate::packet::Packet;
use crate::payload::Framing;
use crate::polling::{self, Polling};
use crate::request::{Query, content_type};
use crate::socket::{DisconnectReason, Socket};
use crate::{deadlines, socketio, websocket};

pub(crate) struct EngineIo<H: EngineIoHandler> {
    pub handler: Arc<H>,
    pub config: EngineIoConfig,
    sessions: Mutex<HashMap<Sid, Arc<Socket<H::Data>>>>,
    flusher: Arc<Flusher>,
}

impl<H: EngineIoHandler> EngineIo<H> {
    pub fn new(handler: Arc<H>, config: EngineIoConfig) -> Arc<Self> {
        Arc::new(Self { handler, config, sessions: Mutex::default(), flusher: Arc::default() })
    }

    /// Answers a request to the engine's path.
    pub async fn answer<B: Body + Unpin>(self: Arc<Self>, request: Request<B>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        self.route(parts, body).await.unwrap_or_else(Refusal::answer)
    }

    async fn route<B: Body + Unpin>(self: &Arc<Self>, parts: Parts, body: B) -> Result<Response<Full<Bytes>>, Refusal> {
        let uri = parts.uri.clone();
        let query = Query::of(&uri);
        let transport = self.transport(&query)?;
        let socket = query.session.map(|id| self.socket(id).ok_or(Refusal::SessionUnknown)).transpose()?;
        match (transport, socket, &parts.method) {
            (TransportType::Websocket, socket, _) => websocket::open(self, socket, parts, &query),
            (TransportType::Polling, None, &Method::GET) => self.open_polling(parts, &query),
            (TransportType::Polling, Some(socket), &Method::GET) => polling::get(&socket.connection, &query).await,
            (TransportType::Polling, Some(socket), &Method::POST) => {
                polling::post(self, &socket, &query, content_type(&parts.headers), body).await
            }
            (TransportType::Polling, _, _) => Err(Refusal::BadMethod),
        }
    }

    fn transport(&self, query: &Query<'_>) -> Result<TransportType, Refusal> {
        let transport = match query.transport {
            Some("polling") => TransportType::Polling,
            Some("websocket") => TransportType::Websocket,
            _ => return Err(Refusal::TransportUnknown),
        };
        if self.config.allowed_transport(transport) { Ok(transport) } else { Err(Refusal::TransportUnknown) }
    }

    fn open_polling(self: &Arc<Self>, parts: Parts, query: &Query<'_>) -> Result<Response<Full<Bytes>>, Refusal> {
        let settings = settings(&parts);
        let protocol = query.protocol(settings.unnamed_protocol)?;
        let carrier = Carrier::Polling(Polling::new(Framing::of_answers(protocol, query.wants_text()), &settings));
        let socket = self.begin(parts, protocol, carrier);
        let open = Packet::Open(self.open_packet(&socket.connection));
        let answer = polling::polled(&socket.connection, query, &[open]);
        let watching = deadlines::watch(self.clone(), socket.clone());
        self.handler.clone().on_connect(socket);
        tokio::spawn(watching);
        Ok(answer)
    }

    /// Begins a session: from here on it is known, and must be watched.
    pub fn begin(&self, mut parts: Parts, protocol: ProtocolVersion, carrier: Carrier) -> Arc<Socket<H::Data>> {
        let settings = settings(&parts);
        if settings.head == Head::Dropped {
            let companion = parts.extensions.remove::<Companion>();
            (parts, ()) = Request::new(()).into_parts();
            if let Some(companion) = companion {
                parts.extensions.insert(companion);
            }
        }
        let connection = Connection::begin(Beginning {
            id: Sid::new(),
            protocol,
            carrier,
            settings,
            max_packets: self.config.max_buffer_size,
            flusher: self.flusher.clone(),
        });
        parts.extensions.insert(Link::new(Arc::new(EngineSide(connection.clone()))));
        let socket = Socket::new(connection, parts);
        self.sessions().insert(socket.id, socket.clone());
        socket
    }

    /// The handshake of Engine.IO, "open".
    pub fn open_packet(&self, connection: &Connection) -> Str {
        let can_upgrade =
            connection.transport() == TransportType::Polling && self.config.allowed_transport(TransportType::Websocket);
        let upgrades = if can_upgrade { "\"websocket\"" } else { "" };
        let EngineIoConfig { ping_interval, ping_timeout, max_payload, .. } = &self.config;
        Str::from(format!(
            "{{\"sid\":\"{}\",\"upgrades\":[{upgrades}],\"pingInterval\":{},\"pingTimeout\":{},\"maxPayload\":{max_payload}}}",
            connection.id,
            ping_interval.as_millis(),
            ping_timeout.as_millis(),
        ))
    }

    /// Hands a packet of the client to the handler, once its turn has come. Breaks off where the session has ended, be it
    /// by this packet.
    pub async fn receive(&self, socket: &Arc<Socket<H::Data>>, packet: Packet) -> ControlFlow<()> {
        let connection = &socket.connection;
        connection.note_heard();
        let is_message = matches!(packet, Packet::Message(_) | Packet::Binary(_));
        if is_message && connection.is_held() {
            connection.let_go().await;
        }
        if connection.has_ended() {
            return ControlFlow::Break(());
        }
        if is_message && connection.is_leaving() {
            return ControlFlow::Continue(());
        }
        match (packet, connection.protocol) {
            (Packet::Message(text), protocol) => {
                let text = match connection.settings.above {
                    Above::SocketIo => match connection.expect_attachments(&text) {
                        // Else it would keep all that came in one body with it.
                        Ok(true) => Str::copy_from_slice(&text),
                        Ok(false) => text,
                        Err(IntakeFull) => return turned_away(connection),
                    },
                    Above::Anything => text,
                };
                let text = match connection.settings.above {
                    Above::SocketIo if socketio::asks_to_connect(&text, protocol) => {
                        connection.hold();
                        text
                    }
                    Above::SocketIo if protocol == ProtocolVersion::V3 => socketio::from_third(text),
                    Above::Anything | Above::SocketIo => text,
                };
                self.handler.on_message(text, socket.clone());
            }
            (Packet::Binary(bytes), _) => {
                let bytes = match connection.settings.above {
                    Above::SocketIo => match connection.note_attachment(&bytes) {
                        Ok(()) => Bytes::copy_from_slice(&bytes),
                        Err(IntakeFull) => return turned_away(connection),
                    },
                    Above::Anything => bytes,
                };
                self.handler.on_binary(bytes, socket.clone());
                connection.settle_attachments();
            }
            // Clients of Engine.IO 3 ping, those of Engine.IO 4 are pinged.
            (Packet::Ping(data), ProtocolVersion::V3) => {
                if connection.check().and_then(|()| connection.push([Packet::Pong(data)])).is_err() {
                    return ControlFlow::Break(());
                }
            }
            (Packet::Pong(_), ProtocolVersion::V4) | (Packet::Noop, _) => {}
            (Packet::Close, _) => {
                connection.hang_up(DisconnectReason::TransportClose);
                return ControlFlow::Break(());
            }
            (Packet::Ping(_) | Packet::Pong(_) | Packet::Open(_) | Packet::Upgrade, _) => {
                connection.close_with(DisconnectReason::PacketParsingError, PROTOCOL_ERROR);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// The session of that id, unless it is over and there is nothing more to ask of it.
    fn socket(&self, id: &str) -> Option<Arc<Socket<H::Data>>> {
        let socket = self.sessions().get(&id.parse().ok()?).cloned()?;
        Some(socket).filter(|socket| !socket.connection.is_over())
    }

    /// The transport of a session is closed.
    pub fn forget(&self, id: Sid) {
        self.sessions().remove(&id);
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<Sid, Arc<Socket<H::Data>>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn turned_away(connection: &Arc<Connection>) -> ControlFlow<()> {
    connection.turn_away();
    ControlFlow::Break(())
}

/// What the server has put into a request for the engine.
pub(crate) fn settings(parts: &Parts) -> Arc<Settings> {
    parts.extensions.get::<Arc<Settings>>().cloned().unwrap_or_default()
}
