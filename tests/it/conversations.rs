//! Rooms and direct conversations: who sees, hears and says what.

use natter::accounts;
use natter::chat::{self, Room};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start, start_with};
use crate::support::person::Person;
use crate::support::wire::{Eio, Transport, Wire};

const LIST: &str = "/api/conversations/";
const FORBIDDEN: &str = r#"{"detail":"You do not have permission to perform this action."}"#;
const NOT_FOUND: &str = r#"{"detail":"Not found."}"#;

async fn open(app: &TestApp, person: &Person, opening: Value) -> i64 {
    let answer = person.post(app, LIST).json(&opening).answer().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_i64().unwrap()
}

async fn room(app: &TestApp, owner: &Person, kind: &str) -> i64 {
    open(app, owner, json!({ "kind": kind, "name": "Tea" })).await
}

async fn invite(app: &TestApp, host: &Person, id: i64, guest: &Person) {
    let answer = host.post(app, &format!("{LIST}{id}/members/")).json(&json!({ "email": guest.email })).answer().await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

async fn say(app: &TestApp, person: &Person, id: i64, text: &str) -> (u16, Value) {
    let answer = person.post(app, &format!("{LIST}{id}/messages/")).json(&json!({ "message": text })).answer().await;
    (answer.status, answer.json())
}

async fn lines(app: &TestApp, person: &Person, id: i64) -> Vec<Value> {
    let page = person.get(app, &format!("{LIST}{id}/messages/")).answer().await.json();
    page["results"].as_array().unwrap().iter().rev().map(|message| message["message"].clone()).collect()
}

#[rstest]
#[tokio::test]
async fn the_first_conversation_is_everybodys(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let page = ann.get(&app, LIST).answer().await.json();
    let everyone = json!({
        "id": 1, "kind": "everyone", "name": "Everyone", "joined": true, "owned": false, "last_seq": 0, "read_seq": 0,
        "with": null
    });
    assert_eq!(page, json!({ "count": 1, "next": null, "previous": null, "results": [everyone] }));
    assert_eq!(ann.get(&app, "/api/conversations/1/").answer().await.json(), everyone);
    assert_eq!(say(&app, &ann, 1, "hello").await.1["seq"], 1);
    assert_eq!(ann.get(&app, "/api/messages/").answer().await.json()["results"][0]["conversation"], 1);
    let leave = ann.request(&app, Method::DELETE, "/api/conversations/1/members/me/").answer().await;
    assert_eq!(leave.said(), (403, FORBIDDEN));
}

#[rstest]
#[tokio::test]
async fn an_open_room_is_seen_by_all_and_heard_by_those_who_join(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let id = room(&app, &ann, "open").await;
    assert_eq!(say(&app, &ann, id, "first").await.1["seq"], 1);

    let seen = bob.get(&app, &format!("{LIST}{id}/")).answer().await.json();
    assert_eq!((&seen["joined"], &seen["owned"], &seen["name"]), (&json!(false), &json!(false), &json!("Tea")));
    assert_eq!(lines(&app, &bob, id).await, ["ann@ref.example: first"]);
    assert_eq!(say(&app, &bob, id, "too early").await.0, 403);

    let mut wire = Wire::attend(&app, &bob, &json!({})).await;
    let join = bob.post(&app, &format!("{LIST}{id}/members/")).json(&json!({})).answer().await;
    assert_eq!((join.status, &join.json()["email"]), (201, &json!("bob@ref.example")));
    assert_eq!(wire.told("conversation-joined").await, json!({ "conversation": id, "seq": 1 }));
    assert_eq!(say(&app, &bob, id, "second").await.1["seq"], 2);
    let heard = wire.told("server-got-message").await;
    assert_eq!((&heard["conversation"], &heard["message"]), (&json!(id), &json!("bob@ref.example: second")));

    let leave = bob.request(&app, Method::DELETE, &format!("{LIST}{id}/members/me/")).answer().await;
    assert_eq!(leave.said(), (204, ""));
    assert_eq!(wire.told("conversation-left").await, json!({ "conversation": id }));
    assert_eq!(say(&app, &bob, id, "too late").await.0, 403);
    say(&app, &ann, id, "third").await;
    say(&app, &ann, 1, "to all").await;
    assert_eq!(wire.told("server-got-message").await["message"], "ann@ref.example: to all");
}

#[rstest]
#[tokio::test]
async fn of_a_new_room_those_are_told_who_may_join_it(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let mut wire = Wire::attend(&app, &bob, &json!({})).await;
    room(&app, &ann, "invitation").await;
    let id = room(&app, &ann, "open").await;
    assert_eq!(wire.told("conversation-opened").await, json!({ "conversation": id }));
}

#[rstest]
#[tokio::test]
async fn a_room_by_invitation_is_nothing_to_strangers(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob, eve) =
        (Person::join(&app, "ann").await, Person::join(&app, "bob").await, Person::join(&app, "eve").await);
    let id = room(&app, &ann, "invitation").await;
    invite(&app, &ann, id, &bob).await;
    say(&app, &bob, id, "hush").await;

    let (one, messages, members) =
        (format!("{LIST}{id}/"), format!("{LIST}{id}/messages/"), format!("{LIST}{id}/members/"));
    for request in [
        eve.get(&app, &one),
        eve.request(&app, Method::PATCH, &one).json(&json!({ "name": "Eve's" })),
        eve.get(&app, &messages),
        eve.post(&app, &messages).json(&json!({ "message": "x" })),
        eve.request(&app, Method::PATCH, &format!("{messages}1/")).json(&json!({ "message": "x" })),
        eve.request(&app, Method::DELETE, &format!("{messages}1/")),
        eve.get(&app, &members),
        eve.post(&app, &members).json(&json!({})),
        eve.post(&app, &members).json(&json!({ "email": "eve@ref.example" })),
        eve.request(&app, Method::DELETE, &format!("{members}{}/", bob.id.0)),
        eve.request(&app, Method::PUT, &format!("{LIST}{id}/read/")).json(&json!({ "seq": 1 })),
    ] {
        assert_eq!(request.answer().await.said(), (404, NOT_FOUND));
    }
    assert_eq!(eve.get(&app, LIST).answer().await.json()["count"], 1);

    let mut wire = Wire::attend(&app, &eve, &json!({ id.to_string(): 0 })).await;
    for event in ["join-conversation", "leave-conversation", "rename-conversation", "mark-read"] {
        let payload = json!({ "conversation": id, "seq": 1, "name": "x" });
        let answer = wire.ask(event, &payload).await;
        assert_eq!(answer["error"]["code"], "not-found", "{event}: {answer}");
    }
    let answer = wire.ask("client-sent-message", &json!({ "conversation": id, "message": "x" })).await;
    assert_eq!(answer["error"]["code"], "forbidden");
    let answer = wire.ask("edit-message", &json!({ "conversation": id, "seq": 1, "message": "x" })).await;
    assert_eq!(answer["error"]["code"], "forbidden");
    say(&app, &bob, id, "hush hush").await;
    say(&app, &bob, 1, "to all").await;
    assert_eq!(wire.told("server-got-message").await["message"], "bob@ref.example: to all");
    assert_eq!(lines(&app, &ann, id).await, ["bob@ref.example: hush", "bob@ref.example: hush hush"]);
}

