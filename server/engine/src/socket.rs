//! What the handler above holds of one session.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use engineioxide_core::{ProtocolVersion, Str, TransportType};
use http::request::Parts;
use tokio::sync::mpsc::error::TrySendError;

pub use engineioxide_core::Sid;

use crate::connection::{Connection, Refused};
use crate::packet::Packet;

/// Why a session has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisconnectReason {
    /// One of the two sides has closed the transport.
    TransportClose,
    /// The client has sent two polls, or two posts, at once.
    MultipleHttpPollingError,
    /// The client has sent what is no packet.
    PacketParsingError,
    /// The transport has broken, or the client did not keep up.
    TransportError,
    /// The client has not been heard of in time.
    HeartbeatTimeout,
    /// The server stops.
    ClosingServer,
}

/// One session of a client.
pub struct Socket<D> {
    pub id: Sid,
    pub protocol: ProtocolVersion,
    /// The handler's own.
    pub data: D,
    /// The head of the request that the session began with.
    pub req_parts: Parts,
    pub(crate) connection: Arc<Connection>,
}

impl<D> fmt::Debug for Socket<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("id", &self.id).field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

/// Room for one packet and its attachments.
#[derive(Debug)]
pub struct Permit<'a> {
    connection: &'a Arc<Connection>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Permit<'_> {
    pub fn emit(self, msg: Str) {
        self.connection.tell([Packet::Message(msg)]);
    }

    pub fn emit_binary(self, data: Bytes) {
        self.connection.tell([Packet::Binary(data)]);
    }

    pub fn emit_many(self, msg: Str, data: VecDeque<Bytes>) {
        self.connection.tell(with_attachments(Packet::Message(msg), data));
    }

    pub fn emit_many_binary(self, bin: Bytes, data: Vec<Bytes>) {
        self.connection.tell(with_attachments(Packet::Binary(bin), data));
    }
}

fn with_attachments(packet: Packet, data: impl IntoIterator<Item = Bytes>) -> impl Iterator<Item = Packet> {
    std::iter::once(packet).chain(data.into_iter().map(Packet::Binary))
}

fn refused<T>(refused: Refused, item: T) -> TrySendError<T> {
    match refused {
        Refused::Full => TrySendError::Full(item),
        Refused::Closed => TrySendError::Closed(item),
    }
}

impl<D: Default + Send + Sync + 'static> Socket<D> {
    pub(crate) fn new(connection: Arc<Connection>, req_parts: Parts) -> Arc<Self> {
        let (id, protocol) = (connection.id, connection.protocol);
        Arc::new(Self { id, protocol, data: D::default(), req_parts, connection })
    }

    /// What carries packets now. It changes when a client upgrades.
    pub fn transport_type(&self) -> TransportType {
        self.connection.transport()
    }

    /// Room for one packet.
    ///
    /// # Errors
    /// The session has ended, or ends now because too much waits for the client.
    pub fn reserve(&self) -> Result<Permit<'_>, TrySendError<()>> {
        self.connection.check().map_err(|error| refused(error, ()))?;
        Ok(Permit { connection: &self.connection })
    }

    /// # Errors
    /// See [`Self::reserve`].
    pub fn emit(&self, msg: impl Into<Str>) -> Result<(), TrySendError<Str>> {
        let msg = msg.into();
        match self.connection.check().and_then(|()| self.connection.push([Packet::Message(msg.clone())])) {
            Ok(()) => Ok(()),
            Err(error) => Err(refused(error, msg)),
        }
    }

    /// # Errors
    /// See [`Self::reserve`].
    pub fn emit_binary<B: Into<Bytes>>(&self, data: B) -> Result<(), TrySendError<Bytes>> {
        let data = data.into();
        match self.connection.check().and_then(|()| self.connection.push([Packet::Binary(data.clone())])) {
            Ok(()) => Ok(()),
            Err(error) => Err(refused(error, data)),
        }
    }

    /// Sends to a client that is ready for it; false where it is not, and nothing is sent.
    pub fn emit_volatile(&self, msg: impl Into<Str>) -> bool {
        self.connection.push_volatile([Packet::Message(msg.into())])
    }

    /// See [`Self::emit_volatile`].
    pub fn emit_binary_volatile<B: Into<Bytes>>(&self, data: B) -> bool {
        self.connection.push_volatile([Packet::Binary(data.into())])
    }

    /// See [`Self::emit_volatile`].
    pub fn emit_many_volatile(&self, msg: Str, data: VecDeque<Bytes>) -> bool {
        self.connection.push_volatile(with_attachments(Packet::Message(msg), data))
    }

    /// Ends the session. What waits is sent before the transport is closed.
    pub fn close(&self, reason: DisconnectReason) {
        self.connection.close(reason);
    }

    /// Whether the session has ended; its transport may still be closing.
    pub fn is_closed(&self) -> bool {
        self.connection.has_ended()
    }

    /// Returns once the transport is closed.
    pub async fn closed(&self) {
        self.connection.gone().await;
    }
}
