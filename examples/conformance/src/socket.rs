//! The echo of Socket.IO's suite. Each client hears `auth` with what it showed when it connected, and then
//!
//! | it says | it hears |
//! |---|---|
//! | `message` | `message-back` with the same arguments |
//! | `message-with-ack` | the acknowledgement, with the same arguments |
//! | `emit-with-ack` | `emit-with-ack` with the same arguments; and again, with those that it acknowledges this with |
//! | `spell` | the acknowledgement, with the numbers of the characters, or bytes, of its first argument |
//!
//! The last is none of the suite's. It shows what the server has understood: a text that is decoded wrongly, and encoded
//! as wrongly again, comes back right.
//!
//! Listeners work inline, in plain functions that return no future worth waiting for: socketioxide runs each future in a
//! task of its own, which would reorder what is said.

#![expect(clippy::needless_pass_by_value, reason = "socketioxide hands its extractors over by value")]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::time::Duration;

use engine_link::Link;
use rmpv::Value;
use serde::Serialize;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use socketioxide::handler::ConnectHandler;
use socketioxide::layer::SocketIoLayer;

use crate::arguments::Arguments;
use crate::{MAX_PAYLOAD, MAX_WAITING, Settings};

/// How long `auth` comes behind the answer to CONNECT: the suite's clients listen for one packet at a time, and miss what
/// they read together with another.
const PAUSE: Duration = Duration::from_millis(20);

pub fn layer(settings: &Settings) -> SocketIoLayer {
    let (layer, io) = SocketIo::builder()
        .req_path("/socket.io")
        .ping_interval(settings.ping_interval())
        .ping_timeout(settings.ping_timeout())
        .connect_timeout(settings.connect_timeout())
        .max_payload(MAX_PAYLOAD.into())
        .ws_max_message_size(MAX_PAYLOAD as usize)
        .ws_max_frame_size(MAX_PAYLOAD as usize)
        .max_buffer_size(MAX_WAITING)
        .build_layer();
    for namespace in ["/", "/custom"] {
        io.ns(namespace, welcome.with(prepare));
    }
    layer
}

/// Registers the listeners before the client hears that it is connected, so that nothing it says is missed.
fn prepare(socket: SocketRef) -> Ready<Result<(), Infallible>> {
    socket.on("message", send_back);
    socket.on("message-with-ack", acknowledge);
    socket.on("emit-with-ack", ask_back);
    socket.on("spell", spell);
    ready(Ok(()))
}

fn welcome(socket: SocketRef, Data(auth): Data<Value>) -> impl Future<Output = ()> {
    if let Some(link) = socket.req_parts().extensions.get::<Link>() {
        link.connected();
    }
    async move {
        tokio::time::sleep(PAUSE).await;
        emit(&socket, "auth", &auth);
    }
}

fn send_back(socket: SocketRef, Data(arguments): Data<Arguments>) -> Ready<()> {
    emit(&socket, "message-back", &arguments);
    ready(())
}

fn acknowledge(Data(arguments): Data<Arguments>, ack: AckSender) -> Ready<()> {
    send(ack, &arguments);
    ready(())
}

fn spell(Data(argument): Data<Value>, ack: AckSender) -> Ready<()> {
    let numbers: Vec<u32> = match argument {
        Value::Binary(bytes) => bytes.into_iter().map(u32::from).collect(),
        other => other.as_str().unwrap_or_default().chars().map(u32::from).collect(),
    };
    send(ack, &numbers);
    ready(())
}

fn ask_back(socket: SocketRef, Data(arguments): Data<Arguments>) -> impl Future<Output = ()> {
    // Sent here, before the future is run, as an echo would be.
    let answer = socket.emit_with_ack::<_, Arguments>("emit-with-ack", &arguments).map_err(|error| error.to_string());
    async move {
        let answer = match answer {
            Ok(answer) => answer.await.map_err(|error| error.to_string()),
            Err(error) => Err(error),
        };
        match answer {
            Ok(arguments) => emit(&socket, "emit-with-ack", &arguments),
            Err(error) => tracing::warn!(id = %socket.id, error, "no acknowledgement"),
        }
    }
}

fn emit(socket: &SocketRef, event: &str, arguments: &impl Serialize) {
    if let Err(error) = socket.emit(event, arguments) {
        tracing::warn!(id = %socket.id, %error, event, "an echo is lost");
    }
}

fn send(ack: AckSender, answer: &impl Serialize) {
    if let Err(error) = ack.send(answer) {
        tracing::warn!(%error, "an acknowledgement is lost");
    }
}
