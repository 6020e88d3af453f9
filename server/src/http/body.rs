//! Reading a request's body within its limits.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use engine_link::Share;
use http_body_util::BodyExt;

use crate::app::App;
use crate::error::{Error, Result};

/// Seconds after which a client may try again that was refused for what all of them send.
const RETRY_AFTER: u64 = 1;

/// # Errors
/// [`Error::TooLarge`] beyond the limit; [`Error::Throttled`] where all clients together have sent too much in part;
/// [`Error::Malformed`] where the client broke off; [`Error::TooSlow`] where it takes too long.
pub async fn read(body: Body, app: &App) -> Result<Bytes> {
    let limit = app.config.http.max_body_bytes;
    // Before a byte is read, or asked for with `100 Continue`.
    if body.size_hint().lower() > limit.try_into().unwrap_or(u64::MAX) {
        return Err(Error::TooLarge(limit));
    }
    let timeout = Duration::from_secs(app.config.http.body_timeout_seconds.get());
    let read = tokio::time::timeout(timeout, read_up_to(body, limit, app.intake.share())).await;
    let read = read.unwrap_or(Err(Error::TooSlow));
    if matches!(read, Err(Error::Throttled(_))) {
        app.metrics.rate_limited("received");
    }
    read
}

async fn read_up_to(mut body: Body, limit: usize, mut share: Share) -> Result<Bytes> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::Malformed("The request body could not be read.".into()))?;
        let Ok(data) = frame.into_data() else { continue };
        if read.len() + data.len() > limit {
            return Err(Error::TooLarge(limit));
        }
        read.extend_from_slice(&data);
        share.hold(read.capacity()).map_err(|_| Error::Throttled(RETRY_AFTER))?;
    }
    Ok(read.into())
}
