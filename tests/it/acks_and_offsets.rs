//! What a sender is told of a message, and `clientOffset`, the sender's own name for it.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::answer::Ask;
use crate::support::app::{Storage, start, start_with};
use crate::support::person::Person;
use crate::support::wire::{Eio, Transport, Wire};

const MESSAGE: &str = "client-sent-message";

fn refusal(code: &str, message: &str) -> Value {
    json!({ "ok": false, "error": { "code": code, "message": message } })
}

#[rstest]
#[tokio::test]
async fn an_ack_tells_the_place_under_which_everybody_hears_the_message(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Polling, Transport::Websocket)] transport: Transport,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, transport).await;
    wire.authenticate(&alice).await;
    for seq in 1..=3 {
        let answer = wire.ask(MESSAGE, &json!({ "message": "hello" })).await;
        assert_eq!(answer, json!({ "ok": true, "conversation": 1, "seq": seq }));
        assert_eq!(wire.message().await["seq"], seq);
    }
}

#[rstest]
#[tokio::test]
async fn an_acknowledged_message_is_in_the_history(#[values(Storage::Sqlite, Storage::Postgres)] storage: Storage) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::enter(&app, &alice).await;
    let seq = wire.post("hello").await;
    let history: Value = alice.get(&app, "/api/messages/").send().await.unwrap().json().await.unwrap();
    assert_eq!(history["results"][0]["seq"], seq);
    assert_eq!(history["results"][0], wire.message().await);
}

#[rstest]
#[tokio::test]
async fn a_repeated_offset_answers_the_first_message_and_posts_nothing(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::enter(&app, &alice).await;
    let first = wire.ask(MESSAGE, &json!({ "message": "first", "clientOffset": "a-1" })).await;
    assert_eq!(first, json!({ "ok": true, "conversation": 1, "seq": 1 }));
    assert_eq!(wire.ask(MESSAGE, &json!({ "message": "first", "clientOffset": "a-1" })).await, first);
    wire.hears("alice@ref.example: first").await;

    // A client repeats itself when it comes back, without knowing whether it was heard.
    let mut again = Wire::enter(&app, &alice).await;
    assert_eq!(again.ask(MESSAGE, &json!({ "message": "first", "clientOffset": "a-1" })).await, first);
    assert_eq!(again.post("marker").await, 2);
    for wire in [&mut wire, &mut again] {
        wire.hears("alice@ref.example: marker").await;
    }
}

#[rstest]
#[tokio::test]
async fn an_offset_that_stands_for_another_text_or_for_nothing_is_refused_and_the_text_is_not_lost_silently(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::enter(&app, &alice).await;
    wire.ask(MESSAGE, &json!({ "message": "first", "clientOffset": 0 })).await;
    wire.hears("alice@ref.example: first").await;
    for (offset, reason) in [
        (json!(0), "The clientOffset was given to another message."),
        (json!(""), "A clientOffset is a text that is not empty."),
        (json!({}), "A clientOffset is a text that is not empty."),
    ] {
        let answer = wire.ask(MESSAGE, &json!({ "message": "second", "clientOffset": offset })).await;
        assert_eq!(answer, json!({ "ok": false, "error": { "code": "invalid", "message": reason } }));
    }
    let again = json!({ "message": "second", "clientOffset": 0 });
    let answer = alice.post(&app, "/api/messages/").json(&again).answer().await;
    let refused = json!({ "clientOffset": ["The clientOffset was given to another message."] });
    assert_eq!(answer.said_json(), (400, refused));
    assert_eq!(wire.post("marker").await, 2);
}

