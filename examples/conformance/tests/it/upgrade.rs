//! From polling to a websocket, which both versions of Engine.IO do alike.

use std::time::Duration;

use engine_link::Settings;
use rstest::rstest;

use crate::support::polling::Polling;
use crate::support::server::Server;
use crate::support::websocket::{CLOSE, FINAL, Heard, Websocket};
use crate::support::{Eio, within_deadline};

/// Goes over to a websocket.
async fn upgrade(polling: &Polling) -> Websocket {
    let mut websocket = Websocket::beside(polling).await;
    websocket.send("2probe").await;
    websocket.hears("3probe").await;
    websocket.send_all(&["5", "4upgraded"]).await;
    websocket.hears("4upgraded").await;
    websocket
}

#[rstest]
#[tokio::test]
async fn upgrade_from_polling_to_a_websocket_succeeds(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let polling = Polling::open(Server::engine().await, eio).await;
    let mut websocket = Websocket::beside(&polling).await;
    websocket.send("2probe").await;
    websocket.hears("3probe").await;
    polling.hears(&["6"]).await;
    websocket.send("5").await;
    websocket.send("4hello").await;
    websocket.hears("4hello").await;
    websocket.send_binary(&eio.framed(&[1, 2, 3])).await;
    websocket.hears_binary(&eio.framed(&[1, 2, 3])).await;
}

#[rstest]
#[tokio::test]
async fn a_poll_that_waits_is_let_go_by_a_noop(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let polling = Polling::open(Server::engine().await, eio).await;
    let mut waiting = polling.begin_get().await;
    let mut websocket = Websocket::beside(&polling).await;
    websocket.send("2probe").await;
    websocket.hears("3probe").await;
    let answer = waiting.answer().await;
    answer.brings(eio, &["6"]);
}

#[rstest]
#[tokio::test]
async fn messages_before_during_and_after_an_upgrade_arrive_in_order(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let polling = Polling::open(Server::engine().await, eio).await;
    polling.send(&["4before"]).await;
    polling.hears(&["4before"]).await;

    let mut websocket = Websocket::beside(&polling).await;
    polling.send(&["4beside"]).await;
    polling.hears(&["4beside"]).await;
    websocket.send("2probe").await;
    websocket.hears("3probe").await;
    polling.send(&["4polled"]).await;
    polling.hears(&["4polled"]).await;
    // These wait for a poll that does not come.
    let bytes = if eio == Eio::V3 { "b4AQID" } else { "bAQID" };
    polling.send(&["4first", bytes]).await;
    polling.send(&["4third"]).await;

    websocket.send_all(&["5", "4fourth"]).await;
    websocket.hears("4first").await;
    websocket.hears_binary(&eio.framed(&[1, 2, 3])).await;
    websocket.hears("4third").await;
    websocket.hears("4fourth").await;
}

#[rstest]
#[tokio::test]
async fn a_probe_and_the_upgrade_may_come_in_one_burst_with_messages(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let polling = Polling::open(Server::engine().await, eio).await;
    let mut websocket = Websocket::beside(&polling).await;
    websocket.send_all(&["2probe", "5", "4one", "4two"]).await;
    for packet in ["3probe", "4one", "4two"] {
        websocket.hears(packet).await;
    }
}

#[rstest]
#[tokio::test]
async fn requests_of_a_session_that_has_upgraded_are_refused(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let polling = Polling::open(Server::engine().await, eio).await;
    let mut websocket = upgrade(&polling).await;
    polling.get().await.is_bad_request();
    polling.post(eio.posted(&["4hello"])).await.is_bad_request();
    websocket.send("4still here").await;
    websocket.hears("4still here").await;
}

#[rstest]
#[tokio::test]
async fn a_websocket_for_a_session_that_has_upgraded_is_closed(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let polling = Polling::open(Server::engine().await, eio).await;
    let mut websocket = upgrade(&polling).await;
    Websocket::beside(&polling).await.is_closed(1002).await;
    websocket.send("4still here").await;
    websocket.hears("4still here").await;
}

#[rstest]
#[tokio::test]
async fn a_second_websocket_is_closed_while_the_first_tries(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let polling = Polling::open(Server::engine().await, eio).await;
    let mut websocket = Websocket::beside(&polling).await;
    Websocket::beside(&polling).await.is_closed(1002).await;
    websocket.send_all(&["2probe", "5", "4hello"]).await;
    websocket.hears("3probe").await;
    websocket.hears("4hello").await;
}

