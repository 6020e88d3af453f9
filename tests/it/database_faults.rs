//! A database that is away or locked for a while: senders are told, sockets stay, and nothing is half done.

use std::time::Duration;

use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};

use crate::support::answer::Ask;
use crate::support::app::Storage::{Postgres, Sqlite};
use crate::support::app::{TestApp, start};
use crate::support::person::{PASSWORD, Person};
use crate::support::wire::Wire;

const AWAY: &str = r#"{"detail":"Service temporarily unavailable, try again later."}"#;

/// What the server promises, once the database is back.
const RECOVERY: Duration = Duration::from_secs(5);

async fn history(app: &TestApp, person: &Person) -> Vec<Value> {
    let page = person.get(app, "/api/messages/").answer().await.json();
    page["results"].as_array().unwrap().iter().rev().map(|message| message["message"].clone()).collect()
}

async fn sign_up(app: &TestApp, email: &str) -> (u16, String, Option<String>) {
    let answer = app.post("/api/users/").json(&json!({ "email": email, "password": PASSWORD })).answer().await;
    let retry_after = answer.header("retry-after").map(str::to_owned);
    (answer.status, answer.body, retry_after)
}

async fn is_refused_for_now(app: &TestApp, wire: &mut Wire) {
    let answer = wire.ask("client-sent-message", &json!({ "message": "lost?" })).await;
    assert_eq!((&answer["ok"], &answer["error"]["code"]), (&json!(false), &json!("unavailable")));
    assert_eq!(sign_up(app, "late@ref.example").await, (503, AWAY.to_owned(), Some("1".to_owned())));
}

#[tokio::test]
async fn while_postgresql_is_away_senders_are_told_and_afterwards_all_goes_on() {
    let app = start(Postgres).await;
    let ann = Person::join(&app, "ann").await;
    let (mut speaker, mut listener) = (Wire::enter(&app, &ann).await, Wire::enter(&app, &ann).await);
    speaker.post("before").await;
    app.postgres_takes_connections(false).await;
    is_refused_for_now(&app, &mut speaker).await;
    let answer = ann.get(&app, "/api/users/me/").answer().await;
    assert_eq!(answer.said(), (503, AWAY));
    assert_eq!(app.get("/ready").answer().await.status, 503);

    app.postgres_takes_connections(true).await;
    let recovered = async { while app.get("/ready").answer().await.status != 200 {} };
    tokio::time::timeout(RECOVERY, recovered).await.unwrap();
    speaker.post("after").await;
    for wire in [&mut speaker, &mut listener] {
        wire.hears("ann@ref.example: before").await;
        wire.hears("ann@ref.example: after").await;
    }
    assert_eq!(history(&app, &ann).await, ["ann@ref.example: before", "ann@ref.example: after"]);
    assert_eq!(sign_up(&app, "late@ref.example").await.0, 201);
}

#[tokio::test]
async fn a_connection_that_postgresql_has_broken_is_made_anew() {
    let app = start(Postgres).await;
    let ann = Person::join(&app, "ann").await;
    let mut wire = Wire::enter(&app, &ann).await;
    app.postgres_takes_connections(false).await;
    app.postgres_takes_connections(true).await;
    let answer = ann.get(&app, "/api/users/me/").answer().await;
    assert!([200, 503].contains(&answer.status), "{answer:?}");
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 200);
    wire.post("goes on").await;
}

#[tokio::test]
async fn while_another_program_locks_the_sqlite_file_senders_are_told_and_afterwards_all_goes_on() {
    let app = start(Sqlite).await;
    let ann = Person::join(&app, "ann").await;
    let mut wire = Wire::enter(&app, &ann).await;
    wire.post("before").await;
    let other = Database::connect(app.database_url()).await.unwrap();
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    is_refused_for_now(&app, &mut wire).await;
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 200, "readers go on");

    other.execute_unprepared("ROLLBACK").await.unwrap();
    wire.post("after").await;
    wire.hears("ann@ref.example: before").await;
    wire.hears("ann@ref.example: after").await;
    assert_eq!(history(&app, &ann).await, ["ann@ref.example: before", "ann@ref.example: after"]);
    assert_eq!(sign_up(&app, "late@ref.example").await.0, 201);
}
