//! A client that does not read is cut, and nobody else misses anything.

use rstest::rstest;
use serde_json::json;

use crate::support::app::{Storage, start_with};
use crate::support::person::Person;
use crate::support::wire::{Eio, Heard, Transport, Wire};

/// More than the buffers of both ends of a connection take.
const COUNT: i64 = 200;
const TEXT_BYTES: usize = 100_000;

/// What may wait for a client, and so be kept for one that comes back.
const PACKETS: [(&str, &str); 2] = [("NATTER_GATEWAY__SEND_QUEUE", "8"), ("NATTER_CHAT__RECENT_MESSAGES", "8")];
const BYTES: [(&str, &str); 2] =
    [("NATTER_GATEWAY__SEND_QUEUE_BYTES", "1000000"), ("NATTER_CHAT__RECENT_BYTES", "1000000")];

#[rstest]
#[tokio::test]
async fn a_client_that_stops_reading_is_cut_while_others_miss_nothing_and_it_can_come_back(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(PACKETS, BYTES)] bound: [(&str, &str); 2],
) {
    let app = start_with(storage, &bound).await;
    let alice = Person::join(&app, "alice").await;
    let mut slow = Wire::connect(&app, eio, Transport::Websocket).await;
    slow.authenticate(&alice).await;
    let mut fast = Wire::connect(&app, eio, Transport::Websocket).await;
    fast.authenticate(&alice).await;
    let mut poster = Wire::enter(&app, &alice).await;

    let text = "x".repeat(TEXT_BYTES);
    for seq in 1..=COUNT {
        assert_eq!(poster.post(&text).await, seq);
        assert_eq!(poster.message().await["seq"], seq);
        assert_eq!(fast.message().await["seq"], seq);
    }
    assert_eq!(app.app.metrics.slow_sockets.get(), 1);

    // What it has heard has no hole.
    let mut last = 0;
    while let Heard::Packet(packet) = slow.next().await {
        if packet == "41" {
            continue;
        }
        last += 1;
        assert!(packet.contains(&format!(r#""seq":{last},"#)));
    }
    assert!(last < COUNT);

    let mut back = Wire::connect(&app, eio, Transport::Websocket).await;
    back.emit("authentication", &json!({ "token": alice.token, "serverOffset": last })).await;
    back.is_authenticated().await;
    for seq in last + 1..=COUNT {
        assert_eq!(back.message().await["seq"], seq);
    }
}

#[rstest]
#[tokio::test]
async fn a_client_that_stops_polling_is_cut_and_has_heard_no_hole(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start_with(storage, &PACKETS).await;
    let alice = Person::join(&app, "alice").await;
    let mut slow = Wire::connect(&app, eio, Transport::Polling).await;
    slow.authenticate(&alice).await;
    let mut poster = Wire::enter(&app, &alice).await;
    for seq in 1..=20 {
        assert_eq!(poster.post("x").await, seq);
        assert_eq!(poster.message().await["seq"], seq);
    }
    assert_eq!(app.app.metrics.slow_sockets.get(), 1);
    let mut last = 0;
    while let Heard::Packet(packet) = slow.next().await {
        last += 1;
        assert!(packet.contains(&format!(r#""seq":{last},"#)), "{packet}");
    }
    assert!(last < 20);
}
