//! Messages that their authors change and take back.

use std::sync::Arc;

use natter::chat::message::{self, NewMessage};
use natter::chat::{self, EVERYONE, conversation};
use natter::event::Event;
use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use time::OffsetDateTime;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{start, start_with};
use crate::support::person::Person;
use crate::support::wire::Wire;

const FIRST: &str = "/api/messages/1/";

#[rstest]
#[tokio::test]
async fn an_edited_message_is_told_to_others_and_stays_in_the_history(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let (mut a, mut b) = (Wire::attend(&app, &ann, &json!({})).await, Wire::attend(&app, &bob, &json!({})).await);
    a.post("helo").await;
    let sent = b.told("server-got-message").await;
    let answer = a.ask("edit-message", &json!({ "seq": 1, "message": "hello" })).await;
    let changed = b.told("message-changed").await;
    assert_eq!(answer, json!({ "ok": true, "message": changed }));
    assert_eq!((&changed["message"], &changed["seq"]), (&json!("ann@ref.example: hello"), &json!(1)));
    assert_eq!(changed["time"], sent["time"]);
    assert!(changed["edited"].is_string() && changed.get("deleted").is_none(), "{changed}");
    assert_eq!(bob.get(&app, "/api/messages/").answer().await.json()["results"], json!([changed]));

    // Who comes back is sent what it has become, from memory or from the log.
    let mut back = Wire::come_back(&app, crate::support::wire::Eio::V4, &bob, 0).await;
    assert_eq!(back.message().await, changed);
    let app = app.restart().await;
    let mut back = Wire::come_back(&app, crate::support::wire::Eio::V4, &bob, 0).await;
    assert_eq!(back.message().await, changed);
}

#[rstest]
#[tokio::test]
async fn a_deleted_message_leaves_its_place_and_nobody_sees_its_text(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let mut b = Wire::attend(&app, &bob, &json!({})).await;
    let mut a = Wire::enter(&app, &ann).await;
    a.post("regretted").await;
    a.post("next").await;
    for _ in 0..2 {
        b.told("server-got-message").await;
    }
    assert_eq!(ann.request(&app, Method::DELETE, FIRST).answer().await.said(), (204, ""));
    let changed = b.told("message-changed").await;
    assert_eq!((&changed["message"], &changed["seq"]), (&json!("ann@ref.example: "), &json!(1)));
    assert!(changed["deleted"].is_string(), "{changed}");
    let page = bob.get(&app, "/api/messages/").answer().await;
    assert_eq!(page.json()["results"][1], changed);
    assert!(!page.body.contains("regretted"));

    let gone = (404, r#"{"detail":"Not found."}"#);
    assert_eq!(ann.request(&app, Method::DELETE, FIRST).answer().await.said(), gone);
    let edit = ann.request(&app, Method::PATCH, FIRST).json(&json!({ "message": "back" }));
    assert_eq!(edit.answer().await.said(), gone);
    assert_eq!(a.post("the numbers go on").await, 3);
}

#[rstest]
#[tokio::test]
async fn only_its_author_changes_a_message(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &[("NATTER_CHAT__MAX_MESSAGE_BYTES", "10")]).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let mut a = Wire::enter(&app, &ann).await;
    a.post("mine").await;
    let another = json!({ "detail": "You do not have permission to perform this action." });
    let edit = |person: &Person, path: &str, text: &str| {
        person.request(&app, Method::PATCH, path).json(&json!({ "message": text })).answer()
    };
    assert_eq!(edit(&bob, FIRST, "yours").await.said_json(), (403, another.clone()));
    assert_eq!(bob.request(&app, Method::DELETE, FIRST).answer().await.said_json(), (403, another));
    for path in [
        "/api/messages/2/",
        "/api/messages/0/",
        "/api/messages/-1/",
        "/api/messages/x/",
        "/api/messages/99999999999999999999/",
    ] {
        assert_eq!(edit(&ann, path, "x").await.status, 404, "{path}");
        assert_eq!(ann.request(&app, Method::DELETE, path).answer().await.status, 404, "{path}");
    }
    for (text, message) in [
        ("", "This field may not be blank."),
        ("a\0b", "Null characters are not allowed."),
        ("eleven char", "The message is too long."),
    ] {
        assert_eq!(edit(&ann, FIRST, text).await.said_json(), (400, json!({ "message": [message] })));
    }
    assert_eq!(app.request(Method::PATCH, FIRST).json(&json!({ "message": "x" })).answer().await.status, 403);
    let page = ann.get(&app, "/api/messages/").answer().await.json();
    assert_eq!(page["results"][0]["message"], "ann@ref.example: mine");
    assert!(page["results"][0].get("edited").is_none());
}

