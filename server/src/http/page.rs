//! HTML answers: pages, and errors as pages.

use std::any::Any;

use askama::Template;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};

use super::api::path_and_query;
use super::cookies;
use crate::app::App;
use crate::error::Error;

pub type PageResult = Result<Response, ErrorPage>;

/// Nothing comes from elsewhere and nothing runs that is not a file of ours.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'self'; base-uri 'none'";

const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
];

/// A page that is rendered from its template.
pub struct Page<T>(pub T);

impl<T: Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        match self.0.render() {
            Ok(html) => (HEADERS, Html(html)).into_response(),
            Err(error) => Error::Internal(error.into()).into_response(),
        }
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorTemplate {
    title: &'static str,
    heading: &'static str,
    message: String,
}

/// An error as a browser shows it.
pub struct ErrorPage {
    status: StatusCode,
    heading: &'static str,
    message: String,
}

impl ErrorPage {
    pub fn of(error: &Error) -> Self {
        let status = error.status();
        let heading = match error {
            Error::Csrf(_) => "CSRF verification failed",
            _ if status == StatusCode::INTERNAL_SERVER_ERROR => "Server Error (500)",
            _ => status.canonical_reason().unwrap_or("Error"),
        };
        Self { status, heading, message: error.detail() }
    }
}

impl From<Error> for ErrorPage {
    fn from(error: Error) -> Self {
        error.log();
        Self::of(&error)
    }
}

impl IntoResponse for ErrorPage {
    fn into_response(self) -> Response {
        let Self { status, heading, message } = self;
        let mut response = Page(ErrorTemplate { title: heading, heading, message }).into_response();
        *response.status_mut() = status;
        response
    }
}

pub async fn not_found(request: Request) -> ErrorPage {
    ErrorPage {
        status: StatusCode::NOT_FOUND,
        heading: "Not Found",
        message: format!("The requested URL {} was not found on this server.", path_and_query(request.uri())),
    }
}

/// A defect of ours ends one request, not the connection's others.
pub fn after_panic(_: Box<dyn Any + Send>) -> Response {
    Error::Internal(anyhow::anyhow!("a handler panicked")).into_response()
}

/// Whether a place to go to after login is a path on this site, and not another site in disguise.
pub fn is_local_path(next: &str) -> bool {
    let mut characters = next.chars();
    characters.next() == Some('/')
        // Browsers take `//host`, `/\host` and `/<tab>/host` for another site.
        && !matches!(characters.next(), Some('/' | '\\'))
        && !next.contains(|c: char| c.is_control() || c == '\\')
}

/// The redirect that Django answers a form with.
pub fn redirect(to: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
}

/// Sends a browser to a login page that leads back here. The cookie of a session that is over is deleted.
pub fn to_login(app: &App, headers: &HeaderMap, login: &str, uri: &Uri) -> Response {
    let here = path_and_query(uri);
    let next: String = here.bytes().map(escape).collect();
    let mut response = redirect(&format!("{login}?next={next}"));
    if cookies::get(headers, cookies::SESSION).is_some() {
        cookies::delete_session(app, response.headers_mut());
    }
    response
}

/// Escapes what has a meaning in a query, and leaves the slash readable, as Django does.
fn escape(byte: u8) -> String {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}

#[cfg(test)]
mod tests {
    use super::is_local_path;

    #[test]
    fn only_paths_of_this_site_are_gone_to() {
        for good in ["/", "/admin/?a=b&c=%2F", "/a//b"] {
            assert!(is_local_path(good), "{good}");
        }
        for bad in ["", "a", "//x", "/\\x", "\\x", "/\t/x", "https://x", "/a\r\nb", "javascript:x"] {
            assert!(!is_local_path(bad), "{bad:?}");
        }
    }
}