#[rstest]
#[tokio::test]
async fn two_people_have_one_direct_conversation(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let with = |person: &Person| json!({ "kind": "direct", "email": person.email });
    let openings = (0..4).map(|turn| {
        let (from, to) = if turn % 2 == 0 { (&ann, &bob) } else { (&bob, &ann) };
        from.post(&app, LIST).json(&with(to)).answer()
    });
    let answers = futures_util::future::join_all(openings).await;
    let ids: Vec<_> = answers.iter().map(|answer| (answer.status, answer.json()["id"].clone())).collect();
    assert!(ids.iter().all(|id| *id == ids[0] && id.0 == 201), "{ids:?}");
    let id = ids[0].1.as_i64().unwrap();

    let seen = bob.get(&app, &format!("{LIST}{id}/")).answer().await.json();
    assert_eq!((&seen["name"], &seen["with"]), (&json!("ann@ref.example"), &json!(ann.id.0)));
    assert_eq!(say(&app, &ann, id, "psst").await.0, 201);
    assert_eq!(lines(&app, &bob, id).await, ["ann@ref.example: psst"]);
    let invited = ann.post(&app, &format!("{LIST}{id}/members/")).json(&json!({ "email": "bob@ref.example" }));
    assert_eq!(invited.answer().await.said(), (403, FORBIDDEN));
    let leave = ann.request(&app, Method::DELETE, &format!("{LIST}{id}/members/me/"));
    assert_eq!(leave.answer().await.said(), (403, FORBIDDEN));

    for (opening, field, message) in [
        (with(&ann), "email", "A direct conversation is with somebody else."),
        (json!({ "kind": "direct", "email": "no@ref.example" }), "email", "Nobody has this e-mail address."),
        (json!({ "kind": "direct" }), "email", "This field is required."),
        (json!({ "kind": "open", "name": " " }), "name", "This field may not be blank."),
        (
            json!({ "kind": "open", "name": "n".repeat(81) }),
            "name",
            "Ensure this field has no more than 80 characters.",
        ),
        (json!({ "kind": "everyone", "name": "x" }), "kind", "\"everyone\" is not a valid choice."),
        (json!({ "name": "x" }), "kind", "This field is required."),
    ] {
        let answer = ann.post(&app, LIST).json(&opening).answer().await;
        assert_eq!(answer.said_json().0, 400, "{opening}");
        assert_eq!(answer.json()[field][0], message, "{opening}");
    }
}

