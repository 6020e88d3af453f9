//! `serverOffset`: a client that comes back hears what it has missed, once, in order.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::app::{Storage, start, start_with};
use crate::support::crowd::{FEW_PACKETS, long_text};
use crate::support::person::Person;
use crate::support::wire::{Eio, Event, Transport, Wire};

/// Where missed messages are taken from.
#[derive(Clone, Copy, Debug)]
enum From {
    Memory,
    Log,
}

impl From {
    /// With two messages in memory anything older is read from the log, page by page.
    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Memory => &[],
            Self::Log => &[
                ("NATTER_CHAT__RECENT_MESSAGES", "2"),
                ("NATTER_CHAT__MAX_PAGE_SIZE", "3"),
                ("NATTER_CHAT__PAGE_SIZE", "3"),
            ],
        }
    }
}

async fn post(wire: &mut Wire, count: usize) {
    for number in 0..count {
        wire.post(&number.to_string()).await;
        wire.message().await;
    }
}

#[rstest]
#[tokio::test]
async fn exactly_what_was_missed_is_heard_again_before_anything_newer(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(From::Memory, From::Log)] from: From,
) {
    let app = start_with(storage, from.settings()).await;
    let alice = Person::join(&app, "alice").await;
    let mut poster = Wire::enter(&app, &alice).await;
    post(&mut poster, 10).await;
    for offset in 0..=10 {
        let mut wire = Wire::come_back(&app, Eio::V4, &alice, offset).await;
        wire.hears_all(offset + 1..=10 + offset).await;
        let next = poster.post("newer").await;
        wire.hears_all([next]).await;
        poster.hears_all([next]).await;
    }
}

#[rstest]
#[tokio::test]
async fn a_message_heard_again_is_the_same_as_the_first_time(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(From::Memory, From::Log)] from: From,
) {
    let app = start_with(storage, from.settings()).await;
    let alice = Person::join(&app, "alice").await;
    let mut poster = Wire::enter(&app, &alice).await;
    let mut heard = Vec::new();
    for text in ["one", "zwei, dü", "<b>", "four"] {
        poster.say(text).await;
        heard.push(poster.message().await);
    }
    // Not even a new name changes what was said.
    let change = alice.request(&app, Method::PATCH, "/api/users/me/").json(&json!({ "email": "new@ref.example" }));
    assert_eq!(change.send().await.unwrap().status(), 200);
    let mut wire = Wire::come_back(&app, Eio::V4, &alice, 0).await;
    for message in heard {
        assert_eq!(wire.message().await, message);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_come_back_while_others_post_miss_nothing_and_hear_nothing_twice(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(From::Memory, From::Log)] from: From,
) {
    const COUNT: i64 = 400;
    let app = start_with(storage, from.settings()).await;
    let alice = Person::join(&app, "alice").await;
    let mut poster = Wire::enter(&app, &alice).await;
    let posting = tokio::spawn(async move {
        for seq in 1..=COUNT {
            assert_eq!(poster.post("x").await, seq);
        }
    });
    for client in 0..40 {
        let offset = client % 5;
        let mut wire = Wire::come_back(&app, Eio::V4, &alice, offset).await;
        wire.hears_all(offset + 1..=offset + 9 * (client / 2) + 1).await;
    }
    posting.await.unwrap();
    Wire::come_back(&app, Eio::V4, &alice, 0).await.hears_all(1..=COUNT).await;
}

#[rstest]
#[tokio::test]
async fn the_offset_may_come_with_the_handshake_and_as_a_text(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(json!(1), json!("1"))] offset: Value,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    post(&mut Wire::enter(&app, &alice).await, 3).await;
    let mut wire = Wire::open(&app, Eio::V4, Transport::Websocket).await;
    wire.send(&format!("40{}", json!({ "token": alice.token, "serverOffset": offset }))).await;
    wire.is_greeted().await;
    wire.is_authenticated().await;
    wire.hears_all([2, 3]).await;
}

#[rstest]
#[tokio::test]
async fn old_clients_and_polling_ones_recover_as_well(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Polling, Transport::Upgrade)] transport: Transport,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    post(&mut Wire::enter(&app, &alice).await, 3).await;
    let mut wire = Wire::connect(&app, eio, transport).await;
    wire.emit("authentication", &json!({ "token": alice.token, "serverOffset": 1 })).await;
    wire.is_authenticated().await;
    wire.hears_all([2, 3]).await;
}

#[rstest]
#[tokio::test]
async fn without_an_offset_that_is_a_number_nothing_old_is_heard(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut poster = Wire::enter(&app, &alice).await;
    post(&mut poster, 2).await;
    for offset in [json!(null), json!(-1), json!("x"), json!(0.5), json!([0]), json!({}), json!(true), json!(1e300)] {
        let mut wire = Wire::come_back(&app, Eio::V4, &alice, offset).await;
        let seq = poster.post("marker").await;
        wire.hears_all([seq]).await;
    }
}

#[rstest]
#[tokio::test]
async fn a_socket_that_hears_already_hears_nothing_again(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::enter(&app, &alice).await;
    post(&mut wire, 2).await;
    wire.emit("authentication", &json!({ "token": alice.token, "serverOffset": 0 })).await;
    wire.is_authenticated().await;
    let seq = wire.post("marker").await;
    wire.hears_all([seq]).await;
}

