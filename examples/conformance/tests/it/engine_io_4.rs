//! Engine.IO 4 where it differs from its predecessor: payloads, and a server that pings.

use engine_link::{Cookie, Settings};
use rstest::rstest;
use tokio::time::Duration;

use crate::support::Eio::V4;
use crate::support::http::get;
use crate::support::polling::Polling;
use crate::support::server::{CALM, Server};
use crate::support::websocket::{Heard, Websocket};

/// What the suites expect to find configured.
const SUITE: conformance::Settings = conformance::Settings { ping_interval: 300, ping_timeout: 200, ..CALM };

const PATH: &str = "/engine.io/";

#[tokio::test]
async fn handshake_over_polling_opens_a_session() {
    let server = Server::conformance(PATH, SUITE).await;
    let answer = get(server, "EIO=4&transport=polling").await;
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some("text/plain; charset=UTF-8")));
    let (before, after) =
        (r#"0{"sid":""#, r#"","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}"#);
    let session = answer.text().strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    assert!(session.is_some_and(|session| session.len() >= 16), "{answer:?}");
}

#[tokio::test]
async fn handshake_over_a_websocket_opens_a_session() {
    let (_, mut open) = Websocket::begin(Server::conformance(PATH, SUITE).await, V4).await;
    assert!(open["sid"].take().as_str().is_some_and(|session| session.len() >= 16));
    let rest = r#"{"sid":null,"upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}"#;
    assert_eq!(open.to_string(), rest);
}

#[rstest]
#[case::one_text("4hello")]
#[case::an_empty_text("4")]
#[case::several_texts("4test1\x1e4test2\x1e4test3")]
#[case::text_beyond_ascii("4hé€😀\x1e4\u{2028}")]
#[case::text_and_bytes("4hello\x1ebAQIDBA==")]
#[case::no_bytes("b\x1e4hello")]
#[tokio::test]
async fn a_payload_is_sent_and_received(#[case] payload: &str) {
    let polling = Polling::open(Server::engine().await, V4).await;
    let posted = polling.post(payload).await;
    assert_eq!((posted.status, posted.text()), (200, "ok"));
    let polled = polling.get().await;
    assert_eq!((polled.status, polled.header("Content-Type")), (200, Some("text/plain; charset=UTF-8")));
    assert_eq!(polled.text(), payload);
}

#[tokio::test]
async fn base64_may_come_without_its_padding() {
    let polling = Polling::open(Server::engine().await, V4).await;
    assert_eq!(polling.post("bAQIDBA").await.text(), "ok");
    assert_eq!(polling.get().await.text(), "bAQIDBA==");
}

#[tokio::test]
async fn a_payload_is_text_whatever_it_is_declared_to_be() {
    let polling = Polling::open(Server::engine().await, V4).await;
    assert_eq!(polling.post_as("application/octet-stream", "&b64=1", "4hello").await.text(), "ok");
    assert_eq!(polling.get_with("&b64=1").await.text(), "4hello");
}

#[rstest]
#[case::no_type(b"abc")]
#[case::nothing(b"")]
#[case::an_unknown_type(b"7")]
#[case::nothing_behind_a_separator(b"4hello\x1e")]
#[case::malformed_base64(b"bAQ*=")]
#[case::no_utf_8(b"4\xff")]
#[case::a_payload_of_version_3(b"9:4hello!!")]
#[tokio::test]
async fn an_invalid_payload_closes_the_session(#[case] payload: &[u8]) {
    let polling = Polling::open(Server::engine().await, V4).await;
    polling.post(payload).await.is_bad_request();
    polling.get().await.is_session_unknown();
    polling.post("4hello").await.is_session_unknown();
}

#[tokio::test]
async fn a_packet_behind_sound_ones_spoils_the_payload() {
    let polling = Polling::open(Server::engine().await, V4).await;
    polling.send(&["4first"]).await;
    polling.post("4second\x1eabc").await.is_bad_request();
    polling.get().await.is_session_unknown();
}

#[tokio::test]
async fn the_server_pings_a_client_that_polls() {
    let server = Server::conformance(PATH, conformance::Settings { ping_interval: 100, ..CALM }).await;
    let polling = Polling::open(server, V4).await;
    for _ in 0..3 {
        polling.hears(&["2"]).await;
        polling.send(&["3"]).await;
    }
    polling.send(&["4hello"]).await;
    polling.hears(&["4hello"]).await;
}

