//! Behind `41` the transport closes, whatever the client does; a websocket in good order. Whoever has sent what cannot be
//! read is not told, and closed as well.

use natter::accounts;
use reqwest::Method;
use rstest::rstest;

use crate::support::answer::Ask;
use crate::support::app::{PATIENT, Storage, TestApp, start, start_with};
use crate::support::browser::Browser;
use crate::support::bystander::{notices_nothing, start_with_bystander};
use crate::support::packet::{authentication, deep, message};
use crate::support::person::Person;
use crate::support::websocket::Websocket;
use crate::support::wire::{Eio, Heard, Transport, Wire, within_deadline};

async fn is_dismissed(wire: &mut Wire) {
    wire.is_disconnected().await;
    wire.is_closed().await;
}

#[rstest]
#[tokio::test]
async fn a_websocket_that_does_not_authenticate_in_time_is_closed(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Websocket, Transport::Upgrade)] transport: Transport,
) {
    let app = start(storage).await;
    let mut silent = Wire::connect(&app, eio, transport).await;
    let mut talker = Wire::connect(&app, eio, transport).await;
    talker.say("too early").await;
    let mut refused = Wire::connect(&app, eio, transport).await;
    refused.send(&authentication("wrong")).await;
    refused.is_unauthorized().await;
    for wire in [&mut silent, &mut talker, &mut refused] {
        is_dismissed(wire).await;
    }
}

#[rstest]
#[tokio::test]
async fn who_says_goodbye_and_stays_keeps_no_place(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Websocket, Transport::Polling)] transport: Transport,
) {
    let app = start_with(storage, &[PATIENT, ("NATTER_GATEWAY__MAX_SOCKETS_PER_ADDRESS", "2")]).await;
    let alice = Person::join(&app, "alice").await;
    let mut stranger = Wire::connect(&app, eio, transport).await;
    let mut known = Wire::connect(&app, eio, transport).await;
    known.authenticate(&alice).await;
    for wire in [&mut stranger, &mut known] {
        wire.send("41").await;
        while !matches!(wire.next().await, Heard::Closed(_)) {}
    }
    let mut others = Vec::new();
    within_deadline(async {
        while others.len() < 2 {
            match Websocket::try_connect(&app, eio, None).await {
                Ok(other) => others.push(other),
                Err(status) => assert_eq!(status, 429),
            }
        }
    })
    .await;
}

/// Time enough for the server to take leave of a socket.
async fn takes_leave(app: &TestApp) {
    for _ in 0..10 {
        assert_eq!(app.get("/health").answer().await.status, 200);
    }
}

/// As `disconnect()` of clients does, by one request after the other.
#[rstest]
#[tokio::test]
async fn who_says_goodbye_by_polling_may_close_its_session_itself(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start(storage).await;
    let mut wire = Wire::connect(&app, eio, Transport::Polling).await;
    wire.send("41").await;
    takes_leave(&app).await;
    wire.send(&message("does not count")).await;
    takes_leave(&app).await;
    let (polling, close) = (wire.polling(), if eio == Eio::V3 { "1:1" } else { "1" });
    assert_eq!(polling.post(close).answer().await.status, 200);
    assert_eq!(polling.post(close).answer().await.status, 400);
}

#[rstest]
#[tokio::test]
async fn a_websocket_that_acknowledges_its_refusal_is_closed(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start_with(storage, &[PATIENT]).await;
    let mut wire = Wire::connect(&app, eio, Transport::Websocket).await;
    wire.send(&authentication("wrong")).await;
    let ack = wire.is_unauthorized().await;
    wire.send(&format!("43{ack}[]")).await;
    is_dismissed(&mut wire).await;
}

#[rstest]
#[tokio::test]
async fn a_websocket_that_sends_too_much_before_its_authentication_is_through_is_closed(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start_with(storage, &[("NATTER_GATEWAY__PENDING_EVENTS", "10"), PATIENT]).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, Eio::V4, Transport::Websocket).await;
    let packets: Vec<_> = [authentication(&alice.token)].into_iter().chain((0..5_000).map(|_| message("x"))).collect();
    wire.send_all(&packets.iter().map(String::as_str).collect::<Vec<_>>()).await;
    while wire.packet().await != "41" {}
    assert!(matches!(wire.next().await, Heard::Closed(_)));
}

