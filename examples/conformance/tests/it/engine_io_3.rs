//! Engine.IO 3 where it differs from its successor: two framings, text that may be encoded twice, scripts and forms, and
//! clients that ping.

use engine_link::{Cookie, DoubleEncoding, Settings, UnnamedProtocol};
use rstest::rstest;

use crate::support::Eio::{V3, V4};
use crate::support::http::get;
use crate::support::polling::Polling;
use crate::support::server::{CALM, Server};
use crate::support::websocket::Websocket;

const SUITE: conformance::Settings = conformance::Settings { ping_interval: 300, ping_timeout: 200, ..CALM };

const PATH: &str = "/engine.io/";
const BYTES: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=UTF-8";
const FORM: &str = "application/x-www-form-urlencoded";

/// An engine with settings of its own, which pings nobody while a test lasts.
async fn engine_with(settings: Settings) -> Server {
    Server::engine_with(|config| config, settings).await
}

/// The open packet without its session.
fn is_open_packet(packet: &str) -> bool {
    let (before, after) =
        (r#"0{"sid":""#, r#"","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}"#);
    let session = packet.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    session.is_some_and(|session| session.len() >= 16)
}

#[tokio::test]
async fn handshake_over_polling_opens_a_session() {
    let server = Server::conformance(PATH, SUITE).await;
    for query in ["EIO=3&transport=polling", "EIO=3&transport=polling&b64=1"] {
        let answer = get(server, query).await;
        assert_eq!((answer.status, answer.header("Content-Type")), (200, Some(TEXT)));
        let (length, packet) = answer.text().split_once(':').unwrap();
        assert_eq!(length, packet.len().to_string());
        assert!(is_open_packet(packet), "{answer:?}");
    }
}

#[tokio::test]
async fn handshake_over_a_websocket_opens_a_session() {
    let (_, mut open) = Websocket::begin(Server::conformance(PATH, SUITE).await, V3).await;
    assert!(open["sid"].take().as_str().is_some_and(|session| session.len() >= 16));
    let rest = r#"{"sid":null,"upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}"#;
    assert_eq!(open.to_string(), rest);
}

#[rstest]
#[tokio::test]
async fn handshake_without_a_version_is_of_version_3_where_that_is_set(
    #[values("", "&EIO=", "&EIO=abc", "&EIO=2")] version: &str,
) {
    let settings = Settings { unnamed_protocol: UnnamedProtocol::IsThird, ..Settings::default() };
    let server = engine_with(settings).await;
    let answer = get(server, &format!("transport=polling{version}")).await;
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some(TEXT)));
    let mut websocket = Websocket::open(server, &format!("transport=websocket{version}")).await;
    websocket.hear().await;
    websocket.send("2").await;
    websocket.hears("3").await;
    let mut newer = Websocket::connect(server, V4).await;
    newer.send("4hello").await;
    newer.hears("4hello").await;
}

#[rstest]
#[case::one_text("6:4hello")]
#[case::an_empty_text("1:4")]
#[case::several_texts("6:4test16:4test26:4test3")]
#[case::text_and_bytes("6:4hello10:b4AQIDBA==")]
#[case::no_bytes("2:b41:4")]
#[case::text_beyond_ascii_which_is_counted_in_units_of_utf_16("6:4hé€😀3:4€é")]
#[tokio::test]
async fn a_payload_of_text_is_sent_and_received(#[case] payload: &str) {
    let polling = Polling::open_with(Server::engine().await, V3, "&b64=1").await;
    let posted = polling.post(payload).await;
    assert_eq!((posted.status, posted.text()), (200, "ok"));
    let polled = polling.get_with("&b64=1").await;
    assert_eq!((polled.status, polled.header("Content-Type")), (200, Some(TEXT)));
    assert_eq!(polled.text(), payload);
}

#[rstest]
#[case::text_and_bytes(b"\0\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04")]
#[case::bytes_that_look_like_framing(b"\x01\x04\xff\x04\0\x01\xff\x01\x01\xff\x04")]
#[case::text_beyond_ascii_which_is_counted_in_bytes(
    b"\0\x01\x01\xff4h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x01\x02\xff\x04\xc3"
)]
#[tokio::test]
async fn a_payload_of_bytes_is_sent_and_received(#[case] payload: &[u8]) {
    let polling = Polling::open(Server::engine().await, V3).await;
    let posted = polling.post_as(BYTES, "", payload).await;
    assert_eq!((posted.status, posted.text()), (200, "ok"));
    let polled = polling.get().await;
    assert_eq!((polled.status, polled.header("Content-Type")), (200, Some(BYTES)));
    assert_eq!(polled.body, payload);
}

