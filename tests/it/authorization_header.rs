//! The header `Authorization`, on any route of the API.

use reqwest::Method;
use reqwest::header::HeaderValue;
use rstest::rstest;
use serde_json::json;

use crate::support::answer::{Answer, Ask};
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start};
use crate::support::browser::Browser;
use crate::support::command::natter_beside;
use crate::support::person::Person;

const PATH: &str = "/api/users/me/";
const ANONYMOUS: &str = r#"{"detail":"Authentication credentials were not provided."}"#;

async fn ask_with(app: &TestApp, authorization: impl AsRef<[u8]>) -> Answer {
    let header = HeaderValue::from_bytes(authorization.as_ref()).unwrap();
    app.get(PATH).header("Authorization", header).answer().await
}

#[rstest]
#[tokio::test]
async fn the_keyword_is_read_in_any_case_and_blanks_do_not_matter(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for keyword in ["Token ", "token ", "TOKEN ", "tOkEn    ", "Token \t "] {
        let answer = ask_with(&app, format!("{keyword}{}", ann.token)).await;
        assert_eq!((answer.status, answer.json()["id"].as_i64()), (200, Some(ann.id.0)), "{keyword:?}");
    }
}

#[rstest]
#[tokio::test]
async fn what_is_wrong_with_a_token_header_is_said(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let (upper, bare) = (ann.token.to_uppercase(), ann.token.replace('-', ""));
    let cases: [(&[u8], &str); 9] = [
        (b"", "Invalid token header. No credentials provided."),
        (b" ", "Invalid token header. No credentials provided."),
        (b" a b", "Invalid token header. Token string should not contain spaces."),
        (b" ' OR 1=1 --", "Invalid token header. Token string should not contain spaces."),
        (b" \xff\xfe", "Invalid token header. Token string should not contain invalid characters."),
        (" é".as_bytes(), "Invalid token header. Token string should not contain invalid characters."),
        (b" unknown", "Invalid token."),
        (&[b" ", upper.as_bytes()].concat(), "Invalid token."),
        (&[b" ", bare.as_bytes()].concat(), "Invalid token."),
    ];
    for (key, message) in cases {
        let answer = ask_with(&app, [b"Token", key].concat()).await;
        let expected = format!(r#"{{"detail":"{message}"}}"#);
        assert_eq!(answer.said(), (403, expected.as_str()), "{}", key.escape_ascii());
        assert_eq!(answer.header("www-authenticate"), None);
    }
}

#[rstest]
#[tokio::test]
async fn credentials_in_any_other_place_do_not_count(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let token = Person::join(&app, "ann").await.token;
    for header in [format!("Bearer {token}"), format!("Basic {token}"), token.clone(), format!("Tokens {token}")] {
        assert_eq!(ask_with(&app, &header).await.said(), (403, ANONYMOUS), "{header}");
    }
    let query = app.get(&format!("{PATH}?token={token}")).answer().await;
    assert_eq!(query.said(), (403, ANONYMOUS));
    let header = app.get(PATH).header("X-Token", &token).answer().await;
    assert_eq!(header.said(), (403, ANONYMOUS));
}

#[rstest]
#[tokio::test]
async fn the_token_of_somebody_inactive_is_refused(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    natter_beside(&app, &["user", "deactivate", &ann.email], "").await.done();
    let answer = ann.get(&app, PATH).answer().await;
    assert_eq!(answer.said(), (403, r#"{"detail":"User inactive or deleted."}"#));
}

#[rstest]
#[tokio::test]
async fn of_a_session_and_a_token_the_session_counts(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let browser = Browser::logged_in(&app, &ann.email).await;
    for authorization in [format!("Token {}", bob.token), "Token stale".to_owned()] {
        let answer = browser.get(PATH).header("Authorization", &authorization).answer().await;
        assert_eq!((answer.status, answer.json()["id"].as_i64()), (200, Some(ann.id.0)), "{authorization}");
    }
}

#[rstest]
#[tokio::test]
async fn a_session_changes_nothing_without_its_csrf_cookie(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let cookie = format!("sessionid={}", browser.cookie("sessionid").unwrap());
    let request = app.request(Method::PATCH, PATH).header("Cookie", cookie).json(&json!({ "first_name": "Eve" }));
    let answer = request.header("X-CSRFToken", browser.csrf_token()).answer().await;
    assert_eq!(answer.said(), (403, r#"{"detail":"CSRF Failed: CSRF cookie not set."}"#));
    for forged in ["", "0", &"0".repeat(32)] {
        let request = browser.request(Method::PATCH, PATH).header("X-CSRFToken", forged);
        let answer = request.json(&json!({ "first_name": "Eve" })).answer().await;
        assert_eq!(answer.said(), (403, r#"{"detail":"CSRF Failed: CSRF token missing or incorrect."}"#));
    }
    assert_eq!(browser.get(PATH).answer().await.json()["first_name"], "");
}
