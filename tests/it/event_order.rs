//! Events of one socket are handled in the order in which they were sent, however fast they come.

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::json;

use crate::support::app::{PATIENT, Storage, TestApp, start, start_with};
use crate::support::packet::{authentication, message};
use crate::support::person::Person;
use crate::support::wire::{Eio, Transport, Wire};

#[rstest]
#[tokio::test]
async fn messages_right_behind_an_authentication_are_handled_after_its_success(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Polling, Transport::Websocket, Transport::Upgrade)] transport: Transport,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, transport).await;
    let texts: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    let packets: Vec<_> =
        [authentication(&alice.token)].into_iter().chain(texts.iter().map(|text| message(text))).collect();
    wire.send_all(&packets.iter().map(String::as_str).collect::<Vec<_>>()).await;
    wire.is_authenticated().await;
    for text in texts {
        wire.hears(&format!("alice@ref.example: {text}")).await;
    }
}

#[rstest]
#[tokio::test]
async fn messages_right_behind_a_failed_authentication_are_ignored(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start_with(storage, &[PATIENT]).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, Transport::Websocket).await;
    let packets = [authentication("wrong"), message("lost"), authentication(&alice.token), message("kept")];
    wire.send_all(&packets.each_ref().map(String::as_str)).await;
    wire.is_unauthorized().await;
    wire.is_authenticated().await;
    wire.hears("alice@ref.example: kept").await;
}

#[rstest]
#[tokio::test]
async fn messages_before_any_authentication_are_ignored_and_the_socket_stays_useful(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, Transport::Websocket).await;
    wire.say("too early").await;
    wire.authenticate(&alice).await;
    wire.say("now").await;
    let message = wire.message().await;
    assert_eq!((&message["message"], &message["seq"]), (&json!("alice@ref.example: now"), &json!(1)));
}

#[rstest]
#[tokio::test]
async fn a_socket_that_only_sends_messages_is_disconnected_at_its_deadline(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let mut wire = Wire::connect(&app, Eio::V3, Transport::Websocket).await;
    wire.say("too early").await;
    wire.is_disconnected().await;
}

#[rstest]
#[tokio::test]
async fn a_socket_that_sends_too_much_before_its_authentication_is_through_is_disconnected(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start_with(storage, &[("NATTER_GATEWAY__PENDING_EVENTS", "10"), PATIENT]).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, Eio::V4, Transport::Websocket).await;
    let packets: Vec<_> = [authentication(&alice.token)].into_iter().chain((0..5_000).map(|_| message("x"))).collect();
    wire.send_all(&packets.iter().map(String::as_str).collect::<Vec<_>>()).await;
    while wire.packet().await != "41" {}
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_clients_that_authenticate_at_once_are_all_authenticated(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start_with(storage, &[PATIENT]).await;
    let alice = Person::join(&app, "alice").await;
    for _ in 0..10 {
        join_all((0..200).map(|_| enter(&app, eio, &alice))).await;
    }
}

async fn enter(app: &TestApp, eio: Eio, person: &Person) {
    Wire::connect(app, eio, Transport::Websocket).await.authenticate(person).await;
}

#[rstest]
#[tokio::test]
async fn an_old_polling_client_may_authenticate_before_it_hears_that_it_is_connected(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::open(&app, Eio::V3, Transport::Polling).await;
    wire.send(&authentication(&alice.token)).await;
    wire.is_greeted().await;
    wire.is_authenticated().await;
}

#[rstest]
#[tokio::test]
async fn events_right_behind_an_upgrade_are_handled_in_order(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, Transport::Polling).await;
    wire.upgrade_and_send(&app, &[&authentication(&alice.token), &message("one"), &message("two")]).await;
    wire.is_authenticated().await;
    wire.hears("alice@ref.example: one").await;
    wire.hears("alice@ref.example: two").await;
}

#[rstest]
#[tokio::test]
async fn events_sent_by_polling_are_handled_before_those_behind_the_upgrade(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, Transport::Polling).await;
    wire.authenticate(&alice).await;
    wire.say("one").await;
    wire.hears("alice@ref.example: one").await;
    wire.upgrade_and_send(&app, &[&message("two")]).await;
    wire.hears("alice@ref.example: two").await;
}
