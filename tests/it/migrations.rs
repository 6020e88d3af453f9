//! The schema, up and down.

use futures_util::future::join_all;
use natter_migration::Migrator;
use rstest::rstest;
use sea_orm_migration::{MigratorTrait, SchemaManager};

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::start;
use crate::support::command::natter_beside;
use crate::support::person::Person;

const TABLES: [&str; 12] = [
    "users",
    "tokens",
    "sessions",
    "revocations",
    "password_resets",
    "familiar_networks",
    "conversations",
    "conversation_members",
    "messages",
    "nodes",
    "presences",
    "audit_log",
];

#[rstest]
#[tokio::test]
async fn the_schema_goes_down_and_up_again(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let message = serde_json::json!({ "message": "hello" });
    assert_eq!(ann.post(&app, "/api/messages/").json(&message).answer().await.status, 201);

    let database = app.app.database.write();
    let schema = SchemaManager::new(database);
    Migrator::down(database, None).await.unwrap();
    for table in TABLES {
        assert!(!schema.has_table(table).await.unwrap(), "{table}");
    }
    Migrator::up(database, None).await.unwrap();
    for table in TABLES {
        assert!(schema.has_table(table).await.unwrap(), "{table}");
    }

    let app = app.restart().await;
    let ann = Person::join(&app, "ann").await;
    let answer = ann.post(&app, "/api/messages/").json(&message).answer().await;
    assert_eq!((answer.status, answer.json()["seq"].as_i64()), (201, Some(1)));
}

#[rstest]
#[tokio::test]
async fn several_who_migrate_at_once_are_all_done(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    Migrator::down(app.app.database.write(), None).await.unwrap();
    for outcome in join_all((0..4).map(|_| natter_beside(&app, &["migrate"], ""))).await {
        assert_eq!(outcome.done(), "The database is up to date.\n");
    }
    Person::join(&app.restart().await, "ann").await;
}

#[rstest]
#[tokio::test]
async fn migrating_again_changes_nothing(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for _ in 0..2 {
        assert_eq!(natter_beside(&app, &["migrate"], "").await.done(), "The database is up to date.\n");
    }
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 200);
}