#[rstest]
#[tokio::test]
async fn repeats_within_one_burst_are_posted_once(#[values(Storage::Sqlite, Storage::Postgres)] storage: Storage) {
    let app = start(storage).await;
    let mut wire = Wire::enter(&app, &Person::join(&app, "alice").await).await;
    let packets: Vec<_> = (0..60)
        .map(|number| {
            let offset = number / 3;
            format!("42{}", json!([MESSAGE, { "message": offset, "clientOffset": offset }]))
        })
        .collect();
    wire.send_all(&packets.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for number in 0..20 {
        let message = wire.message().await;
        assert_eq!(message["message"], format!("alice@ref.example: {number}"));
        assert_eq!(message["seq"], number + 1);
    }
    assert_eq!(wire.post("marker").await, 21);
}

#[rstest]
#[tokio::test]
async fn offsets_of_two_people_do_not_meet(#[values(Storage::Sqlite, Storage::Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (alice, bob) = (Person::join(&app, "alice").await, Person::join(&app, "bob").await);
    let mut hers = Wire::enter(&app, &alice).await;
    let mut his = Wire::enter(&app, &bob).await;
    let payload = json!({ "message": "hello", "clientOffset": "same" });
    assert_eq!(hers.ask(MESSAGE, &payload).await["seq"], 1);
    assert_eq!(his.ask(MESSAGE, &payload).await["seq"], 2);
}

#[rstest]
#[tokio::test]
async fn a_refusal_is_told_in_the_ack(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start_with(storage, &[("NATTER_CHAT__MAX_MESSAGE_BYTES", "10")]).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, Transport::Websocket).await;
    let unauthenticated = refusal("unauthenticated", "Authentication credentials were not provided.");
    assert_eq!(wire.ask(MESSAGE, &json!({ "message": "hello" })).await, unauthenticated);
    wire.authenticate(&alice).await;
    let refusals = [
        (json!({ "message": "a\0b" }), "Null characters are not allowed."),
        (json!({ "message": "eleven char" }), "The message is too long."),
        (json!({ "message": "a", "clientOffset": "x".repeat(129) }), "The clientOffset is too long."),
        (json!({ "message": null }), "A message is a text."),
        (json!({ "message": ["a"] }), "A message is a text."),
        (json!(null), "A message is a text."),
    ];
    for (payload, reason) in refusals {
        assert_eq!(wire.ask(MESSAGE, &payload).await, refusal("invalid", reason), "{payload}");
    }
    assert_eq!(wire.post("marker").await, 1);
}

#[rstest]
#[tokio::test]
async fn a_message_behind_a_failed_authentication_is_refused_in_its_ack(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let mut wire = Wire::connect(&app, Eio::V4, Transport::Websocket).await;
    wire.send_all(&[r#"42["authentication",{"token":"x"}]"#, r#"425["client-sent-message",{"message":"x"}]"#]).await;
    wire.is_unauthorized().await;
    assert_eq!(wire.answer(5).await["error"]["code"], "unauthenticated");
}

#[rstest]
#[tokio::test]
async fn what_a_full_queue_refuses_is_told_and_the_rest_is_heard(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let settings = [("NATTER_CHAT__QUEUE_MESSAGES", "2"), ("NATTER_CHAT__BATCH_MESSAGES", "1")];
    let app = start_with(storage, &settings).await;
    let mut wire = Wire::enter(&app, &Person::join(&app, "alice").await).await;
    let packets: Vec<_> = (0..500).map(|id| format!("42{id}{}", json!([MESSAGE, { "message": id }]))).collect();
    wire.send_all(&packets.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut accepted = Vec::new();
    for id in 0..500 {
        let answer = wire.answer(id).await;
        if answer["ok"] == true {
            accepted.push((id, answer["seq"].clone()));
        } else {
            assert_eq!(answer, refusal("overloaded", "Too much is waiting, try again later."));
        }
    }
    assert!((1..500).contains(&accepted.len()), "{} of 500 were accepted", accepted.len());
    for (id, seq) in accepted {
        let message = wire.message().await;
        assert_eq!((&message["message"], &message["seq"]), (&json!(format!("alice@ref.example: {id}")), &seq));
    }
}

#[rstest]
#[tokio::test]
async fn without_an_ack_a_full_queue_is_told_by_an_event_that_names_the_message(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let settings = [("NATTER_CHAT__QUEUE_MESSAGES", "2"), ("NATTER_CHAT__BATCH_MESSAGES", "1")];
    let app = start_with(storage, &settings).await;
    let mut wire = Wire::enter(&app, &Person::join(&app, "alice").await).await;
    let packets: Vec<_> =
        (0..500).map(|id| format!("42{}", json!([MESSAGE, { "message": "x", "clientOffset": id }]))).collect();
    wire.send_all(&packets.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (mut heard, mut refused) = (0, Vec::new());
    while heard + refused.len() < 500 {
        let event = wire.event().await;
        if event.name == "message-refused" {
            assert_eq!(event.data["code"], "overloaded");
            refused.push(event.data["clientOffset"].as_str().unwrap().parse::<u32>().unwrap());
        } else {
            heard += 1;
            assert_eq!(event.data["seq"], heard);
        }
    }
    assert!(heard > 0 && !refused.is_empty());
    assert!(refused.is_sorted());
}
