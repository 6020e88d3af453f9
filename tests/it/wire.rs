//! Engine.IO on the wire, and the routes beside it.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::app::{Storage, start, start_with};
use crate::support::person::Person;
use crate::support::polling::{Polling, encode};
use crate::support::wire::{Eio, Heard, Transport, Wire};

#[rstest]
#[tokio::test]
async fn the_open_packet_tells_the_session_and_its_limits(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values((Transport::Polling, true), (Transport::Websocket, false))] transport: (Transport, bool),
) {
    let (transport, can_upgrade) = transport;
    let settings = [
        ("NATTER_GATEWAY__PING_INTERVAL", "12000"),
        ("NATTER_GATEWAY__PING_TIMEOUT", "34000"),
        ("NATTER_GATEWAY__MAX_HTTP_BUFFER_SIZE", "500000"),
    ];
    let app = start_with(storage, &settings).await;
    let mut open = Wire::open(&app, eio, transport).await.open;
    let session = open["sid"].take();
    assert!(session.as_str().unwrap().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    let upgrades: &[&str] = if can_upgrade { &["websocket"] } else { &[] };
    let expected = json!({
        "sid": null,
        "upgrades": upgrades,
        "pingInterval": 12_000,
        "pingTimeout": 34_000,
        "maxPayload": 500_000,
    });
    assert_eq!(open, expected);
}

#[rstest]
#[tokio::test]
async fn the_first_poll_is_answered_by_the_open_packet_alone_and_a_post_by_ok(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start(storage).await;
    let (polling, packets) = Polling::open(&app, eio).await;
    assert_eq!(packets.len(), 1);
    assert!(packets[0].starts_with(r#"0{"sid":""#), "{packets:?}");
    let answer = polling.post(encode(eio, &["40"])).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), "ok");
}

#[rstest]
#[tokio::test]
async fn several_packets_may_come_in_one_post(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, Transport::Polling).await;
    wire.authenticate(&alice).await;
    let packets =
        ["one", "ünï 👋", ""].map(|text| format!("42{}", json!(["client-sent-message", { "message": text }])));
    wire.send_all(&packets.each_ref().map(String::as_str)).await;
    for line in ["alice@ref.example: one", "alice@ref.example: ünï 👋", "alice@ref.example: "] {
        wire.hears(line).await;
    }
}

#[rstest]
#[tokio::test]
async fn a_socket_of_another_namespace_is_refused_and_the_main_one_goes_on(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Polling, Transport::Websocket)] transport: Transport,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, transport).await;
    wire.send("40/other,").await;
    let refusal = wire.packet().await;
    assert!(refusal.starts_with("44/other,") && refusal.contains("Invalid namespace"), "{refusal}");
    wire.authenticate(&alice).await;
}

#[rstest]
#[tokio::test]
async fn a_close_packet_ends_the_session(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Polling, Transport::Websocket)] transport: Transport,
) {
    let app = start(storage).await;
    let mut wire = Wire::connect(&app, eio, transport).await;
    wire.send("1").await;
    assert!(matches!(wire.next().await, Heard::Closed(_)));
    let query = format!("/socket.io/?EIO={}&transport=polling&sid={}", eio.number(), wire.session());
    let answer = app.get(&query).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.json::<Value>().await.unwrap()["message"], "Session ID unknown");
}

#[rstest]
#[tokio::test]
async fn an_old_clients_ping_is_answered(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Transport::Polling, Transport::Websocket, Transport::Upgrade)] transport: Transport,
) {
    let app = start(storage).await;
    let mut wire = Wire::connect(&app, Eio::V3, transport).await;
    wire.send("2").await;
    assert_eq!(wire.packet().await, "3");
}

#[rstest]
#[tokio::test]
async fn a_client_that_answers_pings_stays_and_one_that_does_not_is_dropped(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let settings = [("NATTER_GATEWAY__PING_INTERVAL", "200"), ("NATTER_GATEWAY__PING_TIMEOUT", "1000")];
    let app = start_with(storage, &settings).await;
    let alice = Person::join(&app, "alice").await;
    let mut alive = Wire::connect(&app, eio, Transport::Websocket).await;
    alive.authenticate(&alice).await;
    let mut dead = Wire::connect(&app, eio, Transport::Websocket).await;
    dead.authenticate(&alice).await;
    let dying = tokio::spawn(async move { while let Heard::Packet(_) = dead.websocket().read().await {} });
    while !dying.is_finished() {
        // Whoever speaks reads, too, and so answers the server's pings.
        if eio == Eio::V3 {
            alive.send("2").await;
            assert_eq!(alive.packet().await, "3");
        }
        alive.post("x").await;
        alive.message().await;
    }
    dying.await.unwrap();
    alive.say("still here").await;
    alive.hears("alice@ref.example: still here").await;
}

