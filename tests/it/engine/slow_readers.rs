//! For whom too much waits is cut by the engine: its transport closes, and what it has heard has no hole.

use rstest::rstest;

use crate::support::app::{Storage, start_with};
use crate::support::crowd::{Crowd, FEW_BYTES, FEW_PACKETS, MANY, long_text};
use crate::support::person::Person;
use crate::support::wire::{Eio, Transport, Wire};

#[rstest]
#[tokio::test]
async fn a_client_that_stops_reading_is_cut_has_heard_no_hole_and_can_come_back(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(FEW_PACKETS, FEW_BYTES)] bound: [(&str, &str); 3],
) {
    let app = start_with(storage, &bound).await;
    let alice = Person::join(&app, "alice").await;
    let mut slow = Wire::connect(&app, eio, Transport::Websocket).await;
    slow.authenticate(&alice).await;
    let mut others = Crowd::gather(&app, eio, &alice, 1).await;
    for seq in 1..=MANY {
        assert_eq!(others.hears(&long_text()).await, seq);
    }
    assert_eq!(app.app.metrics.slow_sockets.get(), 1);
    let last = slow.hears_until_closed().await;
    assert!(last < MANY);
    Wire::come_back(&app, eio, &alice, last).await.hears_all(last + 1..=MANY).await;
}

#[rstest]
#[tokio::test]
async fn a_client_that_stops_polling_is_cut_and_has_heard_no_hole(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    const COUNT: i64 = 20;
    let app = start_with(storage, &FEW_PACKETS).await;
    let alice = Person::join(&app, "alice").await;
    let mut slow = Wire::connect(&app, eio, Transport::Polling).await;
    slow.authenticate(&alice).await;
    let mut others = Crowd::gather(&app, eio, &alice, 0).await;
    for seq in 1..=COUNT {
        assert_eq!(others.hears("x").await, seq);
    }
    assert_eq!(app.app.metrics.slow_sockets.get(), 1);
    assert!(slow.hears_until_closed().await < COUNT);
}
