//! Who comes.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, header};
use engine_link::Companion;
use socketioxide::adapter::Adapter;
use socketioxide::extract::SocketRef;

use super::places::Place;

/// Characters that are kept of what a client calls itself.
const MAX_USER_AGENT: usize = 120;

/// What is kept of a client for as long as its socket lives: so it is short.
pub struct Visitor {
    pub address: Option<IpAddr>,
    /// What the client calls itself; empty where it does not say.
    pub user_agent: Box<str>,
    pub place: Place,
}

impl Visitor {
    pub fn new(address: Option<IpAddr>, headers: &HeaderMap, place: Place) -> Self {
        let user_agent = headers.get(header::USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
        let user_agent: String = String::from_utf8_lossy(user_agent).chars().take(MAX_USER_AGENT).collect();
        Self { address, user_agent: user_agent.into(), place }
    }

    /// Whose socket it is.
    pub fn of<A: Adapter>(socket: &SocketRef<A>) -> Option<&Self> {
        socket.req_parts().extensions.get::<Companion>()?.0.downcast_ref()
    }
}
