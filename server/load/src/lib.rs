//! Load for chat servers: a crowd of clients in one thread, which checks all that it hears.
//!
//! In reading order:
//!
//! * [`plan`]: what is to be measured, and of whom. [`report`]: what came out.
//! * `run`: the phases, one after the other.
//! * `crowd`, `client`, `frame`: many connections that cost next to nothing.
//! * `stamp`, `ledger`, `record`: what a message tells of itself, and what is made of it.
//! * [`process`], [`rest`], [`started`]: the server from outside.

mod client;
mod crowd;
pub mod frame;
mod ledger;
pub mod plan;
pub mod process;
mod record;
pub mod report;
pub mod rest;
mod run;
mod stamp;
pub mod started;

pub use crowd::allow;
pub use plan::Plan;
pub use report::Report;
pub use run::run;
