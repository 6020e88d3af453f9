//! Who is here, and who writes.

use rstest::rstest;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start};
use crate::support::person::Person;
use crate::support::wire::{Wire, within_deadline};

fn told_of(person: &Person) -> Value {
    json!({ "id": person.id.0, "email": person.email })
}

/// Waits until these people are here, and nobody else.
async fn here(app: &TestApp, asker: &Person, people: &[&Person]) {
    let expected: Vec<_> = people.iter().map(|person| told_of(person)).collect();
    within_deadline(async {
        while asker.get(app, "/api/presence/").answer().await.json()["results"] != json!(expected) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[rstest]
#[tokio::test]
async fn somebody_is_here_once_by_any_number_of_devices(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let mut a = Wire::attend(&app, &ann, &json!({})).await;
    here(&app, &ann, &[&ann]).await;
    let (phone, desk) = (Wire::enter(&app, &bob).await, Wire::enter(&app, &bob).await);
    loop {
        let change = a.told("presence-changed").await;
        if change["come"] == json!([told_of(&bob)]) {
            break;
        }
        assert_eq!(change, json!({ "come": [told_of(&ann)], "gone": [] }));
    }
    let answer = a.ask("who-is-here", &json!({})).await;
    assert_eq!(answer, json!({ "ok": true, "count": 2, "people": [told_of(&ann), told_of(&bob)] }));
    drop(phone);
    drop(desk);
    // One departure, and no second arrival before it.
    assert_eq!(a.told("presence-changed").await, json!({ "come": [], "gone": [bob.id.0] }));
    here(&app, &ann, &[&ann]).await;
}

#[rstest]
#[tokio::test]
async fn people_on_other_nodes_are_here_and_those_of_a_dead_node_are_not(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let other = app.another().await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let _a = Wire::attend(&app, &ann, &json!({})).await;
    let _b = Wire::attend(&other, &bob, &json!({})).await;
    here(&app, &ann, &[&ann, &bob]).await;
    here(&other, &ann, &[&ann, &bob]).await;
    // As a node leaves things behind that was killed some time ago.
    let eve = Person::join(&app, "eve").await;
    app.execute("INSERT INTO nodes (id, seen_at) VALUES ('dead', '2020-01-01 00:00:00+00:00')").await;
    app.execute(&format!("INSERT INTO presences (node_id, user_id) VALUES ('dead', {})", eve.id.0)).await;
    within_deadline(async {
        while app.count("nodes WHERE id = 'dead'").await > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(app.count(&format!("presences WHERE user_id = {}", eve.id.0)).await, 0);
    here(&app, &ann, &[&ann, &bob]).await;
}

#[rstest]
#[tokio::test]
async fn a_node_that_stops_takes_its_people_with_it(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let mut other = app.another().await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let _a = Wire::attend(&app, &ann, &json!({})).await;
    let _b = Wire::attend(&other, &bob, &json!({})).await;
    here(&app, &ann, &[&ann, &bob]).await;
    other.stop().await;
    assert_eq!(app.count("nodes").await, 1);
    here(&app, &ann, &[&ann]).await;
}

#[rstest]
#[tokio::test]
async fn others_in_a_conversation_hear_that_somebody_writes(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let (mut a, mut b) = (Wire::attend(&app, &ann, &json!({})).await, Wire::attend(&app, &bob, &json!({})).await);
    for payload in [json!({ "conversation": 99 }), json!({ "conversation": "x" }), json!(null), json!({})] {
        a.emit("typing", &payload).await;
    }
    // The first two are no conversations of hers, and of the others one is enough.
    let typing = json!({ "conversation": 1, "user": ann.id.0, "email": ann.email });
    assert_eq!(b.told("typing").await, typing);
    a.post("written").await;
    assert_eq!(b.told("server-got-message").await["seq"], 1);
    // Nobody is told of oneself: nothing has come before it.
    assert_eq!(a.told("server-got-message").await["seq"], 1);
}

#[rstest]
#[tokio::test]
async fn strangers_do_not_learn_who_is_here(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let answer = app.get("/api/presence/").answer().await;
    assert_eq!(answer.said(), (403, r#"{"detail":"Authentication credentials were not provided."}"#));
}

#[rstest]
#[tokio::test]
async fn a_node_that_others_took_for_dead_says_again_who_is_there(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let _wire = Wire::enter(&app, &ann).await;
    let noted = async || while app.count("presences").await == 0 {};
    within_deadline(noted()).await;
    app.app.database.write().execute_unprepared("DELETE FROM nodes").await.unwrap();
    assert_eq!(app.count("presences").await, 0);
    within_deadline(noted()).await;
}
