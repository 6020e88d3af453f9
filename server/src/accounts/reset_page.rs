//! The pages for people who have forgotten their password.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum_extra::extract::WithRejection;
use serde_json::{Map, Value};

use super::reset_links::Delivery;
use super::routes::{PASSWORD, email_from};
use crate::accounts;
use crate::app::App;
use crate::error::{Error, Invalid, Result};
use crate::http::csrf;
use crate::http::data::Data;
use crate::http::fields::Fields;
use crate::http::language::filters;
use crate::http::page::{Page, keep_to_itself, redirect, with_csrf_cookie};
use crate::http::peer::ClientAddress;

const ASK: &str = "/password-reset/";
const SENT: &str = "/password-reset/sent/";
const DONE: &str = "/password-reset/done/";

pub fn routes() -> Router<App> {
    let choosing = get(show_choice).post(choose).layer(map_response(keep_to_itself));
    Router::new()
        .route("/password-reset", get(add_slash))
        .route(ASK, get(show_question).post(ask))
        .route(SENT, get(show_sent))
        .route(DONE, get(show_done))
        .route("/password-reset/{key}/", choosing)
}

async fn add_slash() -> Response {
    redirect(ASK)
}

#[derive(Default, Template)]
#[template(path = "reset_ask.html")]
struct AskPage {
    csrf_token: String,
    email: String,
    invalid: Invalid,
}

#[derive(Template)]
#[template(path = "reset_choose.html")]
struct ChoicePage {
    csrf_token: String,
    key: String,
    email: String,
    invalid: Invalid,
}

/// A page that tells something, and leads on.
#[derive(Template)]
#[template(path = "told.html")]
struct Told {
    heading: &'static str,
    sentences: [&'static str; 2],
    way_on: &'static str,
    way_on_is_called: &'static str,
}

async fn show_question(headers: HeaderMap) -> Response {
    let csrf_token = csrf::token_for(&headers);
    let page = AskPage { csrf_token: csrf_token.clone(), ..AskPage::default() };
    with_csrf_cookie(Page(page).into_response(), &csrf_token)
}

async fn ask(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Data(data): Data,
) -> Result<Response> {
    match email_from(&data) {
        Ok(email) => {
            accounts::count_attempt(&app, "reset", address)?;
            accounts::ask_for_reset(&app, email)?;
            Ok(redirect(SENT))
        }
        Err(Error::Invalid(invalid)) => {
            let email = data.get("email").and_then(|value| value.as_str()).unwrap_or_default().to_owned();
            Ok(Page(AskPage { csrf_token: csrf::token_for(&headers), email, invalid }).into_response())
        }
        Err(error) => Err(error),
    }
}

/// The same for everybody: whether there is such an account is not told.
async fn show_sent(State(app): State<App>) -> impl IntoResponse {
    let how = match Delivery::of(&app.config) {
        Delivery::Log => "This server sends no mail yet. Whoever runs it finds the link in its log.",
        Delivery::Nowhere => "This server sends no mail yet. Ask whoever runs it for a new password.",
    };
    Page(Told {
        heading: "Look for the link",
        sentences: [
            "If there is an account with this e-mail address, a link to choose a new password was asked for. It works \
             once, within an hour.",
            how,
        ],
        way_on: "/login/",
        way_on_is_called: "Back to sign in",
    })
}

async fn show_done() -> impl IntoResponse {
    Page(Told {
        heading: "Your password is changed",
        sentences: ["You are signed out everywhere.", "Sign in with your new password from now on."],
        way_on: "/login/",
        way_on_is_called: "Sign in",
    })
}

fn show_void() -> Response {
    let told = Told {
        heading: "This link does not work any more",
        sentences: ["A link works once, within an hour, and only the newest one does.", "You can ask for another."],
        way_on: ASK,
        way_on_is_called: "Ask for a new link",
    };
    (StatusCode::NOT_FOUND, Page(told)).into_response()
}

async fn show_choice(
    State(app): State<App>,
    WithRejection(Path(key), _): WithRejection<Path<String>, Error>,
    headers: HeaderMap,
) -> Result<Response> {
    let Some(user) = accounts::user_of_reset(&app, &key).await? else {
        return Ok(show_void());
    };
    let csrf_token = csrf::token_for(&headers);
    let page = ChoicePage { csrf_token: csrf_token.clone(), key, email: user.email, invalid: Invalid::default() };
    Ok(with_csrf_cookie(Page(page).into_response(), &csrf_token))
}

async fn choose(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    WithRejection(Path(key), _): WithRejection<Path<String>, Error>,
    headers: HeaderMap,
    Data(data): Data,
) -> Result<Response> {
    accounts::count_attempt(&app, "reset", address)?;
    let Some(user) = accounts::user_of_reset(&app, &key).await? else {
        return Ok(show_void());
    };
    let reset = async { accounts::reset_password(&app, &key, password_from(&data)?).await }.await;
    match reset {
        Ok(()) => Ok(redirect(DONE)),
        Err(Error::NotFound) => Ok(show_void()),
        Err(Error::Invalid(invalid)) => {
            let page = ChoicePage { csrf_token: csrf::token_for(&headers), key, email: user.email, invalid };
            Ok(Page(page).into_response())
        }
        Err(error) => Err(error),
    }
}

fn password_from(data: &Map<String, Value>) -> Result<String> {
    let mut fields = Fields::of(data);
    let password = fields.required("password", PASSWORD);
    fields.finish()?;
    Ok(password)
}
