//! The API's accounts: `/api/users/` and `/api/auth/`.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use axum_extra::extract::WithRejection;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Email, MAX_PASSWORD_CHARACTERS, Origin, ProfileChange, SignUp, User, UserId};
use crate::accounts;
use crate::accounts::email::MALFORMED;
use crate::app::App;
use crate::error::{Error, NON_FIELD_ERRORS, Result};
use crate::http::api::{self, X_TOKEN};
use crate::http::cookies;
use crate::http::current_user::{Credential, CurrentUser, MaybeUser, SessionOnly};
use crate::http::data::Data;
use crate::http::fields::{Fields, Text};
use crate::http::peer::ClientAddress;

pub const NAME: Text = Text::up_to(30).or_blank();
pub const PASSWORD: Text = Text::up_to(MAX_PASSWORD_CHARACTERS);

pub fn routes() -> Router<App> {
    let user = || get(show).put(change).patch(change);
    Router::new()
        .merge(api::resource("/api/users/", "POST, OPTIONS", post(sign_up)))
        .merge(api::resource("/api/users/{id}/", "GET, PUT, PATCH, HEAD, OPTIONS", user()))
        .merge(api::open_resource("/api/users/reset-password/", "POST, OPTIONS", post(reset_password)))
        .merge(api::open_resource("/api/auth/signin/", "POST, OPTIONS", post(sign_in)))
        .merge(api::resource("/api/auth/token/", "GET, HEAD, OPTIONS", get(show_token)))
        .merge(api::resource("/api/auth/logout/", "DELETE, OPTIONS", delete(log_out)))
}

/// A user as the API shows them.
#[derive(Serialize)]
pub struct UserRecord {
    id: UserId,
    email: String,
    first_name: String,
    last_name: String,
}

impl From<User> for UserRecord {
    fn from(user: User) -> Self {
        let User { id, email, first_name, last_name, .. } = user;
        Self { id, email, first_name, last_name }
    }
}

async fn sign_up(
    State(app): State<App>,
    _: MaybeUser,
    ClientAddress(address): ClientAddress,
    Data(data): Data,
) -> Result<Response> {
    let new = sign_up_from(&data)?;
    accounts::count_attempt(&app, "sign-up", address)?;
    accounts::sign_up(&app, new, address).await?;
    Ok(api::empty(StatusCode::CREATED))
}

/// What a form or a client sends to sign up.
pub fn sign_up_from(data: &Map<String, Value>) -> Result<SignUp> {
    let mut fields = Fields::of(data);
    let email = fields.required_email("email");
    let password = fields.required("password", PASSWORD);
    let first_name = fields.optional("first_name", NAME).unwrap_or_default();
    let last_name = fields.optional("last_name", NAME).unwrap_or_default();
    fields.finish()?;
    // Without one, there was something to refuse.
    let email = email.ok_or_else(|| Error::invalid("email", MALFORMED))?;
    Ok(SignUp { email, password, first_name, last_name })
}

async fn show(
    State(app): State<App>,
    caller: CurrentUser,
    WithRejection(Path(id), _): WithRejection<Path<String>, Error>,
) -> Result<Json<UserRecord>> {
    Ok(Json(addressed(&app, caller.user, &id).await?.into()))
}

async fn change(
    State(app): State<App>,
    caller: CurrentUser,
    ClientAddress(address): ClientAddress,
    WithRejection(Path(id), _): WithRejection<Path<String>, Error>,
    Data(data): Data,
) -> Result<Json<UserRecord>> {
    let caller_id = caller.user.id;
    let user = addressed(&app, caller.user, &id).await?;
    if user.id != caller_id {
        return Err(Error::PermissionDenied);
    }
    let change = profile_change_from(&data)?;
    if change.password.is_some() {
        accounts::count_attempt(&app, "password", address)?;
    }
    Ok(Json(accounts::change_profile(&app, user, change).await?.into()))
}