#[rstest]
#[tokio::test]
async fn a_repeat_of_a_message_that_was_edited_since_is_harmless(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let mut a = Wire::enter(&app, &ann).await;
    let message = json!({ "message": "helo", "clientOffset": "x" });
    assert_eq!(a.ask("client-sent-message", &message).await["seq"], 1);
    assert_eq!(a.ask("edit-message", &json!({ "seq": 1, "message": "hello" })).await["ok"], true);
    assert_eq!(a.ask("client-sent-message", &message).await, json!({ "ok": true, "conversation": 1, "seq": 1 }));
    assert_eq!(
        ann.get(&app, "/api/messages/").answer().await.json()["results"][0]["message"],
        "ann@ref.example: hello"
    );
}

#[rstest]
#[tokio::test]
async fn many_changes_at_once_are_all_heard_as_they_end(#[values(Sqlite, Postgres)] storage: Storage) {
    const MESSAGES: i64 = 10;
    const TIMES: i64 = 5;
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let mut a = Wire::enter(&app, &ann).await;
    for _ in 0..MESSAGES {
        a.post("0").await;
    }
    let mut b = Wire::attend(&app, &bob, &json!({ "1": MESSAGES })).await;
    let edits = (1..=TIMES).flat_map(|time| (1..=MESSAGES).map(move |seq| (seq, time)));
    let edits = edits.map(|(seq, time)| {
        let request = ann.request(&app, Method::PATCH, &format!("/api/messages/{seq}/"));
        request.json(&json!({ "message": time.to_string() })).answer()
    });
    for answer in futures_util::future::join_all(edits).await {
        assert_eq!(answer.status, 200);
    }
    ann.post(&app, "/api/messages/").json(&json!({ "message": "done" })).answer().await;
    let mut last = vec![json!(null); usize::try_from(MESSAGES).unwrap()];
    loop {
        let event = b.event().await;
        match event.name.as_str() {
            "message-changed" => {
                let seq = event.data["seq"].as_u64().unwrap();
                last[usize::try_from(seq).unwrap() - 1] = event.data;
            }
            "server-got-message" => break,
            _ => {}
        }
    }
    let page = ann.get(&app, &format!("/api/messages/?before={}", MESSAGES + 1)).answer().await.json();
    let mut kept = page["results"].as_array().unwrap().clone();
    kept.reverse();
    assert_eq!(last, kept);
}

/// As when the server is busy with others' messages, or another node was faster.
#[rstest]
#[tokio::test]
async fn what_a_message_was_is_never_heard_behind_what_it_is(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let mut b = Wire::attend(&app, &bob, &json!({})).await;
    let (text, email) = ("regretted".to_owned(), Arc::from(ann.email.as_str()));
    let created_at = OffsetDateTime::now_utc();
    let transaction = app.app.database.begin().await.unwrap();
    let seq = conversation::take_seqs(&transaction, EVERYONE, 1).await.unwrap();
    let row = NewMessage { seq, author: ann.id, email, text, client_offset: None, created_at };
    message::insert_all(&transaction, EVERYONE, std::iter::once(row)).await.unwrap();
    transaction.commit().await.unwrap();
    let posted = chat::missed(&app.app, EVERYONE, 0, 1).await.unwrap();
    chat::delete(&app.app, ann.id, EVERYONE, seq).await.unwrap();
    app.app.events.publish(Event::MessagesPosted(posted)).await;
    Wire::enter(&app, &ann).await.post("marker").await;

    let mut heard = Vec::new();
    while heard.last().is_none_or(|(_, line)| line != "ann@ref.example: marker") {
        let event = b.event().await;
        if let Some(line) = event.data["message"].as_str() {
            heard.push((event.name, line.to_owned()));
        }
    }
    let changed = heard.iter().position(|(name, _)| name == "message-changed").unwrap();
    assert!(changed > 0, "the message comes before its change: {heard:?}");
    assert!(heard[changed..].iter().all(|(_, line)| line != "ann@ref.example: regretted"), "{heard:?}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_edits_in_a_row_the_last_one_holds(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let mut wire = Wire::attend(&app, &ann, &json!({})).await;
    wire.post("0").await;
    for round in 0..5 {
        let texts: Vec<_> = (0..15).map(|number| format!("{round}-{number}")).collect();
        for text in &texts {
            wire.emit_with_ack("edit-message", &json!({ "seq": 1, "message": text })).await;
        }
        // Answered in order, too.
        assert_eq!(wire.ask("who-is-here", &json!({})).await["ok"], true);
        let page = ann.get(&app, "/api/messages/").answer().await.json();
        assert_eq!(page["results"][0]["message"], format!("ann@ref.example: {}", texts[14]));
    }
}
