//! A browser: it keeps cookies, fills in forms, and follows no redirect by itself.

use std::sync::Arc;

use reqwest::cookie::{CookieStore, Jar};
use reqwest::header::{self, HeaderMap, HeaderName};
use reqwest::{Client, Method, RequestBuilder, Url, redirect};

use super::answer::{Answer, Ask};
use super::app::TestApp;
use super::person::PASSWORD;

/// A form's fields, by name.
pub type Fields<'a> = [(&'a str, &'a str)];

pub struct Browser {
    site: Url,
    jar: Arc<Jar>,
    http: Client,
}

impl Browser {
    /// A browser that has been nowhere yet.
    pub fn open(app: &TestApp) -> Self {
        Self::called(app, "")
    }

    /// The same with a name for itself.
    pub fn called(app: &TestApp, user_agent: &str) -> Self {
        Self::with(app, header::USER_AGENT, user_agent)
    }

    /// One whose owner reads these languages.
    pub fn reading(app: &TestApp, languages: &str) -> Self {
        Self::with(app, header::ACCEPT_LANGUAGE, languages)
    }

    fn with(app: &TestApp, name: HeaderName, value: &str) -> Self {
        let jar = Arc::new(Jar::default());
        let http = Client::builder().redirect(redirect::Policy::none()).no_proxy().cookie_provider(jar.clone());
        let http = http.default_headers(HeaderMap::from_iter([(name, value.parse().unwrap())])).build().unwrap();
        Self { site: app.url("/").parse().unwrap(), jar, http }
    }

    /// A browser in which the owner of `email` has logged in.
    pub async fn logged_in(app: &TestApp, email: &str) -> Self {
        let browser = Self::open(app);
        let answer = browser.log_in(email, PASSWORD).await;
        assert_eq!(answer.status, 302, "{answer:?}");
        browser
    }

    /// Opens the login page and sends its form.
    pub async fn log_in(&self, email: &str, password: &str) -> Answer {
        self.get("/login/").answer().await;
        self.submit("/login", &[("username", email), ("password", password)]).await
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// A request as a page of another site can make it: with cookies, without the token against forgery.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.site.join(path).unwrap())
    }

    /// A request as a script of ours makes it: with the token against forgery in a header.
    pub fn signed(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).header("X-CSRFToken", self.csrf_token())
    }

    /// Sends a form as a page of ours does: with the token against forgery in a hidden field.
    pub async fn submit(&self, path: &str, fields: &Fields<'_>) -> Answer {
        let token = self.csrf_token();
        let form: Vec<_> =
            [("csrfmiddlewaretoken", token.as_str())].into_iter().chain(fields.iter().copied()).collect();
        self.request(Method::POST, path).form(&form).answer().await
    }

    pub fn csrf_token(&self) -> String {
        self.cookie("csrftoken").unwrap_or_default()
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.jar.cookies(&self.site)?;
        let mut pairs = cookies.to_str().unwrap().split("; ").filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    }

    /// Puts a cookie into the browser, as somebody with a moment at the machine could.
    pub fn plant(&self, cookie: &str) {
        self.jar.add_cookie_str(cookie, &self.site);
    }
}

/// The address of a form that leads on to `next`.
pub fn leading_to(path: &str, next: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    format!("{path}?{query}")
}
