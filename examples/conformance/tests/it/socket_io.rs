//! Socket.IO as versions 4 and 5 have it in common: events, acknowledgements and attachments.

use rstest::rstest;

use crate::support::Eio;
use crate::support::polling::Polling;
use crate::support::server::Server;
use crate::support::websocket::Websocket;

/// Joins `/custom` beside the main namespace.
async fn join_custom(websocket: &mut Websocket, eio: Eio) {
    websocket.send("40/custom,").await;
    match eio {
        Eio::V3 => websocket.hears("40/custom,").await,
        Eio::V4 => drop(websocket.is_connected("/custom,").await),
    }
    websocket.hears(r#"42/custom,["auth",{}]"#).await;
}

/// Sends an attachment.
async fn attach(websocket: &mut Websocket, eio: Eio, bytes: &[u8]) {
    websocket.send_binary(&eio.framed(bytes)).await;
}

/// Hears an attachment next.
async fn hears_attached(websocket: &mut Websocket, eio: Eio, bytes: &[u8]) {
    websocket.hears_binary(&eio.framed(bytes)).await;
}

/// The main namespace answers.
async fn is_alive(websocket: &mut Websocket) {
    websocket.send(r#"42["message","still here"]"#).await;
    websocket.hears(r#"42["message-back","still here"]"#).await;
}

#[rstest]
#[tokio::test]
async fn an_event_is_sent_with_arguments_of_every_kind(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    for arguments in [
        r#",1,"2",{"3":[true]}"#,
        "",
        ",null",
        ",true,false",
        ",0,-1,1.5,-0.25,9007199254740991",
        r#","","\"\\\n""#,
        ",[],{},[[],[{}]]",
        r#",{"b":1,"a":{"c":[null,"d"]}}"#,
        r#",["message"],"message""#,
    ] {
        websocket.send(&format!(r#"42["message"{arguments}]"#)).await;
        websocket.hears(&format!(r#"42["message-back"{arguments}]"#)).await;
    }
}

/// In JSON's escapes towards Engine.IO 3, which clients read alike however often they decode UTF-8.
#[rstest]
#[case::engine_io_3(Eio::V3, r"\u00e9\u20ac\ud83d\ude00")]
#[case::engine_io_4(Eio::V4, "é€😀")]
#[tokio::test]
async fn an_event_is_sent_with_text_that_is_not_ascii(#[case] eio: Eio, #[case] text: &str) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    websocket.send(r#"42["message","é€😀"]"#).await;
    websocket.hears(&format!(r#"42["message-back","{text}"]"#)).await;
}

#[rstest]
#[tokio::test]
async fn an_event_is_sent_in_a_custom_namespace(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    join_custom(&mut websocket, eio).await;
    websocket.send(r#"42/custom,["message",1]"#).await;
    websocket.hears(r#"42/custom,["message-back",1]"#).await;
    is_alive(&mut websocket).await;
}

#[rstest]
#[tokio::test]
async fn an_event_without_a_listener_is_ignored(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    websocket.send(r#"427["nobody listens",1]"#).await;
    is_alive(&mut websocket).await;
}

#[rstest]
#[tokio::test]
async fn an_event_is_acknowledged_with_its_id(
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values("0", "456", "9007199254740991")] id: &str,
) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    websocket.send(&format!(r#"42{id}["message-with-ack",1,"2",{{"3":[false]}}]"#)).await;
    websocket.hears(&format!(r#"43{id}[1,"2",{{"3":[false]}}]"#)).await;
    websocket.send(&format!(r#"42{id}["message-with-ack"]"#)).await;
    websocket.hears(&format!("43{id}[]")).await;
}

#[rstest]
#[tokio::test]
async fn an_event_in_a_custom_namespace_is_acknowledged_there(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    join_custom(&mut websocket, eio).await;
    websocket.send(r#"42/custom,13["message-with-ack","bar"]"#).await;
    websocket.hears(r#"43/custom,13["bar"]"#).await;
}

#[rstest]
#[tokio::test]
async fn the_server_asks_for_acknowledgements(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    for (asked, id) in [("first", 1), ("second", 2)] {
        websocket.send(&format!(r#"42["emit-with-ack","{asked}"]"#)).await;
        websocket.hears(&format!(r#"42{id}["emit-with-ack","{asked}"]"#)).await;
    }
    // In any order.
    websocket.send(r#"432["to the second",2]"#).await;
    websocket.hears(r#"42["emit-with-ack","to the second",2]"#).await;
    websocket.send("431[]").await;
    websocket.hears(r#"42["emit-with-ack"]"#).await;
}

#[rstest]
#[tokio::test]
async fn an_acknowledgement_that_nobody_waits_for_is_ignored(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    websocket.send_all(&["43999[]", "439223372036854775807[1]"]).await;
    is_alive(&mut websocket).await;
}

#[rstest]
#[tokio::test]
async fn an_event_is_sent_with_attachments(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    let arguments = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    websocket.send(&format!(r#"452-["message",{arguments}]"#)).await;
    attach(&mut websocket, eio, &[1, 2, 3]).await;
    attach(&mut websocket, eio, &[4, 5, 6]).await;
    websocket.hears(&format!(r#"452-["message-back",{arguments}]"#)).await;
    hears_attached(&mut websocket, eio, &[1, 2, 3]).await;
    hears_attached(&mut websocket, eio, &[4, 5, 6]).await;
}

#[rstest]
#[tokio::test]
async fn attachments_stand_anywhere_in_the_arguments(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    let arguments = r#""text",{"a":[{"_placeholder":true,"num":0},1]},[[{"_placeholder":true,"num":1}]]"#;
    websocket.send(&format!(r#"452-["message",{arguments}]"#)).await;
    attach(&mut websocket, eio, &[]).await;
    attach(&mut websocket, eio, &[0xff; 1000]).await;
    websocket.hears(&format!(r#"452-["message-back",{arguments}]"#)).await;
    hears_attached(&mut websocket, eio, &[]).await;
    hears_attached(&mut websocket, eio, &[0xff; 1000]).await;
}

#[rstest]
#[tokio::test]
async fn an_event_with_attachments_is_acknowledged_with_attachments(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    let arguments = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    websocket.send(&format!(r#"452-789["message-with-ack",{arguments}]"#)).await;
    attach(&mut websocket, eio, &[1, 2, 3]).await;
    attach(&mut websocket, eio, &[4, 5, 6]).await;
    websocket.hears(&format!("462-789[{arguments}]")).await;
    hears_attached(&mut websocket, eio, &[1, 2, 3]).await;
    hears_attached(&mut websocket, eio, &[4, 5, 6]).await;
}

#[rstest]
#[tokio::test]
async fn a_client_acknowledges_with_attachments(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    websocket.send(r#"42["emit-with-ack"]"#).await;
    websocket.hears(r#"421["emit-with-ack"]"#).await;
    websocket.send(r#"461-1["bar",{"_placeholder":true,"num":0}]"#).await;
    attach(&mut websocket, eio, &[1, 2, 3, 4]).await;
    websocket.hears(r#"451-["emit-with-ack","bar",{"_placeholder":true,"num":0}]"#).await;
    hears_attached(&mut websocket, eio, &[1, 2, 3, 4]).await;
}

#[rstest]
#[tokio::test]
async fn attachments_are_sent_in_a_custom_namespace(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    join_custom(&mut websocket, eio).await;
    websocket.send(r#"451-/custom,["message",{"_placeholder":true,"num":0}]"#).await;
    attach(&mut websocket, eio, &[1]).await;
    websocket.hears(r#"451-/custom,["message-back",{"_placeholder":true,"num":0}]"#).await;
    hears_attached(&mut websocket, eio, &[1]).await;
    websocket.send(r#"451-/custom,456["message-with-ack",{"_placeholder":true,"num":0}]"#).await;
    attach(&mut websocket, eio, &[2]).await;
    websocket.hears(r#"461-/custom,456[{"_placeholder":true,"num":0}]"#).await;
    hears_attached(&mut websocket, eio, &[2]).await;
}

#[rstest]
#[tokio::test]
async fn attachments_are_sent_by_polling_in_base64(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    // In text, whichever version.
    let polling = Polling::open_with(Server::socket_io().await, eio, "&b64=1").await;
    let bytes = if eio == Eio::V3 { "b4AQID" } else { "bAQID" };
    let event = r#"451-["message",{"_placeholder":true,"num":0}]"#;
    let answer = r#"451-["message-back",{"_placeholder":true,"num":0}]"#;
    if eio == Eio::V4 {
        polling.send(&["40"]).await;
    }
    polling.send(&[event, bytes]).await;
    // With the two that greet it.
    let heard = polling.next(4).await;
    assert!(heard.windows(2).any(|pair| pair == [answer, bytes]), "{heard:?}");
}

#[rstest]
#[case::an_unknown_type("4abc")]
#[case::a_type_beyond_the_last("47")]
#[case::nothing("4")]
#[case::an_error_which_only_a_server_sends("44")]
#[case::a_payload_that_is_no_array("42{}")]
#[case::no_payload("42")]
#[case::a_payload_without_an_event("42[]")]
#[case::an_event_without_a_name("42[{}]")]
#[case::a_payload_that_is_no_json(r#"42["message",nul]"#)]
#[case::a_payload_without_its_end(r#"42["message""#)]
#[case::an_id_that_is_no_number(r#"42abc["message-with-ack",1,"2",{"3":[false]}]"#)]
#[case::an_acknowledgement_without_an_id("43[]")]
#[case::no_number_of_attachments(r#"45["message"]"#)]
#[case::a_number_of_attachments_that_is_none(r#"45x-["message"]"#)]
#[case::more_attachments_than_may_be(r#"499999-["message"]"#)]
#[tokio::test]
async fn an_invalid_packet_closes_the_connection(#[values(Eio::V3, Eio::V4)] eio: Eio, #[case] packet: &str) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    websocket.send_all(&[packet, r#"42["message","behind"]"#]).await;
    websocket.is_closed(1000).await;
}

#[rstest]
#[tokio::test]
async fn text_where_an_attachment_is_due_closes_the_connection(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    websocket.send_all(&[r#"451-["message",{"_placeholder":true,"num":0}]"#, r#"42["message"]"#]).await;
    websocket.is_closed(1000).await;
}

#[rstest]
#[tokio::test]
async fn bytes_that_are_no_attachment_close_the_connection(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    attach(&mut websocket, eio, &[1, 2, 3]).await;
    websocket.is_closed(1000).await;
}

#[rstest]
#[tokio::test]
async fn an_invalid_packet_over_polling_closes_the_connection(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let polling = Polling::open(Server::socket_io().await, eio).await;
    if eio == Eio::V4 {
        polling.send(&["40"]).await;
    }
    assert_eq!(polling.next(2).await[1], r#"42["auth",{}]"#);
    polling.send(&["42{}"]).await;
    polling.hears(if eio == Eio::V3 { &["6", "1"] } else { &["1"] }).await;
    polling.get().await.is_session_unknown();
}

#[rstest]
#[tokio::test]
async fn a_client_disconnects_from_a_custom_namespace_and_stays_in_the_main_one(
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values("41/custom,", "41/custom")] disconnect: &str,
) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    join_custom(&mut websocket, eio).await;
    websocket.send(disconnect).await;
    is_alive(&mut websocket).await;
    join_custom(&mut websocket, eio).await;
}

#[rstest]
#[tokio::test]
async fn a_client_disconnects_from_the_main_namespace_and_stays_in_another(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    join_custom(&mut websocket, eio).await;
    websocket.send_all(&["41", r#"42/custom,["message",1]"#]).await;
    websocket.hears(r#"42/custom,["message-back",1]"#).await;
}

#[rstest]
#[tokio::test]
async fn an_event_behind_a_disconnect_closes_the_connection(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    websocket.send_all(&["41", r#"42["message",1]"#]).await;
    websocket.is_closed(1000).await;
}

#[rstest]
#[tokio::test]
async fn an_event_to_a_namespace_that_was_not_joined_closes_the_connection(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    websocket.send(r#"42/custom,["message",1]"#).await;
    websocket.is_closed(1000).await;
}

#[rstest]
#[tokio::test]
async fn an_event_to_a_namespace_that_does_not_exist_is_ignored(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    websocket.send(r#"42/random,["message",1]"#).await;
    is_alive(&mut websocket).await;
}

#[rstest]
#[tokio::test]
async fn a_second_connect_to_a_namespace_is_ignored(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::enter(Server::socket_io().await, eio).await;
    join_custom(&mut websocket, eio).await;
    websocket.send_all(&["40/custom,", "40"]).await;
    is_alive(&mut websocket).await;
}