#[rstest]
#[tokio::test]
async fn what_is_being_posted_comes_before_what_the_websocket_brings(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let polling = Polling::open(Server::engine().await, eio).await;
    let body = eio.posted(&["4posted"]);
    let mut posting = polling.begin_post(body.len()).await;
    let mut websocket = Websocket::beside(&polling).await;
    websocket.send_all(&["2probe", "5", "4sent"]).await;
    websocket.hears("3probe").await;
    posting.send(body.as_bytes()).await;
    assert_eq!(posting.answer().await.text(), "ok");
    for packet in ["4posted", "4sent"] {
        websocket.hears(packet).await;
    }
}

#[rstest]
#[tokio::test]
async fn a_wrong_probe_leaves_polling_as_it_is_and_another_may_try(
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values("4hello", "abc", "", "0", "1", "3probe")] wrong: &str,
) {
    let polling = Polling::open(Server::engine().await, eio).await;
    let mut websocket = Websocket::beside(&polling).await;
    websocket.send(wrong).await;
    websocket.is_at_its_end().await;
    polling.send(&["4by polling"]).await;
    polling.hears(&["4by polling"]).await;
    upgrade(&polling).await;
}

#[rstest]
#[tokio::test]
async fn a_websocket_that_is_closed_behind_its_probe_leaves_polling_as_it_is_and_another_may_try(
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let polling = Polling::open(Server::engine().await, eio).await;
    let mut websocket = Websocket::beside(&polling).await;
    websocket.send("2probe").await;
    websocket.hears("3probe").await;
    websocket.send_frame(FINAL | CLOSE, &1000_u16.to_be_bytes()).await;
    websocket.is_at_its_end().await;
    polling.send(&["4by polling"]).await;
    polling.hears(&["4by polling"]).await;
    upgrade(&polling).await;
}

#[rstest]
#[tokio::test]
async fn a_websocket_that_breaks_off_leaves_polling_as_it_is_and_another_may_try(
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(false, true)] is_probed: bool,
) {
    let polling = Polling::open(Server::engine().await, eio).await;
    let mut websocket = Websocket::beside(&polling).await;
    if is_probed {
        websocket.send("2probe").await;
        websocket.hears("3probe").await;
    }
    drop(websocket);
    polling.send(&["4by polling"]).await;
    polling.hears(&["4by polling"]).await;
    // It may try as soon as the server has noticed.
    within_deadline(async {
        loop {
            let mut another = Websocket::beside(&polling).await;
            another.send("2probe").await;
            match another.hear().await {
                Heard::Close(Some(1002)) => {}
                heard => return assert_eq!(heard, Heard::Text("3probe".to_owned())),
            }
        }
    })
    .await;
}

#[rstest]
#[tokio::test]
async fn an_upgrade_that_takes_too_long_leaves_polling_as_it_is_and_another_may_try(
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(false, true)] is_probed: bool,
) {
    let timeout = Duration::from_secs(1);
    let server = Server::engine_with(|config| config.upgrade_timeout(timeout), Settings::default()).await;
    let polling = Polling::open(server, eio).await;
    let mut websocket = Websocket::beside(&polling).await;
    if is_probed {
        websocket.send("2probe").await;
        websocket.hears("3probe").await;
    }
    websocket.is_at_its_end().await;
    polling.send(&["4by polling"]).await;
    polling.hears(&["4by polling"]).await;
    upgrade(&polling).await;
}

#[rstest]
#[tokio::test]
async fn a_session_that_ends_while_it_upgrades_takes_the_websocket_with_it(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let polling = Polling::open(Server::engine().await, eio).await;
    let mut websocket = Websocket::beside(&polling).await;
    websocket.send("2probe").await;
    websocket.hears("3probe").await;
    polling.send(&["1"]).await;
    websocket.send("5").await;
    websocket.is_at_its_end().await;
    polling.get().await.is_session_unknown();
}

/// It reads in one task and is written to in another, of which either may be first to see that the client has gone.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_client_that_reads_nothing_and_breaks_off_after_its_upgrade_ends_its_session(
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    const ECHOES: usize = 100;
    let server = Server::engine().await;
    for _ in 0..20 {
        let polling = Polling::open(server, eio).await;
        let mut websocket = upgrade(&polling).await;
        let long = format!("4{}", "x".repeat(90_000));
        for _ in 0..ECHOES {
            websocket.send(&long).await;
        }
        websocket.reset();
        // The server goes on for others, and forgets the session.
        let mut other = Websocket::connect(server, eio).await;
        other.send("4hello").await;
        other.hears("4hello").await;
        let is_forgotten = async { while !polling.get().await.text().contains("Session ID unknown") {} };
        within_deadline(is_forgotten).await;
    }
}
