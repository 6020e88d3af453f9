//! Proof that nothing is lost: clients put down all that they say and hear while the server is killed, frozen and cut off, and
//! what they have put down is judged.
//!
//! * [`history`]: what is put down. [`verdict`]: what must hold of it.
//! * [`crash`]: the run that is disturbed. [`stage`]: what its clients share. [`client`]: one of them.
//! * [`soak`]: clients that come and go. [`latency`]: whether others disturb those who talk.
//! * [`node`], [`cluster`]: servers and PostgreSQL, to be killed and frozen.
//! * [`socket`], [`link`], [`tcp`]: Socket.IO, Engine.IO and what is below.

pub mod client;
pub mod cluster;
pub mod crash;
pub mod history;
pub mod latency;
pub mod link;
pub mod node;
pub mod soak;
pub mod socket;
pub mod stage;
pub mod tcp;
pub mod verdict;
