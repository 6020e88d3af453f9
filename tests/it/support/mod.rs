//! What the tests speak with.

pub mod answer;
pub mod app;
pub mod browser;
pub mod bystander;
pub mod command;
pub mod crowd;
pub mod log;
pub mod packet;
pub mod person;
pub mod polling;
pub mod staff;
pub mod websocket;
pub mod wire;
