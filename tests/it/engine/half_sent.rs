//! What clients have sent in part takes so much memory and no more, of all of them together: beyond it the engine cuts those
//! who send much, and whoever merely chats goes on.

use std::time::Duration;

use reqwest::StatusCode;
use rstest::rstest;
use serde_json::json;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start_with};
use crate::support::person::Person;
use crate::support::wire::{Eio, Heard, Transport, Wire, within_deadline};

/// Room for two halves, and for nothing large beside them.
const ROOM: [(&str, &str); 3] = [
    ("NATTER_GATEWAY__MAX_HTTP_BUFFER_SIZE", "100000"),
    ("NATTER_HTTP__MAX_BODY_BYTES", "100000"),
    ("NATTER_HTTP__RECEIVE_BYTES", "200000"),
];
const HALF: usize = 90_000;
static ATTACHMENT: [u8; 40_000] = [0; 40_000];
const TRY_AGAIN_LATER: Option<u16> = Some(1013);

async fn holds(app: &TestApp, bytes: impl Fn(usize) -> bool) {
    within_deadline(async {
        while !bytes(app.app.intake.held()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Two clients who begin large messages, and do not go on.
async fn two_halves(app: &TestApp, person: &Person) -> [Wire; 2] {
    let mut wires = [Wire::enter(app, person).await, Wire::enter(app, person).await];
    for wire in &mut wires {
        wire.websocket().send_beginning(&format!("42{}", "x".repeat(HALF))).await;
    }
    holds(app, |held| held > 2 * HALF).await;
    wires
}

/// That the connection is closed, whatever was heard before.
async fn closed_by(wire: &mut Wire) -> Option<u16> {
    loop {
        if let Heard::Closed(code) = wire.next().await {
            return code;
        }
    }
}

#[rstest]
#[tokio::test]
async fn who_sends_much_is_cut_where_all_have_sent_too_much_and_who_chats_goes_on(
    #[values(Sqlite, Postgres)] storage: Storage,
) {
    let app = start_with(storage, &ROOM).await;
    let (alice, bob) = (Person::join(&app, "alice").await, Person::join(&app, "bob").await);
    let mut chats = Wire::enter(&app, &alice).await;
    let halves = two_halves(&app, &bob).await;

    let mut third = Wire::enter(&app, &bob).await;
    third.websocket().send_beginning(&format!("42{}", "x".repeat(HALF))).await;
    assert_eq!(closed_by(&mut third).await, TRY_AGAIN_LATER);
    let mut announces = Wire::enter(&app, &bob).await;
    announces.send(&format!("451-[\"client-sent-message\",\"{}\"]", "x".repeat(HALF))).await;
    assert_eq!(closed_by(&mut announces).await, TRY_AGAIN_LATER);
    let mut attaches = Wire::enter(&app, &bob).await;
    attaches
        .send("452-[\"client-sent-message\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]")
        .await;
    attaches.websocket().send_binary(&ATTACHMENT).await;
    assert_eq!(closed_by(&mut attaches).await, TRY_AGAIN_LATER);
    within_deadline(async {
        while app.app.metrics.slow_sockets.get() < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut polls = Wire::connect(&app, Eio::V4, Transport::Polling).await;
    let answer = polls.polling().post("4".repeat(HALF)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let next = polls.polling().post("3").send().await.unwrap();
    assert_eq!(next.status(), StatusCode::BAD_REQUEST, "who misses one must say nothing more");
    assert_eq!(chats.post("goes on").await, 1);
    drop(halves);

    holds(&app, |held| held == 0).await;
    let large = alice.post(&app, "/api/messages/").json(&json!({ "message": "x".repeat(HALF) }));
    let refused = r#"{"message":["The message is too long."]}"#;
    assert_eq!(large.answer().await.said(), (400, refused), "there is room again");
}

#[rstest]
#[tokio::test]
async fn large_requests_wait_where_all_have_sent_too_much(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &ROOM).await;
    let (alice, bob) = (Person::join(&app, "alice").await, Person::join(&app, "bob").await);
    let _halves = two_halves(&app, &bob).await;
    let say = |text: &str| alice.post(&app, "/api/messages/").json(&json!({ "message": text }));
    let answer = say(&"x".repeat(HALF)).answer().await;
    assert_eq!(answer.said(), (429, r#"{"detail":"Request was throttled. Expected available in 1 second."}"#));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(app.app.metrics.rate_limits("received"), 1);
    assert_eq!(say("goes on").answer().await.status, 201);
}

/// The client does not come for its replay, so that all it sends waits.
#[rstest]
#[tokio::test]
async fn what_waits_for_an_authentication_counts_with_all_the_memory_it_takes(
    #[values(Sqlite, Postgres)] storage: Storage,
) {
    const FEW: [(&str, &str); 2] = [("NATTER_GATEWAY__SEND_QUEUE", "8"), ("NATTER_CHAT__RECENT_MESSAGES", "8")];
    let app = start_with(storage, &[&ROOM[..], &FEW].concat()).await;
    let alice = Person::join(&app, "alice").await;
    let mut poster = Wire::enter(&app, &alice).await;
    for seq in 1..=20 {
        assert_eq!(poster.post("x").await, seq);
    }
    let mut late = Wire::connect(&app, Eio::V4, Transport::Polling).await;
    late.emit("authentication", &json!({ "token": alice.token, "serverOffset": 0 })).await;
    late.emit("typing", &json!("y".repeat(HALF / 3))).await;
    holds(&app, |held| held > HALF / 3).await;
    late.emit("typing", &json!(vec![0; HALF / 6])).await;
    while late.packet().await != "41" {}
    holds(&app, |held| held == 0).await;
}

/// Who gives signs of life between the fragments of a message has for the message as long as they may be silent.
#[rstest]
#[tokio::test]
async fn a_message_that_does_not_end_is_cut_off(#[values(Sqlite, Postgres)] storage: Storage) {
    let settings = [("NATTER_GATEWAY__PING_INTERVAL", "300"), ("NATTER_GATEWAY__PING_TIMEOUT", "300")];
    let app = start_with(storage, &settings).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::enter(&app, &alice).await;
    wire.websocket().send_beginning("42[").await;
    let code = within_deadline(async {
        loop {
            if wire.websocket().send_ping().await.is_err() {
                return None;
            }
            let next = tokio::time::timeout(Duration::from_millis(100), wire.websocket().read()).await;
            if let Ok(Heard::Closed(code)) = next {
                return code;
            }
        }
    })
    .await;
    assert_eq!(code, Some(1008));
}