#[rstest]
#[tokio::test]
async fn an_owner_names_a_room_and_takes_people_out(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob, cat) =
        (Person::join(&app, "ann").await, Person::join(&app, "bob").await, Person::join(&app, "cat").await);
    let id = room(&app, &ann, "invitation").await;
    for guest in [&bob, &cat] {
        invite(&app, &ann, id, guest).await;
    }
    let members = ann.get(&app, &format!("{LIST}{id}/members/?page_size=2")).answer().await.json();
    assert_eq!((&members["count"], &members["results"][1]["email"]), (&json!(3), &json!("bob@ref.example")));
    assert!(members["next"].as_str().unwrap().ends_with(&format!("{LIST}{id}/members/?page=2&page_size=2")));
    let last = ann.get(&app, &format!("{LIST}{id}/members/?page=2&page_size=2")).answer().await.json();
    assert_eq!((&last["next"], &last["results"][0]["email"]), (&Value::Null, &json!("cat@ref.example")));
    for page in ["0", "3", "x", "-1", "99999999999"] {
        let path = format!("{LIST}{id}/members/?page={page}&page_size=2");
        assert_eq!(ann.get(&app, &path).answer().await.said(), (404, NOT_FOUND), "{page}");
    }

    let rename = |person: &Person| {
        person.request(&app, Method::PATCH, &format!("{LIST}{id}/")).json(&json!({ "name": "Coffee" })).answer()
    };
    assert_eq!(rename(&bob).await.said(), (403, FORBIDDEN));
    let mut wire = Wire::attend(&app, &bob, &json!({})).await;
    assert_eq!(wire.told("conversation-joined").await["conversation"], id);
    assert_eq!(rename(&ann).await.json()["name"], "Coffee");
    assert_eq!(wire.told("conversation-changed").await, json!({ "conversation": id }));

    let remove = |person: &Person, member: &Person| {
        let path = format!("{LIST}{id}/members/{}/", member.id.0);
        person.request(&app, Method::DELETE, &path).answer()
    };
    assert_eq!(remove(&bob, &cat).await.said(), (403, FORBIDDEN));
    assert_eq!(remove(&ann, &bob).await.said(), (204, ""));
    assert_eq!(wire.told("conversation-left").await, json!({ "conversation": id }));
    assert_eq!(remove(&ann, &bob).await.said(), (404, NOT_FOUND));
    assert_eq!(bob.get(&app, &format!("{LIST}{id}/")).answer().await.status, 404);
}

#[rstest]
#[tokio::test]
async fn old_clients_hear_the_first_conversation_only(
    #[values(Sqlite, Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let mut old = Wire::connect(&app, eio, Transport::Websocket).await;
    old.authenticate(&ann).await;
    let id = room(&app, &ann, "open").await;
    say(&app, &ann, id, "in the room").await;
    say(&app, &ann, 1, "to all").await;
    let edited = ann.request(&app, Method::PATCH, "/api/messages/1/").json(&json!({ "message": "to everybody" }));
    assert_eq!(edited.answer().await.status, 200);
    say(&app, &ann, 1, "and again").await;
    old.hears("ann@ref.example: to all").await;
    old.hears("ann@ref.example: and again").await;
}

