//! An echo server to hold the official protocol suites and real clients against, in reading order:
//!
//! * [`Settings`], what the suites expect to find configured,
//! * [`router`] and [`serve`], both protocols beside each other on one port,
//! * `engine`, which answers whatever is sent to `/engine.io/` (Engine.IO) with the same,
//! * `socket`, which does so for events at `/socket.io/` (Socket.IO), in the namespaces `/` and `/custom`,
//! * `arguments`, what an event or an acknowledgement carries.

mod arguments;
mod engine;
mod socket;

use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use axum::{Extension, Router};
use clap::{Parser, ValueEnum};
use engine_link::Above;
use tokio::net::TcpListener;
use tower_http::cors::CorsLayer;

pub use engine::Echo;

/// Answers what it is sent, by Engine.IO at /engine.io/ and by Socket.IO at /socket.io/.
#[derive(Clone, Debug, Parser)]
pub struct Settings {
    /// The port of 127.0.0.1 to listen on; 0 for any that is free.
    #[arg(long, env = "PORT", default_value_t = 3000)]
    pub port: u16,
    /// Milliseconds between two pings. The default is what the suites expect, too short for clients on a busy machine.
    #[arg(long, env = "PING_INTERVAL", default_value_t = 300)]
    pub ping_interval: u64,
    /// Milliseconds that the answer to a ping may take.
    #[arg(long, env = "PING_TIMEOUT", default_value_t = 200)]
    pub ping_timeout: u64,
    /// Milliseconds that a Socket.IO client may take to connect to a namespace.
    #[arg(long, env = "CONNECT_TIMEOUT", default_value_t = 1000)]
    pub connect_timeout: u64,
    /// What a client is taken for that names no protocol, or an unknown one: socket.io-client 1.0 in browsers says 2.
    #[arg(long, env = "UNNAMED_PROTOCOL", default_value = "refused")]
    pub unnamed_protocol: UnnamedProtocol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UnnamedProtocol {
    /// Answered 400, as the suites expect.
    Refused,
    /// Taken for a client of Engine.IO 3.
    Third,
}

/// The largest request body and the largest websocket message.
const MAX_PAYLOAD: u32 = 1_000_000;
/// Packets that may wait for a client. An echo that finds no room is lost, so there is plenty.
const MAX_WAITING: usize = 4096;

/// Both protocols, for pages of any origin.
pub fn router(settings: &Settings) -> Router {
    let unnamed_protocol = match settings.unnamed_protocol {
        UnnamedProtocol::Refused => engine_link::UnnamedProtocol::Refused,
        UnnamedProtocol::Third => engine_link::UnnamedProtocol::IsThird,
    };
    let below_socket_io =
        engine_link::Settings { unnamed_protocol, above: Above::SocketIo, ..engine_link::Settings::default() };
    Router::new()
        .layer(engine::layer(settings))
        .layer(Extension(Arc::new(engine_link::Settings::default())))
        .layer(socket::layer(settings))
        .layer(Extension(Arc::new(below_socket_io)))
        .layer(CorsLayer::very_permissive())
}

/// Serves for as long as the process lives.
///
/// # Errors
/// Where `listener` fails.
pub async fn serve(listener: TcpListener, settings: &Settings) -> std::io::Result<()> {
    let listener = listener.tap_io(|tcp| {
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, "a connection has gone");
        }
    });
    axum::serve(listener, router(settings)).await
}

impl Settings {
    fn ping_interval(&self) -> Duration {
        Duration::from_millis(self.ping_interval)
    }

    fn ping_timeout(&self) -> Duration {
        Duration::from_millis(self.ping_timeout)
    }

    fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout)
    }
}
