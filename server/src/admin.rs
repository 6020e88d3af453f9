//! The admin site, for staff.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::accounts::login::{self, Credentials, Login};
use crate::accounts::{Origin, user};
use crate::app::App;
use crate::chat;
use crate::error::Result;
use crate::http::csrf;
use crate::http::current_user::Browser;
use crate::http::page::{Page, to_login};
use crate::http::parameters::Parameters;

const LOGIN: &str = "/admin/login/";
const HOME: &str = "/admin/";

pub fn routes() -> Router<App> {
    Router::new().route("/admin", get(add_slash)).route(HOME, get(show)).route(LOGIN, get(show_login).post(log_in))
}

async fn add_slash() -> Response {
    (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, HOME)]).into_response()
}

/// What an operator wants to know first.
#[derive(Template)]
#[template(path = "admin.html")]
struct Overview {
    csrf_token: String,
    email: String,
    users: u64,
    messages: u64,
    sockets: u64,
    version: &'static str,
}

async fn show(State(app): State<App>, Browser(browser): Browser, headers: HeaderMap, uri: Uri) -> Result<Response> {
    let Some(staff) = browser.filter(|browser| browser.user.is_staff) else {
        return Ok(to_login(&app, &HeaderMap::new(), LOGIN, &uri));
    };
    let overview = Overview {
        csrf_token: csrf::token_for(&headers),
        email: staff.user.email,
        users: user::count(app.database.read()).await?,
        // Numbers are given without a gap, so that the newest one is the count.
        messages: chat::reach(&app, chat::EVERYONE).await?.last_seq.unsigned_abs(),
        sockets: app.metrics.sockets.get(),
        version: env!("CARGO_PKG_VERSION"),
    };
    Ok(Page(overview).into_response())
}

async fn show_login(State(app): State<App>, parameters: Parameters, headers: HeaderMap) -> Response {
    login::show_form(&app, &headers, LOGIN, parameters.next().unwrap_or_else(|| HOME.to_owned()))
}

async fn log_in(
    State(app): State<App>,
    Browser(browser): Browser,
    origin: Origin,
    headers: HeaderMap,
    credentials: Credentials,
) -> Result<Response> {
    app.attempts.count(origin.address)?;
    match login::check(&app, &headers, LOGIN, credentials).await? {
        Login::Refused(response) => Ok(response),
        Login::Passed { user, next } => login::enter(&app, browser, &user, &origin, &next).await,
    }
}
