//! `POST /api/users/reset-password/`.

use rstest::rstest;
use serde_json::json;

use crate::support::answer::{Answer, Ask};
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::start;
use crate::support::person::Person;

const PATH: &str = "/api/users/reset-password/";

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
