//! Socket.IO 5, over Engine.IO 4, where it differs from its predecessor: a client asks for each namespace.

use rstest::rstest;

use crate::support::Eio::V4;
use crate::support::polling::Polling;
use crate::support::server::{CALM, Server};
use crate::support::websocket::Websocket;

#[tokio::test]
async fn nobody_is_connected_who_does_not_ask_for_it() {
    let mut websocket = Websocket::connect(Server::socket_io().await, V4).await;
    websocket.send("40/custom,").await;
    websocket.is_connected("/custom,").await;
    websocket.hears(r#"42/custom,["auth",{}]"#).await;
    websocket.send(r#"42/custom,["message",1]"#).await;
    websocket.hears(r#"42/custom,["message-back",1]"#).await;
}

#[rstest]
#[case::main("40", "", "42")]
#[case::main_by_name("40/,", "", "42")]
#[case::custom("40/custom,", "/custom,", "42/custom,")]
#[case::custom_without_a_comma("40/custom", "/custom,", "42/custom,")]
#[tokio::test]
async fn connection_to_a_namespace_is_allowed(#[case] connect: &str, #[case] namespace: &str, #[case] event: &str) {
    let mut websocket = Websocket::connect(Server::socket_io().await, V4).await;
    websocket.send(connect).await;
    let session = websocket.is_connected(namespace).await;
    assert!(session.len() >= 16, "{session}");
    websocket.hears(&format!(r#"{event}["auth",{{}}]"#)).await;
}

#[rstest]
#[case::main(r#"40{"token":"123"}"#, "", r#"42["auth",{"token":"123"}]"#)]
#[case::custom(r#"40/custom,{"token":"abc"}"#, "/custom,", r#"42/custom,["auth",{"token":"abc"}]"#)]
#[case::more_than_a_token(r#"40{"a":[1,{"b":null}],"é":"€"}"#, "", r#"42["auth",{"a":[1,{"b":null}],"é":"€"}]"#)]
#[tokio::test]
async fn connection_to_a_namespace_with_a_payload_is_allowed(
    #[case] connect: &str,
    #[case] namespace: &str,
    #[case] event: &str,
) {
    let mut websocket = Websocket::connect(Server::socket_io().await, V4).await;
    websocket.send(connect).await;
    websocket.is_connected(namespace).await;
    websocket.hears(event).await;
}

#[rstest]
#[tokio::test]
async fn connection_to_an_unknown_namespace_is_refused_with_an_object(
    #[values("40/random", "40/random,", r#"40/random,{"token":"123"}"#)] connect: &str,
) {
    let mut websocket = Websocket::connect(Server::socket_io().await, V4).await;
    // What comes behind is not held up.
    websocket.send_all(&[connect, "40"]).await;
    websocket.hears(r#"44/random,{"message":"Invalid namespace"}"#).await;
    websocket.is_connected("").await;
}

#[rstest]
#[case::an_unknown_type("4abc")]
#[case::an_event(r#"42["message",1]"#)]
#[case::an_event_of_a_custom_namespace(r#"42/custom,["message",1]"#)]
#[case::an_acknowledgement("431[]")]
#[case::a_disconnect("41")]
#[tokio::test]
async fn whoever_sends_something_else_before_they_connect_is_closed(#[case] packet: &str) {
    let mut websocket = Websocket::connect(Server::socket_io().await, V4).await;
    websocket.send(packet).await;
    websocket.is_closed(1000).await;
}

#[tokio::test]
async fn whoever_does_not_connect_in_time_is_closed() {
    let settings = conformance::Settings { connect_timeout: 100, ..CALM };
    let server = Server::conformance("/socket.io/", settings).await;
    Websocket::connect(server, V4).await.is_closed(1000).await;
    let mut refused = Websocket::connect(server, V4).await;
    refused.send("40/random,").await;
    refused.hears(r#"44/random,{"message":"Invalid namespace"}"#).await;
    refused.is_closed(1000).await;
    let polling = Polling::open(server, V4).await;
    polling.hears(&["1"]).await;
    polling.get().await.is_session_unknown();
}

#[tokio::test]
async fn whoever_is_connected_outlives_the_connect_timeout() {
    let settings = conformance::Settings { connect_timeout: 500, ..CALM };
    let server = Server::conformance("/socket.io/", settings).await;
    let mut websocket = Websocket::enter(server, V4).await;
    let mut clock = Websocket::connect(server, V4).await;
    clock.is_closed(1000).await;
    websocket.send(r#"42["message",1]"#).await;
    websocket.hears(r#"42["message-back",1]"#).await;
}

#[tokio::test]
async fn events_in_one_burst_with_the_connect_wait_until_it_is_answered() {
    let mut websocket = Websocket::connect(Server::socket_io().await, V4).await;
    websocket.send_all(&["40", r#"42["message",1]"#, r#"427["message-with-ack",2]"#]).await;
    websocket.is_connected("").await;
    for packet in [r#"42["message-back",1]"#, "437[2]", r#"42["auth",{}]"#] {
        websocket.hears(packet).await;
    }
}

#[tokio::test]
async fn a_client_connects_again_after_it_has_disconnected() {
    let mut websocket = Websocket::enter(Server::socket_io().await, V4).await;
    websocket.send_all(&["41", "40"]).await;
    websocket.is_connected("").await;
    websocket.hears(r#"42["auth",{}]"#).await;
}

#[tokio::test]
async fn a_session_by_polling_goes_over_to_a_websocket() {
    let polling = Polling::open(Server::socket_io().await, V4).await;
    polling.send(&["40"]).await;
    let [connected, auth] = &polling.next(2).await[..] else { panic!("more than was asked for") };
    assert!(connected.starts_with(r#"40{"sid":""#), "{connected}");
    assert_eq!(auth, r#"42["auth",{}]"#);
    polling.send(&[r#"42["message","hello"]"#, r#"42["message","world"]"#]).await;
    polling.hears(&[r#"42["message-back","hello"]"#, r#"42["message-back","world"]"#]).await;

    let mut websocket = Websocket::beside(&polling).await;
    websocket.send("2probe").await;
    websocket.hears("3probe").await;
    websocket.send_all(&["5", r#"42["message","hello"]"#, "40/custom,"]).await;
    websocket.hears(r#"42["message-back","hello"]"#).await;
    websocket.is_connected("/custom,").await;
    websocket.hears(r#"42/custom,["auth",{}]"#).await;
    websocket.send("1").await;
    websocket.is_closed(1000).await;
}
