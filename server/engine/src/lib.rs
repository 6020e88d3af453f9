//! An Engine.IO server under the unmodified socketioxide: the interface of `engineioxide`, for clients of Engine.IO 3 and 4.
//!
//! In reading order:
//! * `service` takes requests, `request` says what they ask for, `answer` how they are answered;
//! * `engine` keeps the sessions and opens them;
//! * `socket` is what the handler above holds of one session, `connection` what lies under it: the packets that wait,
//!   and how it ends; `deadlines` ends it in time;
//! * `polling` and `websocket` are the two transports; `outbox`, `flusher` and `wire` write to the latter;
//! * `packet`, `payload`, `jsonp` and `frame` are pure: bytes to packets and back, which is fuzzed;
//! * `socketio` is all that the engine knows of what it carries.

mod answer;
pub mod config;
mod connection;
mod deadlines;
mod engine;
mod flusher;
pub mod frame;
pub mod handler;
pub mod jsonp;
pub mod layer;
mod outbox;
pub mod packet;
pub mod payload;
mod polling;
mod request;
pub mod service;
pub mod socket;
mod socketio;
mod websocket;
mod wire;

pub use engineioxide_core::{ProtocolVersion, Str, TransportType};
pub use packet::Packet;
pub use socket::{DisconnectReason, Socket};

/// Session ids.
pub mod sid {
    pub use engineioxide_core::Sid;
}
