//! The admin site's routes, and its way in.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{from_extractor_with_state, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum_extra::extract::WithRejection;

use super::audit::Actor;
use super::audit_log::AuditLog;
use super::connections::LiveConnections;
use super::conversations::{self, Conversations};
use super::messages::Messages;
use super::sessions::Sessions;
use super::staff::Staff;
use super::table;
use super::tokens::Tokens;
use super::users::{self, Users};
use super::{overview, setup};
use crate::accounts::login::{self, Credentials, Login};
use crate::accounts::routes::sign_up_from;
use crate::accounts::{self, Origin};
use crate::admin;
use crate::app::App;
use crate::error::{Error, Invalid, Result};
use crate::http::csrf;
use crate::http::current_user::Browser;
use crate::http::data::Data;
use crate::http::language::{filters, translate};
use crate::http::page::{Page, keep_to_itself, with_csrf_cookie};
use crate::http::parameters::Parameters;

pub const HOME: &str = "/admin/";
pub const LOGIN: &str = "/admin/login/";

pub fn routes(app: &App) -> Router<App> {
    let inside = Router::new()
        .merge(overview::routes())
        .merge(users::routes())
        .merge(table::routes::<Users>())
        .merge(table::routes::<Tokens>())
        .merge(table::record_route::<Tokens>())
        .merge(table::routes::<Sessions>())
        .merge(table::record_route::<Sessions>())
        .merge(table::routes::<LiveConnections>())
        .merge(table::record_route::<LiveConnections>())
        .merge(conversations::routes())
        .merge(table::routes::<Conversations>())
        .merge(table::routes::<Messages>())
        .merge(table::record_route::<Messages>())
        .merge(table::routes::<AuditLog>())
        .merge(table::record_route::<AuditLog>())
        .route("/admin/{*rest}", only(get(not_found)))
        .layer(from_fn_with_state(app.clone(), csrf::protect_pages))
        // First of all: who has no business here is sent to the login page, whatever else is wrong with the request.
        .layer(from_extractor_with_state::<Staff, App>(app.clone()));
    let outside = Router::new()
        .route("/admin", get(add_slash))
        .route(LOGIN, get(show_login).post(log_in))
        .route("/admin/setup/{key}/", get(show_setup).post(set_up).layer(map_response(keep_to_itself)))
        .layer(from_fn_with_state(app.clone(), csrf::protect_pages));
    inside.merge(outside)
}

/// Answers other methods to staff only, like everything inside.
pub fn only(methods: MethodRouter<App>) -> MethodRouter<App> {
    methods.fallback(refuse)
}

async fn refuse(_: Staff, method: Method) -> Error {
    Error::MethodNotAllowed(method)
}

async fn not_found(_: Staff, uri: Uri) -> Response {
    let path = uri.path();
    if path.ends_with('/') {
        return Error::NotFound.into_response();
    }
    moved(&format!("{path}/"))
}

async fn add_slash() -> Response {
    moved(HOME)
}

fn moved(to: &str) -> Response {
    (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, to)]).into_response()
}

async fn show_login(Browser(browser): Browser, parameters: Parameters, headers: HeaderMap) -> Response {
    // As Django says it: whoever is logged in and comes here has been sent away.
    let notice = browser.filter(|browser| !browser.user.is_staff).map(|browser| {
        let pattern = "You are signed in as {email}, but this account may not administer. Sign in with another one?";
        translate(pattern).with("email", &browser.user.email).to_string()
    });
    login::show_form(&headers, LOGIN, parameters.next().unwrap_or_else(|| HOME.to_owned()), notice)
}

async fn log_in(
    State(app): State<App>,
    Browser(browser): Browser,
    origin: Origin,
    headers: HeaderMap,
    credentials: Credentials,
) -> Result<Response> {
    accounts::count_attempt(&app, "sign-in", origin.address)?;
    match login::check(&app, &headers, LOGIN, credentials, origin.address).await? {
        Login::Refused(response) => Ok(response),
        Login::Passed { user, next } => {
            let key = admin::log_in(&app, &user, &origin).await?;
            login::let_in(&app, browser, &key, &next).await
        }
    }
}

#[derive(Default, Template)]
#[template(path = "admin/setup.html")]
struct SetupPage {
    csrf_token: String,
    email: String,
    email_errors: Vec<String>,
    password_errors: Vec<String>,
}

async fn show_setup(
    State(app): State<App>,
    WithRejection(Path(key), _): WithRejection<Path<String>, Error>,
    headers: HeaderMap,
) -> Result<Response> {
    setup::check(&app, &key).await?;
    let csrf_token = csrf::token_for(&headers);
    let page = SetupPage { csrf_token: csrf_token.clone(), ..SetupPage::default() };
    Ok(with_csrf_cookie(Page(page).into_response(), &csrf_token))
}

async fn set_up(
    State(app): State<App>,
    WithRejection(Path(key), _): WithRejection<Path<String>, Error>,
    Browser(browser): Browser,
    origin: Origin,
    headers: HeaderMap,
    Data(data): Data,
) -> Result<Response> {
    accounts::count_attempt(&app, "sign-up", origin.address)?;
    setup::check(&app, &key).await?;
    let made = async { admin::set_up(&app, &Actor::set_up(origin.address), &key, sign_up_from(&data)?).await }.await;
    match made {
        Ok(user) => login::enter(&app, browser, &user, &origin, HOME).await,
        Err(Error::Invalid(invalid)) => {
            let email = data.get("email").and_then(|email| email.as_str()).unwrap_or_default().to_owned();
            Ok(Page(SetupPage::refused(csrf::token_for(&headers), email, &invalid)).into_response())
        }
        Err(error) => Err(error),
    }
}

impl SetupPage {
    fn refused(csrf_token: String, email: String, invalid: &Invalid) -> Self {
        let of = |field| invalid.of(field).to_vec();
        Self { csrf_token, email, email_errors: of("email"), password_errors: of("password") }
    }
}
