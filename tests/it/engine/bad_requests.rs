//! What is no request of an Engine.IO client's is refused as Node's server does, and before it has an effect.

use reqwest::{Method, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::app::{Storage, start};
use crate::support::bystander::{notices_nothing, start_with_bystander};
use crate::support::packet::message;
use crate::support::polling::{encode, malformed};
use crate::support::websocket::Websocket;
use crate::support::wire::{Eio, Heard, Transport, Wire, within_deadline};

#[rstest]
#[tokio::test]
async fn a_malformed_polling_body_is_a_bad_request(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start(storage).await;
    for body in malformed(eio) {
        let mut wire = Wire::connect(&app, eio, Transport::Polling).await;
        let answer = wire.polling().post(body.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{body:?}");
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "code": 3, "message": "Bad request" }));
    }
}

#[rstest]
#[tokio::test]
async fn a_polling_body_that_is_too_large_is_refused_and_none_of_it_is_handled(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let (app, alice, mut bystander) = start_with_bystander(storage).await;
    let mut wire = Wire::connect(&app, eio, Transport::Polling).await;
    wire.authenticate(&alice).await;
    let body = encode(eio, &[&message("first"), &message(&"x".repeat(1_000_000))]);
    assert_eq!(wire.polling().post(body).send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    notices_nothing(&mut bystander).await;
    wire.hears("alice@ref.example: marker").await;
}

#[rstest]
#[tokio::test]
async fn malformed_websocket_handshakes_are_refused(#[values(Storage::Sqlite, Storage::Postgres)] storage: Storage) {
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const SOUND: [(&str, &str); 4] = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", KEY),
    ];
    let app = start(storage).await;
    let cases = [
        ("Connection", "keep-alive", 400),
        ("Connection", "", 400),
        ("Upgrade", "h2c", 400),
        ("Upgrade", "", 400),
        ("Sec-WebSocket-Version", "8", 426),
        ("Sec-WebSocket-Version", "", 400),
        ("Sec-WebSocket-Key", "short", 400),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ", 400),
        ("Sec-WebSocket-Key", "", 400),
    ];
    for (name, text, status) in cases {
        let mut request = app.get("/socket.io/?EIO=4&transport=websocket");
        let headers = SOUND.iter().map(|sound| if sound.0 == name { (name, text) } else { *sound });
        for (name, text) in headers.filter(|(_, text)| !text.is_empty()) {
            request = request.header(name, text);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{name}: {text}");
        if status == 426 {
            assert_eq!(answer.headers()["sec-websocket-version"], "13");
            assert_eq!(answer.headers()["upgrade"], "websocket");
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_session_is_upgraded_once(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let (app, alice, _) = start_with_bystander(storage).await;
    let mut wire = Wire::connect(&app, eio, Transport::Polling).await;
    wire.authenticate(&alice).await;
    let session = wire.session().to_owned();
    wire.upgrade(&app).await;
    let mut second = Websocket::connect(&app, eio, Some(&session)).await;
    assert_eq!(within_deadline(second.read()).await, Heard::Closed(Some(1002)));
    wire.say("still here").await;
    wire.hears("alice@ref.example: still here").await;
}

#[rstest]
#[tokio::test]
async fn an_unknown_session_cannot_be_upgraded(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values("AAAAAAAAAAAAAAAA", "unheard-of", "")] session: &str,
) {
    let app = start(storage).await;
    assert_eq!(Websocket::try_connect(&app, eio, Some(session)).await.unwrap_err(), 400);
}

#[rstest]
#[tokio::test]
async fn errors_of_the_protocol_have_nodes_codes(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start(storage).await;
    let websocket = Wire::open(&app, eio, Transport::Websocket).await;
    let mismatch = format!("transport=polling&sid={}", websocket.session());
    let cases = [
        (Method::GET, "", 0, "Transport unknown"),
        (Method::GET, "transport=carrier-pigeon", 0, "Transport unknown"),
        (Method::GET, "transport=polling&sid=unheard-of", 1, "Session ID unknown"),
        (Method::GET, "transport=polling&sid=AAAAAAAAAAAAAAAA", 1, "Session ID unknown"),
        (Method::POST, "transport=polling&sid=AAAAAAAAAAAAAAAA", 1, "Session ID unknown"),
        (Method::POST, "transport=polling", 2, "Bad handshake method"),
        (Method::PUT, "transport=polling", 2, "Bad handshake method"),
        (Method::DELETE, "transport=polling", 2, "Bad handshake method"),
        (Method::GET, &mismatch, 3, "Bad request"),
        (Method::GET, "transport=websocket", 3, "Bad request"),
    ];
    for (method, query, code, message) in cases {
        let path = format!("/socket.io/?EIO={}&{query}", eio.number());
        let answer = app.request(method.clone(), &path).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{method} {query}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body, json!({ "code": code, "message": message }), "{method} {query}");
    }
}