#[tokio::test]
async fn a_payload_of_bytes_that_has_text_alone_is_received_and_answered_in_text() {
    let polling = Polling::open(Server::engine().await, V3).await;
    let payload = b"\0\x06\xff4test1\0\x06\xff4test2\0\x01\xff4";
    assert_eq!(polling.post_as(BYTES, "", payload).await.text(), "ok");
    let polled = polling.get().await;
    assert_eq!((polled.status, polled.header("Content-Type")), (200, Some(TEXT)));
    assert_eq!(polled.text(), "6:4test16:4test21:4");
}

#[tokio::test]
async fn a_payload_of_text_may_be_answered_in_bytes() {
    let polling = Polling::open(Server::engine().await, V3).await;
    assert_eq!(polling.post("6:4hello10:b4AQIDBA==").await.text(), "ok");
    assert_eq!(polling.get().await.body, b"\0\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04");
}

#[tokio::test]
async fn a_payload_of_bytes_may_be_answered_in_text() {
    let polling = Polling::open_with(Server::engine().await, V3, "&b64=1").await;
    let posted = polling.post_as(BYTES, "", b"\0\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04").await;
    assert_eq!(posted.text(), "ok");
    // What is asked for later does not count.
    assert_eq!(polling.get_with("&b64=0").await.text(), "6:4hello10:b4AQIDBA==");
}

#[rstest]
#[case::no_length(b"abc")]
#[case::nothing(b"")]
#[case::an_unknown_type(b"1:7")]
#[case::a_length_beyond_the_end(b"7:4hello")]
#[case::a_rest_behind_the_last_packet(b"5:4hello")]
#[case::half_a_character(b"2:4\xf0\x9f\x98\x80")]
#[case::malformed_base64(b"5:b4A*=")]
#[case::bytes_that_are_no_message(b"6:b2AQ==")]
#[case::no_utf_8(b"2:4\xff")]
#[case::a_payload_of_version_4(b"4hello")]
#[tokio::test]
async fn an_invalid_payload_of_text_closes_the_session(#[case] payload: &[u8]) {
    is_refused_and_closes("text/plain;charset=UTF-8", payload).await;
}

#[rstest]
#[case::no_length(b"\0\xff4")]
#[case::an_unknown_kind(b"\x02\x01\xff4")]
#[case::an_unknown_type(b"\0\x01\xff7")]
#[case::a_length_beyond_the_end(b"\0\x07\xff4hello")]
#[case::no_end_of_a_length(b"\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x00\x01\x02")]
#[case::bytes_that_are_no_message(b"\x01\x02\xff\x02\x01")]
#[case::no_utf_8(b"\0\x02\xff4\xff")]
#[tokio::test]
async fn an_invalid_payload_of_bytes_closes_the_session(#[case] payload: &[u8]) {
    is_refused_and_closes(BYTES, payload).await;
}

async fn is_refused_and_closes(content_type: &str, payload: &[u8]) {
    let polling = Polling::open(Server::engine().await, V3).await;
    polling.post_as(content_type, "", payload).await.is_bad_request();
    polling.get().await.is_session_unknown();
    polling.post("6:4hello").await.is_session_unknown();
}

#[tokio::test]
async fn bytes_of_a_websocket_without_their_type_close_it() {
    let server = Server::engine().await;
    for bytes in [&[][..], &[1, 2, 3]] {
        let mut websocket = Websocket::connect(server, V3).await;
        websocket.send_binary(bytes).await;
        websocket.is_closed(1002).await;
    }
}