#[rstest]
#[tokio::test]
async fn any_origin_may_connect_and_read(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values("/socket.io/?EIO=3&transport=polling", "/socket.io/?EIO=4&transport=polling", "/socket.io/?EIO=3")]
    path: &str,
) {
    let app = start(storage).await;
    let answer = app.get(path).header("Origin", "https://page.example").send().await.unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], "https://page.example");
    assert_eq!(answer.headers()["access-control-allow-credentials"], "true");
    let answer = app.get(path).send().await.unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert_eq!(answer.headers().get("access-control-allow-credentials"), None);
}

#[rstest]
#[tokio::test]
async fn a_preflight_is_answered(#[values(Storage::Sqlite, Storage::Postgres)] storage: Storage) {
    let app = start(storage).await;
    let request = app.request(Method::OPTIONS, "/socket.io/?EIO=4&transport=polling&sid=x");
    let request = request.header("Origin", "https://page.example").header("Access-Control-Request-Method", "POST");
    let answer = request.header("Access-Control-Request-Headers", "content-type").send().await.unwrap();
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.headers()["access-control-allow-origin"], "https://page.example");
    assert_eq!(answer.headers()["access-control-allow-credentials"], "true");
    assert_eq!(answer.headers()["access-control-allow-methods"], "GET,POST");
    assert_eq!(answer.headers()["access-control-allow-headers"], "content-type");
}

#[rstest]
#[tokio::test]
async fn the_browser_client_is_served_beside_the_socket(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let answer = app.get("/socket.io/socket.io.js").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/javascript; charset=utf-8");
    let tag = answer.headers()["etag"].clone();
    assert!(answer.text().await.unwrap().contains("Socket.IO v"));

    for known in [tag.to_str().unwrap().to_owned(), format!("W/{}", tag.to_str().unwrap()), "*".to_owned()] {
        let answer = app.get("/socket.io/socket.io.js").header("If-None-Match", known).send().await.unwrap();
        assert_eq!(answer.status(), 304);
        assert_eq!(answer.headers()["etag"], tag);
        assert_eq!(answer.text().await.unwrap(), "");
    }
    let answer = app.get("/socket.io/socket.io.js").header("If-None-Match", "\"0\"").send().await.unwrap();
    assert_eq!(answer.status(), 200);

    let answer = app.get("/socket.io/socket.io.js").header("Accept-Encoding", "gzip").send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let body = answer.bytes().await.unwrap();
    assert_eq!(body[..2], [0x1f, 0x8b]);
}

#[rstest]
#[tokio::test]
async fn the_browser_clients_other_builds_and_source_maps_are_served(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let (script, map) = ("application/javascript; charset=utf-8", "application/json; charset=utf-8");
    let files = [
        ("socket.io.min.js", script),
        ("socket.io.esm.min.js", script),
        ("socket.io.msgpack.min.js", script),
        ("socket.io.js.map", map),
        ("socket.io.min.js.map", map),
        ("socket.io.esm.min.js.map", map),
        ("socket.io.msgpack.min.js.map", map),
    ];
    for (file, content_type) in files {
        let answer = app.get(&format!("/socket.io/{file}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{file}");
        assert_eq!(answer.headers()["content-type"], content_type, "{file}");
    }
}

#[rstest]
#[tokio::test]
async fn whatever_else_is_asked_for_there_is_unknown(#[values(Storage::Sqlite, Storage::Postgres)] storage: Storage) {
    let app = start(storage).await;
    for file in ["other.js", "version", "socket.io", "socket.io.js/x", "..%2fversion", "socket.io.js%00"] {
        let answer = app.get(&format!("/socket.io/{file}")).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{file}");
        assert_eq!(answer.text().await.unwrap(), format!("Cannot GET /socket.io/{file}\n"));
    }
}
