//! `/api/messages/`.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::answer::{Answer, Ask};
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start, start_with};
use crate::support::person::Person;

const PATH: &str = "/api/messages/";

async fn say(app: &TestApp, person: &Person, message: impl Into<Value>) -> Answer {
    person.post(app, PATH).json(&json!({ "message": message.into() })).answer().await
}

/// A page of the history; `address` is a path, or a link of another page.
async fn read(app: &TestApp, person: &Person, address: &str) -> Value {
    let origin = app.url("");
    let answer = person.get(app, address.strip_prefix(&origin).unwrap_or(address)).answer().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn seqs(page: &Value) -> Vec<i64> {
    page["results"].as_array().unwrap().iter().map(|message| message["seq"].as_i64().unwrap()).collect()
}

/// Somebody who has said `1`, `2`, `3` and so on.
async fn talker(app: &TestApp, messages: i64) -> Person {
    let ann = Person::join(app, "ann").await;
    for number in 1..=messages {
        assert_eq!(say(app, &ann, number.to_string()).await.status, 201);
    }
    ann
}

#[rstest]
#[tokio::test]
async fn a_page_of_long_messages_has_fewer_of_them(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for _ in 0..20 {
        assert_eq!(say(&app, &ann, "x".repeat(16_384)).await.status, 201);
    }
    let newest = read(&app, &ann, PATH).await;
    assert_eq!(seqs(&newest), (6..=20).rev().collect::<Vec<_>>());
    let older = read(&app, &ann, newest["next"].as_str().unwrap()).await;
    assert_eq!(seqs(&older), [5, 4, 3, 2, 1]);
    assert_eq!(older["next"], Value::Null);
    let oldest = read(&app, &ann, &format!("{PATH}?after=0")).await;
    assert_eq!(seqs(&oldest), (1..=15).rev().collect::<Vec<_>>());
    let newer = read(&app, &ann, oldest["previous"].as_str().unwrap()).await;
    assert_eq!(seqs(&newer), [20, 19, 18, 17, 16]);
}

#[rstest]
#[tokio::test]
async fn a_message_is_answered_as_everybody_sees_it(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let answer = say(&app, &ann, "hello <b>&").await;
    let time = answer.json()["time"].as_str().unwrap().to_owned();
    let expected = format!(
        r#"{{"message":"ann@ref.example: hello <b>&","conversation":1,"seq":1,"author":{},"time":"{time}"}}"#,
        ann.id.0
    );
    assert_eq!(answer.said(), (201, expected.as_str()));
    let age = time::OffsetDateTime::now_utc()
        - time::OffsetDateTime::parse(&time, &time::format_description::well_known::Rfc3339).unwrap();
    assert!(age.abs() < time::Duration::minutes(1), "{time}");

    let page = ann.get(&app, PATH).answer().await;
    let expected = format!(r#"{{"next":null,"previous":null,"results":[{expected}]}}"#);
    assert_eq!(page.said(), (200, expected.as_str()));
}

#[rstest]
#[tokio::test]
async fn the_newest_message_comes_first(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = talker(&app, 3).await;
    let bob = Person::join(&app, "bob").await;
    say(&app, &bob, "four").await;
    let page = read(&app, &ann, PATH).await;
    assert_eq!(seqs(&page), [4, 3, 2, 1]);
    assert_eq!(page["results"][0]["message"], "bob@ref.example: four");
    assert_eq!(page["results"][0]["author"], bob.id.0);
}

#[rstest]
#[tokio::test]
async fn history_outlives_the_server(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = talker(&app, 3).await;
    let before = read(&app, &ann, PATH).await;
    let app = app.restart().await;
    assert_eq!(read(&app, &ann, PATH).await, before);
    assert_eq!(say(&app, &ann, "on we go").await.json()["seq"], 4);
}

#[rstest]
#[tokio::test]
async fn links_walk_the_whole_history_both_ways(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = talker(&app, 7).await;
    let mut page = read(&app, &ann, "/api/messages/?limit=3").await;
    let mut seen = vec![seqs(&page)];
    assert_eq!(page["previous"], Value::Null);
    while let Some(next) = page["next"].as_str().map(str::to_owned) {
        page = read(&app, &ann, &next).await;
        seen.push(seqs(&page));
    }
    assert_eq!(seen, [vec![7, 6, 5], vec![4, 3, 2], vec![1]]);

    let mut back = Vec::new();
    while let Some(previous) = page["previous"].as_str().map(str::to_owned) {
        page = read(&app, &ann, &previous).await;
        back.push(seqs(&page));
    }
    assert_eq!(back, [[4, 3, 2], [7, 6, 5]]);
}

#[rstest]
#[tokio::test]
async fn a_window_is_given_by_before_after_and_limit(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = talker(&app, 7).await;
    let cases: [(&str, &[i64]); 9] = [
        ("before=3", &[2, 1]),
        ("before=7&limit=2", &[6, 5]),
        ("before=1", &[]),
        ("before=100&limit=1", &[7]),
        ("after=5", &[7, 6]),
        ("after=2&limit=2", &[4, 3]),
        ("after=0&limit=1", &[1]),
        ("after=7", &[]),
        ("limit=2", &[7, 6]),
    ];
    for (query, expected) in cases {
        assert_eq!(seqs(&read(&app, &ann, &format!("/api/messages/?{query}")).await), expected, "{query}");
    }
}

#[rstest]
#[tokio::test]
async fn a_page_is_as_long_as_the_settings_allow(#[values(Sqlite, Postgres)] storage: Storage) {
    let settings = [("NATTER_CHAT__PAGE_SIZE", "2"), ("NATTER_CHAT__MAX_PAGE_SIZE", "4")];
    let app = start_with(storage, &settings).await;
    let ann = talker(&app, 5).await;
    for (query, length) in [("", 2), ("?limit=3", 3), ("?limit=5", 4), ("?limit=4294967295", 4), ("?limit=0", 1)] {
        let page = read(&app, &ann, &format!("/api/messages/{query}")).await;
        assert_eq!(seqs(&page).len(), length, "{query}");
    }
}

#[rstest]
#[tokio::test]
async fn numbers_that_are_none_are_refused(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for name in ["before", "after", "limit"] {
        for number in ["abc", "-1", "1.5", "", "99999999999999999999", "%00", "%FF"] {
            let answer = ann.get(&app, &format!("/api/messages/?{name}={number}")).answer().await;
            assert_eq!(answer.said_json(), (400, json!({ name: ["A valid integer is required."] })), "{number}");
        }
    }
    let answer = ann.get(&app, "/api/messages/?before=2&after=1").answer().await;
    assert_eq!(answer.said(), (400, r#"{"after":["Give either before or after."]}"#));
}

#[rstest]
#[tokio::test]
async fn of_a_number_that_is_given_twice_the_last_counts(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = talker(&app, 3).await;
    assert_eq!(seqs(&read(&app, &ann, "/api/messages/?limit=1&limit=2").await), [3, 2]);
}

#[rstest]
#[tokio::test]
async fn a_message_said_again_under_the_same_name_is_the_same(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let named = |person: &Person, text: &str, name: &str| {
        person.post(&app, PATH).json(&json!({ "message": text, "clientOffset": name }))
    };
    let first = named(&ann, "once", "n1").answer().await;
    let again = named(&ann, "once", "n1").answer().await;
    assert_eq!(again.said(), (201, first.body.as_str()));
    assert_eq!(named(&ann, "twice", "n2").answer().await.json()["seq"], 2);
    assert_eq!(named(&bob, "mine", "n1").answer().await.json()["seq"], 3, "a name is its sender's own");
    assert_eq!(seqs(&read(&app, &ann, PATH).await), [3, 2, 1]);

    let names = (0..10).map(|_| named(&ann, "at once", "n3").answer());
    let answers = futures_util::future::join_all(names).await;
    assert!(answers.iter().all(|answer| answer.said() == (201, answers[0].body.as_str())), "{answers:?}");
    assert_eq!(seqs(&read(&app, &ann, PATH).await), [4, 3, 2, 1]);
}

#[rstest]
#[tokio::test]
async fn a_text_is_kept_as_it_is(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for text in ["  two blanks around  ", " ", "\n\t", "é 🙂 \u{202e}", "'; DROP TABLE messages; --", "\u{1}\u{7f}"]
    {
        let answer = say(&app, &ann, text).await;
        assert_eq!((answer.status, answer.json()["message"].as_str()), (201, Some(&*format!("{}: {text}", ann.email))));
        let page = read(&app, &ann, "/api/messages/?limit=1").await;
        assert_eq!(page["results"][0], answer.json());
    }
}

#[rstest]
#[tokio::test]
async fn what_is_no_message_is_refused(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &[("NATTER_CHAT__MAX_MESSAGE_BYTES", "10")]).await;
    let ann = Person::join(&app, "ann").await;
    let long = "n".repeat(129);
    let cases = [
        (json!({}), "message", "This field is required."),
        (json!({ "message": "" }), "message", "This field may not be blank."),
        (json!({ "message": null }), "message", "This field may not be null."),
        (json!({ "message": ["a"] }), "message", "Not a valid string."),
        (json!({ "message": "a\0b" }), "message", "Null characters are not allowed."),
        (json!({ "message": "12345678901" }), "message", "The message is too long."),
        (json!({ "message": "éééééé" }), "message", "The message is too long."),
        (json!({ "message": "a", "clientOffset": "a\0" }), "clientOffset", "Null characters are not allowed."),
        (
            json!({ "message": "a", "clientOffset": long }),
            "clientOffset",
            "Ensure this field has no more than 128 characters.",
        ),
    ];
    for (body, field, message) in cases {
        let answer = ann.post(&app, PATH).json(&body).answer().await;
        assert_eq!(answer.said_json(), (400, json!({ field: [message] })), "{body}");
    }
    assert_eq!(seqs(&read(&app, &ann, PATH).await), Vec::<i64>::new());
}

#[rstest]
#[tokio::test]
async fn strangers_neither_read_nor_write(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    for method in [Method::GET, Method::POST] {
        let answer = app.request(method, PATH).answer().await;
        assert_eq!(answer.said(), (403, r#"{"detail":"Authentication credentials were not provided."}"#));
    }
}
