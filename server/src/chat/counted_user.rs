//! Who changes something over REST.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::accounts::User;
use crate::app::App;
use crate::chat;
use crate::error::{Error, Result};
use crate::http::current_user::CurrentUser;

/// Somebody whose request has been counted as an event, before anything else of it is looked at.
pub struct CountedUser {
    pub user: User,
}

impl FromRequestParts<App> for CountedUser {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let CurrentUser { user, .. } = CurrentUser::from_request_parts(parts, app).await?;
        chat::count_event(app, user.id)?;
        Ok(Self { user })
    }
}
