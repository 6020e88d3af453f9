//! Natter, a chat server for unchanged Socket.IO clients.
//!
//! The rooms of the house, in reading order:
//!
//! * [`config`], [`app`], [`error`], [`event`]: what everybody shares.
//! * [`accounts`]: who people are. [`presence`]: who is here. [`chat`]: what they say. [`admin`]: who looks after it.
//! * [`http`] and [`gateway`]: the doorways for requests and for sockets.
//! * [`serve`]: all of it, running. [`cli`]: how it is started and looked after.
//! * [`database`], [`listing`], [`telemetry`], [`metrics`], [`supervisor`], [`rate`], [`random`]: the cellar.

pub mod accounts;
pub mod admin;
pub mod app;
pub mod chat;
pub mod cli;
pub mod config;
pub mod database;
pub mod error;
pub mod event;
pub mod gateway;
pub mod http;
pub mod listing;
pub mod metrics;
pub mod presence;
pub mod random;
pub mod rate;
pub mod serve;
pub mod supervisor;
pub mod telemetry;
