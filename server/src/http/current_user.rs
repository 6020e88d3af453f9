//! Who is asking: by a browser's session, else by a token.

use axum::extract::FromRequestParts;
use axum::http::{HeaderMap, header, request::Parts};
use axum::response::{IntoResponse, Response};

use super::page::to_login;
use super::{cookies, csrf};
use crate::accounts::{self, Session, TokenId, User};
use crate::app::App;
use crate::error::{Error, Result};

/// Somebody who has shown who they are.
pub struct CurrentUser {
    pub user: User,
    pub credential: Credential,
}

/// What a caller has shown.
pub enum Credential {
    Session { session: Session, key: String },
    Token { id: TokenId, key: String },
}

impl FromRequestParts<App> for CurrentUser {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        MaybeUser::from_request_parts(parts, app).await?.0.ok_or(Error::NotAuthenticated)
    }
}

/// For what anybody may do. Bad credentials are refused all the same, as in the original.
pub struct MaybeUser(pub Option<CurrentUser>);

impl FromRequestParts<App> for MaybeUser {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        match by_guarded_session(parts, app).await? {
            Some(user) => Ok(Self(Some(user))),
            None => Ok(Self(by_token(&parts.headers, app).await?)),
        }
    }
}

/// For sign-in: a browser's session is checked against forgery, and a stale token is none of its business.
pub struct SessionOnly(pub Option<CurrentUser>);

impl FromRequestParts<App> for SessionOnly {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        Ok(Self(by_guarded_session(parts, app).await?))
    }
}

/// For pages, where a middleware has checked against forgery and a token does not count.
pub struct Browser(pub Option<CurrentUser>);

impl FromRequestParts<App> for Browser {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        Ok(Self(by_session(parts, app).await?))
    }
}

/// For pages of somebody who is logged in; anybody else is sent to the login page, and from there back.
pub struct Member {
    pub user: User,
    pub session: Session,
}

impl FromRequestParts<App> for Member {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        match by_session(parts, app).await.map_err(IntoResponse::into_response)? {
            Some(CurrentUser { user, credential: Credential::Session { session, .. } }) => Ok(Self { user, session }),
            _ => Err(to_login(&parts.headers, "/login/", &parts.uri)),
        }
    }
}

/// Whoever changes something by a session must show that its own page wants it.
async fn by_guarded_session(parts: &Parts, app: &App) -> Result<Option<CurrentUser>> {
    let user = by_session(parts, app).await?;
    if user.is_some() && !parts.method.is_safe() {
        csrf::check_request(app, parts)?;
    }
    Ok(user)
}

async fn by_session(parts: &Parts, app: &App) -> Result<Option<CurrentUser>> {
    let Some(key) = cookies::get(&parts.headers, cookies::SESSION) else {
        return Ok(None);
    };
    let found = accounts::user_of_session(app, &key).await?;
    Ok(found.map(|(session, user)| CurrentUser { user, credential: Credential::Session { session, key } }))
}

async fn by_token(headers: &HeaderMap, app: &App) -> Result<Option<CurrentUser>> {
    let Some(key) = token_in(headers)? else { return Ok(None) };
    let (token, user) = accounts::user_of_token(app, &key).await?;
    Ok(Some(CurrentUser { user, credential: Credential::Token { id: token.id, key } }))
}

/// The key of an `Authorization: Token …` header; other schemes are somebody else's.
fn token_in(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let mut words = value.as_bytes().split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    if !words.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"token")) {
        return Ok(None);
    }
    let refuse = |message| Err(Error::BadCredentials(message));
    match (words.next(), words.next()) {
        (None, _) => refuse("Invalid token header. No credentials provided."),
        (Some(_), Some(_)) => refuse("Invalid token header. Token string should not contain spaces."),
        (Some(key), None) => match std::str::from_utf8(key) {
            Ok(key) if key.is_ascii() => Ok(Some(key.to_owned())),
            _ => refuse("Invalid token header. Token string should not contain invalid characters."),
        },
    }
}
