//! Ends connections in time: pings and their answers, and what remains unread.

use std::sync::Arc;
use std::time::Duration;

use engine_link::Cut;
use engineioxide_core::{ProtocolVersion, Str, TransportType};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use crate::config::EngineIoConfig;
use crate::connection::{Connection, Rest};
use crate::engine::EngineIo;
use crate::handler::EngineIoHandler;
use crate::packet::Packet;
use crate::socket::{DisconnectReason, Socket};

/// How long a websocket may take to close, and how long the end of a session is kept for a poller to fetch.
const CLOSING: Duration = Duration::from_secs(3);
const FAREWELL: Duration = Duration::from_secs(30);

/// How much sooner silence ends a session than is promised, for timers ring late: whoever comes when the time is up finds it
/// gone.
const RESOLUTION: Duration = Duration::from_millis(3);

/// A timer that rings later than this has been held up.
const LATE: Duration = Duration::from_millis(10);

/// Watches over a session from its beginning until its transport is closed, and tells the handler of the end. Even if it
/// is dropped before it was polled, or a handler panics, the session ends.
pub(crate) fn watch<H: EngineIoHandler>(
    engine: Arc<EngineIo<H>>,
    socket: Arc<Socket<H::Data>>,
) -> impl Future<Output = ()> {
    let mut watched = Watched { engine, socket, is_told: false };
    async move {
        until_ended(&watched.socket.connection, &watched.engine.config).await;
        watched.tell();
        let connection = &watched.socket.connection;
        let patience = match connection.transport() {
            TransportType::Polling => FAREWELL,
            TransportType::Websocket => CLOSING,
        };
        let finished = async {
            while !connection.is_finished() {
                connection.until_woken().await;
            }
        };
        // Whoever takes longer is not waited for.
        tokio::time::timeout(patience, finished).await.ok();
    }
}

/// A session that is to be forgotten when it is no longer watched over.
struct Watched<H: EngineIoHandler> {
    engine: Arc<EngineIo<H>>,
    socket: Arc<Socket<H::Data>>,
    is_told: bool,
}

impl<H: EngineIoHandler> Watched<H> {
    /// Tells the handler of the end, once.
    fn tell(&mut self) {
        if !std::mem::replace(&mut self.is_told, true)
            && let Some(reason) = self.socket.connection.reason()
        {
            self.engine.handler.on_disconnect(self.socket.clone(), reason);
        }
    }
}

impl<H: EngineIoHandler> Drop for Watched<H> {
    fn drop(&mut self) {
        self.engine.forget(self.socket.id);
        self.socket.connection.end(DisconnectReason::TransportError.into(), Rest::Dropped);
        self.socket.connection.set_gone();
        // Handlers spawn tasks, which there is no place for where the runtime itself goes down.
        if Handle::try_current().is_ok() {
            self.tell();
        }
    }
}

async fn until_ended(connection: &Arc<Connection>, config: &EngineIoConfig) {
    let mut heartbeat = Heartbeat::begin(connection, config);
    while !connection.has_ended() {
        let written_by = connection.write_deadline();
        let deadline = written_by.map_or(heartbeat.deadline, |by| by.min(heartbeat.deadline));
        tokio::select! {
            biased;
            () = connection.until_woken() => {}
            () = sleep_until(deadline) => {
                if connection.write_deadline().is_some_and(|by| by <= Instant::now()) {
                    connection.end(Cut::Stalled.into(), Rest::Dropped);
                } else if heartbeat.deadline <= Instant::now() {
                    heartbeat.beat(connection, config);
                }
            }
        }
    }
}

/// Who is alive says so: clients of Engine.IO 3 by pings of their own, those of Engine.IO 4 by their answers to ours.
struct Heartbeat {
    deadline: Instant,
    /// When we have pinged, if an answer is looked for at the deadline.
    pinged: Option<Instant>,
    /// It has been given time once, after the server had stood still, and has not been heard since.
    is_spared: bool,
}

impl Heartbeat {
    fn begin(connection: &Connection, config: &EngineIoConfig) -> Self {
        let first = match connection.protocol {
            ProtocolVersion::V3 => config.patience().saturating_sub(RESOLUTION),
            ProtocolVersion::V4 => config.ping_interval,
        };
        Self { deadline: connection.began() + first, pinged: None, is_spared: false }
    }

    /// The deadline has come.
    fn beat(&mut self, connection: &Arc<Connection>, config: &EngineIoConfig) {
        let (now, heard) = (Instant::now(), connection.heard());
        let patience = config.patience().saturating_sub(RESOLUTION);
        let timeout = config.ping_timeout.saturating_sub(RESOLUTION);
        match (connection.protocol, self.pinged) {
            (ProtocolVersion::V3, _) if heard + patience > self.deadline => {
                self.deadline = heard + patience;
                self.is_spared = false;
            }
            (ProtocolVersion::V4, None) => {
                // Where the whole server stood still, the client has the same time to answer.
                let pinged = if now > self.deadline + LATE { now } else { self.deadline };
                self.pinged = Some(pinged);
                // The next ping need not wait until this one's answer would be late.
                self.deadline = pinged + timeout.min(config.ping_interval);
                if connection.check().is_ok() {
                    connection.tell([Packet::Ping(Str::default())]);
                }
            }
            // To the millisecond, in which it is kept.
            (ProtocolVersion::V4, Some(pinged)) if heard + Duration::from_millis(1) > pinged => {
                (self.pinged, self.is_spared) = (None, false);
                // Clients count from one ping to the next, whatever they send between them.
                self.deadline = pinged + config.ping_interval;
            }
            (ProtocolVersion::V4, Some(pinged)) if self.deadline < pinged + timeout => {
                self.deadline = (self.deadline + config.ping_interval).min(pinged + timeout);
            }
            // What the client has said meanwhile may be still to be read.
            _ if now > self.deadline + LATE && !std::mem::replace(&mut self.is_spared, true) => {
                self.deadline = now + LATE;
            }
            _ => connection.hang_up(DisconnectReason::HeartbeatTimeout),
        }
    }
}
