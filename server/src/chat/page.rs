//! The chat page.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::app::App;
use crate::error::Result;
use crate::http::current_user::{Browser, Credential};
use crate::http::language::filters;
use crate::http::page::{Page, to_login, with_csrf_cookie};
use crate::http::{cookies, csrf};

pub fn routes() -> Router<App> {
    Router::new().route("/", get(show).options(show))
}

#[derive(Template)]
#[template(path = "chat.html")]
struct ChatPage {
    csrf_token: String,
    user_id: i64,
    email: String,
    is_staff: bool,
    max_bytes: usize,
}

async fn show(State(app): State<App>, Browser(browser): Browser, headers: HeaderMap, uri: Uri) -> Result<Response> {
    let Some(browser) = browser else {
        return Ok(to_login(&headers, "/login/", &uri));
    };
    let csrf_token = csrf::token_for(&headers);
    let page = ChatPage {
        csrf_token: csrf_token.clone(),
        user_id: browser.user.id.0,
        email: browser.user.email,
        is_staff: browser.user.is_staff,
        max_bytes: app.config.chat.max_message_bytes.get(),
    };
    let mut response = with_csrf_cookie(Page(page).into_response(), &csrf_token);
    if let Credential::Session { session, key } = &browser.credential {
        cookies::renew_session(&app, response.headers_mut(), key, session);
    }
    Ok(response)
}
