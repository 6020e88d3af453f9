//! `authentication` → `authenticated` or `unauthorized`, and the deadline.

use natter::accounts;
use rstest::rstest;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::support::app::{PATIENT, Storage, TestApp, start, start_with};
use crate::support::browser::Browser;
use crate::support::person::Person;
use crate::support::wire::{Eio, Heard, Transport, Wire, within_deadline};

#[rstest]
#[tokio::test]
async fn a_good_token_is_answered_by_true_and_the_clients_ack_is_not_called(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Polling, Transport::Websocket, Transport::Upgrade)] transport: Transport,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, transport).await;
    wire.emit_with_ack("authentication", &json!({ "token": alice.token })).await;
    assert_eq!(wire.packet().await, r#"42["authenticated",true]"#);
    wire.say("marker").await;
    wire.hears("alice@ref.example: marker").await;
}

#[rstest]
#[tokio::test]
async fn a_client_that_acknowledges_its_refusal_is_disconnected(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Polling, Transport::Websocket, Transport::Upgrade)] transport: Transport,
) {
    let app = start_with(storage, &[PATIENT]).await;
    let mut wire = Wire::connect(&app, eio, transport).await;
    wire.emit("authentication", &json!({ "token": "wrong" })).await;
    let ack = wire.is_unauthorized().await;
    wire.send(&format!("43{ack}[]")).await;
    wire.is_disconnected().await;
}

#[rstest]
#[tokio::test]
async fn a_client_that_was_refused_may_try_again(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Polling, Transport::Websocket)] transport: Transport,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, transport).await;
    wire.emit("authentication", &json!({ "token": "wrong" })).await;
    wire.is_unauthorized().await;
    wire.authenticate(&alice).await;
    wire.say("here").await;
    wire.hears("alice@ref.example: here").await;
}

#[rstest]
#[tokio::test]
async fn a_failed_authentication_after_a_good_one_changes_nothing(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::enter(&app, &alice).await;
    wire.emit("authentication", &json!({ "token": "wrong" })).await;
    wire.is_unauthorized().await;
    wire.say("still here").await;
    wire.hears("alice@ref.example: still here").await;
}

#[rstest]
#[tokio::test]
async fn the_last_successful_authentication_says_who_a_socket_is(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let (alice, bob) = (Person::join(&app, "alice").await, Person::join(&app, "bob").await);
    let mut wire = Wire::enter(&app, &alice).await;
    wire.authenticate(&alice).await;
    wire.say("one").await;
    wire.hears("alice@ref.example: one").await;
    wire.authenticate(&bob).await;
    wire.say("two").await;
    wire.hears("bob@ref.example: two").await;
}

#[rstest]
#[tokio::test]
async fn a_socket_that_does_not_authenticate_in_time_is_disconnected(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Polling, Transport::Websocket, Transport::Upgrade)] transport: Transport,
) {
    let app = start(storage).await;
    Wire::connect(&app, eio, transport).await.is_disconnected().await;
}

#[rstest]
#[tokio::test]
async fn a_client_that_does_not_connect_to_the_namespace_is_dropped(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Transport::Polling, Transport::Websocket)] transport: Transport,
) {
    let app = start_with(storage, &[("NATTER_GATEWAY__CONNECT_TIMEOUT", "200")]).await;
    let mut wire = Wire::open(&app, Eio::V4, transport).await;
    assert!(matches!(wire.next().await, Heard::Closed(_)));
}

#[rstest]
#[tokio::test]
async fn a_refused_socket_keeps_its_deadline(#[values(Storage::Sqlite, Storage::Postgres)] storage: Storage) {
    let app = start(storage).await;
    let mut wire = Wire::connect(&app, Eio::V3, Transport::Websocket).await;
    wire.emit("authentication", &json!({ "token": "wrong" })).await;
    wire.is_unauthorized().await;
    wire.is_disconnected().await;
}

#[rstest]
#[tokio::test]
async fn who_shows_one_bad_token_after_the_other_is_disconnected_all_the_same(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let mut wire = Wire::connect(&app, Eio::V4, Transport::Websocket).await;
    let wrong = json!({ "token": "wrong" });
    // Some always wait behind the one that is looked up.
    for _ in 0..20 {
        wire.emit("authentication", &wrong).await;
    }
    let mut refused = 0;
    while wire.packet().await != "41" {
        refused += 1;
        wire.emit("authentication", &wrong).await;
    }
    assert!(refused > 20, "{refused} were looked up");
}

#[rstest]
#[tokio::test]
async fn an_authenticated_socket_stays_beyond_the_deadline(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Transport::Polling, Transport::Websocket, Transport::Upgrade)] transport: Transport,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut idle = Wire::connect(&app, Eio::V3, transport).await;
    idle.authenticate(&alice).await;
    // This one comes later, so that when its time is over the other's is, too.
    Wire::connect(&app, Eio::V3, Transport::Websocket).await.is_disconnected().await;
    idle.say("still here").await;
    idle.hears("alice@ref.example: still here").await;
}

