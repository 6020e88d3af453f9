//! A client that does not take what is said is cut off and sees it, and nobody else misses anything.

use rstest::rstest;

use crate::support::app::{Storage, start_with};
use crate::support::crowd::{Crowd, FEW_PACKETS, MANY, long_text};
use crate::support::person::Person;
use crate::support::wire::{Eio, Transport, Wire};

#[rstest]
#[tokio::test]
async fn a_client_that_stops_reading_is_cut_off_while_others_miss_nothing_and_it_can_come_back(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Polling, Transport::Websocket)] transport: Transport,
) {
    let app = start_with(storage, &FEW_PACKETS).await;
    let alice = Person::join(&app, "alice").await;
    let mut slow = Wire::connect(&app, eio, transport).await;
    slow.authenticate(&alice).await;
    let mut others = Crowd::gather(&app, eio, &alice, 1).await;
    for seq in 1..=MANY {
        assert_eq!(others.hears(&long_text()).await, seq);
    }
    assert_eq!(app.app.metrics.slow_sockets.get(), 1);
    assert!(slow.hears_until_ended().await < MANY);
    Wire::come_back(&app, eio, &alice, 0).await.hears_all(1..=MANY).await;
}
