//! The cases of the protocol documents, each as a test over raw sockets: the texts of Engine.IO 3 and 4 and of Socket.IO 4
//! and 5 (socketio/engine.io-protocol, socketio/socket.io-protocol) with their suites' cases, and RFC 6455 below them.
//!
//! All of it is promised by the engine of our own, and much of it by the stock one, too.
//!
//! What two versions have in common is tested for both by one test: [`requests`], [`upgrade`], [`websocket`] and
//! [`socket_io`]. What a version has for itself is in the module of its name.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod engine_io_3;
mod engine_io_4;
mod requests;
mod socket_io;
mod socket_io_4;
mod socket_io_5;
mod support;
mod upgrade;
mod websocket;
