//! What the engine of our own promises, and nothing else does: with the line of `[patch.crates-io]` taken out of
//! `Cargo.toml`, the server runs on the stock engine, and of all these tests those under `engine::` alone may fail.

mod bad_requests;
mod bursts;
mod dialects;
mod dismissal;
mod half_sent;
mod heartbeat;
mod mutations;
mod polling_dialects;
mod slow_readers;
mod stalled_readers;
mod stopping;
