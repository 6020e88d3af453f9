//! Requests and sessions as both versions of Engine.IO have them: what is refused, and what ends a session.

use engine_link::{Above, Settings};
use engineioxide::TransportType;
use rstest::rstest;

use crate::support::Eio;
use crate::support::http::{ask, get};
use crate::support::polling::Polling;
use crate::support::server::Server;
use crate::support::websocket::Websocket;

#[rstest]
#[tokio::test]
async fn handshake_fails_with_an_invalid_transport(
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values("", "&transport=", "&transport=abc", "&transport=Polling", "&transport=abc&transport=polling")] transport: &str,
) {
    let server = Server::engine().await;
    let query = format!("EIO={}{transport}", eio.number());
    get(server, &query).await.is_transport_unknown();
    Websocket::try_open(server, &query).await.err().unwrap().is_transport_unknown();
}

#[rstest]
#[tokio::test]
async fn handshake_fails_with_an_invalid_version(#[values("", "&EIO=", "&EIO=abc", "&EIO=2", "&EIO=5")] version: &str) {
    let server = Server::engine().await;
    get(server, &format!("transport=polling{version}")).await.is_unsupported_protocol();
    let websocket = Websocket::try_open(server, &format!("transport=websocket{version}")).await;
    websocket.err().unwrap().is_unsupported_protocol();
}

#[rstest]
#[tokio::test]
async fn handshake_fails_with_an_invalid_request_method(
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values("POST", "PUT", "DELETE")] method: &str,
) {
    let server = Server::engine().await;
    let query = format!("EIO={}&transport=polling", eio.number());
    ask(server, method, &query, &[], b"").await.is_bad_method();
}

#[rstest]
#[tokio::test]
async fn a_transport_that_is_not_offered_is_refused(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let server = Server::engine_with(|config| config.transports([TransportType::Polling]), Settings::default()).await;
    let query = format!("EIO={}&transport=", eio.number());
    Websocket::try_open(server, &format!("{query}websocket")).await.err().unwrap().is_transport_unknown();
    let open = get(server, &format!("{query}polling")).await;
    assert!(String::from_utf8_lossy(&open.body).contains(r#""upgrades":[],"#), "{open:?}");
}

#[rstest]
#[tokio::test]
async fn a_request_with_an_unknown_session_is_refused(
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values("", "abc", "AAAAAAAAAAAAAAAA")] session: &str,
) {
    let server = Server::engine().await;
    let query = |transport| format!("EIO={}&transport={transport}&sid={session}", eio.number());
    get(server, &query("polling")).await.is_session_unknown();
    ask(server, "POST", &query("polling"), &[], eio.posted(&["4hello"]).as_bytes()).await.is_session_unknown();
    Websocket::try_open(server, &query("websocket")).await.err().unwrap().is_session_unknown();
}

#[rstest]
#[tokio::test]
async fn a_request_for_a_session_by_another_method_is_refused(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let polling = Polling::open(Server::engine().await, eio).await;
    let query = format!("EIO={}&transport=polling&sid={}", eio.number(), polling.session);
    ask(polling.server, "PUT", &query, &[], b"").await.is_bad_method();
    polling.send(&["4hello"]).await;
    polling.hears(&["4hello"]).await;
}

#[rstest]
#[tokio::test]
async fn a_session_of_a_websocket_cannot_be_polled_or_taken_over(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let server = Server::engine().await;
    let (mut websocket, open) = Websocket::begin(server, eio).await;
    let polling = Polling { server, eio, session: open["sid"].as_str().unwrap().to_owned() };
    polling.get().await.is_bad_request();
    polling.post(eio.posted(&["4hello"])).await.is_bad_request();
    Websocket::beside(&polling).await.is_closed(1002).await;
    websocket.send("4hello").await;
    websocket.hears("4hello").await;
}

#[rstest]
#[tokio::test]
async fn a_post_is_answered_ok_and_a_poll_may_not_be_stored(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let polling = Polling::open(Server::engine().await, eio).await;
    let answer = polling.post(eio.posted(&["4hello"])).await;
    let content_type = answer.header("Content-Type");
    assert_eq!((answer.status, content_type, answer.text()), (200, Some("text/html"), "ok"));
    assert_eq!(polling.get().await.header("Cache-Control"), Some("no-store"));
}

#[rstest]
#[tokio::test]
async fn duplicate_poll_requests_close_the_session(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let polling = Polling::open(Server::engine().await, eio).await;
    let (mut one, mut other) = (polling.begin_get().await, polling.begin_get().await);
    let (one, other) = tokio::join!(one.answer(), other.answer());
    let (told, refused) = if one.status == 200 { (one, other) } else { (other, one) };
    told.brings(eio, &["1"]);
    refused.is_bad_request();
    polling.get().await.is_session_unknown();
}

#[rstest]
#[tokio::test]
async fn duplicate_post_requests_close_the_session(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let polling = Polling::open(Server::engine().await, eio).await;
    let _first = polling.begin_post(100).await;
    polling.post(eio.posted(&["4second"])).await.is_bad_request();
    polling.get().await.is_session_unknown();
}

#[rstest]
#[tokio::test]
async fn packets_that_only_a_server_sends_close_the_session_over_polling(
    #[values((Eio::V3, "0"), (Eio::V3, "3"), (Eio::V3, "5"), (Eio::V4, "0"), (Eio::V4, "2"), (Eio::V4, "5"))] case: (
        Eio,
        &str,
    ),
) {
    let (eio, packet) = case;
    let polling = Polling::open(Server::engine().await, eio).await;
    let mut waiting = polling.begin_get().await;
    polling.send(&[packet, "4behind"]).await;
    // The poll comes in before the session has ended, or behind it.
    let told = waiting.answer().await;
    if told.status == 200 {
        told.brings(eio, &["1"]);
    } else {
        told.is_session_unknown();
    }
    polling.get().await.is_session_unknown();
}

