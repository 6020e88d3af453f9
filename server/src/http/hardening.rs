//! What browsers are told with every answer of the pages and the API, so that they are harder to turn against those who use them.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use super::base_url::BaseUrl;
use crate::app::App;

/// For whatever does not say otherwise, as pages do, which show more than data.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'self'; base-uri 'none'"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
];

pub async fn harden(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_https = BaseUrl::of(&app, request.extensions(), request.headers()).is_https();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
    if is_https {
        secure_cookies(headers);
        require_tls(headers, app.config.http.hsts_seconds);
    }
    response
}

/// No browser sends them without TLS from here on (RFC 6265, section 4.1.2.5).
fn secure_cookies(headers: &mut HeaderMap) {
    for (name, value) in headers.iter_mut() {
        if name == header::SET_COOKIE
            && let Ok(secure) = HeaderValue::from_bytes(&[value.as_bytes(), b"; Secure"].concat())
        {
            *value = secure;
        }
    }
}

/// No browser comes without TLS from here on (RFC 6797).
fn require_tls(headers: &mut HeaderMap, seconds: u32) {
    if seconds > 0
        && let Ok(value) = HeaderValue::from_str(&format!("max-age={seconds}"))
    {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
}
