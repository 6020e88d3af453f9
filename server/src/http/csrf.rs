//! Protection from forged requests, as Django's: what a form or script sends must equal the cookie `csrftoken`, and come from
//! a page of this site, as far as the browser says where it comes from.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, header, request::Parts};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;
use url::Url;

use super::base_url::BaseUrl;
use super::{body, cookies, data};
use crate::app::App;
use crate::error::{Error, Result};

/// The hidden field of forms.
const FIELD: &str = "csrfmiddlewaretoken";
const HEADER: &str = "x-csrftoken";
/// W3C Fetch Metadata Request Headers, section 2.3.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const COOKIE_MISSING: &str = "CSRF cookie not set.";
const MISMATCH: &str = "CSRF token missing or incorrect.";
const REFERER_MALFORMED: &str = "Referer checking failed - Referer is malformed.";
const REFERER_INSECURE: &str = "Referer checking failed - Referer is insecure while host is secure.";
const CROSS_SITE: &str = "Sec-Fetch-Site checking failed - the request comes from another site.";
const NO_ORIGIN: &str = "Origin checking failed - no Origin.";

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
pub fn check_request(app: &App, parts: &Parts) -> Result<()> {
    check_source(app, parts)?;
    check_token(&parts.headers, None)
}

/// Where a request comes from. Old clients say nothing of it.
fn check_source(app: &App, parts: &Parts) -> Result<()> {
    let said = |name: HeaderName| parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let base = BaseUrl::of(app, &parts.extensions, &parts.headers);
    let is_ours = |url: &Url| base.has(url) || app.config.http.allowed_origins.allow(url);
    let origin = said(header::ORIGIN);
    if let Some(origin) = &origin {
        if !Url::parse(origin).is_ok_and(|url| is_ours(&url)) {
            return Err(refusal(format!("Origin checking failed - {origin} does not match any trusted origins.")));
        }
    } else if base.is_https()
        && let Some(referer) = said(header::REFERER)
    {
        let url = Url::parse(&referer).map_err(|_| Error::Csrf(REFERER_MALFORMED.into()))?;
        if url.scheme() != "https" {
            return Err(Error::Csrf(REFERER_INSECURE.into()));
        }
        if !is_ours(&url) {
            return Err(refusal(format!("Referer checking failed - {referer} does not match any trusted origins.")));
        }
    }
    match said(SEC_FETCH_SITE).as_deref() {
        Some("cross-site") => Err(Error::Csrf(CROSS_SITE.into())),
        Some("same-site") if origin.is_none() => Err(Error::Csrf(NO_ORIGIN.into())),
        _ => Ok(()),
    }
}

fn refusal(reason: String) -> Error {
    Error::Csrf(reason.into())
}

fn check_token(headers: &HeaderMap, form_field: Option<&str>) -> Result<()> {
    let cookie = cookies::get(headers, cookies::CSRF).ok_or(Error::Csrf(COOKIE_MISSING.into()))?;
    let header = headers.get(HEADER).and_then(|value| value.to_str().ok());
    let sent = form_field.or(header).unwrap_or_default();
    let equal = is_well_formed(&cookie) && bool::from(cookie.as_bytes().ct_eq(sent.as_bytes()));
    if equal { Ok(()) } else { Err(Error::Csrf(MISMATCH.into())) }
}

/// Guards every page: whatever changes something needs the token, in a form's field or in a header, and comes from here.
pub async fn protect_pages(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    if let Err(error) = check_source(&app, &parts) {
        return error.into_response();
    }
    let bytes = match body::read(body, &app).await {
        Ok(bytes) => bytes,
        Err(error) => return error.into_response(),
    };
    let is_form = parts
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded"));
    let form = if is_form { data::from_form(&bytes) } else { serde_json::Map::default() };
    let field = form.get(FIELD).and_then(|value| value.as_str());
    match check_token(&parts.headers, field) {
        Ok(()) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Err(error) => error.into_response(),
    }
}
