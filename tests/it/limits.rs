//! What happens beyond the limits: a clear answer that says when to come back.

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start_with};
use crate::support::browser::Browser;
use crate::support::person::PASSWORD;

#[rstest]
#[tokio::test]
async fn who_tries_too_often_waits(#[values(Sqlite, Postgres)] storage: Storage) {
    let settings = [
        ("NATTER_RATE_LIMITS", "on"),
        ("NATTER_ACCOUNTS__ATTEMPTS_PER_MINUTE", "1"),
        ("NATTER_ACCOUNTS__ATTEMPTS_BURST", "3"),
    ];
    let app = start_with(storage, &settings).await;
    let account = json!({ "email": "a@ref.example", "password": PASSWORD });
    let credentials = json!({ "username": "a@ref.example", "password": PASSWORD });
    assert_eq!(app.post("/api/users/").json(&account).answer().await.status, 201);
    assert_eq!(app.post("/api/auth/signin/").json(&credentials).answer().await.status, 201);
    assert_eq!(app.post("/api/auth/signin/").json(&credentials).answer().await.status, 201);
    for path in ["/api/auth/signin/", "/api/users/", "/api/users/reset-password/"] {
        let body = json!({
            "email": "b@ref.example", "password": PASSWORD, "username": "a@ref.example",
        });
        let answer = app.post(path).json(&body).answer().await;
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        let plural = if seconds == 1 { "" } else { "s" };
        let expected =
            format!(r#"{{"detail":"Request was throttled. Expected available in {seconds} second{plural}."}}"#);
        assert_eq!(answer.said(), (429, expected.as_str()), "{path}");
    }
    let browser = Browser::open(&app);
    let answer = browser.log_in("a@ref.example", PASSWORD).await;
    assert_eq!((answer.status, answer.header("content-type")), (429, Some("text/html; charset=utf-8")));
    assert_eq!(app.get("/login/").answer().await.status, 200, "looking is free");
}

#[rstest]
#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_a_limit_of_its_own(
    #[values(Sqlite, Postgres)] storage: Storage,
    #[values(("127.0.0.1", 400), ("10.0.0.0/8", 429))] (proxies, other): (&str, u16),
) {
    let settings = [
        ("NATTER_RATE_LIMITS", "on"),
        ("NATTER_ACCOUNTS__ATTEMPTS_PER_MINUTE", "1"),
        ("NATTER_ACCOUNTS__ATTEMPTS_BURST", "1"),
        ("NATTER_HTTP__TRUSTED_PROXIES", proxies),
    ];
    let app = start_with(storage, &settings).await;
    let credentials = json!({ "username": "a@ref.example", "password": PASSWORD });
    let try_from = async |hops: &str| {
        let request = app.post("/api/auth/signin/").header("X-Forwarded-For", hops).json(&credentials);
        request.answer().await.status
    };
    assert_eq!(try_from("192.0.2.1").await, 400);
    assert_eq!(try_from("203.0.113.9, 192.0.2.1").await, 429, "what the client has written itself changes nothing");
    assert_eq!(try_from("192.0.2.2").await, other);
}

#[rstest]
#[tokio::test]
async fn beyond_the_queue_for_password_checks_requests_are_refused(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &[("NATTER_ACCOUNTS__PASSWORD_QUEUE", "1")]).await;
    let attempts = (0..100).map(|number| {
        let account = json!({ "email": format!("p{number}@ref.example"), "password": PASSWORD });
        app.post("/api/users/").json(&account).answer()
    });
    let answers = join_all(attempts).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert!(!made.is_empty() && !refused.is_empty(), "{} made, {} refused", made.len(), refused.len());
    for answer in refused {
        let expected = r#"{"detail":"Request was throttled. Expected available in 1 second."}"#;
        assert_eq!((answer.said(), answer.header("retry-after")), ((429, expected), Some("1")));
    }
    let account = json!({ "email": "later@ref.example", "password": PASSWORD });
    assert_eq!(app.post("/api/users/").json(&account).answer().await.said(), (201, ""));
}

/// What a connection answers to `sent`, until it closes.
async fn raw(app: &TestApp, sent: &str) -> String {
    let mut connection = TcpStream::connect(app.address).await.unwrap();
    connection.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer
}

#[rstest]
#[tokio::test]
async fn who_sends_half_a_request_is_refused_in_time(#[values(Sqlite, Postgres)] storage: Storage) {
    let settings = [("NATTER_HTTP__HEAD_TIMEOUT_SECONDS", "1"), ("NATTER_HTTP__BODY_TIMEOUT_SECONDS", "1")];
    let app = start_with(storage, &settings).await;
    let head = "Host: ref.example\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n";
    for path in ["/api/users/", "/api/auth/signin/"] {
        let answer = raw(&app, &format!("POST {path} HTTP/1.1\r\n{head}{{\"email\":")).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.ends_with(r#"{"detail":"The request body took too long."}"#), "{answer}");
    }
    let page = raw(&app, &format!("POST /login/ HTTP/1.1\r\n{head}user")).await;
    assert!(page.starts_with("HTTP/1.1 408 ") && page.contains("<!doctype html>"), "{page}");
    assert_eq!(raw(&app, "").await, "", "who sends nothing at all is let go of");
    let cut = raw(&app, "GET /api/ HTTP/1.1\r\nHost: ref.exa").await;
    assert!(cut.is_empty() || cut.starts_with("HTTP/1.1 4"), "{cut}");
    assert_eq!(app.app.metrics.errors.get(), 0);
    assert_eq!(app.get("/login/").answer().await.status, 200);
}
