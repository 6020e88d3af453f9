//! The websocket protocol, RFC 6455: what a server must do and must not take.

use engine_link::Settings;
use rstest::rstest;

use crate::support::http::{Answer, Connection, Headers};
use crate::support::server::Server;
use crate::support::websocket::{
    ACCEPT, BINARY, CLOSE, CONTINUATION, FINAL, HANDSHAKE, Heard, KEY, PING, PONG, TEXT, Websocket, frame,
};
use crate::support::{Eio, within_deadline};

async fn handshake(method: &str, headers: Headers<'_>) -> Answer {
    let server = Server::engine().await;
    let mut connection = Connection::open(server).await;
    connection.send_head(method, &server.target("EIO=4&transport=websocket"), headers).await;
    connection.answer().await
}

/// A sound handshake but for the header `name`, which is left out without a text.
async fn handshake_with(name: &str, text: Option<&str>) -> Answer {
    let others = HANDSHAKE.iter().copied().filter(|header| header.0 != name);
    handshake("GET", &others.chain(text.map(|text| (name, text))).collect::<Vec<_>>()).await
}

#[tokio::test]
async fn the_opening_handshake_is_answered() {
    let answer = handshake("GET", HANDSHAKE).await;
    assert_eq!((answer.status, answer.text()), (101, ""));
    assert_eq!(answer.header("Upgrade"), Some("websocket"));
    assert_eq!(answer.header("Connection"), Some("Upgrade"));
    assert_eq!(answer.header("Sec-WebSocket-Accept"), Some(ACCEPT));
    assert_eq!(answer.header("Sec-WebSocket-Extensions"), None);
    assert_eq!(answer.header("Sec-WebSocket-Protocol"), None);
}