#[rstest]
#[tokio::test]
async fn packets_that_only_a_server_sends_close_a_websocket(
    #[values((Eio::V3, "0"), (Eio::V3, "3"), (Eio::V3, "5"), (Eio::V4, "0"), (Eio::V4, "2"), (Eio::V4, "5"))] case: (
        Eio,
        &str,
    ),
) {
    let (eio, packet) = case;
    let mut websocket = Websocket::connect(Server::engine().await, eio).await;
    websocket.send_all(&[packet, "4behind"]).await;
    websocket.is_closed(1002).await;
}

#[rstest]
#[tokio::test]
async fn a_close_packet_over_polling_closes_the_session(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let polling = Polling::open(Server::engine().await, eio).await;
    polling.send(&["4unheard", "1", "4behind"]).await;
    polling.get().await.is_session_unknown();
    polling.post(eio.posted(&["4hello"])).await.is_session_unknown();
}

#[rstest]
#[tokio::test]
async fn a_close_packet_over_polling_lets_a_waiting_poll_go(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut polling = Polling::open(Server::engine().await, eio).await;
    // That a poll waits cannot be seen from here, so it is tried until one came in before the post.
    loop {
        let mut waiting = polling.begin_get().await;
        polling.send(&["1"]).await;
        let told = waiting.answer().await;
        if told.status == 200 {
            told.brings(eio, &["6"]);
            break;
        }
        told.is_session_unknown();
        polling = Polling::open(polling.server, eio).await;
    }
    polling.get().await.is_session_unknown();
}

#[rstest]
#[tokio::test]
async fn a_close_packet_over_a_websocket_closes_the_session(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let server = Server::engine().await;
    let (mut websocket, open) = Websocket::begin(server, eio).await;
    websocket.send_all(&["1", "4behind"]).await;
    websocket.is_closed(1000).await;
    let polling = Polling { server, eio, session: open["sid"].as_str().unwrap().to_owned() };
    polling.get().await.is_session_unknown();
}

#[rstest]
#[tokio::test]
async fn a_body_that_is_larger_than_may_be_is_refused_and_the_session_goes_on(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let server = Server::engine_with(|config| config.max_payload(100), Settings::default()).await;
    let polling = Polling::open(server, eio).await;
    let of_length = |length: usize| {
        let counted = eio.posted(&[&format!("4{}", "x".repeat(90))]).len() - 91;
        format!("4{}", "x".repeat(length - counted - 1))
    };
    let answer = polling.post(eio.posted(&[&of_length(101)])).await;
    assert_eq!((answer.status, answer.text()), (413, ""));
    let largest = of_length(100);
    assert_eq!(eio.posted(&[&largest]).len(), 100);
    polling.send(&[&largest]).await;
    polling.hears(&[&largest]).await;
}

#[rstest]
#[tokio::test]
async fn a_websocket_sends_and_receives_a_text(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::connect(Server::engine().await, eio).await;
    // No ping comes between: the first one is due an interval after the handshake.
    for message in ["4hello", "4", "4\0", "4hé€😀", "4\u{1e}4", "4b"] {
        websocket.send(message).await;
        websocket.hears(message).await;
    }
    let long = format!("4{}", "x".repeat(100_000));
    websocket.send(&long).await;
    websocket.hears(&long).await;
}

#[rstest]
#[tokio::test]
async fn a_websocket_sends_and_receives_bytes(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::connect(Server::engine().await, eio).await;
    for bytes in [&[1, 2, 3, 4][..], &[4], &[], &vec![0xff; 70_000]] {
        websocket.send_binary(&eio.framed(bytes)).await;
        websocket.hears_binary(&eio.framed(bytes)).await;
    }
}

#[rstest]
#[tokio::test]
async fn a_noop_is_ignored(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let server = Server::engine().await;
    let mut websocket = Websocket::connect(server, eio).await;
    websocket.send_all(&["6", "4hello"]).await;
    websocket.hears("4hello").await;
    let polling = Polling::open(server, eio).await;
    polling.send(&["6", "4hello"]).await;
    polling.hears(&["4hello"]).await;
}

#[rstest]
#[tokio::test]
async fn an_invalid_packet_closes_a_websocket(
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values("abc", "", "7", "hello", "é", "b*")] packet: &str,
) {
    let server = Server::engine().await;
    let (mut websocket, open) = Websocket::begin(server, eio).await;
    websocket.send_all(&[packet, "4behind"]).await;
    websocket.is_closed(1002).await;
    let polling = Polling { server, eio, session: open["sid"].as_str().unwrap().to_owned() };
    polling.get().await.is_session_unknown();
}

/// Of Socket.IO, packets behind a CONNECT are held back for ten seconds at most; this one is answered by nobody.
#[tokio::test]
async fn what_was_posted_arrives_in_the_end_even_if_its_client_does_not_wait_for_the_answer() {
    let settings = Settings { above: Above::SocketIo, ..Settings::default() };
    let polling = Polling::open(Server::engine_with(|config| config, settings).await, Eio::V4).await;
    let body = Eio::V4.posted(&["40", "4hello"]);
    let mut posting = polling.begin_post(body.len()).await;
    posting.send(body.as_bytes()).await;
    polling.hears(&["40"]).await;
    drop(posting);
    polling.hears(&["4hello"]).await;
}
