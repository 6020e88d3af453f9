//! What a server and its Engine.IO tell each other beyond the interface of `engineioxide`.
//!
//! The server puts [`Settings`] into the extensions of the requests it passes on. The engine puts a [`Link`] into those
//! of the request that a socket began with. An engine that knows nothing of this crate ignores the one and leaves out the
//! other, so that a server runs on either.

mod intake;

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

pub use intake::{Intake, IntakeFull, Share};

/// The session that a request names by its query: the first `sid`. No client encodes it.
pub fn session_of(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name == "sid").then_some(value)
    })
}

/// What `EngineIoConfig` has no field for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What a handshake is taken for that names no protocol (`EIO`), or one that nobody knows.
    pub unnamed_protocol: UnnamedProtocol,
    /// Sent with every polling answer to clients of Engine.IO 3, as socket.io 1.x and 2.x did by default.
    pub cookie: Option<Cookie>,
    /// How text is read that clients of Engine.IO 3 post without saying how they encode it.
    pub double_encoding: DoubleEncoding,
    /// What speaks above the engine.
    pub above: Above,
    /// What is kept of the request that a socket began with.
    pub head: Head,
    /// How many bytes may wait for one client. One that falls further behind is cut.
    pub send_queue_bytes: usize,
    /// A client that has not taken a byte of what waits for it for this long is cut.
    pub write_timeout: Duration,
    /// Where what clients have sent in part is counted. A client for which there is no room is cut.
    pub intake: Arc<Intake>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            unnamed_protocol: UnnamedProtocol::Refused,
            cookie: None,
            double_encoding: DoubleEncoding::default(),
            above: Above::Anything,
            head: Head::Kept,
            send_queue_bytes: 16 * 1024 * 1024,
            write_timeout: Duration::from_secs(20),
            intake: Intake::new(usize::MAX),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnnamedProtocol {
    /// Answered 400.
    Refused,
    /// Taken for Engine.IO 3: old Swift clients name none.
    IsThird,
}

/// A cookie that holds the session id, for balancers that keep a session on one node.
#[derive(Clone, Debug)]
pub struct Cookie {
    pub name: String,
    /// Behind the value, as in `Path=/; HttpOnly`.
    pub attributes: String,
}

/// How often clients of Engine.IO 3 encode the text of their polling bodies as UTF-8. socket.io 1.x does it twice, 2.x
/// once, and both say `EIO=3`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DoubleEncoding {
    /// Told from the first text that is not ASCII. Text of a 2.x client that looks doubly encoded, as `Ã©` does, is taken
    /// for it.
    #[default]
    Detect,
    Always,
    Never,
}

/// What becomes of the head of the request that a socket began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    Kept,
    /// Nothing is left of it but the [`Link`] and the [`Companion`]: kept headers keep the buffer that they were read into,
    /// of 8 KiB.
    Dropped,
}

/// What a server keeps of a client for as long as its socket lives, and no longer: in the extensions of the request that
/// the socket begins with.
#[derive(Clone, Debug)]
pub struct Companion(pub Arc<dyn Any + Send + Sync>);

/// What an engine may know of the packets it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Above {
    Anything,
    /// Socket.IO, whose generations differ in more than their Engine.IO. What a client sends behind its CONNECT is held
    /// back until the server says [`Connection::connected`], or refuses it.
    SocketIo,
}

/// The engine's side of one socket: see [`Connection`].
#[derive(Clone)]
pub struct Link(Arc<dyn Connection>);

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

/// What an engine lets a server do with a connection.
pub trait Connection: Send + Sync {
    /// The client is connected to its namespace: what it has sent since may be handed on.
    fn connected(&self);

    /// Closes the transport once everything that waits has been sent: a websocket with the code 1000. A client that takes
    /// longer than a few seconds, or a poller that does not come for half a minute, is not waited for.
    fn close(&self);

    /// Does so after `patience`, unless the client has closed it by then. What it says meanwhile does not count.
    fn close_after(&self, patience: Duration);

    /// What has been emitted and is not sent yet.
    fn waiting(&self) -> Waiting;

    /// Whether the session has ended; its transport may still be closing.
    fn has_ended(&self) -> bool;

    /// Why the engine has cut the connection, if it has.
    fn cut(&self) -> Option<Cut>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub packets: usize,
    pub bytes: usize,
}

/// Why an engine cuts a connection of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// More packets or bytes wait for the client than may.
    QueueFull,
    /// The client has not taken a byte for [`Settings::write_timeout`].
    Stalled,
    /// Too much is half sent, by all clients together.
    IntakeFull,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::QueueFull => "too much waits for it",
            Self::Stalled => "it takes nothing",
            Self::IntakeFull => "too much is half sent, by all together",
        })
    }
}

impl Link {
    pub fn new(connection: Arc<dyn Connection>) -> Self {
        Self(connection)
    }
}

impl Deref for Link {
    type Target = dyn Connection;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}
