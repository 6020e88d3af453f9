//! `/health` and `/ready`.

use rstest::rstest;
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start};
use crate::support::packet::message;
use crate::support::person::Person;
use crate::support::wire::Wire;

async fn says(app: &TestApp, path: &str) -> (u16, serde_json::Value) {
    let answer = app.get(path).answer().await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    (answer.status, answer.json())
}

#[rstest]
#[tokio::test]
async fn a_server_that_serves_is_alive_and_ready(
    #[values(Sqlite, Postgres)] storage: Storage,
    #[values("", "z")] alias: &str,
) {
    let app = start(storage).await;
    assert_eq!(says(&app, &format!("/health{alias}")).await, (200, json!({ "status": "ok" })));
    let ready = json!({ "status": "ok", "database": "ok", "log": "ok" });
    assert_eq!(says(&app, &format!("/ready{alias}")).await, (200, ready));
}

#[rstest]
#[tokio::test]
async fn a_server_that_stops_is_alive_and_not_ready_until_what_it_has_taken_in_is_stored(
    #[values(Sqlite, Postgres)] storage: Storage,
) {
    let mut app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::enter(&app, &alice).await;
    let blocker = app.app.database.begin().await.unwrap();
    blocker.execute_unprepared("UPDATE conversations SET name = name WHERE id = 1").await.unwrap();
    wire.send(&message("on its way")).await;
    // Answered in order: the message is in the queue then.
    wire.send(r#"421["who-is-here",{}]"#).await;
    assert_eq!(wire.answer(1).await["ok"], true);
    let stopped = app.begin_stop();
    while says(&app, "/ready").await.0 == 200 {}
    let ready = json!({ "status": "unavailable", "database": "ok", "log": "draining" });
    assert_eq!(says(&app, "/ready").await, (503, ready));
    assert_eq!(says(&app, "/health").await.0, 200);
    assert_eq!(app.app.metrics.errors.get(), 0, "who watches the server is no client");
    blocker.commit().await.unwrap();
    wire.hears("alice@ref.example: on its way").await;
    stopped.await;
}

#[rstest]
#[tokio::test]
async fn a_server_without_its_database_is_alive_and_not_ready(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    assert_eq!(says(&app, "/ready").await.0, 200);
    app.app.database.clone().close().await.unwrap();
    let ready = json!({ "status": "unavailable", "database": "unreachable", "log": "ok" });
    assert_eq!(says(&app, "/ready").await, (503, ready));
    assert_eq!(says(&app, "/health").await.0, 200);
}
