//! A server that stops waits for clients to be told, as long as that does not take long.

use std::time::Duration;

use rstest::rstest;

use crate::support::app::{Storage, start};
use crate::support::person::Person;
use crate::support::wire::{Eio, Heard, Transport, Wire};

/// As long as an operator's tools wait before they kill.
const DEADLINE: Duration = Duration::from_secs(10);

#[rstest]
#[tokio::test]
async fn a_client_that_is_between_two_polls_is_told_by_the_next(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let mut app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut between = Wire::connect(&app, eio, Transport::Polling).await;
    between.authenticate(&alice).await;
    // It hears of the stop at once, and so before the other does.
    let mut waiting = Wire::connect(&app, eio, Transport::Websocket).await;
    let comes_by = async {
        assert!(matches!(waiting.next().await, Heard::Closed(_)));
        assert_eq!(between.next().await, Heard::Closed(None));
    };
    let stopped = tokio::time::timeout(DEADLINE, app.stop());
    tokio::join!(async { stopped.await.unwrap() }, comes_by);
}
