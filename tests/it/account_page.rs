//! `/account/`.

use reqwest::Method;
use rstest::rstest;

use crate::support::answer::{Answer, Ask};
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{start, start_with};
use crate::support::browser::{Browser, Fields};
use crate::support::command::natter_beside;
use crate::support::person::{PASSWORD, Person};
use crate::support::wire::Wire;

const FORMS: [&str; 3] = ["/account/profile/", "/account/email/", "/account/password/"];
const WRONG_PASSWORD: &str = "Your old password was entered incorrectly. Please enter it again.";

fn said_beside_a_field(message: &str) -> String {
    format!(r#"<ul class="errorlist"><li>{message}</li></ul>"#)
}

/// What a form led to, and the page there.
async fn follow(browser: &Browser, answer: &Answer) -> String {
    assert_eq!(answer.said(), (302, ""));
    let page = browser.get(answer.header("location").unwrap()).answer().await;
    assert_eq!(page.status, 200);
    page.body
}

#[rstest]
#[tokio::test]
async fn it_is_for_whoever_is_logged_in(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let stranger = Browser::open(&app);
    let answer = stranger.get("/account/").answer().await;
    assert_eq!((answer.said(), answer.header("location")), ((302, ""), Some("/login/?next=/account/")));
    let with_token = ann.get(&app, "/account/").answer().await;
    assert_eq!((with_token.status, with_token.header("location")), (302, Some("/login/?next=/account/")));
    stranger.get("/login/").answer().await;
    for form in FORMS {
        let answer = stranger.submit(form, &[("first_name", "Eve")]).await;
        assert_eq!((answer.status, answer.header("location")), (302, Some(format!("/login/?next={form}").as_str())));
    }

    let browser = Browser::logged_in(&app, &ann.email).await;
    let page = browser.get("/account/").answer().await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    for form in FORMS {
        assert!(page.body.contains(&format!(r#"<form action="{form}" method="post""#)), "{}", page.body);
        let answer = browser.get(form).answer().await;
        assert_eq!((answer.status, answer.header("location")), (302, Some("/account/")), "a reload of {form}");
    }
    assert!(page.body.contains(&browser.csrf_token()));
    assert!(!page.body.contains(r#"href="/admin/""#), "{}", page.body);
    natter_beside(&app, &["user", "promote", &ann.email], "").await.done();
    assert!(browser.get("/account/").answer().await.body.contains(r#"href="/admin/""#));
    natter_beside(&app, &["user", "deactivate", &ann.email], "").await.done();
    assert_eq!(browser.get("/account/").answer().await.status, 302);
}

#[rstest]
#[tokio::test]
async fn nothing_is_changed_without_the_csrf_token(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let fields = [
        ("first_name", "Eve"),
        ("email", "eve@ref.example"),
        ("current_password", PASSWORD),
        ("password", "tree lamp"),
        ("csrfmiddlewaretoken", "0"),
    ];
    for form in FORMS {
        let answer = browser.request(Method::POST, form).form(&fields).answer().await;
        assert_eq!((answer.status, answer.header("content-type")), (403, Some("text/html; charset=utf-8")), "{form}");
        assert!(answer.body.contains("<h1>CSRF verification failed</h1>"), "{}", answer.body);
    }
    let me = ann.get(&app, "/api/users/me/").answer().await.json();
    assert_eq!((me["email"].as_str(), me["first_name"].as_str()), (Some(ann.email.as_str()), Some("")));
    Person::sign_in(&app, &ann.email).await;
}

#[rstest]
#[tokio::test]
async fn a_name_is_saved_and_shown_as_text(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let answer = browser.submit("/account/profile/", &[("first_name", " <b>Ann</b> "), ("last_name", "آنا")]).await;
    assert_eq!(answer.header("location"), Some("/account/?done=profile"));
    let page = follow(&browser, &answer).await;
    assert!(page.contains("Your name is saved."), "{page}");
    assert!(page.contains(r#"value="&#60;b&#62;Ann&#60;/b&#62;""#) && page.contains(r#"value="آنا""#), "{page}");
    let me = browser.get("/api/users/me/").answer().await.json();
    assert_eq!((me["first_name"].as_str(), me["last_name"].as_str()), (Some("<b>Ann</b>"), Some("آنا")));

    let answer = browser.submit("/account/profile/", &[("first_name", ""), ("last_name", "")]).await;
    follow(&browser, &answer).await;
    assert_eq!(browser.get("/api/users/me/").answer().await.json()["last_name"], "");
}

#[rstest]
#[tokio::test]
async fn the_form_for_the_name_changes_nothing_else(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let fields = [("first_name", "Ann"), ("email", "eve@ref.example"), ("password", "tree lamp"), ("is_staff", "true")];
    assert_eq!(browser.submit("/account/profile/", &fields).await.status, 302);
    let me = browser.get("/api/users/me/").answer().await.json();
    assert_eq!((me["email"].as_str(), me["first_name"].as_str()), (Some(ann.email.as_str()), Some("Ann")));
    Person::sign_in(&app, &ann.email).await;
    assert_eq!(browser.get("/api/").answer().await.status, 403);
}

#[rstest]
#[tokio::test]
async fn an_email_address_is_changed_by_whoever_knows_the_password(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let fields = [("email", "anna@ref.example"), ("current_password", "wrong")];
    let refused = browser.submit("/account/email/", &fields).await;
    assert_eq!(refused.status, 200);
    assert!(refused.body.contains(&said_beside_a_field(WRONG_PASSWORD)), "{}", refused.body);
    assert!(refused.body.contains(r#"value="anna@ref.example""#), "{}", refused.body);
    assert_eq!(browser.get("/api/users/me/").answer().await.json()["email"], ann.email);

    let changed =
        browser.submit("/account/email/", &[("email", "anna@ref.example"), ("current_password", PASSWORD)]).await;
    assert!(follow(&browser, &changed).await.contains("Your e-mail address is changed."));
    assert_eq!(Person::sign_in(&app, "anna@ref.example").await.id, ann.id);
}

#[rstest]
#[tokio::test]
async fn a_new_password_logs_out_the_other_browsers_and_not_this_one(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let (here, there) = (Browser::logged_in(&app, &ann.email).await, Browser::logged_in(&app, &ann.email).await);
    let token = there.get("/api/auth/token/").answer().await.json()["X-Token"].as_str().unwrap().to_owned();
    let mut its_page = Wire::enter(&app, &Person { token, ..ann.clone() }).await;
    let before = here.cookie("sessionid").unwrap();

    let fields = [("current_password", PASSWORD), ("password", "tree lamp")];
    let changed = here.submit("/account/password/", &fields).await;
    assert!(follow(&here, &changed).await.contains("Your password is changed"));
    assert_ne!(here.cookie("sessionid").unwrap(), before, "a new session");
    its_page.is_disconnected().await;
    assert_eq!(there.get("/account/").answer().await.status, 302);
    let old_cookie = app.get("/account/").header("Cookie", format!("sessionid={before}")).answer().await;
    assert_eq!(old_cookie.status, 302);
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 200, "programs stay signed in");
    assert_eq!(there.log_in(&ann.email, PASSWORD).await.status, 200);
    assert_eq!(there.log_in(&ann.email, "tree lamp").await.status, 302);
}

#[rstest]
#[tokio::test]
async fn what_is_wrong_is_said_beside_the_field(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &[("NATTER_ACCOUNTS__PASSWORD_VALIDATORS", "true")]).await;
    let account = serde_json::json!({ "email": "ann@ref.example", "password": "tree-lamp-42" });
    assert_eq!(app.post("/api/users/").json(&account).answer().await.status, 201);
    let bob = serde_json::json!({ "email": "bob@ref.example", "password": "tree-lamp-42" });
    assert_eq!(app.post("/api/users/").json(&bob).answer().await.status, 201);
    let (long_name, long_password) = ("x".repeat(31), "x".repeat(129));
    let known = ("current_password", "tree-lamp-42");
    let cases: [(&str, &Fields, &str); 12] = [
        ("profile", &[("first_name", &long_name)], "Ensure this field has no more than 30 characters."),
        ("profile", &[("last_name", "a\0b")], "Null characters are not allowed."),
        ("email", &[known], "This field is required."),
        ("email", &[("email", ""), known], "This field may not be blank."),
        ("email", &[("email", "ann"), known], "Enter a valid email address."),
        ("email", &[("email", "BOB@ref.example"), known], "Member with this email address already exists."),
        ("email", &[("email", "a@ref.example")], "This field is required."),
        ("password", &[known], "This field is required."),
        ("password", &[known, ("password", &long_password)], "Ensure this field has no more than 128 characters."),
        ("password", &[known, ("password", "84027591")], "This password is entirely numeric."),
        ("password", &[known, ("password", "ann@ref.example")], "The password is too similar to the username."),
        ("password", &[("current_password", "a\0"), ("password", "x")], "Null characters are not allowed."),
    ];
    let browser = Browser::open(&app);
    assert_eq!(browser.log_in("ann@ref.example", "tree-lamp-42").await.status, 302);
    for (form, fields, message) in cases {
        let answer = browser.submit(&format!("/account/{form}/"), fields).await;
        assert_eq!(answer.status, 200, "{fields:?}");
        assert_eq!(answer.body.matches(&said_beside_a_field(message)).count(), 1, "{fields:?} {}", answer.body);
        assert_eq!(answer.body.matches("aria-invalid").count(), 1, "{fields:?}");
    }
    assert_eq!(browser.log_in("ann@ref.example", "tree-lamp-42").await.status, 302, "nothing has changed");
}

#[rstest]
#[tokio::test]
async fn the_address_says_no_other_sentence_than_its_own(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    for done in ["", "nothing", "Your%20account%20is%20deleted"] {
        let page = browser.get(&format!("/account/?done={done}")).answer().await;
        assert_eq!(page.status, 200);
        assert!(!page.body.contains(r#"role="status""#), "{}", page.body);
    }
}

#[rstest]
#[tokio::test]
async fn passwords_are_not_guessed_at_an_open_browser(#[values(Sqlite, Postgres)] storage: Storage) {
    let settings = [
        ("NATTER_RATE_LIMITS", "on"),
        ("NATTER_ACCOUNTS__ATTEMPTS_PER_MINUTE", "1"),
        ("NATTER_ACCOUNTS__ATTEMPTS_BURST", "4"),
    ];
    let app = start_with(storage, &settings).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let fields = [("email", "eve@ref.example"), ("current_password", "wrong"), ("password", "tree lamp")];
    assert_eq!(browser.submit("/account/email/", &fields).await.status, 200);
    for form in ["/account/email/", "/account/password/"] {
        let answer = browser.submit(form, &fields).await;
        assert_eq!((answer.status, answer.header("content-type")), (429, Some("text/html; charset=utf-8")));
    }
}
