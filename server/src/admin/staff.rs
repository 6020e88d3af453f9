//! Who may come in.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::audit::Actor;
use super::door::LOGIN;
use crate::accounts::User;
use crate::app::App;
use crate::http::current_user::Browser;
use crate::http::page::to_login;
use crate::http::peer::ClientAddress;

/// Somebody of the staff, in a browser. Anybody else is sent to the login page, from wherever on the admin site.
pub struct Staff {
    pub user: User,
    pub address: IpAddr,
}

impl Staff {
    /// As whom they are recorded.
    pub fn actor(&self) -> Actor {
        Actor::staff(&self.user, self.address)
    }
}

impl FromRequestParts<App> for Staff {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let Browser(browser) = Browser::from_request_parts(parts, app).await.map_err(IntoResponse::into_response)?;
        let Ok(ClientAddress(address)) = ClientAddress::from_request_parts(parts, app).await;
        match browser.map(|browser| browser.user).filter(|user| user.is_staff) {
            Some(user) => Ok(Self { user, address }),
            // Whoever is logged in without being staff stays so elsewhere.
            None => Err(to_login(app, &HeaderMap::new(), LOGIN, &parts.uri)),
        }
    }
}
