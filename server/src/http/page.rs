//! HTML answers: pages, and errors as pages.

use std::any::Any;

use askama::Template;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};

use super::api::path_and_query;
use super::cookies;
use super::language::{Translated, filters, translate};
use crate::error::{Error, Explanation};

/// Nothing comes from elsewhere and nothing runs that is not a file of ours.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'self'; base-uri 'none'";

const HEADERS: [(HeaderName, HeaderValue); 2] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    // Nor does the way back lead to a page of somebody who has signed out.
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
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

/// A page with a form, and the cookie that its form must match.
pub fn with_csrf_cookie(mut response: Response, token: &str) -> Response {
    cookies::set_csrf(response.headers_mut(), token);
    response
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorTemplate {
    heading: &'static str,
    message: Translated,
}

fn error_page(status: StatusCode, heading: &'static str, message: Translated) -> Response {
    (status, Page(ErrorTemplate { heading, message })).into_response()
}

/// Shows the errors of pages as pages.
pub async fn show_errors(response: Response) -> Response {
    match response.extensions().get::<Explanation>().cloned() {
        Some(Explanation { heading, detail }) => {
            let page = error_page(response.status(), heading, translate(&detail));
            let (mut parts, _) = response.into_parts();
            let (page, body) = page.into_parts();
            parts.headers.extend(page.headers);
            Response::from_parts(parts, body)
        }
        None => response,
    }
}

pub async fn not_found(request: Request) -> Response {
    let message = translate("The requested URL {path} was not found on this server.");
    let message = message.with("path", path_and_query(request.uri()));
    error_page(StatusCode::NOT_FOUND, "Not Found", message)
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
        && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

/// The redirect that Django answers a form with.
pub fn redirect(to: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
}

/// For a page whose address is a secret: nobody hears more of it than its site. With `no-referrer`, browsers would not even
/// say of its form that it comes from here (Fetch, "append a request `Origin` header").
pub async fn keep_to_itself(mut response: Response) -> Response {
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    response
}

/// Sends a browser to a login page that leads back here. The cookie of a session that is over is deleted.
pub fn to_login(headers: &HeaderMap, login: &str, uri: &Uri) -> Response {
    let here = path_and_query(uri);
    let next: String = here.bytes().map(escape).collect();
    let mut response = redirect(&format!("{login}?next={next}"));
    if cookies::get(headers, cookies::SESSION).is_some() {
        cookies::delete_session(response.headers_mut());
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
        for bad in ["", "a", "//x", "/\\x", "\\x", "/\t/x", "https://x", "/a\r\nb", "/é", "javascript:x"] {
            assert!(!is_local_path(bad), "{bad:?}");
        }
    }
}
