//! `POST /api/auth/signin/`.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::answer::{Answer, Ask};
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start};
use crate::support::browser::Browser;
use crate::support::command::natter_beside;
use crate::support::person::{PASSWORD, Person};

const PATH: &str = "/api/auth/signin/";
const REFUSED: &str = r#"{"non_field_errors":["Invalid username or password."]}"#;

async fn sign_in(app: &TestApp, credentials: &Value) -> Answer {
    app.post(PATH).json(credentials).answer().await
}

fn credentials_of(person: &Person) -> Value {
    json!({ "username": person.email, "password": PASSWORD })
}

fn is_lower_case_uuid4(text: &str) -> bool {
    let id = uuid::Uuid::parse_str(text).unwrap();
    id.get_version_num() == 4 && id.hyphenated().to_string() == text
}

#[rstest]
#[tokio::test]
async fn signing_in_gives_a_token_a_record_and_a_cookie(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let json = sign_in(&app, &credentials_of(&ann)).await;
    let form = [("username", ann.email.as_str()), ("password", PASSWORD)];
    let form = app.post(PATH).form(&form).answer().await;
    for answer in [json, form] {
        let record = format!(r#"{{"id":{},"email":"{}","first_name":"","last_name":""}}"#, ann.id.0, ann.email);
        assert_eq!(answer.said(), (201, record.as_str()));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(is_lower_case_uuid4(answer.header("x-token").unwrap()), "{answer:?}");
        let cookie = answer.set_cookie("sessionid").unwrap();
        assert_eq!(cookie.attributes, ["httponly", "max-age=1209600", "path=/", "samesite=lax"]);
        assert!(cookie.expires.is_some());
        assert_eq!(cookie.value.len(), 32);
        assert!(cookie.value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{cookie:?}");
    }
}

#[rstest]
#[tokio::test]
async fn every_sign_in_gives_a_token_of_its_own_and_all_stay_valid(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let first = Person::join(&app, "ann").await;
    let second = Person::sign_in(&app, &first.email).await;
    assert_ne!(first.token, second.token);
    for person in [first, second] {
        assert_eq!(person.get(&app, "/api/users/me/").answer().await.status, 200);
    }
}

#[rstest]
#[tokio::test]
async fn the_cookie_of_a_sign_in_logs_no_browser_in(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::open(&app);
    let answer = browser.request(Method::POST, PATH).json(&credentials_of(&ann)).answer().await;
    assert_eq!(answer.status, 201);
    assert!(browser.cookie("sessionid").is_some());
    assert_eq!(browser.get("/").answer().await.status, 302);
    assert_eq!(browser.get("/api/users/me/").answer().await.status, 403);
    assert_eq!(app.count("sessions").await, 0);
    assert_eq!(app.count("users WHERE last_login_at IS NOT NULL").await, 0);
    Browser::logged_in(&app, &ann.email).await;
    assert_eq!(app.count("users WHERE last_login_at IS NOT NULL").await, 1);
}

#[rstest]
#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_answered_alike(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for (username, password) in [
        (ann.email.as_str(), "wrong"),
        (ann.email.as_str(), "QWERTY"),
        ("nobody@ref.example", PASSWORD),
        ("no address", PASSWORD),
    ] {
        let answer = sign_in(&app, &json!({ "username": username, "password": password })).await;
        assert_eq!(answer.said(), (400, REFUSED), "{username} {password}");
        assert_eq!((answer.header("x-token"), answer.header("set-cookie")), (None, None));
    }
}

#[rstest]
#[tokio::test]
async fn one_signs_in_whatever_the_case_of_the_address(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "Ann").await;
    let answer = sign_in(&app, &json!({ "username": "aNN@REF.example", "password": PASSWORD })).await;
    assert_eq!((answer.status, answer.json()["email"].as_str()), (201, Some(ann.email.as_str())));
}

#[rstest]
#[tokio::test]
async fn blanks_around_both_fields_are_no_part_of_them(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    Person::join(&app, "ann").await;
    let answer = sign_in(&app, &json!({ "username": " ann@ref.example\t", "password": "  qwerty " })).await;
    assert_eq!(answer.status, 201);
}

#[rstest]
#[tokio::test]
async fn a_missing_field_is_named(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let cases = [
        (json!({ "email": "a@ref.example", "password": PASSWORD }), "username", "This field is required."),
        (json!({ "username": "", "password": PASSWORD }), "username", "This field may not be blank."),
        (json!({ "username": null, "password": PASSWORD }), "username", "This field may not be null."),
        (json!({ "username": "a@ref.example" }), "password", "This field is required."),
        (json!({ "username": "a@ref.example", "password": " " }), "password", "This field may not be blank."),
        (json!({ "username": "a@ref.example", "password": null }), "password", "This field may not be null."),
    ];
    for (credentials, field, message) in cases {
        let answer = sign_in(&app, &credentials).await;
        assert_eq!(answer.said_json(), (400, json!({ field: [message] })), "{credentials}");
    }
}

#[rstest]
#[tokio::test]
async fn somebody_inactive_is_refused_as_with_a_wrong_password(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    natter_beside(&app, &["user", "deactivate", &ann.email], "").await.done();
    assert_eq!(sign_in(&app, &credentials_of(&ann)).await.said(), (400, REFUSED));
}

#[rstest]
#[tokio::test]
async fn a_stale_token_does_not_stand_in_the_way(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for stale in ["Token stale", "Token", "Token a b"] {
        let request = app.post(PATH).header("Authorization", stale).json(&credentials_of(&ann));
        assert_eq!(request.answer().await.status, 201, "{stale}");
    }
}

#[rstest]
#[tokio::test]
async fn a_browser_signs_in_only_with_its_csrf_token(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let answer = browser.request(Method::POST, PATH).json(&credentials_of(&ann)).answer().await;
    assert_eq!(answer.said(), (403, r#"{"detail":"CSRF Failed: CSRF token missing or incorrect."}"#));
    assert_eq!(answer.header("x-token"), None);
    let answer = browser.signed(Method::POST, PATH).json(&credentials_of(&ann)).answer().await;
    assert_eq!(answer.status, 201);
    assert_eq!(browser.get("/").answer().await.status, 200, "the browser is still logged in");
}

#[rstest]
#[tokio::test]
async fn a_sign_in_is_not_read(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let answer = app.get(PATH).answer().await;
    assert_eq!(answer.said(), (405, r#"{"detail":"Method \"GET\" not allowed."}"#));
    assert_eq!(answer.header("allow"), Some("POST, OPTIONS"));
}

#[rstest]
#[tokio::test]
async fn only_a_hash_of_the_token_is_stored(#[values(Sqlite, Postgres)] storage: Storage) {
    use sea_orm::{ConnectionTrait, Statement};

    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let database = app.app.database.read();
    let all = Statement::from_string(database.get_database_backend(), "SELECT key_hash FROM tokens");
    let rows = database.query_all_raw(all).await.unwrap();
    let hashes: Vec<Vec<u8>> = rows.iter().map(|row| row.try_get("", "key_hash").unwrap()).collect();
    assert_eq!(hashes.len(), 1);
    assert_eq!(hashes[0].len(), 32);
    assert_ne!(hashes[0], ann.token.as_bytes());
}
