//! `/`.

use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{start, start_with};
use crate::support::browser::Browser;
use crate::support::person::{PASSWORD, Person};

#[rstest]
#[tokio::test]
async fn strangers_are_sent_to_the_login_page_and_back(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let cases = [
        ("/", "/login/?next=/"),
        ("/?a=b&c=d", "/login/?next=/%3Fa%3Db%26c%3Dd"),
        ("/?%C3%A9", "/login/?next=/%3F%25C3%25A9"),
    ];
    for (path, location) in cases {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            for request in [app.request(method.clone(), path), ann.request(&app, method.clone(), path)] {
                let answer = request.answer().await;
                assert_eq!(answer.said(), (302, ""), "{method}");
                assert_eq!(answer.header("location"), Some(location));
                assert_eq!(answer.header("set-cookie"), None);
            }
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_cookie_of_no_session_is_deleted(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let answer = app.get("/").header("Cookie", "sessionid=abc").answer().await;
    assert_eq!((answer.status, answer.header("location")), (302, Some("/login/?next=/")));
    let cookie = answer.set_cookie("sessionid").unwrap();
    assert_eq!(cookie.value, "");
    assert_eq!(cookie.attributes, ["httponly", "max-age=0", "path=/", "samesite=lax"]);
}

#[rstest]
#[tokio::test]
async fn a_session_counts_neither_past_its_age_nor_for_somebody_inactive(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for end in ["UPDATE users SET is_active = FALSE", "UPDATE sessions SET expires_at = '2001-01-01 00:00:00+00:00'"] {
        let browser = Browser::logged_in(&app, &ann.email).await;
        assert_eq!(browser.get("/").answer().await.status, 200);
        app.execute(end).await;
        assert_eq!(browser.get("/api/users/me/").answer().await.status, 403, "{end}");
        let answer = browser.get("/").answer().await;
        assert_eq!((answer.status, answer.header("location")), (302, Some("/login/?next=/")), "{end}");
        app.execute("UPDATE users SET is_active = TRUE").await;
    }
}

#[rstest]
#[tokio::test]
async fn whoever_is_logged_in_sees_the_chat(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let answer = browser.get("/").answer().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(answer.header("x-frame-options"), Some("SAMEORIGIN"));
    for part in [
        r#"<script type="module" src="/static/chat.js"></script>"#,
        &format!(r#"data-user-id="{}" data-email="ann@ref.example""#, ann.id.0),
        r#"action="/logout/" method="post">"#,
        &format!(r#"name="csrfmiddlewaretoken" value="{}""#, browser.csrf_token()),
    ] {
        assert!(answer.body.contains(part), "{part} is not in {}", answer.body);
    }
    assert_eq!(browser.request(Method::HEAD, "/").answer().await.said(), (200, ""));
}

#[rstest]
#[tokio::test]
async fn the_page_runs_no_script_and_reaches_no_server_but_ours(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let account = json!({ "email": "o'hara&co@ref.example", "password": PASSWORD });
    assert_eq!(app.post("/api/users/").json(&account).answer().await.status, 201);
    let browser = Browser::logged_in(&app, "o'hara&co@ref.example").await;
    let answer = browser.get("/").answer().await;
    assert!(answer.body.contains("o&#39;hara&#38;co@ref.example"), "{}", answer.body);
    assert!(!answer.body.contains("o'hara"), "{}", answer.body);
    let policy = answer.header("content-security-policy").unwrap();
    for rule in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "form-action 'self'"] {
        assert!(policy.split("; ").any(|part| part == rule), "{rule} is not in {policy}");
    }
}

#[rstest]
#[tokio::test]
async fn the_script_of_the_page_is_served(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let answer = app.get("/static/chat.js").answer().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/javascript; charset=utf-8")));
    let etag = answer.header("etag").unwrap();
    assert_eq!(app.get("/static/chat.js").header("If-None-Match", etag).answer().await.said(), (304, ""));
    assert_eq!(app.get("/static/nothing.js").answer().await.status, 404);
}

#[rstest]
#[tokio::test]
async fn cookies_are_for_tls_only_where_the_site_is(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &[("PUBLIC_URL", "https://chat.example")]).await;
    let ann = Person::join(&app, "ann").await;
    let credentials = json!({ "username": ann.email, "password": PASSWORD });
    let answer = app.post("/api/auth/signin/").json(&credentials).answer().await;
    assert!(answer.set_cookie("sessionid").unwrap().attributes.contains(&"secure".to_owned()));
    let answer = app.get("/login/").answer().await;
    assert!(answer.set_cookie("csrftoken").unwrap().attributes.contains(&"secure".to_owned()));
}
