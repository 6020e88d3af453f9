//! `POST /api/users/reset-password/`, `/password-reset/`, and the links that they lead to.

use futures_util::future::join_all;
use natter::accounts::{self, Origin, ProfileChange};
use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use sha2::Digest;

use crate::support::answer::{Answer, Ask};
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start, start_with};
use crate::support::browser::Browser;
use crate::support::command::natter_beside;
use crate::support::log::Log;
use crate::support::person::{PASSWORD, Person};
use crate::support::wire::Wire;

const PATH: &str = "/api/users/reset-password/";
const PAGE: &str = "/password-reset/";
/// As the log has it.
const LINK: &str = "link=";
const NEW_PASSWORD: &str = "tree lamp";

async fn ask(app: &TestApp, email: &str) {
    assert_eq!(app.post(PATH).json(&json!({ "email": email })).answer().await.said(), (200, ""));
}

/// The path of the `number`th link that the log tells of.
async fn link(app: &TestApp, log: &Log, number: usize) -> String {
    let line = log.line(number, LINK).await;
    let (_, path) = line.split_once(&app.url("/")).unwrap();
    format!("/{}", path.split_once('"').unwrap().0)
}

/// Opens a link and chooses a password.
async fn choose(app: &TestApp, link: &str, password: &str) -> Answer {
    let browser = Browser::open(app);
    browser.get("/login/").answer().await;
    browser.submit(link, &[("password", password)]).await
}

async fn assert_is_void(app: &TestApp, link: &str) {
    for answer in [Browser::open(app).get(link).answer().await, choose(app, link, "never").await] {
        assert_eq!((answer.status, answer.header("cache-control")), (404, Some("no-store")), "{answer:?}");
        assert!(answer.body.contains("This link does not work any more"), "{}", answer.body);
    }
}

async fn assert_works(app: &TestApp, link: &str) {
    assert_eq!(Browser::open(app).get(link).answer().await.status, 200);
}

async fn password_is(app: &TestApp, person: &Person, password: &str) -> bool {
    let credentials = json!({ "username": person.email, "password": password });
    app.post("/api/auth/signin/").json(&credentials).answer().await.status == 201
}

#[rstest]
#[tokio::test]
async fn known_and_unknown_addresses_are_answered_alike(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let known = app.post(PATH).json(&json!({ "email": ann.email })).answer().await;
    let unknown = app.post(PATH).json(&json!({ "email": "nobody@ref.example" })).answer().await;
    for answer in [&known, &unknown] {
        assert_eq!(answer.said(), (200, ""));
        assert_eq!(answer.header("content-type"), None);
    }
    let names = |answer: &Answer| answer.headers.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&known), names(&unknown));
    assert_eq!(Person::sign_in(&app, &ann.email).await.id, ann.id);
}

#[rstest]
#[tokio::test]
async fn an_address_is_asked_for(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let cases = [
        (json!({}), "This field is required."),
        (json!({ "email": "" }), "This field may not be blank."),
        (json!({ "email": null }), "This field may not be null."),
        (json!({ "email": "nobody" }), "Enter a valid email address."),
    ];
    for (body, message) in cases {
        let answer = app.post(PATH).json(&body).answer().await;
        assert_eq!(answer.said_json(), (400, json!({ "email": [message] })), "{body}");
    }
}

