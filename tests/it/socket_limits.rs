//! How many sockets there may be, and how much may come over one.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::answer::{Answer, Ask};
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{PATIENT, TestApp, start_with};
use crate::support::person::Person;
use crate::support::wire::{Eio, Transport, Wire, within_deadline};

const HANDSHAKE: &str = "/socket.io/?EIO=4&transport=polling";

async fn handshake_from(app: &TestApp, address: &str) -> Answer {
    app.get(HANDSHAKE).header("X-Forwarded-For", address).answer().await
}

fn refused(app: &TestApp, limit: &str) -> u64 {
    app.app.metrics.refused_sockets.with_label_values(&[limit]).get()
}

/// Waits until a place is free again, as engines let go of a session a moment after its end.
async fn finds_a_place(app: &TestApp, address: &str) {
    within_deadline(async { while handshake_from(app, address).await.status != 200 {} }).await;
}

#[rstest]
#[tokio::test]
async fn one_socket_more_than_there_may_be_is_refused_until_another_is_gone(
    #[values(Sqlite, Postgres)] storage: Storage,
) {
    let app = start_with(storage, &[("NATTER_GATEWAY__MAX_SOCKETS", "2")]).await;
    let ann = Person::join(&app, "ann").await;
    let first = Wire::enter(&app, &ann).await;
    let mut second = Wire::connect(&app, Eio::V3, Transport::Polling).await;
    second.authenticate(&ann).await;
    let answer = app.get(HANDSHAKE).answer().await;
    assert_eq!(answer.said(), (503, r#"{"code":4,"message":"Too many connections."}"#));
    assert_eq!((answer.header("retry-after"), answer.header("access-control-allow-origin")), (Some("5"), Some("*")));
    assert_eq!(refused(&app, "server"), 1);
    second.say("still here").await;
    second.hears("ann@ref.example: still here").await;
    drop(first);
    finds_a_place(&app, "192.0.2.1").await;
}

#[rstest]
#[tokio::test]
async fn an_address_has_so_many_sockets_and_its_neighbours_have_theirs(#[values(Sqlite, Postgres)] storage: Storage) {
    let settings =
        [("NATTER_GATEWAY__MAX_SOCKETS_PER_ADDRESS", "1"), ("NATTER_HTTP__TRUSTED_PROXIES", "127.0.0.1"), PATIENT];
    let app = start_with(storage, &settings).await;
    assert_eq!(handshake_from(&app, "192.0.2.1").await.status, 200);
    let answer = handshake_from(&app, "::ffff:192.0.2.1").await;
    assert_eq!(answer.said(), (429, r#"{"code":4,"message":"Too many connections from this address."}"#));
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert_eq!(handshake_from(&app, "192.0.2.2").await.status, 200);
    // One customer has a whole network of these.
    assert_eq!(handshake_from(&app, "2001:db8:0:1::1").await.status, 200);
    assert_eq!(handshake_from(&app, "2001:db8:0:1:ffff::2").await.status, 429);
    assert_eq!(handshake_from(&app, "2001:db8:0:2::1").await.status, 200);
    assert_eq!(refused(&app, "address"), 2);
}

#[rstest]
#[tokio::test]
async fn strangers_take_no_places_from_those_who_have_authenticated(#[values(Sqlite, Postgres)] storage: Storage) {
    let settings = [("NATTER_GATEWAY__MAX_UNAUTHENTICATED_SOCKETS", "1"), ("NATTER_GATEWAY__AUTH_TIMEOUT", "500")];
    let app = start_with(storage, &settings).await;
    let ann = Person::join(&app, "ann").await;
    let mut wire = Wire::enter(&app, &ann).await;
    let _another = Wire::enter(&app, &ann).await;
    let mut stranger = Wire::connect(&app, Eio::V4, Transport::Websocket).await;
    let answer = app.get(HANDSHAKE).answer().await;
    assert_eq!(answer.said(), (503, r#"{"code":4,"message":"Too many connections."}"#));
    assert_eq!((refused(&app, "unauthenticated"), app.app.metrics.unauthenticated_sockets.get()), (1, 1));
    // Its time is up, and then there is room.
    stranger.is_disconnected().await;
    drop(stranger);
    finds_a_place(&app, "192.0.2.1").await;
    wire.say("undisturbed").await;
    wire.hears("ann@ref.example: undisturbed").await;
}

#[rstest]
#[tokio::test]
async fn a_person_has_so_many_sockets(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &[("NATTER_GATEWAY__MAX_SOCKETS_PER_USER", "1")]).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let mut first = Wire::enter(&app, &ann).await;
    // The same socket once more is no second one.
    first.authenticate(&ann).await;
    let mut second = Wire::connect(&app, Eio::V4, Transport::Websocket).await;
    second.emit("authentication", &json!({ "token": ann.token })).await;
    let event = second.event().await;
    assert_eq!((event.name.as_str(), event.data), ("unauthorized", json!({ "message": "Too many connections." })));
    second.is_disconnected().await;
    assert_eq!(refused(&app, "user"), 1);
    let mut other = Wire::enter(&app, &bob).await;
    drop(first);
    within_deadline(async {
        while app.app.presence.sockets_of(ann.id) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut third = Wire::enter(&app, &ann).await;
    third.say("back").await;
    other.hears("ann@ref.example: back").await;
}

#[rstest]
#[tokio::test]
async fn who_says_too_much_is_told_and_others_are_heard(#[values(Sqlite, Postgres)] storage: Storage) {
    let settings =
        [("NATTER_RATE_LIMITS", "on"), ("NATTER_CHAT__MESSAGES_PER_SECOND", "1"), ("NATTER_CHAT__MESSAGES_BURST", "2")];
    let app = start_with(storage, &settings).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let (mut a, mut b) = (Wire::enter(&app, &ann).await, Wire::enter(&app, &bob).await);
    assert_eq!([a.post("1").await, a.post("2").await], [1, 2]);
    let refusal = json!({
        "ok": false,
        "error": { "code": "throttled", "message": "Too much in a short time, try again in a second." },
    });
    assert_eq!(a.ask("client-sent-message", &json!({ "message": "3" })).await, refusal);
    a.say("4").await;
    assert_eq!(told_of_refusal(&mut a).await["code"], "throttled");
    let answer = ann.post(&app, "/api/messages/").json(&json!({ "message": "5" })).answer().await;
    let expected = r#"{"detail":"Request was throttled. Expected available in 1 second."}"#;
    assert_eq!((answer.said(), answer.header("retry-after")), ((429, expected), Some("1")));
    assert_eq!(b.post("of another").await, 3);
    assert_eq!(app.app.metrics.rate_limits("messages"), 3);
    assert_eq!(app.app.metrics.refused_messages.with_label_values(&["throttled"]).get(), 3);
    within_deadline(async { while a.ask("client-sent-message", &json!({ "message": "6" })).await["ok"] != true {} })
        .await;
}

async fn told_of_refusal(wire: &mut Wire) -> Value {
    loop {
        let event = wire.event().await;
        if event.name == "message-refused" {
            return event.data;
        }
    }
}

#[rstest]
#[tokio::test]
async fn who_asks_too_much_is_told_and_others_are_answered(#[values(Sqlite, Postgres)] storage: Storage) {
    let settings = [
        ("NATTER_RATE_LIMITS", "on"),
        ("NATTER_GATEWAY__EVENTS_PER_SECOND", "1"),
        ("NATTER_GATEWAY__EVENTS_BURST", "2"),
    ];
    let app = start_with(storage, &settings).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let (mut a, mut b) = (Wire::enter(&app, &ann).await, Wire::enter(&app, &bob).await);
    assert_eq!(a.ask("who-is-here", &json!({})).await["ok"], true);
    assert_eq!(a.ask("edit-message", &json!({ "seq": "what is wrong counts" })).await["error"]["code"], "invalid");
    assert_eq!(a.ask("who-is-here", &json!({})).await["error"]["code"], "throttled");
    assert_eq!(b.ask("who-is-here", &json!({})).await["ok"], true);
    assert_eq!(a.post("messages have a limit of their own").await, 1);
    assert_eq!(app.app.metrics.rate_limits("events"), 1);
    within_deadline(async { while a.ask("who-is-here", &json!({})).await["ok"] != true {} }).await;
}
