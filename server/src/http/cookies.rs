//! The two cookies, with Django's names and attributes.

use axum::http::{HeaderMap, HeaderValue, header};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use cookie::CookieBuilder;
use time::{Duration, OffsetDateTime};

use crate::accounts::Session;
use crate::app::App;

pub const SESSION: &str = "sessionid";
pub const CSRF: &str = "csrftoken";

/// A year less a day, as Django's.
const CSRF_AGE: Duration = Duration::seconds(31_449_600);

/// The value of a cookie that came with a request.
pub fn get(headers: &HeaderMap, name: &str) -> Option<String> {
    CookieJar::from_headers(headers).get(name).map(|cookie| cookie.value().to_owned())
}

pub fn set_session(app: &App, headers: &mut HeaderMap, key: &str) {
    set_session_for(app, headers, key, app.terms.session_age);
}

/// Lets a browser keep its cookie for as long as the session lasts that is used now.
pub fn renew_session(app: &App, headers: &mut HeaderMap, key: &str, session: &Session) {
    set_session_for(app, headers, key, session.expires_at - OffsetDateTime::now_utc());
}

fn set_session_for(app: &App, headers: &mut HeaderMap, key: &str, left: Duration) {
    append(headers, Cookie::build((SESSION, key)).http_only(true), app.terms.cookie_age(left));
}

pub fn delete_session(headers: &mut HeaderMap) {
    append(headers, Cookie::build((SESSION, "")).http_only(true), Duration::ZERO);
}

/// Readable by scripts, which send it back as `X-CSRFToken`.
pub fn set_csrf(headers: &mut HeaderMap, token: &str) {
    append(headers, Cookie::build((CSRF, token)), CSRF_AGE);
}

/// Whether a cookie is `Secure` is decided for all of them, where every answer passes.
fn append(headers: &mut HeaderMap, cookie: CookieBuilder<'_>, age: Duration) {
    let cookie = cookie
        .path("/")
        .max_age(age)
        .expires(if age.is_zero() { OffsetDateTime::UNIX_EPOCH } else { OffsetDateTime::now_utc() + age })
        .same_site(SameSite::Lax);
    match HeaderValue::from_str(&cookie.build().to_string()) {
        Ok(value) => _ = headers.append(header::SET_COOKIE, value),
        Err(error) => tracing::error!(%error, "a cookie could not be written"),
    }
}
