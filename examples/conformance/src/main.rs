//! Listens, says where, serves.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use clap::Parser;
use conformance::Settings;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

// In one thread, so that what comes first is answered first: the suites take that for granted.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env()).with_writer(std::io::stderr).init();
    let settings = Settings::parse();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port))
        .await
        .with_context(|| format!("cannot listen on port {}", settings.port))?;
    println!("Listening on http://{}/", listener.local_addr()?);
    Ok(conformance::serve(listener, &settings).await?)
}
