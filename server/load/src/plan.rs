//! What is to be measured, and of whom.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use url::Url;

use crate::frame::{self, Side};
use crate::process::Server;

/// One run: all clients connect, stay idle for a while, then talk.
#[derive(Clone, Debug)]
pub struct Plan {
    pub target: Target,
    pub dialect: Dialect,
    pub clients: usize,
    /// How long the clients are idle before memory is measured.
    pub settle: Duration,
    pub load: Load,
    /// The server's processes, where they can be looked at.
    pub server: Option<Server>,
}

/// What is said once all clients are there.
#[derive(Clone, Debug)]
pub enum Load {
    Idle,
    Talk {
        pace: Pace,
        /// How many of the clients talk, in turns.
        senders: u16,
        /// How long they talk before the measurement begins.
        warm_up: Duration,
        duration: Duration,
    },
}

#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Of all senders together.
    MessagesPerSecond(f64),
    /// As fast as the server can, with so many messages of each sender under way.
    Window(u32),
}

/// How long to wait for an address to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server over plain HTTP.
#[derive(Clone, Debug)]
pub struct Target {
    pub address: SocketAddr,
    /// Host and port, as a `Host` header has them.
    pub authority: String,
    /// Where its Socket.IO is.
    pub path: String,
}

impl Target {
    /// Finds the server that an `http://` or `ws://` URL leads to. One without a path means Socket.IO's usual one.
    pub fn find(url: &str) -> Result<Self> {
        let url = Url::parse(url).with_context(|| format!("{url:?} is no URL such as http://127.0.0.1:3000"))?;
        ensure!(matches!(url.scheme(), "http" | "ws"), "{url} must begin with http://: TLS is not spoken here");
        let host = url.host_str().with_context(|| format!("{url} names no host"))?;
        let port = url.port().unwrap_or(80);
        let authority = format!("{host}:{port}");
        let mut addresses = authority.to_socket_addrs().with_context(|| format!("{host} cannot be looked up"))?;
        // A name may have several, such as ::1 and 127.0.0.1, of which the server has one.
        let address = addresses.find(|address| TcpStream::connect_timeout(address, PATIENCE).is_ok());
        let address = address.with_context(|| format!("nobody listens at {authority}"))?;
        let path = if url.path() == "/" { "/socket.io/" } else { url.path() };
        Ok(Self { address, authority, path: path.to_owned() })
    }
}

/// What clients say and hear.
#[derive(Clone, Debug)]
pub struct Dialect {
    pub opening: Opening,
    /// The packet of a message, before and behind its text.
    message: (Vec<u8>, Vec<u8>),
    /// How the packets begin that bring messages.
    heard: Vec<u8>,
}

#[derive(Clone, Debug)]
pub enum Opening {
    /// None: websocket frames go over bare TCP.
    Bare,
    /// Engine.IO 4 over a websocket, and CONNECT to the main namespace.
    SocketIo { authentication: Option<Authentication> },
}

/// An event that a client sends once it is connected, and the beginning of the packet by which it is let in.
#[derive(Clone, Debug)]
pub struct Authentication {
    packet: Vec<u8>,
    success: Vec<u8>,
}

/// Stands for the text in the event that clients send.
pub const TEXT: &str = "TEXT";
/// Stands for the token in the event by which clients authenticate.
pub const TOKEN: &str = "TOKEN";

impl Dialect {
    /// Clients that send the event `message`, a JSON array with [`TEXT`] in it, and hear it in events named `heard`.
    pub fn new(opening: Opening, message: &str, heard: &str) -> Result<Self> {
        let packet = event_packet(message)?;
        let (before, behind) =
            packet.split_once(TEXT).with_context(|| format!("{message} must have {TEXT} in place of the text"))?;
        let message = (before.as_bytes().to_vec(), behind.as_bytes().to_vec());
        Ok(Self { opening, message, heard: beginning_of(heard) })
    }

    pub fn authentication(&self) -> Option<&Authentication> {
        match &self.opening {
            Opening::Bare => None,
            Opening::SocketIo { authentication } => authentication.as_ref(),
        }
    }

    /// Appends the frame of a message. `packet` is scratch space, kept by the caller so that nothing is allocated.
    pub fn put_message(&self, out: &mut Vec<u8>, packet: &mut Vec<u8>, put_text: impl FnOnce(&mut Vec<u8>)) {
        packet.clear();
        packet.extend(&self.message.0);
        put_text(packet);
        packet.extend(&self.message.1);
        frame::put(out, Side::Client, frame::TEXT, packet);
    }

    pub fn brings_message(&self, packet: &[u8]) -> bool {
        packet.starts_with(&self.heard)
    }
}

impl Authentication {
    /// Sends `event`, a JSON array in which [`TOKEN`] stands for the token, and waits for an event named `success`.
    pub fn new(event: &str, token: &str, success: &str) -> Result<Self> {
        let packet = event_packet(event)?.replace(TOKEN, token);
        Ok(Self { packet: packet.into_bytes(), success: beginning_of(success) })
    }

    pub fn packet(&self) -> &[u8] {
        &self.packet
    }

    pub fn succeeds_by(&self, packet: &[u8]) -> bool {
        packet.starts_with(&self.success)
    }
}

/// The Socket.IO packet of an event.
fn event_packet(event: &str) -> Result<String> {
    match serde_json::from_str(event) {
        Ok(Value::Array(parts)) if parts.first().is_some_and(Value::is_string) => Ok(format!("42{event}")),
        _ => bail!("{event} is no event, a JSON array such as [\"say\",\"{TEXT}\"]"),
    }
}

fn beginning_of(event: &str) -> Vec<u8> {
    format!("42[{}", Value::from(event)).into_bytes()
}