#[rstest]
#[tokio::test]
async fn who_comes_back_hears_what_was_missed_in_each_conversation(#[values(Sqlite, Postgres)] storage: Storage) {
    // The rooms' memory is shorter than what is missed.
    let app = start_with(storage, &[("NATTER_CHAT__RECENT_MESSAGES", "3")]).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let (tea, pie) = (room(&app, &ann, "invitation").await, room(&app, &ann, "invitation").await);
    for id in [tea, pie] {
        invite(&app, &ann, id, &bob).await;
    }
    for text in 1..=10 {
        for id in [1, tea, pie] {
            say(&app, &ann, id, &text.to_string()).await;
        }
    }
    let mut wire = Wire::attend(&app, &bob, &json!({ "1": 9, tea.to_string(): 4 })).await;
    let mut heard: Vec<(i64, i64)> = Vec::new();
    while heard.len() < 7 {
        let message = wire.told("server-got-message").await;
        heard.push((message["conversation"].as_i64().unwrap(), message["seq"].as_i64().unwrap()));
    }
    let of = |id: i64| heard.iter().filter(move |(conversation, _)| *conversation == id).map(|(_, seq)| *seq);
    assert_eq!(of(1).collect::<Vec<_>>(), [10]);
    assert_eq!(of(tea).collect::<Vec<_>>(), [5, 6, 7, 8, 9, 10]);
    // Of this one the client has said nothing: it hears what comes.
    assert_eq!(wire.told("conversation-joined").await, json!({ "conversation": pie, "seq": 10 }));
    say(&app, &ann, pie, "11").await;
    assert_eq!(wire.told("server-got-message").await["seq"], 11);
}

#[rstest]
#[tokio::test]
async fn what_somebody_has_read_is_known_to_all_their_devices(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let id = room(&app, &ann, "open").await;
    for text in ["one", "two", "three"] {
        say(&app, &ann, id, text).await;
    }
    let mut phone = Wire::attend(&app, &ann, &json!({ id.to_string(): 3 })).await;
    let mut desk = Wire::attend(&app, &ann, &json!({ id.to_string(): 3 })).await;
    assert_eq!(phone.ask("mark-read", &json!({ "conversation": id, "seq": 2 })).await, json!({ "ok": true, "seq": 2 }));
    assert_eq!(desk.told("conversation-read").await, json!({ "conversation": id, "seq": 2 }));
    let read = |seq: Value| ann.request(&app, Method::PUT, &format!("{LIST}{id}/read/")).json(&json!({ "seq": seq }));
    assert_eq!(read(json!(1)).answer().await.json(), json!({ "seq": 2 }), "what was read stays read");
    assert_eq!(read(json!(99)).answer().await.json(), json!({ "seq": 3 }), "nobody reads what is not there");
    assert_eq!(read(json!("x")).answer().await.status, 400);
    assert_eq!(ann.get(&app, &format!("{LIST}{id}/")).answer().await.json()["read_seq"], 3);

    assert_eq!(phone.ask("mark-read", &json!({ "seq": 0 })).await["ok"], true);
    let stranger = bob.request(&app, Method::PUT, &format!("{LIST}{id}/read/")).json(&json!({ "seq": 1 }));
    assert_eq!(stranger.answer().await.said(), (403, FORBIDDEN));
}

#[rstest]
#[tokio::test]
async fn the_socket_does_all_that_the_api_does(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let (mut a, mut b) = (Wire::attend(&app, &ann, &json!({})).await, Wire::attend(&app, &bob, &json!({})).await);
    let opened = a.ask("open-conversation", &json!({ "kind": "open", "name": "Tea" })).await;
    assert_eq!((&opened["ok"], &opened["conversation"]["name"]), (&json!(true), &json!("Tea")));
    let id = &opened["conversation"]["id"];
    assert_eq!(a.told("conversation-joined").await["conversation"], *id);
    let listed = b.ask("list-conversations", &json!({})).await;
    assert_eq!((&listed["count"], &listed["conversations"][1]["id"]), (&json!(2), id));
    assert_eq!(b.ask("join-conversation", &json!({ "conversation": id })).await["conversation"]["joined"], true);
    assert_eq!(b.told("conversation-joined").await["conversation"], *id);
    assert_eq!(a.ask("rename-conversation", &json!({ "conversation": id, "name": "Pie" })).await["ok"], true);
    let sent = b.ask("client-sent-message", &json!({ "conversation": id, "message": "hi" })).await;
    assert_eq!(sent, json!({ "ok": true, "conversation": id, "seq": 1 }));
    assert_eq!(b.ask("leave-conversation", &json!({ "conversation": id })).await, json!({ "ok": true }));
    let invited = a.ask("invite-to-conversation", &json!({ "conversation": id, "email": "BOB@ref.example" })).await;
    assert_eq!(invited, json!({ "ok": true, "user": bob.id.0 }));

    for (event, payload, code) in [
        ("edit-message", json!(null), "invalid"),
        ("edit-message", json!({ "conversation": "x", "seq": 1, "message": "x" }), "invalid"),
        ("delete-message", json!([1, 2]), "invalid"),
        ("open-conversation", json!({ "kind": 1 }), "invalid"),
        ("join-conversation", json!({ "conversation": 999 }), "not-found"),
        ("client-sent-message", json!({ "conversation": 999, "message": "x" }), "forbidden"),
        ("client-sent-message", json!({ "conversation": "x", "message": "x" }), "invalid"),
        ("mark-read", json!({ "conversation": i64::MIN, "seq": i64::MAX }), "not-found"),
    ] {
        let answer = a.ask(event, &payload).await;
        assert_eq!((&answer["ok"], &answer["error"]["code"]), (&json!(false), &json!(code)), "{event} {payload}");
    }
    let mut stranger = Wire::connect(&app, Eio::V4, Transport::Websocket).await;
    let answer = stranger.ask("list-conversations", &json!({})).await;
    assert_eq!(answer["error"]["code"], "unauthenticated");
}

