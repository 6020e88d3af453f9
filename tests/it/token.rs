//! `GET /api/auth/token/`.

use reqwest::Method;
use rstest::rstest;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start, start_with};
use crate::support::browser::Browser;
use crate::support::person::Person;

const PATH: &str = "/api/auth/token/";

/// The token of a logged-in browser, as the chat page asks for it.
async fn token_of(browser: &Browser) -> String {
    let answer = browser.get(PATH).answer().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["X-Token"].as_str().unwrap().to_owned()
}

async fn works(app: &TestApp, token: &str) -> bool {
    let request = app.get("/api/users/me/").header("Authorization", format!("Token {token}"));
    request.answer().await.status == 200
}

#[rstest]
#[tokio::test]
async fn a_token_is_answered_with_itself(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let first = Person::join(&app, "ann").await;
    let second = Person::sign_in(&app, &first.email).await;
    for person in [first, second] {
        let expected = format!(r#"{{"X-Token":"{}"}}"#, person.token);
        assert_eq!(person.get(&app, PATH).answer().await.said(), (200, expected.as_str()));
    }
}

#[rstest]
#[tokio::test]
async fn a_browser_gets_a_working_token_the_same_each_time(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let token = token_of(&browser).await;
    assert_eq!(uuid::Uuid::parse_str(&token).unwrap().hyphenated().to_string(), token);
    assert!(works(&app, &token).await);
    assert_eq!(token_of(&browser).await, token);
    let other = Browser::logged_in(&app, &ann.email).await;
    assert_ne!(token_of(&other).await, token);
}

#[rstest]
#[tokio::test]
async fn tabs_that_ask_at_once_get_the_same_token(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let tokens = futures_util::future::join_all((0..10).map(|_| token_of(&browser))).await;
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    assert!(works(&app, &tokens[0]).await);
}

#[rstest]
#[tokio::test]
async fn a_browser_whose_token_was_taken_back_gets_a_new_one(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let token = token_of(&browser).await;
    let log_out = app.request(Method::DELETE, "/api/auth/logout/").header("Authorization", format!("Token {token}"));
    assert_eq!(log_out.answer().await.status, 204);
    let next = token_of(&browser).await;
    assert_ne!(next, token);
    assert!(works(&app, &next).await && !works(&app, &token).await);
}

#[rstest]
#[tokio::test]
async fn a_browser_keeps_its_token_over_a_restart(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let token = token_of(&browser).await;
    let app = app.restart().await;
    assert!(works(&app, &token).await);
    let cookie = format!("sessionid={}", browser.cookie("sessionid").unwrap());
    let answer = app.get(PATH).header("Cookie", cookie).answer().await;
    assert_eq!(answer.said(), (200, format!(r#"{{"X-Token":"{token}"}}"#).as_str()));
}

#[rstest]
#[tokio::test]
async fn strangers_have_no_token(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let answer = app.get(PATH).answer().await;
    assert_eq!(answer.said(), (403, r#"{"detail":"Authentication credentials were not provided."}"#));
    assert_eq!(answer.header("www-authenticate"), None);
}

#[rstest]
#[tokio::test]
async fn the_token_is_only_read(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let answer = ann.post(&app, PATH).answer().await;
    assert_eq!(answer.said(), (405, r#"{"detail":"Method \"POST\" not allowed."}"#));
    assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
}

#[rstest]
#[tokio::test]
async fn tokens_last_for_ever_unless_an_age_is_set(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    app.execute("UPDATE tokens SET created_at = '2001-01-01 00:00:00+00:00'").await;
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 200);
}

#[rstest]
#[tokio::test]
async fn a_token_past_its_age_has_expired_and_is_then_unknown(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &[("NATTER_ACCOUNTS__TOKEN_AGE_SECONDS", "604800")]).await;
    let ann = Person::join(&app, "ann").await;
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 200);
    app.execute("UPDATE tokens SET created_at = '2001-01-01 00:00:00+00:00'").await;
    let answer = ann.get(&app, "/api/users/me/").answer().await;
    assert_eq!(answer.said(), (403, r#"{"detail":"Token has expired."}"#));
    let answer = ann.get(&app, "/api/users/me/").answer().await;
    assert_eq!(answer.said(), (403, r#"{"detail":"Invalid token."}"#));
}
