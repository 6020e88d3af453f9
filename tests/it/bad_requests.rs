//! Requests that no Engine.IO client sends.

use reqwest::StatusCode;
use rstest::rstest;

use crate::support::app::{Storage, TestApp, start};
use crate::support::bystander::{notices_nothing, start_with_bystander};
use crate::support::packet::message;
use crate::support::polling::{encode, malformed};
use crate::support::websocket::Websocket;
use crate::support::wire::{Eio, Heard, Transport, Wire, within_deadline};

#[rstest]
#[tokio::test]
async fn a_malformed_polling_body_is_refused_and_nobody_else_notices(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let (app, alice, mut bystander) = start_with_bystander(storage).await;
    for body in malformed(eio) {
        let mut wire = Wire::connect(&app, eio, Transport::Polling).await;
        wire.authenticate(&alice).await;
        let answer = wire.polling().post(body.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{body:?}");
    }
    notices_nothing(&mut bystander).await;
}

#[rstest]
#[tokio::test]
async fn a_polling_body_that_is_too_large_is_refused_and_nobody_else_notices(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let (app, alice, mut bystander) = start_with_bystander(storage).await;
    let mut wire = Wire::connect(&app, eio, Transport::Polling).await;
    wire.authenticate(&alice).await;
    let body = encode(eio, &[&message(&"x".repeat(1_000_000))]);
    assert_eq!(wire.polling().post(body).send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    notices_nothing(&mut bystander).await;
}

#[rstest]
#[tokio::test]
async fn a_session_that_is_upgraded_again_goes_on_as_it_was(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let (app, alice, _) = start_with_bystander(storage).await;
    let mut wire = Wire::connect(&app, eio, Transport::Polling).await;
    wire.authenticate(&alice).await;
    let session = wire.session().to_owned();
    wire.upgrade(&app).await;
    is_refused_or_cut(&app, eio, &session).await;
    wire.say("still here").await;
    wire.hears("alice@ref.example: still here").await;
}

#[rstest]
#[tokio::test]
async fn an_unknown_session_cannot_be_upgraded(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values("AAAAAAAAAAAAAAAA", "unheard-of")] session: &str,
) {
    let app = start(storage).await;
    is_refused_or_cut(&app, eio, session).await;
}

/// A websocket for this session is refused, or taken and cut off at once.
async fn is_refused_or_cut(app: &TestApp, eio: Eio, session: &str) {
    if let Ok(mut websocket) = Websocket::try_connect(app, eio, Some(session)).await {
        assert!(matches!(within_deadline(websocket.read()).await, Heard::Closed(_)));
    }
}