#[tokio::test]
async fn the_server_pings_over_a_websocket() {
    let server = Server::conformance(PATH, conformance::Settings { ping_interval: 100, ..CALM }).await;
    let mut websocket = Websocket::connect(server, V4).await;
    for _ in 0..3 {
        websocket.hears("2").await;
        websocket.send("3").await;
    }
}

/// Clients count the time from one ping to the next, whatever they send between them.
#[tokio::test]
async fn a_client_that_talks_is_pinged_as_often_as_one_that_does_not() {
    const PINGS: u32 = 8;
    let settings = conformance::Settings { ping_interval: 200, ping_timeout: 10_000, ..CALM };
    let server = Server::conformance(PATH, settings).await;
    let mut silent = Websocket::connect(server, V4).await;
    let mut talking = Websocket::connect(server, V4).await;
    let clock = tokio::spawn(async move {
        for _ in 0..PINGS {
            silent.hears("2").await;
            silent.send("3").await;
        }
    });
    let mut pings = 0;
    while !clock.is_finished() {
        talking.send("4hello").await;
        match talking.hear().await {
            Heard::Text(ping) if ping == "2" => {
                pings += 1;
                talking.send("3").await;
                talking.hears("4hello").await;
            }
            heard => assert_eq!(heard, Heard::Text("4hello".to_owned())),
        }
    }
    clock.await.unwrap();
    assert!(pings + 2 >= PINGS, "{pings}");
}

#[tokio::test]
async fn a_ping_that_is_not_answered_over_polling_closes_the_session() {
    let settings = conformance::Settings { ping_interval: 100, ping_timeout: 1000, ..CALM };
    let polling = Polling::open(Server::conformance(PATH, settings).await, V4).await;
    polling.hears(&["2"]).await;
    polling.hears(&["1"]).await;
    polling.get().await.is_session_unknown();
    polling.post("3").await.is_session_unknown();
}

#[tokio::test]
async fn a_client_that_answers_pings_outlives_one_that_does_not() {
    let settings = conformance::Settings { ping_interval: 100, ping_timeout: 1000, ..CALM };
    let server = Server::conformance(PATH, settings).await;
    let mut alive = Websocket::connect(server, V4).await;
    let mut silent = Websocket::connect(server, V4).await;
    let dying = tokio::spawn(async move {
        silent.hears("2").await;
        silent.is_closed(1000).await;
    });
    while !dying.is_finished() {
        alive.hears("2").await;
        alive.send("3").await;
    }
    dying.await.unwrap();
    alive.send("4hello").await;
    loop {
        match alive.hear().await {
            Heard::Text(ping) if ping == "2" => alive.send("3").await,
            heard => return assert_eq!(heard, Heard::Text("4hello".to_owned())),
        }
    }
}

#[tokio::test]
async fn a_script_polls_and_a_form_posts() {
    let server = Server::engine().await;
    let polling = Polling::open_with(server, V4, "&j=0").await;
    let form = "application/x-www-form-urlencoded";
    assert_eq!(polling.post_as(form, "&j=0", r"d=4%22a%22\n%E2%80%A8%1EbAQIDBA%3D%3D").await.text(), "ok");
    let answer = polling.get_with("&j=1").await;
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some("text/javascript; charset=UTF-8")));
    assert_eq!(answer.text(), r#"___eio[1]("4\"a\"\n\u2028\u001ebAQIDBA==");"#);
}

#[tokio::test]
async fn no_cookie_is_set() {
    let cookie = Cookie { name: "io".to_owned(), attributes: String::new() };
    let settings = Settings { cookie: Some(cookie), ..Settings::default() };
    let server = Server::engine_with(|config| config.ping_interval(Duration::from_secs(25)), settings).await;
    assert_eq!(get(server, "EIO=4&transport=polling").await.header("Set-Cookie"), None);
    let polling = Polling::open(server, V4).await;
    assert_eq!(polling.post("4hello").await.header("Set-Cookie"), None);
    assert_eq!(polling.get().await.header("Set-Cookie"), None);
}
