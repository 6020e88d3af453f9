//! The pages with which a browser signs in, up and out.

use std::convert::Infallible;
use std::net::IpAddr;

use askama::Template;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;

use super::{Origin, Session, User, routes};
use crate::accounts;
use crate::app::App;
use crate::error::{Error, Invalid, Result};
use crate::http::current_user::{Browser, Credential, CurrentUser};
use crate::http::data::Data;
use crate::http::language::filters;
use crate::http::page::{Page, is_local_path, redirect, with_csrf_cookie};
use crate::http::parameters::Parameters;
use crate::http::{cookies, csrf};

const MAX_USERNAME: usize = 256;

pub fn routes() -> Router<App> {
    let login = || get(show_login).post(log_in).put(log_in).options(describe_login);
    let sign_up = || get(show_sign_up).post(sign_up);
    Router::new()
        .route("/login", login())
        .route("/login/", login())
        .route("/signup", sign_up())
        .route("/signup/", sign_up())
        .route("/logout/", post(log_out))
}

/// The login form of the site, or that of the admin site.
#[derive(Default, Template)]
#[template(path = "login.html")]
pub struct LoginPage {
    pub csrf_token: String,
    pub next: String,
    pub username: String,
    pub username_errors: Vec<String>,
    pub password_errors: Vec<String>,
    /// What is said above the form.
    pub notice: Option<String>,
    /// Nobody is known by these credentials.
    pub is_unknown: bool,
    pub action: &'static str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Credentials {
    username: String,
    password: String,
    next: String,
}

/// A body that is no form has no fields.
impl<S: Send + Sync> FromRequest<S> for Credentials {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &S) -> std::result::Result<Self, Infallible> {
        let form = Form::from_request(request, state).await;
        Ok(form.map(|Form(credentials)| credentials).unwrap_or_default())
    }
}

async fn show_login(parameters: Parameters, headers: HeaderMap) -> Response {
    show_form(&headers, "/login", parameters.next().unwrap_or_default(), None)
}

/// An empty login form, with the cookie that goes with it.
pub fn show_form(headers: &HeaderMap, action: &'static str, next: String, notice: Option<String>) -> Response {
    let csrf_token = csrf::token_for(headers);
    let page = LoginPage { csrf_token: csrf_token.clone(), next, notice, action, ..LoginPage::default() };
    with_csrf_cookie(Page(page).into_response(), &csrf_token)
}

async fn describe_login() -> impl IntoResponse {
    (StatusCode::OK, [(header::ALLOW, "GET, POST, PUT, HEAD, OPTIONS")])
}

async fn log_in(
    State(app): State<App>,
    Browser(browser): Browser,
    origin: Origin,
    parameters: Parameters,
    headers: HeaderMap,
    mut credentials: Credentials,
) -> Result<Response> {
    if credentials.next.is_empty() {
        credentials.next = parameters.next().unwrap_or_default();
    }
    accounts::count_attempt(&app, "sign-in", origin.address)?;
    match check(&app, &headers, "/login", credentials, origin.address).await? {
        Login::Refused(response) => Ok(response),
        Login::Passed { user, next } => enter(&app, browser, &user, &origin, &next).await,
    }
}

/// What came of a filled-in login form.
pub enum Login {
    /// The form again, with what is wrong.
    Refused(Response),
    Passed {
        user: User,
        next: String,
    },
}

pub async fn check(
    app: &App,
    headers: &HeaderMap,
    action: &'static str,
    credentials: Credentials,
    address: IpAddr,
) -> Result<Login> {
    let Credentials { username, password, next } = credentials;
    let username_errors = field_errors(username.trim(), MAX_USERNAME);
    let password_errors = field_errors(&password, usize::MAX);
    let csrf_token = csrf::token_for(headers);
    let mut page =
        LoginPage { csrf_token, next, username, username_errors, password_errors, action, ..Default::default() };
    if page.username_errors.is_empty() && page.password_errors.is_empty() {
        match accounts::authenticate(app, page.username.trim(), password.trim().to_owned(), address).await? {
            Some(user) => return Ok(Login::Passed { user, next: page.next }),
            None => page.is_unknown = true,
        }
    }
    Ok(Login::Refused(Page(page).into_response()))
}