#[tokio::test]
async fn the_opening_handshake_is_read_without_regard_to_case_and_in_lists() {
    let headers = [
        ("connection", "keep-alive, UPGRADE"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", KEY),
        ("sec-websocket-extensions", "permessage-deflate"),
    ];
    let answer = handshake("GET", &headers).await;
    assert_eq!((answer.status, answer.header("Sec-WebSocket-Accept")), (101, Some(ACCEPT)));
    assert_eq!(answer.header("Sec-WebSocket-Extensions"), None);
}

#[rstest]
#[case::no_connection("Connection", None)]
#[case::another_connection("Connection", Some("keep-alive"))]
#[case::no_upgrade("Upgrade", None)]
#[case::another_upgrade("Upgrade", Some("h2c"))]
#[case::no_version("Sec-WebSocket-Version", None)]
#[case::no_key("Sec-WebSocket-Key", None)]
#[case::a_key_of_another_length("Sec-WebSocket-Key", Some("c2hvcnQ="))]
#[case::a_key_that_is_no_base64("Sec-WebSocket-Key", Some("dGhlIHNhbXBsZSBub25j*Q=="))]
#[tokio::test]
async fn an_opening_handshake_that_is_not_sound_is_refused(#[case] name: &str, #[case] text: Option<&str>) {
    handshake_with(name, text).await.is_bad_request();
}

#[tokio::test]
async fn an_opening_handshake_by_another_method_is_refused() {
    handshake("POST", HANDSHAKE).await.is_bad_request();
}

#[rstest]
#[tokio::test]
async fn an_opening_handshake_of_another_version_is_told_ours(#[values("8", "14", "x")] version: &str) {
    let answer = handshake_with("Sec-WebSocket-Version", Some(version)).await;
    assert_eq!((answer.status, answer.text()), (426, ""));
    assert_eq!(answer.header("Sec-WebSocket-Version"), Some("13"));
}

#[rstest]
#[case::an_unmasked_frame(b"\x81\x064hello".to_vec())]
#[case::a_reserved_bit(frame(FINAL | 0x40 | TEXT, b"4hello"))]
#[case::another_reserved_bit(frame(FINAL | 0x20 | TEXT, b"4hello"))]
#[case::a_third_reserved_bit(frame(FINAL | 0x10 | TEXT, b"4hello"))]
#[case::a_reserved_opcode(frame(FINAL | 0x3, b"4hello"))]
#[case::a_reserved_opcode_of_control(frame(FINAL | 0xb, b""))]
#[case::a_ping_in_fragments(frame(PING, b""))]
#[case::a_close_in_fragments(frame(CLOSE, b""))]
#[case::a_ping_that_is_too_long(frame(FINAL | PING, &[0; 126]))]
#[case::a_continuation_of_nothing(frame(FINAL | CONTINUATION, b"4hello"))]
#[case::a_message_within_another([frame(TEXT, b"4a"), frame(FINAL | TEXT, b"4b")].concat())]
#[case::half_a_close_code(frame(FINAL | CLOSE, b"\x03"))]
#[case::a_close_code_that_must_not_be_sent(frame(FINAL | CLOSE, &1005_u16.to_be_bytes()))]
#[tokio::test]
async fn a_violation_of_the_protocol_is_closed_with_1002(
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[case] frames: Vec<u8>,
) {
    let mut websocket = Websocket::connect(Server::engine().await, eio).await;
    websocket.send_raw(&frames).await;
    websocket.is_closed(1002).await;
}

#[rstest]
#[case::text(frame(FINAL | TEXT, b"4\xff"))]
#[case::half_a_surrogate_pair(frame(FINAL | TEXT, b"4\xed\xa0\xbd"))]
#[case::an_unfinished_character_at_the_end_of_a_message([frame(TEXT, b"4"), frame(FINAL | CONTINUATION, b"\xc3")].concat())]
#[case::the_reason_of_a_close(frame(FINAL | CLOSE, b"\x03\xe8\xff"))]
#[tokio::test]
async fn what_is_no_utf_8_is_closed_with_1007(#[values(Eio::V3, Eio::V4)] eio: Eio, #[case] frames: Vec<u8>) {
    let mut websocket = Websocket::connect(Server::engine().await, eio).await;
    websocket.send_raw(&frames).await;
    websocket.is_closed(1007).await;
}

#[rstest]
#[case::in_one_frame(frame(FINAL | TEXT, &[b'4'; 101]))]
#[case::in_the_sum_of_its_fragments([frame(BINARY, &[4; 60]), frame(FINAL | CONTINUATION, &[4; 41])].concat())]
#[case::by_its_length_alone(b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0".to_vec())]
#[tokio::test]
async fn a_message_that_is_too_large_is_closed_with_1009(
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[case] frames: Vec<u8>,
) {
    let server = Server::engine_with(|config| config.max_payload(100), Settings::default()).await;
    let mut websocket = Websocket::connect(server, eio).await;
    let largest = "4".repeat(100);
    websocket.send(&largest).await;
    websocket.hears(&largest).await;
    websocket.send_raw(&frames).await;
    websocket.is_closed(1009).await;
}

#[tokio::test]
async fn a_ping_is_answered_by_a_pong_with_its_payload() {
    let mut websocket = Websocket::connect(Server::engine().await, Eio::V4).await;
    for payload in [&b""[..], b"Hello", &[0xff; 125]] {
        websocket.send_frame(FINAL | PING, payload).await;
        assert_eq!(websocket.hear().await, Heard::Pong(payload.to_vec()));
    }
    websocket.send_frame(FINAL | PONG, b"unasked").await;
    websocket.send("4hello").await;
    websocket.hears("4hello").await;
}

#[tokio::test]
async fn fragments_are_put_together_and_control_frames_between_them_are_answered_at_once() {
    let mut websocket = Websocket::connect(Server::engine().await, Eio::V4).await;
    websocket.send_frame(TEXT, "4h".as_bytes()).await;
    websocket.send_frame(FINAL | PING, b"between").await;
    assert_eq!(websocket.hear().await, Heard::Pong(b"between".to_vec()));
    websocket.send_frame(CONTINUATION, b"\xc3").await;
    websocket.send_frame(CONTINUATION, b"").await;
    websocket.send_frame(FINAL | CONTINUATION, b"\xa9llo").await;
    websocket.hears("4héllo").await;
    websocket.send_raw(&[frame(BINARY, &[1, 2]), frame(FINAL | CONTINUATION, &[3])].concat()).await;
    websocket.hears_binary(&[1, 2, 3]).await;
}

#[tokio::test]
async fn frames_may_come_byte_for_byte() {
    let mut websocket = Websocket::connect(Server::engine().await, Eio::V4).await;
    for byte in [frame(FINAL | TEXT, b"4one"), frame(FINAL | BINARY, &[7; 200])].concat() {
        websocket.send_raw(&[byte]).await;
    }
    websocket.hears("4one").await;
    websocket.hears_binary(&[7; 200]).await;
}

#[rstest]
#[tokio::test]
async fn a_close_is_answered_with_its_code(
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(1000, 1001, 1011, 3000, 4999)] code: u16,
) {
    let mut websocket = Websocket::connect(Server::engine().await, eio).await;
    websocket.send_raw(&[frame(FINAL | TEXT, b"4hello"), close(code, "bye é")].concat()).await;
    websocket.hears("4hello").await;
    websocket.is_closed(code).await;
}

#[tokio::test]
async fn a_close_without_a_code_is_answered_with_1000() {
    let mut websocket = Websocket::connect(Server::engine().await, Eio::V4).await;
    websocket.send_frame(FINAL | CLOSE, b"").await;
    websocket.is_closed(1000).await;
}

fn close(code: u16, reason: &str) -> Vec<u8> {
    frame(FINAL | CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_floods_is_not_waited_for_when_its_session_has_ended(#[values(Eio::V3, Eio::V4)] eio: Eio) {
    let mut websocket = Websocket::connect(Server::engine().await, eio).await;
    let noops = frame(FINAL | TEXT, b"6").repeat(10_000);
    websocket.send("0").await;
    within_deadline(async { while websocket.try_send_raw(&noops).await.is_ok() {} }).await;
}
