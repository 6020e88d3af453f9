//! The echo below Socket.IO: each message of Engine.IO comes back as it was, text as text and binary as binary.

use std::sync::Arc;

use bytes::Bytes;
use engineioxide::config::EngineIoConfig;
use engineioxide::handler::EngineIoHandler;
use engineioxide::layer::EngineIoLayer;
use engineioxide::{DisconnectReason, Socket, Str};

use crate::{MAX_PAYLOAD, MAX_WAITING, Settings};

pub fn layer(settings: &Settings) -> EngineIoLayer<Echo> {
    let config = EngineIoConfig::builder()
        .req_path("/engine.io")
        .ping_interval(settings.ping_interval())
        .ping_timeout(settings.ping_timeout())
        .max_payload(MAX_PAYLOAD.into())
        .ws_max_message_size(MAX_PAYLOAD as usize)
        .ws_max_frame_size(MAX_PAYLOAD as usize)
        .max_buffer_size(MAX_WAITING)
        .build();
    EngineIoLayer::from_config(Arc::new(Echo), config)
}

#[derive(Clone, Debug)]
pub struct Echo;

impl EngineIoHandler for Echo {
    type Data = ();

    fn on_connect(self: Arc<Self>, socket: Arc<Socket<()>>) {
        tracing::debug!(id = %socket.id, "connected");
    }

    fn on_disconnect(&self, socket: Arc<Socket<()>>, reason: DisconnectReason) {
        tracing::debug!(id = %socket.id, ?reason, "disconnected");
    }

    fn on_message(self: &Arc<Self>, message: Str, socket: Arc<Socket<()>>) {
        if let Err(error) = socket.emit(message) {
            tracing::warn!(id = %socket.id, %error, "an echo is lost");
        }
    }

    fn on_binary(self: &Arc<Self>, message: Bytes, socket: Arc<Socket<()>>) {
        if let Err(error) = socket.emit_binary(message) {
            tracing::warn!(id = %socket.id, %error, "an echo is lost");
        }
    }
}
