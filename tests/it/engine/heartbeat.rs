//! Clients show that they are alive by answers to the server's pings, or in Engine.IO 3 by pings of their own; those who
//! poll as well.

use std::time::Duration;

use rstest::rstest;

use crate::support::app::{PATIENT, Storage, start_with};
use crate::support::person::Person;
use crate::support::polling::Polling;
use crate::support::wire::{Eio, Heard, Transport, Wire, within_deadline};

#[rstest]
#[tokio::test]
async fn a_poller_that_keeps_the_heartbeat_outlives_one_that_only_polls(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let settings = [("NATTER_GATEWAY__PING_INTERVAL", "200"), ("NATTER_GATEWAY__PING_TIMEOUT", "1000"), PATIENT];
    let app = start_with(storage, &settings).await;
    let alice = Person::join(&app, "alice").await;
    let mut alive = Wire::connect(&app, eio, Transport::Polling).await;
    let mut dead = Wire::connect(&app, eio, Transport::Polling).await;
    let dying = tokio::spawn(async move { while dead.polling().poll().await.is_some() {} });
    within_deadline(async {
        while !dying.is_finished() {
            beat(alive.polling(), eio).await;
        }
    })
    .await;
    dying.await.unwrap();
    alive.authenticate(&alice).await;
}

async fn beat(polling: &Polling, eio: Eio) {
    match eio {
        Eio::V3 => {
            polling.send(&["2"]).await;
            assert_eq!(polling.poll().await.unwrap(), ["3"]);
        }
        Eio::V4 => {
            assert_eq!(polling.poll().await.unwrap(), ["2"]);
            polling.send(&["3"]).await;
        }
    }
}

/// At the next beat, and not only when its answer would have been too late.
#[rstest]
#[tokio::test]
async fn a_client_that_answers_later_than_the_next_ping_was_due_is_pinged_again(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let settings = [("NATTER_GATEWAY__PING_INTERVAL", "100"), ("NATTER_GATEWAY__PING_TIMEOUT", "60000"), PATIENT];
    let app = start_with(storage, &settings).await;
    let mut late = Wire::connect(&app, Eio::V4, Transport::Websocket).await;
    for _ in 0..3 {
        let ping = within_deadline(late.websocket().read()).await;
        assert_eq!(ping, Heard::Packet("2".to_owned()));
        tokio::time::sleep(Duration::from_millis(250)).await;
        late.send("3").await;
    }
}
