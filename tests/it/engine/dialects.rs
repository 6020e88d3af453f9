//! What clients of Engine.IO 3 expect otherwise than those of Engine.IO 4, whatever the transport.

use rstest::rstest;

use crate::support::app::{Storage, start};
use crate::support::wire::{Eio, Transport, Wire};

#[rstest]
#[tokio::test]
async fn a_missing_or_unknown_protocol_is_taken_as_the_third(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values("", "&EIO=2", "&EIO=x", "&EIO=")] protocol: &str,
) {
    let app = start(storage).await;
    let answer = app.get(&format!("/socket.io/?transport=polling{protocol}")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let body = answer.bytes().await.unwrap();
    // The third protocol's binary framing, with a length of three digits.
    assert_eq!((body[0], body[4]), (0, 0xff));
    assert!(body[5..].starts_with(br#"0{"sid":""#), "{body:?}");
}

#[rstest]
#[tokio::test]
async fn a_refused_namespace_is_told_to_an_old_client_as_a_string(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values((Eio::V3, r#""Invalid namespace""#), (Eio::V4, r#"{"message":"Invalid namespace"}"#))] told: (Eio, &str),
    #[values(Transport::Polling, Transport::Websocket)] transport: Transport,
) {
    let (eio, because) = told;
    let app = start(storage).await;
    let mut wire = Wire::connect(&app, eio, transport).await;
    wire.send("40/other,").await;
    assert_eq!(wire.packet().await, format!("44/other,{because}"));
}
