//! `client-sent-message` and `server-got-message`.

use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::app::{Storage, start, start_with};
use crate::support::person::Person;
use crate::support::wire::{Eio, Event, Transport, Wire};

#[rstest]
#[tokio::test]
async fn a_message_carries_its_line_and_its_place_author_and_time(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::enter(&app, &alice).await;
    for seq in 1..=2 {
        wire.say("hello").await;
        let mut message = wire.message().await;
        let time = message["time"].take();
        OffsetDateTime::parse(time.as_str().unwrap(), &Rfc3339).unwrap();
        let expected = json!({
            "message": "alice@ref.example: hello",
            "conversation": 1,
            "seq": seq,
            "author": alice.id.0,
            "time": null,
        });
        assert_eq!(message, expected);
    }
}

#[rstest]
#[tokio::test]
async fn every_authenticated_socket_hears_a_message_whoever_sent_it(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let (alice, bob) = (Person::join(&app, "alice").await, Person::join(&app, "bob").await);
    let mut sender = Wire::enter(&app, &alice).await;
    let mut others = Vec::new();
    // The sender's other tabs among them.
    for (person, eio, transport) in [
        (&alice, Eio::V3, Transport::Websocket),
        (&bob, Eio::V3, Transport::Polling),
        (&alice, Eio::V4, Transport::Polling),
        (&bob, Eio::V4, Transport::Upgrade),
    ] {
        let mut other = Wire::connect(&app, eio, transport).await;
        other.authenticate(person).await;
        others.push(other);
    }
    sender.say("hello").await;
    let heard = sender.message().await;
    assert_eq!(heard["message"], "alice@ref.example: hello");
    for other in &mut others {
        assert_eq!(other.message().await, heard);
    }
}

#[rstest]
#[tokio::test]
async fn an_unauthenticated_socket_hears_nothing(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start_with(storage, &[("NATTER_GATEWAY__AUTH_TIMEOUT", "60000")]).await;
    let alice = Person::join(&app, "alice").await;
    let mut stranger = Wire::connect(&app, eio, Transport::Websocket).await;
    let mut refused = Wire::connect(&app, eio, Transport::Websocket).await;
    refused.emit("authentication", &json!({ "token": "wrong" })).await;
    refused.is_unauthorized().await;

    let mut sender = Wire::enter(&app, &alice).await;
    sender.say("secret").await;
    sender.hears("alice@ref.example: secret").await;

    for outsider in [&mut stranger, &mut refused] {
        outsider.authenticate(&alice).await;
    }
    sender.say("public").await;
    for outsider in [&mut stranger, &mut refused] {
        outsider.hears("alice@ref.example: public").await;
    }
}

#[rstest]
#[tokio::test]
async fn a_hundred_messages_in_a_row_arrive_in_order(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Polling, Transport::Websocket, Transport::Upgrade)] transport: Transport,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut hearer = Wire::connect(&app, eio, transport).await;
    hearer.authenticate(&alice).await;
    let mut sender = Wire::connect(&app, eio, transport).await;
    sender.authenticate(&alice).await;
    for number in 1..=100 {
        sender.say(&number.to_string()).await;
    }
    for wire in [&mut sender, &mut hearer] {
        for number in 1..=100 {
            let message = wire.message().await;
            assert_eq!(message["message"], format!("alice@ref.example: {number}"));
            assert_eq!(message["seq"], number);
        }
    }
}

#[rstest]
#[tokio::test]
async fn who_speaks_alone_is_committed_at_once_and_those_who_follow_together(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let settings = [("NATTER_CHAT__COMMIT_INTERVAL_MILLISECONDS", "10000"), ("NATTER_METRICS__LISTEN", "127.0.0.1:0")];
    let app = start_with(storage, &settings).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::enter(&app, &alice).await;
    assert_eq!(wire.post("first").await, 1);
    let follow = json!({ "message": "follow" });
    let mut acks = Vec::new();
    for _ in 0..3 {
        acks.push(wire.emit_with_ack("client-sent-message", &follow).await);
        // Time enough for a commit of its own.
        assert_eq!(alice.history(&app).await.len(), 1);
    }
    // These make it worth while.
    for _ in 3..32 {
        acks.push(wire.emit_with_ack("client-sent-message", &follow).await);
    }
    for (ack, seq) in acks.into_iter().zip(2..) {
        assert_eq!(wire.answer(ack).await["seq"], seq);
    }
    let figures = reqwest::get(format!("http://{}/metrics", app.metrics.unwrap())).await.unwrap();
    let figures = figures.text().await.unwrap();
    assert!(figures.contains("\nnatter_log_commit_seconds_count 2\n"), "{figures}");
}

#[rstest]
#[tokio::test]
async fn a_long_message_and_any_characters_arrive_as_they_were_sent(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
    #[values(Transport::Polling, Transport::Websocket)] transport: Transport,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, transport).await;
    wire.authenticate(&alice).await;
    let long = "x".repeat(16_384);
    for text in [&long, "", " ", "<b>&amp;</b>", "Grüße, 世界 👋🏽", "\"\\\n\t\u{1}\u{2028}\u{fffd}", "%s ' -- $1"]
    {
        wire.say(text).await;
        wire.hears(&format!("alice@ref.example: {text}")).await;
    }
}