#[rstest]
#[tokio::test]
async fn a_poller_that_did_not_authenticate_hears_the_disconnect_and_then_the_end(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values((Eio::V3, "6,1"), (Eio::V4, "1"))] protocol: (Eio, &str),
) {
    let (eio, end) = protocol;
    let app = start(storage).await;
    let mut wire = Wire::connect(&app, eio, Transport::Polling).await;
    wire.is_disconnected().await;
    assert_eq!(wire.polling().poll().await.unwrap().join(","), end);
    let after = wire.polling().get().send().await.unwrap();
    assert_eq!(after.text().await.unwrap(), r#"{"code":1,"message":"Session ID unknown"}"#);
}

#[rstest]
#[tokio::test]
async fn a_logout_closes_the_websockets_of_that_token(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Websocket, Transport::Upgrade)] transport: Transport,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, transport).await;
    wire.authenticate(&alice).await;
    alice.log_out(&app).await;
    is_dismissed(&mut wire).await;
}

#[rstest]
#[tokio::test]
async fn a_browsers_logout_closes_the_websockets_of_its_page(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let browser = Browser::logged_in(&app, &alice.email).await;
    let token = browser.get("/api/auth/token/").answer().await.json()["X-Token"].as_str().unwrap().to_owned();
    let mut of_page = Wire::enter(&app, &Person { token, ..alice }).await;
    assert_eq!(browser.signed(Method::DELETE, "/api/auth/logout/").answer().await.status, 204);
    is_dismissed(&mut of_page).await;
}

#[rstest]
#[tokio::test]
async fn a_deactivated_users_websockets_are_closed_on_all_nodes(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let here = start(storage).await;
    let there = here.another().await;
    let alice = Person::join(&here, "alice").await;
    let mut wires = [Wire::enter(&here, &alice).await, Wire::enter(&there, &alice).await];
    let user = accounts::find_user(&here.app, alice.id).await.unwrap();
    accounts::deactivate(&here.app, &user).await.unwrap();
    for wire in &mut wires {
        is_dismissed(wire).await;
    }
}

#[rstest]
#[tokio::test]
async fn json_ten_thousand_levels_deep_closes_its_connection(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values("client-sent-message", "authentication")] event: &str,
) {
    let (app, alice, mut bystander) = start_with_bystander(storage).await;
    for packet in deep(event) {
        let mut wire = Wire::enter(&app, &alice).await;
        wire.send(&packet).await;
        let next = wire.next().await;
        assert!(matches!(next, Heard::Closed(_)), "{next:?}");
    }
    notices_nothing(&mut bystander).await;
}

/// Between its authentication and its join, which a replay keeps apart for as long as nobody reads it.
#[rstest]
#[tokio::test]
async fn a_replay_ends_with_its_token_and_leads_to_no_join(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    /// More than the network holds, and pages enough to stop between.
    const COUNT: i64 = 400;
    let settings = [("NATTER_GATEWAY__SEND_QUEUE", "8"), ("NATTER_CHAT__RECENT_MESSAGES", "8")];
    let app = start_with(storage, &settings).await;
    let (alice, bob) = (Person::join(&app, "alice").await, Person::join(&app, "bob").await);
    let mut poster = Wire::enter(&app, &bob).await;
    for seq in 1..=COUNT {
        assert_eq!(poster.post(&"x".repeat(10_000)).await, seq);
        assert_eq!(poster.message().await["seq"], seq);
    }
    let mut seated = Wire::enter(&app, &alice).await;
    let mut late = Wire::come_back(&app, Eio::V4, &alice, 0).await;
    late.hears_all(1..=1).await;
    alice.log_out(&app).await;
    // From here on every join is refused whose token was looked up before.
    seated.is_disconnected().await;

    let mut heard = 1;
    loop {
        let packet = late.packet().await;
        if packet == "41" {
            break;
        }
        heard += 1;
        assert!(packet.contains(&format!(r#""seq":{heard},"#)), "{packet}");
    }
    assert!(heard < COUNT / 2, "{heard} messages of a token that was taken back");
}

#[rstest]
#[tokio::test]
async fn a_connection_that_opens_no_socket_is_let_go_of(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start_with(storage, &[("NATTER_GATEWAY__CONNECT_TIMEOUT", "200")]).await;
    let mut silent = Websocket::connect(&app, Eio::V4, None).await;
    assert!(matches!(silent.read().await, Heard::Packet(open) if open.starts_with('0')));
    assert!(matches!(silent.read().await, Heard::Closed(_)));
}
