//! `/login/` and `/login`.

use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use crate::support::answer::{Answer, Ask};
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::start;
use crate::support::browser::{Browser, Fields, leading_to};
use crate::support::command::natter_beside;
use crate::support::person::{PASSWORD, Person};

const BOTH: [&str; 2] = ["/login/", "/login"];

fn assert_is_form(answer: &Answer, csrf_token: &str) {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    for part in [
        r#"<form action="/login" method="post""#,
        &format!(r#"<input type="hidden" name="csrfmiddlewaretoken" value="{csrf_token}">"#),
        r#"<input type="text" name="username" id="id_username" maxlength="256""#,
        r#"<input type="password" name="password" id="id_password""#,
    ] {
        assert!(answer.body.contains(part), "{part} is not in {}", answer.body);
    }
}

fn assert_is_csrf_cookie(answer: &Answer) {
    let cookie = answer.set_cookie("csrftoken").unwrap();
    assert_eq!(cookie.value.len(), 32);
    assert!(cookie.value.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_eq!(cookie.attributes, ["max-age=31449600", "path=/", "samesite=lax"], "a script may read it");
    assert!(cookie.expires.is_some());
}

#[rstest]
#[tokio::test]
async fn the_form_comes_with_its_csrf_cookie(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for browser in [Browser::open(&app), Browser::logged_in(&app, &ann.email).await] {
        for path in BOTH {
            let answer = browser.get(path).answer().await;
            assert_is_csrf_cookie(&answer);
            assert_is_form(&answer, &browser.csrf_token());
            assert_eq!(browser.request(Method::HEAD, path).answer().await.said(), (200, ""));
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_second_tab_leaves_the_form_of_the_first_one_valid(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let browser = Browser::open(&app);
    browser.get("/login/").answer().await;
    let first = browser.csrf_token();
    browser.get("/login/").answer().await;
    assert_eq!(browser.csrf_token(), first);
}

#[rstest]
#[tokio::test]
async fn logging_in_leads_to_the_chat_with_fresh_cookies(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for path in BOTH {
        let browser = Browser::open(&app);
        browser.get(path).answer().await;
        let before = browser.csrf_token();
        let answer = browser.submit(path, &[("username", " ANN@ref.example "), ("password", " qwerty ")]).await;
        assert_eq!((answer.said(), answer.header("location")), ((302, ""), Some("/")));
        assert_is_csrf_cookie(&answer);
        assert_ne!(browser.csrf_token(), before);
        let session = answer.set_cookie("sessionid").unwrap();
        assert_eq!(session.attributes, ["httponly", "max-age=1209600", "path=/", "samesite=lax"]);
        assert!(session.expires.is_some());
        assert_eq!(session.value.len(), 32);
        assert!(session.value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
        assert_eq!(browser.get("/").answer().await.status, 200);
        let me = browser.get("/api/users/me/").answer().await.json();
        assert_eq!(me["email"], ann.email);
    }
}

#[rstest]
#[tokio::test]
async fn a_planted_session_is_worth_nothing_after_login(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, eve) = (Person::join(&app, "ann").await, Person::join(&app, "eve").await);
    let evil = Browser::logged_in(&app, &eve.email).await;
    let planted = format!("sessionid={}", evil.cookie("sessionid").unwrap());
    let browser = Browser::open(&app);
    browser.plant(&planted);
    assert_eq!(browser.log_in(&ann.email, PASSWORD).await.status, 302);
    assert_ne!(format!("sessionid={}", browser.cookie("sessionid").unwrap()), planted);
    assert_eq!(app.get("/").header("Cookie", planted).answer().await.status, 302);
}

#[rstest]
#[tokio::test]
async fn the_csrf_token_may_come_in_a_header(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::open(&app);
    browser.get("/login/").answer().await;
    let form = [("username", ann.email.as_str()), ("password", PASSWORD)];
    let answer = browser.signed(Method::POST, "/login/").form(&form).answer().await;
    assert_eq!((answer.status, answer.header("location")), (302, Some("/")));
}

#[rstest]
#[tokio::test]
async fn login_leads_on_to_a_path_of_this_site_only(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let cases = [
        ("/?a=b&c=d", "/?a=b&c=d"),
        ("/admin/", "/admin/"),
        ("https://elsewhere.example/", "/"),
        ("//elsewhere.example", "/"),
        ("/\\elsewhere.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ];
    let form = [("username", ann.email.as_str()), ("password", PASSWORD)];
    for (next, expected) in cases {
        let browser = Browser::open(&app);
        let page = browser.get(&leading_to("/login/", next)).answer().await;
        assert_eq!(page.body.contains(r#"name="next""#), !next.is_empty());
        let fields: Vec<_> = form.into_iter().chain([("next", next)]).collect();
        let answer = browser.submit("/login", &fields).await;
        assert_eq!((answer.status, answer.header("location")), (302, Some(expected)), "in a field: {next}");
        let answer = browser.submit(&leading_to("/login/", next), &form).await;
        assert_eq!((answer.status, answer.header("location")), (302, Some(expected)), "in the query: {next}");
    }
}

#[rstest]
#[tokio::test]
async fn who_is_not_known_is_asked_to_register(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    natter_beside(&app, &["user", "deactivate", &bob.email], "").await.done();
    for (username, password) in [
        (ann.email.as_str(), "wrong"),
        ("nobody@ref.example", PASSWORD),
        (bob.email.as_str(), PASSWORD),
        ("nul\0@ref.example", PASSWORD),
    ] {
        let browser = Browser::open(&app);
        let answer = browser.log_in(username, password).await;
        assert_is_form(&answer, &browser.csrf_token());
        assert!(answer.body.contains("Please register."), "{}", answer.body);
        assert!(answer.body.contains(r#"<a href="/signup/">"#), "{}", answer.body);
        assert_eq!(answer.header("set-cookie"), None);
    }
}

#[rstest]
#[tokio::test]
async fn what_is_missing_or_too_long_is_said_beside_the_field(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let required = r#"<ul class="errorlist"><li>This field is required.</li></ul>"#;
    let too_long = r#"<ul class="errorlist"><li>Ensure this value has at most 256 characters (it has 257).</li></ul>"#;
    let long = "é".repeat(257);
    let browser = Browser::open(&app);
    browser.get("/login/").answer().await;
    let cases: [(&Fields, &str, usize); 5] = [
        (&[], required, 2),
        (&[("username", "  "), ("password", "")], required, 2),
        (&[("username", "a@ref.example")], required, 1),
        (&[("password", PASSWORD)], required, 1),
        (&[("username", &long), ("password", PASSWORD)], too_long, 1),
    ];
    for (fields, message, times) in cases {
        let answer = browser.submit("/login", fields).await;
        assert_is_form(&answer, &browser.csrf_token());
        assert_eq!(answer.body.matches(message).count(), times, "{fields:?} {}", answer.body);
        assert!(!answer.body.contains("Please register."));
    }
    let json = browser.signed(Method::POST, "/login/").json(&json!({ "username": "a", "password": "b" }));
    assert_eq!(json.answer().await.body.matches(required).count(), 2);
}

#[rstest]
#[tokio::test]
async fn the_username_is_shown_again_as_text(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let browser = Browser::open(&app);
    let answer = browser.log_in("\"><script>alert(1)</script>", "").await;
    assert!(answer.body.contains(r#"value="&#34;&#62;&#60;script&#62;alert(1)&#60;/script&#62;""#), "{}", answer.body);
    assert!(!answer.body.contains("<script>alert"), "{}", answer.body);
}

#[rstest]
#[tokio::test]
async fn nothing_is_changed_without_the_csrf_token(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let form = [("username", ann.email.as_str()), ("password", PASSWORD), ("csrfmiddlewaretoken", "0")];
    for path in ["/login/", "/login", "/signup/", "/admin/login/", "/logout/", "/"] {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let browser = Browser::open(&app);
            let without_cookie = browser.request(method.clone(), path).form(&form).answer().await;
            browser.get("/login/").answer().await;
            let with_cookie = browser.request(method.clone(), path).form(&form).answer().await;
            for answer in [without_cookie, with_cookie] {
                let about = format!("{method} {path}");
                assert_eq!((answer.status, answer.header("content-type")), (403, Some("text/html; charset=utf-8")));
                assert!(answer.body.contains("<h1>CSRF verification failed</h1>"), "{about}: {}", answer.body);
                assert_eq!(answer.header("set-cookie"), None, "{about}");
            }
        }
    }
}

#[rstest]
#[tokio::test]
async fn options_tell_the_methods(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    for path in BOTH {
        let answer = app.request(Method::OPTIONS, path).answer().await;
        assert_eq!(answer.said(), (200, ""));
        assert_eq!(answer.header("allow"), Some("GET, POST, PUT, HEAD, OPTIONS"));
    }
}

#[rstest]
#[tokio::test]
async fn a_put_logs_in_as_a_post_does(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::open(&app);
    browser.get("/login/").answer().await;
    let form = [("username", ann.email.as_str()), ("password", PASSWORD)];
    let answer = browser.signed(Method::PUT, "/login/").form(&form).answer().await;
    assert_eq!((answer.status, answer.header("location")), (302, Some("/")));
}