#[rstest]
#[tokio::test]
async fn half_a_surrogate_pair_does_not_cost_the_message(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let mut wire = Wire::enter(&app, &Person::join(&app, "alice").await).await;
    wire.send(r#"42["client-sent-message",{"message":"cut \ud83d"}]"#).await;
    wire.hears("alice@ref.example: cut \u{fffd}").await;
}

#[rstest]
#[tokio::test]
async fn numbers_and_booleans_are_said_as_javascript_prints_them(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let mut wire = Wire::enter(&app, &Person::join(&app, "alice").await).await;
    let cases =
        [("42", "42"), ("1.5e21", "1.5e+21"), ("-0.0", "0"), ("1e-7", "1e-7"), ("true", "true"), ("false", "false")];
    for (sent, said) in cases {
        wire.send(&format!(r#"42["client-sent-message",{{"message":{sent}}}]"#)).await;
        wire.hears(&format!("alice@ref.example: {said}")).await;
    }
}

#[rstest]
#[tokio::test]
async fn what_is_no_message_is_ignored(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, Transport::Websocket).await;
    wire.authenticate(&alice).await;
    let payloads = [
        r#",{"message":null}"#,
        r#",{"message":{"a":1}}"#,
        r#",{"message":{"toString":1}}"#,
        r#",{"message":[1,[2,3],null]}"#,
        r#",{"Message":"x"}"#,
        ",{}",
        ",null",
        r#","text""#,
        ",7",
        r#",["x"]"#,
        "",
    ];
    for payload in payloads {
        wire.send(&format!(r#"42["client-sent-message"{payload}]"#)).await;
    }
    wire.say("marker").await;
    let message = wire.message().await;
    assert_eq!((&message["message"], &message["seq"]), (&json!("alice@ref.example: marker"), &json!(1)));
}

#[rstest]
#[tokio::test]
async fn more_keys_and_arguments_than_expected_change_nothing(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let mut wire = Wire::enter(&app, &Person::join(&app, "alice").await).await;
    wire.send(r#"42["client-sent-message",{"x":1,"message":"hello","author":7,"seq":9},"more",null]"#).await;
    let message = wire.message().await;
    assert_eq!((&message["message"], &message["seq"]), (&json!("alice@ref.example: hello"), &json!(1)));
}

#[rstest]
#[tokio::test]
async fn unknown_events_are_ignored(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, Transport::Websocket).await;
    wire.emit("unheard-of", &json!({})).await;
    wire.authenticate(&alice).await;
    for event in ["unheard-of", "server-got-message", "authenticated", "news", "disconnect", "error", "connect", ""] {
        wire.emit(event, &json!({ "message": "x" })).await;
        wire.emit_with_ack(event, &json!({ "message": "x" })).await;
    }
    wire.say("marker").await;
    wire.hears("alice@ref.example: marker").await;
}

#[rstest]
#[tokio::test]
async fn a_message_that_cannot_be_stored_is_refused_and_the_next_one_is_not(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Transport::Polling, Transport::Websocket)] transport: Transport,
) {
    let app = start_with(storage, &[("NATTER_CHAT__MAX_MESSAGE_BYTES", "10")]).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, Eio::V4, transport).await;
    wire.authenticate(&alice).await;
    let refusals = [
        (json!({ "message": "a\0b" }), "Null characters are not allowed."),
        (json!({ "message": "a", "clientOffset": "\0" }), "Null characters are not allowed."),
        (json!({ "message": "eleven char" }), "The message is too long."),
        (json!({ "message": "öööööö" }), "The message is too long."),
        (json!({ "message": "a", "clientOffset": "x".repeat(129) }), "The clientOffset is too long."),
        (json!({ "message": "a", "conversation": "x" }), "A conversation is a whole number."),
        (json!({ "message": "a", "conversation": 1.5 }), "A conversation is a whole number."),
        (json!({ "message": "a", "conversation": [1] }), "A conversation is a whole number."),
    ];
    for (payload, reason) in refusals {
        wire.emit("client-sent-message", &payload).await;
        let data = json!({ "code": "invalid", "message": reason, "clientOffset": payload.get("clientOffset") });
        assert_eq!(wire.event().await, Event { name: "message-refused".to_owned(), data, ack: None });
    }
    wire.say("ten bytes!").await;
    let message = wire.message().await;
    assert_eq!((&message["message"], &message["seq"]), (&json!("alice@ref.example: ten bytes!"), &json!(1)));
    wire.emit("client-sent-message", &json!({ "message": "in digits", "conversation": "1" })).await;
    wire.hears("alice@ref.example: in digits").await;
}

#[rstest]
#[tokio::test]
async fn a_peer_that_leaves_is_not_announced(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Transport::Polling, Transport::Websocket)] transport: Transport,
) {
    let app = start(storage).await;
    let (alice, bob) = (Person::join(&app, "alice").await, Person::join(&app, "bob").await);
    let mut stays = Wire::enter(&app, &alice).await;
    let mut leaves = Wire::connect(&app, Eio::V4, transport).await;
    leaves.authenticate(&bob).await;
    leaves.send("41").await;
    drop(leaves);
    stays.say("marker").await;
    stays.hears("alice@ref.example: marker").await;
}

#[rstest]
#[tokio::test]
async fn a_message_is_signed_by_the_e_mail_that_the_sender_had_at_the_last_authentication(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::enter(&app, &alice).await;
    let change = alice.request(&app, Method::PATCH, "/api/users/me/").json(&json!({ "email": "new@ref.example" }));
    assert_eq!(change.send().await.unwrap().status(), 200);
    wire.say("hello").await;
    wire.hears("alice@ref.example: hello").await;
    wire.authenticate(&alice).await;
    wire.say("hello").await;
    wire.hears("new@ref.example: hello").await;
}