#[rstest]
#[tokio::test]
async fn whatever_is_not_a_token_that_was_issued_is_refused_and_the_socket_stays_useful(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start_with(storage, &[PATIENT]).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, Transport::Websocket).await;
    let tokens = [
        json!(null),
        json!(0),
        json!(1.5),
        json!(true),
        json!(""),
        json!("\0"),
        json!(format!("{}\0", alice.token)),
        json!(format!(" {}", alice.token)),
        json!(alice.token.to_uppercase()),
        json!("%"),
        json!("' OR 1=1 --"),
        json!("x".repeat(100_000)),
        json!(["x", alice.token]),
        json!([[alice.token]]),
        json!({ "$ne": null }),
        json!({ "$like": "%" }),
        json!({ "token": alice.token }),
    ];
    let token = &alice.token;
    let payloads =
        [json!(null), json!({}), json!(token), json!(7), json!(true), json!([token]), json!([{ "token": token }])];
    for payload in tokens.into_iter().map(|token| json!({ "token": token })).chain(payloads) {
        wire.emit("authentication", &payload).await;
        wire.is_unauthorized().await;
    }
    wire.send(r#"42["authentication"]"#).await;
    wire.is_unauthorized().await;
    wire.authenticate(&alice).await;
}

#[rstest]
#[tokio::test]
async fn a_token_in_the_handshake_authenticates(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Transport::Polling, Transport::Websocket)] transport: Transport,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = connect_with(&app, transport, &json!({ "token": alice.token })).await;
    wire.is_authenticated().await;
    wire.say("hello").await;
    wire.hears("alice@ref.example: hello").await;
}

#[rstest]
#[tokio::test]
async fn a_bad_token_in_the_handshake_is_refused_as_an_event_would_be(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start_with(storage, &[PATIENT]).await;
    let alice = Person::join(&app, "alice").await;
    for token in [json!("wrong"), json!(null), json!([alice.token])] {
        let mut wire = connect_with(&app, Transport::Websocket, &json!({ "token": token })).await;
        wire.is_unauthorized().await;
        wire.authenticate(&alice).await;
    }
}

#[rstest]
#[tokio::test]
async fn a_handshake_without_a_token_counts_for_nothing(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    for auth in [json!({}), json!({ "name": "alice" }), json!(null), json!("text"), json!([1])] {
        let mut wire = connect_with(&app, Transport::Websocket, &auth).await;
        wire.authenticate(&alice).await;
    }
}

/// Connects by Engine.IO 4 with `auth` in the CONNECT packet.
async fn connect_with(app: &TestApp, transport: Transport, auth: &Value) -> Wire {
    let mut wire = Wire::open(app, Eio::V4, transport).await;
    wire.send(&format!("40{auth}")).await;
    wire.is_greeted().await;
    wire
}

#[rstest]
#[tokio::test]
async fn the_token_of_an_inactive_user_is_refused(#[values(Storage::Sqlite, Storage::Postgres)] storage: Storage) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let user = accounts::find_user(&app.app, alice.id).await.unwrap();
    accounts::deactivate(&app.app, &user).await.unwrap();
    is_refused(&app, &alice).await;
}

#[rstest]
#[tokio::test]
async fn a_token_that_was_logged_out_is_refused(#[values(Storage::Sqlite, Storage::Postgres)] storage: Storage) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    alice.log_out(&app).await;
    is_refused(&app, &alice).await;
}

#[rstest]
#[tokio::test]
async fn a_token_that_has_expired_is_refused(#[values(Storage::Sqlite, Storage::Postgres)] storage: Storage) {
    let app = start_with(storage, &[("NATTER_ACCOUNTS__TOKEN_AGE_SECONDS", "3600")]).await;
    let alice = Person::join(&app, "alice").await;
    Wire::enter(&app, &alice).await;
    let db = app.app.database.write();
    let long_ago = OffsetDateTime::now_utc() - Duration::hours(1);
    let age = Statement::from_sql_and_values(
        db.get_database_backend(),
        "UPDATE tokens SET created_at = $1",
        [long_ago.into()],
    );
    assert_eq!(db.execute_raw(age).await.unwrap().rows_affected(), 1);
    is_refused(&app, &alice).await;
}

async fn is_refused(app: &TestApp, person: &Person) {
    let mut wire = Wire::connect(app, Eio::V3, Transport::Websocket).await;
    wire.emit("authentication", &json!({ "token": person.token })).await;
    wire.is_unauthorized().await;
}

/// Else any page that somebody visits could speak and listen in their name.
#[rstest]
#[tokio::test]
async fn no_cookie_opens_a_socket_without_a_token(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Polling, Transport::Websocket)] transport: Transport,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let browser = Browser::logged_in(&app, &alice.email).await;
    let cookies = format!("sessionid={}", browser.cookie("sessionid").unwrap());
    let mut hers = Wire::enter(&app, &alice).await;
    let mut wire = Wire::connect_as(&app, eio, transport, &cookies).await;
    let answer = wire.ask("client-sent-message", &json!({ "message": "forged" })).await;
    assert_eq!((&answer["ok"], &answer["error"]["code"]), (&json!(false), &json!("unauthenticated")), "{answer}");
    assert_eq!(hers.post("not for everybody").await, 1);
    // Nothing else, and that by the deadline.
    wire.is_disconnected().await;
    assert_eq!(app.count("messages").await, 1);
}

#[tokio::test]
async fn nothing_is_left_of_a_socket_that_goes_before_its_deadline() {
    let app = start_with(Storage::Sqlite, &[PATIENT]).await;
    let wire = Wire::connect(&app, Eio::V4, Transport::Websocket).await;
    assert_eq!(app.app.metrics.unauthenticated_sockets.get(), 1);
    drop(wire);
    let gone = async {
        while app.app.metrics.unauthenticated_sockets.get() > 0 {
            tokio::task::yield_now().await;
        }
    };
    within_deadline(gone).await;
}