#[rstest]
#[tokio::test]
async fn more_than_the_limit_is_told_as_a_gap_before_the_rest(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(From::Memory, From::Log)] from: From,
) {
    let settings = [from.settings(), &[("NATTER_CHAT__REPLAY_LIMIT", "5")]].concat();
    let app = start_with(storage, &settings).await;
    let alice = Person::join(&app, "alice").await;
    let mut poster = Wire::enter(&app, &alice).await;
    post(&mut poster, 10).await;
    let mut wire = Wire::come_back(&app, Eio::V4, &alice, 2).await;
    is_told_of_a_gap(&mut wire, 2, 6).await;
    wire.hears_all(6..=10).await;
    poster.post("newer").await;
    wire.hears_all([11]).await;
    Wire::come_back(&app, Eio::V4, &alice, 6).await.hears_all(7..=11).await;
}

#[rstest]
#[tokio::test]
async fn an_offset_ahead_of_the_log_is_told_as_a_gap(#[values(Storage::Sqlite, Storage::Postgres)] storage: Storage) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut poster = Wire::enter(&app, &alice).await;
    post(&mut poster, 3).await;
    for (offset, next) in [(4, 4), (i64::MAX, 5)] {
        let mut wire = Wire::come_back(&app, Eio::V4, &alice, offset).await;
        is_told_of_a_gap(&mut wire, offset, next).await;
        assert_eq!(poster.post("newer").await, next);
        wire.hears_all([next]).await;
    }
}

/// Somebody has taken messages out of the database by hand.
#[rstest]
#[tokio::test]
async fn messages_that_are_gone_are_told_as_a_gap(#[values(Storage::Sqlite, Storage::Postgres)] storage: Storage) {
    let app = start_with(storage, &[("NATTER_CHAT__RECENT_MESSAGES", "2")]).await;
    let alice = Person::join(&app, "alice").await;
    let mut poster = Wire::enter(&app, &alice).await;
    for seq in 1..=5 {
        assert_eq!(poster.post("x").await, seq);
    }
    app.execute("DELETE FROM messages WHERE seq > 2").await;
    let mut wire = Wire::come_back(&app, Eio::V4, &alice, 0).await;
    wire.hears_all(1..=2).await;
    is_told_of_a_gap(&mut wire, 2, 6).await;
    assert_eq!(poster.post("goes on").await, 6);
    wire.hears_all(6..=6).await;
}

async fn is_told_of_a_gap(wire: &mut Wire, after: i64, next: i64) {
    let data = json!({ "conversation": 1, "after": after, "next": next });
    assert_eq!(wire.event().await, Event { name: "history-gap".to_owned(), data, ack: None });
}

#[rstest]
#[tokio::test]
async fn what_was_missed_survives_a_restart_of_the_server(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    post(&mut Wire::enter(&app, &alice).await, 5).await;
    let app = app.restart().await;
    let mut wire = Wire::come_back(&app, Eio::V4, &alice, 2).await;
    wire.hears_all(3..=5).await;
    assert_eq!(wire.post("newer").await, 6);
    wire.hears_all([6]).await;
}

#[rstest]
#[tokio::test]
async fn a_message_sent_right_behind_the_offset_comes_after_what_was_missed(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(From::Memory, From::Log)] from: From,
) {
    let app = start_with(storage, from.settings()).await;
    let alice = Person::join(&app, "alice").await;
    post(&mut Wire::enter(&app, &alice).await, 8).await;
    let mut wire = Wire::connect(&app, Eio::V4, Transport::Websocket).await;
    let authentication = json!(["authentication", { "token": alice.token, "serverOffset": 1 }]);
    let message = json!(["client-sent-message", { "message": "new" }]);
    wire.send_all(&[&format!("42{authentication}"), &format!("42{message}")]).await;
    wire.is_authenticated().await;
    wire.hears_all(2..=8).await;
    wire.hears("alice@ref.example: new").await;
}

#[rstest]
#[tokio::test]
async fn a_client_may_take_longer_to_catch_up_than_to_authenticate(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    const COUNT: i64 = 100;
    let app = start_with(storage, &FEW_PACKETS).await;
    let alice = Person::join(&app, "alice").await;
    let mut poster = Wire::enter(&app, &alice).await;
    for seq in 1..=COUNT {
        assert_eq!(poster.post(&long_text()).await, seq);
        assert_eq!(poster.message().await["seq"], seq);
    }
    let mut late = Wire::come_back(&app, Eio::V4, &alice, 0).await;
    // It reads nothing until the deadline of one who came after it has passed.
    let mut stranger = Wire::connect(&app, Eio::V4, Transport::Websocket).await;
    stranger.is_disconnected().await;
    late.hears_all(1..=COUNT).await;
}

#[rstest]
#[tokio::test]
async fn a_client_that_is_ahead_of_its_node_hears_neither_a_gap_nor_anything_twice(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let here = start(storage).await;
    let there = here.another().await;
    let alice = Person::join(&here, "alice").await;
    let mut poster = Wire::enter(&here, &alice).await;
    for _ in 0..10 {
        let seq = poster.post("x").await;
        let mut wire = Wire::come_back(&there, Eio::V4, &alice, seq).await;
        let next = poster.post("next").await;
        wire.hears_all([next]).await;
        poster.hears_all([seq, next]).await;
    }
}

#[rstest]
#[tokio::test]
async fn what_another_node_has_written_is_heard_without_anybody_speaking_here(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let here = start(storage).await;
    let there = here.another().await;
    let alice = Person::join(&here, "alice").await;
    let mut listener = Wire::enter(&there, &alice).await;
    Wire::enter(&here, &alice).await.post("hello").await;
    listener.hears("alice@ref.example: hello").await;
}
