//! The Socket.IO gateway: the doorway for sockets.
//!
//! Here the adapter is picked; the type parameter `A: Adapter` goes no further than this folder and rooms' `socket.rs`.

mod bundle;
mod changes;
pub mod connections;
mod crowd;
mod disconnect;
mod fan_out;
mod front;
mod handshake;
mod lane;
mod packet;
mod places;
mod recheck;
mod session;
mod visitor;
mod watch;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use serde_json::{Value, json};
use socketioxide::adapter::{Adapter, LocalAdapter};
use socketioxide::extract::{SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use socketioxide::socket::DisconnectReason;
use socketioxide::{ParserConfig, SocketIo};
use tokio::sync::mpsc;

use crate::app::App;
use crate::chat::Reach;
use crate::config;
use crate::event::Event;
use connections::Connections;
use fan_out::{FanOut, Joins};
use session::{Inbound, Listener, Session};

/// What a running gateway consists of.
pub struct Gateway {
    /// The server's routes with the sockets beside them.
    pub router: Router,
    pub fan_out: FanOut<LocalAdapter>,
    pub watch: watch::Watch,
    pub recheck: recheck::Recheck,
    pub connections: Connections,
    pub io: SocketIo,
}

/// Puts Socket.IO beside `routes`. `everyone` is where the first conversation stands.
pub fn build(app: &App, routes: Router, events: mpsc::Receiver<Event>, everyone: Reach) -> Gateway {
    let (layer, io) = configure(&app.config.gateway).build_layer();
    let (fan_out, joins) = FanOut::new(app.clone(), io.clone(), events, everyone);

    let context = Arc::new(Context { app: app.clone(), joins, count: AtomicI64::new(0) });
    let (first, then) = (context.clone(), context);
    let prepare = move |socket: SocketRef| {
        first.clone().prepare(&socket);
        std::future::ready(Ok::<_, Infallible>(()))
    };
    let greet = move |socket: SocketRef, TryData(auth): TryData<Value>| {
        then.greet(&socket, auth.ok());
        std::future::ready(())
    };
    io.ns("/", greet.with(prepare));

    let front = front::Front::new(app.clone());
    let connections = Connections::new(io.clone());
    let routes = routes.layer(Extension(connections.clone()));
    Gateway {
        router: routes.layer(layer).layer(from_fn_with_state(front, front::pass)),
        fan_out,
        watch: watch::Watch::new(app.clone()),
        recheck: recheck::Recheck::new(app.clone(), connections.clone()),
        connections,
        io,
    }
}

/// Options by Node's names. What arrives is bounded on both transports: the websocket has limits of its own.
fn configure(config: &config::Gateway) -> socketioxide::SocketIoBuilder {
    let max_bytes = config.max_http_buffer_size.get();
    SocketIo::builder()
        .req_path("/socket.io")
        .ping_interval(config.ping_interval)
        .ping_timeout(config.ping_timeout)
        .upgrade_timeout(config.upgrade_timeout)
        .connect_timeout(config.connect_timeout)
        .max_payload(max_bytes as u64)
        .ws_max_message_size(max_bytes)
        .ws_max_frame_size(max_bytes)
        .max_buffer_size(config.send_queue.get())
        .with_parser(ParserConfig::common().max_incoming_binary_buf_size(max_bytes))
}

/// What each new socket is given.
struct Context<A: Adapter> {
    app: App,
    joins: Joins<A>,
    /// How many there have been.
    count: AtomicI64,
}

impl<A: Adapter> Context<A> {
    /// Readies a socket before its client is told that it is connected, so that no event of a fast client is lost.
    fn prepare(self: Arc<Self>, socket: &SocketRef<A>) {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let session = Session::new(number, self.app.clone(), self.joins.clone());
        // One for all events: a table of them would be the largest part of an idle socket.
        socket.on_fallback(Listener { session: session.clone() });
        socket.extensions.insert(session);
        socket.on_disconnect(move |socket: SocketRef<A>, reason: DisconnectReason| {
            self.note_cut(&socket);
            if let Some(session) = socket.extensions.get::<Arc<Session<A>>>() {
                session.forget_deadline();
            }
            if reason == DisconnectReason::ClientNSDisconnect {
                disconnect::see_off(&socket);
            }
            std::future::ready(())
        });
    }

    /// Greets a socket that has just been connected. A token in the handshake counts as its first event.
    fn greet(&self, socket: &SocketRef<A>, auth: Option<Value>) {
        let greeting = json!({ "message": format!("Hello, at {}", self.app.authority()) });
        if let Err(error) = socket.emit("news", &greeting) {
            tracing::debug!(%error, "a socket could not be greeted");
        }
        if let Some(session) = socket.extensions.get::<Arc<Session<A>>>() {
            let deadline = tokio::spawn(handshake::enforce_deadline(session.clone(), socket.clone()));
            session.keep_deadline(deadline.abort_handle());
            if let Some(auth) = auth.filter(|auth| auth.get("token").is_some()) {
                session.receive(socket, Inbound::Authentication(auth));
            }
        }
        if let Some(link) = disconnect::link(socket) {
            link.connected();
        }
    }

    /// A client that did not keep up was cut by the engine.
    fn note_cut(&self, socket: &SocketRef<A>) {
        let Some(because) = disconnect::link(socket).and_then(|link| link.cut()) else { return };
        let session = socket.extensions.get::<Arc<Session<A>>>();
        let user = session.and_then(|session| session.identity()).map(|identity| identity.user.0);
        self.app.metrics.slow_sockets.inc();
        tracing::info!(user, %because, "a client was cut off");
    }
}