#[rstest]
#[tokio::test]
async fn nobody_is_in_more_conversations_than_the_limit(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &[("NATTER_CHAT__MAX_CONVERSATIONS", "2")]).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    for _ in 0..2 {
        room(&app, &ann, "open").await;
    }
    let full = json!({ "non_field_errors": ["Nobody can be in more than 2 conversations."] });
    let answer = ann.post(&app, LIST).json(&json!({ "kind": "open", "name": "x" })).answer().await;
    assert_eq!(answer.said_json(), (400, full.clone()));
    let answer = bob.post(&app, LIST).json(&json!({ "kind": "direct", "email": ann.email })).answer().await;
    assert_eq!(answer.said_json(), (400, full.clone()));
    let id = room(&app, &bob, "open").await;
    let answer = ann.post(&app, &format!("{LIST}{id}/members/")).json(&json!({})).answer().await;
    assert_eq!(answer.said_json(), (400, full));
}

#[rstest]
#[tokio::test]
async fn another_node_hears_rooms_and_members(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let other = app.another().await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let mut wire = Wire::attend(&other, &bob, &json!({})).await;
    let id = room(&app, &ann, "invitation").await;
    invite(&app, &ann, id, &bob).await;
    assert_eq!(wire.told("conversation-joined").await["conversation"], id);
    say(&app, &ann, id, "over there").await;
    assert_eq!(wire.told("server-got-message").await["message"], "ann@ref.example: over there");
    let edited =
        ann.request(&app, Method::PATCH, &format!("{LIST}{id}/messages/1/")).json(&json!({ "message": "here" }));
    assert_eq!(edited.answer().await.status, 200);
    assert_eq!(wire.told("message-changed").await["message"], "ann@ref.example: here");
    let gone = ann.request(&app, Method::DELETE, &format!("{LIST}{id}/members/{}/", bob.id.0)).answer().await;
    assert_eq!(gone.status, 204);
    assert_eq!(wire.told("conversation-left").await, json!({ "conversation": id }));
}

/// Beyond a thousand conversations, those that nobody hears are forgotten: but not those that somebody is just about to.
#[tokio::test]
async fn who_comes_where_there_are_many_conversations_hears_all_of_theirs() {
    let app = start(Sqlite).await;
    let mut crowd = Vec::new();
    for name in ["ann", "bob", "eve"] {
        let person = Person::join(&app, name).await;
        let user = accounts::find_user(&app.app, person.id).await.unwrap();
        for number in 0..400 {
            chat::open_room(&app.app, &user, Room::Open, format!("{name} {number}")).await.unwrap();
        }
        crowd.push(Wire::attend(&app, &person, &json!({})).await);
    }
    drop(crowd);
    let zoe = Person::join(&app, "zoe").await;
    let (old, new) = (2, room(&app, &zoe, "open").await);
    let join = zoe.post(&app, &format!("{LIST}{old}/members/")).json(&json!({})).answer().await;
    assert_eq!(join.status, 201);
    let mut wire = Wire::attend(&app, &zoe, &json!({ old.to_string(): 0, new.to_string(): 0 })).await;
    for id in [old, new] {
        assert_eq!(say(&app, &zoe, id, "here?").await.0, 201);
        assert_eq!(wire.told("server-got-message").await["conversation"], id);
    }
}
