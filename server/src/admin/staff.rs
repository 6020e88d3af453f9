//! Who may come in.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};

use super::audit::Actor;
use super::door::{HOME, LOGIN};
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
            None => Err(to_login(&HeaderMap::new(), LOGIN, &way_back(&parts.method, &parts.uri))),
        }
    }
}

/// Where whoever had to sign in goes on. What a form was sent to cannot be opened: its section can.
fn way_back(method: &Method, uri: &Uri) -> Uri {
    if method.is_safe() {
        return uri.clone();
    }
    let section = uri.path().split_inclusive('/').take(3).collect::<String>();
    section.parse().unwrap_or_else(|_| Uri::from_static(HOME))
}

#[cfg(test)]
mod tests {
    use axum::http::{Method, Uri};

    use super::way_back;

    #[test]
    fn forms_lead_back_to_their_section() {
        let uri = Uri::from_static("/admin/users/5/password/?x=1");
        assert_eq!(way_back(&Method::POST, &uri), "/admin/users/");
        assert_eq!(way_back(&Method::GET, &uri), uri);
        assert_eq!(way_back(&Method::POST, &Uri::from_static("/admin/")), "/admin/");
    }
}
