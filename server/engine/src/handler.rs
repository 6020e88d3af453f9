//! What speaks above the engine.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use engineioxide_core::Str;

use crate::socket::{DisconnectReason, Socket};

/// Hears what happens to sockets. Packets of one socket arrive in order, and the next is not read before the call for the
/// last has returned; so a handler must not block.
pub trait EngineIoHandler: Debug + Send + Sync + 'static {
    /// Kept with each socket.
    type Data: Default + Send + Sync + 'static;

    fn on_connect(self: Arc<Self>, socket: Arc<Socket<Self::Data>>);

    /// Called once for each socket that `on_connect` was called for. The call for a packet that came last may still run.
    fn on_disconnect(&self, socket: Arc<Socket<Self::Data>>, reason: DisconnectReason);

    fn on_message(self: &Arc<Self>, msg: Str, socket: Arc<Socket<Self::Data>>);

    fn on_binary(self: &Arc<Self>, data: Bytes, socket: Arc<Socket<Self::Data>>);
}
