//! What a socket is told before it says anything.

use rstest::rstest;
use serde_json::json;

use crate::support::app::{Storage, start, start_with};
use crate::support::person::Person;
use crate::support::wire::{Eio, Event, Transport, Wire};

#[rstest]
#[tokio::test]
async fn news_follows_the_connect_packet_at_once_and_names_the_servers_address(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Polling, Transport::Websocket)] transport: Transport,
) {
    let app = start(storage).await;
    let mut wire = Wire::open(&app, eio, transport).await;
    match eio {
        Eio::V3 => assert_eq!(wire.packet().await, "40"),
        Eio::V4 => {
            wire.send("40").await;
            let connected = wire.packet().await;
            assert!(connected.starts_with(r#"40{"sid":""#), "{connected}");
        }
    }
    let news = format!(r#"42["news",{{"message":"Hello, at {}"}}]"#, app.address);
    assert_eq!(wire.packet().await, news);
}

#[rstest]
#[tokio::test]
async fn news_names_the_public_address_where_one_is_set(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start_with(storage, &[("PUBLIC_URL", "https://chat.example:8443/")]).await;
    let mut wire = Wire::open(&app, Eio::V3, Transport::Websocket).await;
    assert_eq!(wire.packet().await, "40");
    let data = json!({ "message": "Hello, at chat.example:8443" });
    assert_eq!(wire.event().await, Event { name: "news".to_owned(), data, ack: None });
}

#[rstest]
#[tokio::test]
async fn a_socket_is_greeted_whatever_way_it_comes_and_can_then_authenticate(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Polling, Transport::Websocket, Transport::Upgrade)] transport: Transport,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, transport).await;
    wire.authenticate(&alice).await;
    wire.say("hello").await;
    wire.hears("alice@ref.example: hello").await;
}
