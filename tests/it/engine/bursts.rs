//! What a client sends behind its CONNECT packet, before it has heard of it, is handled once it is connected.

use futures_util::future::join_all;
use rstest::rstest;

use crate::support::app::{PATIENT, Storage, TestApp, start, start_with};
use crate::support::packet::authentication;
use crate::support::person::Person;
use crate::support::wire::{Eio, Transport, Wire};

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_clients_that_connect_and_authenticate_in_one_burst_are_all_authenticated(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start_with(storage, &[PATIENT]).await;
    let alice = Person::join(&app, "alice").await;
    for _ in 0..25 {
        join_all((0..200).map(|_| burst(&app, eio, &alice))).await;
    }
}

async fn burst(app: &TestApp, eio: Eio, person: &Person) {
    let mut wire = Wire::begin(app, eio).await;
    let authentication = authentication(&person.token);
    let packets: &[&str] = match eio {
        Eio::V3 => &[&authentication],
        Eio::V4 => &["40", &authentication],
    };
    wire.send_all(packets).await;
    assert!(wire.packet().await.starts_with('0'));
    wire.is_greeted().await;
    wire.is_authenticated().await;
}

#[rstest]
#[tokio::test]
async fn an_event_right_behind_a_connect_packet_of_any_form_is_handled(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values("40", "40{}", r#"40{"name":"alice"}"#, "40/,", "40/,{}")] connect: &str,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    for _ in 0..20 {
        let mut wire = Wire::open(&app, Eio::V4, Transport::Websocket).await;
        wire.send_all(&[connect, &authentication(&alice.token)]).await;
        wire.is_greeted().await;
        wire.is_authenticated().await;
    }
}
