//! Protection from forged requests, as Django's: what a form or script sends must equal the cookie `csrftoken`.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::{body, cookies, data};
use crate::app::App;
use crate::error::{Error, Result};

/// The hidden field of forms.
const FIELD: &str = "csrfmiddlewaretoken";
const HEADER: &str = "x-csrftoken";

const COOKIE_MISSING: &str = "CSRF cookie not set.";
const MISMATCH: &str = "CSRF token missing or incorrect.";

pub fn new_token() -> String {
    crate::random::alphanumeric::<32>()
}

/// The token that a browser has already, so that its other tabs' forms stay valid; else a new one.
pub fn token_for(headers: &HeaderMap) -> String {
    cookies::get(headers, cookies::CSRF).filter(|token| is_well_formed(token)).unwrap_or_else(new_token)
}

fn is_well_formed(token: &str) -> bool {
    token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// What an API caller with a session must pass for any method that changes something.
///
/// # Errors
/// [`Error::Csrf`].
pub fn check_header(headers: &HeaderMap) -> Result<()> {
    check(headers, None)
}

fn check(headers: &HeaderMap, form_field: Option<&str>) -> Result<()> {
    let cookie = cookies::get(headers, cookies::CSRF).ok_or(Error::Csrf(COOKIE_MISSING))?;
    let header = headers.get(HEADER).and_then(|value| value.to_str().ok());
    let sent = form_field.or(header).unwrap_or_default();
    let equal = is_well_formed(&cookie) && bool::from(cookie.as_bytes().ct_eq(sent.as_bytes()));
    if equal { Ok(()) } else { Err(Error::Csrf(MISMATCH)) }
}

/// Guards every page: whatever changes something needs the token, in a form's field or in a header.
pub async fn protect_pages(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let bytes = match body::read(body, &app.config.http).await {
        Ok(bytes) => bytes,
        Err(error) => return error.into_response(),
    };
    let is_form = parts
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded"));
    let form = if is_form { data::from_form(&bytes) } else { serde_json::Map::default() };
    let field = form.get(FIELD).and_then(|value| value.as_str());
    match check(&parts.headers, field) {
        Ok(()) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Err(error) => error.into_response(),
    }
}