fn field_errors(text: &str, max_characters: usize) -> Vec<String> {
    let length = text.chars().count();
    if length == 0 {
        vec!["This field is required.".to_owned()]
    } else if length > max_characters {
        vec![format!("Ensure this value has at most {max_characters} characters (it has {length}).")]
    } else {
        Vec::new()
    }
}

/// Logs a browser in and sends it on, as [`let_in`].
pub async fn enter(
    app: &App,
    browser: Option<CurrentUser>,
    user: &User,
    origin: &Origin,
    next: &str,
) -> Result<Response> {
    let key = accounts::open_session(app, user, origin).await?;
    let_in(app, browser, &key, next).await
}

/// Hands a browser the key of its new session and sends it on: to `next` if that is on this site, else to the chat. An older
/// session of the same browser ends, so that a key which somebody else planted or saw is worth nothing.
pub async fn let_in(app: &App, browser: Option<CurrentUser>, key: &str, next: &str) -> Result<Response> {
    if let Some(session) = browser.and_then(session_of) {
        accounts::close_session(app, &session).await?;
    }
    let mut response = redirect(if is_local_path(next) { next } else { "/" });
    cookies::set_session(app, response.headers_mut(), key);
    cookies::set_csrf(response.headers_mut(), &csrf::new_token());
    Ok(response)
}

fn session_of(browser: CurrentUser) -> Option<Session> {
    match browser.credential {
        Credential::Session { session, .. } => Some(session),
        Credential::Token { .. } => None,
    }
}

async fn log_out(State(app): State<App>, Browser(browser): Browser) -> Result<Response> {
    if let Some(session) = browser.and_then(session_of) {
        accounts::close_session(&app, &session).await?;
    }
    let mut response = redirect("/login/");
    cookies::delete_session(response.headers_mut());
    // Drafts, which the chat page keeps: not for who uses this browser next.
    response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"storage\""));
    Ok(response)
}

#[derive(Default, Template)]
#[template(path = "signup.html")]
struct SignUpPage {
    csrf_token: String,
    next: String,
    email: String,
    first_name: String,
    last_name: String,
    email_errors: Vec<String>,
    password_errors: Vec<String>,
    first_name_errors: Vec<String>,
    last_name_errors: Vec<String>,
}

impl SignUpPage {
    /// The same form, with what is wrong with it.
    fn refused(self, invalid: &Invalid) -> Self {
        let of = |field| invalid.of(field).to_vec();
        Self {
            email_errors: of("email"),
            password_errors: of("password"),
            first_name_errors: of("first_name"),
            last_name_errors: of("last_name"),
            ..self
        }
    }
}

async fn show_sign_up(parameters: Parameters, headers: HeaderMap) -> Response {
    let csrf_token = csrf::token_for(&headers);
    let next = parameters.next().unwrap_or_default();
    let page = SignUpPage { csrf_token: csrf_token.clone(), next, ..SignUpPage::default() };
    with_csrf_cookie(Page(page).into_response(), &csrf_token)
}

async fn sign_up(
    State(app): State<App>,
    Browser(browser): Browser,
    origin: Origin,
    headers: HeaderMap,
    Data(data): Data,
) -> Result<Response> {
    let text = |name: &str| data.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    let next = text("next");
    accounts::count_attempt(&app, "sign-up", origin.address)?;
    let signed_up = async { accounts::sign_up(&app, routes::sign_up_from(&data)?, origin.address).await }.await;
    match signed_up {
        Ok(user) => enter(&app, browser, &user, &origin, &next).await,
        Err(Error::Invalid(invalid)) => {
            let page = SignUpPage {
                csrf_token: csrf::token_for(&headers),
                next,
                email: text("email"),
                first_name: text("first_name"),
                last_name: text("last_name"),
                ..SignUpPage::default()
            };
            Ok(Page(page.refused(&invalid)).into_response())
        }
        Err(error) => Err(error),
    }
}
