//! A server that stops finishes what it has begun.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::app::{Storage, TestApp, start};
use crate::support::person::Person;
use crate::support::wire::{Eio, Heard, Transport, Wire};

/// As long as an operator's tools wait before they kill.
const DEADLINE: Duration = Duration::from_secs(10);

async fn stop(app: &mut TestApp) {
    tokio::time::timeout(DEADLINE, app.stop()).await.unwrap();
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_before_the_stop_is_committed_and_acknowledged_or_refused(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    const COUNT: u64 = 2_000;
    let mut app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::enter(&app, &alice).await;
    let packets: Vec<_> =
        (0..COUNT).map(|id| format!("42{id}{}", json!(["client-sent-message", { "message": id }]))).collect();
    wire.send_all(&packets.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // The first answer shows that the rest is on its way.
    assert_eq!(wire.answer(0).await["seq"], 1);
    stop(&mut app).await;

    let mut acknowledged = vec![json!("alice@ref.example: 0")];
    while let Heard::Packet(packet) = wire.next().await {
        let Some((id, answer)) = packet.strip_prefix("43").and_then(|ack| ack.split_once('[')) else { continue };
        let answer: Value = serde_json::from_str(answer.strip_suffix(']').unwrap()).unwrap();
        if answer["ok"] == true {
            acknowledged.push(json!(format!("alice@ref.example: {id}")));
            assert_eq!(answer["seq"], acknowledged.len());
        } else {
            assert_eq!(answer["error"]["code"], "stopping");
        }
    }
    let app = app.restart().await;
    assert_eq!(alice.history(&app).await, acknowledged);
}

#[rstest]
#[tokio::test]
async fn sockets_are_told_and_their_transports_closed(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Websocket, Transport::Upgrade)] transport: Transport,
) {
    let mut app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut authenticated = Wire::connect(&app, eio, transport).await;
    authenticated.authenticate(&alice).await;
    let mut stranger = Wire::connect(&app, eio, transport).await;
    stop(&mut app).await;
    for wire in [&mut authenticated, &mut stranger] {
        // No `41`: a client would take that for a dismissal, and not come back.
        assert!(matches!(wire.next().await, Heard::Closed(_)));
    }
}

#[rstest]
#[tokio::test]
async fn a_waiting_poll_is_answered(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let mut app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, Transport::Polling).await;
    wire.authenticate(&alice).await;
    let waiting = tokio::spawn(async move { wire.next().await });
    // Answered after the poll has come in, as it is sent after it.
    alice.get(&app, "/api/users/me/").send().await.unwrap();
    stop(&mut app).await;
    assert_eq!(waiting.await.unwrap(), Heard::Closed(None));
}

#[rstest]
#[tokio::test]
async fn a_connection_that_says_nothing_does_not_hold_the_server_up(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let mut app = start(storage).await;
    let _silent = tokio::net::TcpStream::connect(app.address).await.unwrap();
    let _open = Wire::open(&app, Eio::V4, Transport::Websocket).await;
    stop(&mut app).await;
}

#[rstest]
#[tokio::test]
async fn accounts_tokens_and_history_are_there_after_a_restart(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::enter(&app, &alice).await;
    for seq in 1..=3 {
        assert_eq!(wire.post("hello").await, seq);
    }
    let app = app.restart().await;
    assert_eq!(alice.history(&app).await, vec![json!("alice@ref.example: hello"); 3]);
    assert_eq!(Wire::enter(&app, &alice).await.post("hello").await, 4);
}
