//! What lies under each session: polling requests, or a websocket's connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use socketioxide::adapter::Adapter;
use socketioxide::socket::Socket;

use super::connection::Connection;
use super::polling::{Encoding, Framing};

/// How long the end of a session is kept for a poller to ask about.
const FAREWELL: Duration = Duration::from_mins(1);

/// Finds the transport of a session. A clone is a handle.
#[derive(Clone)]
pub struct Transports(Arc<Mutex<Sessions>>);

struct Sessions {
    /// Those that began with polling, by session id. Of the others all is known that there is: their only connection.
    polling: HashMap<String, Polling>,
    /// A session that is not connected to its namespace by then is closed by the engine, which tells nobody.
    connect_timeout: Duration,
    /// At this size, what is left over is swept out.
    sweep_at: usize,
}

struct Polling {
    framing: Framing,
    /// How the client encodes what it posts, once that is known.
    encoding: Option<Encoding>,
    /// Bytes of the answers so far.
    polled: u64,
    stage: Stage,
    since: Instant,
    websocket: Weak<Connection>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opened,
    Connected,
    /// The server is disconnecting it: the packet that says so is to be polled.
    Ending,
    /// There is nothing more to tell: the next answer is the end.
    Told,
}

const SWEEP_MIN: usize = 1024;

impl Transports {
    pub fn new(connect_timeout: Duration) -> Self {
        let sessions = Sessions { polling: HashMap::new(), connect_timeout, sweep_at: SWEEP_MIN };
        Self(Arc::new(Mutex::new(sessions)))
    }

    /// A polling session has begun.
    pub fn open(&self, session: &str, framing: Framing) {
        let mut sessions = self.lock();
        sessions.sweep();
        // Engine.IO 3 clients are connected by the server, which may have happened already.
        let stage = if framing.is_version_3() { Stage::Connected } else { Stage::Opened };
        let polling =
            Polling { framing, encoding: None, polled: 0, stage, since: Instant::now(), websocket: Weak::new() };
        sessions.polling.insert(session.to_owned(), polling);
    }

    /// How a session's polling answers are framed, if it has begun with polling.
    pub fn framing(&self, session: &str) -> Option<Framing> {
        self.lock().polling.get(session).map(|polling| polling.framing)
    }

    /// How the client of a session encodes text, now that it has posted `body`.
    pub fn learn_encoding(&self, session: &str, body: &str) -> Option<Encoding> {
        let mut sessions = self.lock();
        let polling = sessions.polling.get_mut(session)?;
        polling.encoding = polling.encoding.or_else(|| Encoding::of(body));
        polling.encoding
    }

    /// `connection` wants to take over from polling.
    pub fn upgrade(&self, session: &str, connection: &Arc<Connection>) -> Upgrade {
        match self.lock().polling.get_mut(session) {
            None => Upgrade::Unknown,
            Some(polling) if polling.websocket.strong_count() > 0 => Upgrade::Taken,
            Some(polling) => {
                polling.websocket = Arc::downgrade(connection);
                Upgrade::Begun
            }
        }
    }

    /// The websocket connection of a socket, if it has one.
    pub fn websocket_of<A: Adapter>(&self, socket: &Socket<A>) -> Option<Arc<Connection>> {
        match self.lock().polling.get(&socket.id.to_string()) {
            Some(polling) => polling.websocket.upgrade(),
            None => socket.req_parts().extensions.get::<Arc<Connection>>().cloned(),
        }
    }

    /// The socket is connected to its namespace.
    pub fn set_connected<A: Adapter>(&self, socket: &Socket<A>) {
        if let Some(polling) = self.lock().polling.get_mut(&socket.id.to_string()) {
            polling.enter(Stage::Connected);
        } else if let Some(connection) = socket.req_parts().extensions.get::<Arc<Connection>>() {
            connection.set_connected();
        }
    }

    /// The server disconnects the socket: its poller, if it has one, is still to hear of it.
    pub fn end<A: Adapter>(&self, socket: &Socket<A>) {
        if let Some(polling) = self.lock().polling.get_mut(&socket.id.to_string()) {
            polling.enter(Stage::Ending);
        }
    }

    /// The session ends without a word: its poller hears the end next.
    pub fn break_off<A: Adapter>(&self, socket: &Socket<A>) {
        if let Some(polling) = self.lock().polling.get_mut(&socket.id.to_string()) {
            polling.enter(Stage::Told);
        }
    }

    /// The connection did not become a websocket after all.
    pub fn give_up_upgrade(&self, session: &str) {
        if let Some(polling) = self.lock().polling.get_mut(session) {
            polling.websocket = Weak::new();
        }
    }

    /// An answer has gone to a poller.
    pub fn polled(&self, session: &str, body: &[u8]) {
        if let Some(polling) = self.lock().polling.get_mut(session) {
            polling.polled += body.len() as u64;
            if polling.stage == Stage::Ending && polling.framing.tells_of_disconnect(body) {
                polling.enter(Stage::Told);
            }
        }
    }

    /// How many bytes have been sent to a socket so far.
    pub fn sent_to<A: Adapter>(&self, socket: &Socket<A>) -> u64 {
        match socket.req_parts().extensions.get::<Arc<Connection>>() {
            Some(connection) if connection.is_websocket() => connection.written(),
            _ => self.lock().polling.get(&socket.id.to_string()).map_or(0, Polling::sent),
        }
    }

    /// Takes out a session whose poller has nothing more to hear than that this is the end.
    pub fn take_finished(&self, session: &str) -> bool {
        let mut sessions = self.lock();
        let is_over = sessions.polling.get(session).is_some_and(|polling| polling.stage == Stage::Told);
        if is_over {
            sessions.polling.remove(session);
        }
        is_over
    }

    /// The socket has gone, by itself or because it was ended.
    pub fn forget<A: Adapter>(&self, socket: &Socket<A>) {
        let mut sessions = self.lock();
        let session = socket.id.to_string();
        if sessions.polling.get(&session).is_some_and(|polling| polling.stage == Stage::Connected) {
            sessions.polling.remove(&session);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of the wish to take over a session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Upgrade {
    Begun,
    Unknown,
    Taken,
}

impl Polling {
    fn sent(&self) -> u64 {
        self.polled + self.websocket.upgrade().map_or(0, |connection| connection.written())
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.since = Instant::now();
    }
}

impl Sessions {
    fn sweep(&mut self) {
        if self.polling.len() < self.sweep_at {
            return;
        }
        let connect_timeout = self.connect_timeout;
        self.polling.retain(|_, polling| match polling.stage {
            Stage::Opened => polling.since.elapsed() < connect_timeout * 2,
            Stage::Connected => true,
            Stage::Ending | Stage::Told => polling.since.elapsed() < FAREWELL,
        });
        self.sweep_at = (self.polling.len() * 2).max(SWEEP_MIN);
    }
}