/// The user that a path names: `me`, or an id.
async fn addressed(app: &App, caller: User, id: &str) -> Result<User> {
    if id == "me" {
        return Ok(caller);
    }
    let number = id.parse().ok().filter(|_| id.bytes().all(|byte| byte.is_ascii_digit()));
    accounts::find_user(app, UserId(number.ok_or(Error::NotFound)?)).await
}

/// What a form or a client sends to change an account.
pub fn profile_change_from(data: &Map<String, Value>) -> Result<ProfileChange> {
    let mut fields = Fields::of(data);
    let change = ProfileChange {
        email: fields.optional_email("email"),
        password: fields.optional("password", PASSWORD),
        first_name: fields.optional("first_name", NAME),
        last_name: fields.optional("last_name", NAME),
    };
    fields.finish()?;
    Ok(change)
}

/// Answers alike for known and unknown addresses, so that nobody learns who has an account.
async fn reset_password(
    State(app): State<App>,
    _: MaybeUser,
    ClientAddress(address): ClientAddress,
    Data(data): Data,
) -> Result<Response> {
    let email = email_from(&data)?;
    accounts::count_attempt(&app, "reset", address)?;
    accounts::ask_for_reset(&app, email)?;
    Ok(api::empty(StatusCode::OK))
}

/// Whose password a form or a client asks for.
pub fn email_from(data: &Map<String, Value>) -> Result<Email> {
    let mut fields = Fields::of(data);
    let email = fields.required_email("email");
    fields.finish()?;
    email.ok_or_else(|| Error::invalid("email", MALFORMED))
}

async fn sign_in(
    State(app): State<App>,
    SessionOnly(browser): SessionOnly,
    origin: Origin,
    Data(data): Data,
) -> Result<Response> {
    let mut fields = Fields::of(&data);
    let username = fields.required("username", Text::up_to(usize::MAX));
    let password = fields.required("password", Text::up_to(usize::MAX));
    fields.finish()?;
    accounts::count_attempt(&app, "sign-in", origin.address)?;
    let user = accounts::authenticate(&app, &username, password, origin.address).await?;
    let user = user.ok_or_else(|| Error::invalid(NON_FIELD_ERRORS, "Invalid username or password."))?;
    let key = accounts::issue_token(&app, &user, &origin).await?;

    let mut headers = HeaderMap::new();
    headers.insert(X_TOKEN, HeaderValue::from_str(&key).map_err(|error| Error::Internal(error.into()))?);
    cookies::set_session(&app, &mut headers, &session_key(browser));
    Ok((StatusCode::CREATED, headers, Json(UserRecord::from(user))).into_response())
}

/// The original answers with the cookie of a session that is not logged in. Ours is a name without a session, so that
/// it means the same and nothing has to be kept; a browser that is logged in keeps its own.
fn session_key(browser: Option<CurrentUser>) -> String {
    match browser.map(|browser| browser.credential) {
        Some(Credential::Session { key, .. }) => key,
        _ => crate::random::alphanumeric::<32>(),
    }
}

#[derive(Serialize)]
struct TokenRecord {
    #[serde(rename = "X-Token")]
    key: String,
}

async fn show_token(State(app): State<App>, caller: CurrentUser) -> Result<Json<TokenRecord>> {
    let key = match caller.credential {
        Credential::Token { key, .. } => key,
        Credential::Session { session, key } => accounts::token_of_session(&app, &session, &key).await?,
    };
    Ok(Json(TokenRecord { key }))
}

async fn log_out(State(app): State<App>, caller: CurrentUser) -> Result<Response> {
    let mut response = api::empty(StatusCode::NO_CONTENT);
    match caller.credential {
        Credential::Token { id, .. } => accounts::revoke_token(&app, id).await?,
        Credential::Session { session, .. } => {
            accounts::close_session(&app, &session).await?;
            cookies::delete_session(response.headers_mut());
        }
    }
    Ok(response)
}
