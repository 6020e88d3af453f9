//! Reading a request's body within its limit.

use axum::body::{Body, Bytes};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::error::{Error, Result};

/// # Errors
/// [`Error::TooLarge`] beyond `limit` bytes; [`Error::Malformed`] where the client broke off.
pub async fn read(body: Body, limit: usize) -> Result<Bytes> {
    let collected = Limited::new(body, limit).collect().await;
    collected.map(http_body_util::Collected::to_bytes).map_err(|error| {
        if error.is::<LengthLimitError>() {
            Error::TooLarge(limit)
        } else {
            Error::Malformed("The request body could not be read.".into())
        }
    })
}