#[rstest]
#[tokio::test]
async fn a_reset_is_not_read(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let answer = app.get(PATH).answer().await;
    assert_eq!(answer.said(), (405, r#"{"detail":"Method \"GET\" not allowed."}"#));
    assert_eq!(answer.header("allow"), Some("POST, OPTIONS"));
}

#[rstest]
#[tokio::test]
async fn a_link_gives_a_new_password_and_ends_all_that_the_old_one_began(#[values(Sqlite, Postgres)] storage: Storage) {
    let log = Log::listen();
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let elsewhere = Browser::logged_in(&app, &ann.email).await;
    let (mut hers, mut his) = (Wire::enter(&app, &ann).await, Wire::enter(&app, &bob).await);

    let browser = Browser::open(&app);
    assert!(browser.get("/login/").answer().await.body.contains(r#"<a href="/password-reset/">"#));
    browser.get(PAGE).answer().await;
    let asked = browser.submit(PAGE, &[("email", "ANN@ref.example")]).await;
    assert_eq!((asked.said(), asked.header("location")), ((302, ""), Some("/password-reset/sent/")));
    let link = link(&app, &log, 1).await;
    let form = browser.get(&link).answer().await;
    assert_eq!(form.status, 200);
    assert!(form.body.contains(&format!(r#"<form action="{link}" method="post""#)), "{}", form.body);
    assert_eq!(form.header("cache-control"), Some("no-store"));
    assert_eq!(form.header("referrer-policy"), Some("strict-origin"));
    assert_eq!(browser.get(&link).answer().await.status, 200, "looking does not use it up");

    let chosen = browser.submit(&link, &[("password", NEW_PASSWORD)]).await;
    assert_eq!((chosen.said(), chosen.header("location")), ((302, ""), Some("/password-reset/done/")));
    assert!(browser.get("/password-reset/done/").answer().await.body.contains("Your password is changed"));
    hers.is_disconnected().await;
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.said(), (403, r#"{"detail":"Invalid token."}"#));
    assert_eq!(elsewhere.get("/account/").answer().await.status, 302);
    assert!(password_is(&app, &ann, NEW_PASSWORD).await && !password_is(&app, &ann, PASSWORD).await);
    his.post("still here").await;
    assert_is_void(&app, &link).await;
    assert!(password_is(&app, &ann, NEW_PASSWORD).await);
}

#[rstest]
#[tokio::test]
async fn of_two_that_use_a_link_at_once_one_does(#[values(Sqlite, Postgres)] storage: Storage) {
    let log = Log::listen();
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    ask(&app, &ann.email).await;
    let link = link(&app, &log, 1).await;
    let passwords: Vec<_> = (0..4).map(|number| format!("password {number}")).collect();
    let answers = join_all(passwords.iter().map(|password| choose(&app, &link, password))).await;
    let won: Vec<_> = answers.iter().zip(&passwords).filter(|(answer, _)| answer.status == 302).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    assert!(password_is(&app, &ann, won[0].1).await);
}

#[rstest]
#[tokio::test]
async fn a_link_is_void_once_there_is_a_newer_one(#[values(Sqlite, Postgres)] storage: Storage) {
    let log = Log::listen();
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    ask(&app, &ann.email).await;
    let first = link(&app, &log, 1).await;
    ask(&app, &bob.email).await;
    let his = link(&app, &log, 2).await;
    ask(&app, &ann.email).await;
    let second = link(&app, &log, 3).await;
    assert_is_void(&app, &first).await;
    assert_works(&app, &second).await;
    assert_works(&app, &his).await;
}

#[rstest]
#[tokio::test]
async fn a_link_is_void_after_an_hour(#[values(Sqlite, Postgres)] storage: Storage) {
    let log = Log::listen();
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    ask(&app, &ann.email).await;
    let link = link(&app, &log, 1).await;
    let aged = |minutes: i64| {
        let time = time::OffsetDateTime::now_utc() - time::Duration::minutes(minutes);
        let time = time.format(&time::format_description::well_known::Rfc3339).unwrap();
        format!("UPDATE password_resets SET created_at = '{time}'")
    };
    app.execute(&aged(58)).await;
    assert_works(&app, &link).await;
    app.execute(&aged(61)).await;
    assert_is_void(&app, &link).await;
    assert!(password_is(&app, &ann, PASSWORD).await);
}

#[rstest]
#[tokio::test]
async fn a_link_is_void_once_password_or_email_have_changed(#[values(Sqlite, Postgres)] storage: Storage) {
    let log = Log::listen();
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let changes = [json!({ "password": PASSWORD }), json!({ "email": "anna@ref.example" })];
    for (number, change) in (1..).zip(&changes) {
        ask(&app, &ann.email).await;
        let link = link(&app, &log, number).await;
        let name = ann.request(&app, Method::PATCH, "/api/users/me/").json(&json!({ "first_name": "Ann" }));
        assert_eq!(name.answer().await.status, 200);
        assert_works(&app, &link).await;
        let changed = ann.request(&app, Method::PATCH, "/api/users/me/").json(change).answer().await;
        assert_eq!(changed.status, 200);
        assert_is_void(&app, &link).await;
    }
}

#[rstest]
#[tokio::test]
async fn whoever_is_shut_out_is_not_let_in_by_a_link(#[values(Sqlite, Postgres)] storage: Storage) {
    let log = Log::listen();
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    ask(&app, &ann.email).await;
    let hers = link(&app, &log, 1).await;
    natter_beside(&app, &["user", "deactivate", &ann.email], "").await.done();
    assert_is_void(&app, &hers).await;
    ask(&app, &ann.email).await;
    ask(&app, &bob.email).await;
    link(&app, &log, 2).await;
    assert_eq!(log.count(LINK), 2, "hers would have come first");
}

#[rstest]
#[tokio::test]
async fn nobodys_mailbox_is_filled(#[values(Sqlite, Postgres)] storage: Storage) {
    let log = Log::listen();
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    for _ in 0..8 {
        ask(&app, &ann.email).await;
    }
    ask(&app, &bob.email).await;
    let his = link(&app, &log, 6).await;
    assert_works(&app, &his).await;
    assert_eq!(log.count(LINK), 6, "five of hers");
    assert_works(&app, &link(&app, &log, 5).await).await;
}

#[rstest]
#[tokio::test]
async fn a_forged_link_is_void(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for key in ["x", &"a".repeat(32), &"a".repeat(5_000), "%00", "'%20OR%201=1", "%3Cscript%3E"] {
        assert_is_void(&app, &format!("{PAGE}{key}/")).await;
    }
    let answer = app.get(&format!("{PAGE}%FF/")).answer().await;
    assert_eq!((answer.status, answer.header("content-type")), (404, Some("text/html; charset=utf-8")));
    assert!(password_is(&app, &ann, PASSWORD).await);
}

#[rstest]
#[tokio::test]
async fn a_link_needs_the_csrf_token_and_a_good_password(#[values(Sqlite, Postgres)] storage: Storage) {
    let log = Log::listen();
    let app = start_with(storage, &[("NATTER_ACCOUNTS__PASSWORD_VALIDATORS", "true")]).await;
    let account = json!({ "email": "ann@ref.example", "password": "tree-lamp-42" });
    assert_eq!(app.post("/api/users/").json(&account).answer().await.status, 201);
    ask(&app, "ann@ref.example").await;
    let link = link(&app, &log, 1).await;
    let browser = Browser::open(&app);
    let form = [("password", "another-lamp-42"), ("csrfmiddlewaretoken", "0")];
    for path in [link.as_str(), PAGE] {
        assert_eq!(browser.request(Method::POST, path).form(&form).answer().await.status, 403, "{path}");
    }
    browser.get(&link).answer().await;
    let long = "x".repeat(129);
    let cases = [
        ("", "This field may not be blank."),
        (long.as_str(), "Ensure this field has no more than 128 characters."),
        ("84027591", "This password is entirely numeric."),
        ("ann@ref.example", "The password is too similar to the username."),
        ("a\0b", "Null characters are not allowed."),
    ];
    for (password, message) in cases {
        let answer = browser.submit(&link, &[("password", password)]).await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
        let expected = format!(r#"<ul class="errorlist"><li>{message}</li></ul>"#);
        assert!(answer.body.contains(&expected), "{password}: {}", answer.body);
    }
    assert_eq!(browser.submit(&link, &[("password", "another-lamp-42")]).await.status, 302);
}

#[rstest]
#[tokio::test]
async fn the_page_says_the_same_to_everybody(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::open(&app);
    assert_eq!(browser.get("/password-reset").answer().await.header("location"), Some(PAGE));
    assert_eq!(browser.get(PAGE).answer().await.status, 200);
    for email in [ann.email.as_str(), "nobody@ref.example"] {
        let answer = browser.submit(PAGE, &[("email", email)]).await;
        assert_eq!((answer.said(), answer.header("location")), ((302, ""), Some("/password-reset/sent/")));
    }
    let sent = browser.get("/password-reset/sent/").answer().await;
    assert!(sent.body.contains("If there is an account with this e-mail address"), "{}", sent.body);
    for (email, message) in [("", "This field may not be blank."), ("\"><b>", "Enter a valid email address.")] {
        let answer = browser.submit(PAGE, &[("email", email)]).await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains(&format!("<li>{message}</li>")), "{}", answer.body);
        assert!(!answer.body.contains("<b>"), "{}", answer.body);
    }
}

#[rstest]
#[tokio::test]
async fn only_a_hash_of_the_key_is_stored(#[values(Sqlite, Postgres)] storage: Storage) {
    let log = Log::listen();
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    ask(&app, &ann.email).await;
    let link = link(&app, &log, 1).await;
    let key = link.trim_start_matches(PAGE).trim_end_matches('/');
    assert_eq!(key.len(), 32);
    let hash = sha2::Sha256::digest(key).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let stored = match storage {
        Sqlite => "lower(hex(key_hash))",
        Postgres => "encode(key_hash, 'hex')",
    };
    assert_eq!(app.count(&format!("password_resets WHERE {stored} = '{hash}'")).await, 1);
}

#[rstest]
#[tokio::test]
async fn where_others_reach_the_server_no_link_is_logged(
    #[values(Sqlite, Postgres)] storage: Storage,
    #[values(("HOST", "0.0.0.0"), ("PUBLIC_URL", "https://chat.example"), ("NATTER_HTTP__TRUSTED_PROXIES", "127.0.0.1"))]
    setting: (&str, &str),
) {
    let log = Log::listen();
    let app = start_with(storage, &[setting]).await;
    let ann = Person::join(&app, "ann").await;
    ask(&app, &ann.email).await;
    let line = log.line(1, "has asked for a new password").await;
    assert!(!line.contains("ann"), "{line}");
    assert_eq!((log.count(LINK), app.count("password_resets").await), (0, 0));
    let sent = app.get("/password-reset/sent/").answer().await;
    assert!(sent.body.contains("Ask whoever runs it for a new password."), "{}", sent.body);
}

#[rstest]
#[tokio::test]
async fn whoever_has_asked_before_a_stop_has_their_link(#[values(Sqlite, Postgres)] storage: Storage) {
    let log = Log::listen();
    let mut app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    ask(&app, &ann.email).await;
    app.stop().await;
    assert_eq!(log.count(LINK), 1);
}

#[rstest]
#[tokio::test]
async fn whoever_was_let_in_by_the_old_password_just_before_gets_nothing(#[values(Sqlite, Postgres)] storage: Storage) {
    let log = Log::listen();
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let (inside, origin) = (&app.app, Origin::new(b"", app.address.ip()));
    let let_in =
        accounts::authenticate(inside, &ann.email, PASSWORD.to_owned(), app.address.ip()).await.unwrap().unwrap();
    ask(&app, &ann.email).await;
    assert_eq!(choose(&app, &link(&app, &log, 1).await, NEW_PASSWORD).await.status, 302);
    accounts::issue_token(inside, &let_in, &origin).await.unwrap_err();
    accounts::open_session(inside, &let_in, &origin).await.unwrap_err();
    assert_eq!((app.count("tokens").await, app.count("sessions").await), (0, 0));
}

#[rstest]
#[tokio::test]
async fn a_password_that_is_being_changed_meanwhile_does_not_replace_the_new_one(
    #[values(Sqlite, Postgres)] storage: Storage,
) {
    let log = Log::listen();
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let before = accounts::find_user(&app.app, ann.id).await.unwrap();
    ask(&app, &ann.email).await;
    assert_eq!(choose(&app, &link(&app, &log, 1).await, NEW_PASSWORD).await.status, 302);
    let change = ProfileChange { password: Some("an intruder's".to_owned()), ..ProfileChange::default() };
    accounts::change_profile(&app.app, before, change).await.unwrap_err();
    assert!(
        accounts::authenticate(&app.app, &ann.email, NEW_PASSWORD.to_owned(), app.address.ip())
            .await
            .unwrap()
            .is_some()
    );
}
