//! Django's four rules for passwords, where they are switched on.

use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start_with};
use crate::support::browser::Browser;
use crate::support::command::natter;

const TOO_SHORT: &str = "This password is too short. It must contain at least 8 characters.";
const TOO_COMMON: &str = "This password is too common.";
const ALL_DIGITS: &str = "This password is entirely numeric.";
const SETTING: (&str, &str) = ("NATTER_ACCOUNTS__PASSWORD_VALIDATORS", "true");

async fn start(storage: Storage) -> TestApp {
    start_with(storage, &[SETTING]).await
}

#[rstest]
#[tokio::test]
async fn all_complaints_come_at_once_and_in_order(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let cases: [(&str, &[&str]); 6] = [
        ("qwerty", &[TOO_SHORT, TOO_COMMON]),
        ("xqzvk", &[TOO_SHORT]),
        ("password", &[TOO_COMMON]),
        ("PassWord", &[TOO_COMMON]),
        ("8402759136", &[ALL_DIGITS]),
        ("123456", &[TOO_SHORT, TOO_COMMON, ALL_DIGITS]),
    ];
    for (password, messages) in cases {
        let account = json!({ "email": "a@ref.example", "password": password });
        let answer = app.post("/api/users/").json(&account).answer().await;
        assert_eq!(answer.said_json(), (400, json!({ "password": messages })), "{password}");
    }
    let account = json!({ "email": "a@ref.example", "password": "tree-lamp-42" });
    assert_eq!(app.post("/api/users/").json(&account).answer().await.said(), (201, ""));
}

#[rstest]
#[tokio::test]
async fn a_password_is_compared_with_its_owner_once_there_is_one(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (email, password) = ("somebody@ref.example", "somebody@ref.example");
    let account = json!({ "email": email, "password": password, "first_name": "Maximilian" });
    assert_eq!(app.post("/api/users/").json(&account).answer().await.said(), (201, ""));
    let credentials = json!({ "username": email, "password": password });
    let answer = app.post("/api/auth/signin/").json(&credentials).answer().await;
    let token = answer.header("x-token").unwrap();

    for (password, field) in [(email, "username"), ("somebody1", "username"), ("maximilian7", "first name")] {
        let request = app.request(Method::PATCH, "/api/users/me/").header("Authorization", format!("Token {token}"));
        let answer = request.json(&json!({ "password": password })).answer().await;
        let expected = json!({ "password": [format!("The password is too similar to the {field}.")] });
        assert_eq!(answer.said_json(), (400, expected), "{password}");
    }
}

#[rstest]
#[tokio::test]
async fn the_page_and_the_command_line_keep_the_rules(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let browser = Browser::open(&app);
    browser.get("/signup/").answer().await;
    let answer = browser.submit("/signup/", &[("email", "a@ref.example"), ("password", "qwerty")]).await;
    let list = format!(r#"<ul class="errorlist"><li>{TOO_SHORT}</li><li>{TOO_COMMON}</li></ul>"#);
    assert!(answer.status == 200 && answer.body.contains(&list), "{}", answer.body);

    let environment = [SETTING, ("DATABASE_URL", app.database_url()), ("DATA_DIR", app.data_dir().to_str().unwrap())];
    let outcome = natter(&["user", "create", "a@ref.example"], &environment, "qwerty\n").await;
    assert_eq!(outcome.failed(), format!("natter: password: {TOO_SHORT} {TOO_COMMON}\n"));
}
