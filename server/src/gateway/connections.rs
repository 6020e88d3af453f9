//! The sockets of this node, for staff to look at and to end.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use engine_link::Waiting;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::SocketRef;
use socketioxide::{ProtocolVersion, SocketIo, TransportType};
use time::OffsetDateTime;

use super::disconnect;
use super::session::Session;
use super::visitor::Visitor;
use crate::accounts::{Identity, TokenId};
use crate::app::App;
use crate::metrics::{self, Census, Sample};

/// In the extensions of every request.
#[derive(Clone)]
pub struct Connections {
    io: SocketIo,
    /// Is in every id, so that one of another node, or from before a restart, is nobody's here.
    process: i64,
}

/// How many connections of a process have ids of their own.
const NUMBERS: i64 = 1 << 40;

/// One socket, as it is now.
#[derive(Clone, Debug)]
pub struct Connection {
    pub id: i64,
    /// Counts the connections of this node since it was started.
    pub number: i64,
    pub since: OffsetDateTime,
    /// Nobody yet, before it has authenticated.
    pub identity: Option<Identity>,
    pub address: Option<IpAddr>,
    pub user_agent: Box<str>,
    pub transport: &'static str,
    pub protocol: &'static str,
    /// Unknown on the stock engine.
    pub waiting: Option<Waiting>,
}

impl Connections {
    pub fn new(io: SocketIo) -> Self {
        Self { io, process: rand::random_range(0..i64::MAX / NUMBERS) }
    }

    /// All that are connected, the newest first.
    pub fn all(&self) -> Vec<Connection> {
        let mut all: Vec<_> = self.sockets().iter().filter_map(|socket| self.describe(socket)).collect();
        all.sort_unstable_by_key(|connection| std::cmp::Reverse(connection.number));
        all
    }

    /// With which tokens somebody is connected.
    pub fn tokens(&self) -> HashSet<TokenId> {
        let sessions = self.sockets().into_iter().filter_map(|socket| socket.extensions.get::<OwnSession>());
        sessions.filter_map(|session| Some(session.identity()?.token)).collect()
    }

    pub fn by_ids(&self, ids: &[i64]) -> Vec<Connection> {
        let sockets = self.sockets();
        let wanted = sockets.iter().filter(|socket| self.id_of(socket).is_some_and(|id| ids.contains(&id)));
        wanted.filter_map(|socket| self.describe(socket)).collect()
    }

    /// Ends those that are still there; their clients do not come back by themselves.
    pub fn dismiss(&self, ids: &[i64]) {
        for socket in self.sockets() {
            if self.id_of(&socket).is_some_and(|id| ids.contains(&id)) {
                disconnect::dismiss(&socket);
            }
        }
    }

    /// None any more once the server stops, which [`SocketIo::sockets`] would panic at.
    fn sockets(&self) -> Vec<SocketRef> {
        let Some(everybody) = self.io.of("/") else { return Vec::new() };
        everybody.sockets()
    }

    fn id_of(&self, socket: &SocketRef) -> Option<i64> {
        socket.extensions.get::<OwnSession>().map(|session| self.id_in_process(&session))
    }

    fn id_in_process(&self, session: &OwnSession) -> i64 {
        self.process * NUMBERS + session.number % NUMBERS
    }

    /// None where the socket is not quite connected yet.
    fn describe(&self, socket: &SocketRef) -> Option<Connection> {
        let session = socket.extensions.get::<OwnSession>()?;
        let visitor = Visitor::of(socket);
        Some(Connection {
            id: self.id_in_process(&session),
            number: session.number,
            since: session.since,
            identity: session.identity(),
            address: visitor.and_then(|visitor| visitor.address),
            user_agent: visitor.map(|visitor| visitor.user_agent.clone()).unwrap_or_default(),
            transport: match socket.transport_type() {
                TransportType::Websocket => "websocket",
                TransportType::Polling => "polling",
            },
            protocol: match socket.protocol() {
                ProtocolVersion::V4 => "Engine.IO 3",
                ProtocolVersion::V5 => "Engine.IO 4",
            },
            waiting: disconnect::link(socket).map(|link| link.waiting()),
        })
    }

    pub fn census(&self) -> Census {
        let mut census = Census::default();
        for socket in self.sockets() {
            let of_transport = match socket.transport_type() {
                TransportType::Websocket => &mut census.websocket,
                TransportType::Polling => &mut census.polling,
            };
            match socket.protocol() {
                ProtocolVersion::V4 => of_transport.third += 1,
                ProtocolVersion::V5 => of_transport.fourth += 1,
            }
        }
        census
    }

    /// Notes the figures of this node, every few seconds, for as long as the server runs.
    pub async fn observe(self, app: App) {
        let mut interval = tokio::time::interval(metrics::INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let (messages, errors) = (app.metrics.messages.get(), app.metrics.errors.get());
            app.metrics.history.note(Sample { sockets: self.census(), messages, errors });
        }
    }
}

impl Connection {
    pub fn email(&self) -> &str {
        self.identity.as_ref().map_or("", |identity| &identity.email)
    }

    pub fn address(&self) -> String {
        self.address.map(|address| address.to_string()).unwrap_or_default()
    }
}

type OwnSession = Arc<Session<LocalAdapter>>;

#[cfg(test)]
mod tests {
    use socketioxide::SocketIo;
    use socketioxide::extract::SocketRef;

    use super::{Census, Connections};

    #[tokio::test]
    async fn a_server_that_has_closed_its_sockets_has_none() {
        let (_layer, io) = SocketIo::new_layer();
        io.ns("/", async |_: SocketRef| {});
        let connections = Connections::new(io.clone());
        io.close().await;
        assert_eq!(connections.all().len(), 0);
        assert_eq!(connections.census(), Census::default());
    }
}
