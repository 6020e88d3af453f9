//! Socket.IO 4, over Engine.IO 3, where it differs from its successor: everybody is in the main namespace, and a query may
//! stand behind a namespace.

use rstest::rstest;

use crate::support::Eio::V3;
use crate::support::http::get;
use crate::support::polling::Polling;
use crate::support::server::Server;
use crate::support::websocket::Websocket;

#[tokio::test]
async fn everybody_is_connected_to_the_main_namespace() {
    let mut websocket = Websocket::connect(Server::socket_io().await, V3).await;
    websocket.hears("40").await;
    websocket.hears(r#"42["auth",{}]"#).await;
    websocket.send(r#"42["message","message to main namespace"]"#).await;
    websocket.hears(r#"42["message-back","message to main namespace"]"#).await;
}

/// Browsers of socket.io-client 1.0 read nothing else.
#[tokio::test]
async fn polls_are_answered_in_the_framing_of_bytes_where_there_is_text_alone() {
    let answer = get(Server::socket_io().await, "EIO=3&transport=polling").await;
    assert_eq!(answer.header("Content-Type"), Some("application/octet-stream"));
    let [0, hundreds, tens, ones, 0xff, packet @ ..] = &answer.body[..] else { panic!("{answer:?}") };
    assert_eq!(packet.len(), usize::from(*hundreds) * 100 + usize::from(*tens) * 10 + usize::from(*ones));
}

#[tokio::test]
async fn whoever_polls_is_told_with_the_next_poll() {
    let server = Server::socket_io().await;
    let open = get(server, "EIO=3&transport=polling&b64=1").await;
    let (length, packet) = open.text().split_once(':').unwrap();
    assert_eq!(length, packet.len().to_string(), "more than the open packet");
    let polling = Polling::open(server, V3).await;
    assert_eq!(polling.next(2).await, ["40", r#"42["auth",{}]"#]);
}

#[rstest]
#[case::by_its_name("40/custom,")]
#[case::without_a_comma("40/custom")]
#[case::with_a_query("40/custom?token=1234&uid=abcd,")]
#[case::with_a_query_and_without_a_comma("40/custom?token=1234&uid=abcd")]
#[tokio::test]
async fn connection_to_a_custom_namespace_is_allowed(#[case] connect: &str) {
    let mut websocket = Websocket::enter(Server::socket_io().await, V3).await;
    websocket.send(connect).await;
    websocket.hears("40/custom,").await;
    websocket.hears(r#"42/custom,["auth",{}]"#).await;
    websocket.send(r#"42/custom,["message",1]"#).await;
    websocket.hears(r#"42/custom,["message-back",1]"#).await;
}

#[rstest]
#[tokio::test]
async fn connection_to_an_unknown_namespace_is_refused_with_a_string(
    #[values("40/random", "40/random,", "40/random?token=1234,")] connect: &str,
) {
    let mut websocket = Websocket::enter(Server::socket_io().await, V3).await;
    websocket.send(connect).await;
    websocket.hears(r#"44/random,"Invalid namespace""#).await;
    websocket.send(r#"42["message",1]"#).await;
    websocket.hears(r#"42["message-back",1]"#).await;
}

#[tokio::test]
async fn a_query_behind_the_main_namespace_is_ignored() {
    let mut websocket = Websocket::enter(Server::socket_io().await, V3).await;
    websocket.send_all(&["40/?token=1234,", r#"42["message",1]"#]).await;
    websocket.hears(r#"42["message-back",1]"#).await;
}

#[tokio::test]
async fn events_that_come_before_the_client_has_heard_that_it_is_connected_wait_until_it_is() {
    let server = Server::socket_io().await;
    let mut websocket = Websocket::open(server, "EIO=3&transport=websocket").await;
    websocket.send_all(&[r#"42["message",1]"#, r#"427["message-with-ack",2]"#]).await;
    websocket.hear().await;
    for packet in ["40", r#"42["message-back",1]"#, "437[2]", r#"42["auth",{}]"#] {
        websocket.hears(packet).await;
    }
}

#[tokio::test]
async fn text_beyond_ascii_is_polled_in_the_escapes_of_json_which_all_clients_read_alike() {
    let polling = Polling::open_with(Server::socket_io().await, V3, "&b64=1").await;
    let mut heard = polling.get().await.text().to_owned();
    if !heard.contains("auth") {
        heard.push_str(polling.get().await.text());
    }
    assert_eq!(heard, V3.posted(&["40", r#"42["auth",{}]"#]));
    polling.send(&[r#"42["message","é😀"]"#]).await;
    assert_eq!(polling.get().await.text(), V3.posted(&[r#"42["message-back","\u00e9\ud83d\ude00"]"#]));
}

#[tokio::test]
async fn a_session_by_polling_goes_over_to_a_websocket() {
    let polling = Polling::open(Server::socket_io().await, V3).await;
    assert_eq!(polling.next(2).await, ["40", r#"42["auth",{}]"#]);
    polling.send(&[r#"42["message","hello"]"#, r#"42["message","world"]"#]).await;
    polling.hears(&[r#"42["message-back","hello"]"#, r#"42["message-back","world"]"#]).await;

    let mut websocket = Websocket::beside(&polling).await;
    websocket.send("2probe").await;
    websocket.hears("3probe").await;
    websocket.send_all(&["5", r#"42["message","hello"]"#, "40/custom,"]).await;
    websocket.hears(r#"42["message-back","hello"]"#).await;
    websocket.hears("40/custom,").await;
    websocket.hears(r#"42/custom,["auth",{}]"#).await;
    websocket.send("1").await;
    websocket.is_closed(1000).await;
}
