//! Logs: readable text on a terminal, JSON lines otherwise.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;

/// What is to be logged, in the syntax of [`EnvFilter`].
pub fn filter(text: &str) -> Result<EnvFilter> {
    text.parse().context("log (RUST_LOG) is not a filter")
}

/// Starts logging to standard error.
pub fn start(filter: EnvFilter) -> Result<()> {
    // At finer levels it prints what people say and sign in with.
    let filter = filter.add_directive("tungstenite=info".parse()?);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() { builder.try_init() } else { builder.json().flatten_event(true).try_init() }
        .map_err(|error| anyhow::anyhow!(error))
}
