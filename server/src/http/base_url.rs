//! Under which address a client has reached this server.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::{Extensions, HeaderMap, HeaderName, header, request::Parts, uri::Authority};
use serde::{Deserialize, Serialize};
use url::{Origin, Url};

use super::peer::{Peer, last_said};
use crate::app::App;

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Scheme and authority under which the client knows this server: those of the public URL, else what a trusted proxy says,
/// else the `Host`.
pub struct BaseUrl {
    /// For the links that answers contain; without a trailing slash.
    pub url: String,
    /// Where nobody says it, the scheme is taken for http, though a proxy that is not trusted may have ended TLS.
    is_scheme_known: bool,
}

impl BaseUrl {
    pub fn of(app: &App, extensions: &Extensions, headers: &HeaderMap) -> Self {
        if !app.config.public_url.is_empty() {
            return Self { url: app.public_url.clone(), is_scheme_known: true };
        }
        let is_behind_proxy = extensions.get::<Peer>().is_some_and(|peer| peer.is_behind_proxy);
        let kind = app.config.http.proxy_headers;
        let said = |name, pair| is_behind_proxy.then(|| last_said(kind, headers, name, pair)).flatten();
        let scheme = said(X_FORWARDED_PROTO, "proto").map(str::to_ascii_lowercase);
        let scheme = scheme.filter(|scheme| matches!(scheme.as_str(), "http" | "https"));
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let authority = said(X_FORWARDED_HOST, "host").or(host).and_then(|host| host.parse::<Authority>().ok());
        let is_scheme_known = scheme.is_some();
        let url = match authority {
            Some(authority) => format!("{}://{authority}", scheme.as_deref().unwrap_or("http")),
            None => app.public_url.clone(),
        };
        Self { url, is_scheme_known }
    }

    pub fn is_https(&self) -> bool {
        self.url.starts_with("https:")
    }

    /// Whether what has this URL comes from here.
    pub fn has(&self, other: &Url) -> bool {
        let Ok(mut own) = Url::parse(&self.url) else { return false };
        if !self.is_scheme_known && own.set_scheme(other.scheme()).is_err() {
            return false;
        }
        own.origin() == other.origin()
    }
}

impl FromRequestParts<App> for BaseUrl {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self::of(app, &parts.extensions, &parts.headers))
    }
}

/// Origins whose pages may do what this server's own may.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct AllowedOrigins(Vec<Origin>);

impl AllowedOrigins {
    pub fn allow(&self, url: &Url) -> bool {
        self.0.contains(&url.origin())
    }
}

impl TryFrom<String> for AllowedOrigins {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        let parse = |text: &str| match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.path() == "/" => Ok(url.origin()),
            _ => Err(format!("{text} is no origin like https://chat.example")),
        };
        origins.map(parse).collect::<Result<_, _>>().map(Self)
    }
}

impl From<AllowedOrigins> for String {
    fn from(AllowedOrigins(origins): AllowedOrigins) -> Self {
        origins.iter().map(Origin::ascii_serialization).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{AllowedOrigins, BaseUrl};

    fn has(own: &str, is_scheme_known: bool, other: &str) -> bool {
        BaseUrl { url: own.to_owned(), is_scheme_known }.has(&Url::parse(other).expect("a URL"))
    }

    #[test]
    fn what_comes_from_here_has_the_same_scheme_host_and_port() {
        for own in ["https://chat.example", "https://CHAT.example:443/x?y"] {
            assert!(has("https://chat.example", true, own), "{own}");
        }
        for other in ["http://chat.example", "https://chat.example:8443", "https://x.chat.example", "data:,x"] {
            assert!(!has("https://chat.example", true, other), "{other}");
        }
    }

    #[test]
    fn a_scheme_that_nobody_has_said_does_not_count() {
        assert!(has("http://chat.example", false, "https://chat.example"));
        assert!(has("http://127.0.0.1:3000", false, "http://127.0.0.1:3000"));
        for other in ["https://elsewhere.example", "https://chat.example:8443", "file:///chat.example"] {
            assert!(!has("http://chat.example", false, other), "{other}");
        }
    }

    #[test]
    fn what_is_no_origin_is_named() {
        for wrong in ["chat.example", "https://chat.example/path", "null", "file:///x"] {
            let error = AllowedOrigins::try_from(format!("https://one.example, {wrong}")).expect_err("no origin");
            assert!(error.starts_with(wrong), "{error}");
        }
        let both = AllowedOrigins::try_from(" https://One.example:443/,http://two.example:81".to_owned());
        assert_eq!(String::from(both.expect("two origins")), "https://one.example, http://two.example:81");
    }
}