/// Text as clients of 1.x put it into the framing of text: each byte of its UTF-8 as a character.
fn twice(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

/// A text in the framing of bytes: a zero, its length in bytes digit by digit, and 255 before it.
fn framed(text: &str) -> Vec<u8> {
    let digits = text.len().to_string().bytes().map(|digit| digit - b'0').collect::<Vec<_>>();
    [b"\0", &digits[..], b"\xff", text.as_bytes()].concat()
}

#[tokio::test]
async fn text_that_is_encoded_twice_is_understood() {
    let polling = Polling::open(Server::engine().await, V3).await;
    for text in ["4ascii", "4é€😀", "4ascii", "4é"] {
        // In the framing of bytes, which the attachment asks for, it is encoded once, by all clients.
        polling.send(&[&twice(text), "b4AQ=="]).await;
        assert_eq!(polling.get().await.body, [&framed(text)[..], b"\x01\x02\xff\x04\x01"].concat());
    }
}

#[tokio::test]
async fn text_that_is_encoded_once_is_understood_even_if_later_text_looks_as_if_it_were_encoded_twice() {
    let polling = Polling::open(Server::engine().await, V3).await;
    for text in ["4ascii", "4€", "4Ã©"] {
        polling.send(&[text]).await;
        polling.hears(&[text]).await;
    }
}

#[tokio::test]
async fn who_encodes_twice_is_answered_so() {
    let polling = Polling::open_with(Server::engine().await, V3, "&b64=1").await;
    polling.send(&[&twice("4é")]).await;
    assert_eq!(polling.get().await.text(), V3.posted(&[&twice("4é")]));
    assert_eq!(polling.post_as(BYTES, "", framed("4ü")).await.text(), "ok");
    assert_eq!(polling.get().await.text(), V3.posted(&[&twice("4ü")]));
}

#[tokio::test]
async fn how_text_is_encoded_can_be_set() {
    let never = engine_with(Settings { double_encoding: DoubleEncoding::Never, ..Settings::default() }).await;
    let polling = Polling::open(never, V3).await;
    polling.send(&["4Ã©"]).await;
    polling.hears(&["4Ã©"]).await;

    let always = engine_with(Settings { double_encoding: DoubleEncoding::Always, ..Settings::default() }).await;
    let polling = Polling::open(always, V3).await;
    polling.send(&["4Ã©", "b4AQ=="]).await;
    assert_eq!(polling.get().await.body, [&framed("4é")[..], b"\x01\x02\xff\x04\x01"].concat());
    polling.post("2:4€").await.is_bad_request();
    polling.get().await.is_session_unknown();
}

#[tokio::test]
async fn the_server_answers_pings_over_polling() {
    let polling = Polling::open(Server::engine().await, V3).await;
    for (ping, pong) in [("2", "3"), ("2", "3"), ("2probe", "3probe")] {
        polling.send(&[ping]).await;
        polling.hears(&[pong]).await;
    }
}

#[tokio::test]
async fn the_server_answers_pings_over_a_websocket() {
    let mut websocket = Websocket::connect(Server::engine().await, V3).await;
    for (ping, pong) in [("2", "3"), ("2", "3"), ("2probe", "3probe")] {
        websocket.send(ping).await;
        websocket.hears(pong).await;
    }
}

#[tokio::test]
async fn the_server_does_not_ping() {
    let server = Server::conformance(PATH, conformance::Settings { ping_interval: 50, ..CALM }).await;
    let mut websocket = Websocket::connect(server, V3).await;
    let polling = Polling::open(server, V3).await;
    // Three intervals, as a client of version 4 is told.
    let mut clock = Websocket::connect(server, V4).await;
    for _ in 0..3 {
        clock.hears("2").await;
        clock.send("3").await;
    }
    websocket.send("2").await;
    websocket.hears("3").await;
    polling.send(&["2"]).await;
    polling.hears(&["3"]).await;
}

#[tokio::test]
async fn a_client_that_does_not_ping_over_polling_is_closed() {
    let settings = conformance::Settings { ping_interval: 100, ping_timeout: 1000, ..CALM };
    let polling = Polling::open(Server::conformance(PATH, settings).await, V3).await;
    polling.hears(&["1"]).await;
    polling.get().await.is_session_unknown();
    polling.post("1:2").await.is_session_unknown();
}

#[tokio::test]
async fn a_client_that_pings_outlives_one_that_does_not() {
    let settings = conformance::Settings { ping_interval: 100, ping_timeout: 1000, ..CALM };
    let server = Server::conformance(PATH, settings).await;
    let mut alive = Websocket::connect(server, V3).await;
    let mut silent = Websocket::connect(server, V3).await;
    let dying = tokio::spawn(async move { silent.is_closed(1000).await });
    while !dying.is_finished() {
        alive.send("2").await;
        alive.hears("3").await;
    }
    dying.await.unwrap();
    alive.send("4hello").await;
    alive.hears("4hello").await;
}

#[tokio::test]
async fn a_script_polls_text() {
    let server = Server::engine().await;
    let answer = get(server, "EIO=3&transport=polling&j=0").await;
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some("text/javascript; charset=UTF-8")));
    let call = answer.text().strip_prefix(r#"___eio[0](""#).and_then(|rest| rest.strip_suffix(r#"");"#)).unwrap();
    let (length, packet) = call.split_once(':').unwrap();
    let packet = packet.replace('\\', "");
    assert_eq!(length, packet.len().to_string());
    assert!(packet.starts_with(r#"0{"sid":""#), "{packet}");
}

#[tokio::test]
async fn a_script_hears_what_would_end_its_line_or_its_string_in_escapes() {
    let polling = Polling::open_with(Server::engine().await, V3, "&j=0").await;
    let message = "4say \"\\n\"\n\r\t\0\u{2028}\u{2029}</script>é😀";
    let payload = V3.posted(&[message, "b4AQIDBA=="]);
    assert_eq!(polling.post_as(BYTES, "", framed(message)).await.text(), "ok");
    assert_eq!(polling.post("10:b4AQIDBA==").await.text(), "ok");
    let escaped = r#"4say \"\\n\"\n\r\t\u0000\u2028\u2029\u003c/script>é😀"#;
    let length = &payload[..payload.find(':').unwrap()];
    let answer = polling.get_with("&j=4").await;
    assert_eq!(answer.text(), format!(r#"___eio[4]("{length}:{escaped}10:b4AQIDBA==");"#));
}

#[rstest]
#[case::text("4hello", "4hello")]
#[case::a_line_feed("4a\nb", r"4a\nb")]
#[case::a_backslash_and_an_n(r"4a\nb", r"4a\\nb")]
#[case::form_characters("4a+b&c=d%20 e", "4a+b&c=d%20 e")]
#[case::text_beyond_ascii("4é€😀", "4é€😀")]
#[tokio::test]
async fn a_form_posts_text(#[case] message: &str, #[case] escaped: &str) {
    let polling = Polling::open_with(Server::engine().await, V3, "&j=0").await;
    let value = format!("{}:{escaped}", message.encode_utf16().count());
    let encoded = value.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    assert_eq!(polling.post_as(FORM, "&j=0", format!("d={encoded}")).await.text(), "ok");
    // Over a websocket, on which nothing is escaped.
    let mut websocket = Websocket::beside(&polling).await;
    websocket.send_all(&["2probe", "5"]).await;
    websocket.hears("3probe").await;
    websocket.hears(message).await;
}

#[tokio::test]
async fn a_form_without_a_payload_closes_the_session() {
    let polling = Polling::open_with(Server::engine().await, V3, "&j=0").await;
    polling.post_as(FORM, "&j=0", "e=6%3A4hello").await.is_bad_request();
    polling.get_with("&j=0").await.is_session_unknown();
}

#[tokio::test]
async fn a_script_is_called_by_number_only() {
    let server = Server::engine().await;
    for (asked, called) in [("7", "7"), ("alert(1);2", "12"), ("", "0"), ("x", "0")] {
        let answer = get(server, &format!("EIO=3&transport=polling&j={asked}")).await;
        assert!(answer.text().starts_with(&format!(r#"___eio[{called}](""#)), "{answer:?}");
    }
}

#[rstest]
#[case::bare("", "")]
#[case::with_attributes("Path=/; HttpOnly", "; Path=/; HttpOnly")]
#[tokio::test]
async fn the_io_cookie_is_set_with_every_answer(#[case] attributes: &str, #[case] behind: &str) {
    let cookie = Cookie { name: "io".to_owned(), attributes: attributes.to_owned() };
    let server = engine_with(Settings { cookie: Some(cookie), ..Settings::default() }).await;
    let open = get(server, "EIO=3&transport=polling").await;
    let polling = Polling::open(server, V3).await;
    let cookie = format!("io={}{behind}", polling.session);
    assert_eq!(open.header("Set-Cookie").map(str::len), Some(cookie.len()));
    assert_eq!(polling.post("6:4hello").await.header("Set-Cookie"), Some(cookie.as_str()));
    assert_eq!(polling.get().await.header("Set-Cookie"), Some(cookie.as_str()));
}
