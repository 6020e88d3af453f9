//! The page on which people change their own account.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Map, Value};

use super::routes::{NAME, PASSWORD};
use super::{Origin, ProfileChange, User, login};
use crate::accounts;
use crate::app::App;
use crate::error::{Error, Invalid, Result};
use crate::http::bar::Bar;
use crate::http::csrf;
use crate::http::current_user::Member;
use crate::http::data::Data;
use crate::http::fields::{Fields, Text};
use crate::http::language::filters;
use crate::http::page::{Page, redirect, with_csrf_cookie};
use crate::http::parameters::Parameters;
use crate::http::peer::ClientAddress;

pub const HOME: &str = "/account/";
const CURRENT_PASSWORD: Text = Text::up_to(usize::MAX);

pub fn routes() -> Router<App> {
    Router::new()
        .route("/account", get(go_home))
        .route(HOME, get(show))
        .route("/account/profile/", get(go_home).post(change_names))
        .route("/account/email/", get(go_home).post(change_email))
        .route("/account/password/", get(go_home).post(change_password))
}

/// For whoever reloads a form that was refused, or leaves out the slash.
async fn go_home() -> Response {
    redirect(HOME)
}

/// What was done by a form that led here. The address names it, so that the text cannot be another's.
#[derive(Clone, Copy)]
enum Done {
    Names,
    Email,
    Password,
}

impl Done {
    const ALL: [Self; 3] = [Self::Names, Self::Email, Self::Password];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|done| done.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Names => "profile",
            Self::Email => "email",
            Self::Password => "password",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Names => "Your name is saved.",
            Self::Email => "Your e-mail address is changed. Sign in with it from now on.",
            Self::Password => "Your password is changed, and your other browsers are signed out.",
        }
    }

    fn address(self) -> String {
        format!("{HOME}?done={}", self.name())
    }
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    bar: Bar,
    done: Option<&'static str>,
    first_name: String,
    last_name: String,
    email: String,
    /// What is wrong, by form.
    invalid_names: Invalid,
    invalid_email: Invalid,
    invalid_password: Invalid,
}

impl AccountPage {
    fn of(user: User, headers: &HeaderMap) -> Self {
        Self {
            bar: Bar::of(&user, HOME, csrf::token_for(headers)),
            done: None,
            first_name: user.first_name,
            last_name: user.last_name,
            email: user.email,
            invalid_names: Invalid::default(),
            invalid_email: Invalid::default(),
            invalid_password: Invalid::default(),
        }
    }
}

async fn show(member: Member, parameters: Parameters, headers: HeaderMap) -> Response {
    let done = parameters.get("done").and_then(Done::named).map(Done::sentence);
    let page = AccountPage { done, ..AccountPage::of(member.user, &headers) };
    let csrf_token = page.bar.csrf_token.clone();
    with_csrf_cookie(Page(page).into_response(), &csrf_token)
}

async fn change_names(
    State(app): State<App>,
    member: Member,
    headers: HeaderMap,
    Data(data): Data,
) -> Result<Response> {
    let changed = async { accounts::change_profile(&app, member.user.clone(), names_from(&data)?).await }.await;
    answer(changed, Done::Names, |invalid_names| AccountPage {
        first_name: text(&data, "first_name"),
        last_name: text(&data, "last_name"),
        invalid_names,
        ..AccountPage::of(member.user, &headers)
    })
}

fn names_from(data: &Map<String, Value>) -> Result<ProfileChange> {
    let mut fields = Fields::of(data);
    let (first_name, last_name) = (fields.optional("first_name", NAME), fields.optional("last_name", NAME));
    fields.finish()?;
    Ok(ProfileChange { first_name, last_name, ..ProfileChange::default() })
}

async fn change_email(
    State(app): State<App>,
    member: Member,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Data(data): Data,
) -> Result<Response> {
    accounts::count_attempt(&app, "password", address)?;
    let changed = async {
        let (password, change) = email_from(&data)?;
        accounts::change_credentials(&app, member.user.clone(), password, change).await
    }
    .await;
    answer(changed, Done::Email, |invalid_email| AccountPage {
        email: text(&data, "email"),
        invalid_email,
        ..AccountPage::of(member.user, &headers)
    })
}

fn email_from(data: &Map<String, Value>) -> Result<(String, ProfileChange)> {
    let mut fields = Fields::of(data);
    let email = fields.required_email("email");
    let current_password = fields.required("current_password", CURRENT_PASSWORD);
    fields.finish()?;
    Ok((current_password, ProfileChange { email, ..ProfileChange::default() }))
}

/// All browsers are logged out, and this one in again.
async fn change_password(
    State(app): State<App>,
    member: Member,
    origin: Origin,
    headers: HeaderMap,
    Data(data): Data,
) -> Result<Response> {
    accounts::count_attempt(&app, "password", origin.address)?;
    let changed = async {
        let (current, change) = password_from(&data)?;
        accounts::change_credentials(&app, member.user.clone(), current, change).await
    }
    .await;
    match changed {
        Ok(user) => login::enter(&app, None, &user, &origin, &Done::Password.address()).await,
        Err(error) => {
            refuse(error, |invalid_password| AccountPage { invalid_password, ..AccountPage::of(member.user, &headers) })
        }
    }
}

fn password_from(data: &Map<String, Value>) -> Result<(String, ProfileChange)> {
    let mut fields = Fields::of(data);
    let current_password = fields.required("current_password", CURRENT_PASSWORD);
    let password = Some(fields.required("password", PASSWORD));
    fields.finish()?;
    Ok((current_password, ProfileChange { password, ..ProfileChange::default() }))
}

/// Leads back to the page that says what was done, or shows the form again.
fn answer(changed: Result<User>, done: Done, page: impl FnOnce(Invalid) -> AccountPage) -> Result<Response> {
    match changed {
        Ok(_) => Ok(redirect(&done.address())),
        Err(error) => refuse(error, page),
    }
}

/// The page again, with what is wrong; any other failure is not about the form.
fn refuse(error: Error, page: impl FnOnce(Invalid) -> AccountPage) -> Result<Response> {
    match error {
        Error::Invalid(invalid) => Ok(Page(page(invalid)).into_response()),
        error => Err(error),
    }
}

/// A field as it was sent, to show it again.
fn text(data: &Map<String, Value>, name: &str) -> String {
    data.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
