//! Reading a request's body within its limit.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::config::Http;
use crate::error::{Error, Result};

/// # Errors
/// [`Error::TooLarge`] beyond the limit; [`Error::Malformed`] where the client broke off; [`Error::TooSlow`] where it takes too
/// long.
pub async fn read(body: Body, config: &Http) -> Result<Bytes> {
    let limit = config.max_body_bytes;
    // Before a byte is read, or asked for with `100 Continue`.
    if body.size_hint().lower() > limit.try_into().unwrap_or(u64::MAX) {
        return Err(Error::TooLarge(limit));
    }
    let timeout = Duration::from_secs(config.body_timeout_seconds.get());
    let collected = tokio::time::timeout(timeout, Limited::new(body, limit).collect()).await;
    collected.map_err(|_| Error::TooSlow)?.map(http_body_util::Collected::to_bytes).map_err(|error| {
        if error.is::<LengthLimitError>() {
            Error::TooLarge(limit)
        } else {
            Error::Malformed("The request body could not be read.".into())
        }
    })
}
