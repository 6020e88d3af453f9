//! Many requests at once.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use crate::support::answer::{Answer, Ask};
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::start;
use crate::support::person::{PASSWORD, Person};

const TAKEN: &str = r#"{"email":["Member with this email address already exists."]}"#;

/// How many of the answers have this status; all others must say `otherwise`.
fn count(answers: &[Answer], status: u16, otherwise: (u16, &str)) -> usize {
    let (wanted, rest): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == status);
    for answer in rest {
        assert_eq!(answer.said(), otherwise);
    }
    wanted.len()
}

#[rstest]
#[tokio::test]
async fn of_fifty_sign_ups_with_one_address_one_succeeds(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let answers = join_all((0..50).map(|number| {
        let email = if number % 2 == 0 { "ann@ref.example" } else { "ANN@ref.example" };
        app.post("/api/users/").json(&json!({ "email": email, "password": PASSWORD })).answer()
    }));
    assert_eq!(count(&answers.await, 201, (400, TAKEN)), 1);
    Person::sign_in(&app, "ann@ref.example").await;
}

#[rstest]
#[tokio::test]
async fn of_two_who_want_one_address_one_gets_it(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let answers = join_all([&ann, &bob].map(|person| {
        person.request(&app, Method::PATCH, "/api/users/me/").json(&json!({ "email": "new@ref.example" })).answer()
    }));
    assert_eq!(count(&answers.await, 200, (400, TAKEN)), 1);
}

#[rstest]
#[tokio::test]
async fn a_token_is_taken_back_once(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let answers = join_all((0..10).map(|_| ann.request(&app, Method::DELETE, "/api/auth/logout/").answer())).await;
    assert!(count(&answers, 204, (403, r#"{"detail":"Invalid token."}"#)) >= 1, "{answers:?}");
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 403);
}

#[rstest]
#[tokio::test]
async fn messages_at_once_are_numbered_without_a_gap(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let answers = join_all(
        (0..100)
            .map(|number| ann.post(&app, "/api/messages/").json(&json!({ "message": number.to_string() })).answer()),
    );
    let mut seqs: Vec<_> = answers.await.iter().map(|answer| answer.json()["seq"].as_i64().unwrap()).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=100).collect::<Vec<_>>());
}

#[rstest]
#[tokio::test]
async fn tokens_that_are_shown_at_once_are_each_their_owners(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let people = [Person::join(&app, "ann").await, Person::join(&app, "bob").await, Person::join(&app, "cid").await];
    let owner = |number: usize| people.get(number % 4);
    let answers = join_all((0..300).map(|number| {
        let token = owner(number).map_or("unknown", |person| person.token.as_str());
        app.get("/api/users/me/").header("Authorization", format!("Token {token}")).answer()
    }));
    for (number, answer) in answers.await.iter().enumerate() {
        match owner(number) {
            Some(person) => assert_eq!(answer.json()["email"], person.email),
            None => assert_eq!(answer.said(), (403, r#"{"detail":"Invalid token."}"#)),
        }
    }
}
