//! `natter healthcheck`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config::Config;

/// Supervisors wait no longer for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Far more than the answer has.
const MAX_ANSWER: u64 = 64 * 1024;

/// Asks the server of these settings whether it is ready.
///
/// # Errors
/// Where it is not, or does not answer.
pub async fn run(config: &Config) -> Result<()> {
    let address = SocketAddr::new(reachable(config.host), config.port);
    let answer = tokio::time::timeout(PATIENCE, ask(address)).await;
    let answer = answer.with_context(|| format!("the server at {address} does not answer"))??;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if !head.starts_with("HTTP/1.1 200 ") {
        bail!("the server at {address} is not ready: {}", body.trim());
    }
    super::say(&format!("The server at {address} is ready.\n"))
}

async fn ask(address: SocketAddr) -> Result<String> {
    let mut server = TcpStream::connect(address).await.with_context(|| format!("there is no server at {address}"))?;
    let request = format!("GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    server.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    server.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Who listens on every address can be reached on this machine's own.
fn reachable(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        host => host,
    }
}
