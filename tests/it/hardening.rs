//! What browsers are told with every answer.

use rstest::rstest;
use serde_json::json;

use crate::support::answer::{Answer, Ask};
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start, start_with};
use crate::support::person::{PASSWORD, Person};
use crate::support::staff::Staff;

const HSTS: &str = "strict-transport-security";

#[rstest]
#[tokio::test]
async fn no_answer_is_framed_sniffed_or_run_elsewhere(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let staff = Staff::join(&app, "staff").await;
    let answers = [
        app.get("/login/").answer().await,
        app.get("/").answer().await,
        app.get("/nowhere").answer().await,
        app.get("/static/chat.js").answer().await,
        app.get("/api/users/me/").answer().await,
        app.post("/login/").answer().await,
        ann.get(&app, "/api/users/me/").answer().await,
        staff.browser.get("/").answer().await,
        staff.browser.get("/account/").answer().await,
        staff.browser.get("/admin/").answer().await,
        staff.browser.get("/admin/users/export.csv").answer().await,
    ];
    for answer in answers {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "SAMEORIGIN"),
            ("referrer-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{answer:?}");
        }
        let policy = answer.header("content-security-policy").unwrap();
        for part in ["default-src 'none'", "frame-ancestors 'self'", "base-uri 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
    }
}

/// The answers to a page and to a sign-in, with a cookie each, and to an API call.
async fn answers(app: &TestApp, headers: &[(&'static str, &str)]) -> [Answer; 3] {
    let with = |request: reqwest::RequestBuilder| {
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).answer()
    };
    let credentials = json!({ "username": "ann@ref.example", "password": PASSWORD });
    let sign_in = app.post("/api/auth/signin/").json(&credentials);
    [with(app.get("/login/")).await, with(sign_in).await, with(app.get("/api/users/me/")).await]
}

/// That browsers come back by https only, and send their cookies so only; or that nothing is said of it.
fn assert_tls(answers: &[Answer; 3], hsts: Option<&str>, is_secure: bool) {
    for answer in answers {
        assert_eq!(answer.header(HSTS), hsts, "{answer:?}");
    }
    for (answer, cookie) in answers.iter().zip(["csrftoken", "sessionid"]) {
        let cookie = answer.set_cookie(cookie).unwrap();
        assert_eq!(cookie.attributes.contains(&"secure".to_owned()), is_secure, "{cookie:?}");
    }
}

const A_YEAR: Option<&str> = Some("max-age=31536000");

#[rstest]
#[tokio::test]
async fn browsers_come_by_tls_only_where_the_public_url_says_so(
    #[values(Sqlite, Postgres)] storage: Storage,
    #[values(("https://chat.example", true), ("http://chat.example", false))] (url, is_secure): (&str, bool),
) {
    let app = start_with(storage, &[("PUBLIC_URL", url), ("NATTER_HTTP__TRUSTED_PROXIES", "127.0.0.1")]).await;
    Person::join(&app, "ann").await;
    assert_tls(&answers(&app, &[]).await, A_YEAR.filter(|_| is_secure), is_secure);
}

#[rstest]
#[tokio::test]
async fn browsers_come_by_tls_only_where_a_trusted_proxy_says_that_they_did(
    #[values(Sqlite, Postgres)] storage: Storage,
    #[values(("127.0.0.1", true), ("10.0.0.0/8", false))] (proxies, is_trusted): (&str, bool),
) {
    let x_forwarded = [("X-Forwarded-Proto", "https")];
    let forwarded = [("Forwarded", "for=192.0.2.1;proto=https")];
    for (kind, said, foreign) in [("x-forwarded", x_forwarded, forwarded), ("forwarded", forwarded, x_forwarded)] {
        let settings = [("NATTER_HTTP__TRUSTED_PROXIES", proxies), ("NATTER_HTTP__PROXY_HEADERS", kind)];
        let app = start_with(storage, &settings).await;
        Person::join(&app, "ann").await;
        assert_tls(&answers(&app, &said).await, A_YEAR.filter(|_| is_trusted), is_trusted);
        for headers in [&[][..], &foreign, &[("X-Forwarded-Proto", "http")], &[("X-Forwarded-Proto", "https, http")]] {
            assert_tls(&answers(&app, headers).await, None, false);
        }
    }
}

#[rstest]
#[tokio::test]
async fn for_how_long_browsers_come_by_tls_only_is_a_setting(
    #[values(Sqlite, Postgres)] storage: Storage,
    #[values(("60", Some("max-age=60")), ("0", None))] (seconds, hsts): (&str, Option<&str>),
) {
    let settings = [("PUBLIC_URL", "https://chat.example"), ("NATTER_HTTP__HSTS_SECONDS", seconds)];
    let app = start_with(storage, &settings).await;
    Person::join(&app, "ann").await;
    assert_tls(&answers(&app, &[]).await, hsts, true);
}
