//! Somebody with an account and a token.

use natter::accounts::UserId;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::app::TestApp;

pub const PASSWORD: &str = "qwerty";

#[derive(Clone, Debug)]
pub struct Person {
    pub id: UserId,
    pub email: String,
    pub token: String,
}

impl Person {
    /// Signs `<name>@ref.example` up and in, over the API.
    pub async fn join(app: &TestApp, name: &str) -> Self {
        let email = format!("{name}@ref.example");
        let account = json!({ "email": email, "password": PASSWORD });
        let response = app.post("/api/users/").json(&account).send().await.unwrap();
        assert_eq!(response.status(), 201);
        Self::sign_in(app, &email).await
    }

    /// A new token for an account that is there.
    pub async fn sign_in(app: &TestApp, email: &str) -> Self {
        let credentials = json!({ "username": email, "password": PASSWORD });
        let response = app.post("/api/auth/signin/").json(&credentials).send().await.unwrap();
        assert_eq!(response.status(), 201);
        let token = response.headers()["x-token"].to_str().unwrap().to_owned();
        let record: Value = response.json().await.unwrap();
        Self { id: UserId(record["id"].as_i64().unwrap()), email: email.to_owned(), token }
    }

    /// Gives the token back.
    pub async fn log_out(&self, app: &TestApp) {
        let answer = self.request(app, Method::DELETE, "/api/auth/logout/").send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }

    /// A request with this person's token.
    pub fn request(&self, app: &TestApp, method: Method, path: &str) -> RequestBuilder {
        app.request(method, path).header("Authorization", format!("Token {}", self.token))
    }

    pub fn post(&self, app: &TestApp, path: &str) -> RequestBuilder {
        self.request(app, Method::POST, path)
    }

    pub fn get(&self, app: &TestApp, path: &str) -> RequestBuilder {
        self.request(app, Method::GET, path)
    }

    /// All lines of the first conversation, oldest first.
    pub async fn history(&self, app: &TestApp) -> Vec<Value> {
        let (mut lines, mut path) = (Vec::new(), "/api/messages/?after=0&limit=500".to_owned());
        loop {
            let page: Value = self.get(app, &path).send().await.unwrap().json().await.unwrap();
            let results = page["results"].as_array().unwrap();
            lines.extend(results.iter().rev().map(|message| message["message"].clone()));
            let Some(newer) = page["previous"].as_str() else { return lines };
            newer[newer.find("/api/").unwrap()..].clone_into(&mut path);
        }
    }
}
