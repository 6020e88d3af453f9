//! What the tests speak with.

pub mod app;
pub mod person;
