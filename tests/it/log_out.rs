//! `DELETE /api/auth/logout/`, and the button of the chat page.

use reqwest::Method;
use rstest::rstest;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::start;
use crate::support::browser::Browser;
use crate::support::person::Person;
use crate::support::staff::Staff;

const PATH: &str = "/api/auth/logout/";

#[rstest]
#[tokio::test]
async fn logging_out_takes_back_the_presented_token_and_no_other(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let first = Person::join(&app, "ann").await;
    let second = Person::sign_in(&app, &first.email).await;
    let answer = first.request(&app, Method::DELETE, PATH).answer().await;
    assert_eq!(answer.said(), (204, ""));
    assert_eq!(answer.header("content-type"), None);
    assert_eq!(second.get(&app, "/api/users/me/").answer().await.status, 200);
    for path in [PATH, "/api/users/me/"] {
        let answer = first.request(&app, Method::DELETE, path).answer().await;
        assert_eq!(answer.said(), (403, r#"{"detail":"Invalid token."}"#), "{path}");
    }
}

#[rstest]
#[tokio::test]
async fn a_browser_logs_out_over_the_api_with_its_csrf_token(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let answer = browser.request(Method::DELETE, PATH).answer().await;
    assert_eq!(answer.said(), (403, r#"{"detail":"CSRF Failed: CSRF token missing or incorrect."}"#));
    assert_eq!(browser.get("/").answer().await.status, 200);

    let session = browser.cookie("sessionid").unwrap();
    let answer = browser.signed(Method::DELETE, PATH).answer().await;
    assert_eq!(answer.said(), (204, ""));
    assert_eq!(answer.set_cookie("sessionid").unwrap().value, "");
    browser.plant(&format!("sessionid={session}"));
    assert_eq!(browser.get("/").answer().await.status, 302, "the session is over, not just its cookie");
}

#[rstest]
#[tokio::test]
async fn the_button_of_the_chat_page_ends_the_session_and_its_token(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let token = browser.get("/api/auth/token/").answer().await.json()["X-Token"].as_str().unwrap().to_owned();
    let session = browser.cookie("sessionid").unwrap();

    let answer = browser.submit("/logout/", &[]).await;
    assert_eq!((answer.status, answer.header("location")), (302, Some("/login/")));
    assert_eq!(answer.set_cookie("sessionid").unwrap().value, "");
    assert_eq!(answer.header("clear-site-data"), Some("\"storage\""), "nor do drafts stay");
    browser.plant(&format!("sessionid={session}"));
    assert_eq!(browser.get("/").answer().await.status, 302);
    let request = app.get("/api/users/me/").header("Authorization", format!("Token {token}"));
    assert_eq!(request.answer().await.said(), (403, r#"{"detail":"Invalid token."}"#));
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 200, "tokens of programs live on");
}

/// Else the way back would lead to them after the sign-out.
#[rstest]
#[tokio::test]
async fn no_page_of_somebody_is_kept_by_the_browser(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    for path in ["/", "/account/", "/account/devices/", "/admin/", "/admin/users/1/", "/admin/users/export.csv"] {
        let answer = staff.browser.get(path).answer().await;
        let kept = answer.header("cache-control").unwrap_or_default();
        assert!(answer.status == 200 && kept.contains("no-store"), "{path}: {kept}");
    }
}

#[rstest]
#[tokio::test]
async fn another_site_cannot_log_a_browser_out(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let answer = browser.request(Method::POST, "/logout/").answer().await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("<h1>CSRF verification failed</h1>"), "{answer:?}");
    assert_eq!(browser.get("/").answer().await.status, 200);
}

#[rstest]
#[tokio::test]
async fn strangers_and_other_methods_log_nobody_out(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for method in [Method::DELETE, Method::GET] {
        let answer = app.request(method, PATH).answer().await;
        assert_eq!(answer.said(), (403, r#"{"detail":"Authentication credentials were not provided."}"#));
    }
    for method in [Method::GET, Method::POST] {
        let answer = ann.request(&app, method.clone(), PATH).answer().await;
        let expected = format!(r#"{{"detail":"Method \"{method}\" not allowed."}}"#);
        assert_eq!(answer.said(), (405, expected.as_str()));
        assert_eq!(answer.header("allow"), Some("DELETE, OPTIONS"));
    }
}
