//! `/signup/`.

use reqwest::Method;
use rstest::rstest;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::start;
use crate::support::browser::{Browser, Fields, leading_to};
use crate::support::person::{PASSWORD, Person};

#[rstest]
#[tokio::test]
async fn the_form_is_shown_to_anybody(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    for path in ["/signup/", "/signup"] {
        let browser = Browser::open(&app);
        let answer = browser.get(path).answer().await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
        let token = format!(r#"name="csrfmiddlewaretoken" value="{}""#, browser.csrf_token());
        for part in [r#"<form action="/signup/" method="post""#, &token, r#"name="email""#, r#"name="password""#] {
            assert!(answer.body.contains(part), "{part} is not in {}", answer.body);
        }
    }
}

#[rstest]
#[tokio::test]
async fn whoever_signs_up_is_in_the_chat(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let browser = Browser::open(&app);
    browser.get("/signup/").answer().await;
    let fields = [("email", "ann@ref.example"), ("password", PASSWORD), ("first_name", "Ann"), ("last_name", "")];
    let answer = browser.submit("/signup/", &fields).await;
    assert_eq!((answer.said(), answer.header("location")), ((302, ""), Some("/")));
    let me = browser.get("/api/users/me/").answer().await.json();
    assert_eq!((me["email"].as_str(), me["first_name"].as_str()), (Some("ann@ref.example"), Some("Ann")));
    Person::sign_in(&app, "ann@ref.example").await;
}

#[rstest]
#[tokio::test]
async fn sign_up_leads_on_to_a_path_of_this_site_only(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    for (email, next, expected) in
        [("a@ref.example", "/?a=b", "/?a=b"), ("b@ref.example", "https://elsewhere.example/", "/")]
    {
        let browser = Browser::open(&app);
        browser.get(&leading_to("/signup/", next)).answer().await;
        let answer = browser.submit("/signup/", &[("email", email), ("password", PASSWORD), ("next", next)]).await;
        assert_eq!((answer.status, answer.header("location")), (302, Some(expected)));
    }
}

#[rstest]
#[tokio::test]
async fn what_is_wrong_is_said_beside_the_field(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    Person::join(&app, "ann").await;
    let long = "x".repeat(31);
    let cases: [(&Fields, &[&str]); 4] = [
        (&[], &["This field is required.", "This field is required."]),
        (&[("email", "ann"), ("password", PASSWORD)], &["Enter a valid email address."]),
        (&[("email", "ANN@ref.example"), ("password", PASSWORD)], &["Member with this email address already exists."]),
        (
            &[("email", "bob@ref.example"), ("password", PASSWORD), ("first_name", &long)],
            &["Ensure this field has no more than 30 characters."],
        ),
    ];
    let browser = Browser::open(&app);
    browser.get("/signup/").answer().await;
    for (fields, messages) in cases {
        let answer = browser.submit("/signup/", fields).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body.matches(r#"<ul class="errorlist">"#).count(), messages.len(), "{}", answer.body);
        for message in messages {
            assert!(answer.body.contains(&format!("<li>{message}</li>")), "{message}: {}", answer.body);
        }
        assert_eq!(browser.cookie("sessionid"), None);
    }
}

#[rstest]
#[tokio::test]
async fn what_was_typed_is_shown_again_as_text_but_for_the_password(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let browser = Browser::open(&app);
    browser.get("/signup/").answer().await;
    let fields = [("email", "<b>"), ("password", "hush hush"), ("first_name", "\"A\"")];
    let answer = browser.submit("/signup/", &fields).await;
    assert!(answer.body.contains(r#"value="&#60;b&#62;""#), "{}", answer.body);
    assert!(answer.body.contains(r#"value="&#34;A&#34;""#), "{}", answer.body);
    assert!(!answer.body.contains("hush hush"));
}

#[rstest]
#[tokio::test]
async fn a_body_that_is_no_form_is_refused_with_a_page(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let browser = Browser::open(&app);
    browser.get("/signup/").answer().await;
    let request = browser.signed(Method::POST, "/signup/").header("Content-Type", "text/plain").body("x");
    let answer = request.answer().await;
    assert_eq!((answer.status, answer.header("content-type")), (415, Some("text/html; charset=utf-8")));
    assert!(answer.body.contains("<h1>Unsupported Media Type</h1>"), "{}", answer.body);
}
