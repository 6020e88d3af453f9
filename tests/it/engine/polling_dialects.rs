//! Polling as the clients of 1.x and 2.x do it.

use reqwest::Response;
use rstest::rstest;
use serde_json::json;

use crate::support::app::{Storage, start};
use crate::support::person::Person;
use crate::support::polling::{Polling, encode};
use crate::support::wire::{Eio, Transport, Wire};

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

#[rstest]
#[case::binary("", "application/octet-stream", "&b64=1")]
#[case::text("&b64=1", "text/plain; charset=UTF-8", "")]
#[tokio::test]
async fn answers_are_framed_as_the_handshake_asked_whatever_is_asked_later(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[case] asked: &str,
    #[case] content_type: &str,
    #[case] asked_later: &str,
) {
    let app = start(storage).await;
    let (polling, packets) = Polling::open_with(&app, Eio::V3, asked).await;
    assert!(packets[0].starts_with(r#"0{"sid":"#));
    let answer = polling.get_with(asked_later).send().await.unwrap();
    assert_eq!(header(&answer, "content-type"), Some(content_type));
    let is_binary = answer.bytes().await.unwrap()[0] == 0;
    assert_eq!(is_binary, asked.is_empty());
}

#[rstest]
#[tokio::test]
async fn every_polling_answer_carries_the_io_cookie(#[values(Storage::Sqlite, Storage::Postgres)] storage: Storage) {
    let app = start(storage).await;
    let mut wire = Wire::open(&app, Eio::V3, Transport::Polling).await;
    let cookie = format!("io={}; Path=/; HttpOnly", wire.session());
    let polled = wire.polling().get().send().await.unwrap();
    let posted = wire.polling().post("1:2").send().await.unwrap();
    assert_eq!(header(&polled, "set-cookie"), Some(cookie.as_str()));
    assert_eq!(header(&posted, "set-cookie"), Some(cookie.as_str()));

    let mut modern = Wire::open(&app, Eio::V4, Transport::Polling).await;
    let posted = modern.polling().post("40").send().await.unwrap();
    assert_eq!(header(&posted, "set-cookie"), None);
}

#[rstest]
#[tokio::test]
async fn a_post_of_an_old_client_is_answered_ok_as_html(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let mut wire = Wire::open(&app, Eio::V3, Transport::Polling).await;
    let answer = wire.polling().post("1:2").send().await.unwrap();
    assert_eq!(header(&answer, "content-type"), Some("text/html"));
    assert_eq!(answer.text().await.unwrap(), "ok");
}

#[rstest]
#[tokio::test]
async fn two_polls_at_once_are_a_bad_request(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start(storage).await;
    let mut wire = Wire::connect(&app, eio, Transport::Polling).await;
    let (first, second) = (wire.polling().get().send(), wire.polling().get().send());
    let (first, second) = tokio::join!(first, second);
    let answers = [first.unwrap().text().await.unwrap(), second.unwrap().text().await.unwrap()];
    assert!(answers.iter().any(|answer| answer == r#"{"code":3,"message":"Bad request"}"#), "{answers:?}");
}

/// As clients of 1.x send text: each byte of its UTF-8 as a character.
fn twice(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

#[rstest]
#[case::encoded_once(|text: &str| text.to_owned())]
#[case::encoded_twice(twice)]
#[tokio::test]
async fn text_is_understood_however_often_an_old_client_encodes_it(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values("", "&b64=1")] framing: &str,
    #[case] encode_text: fn(&str) -> String,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut listener = Wire::enter(&app, &alice).await;
    let (polling, _) = Polling::open_with(&app, Eio::V3, framing).await;
    polling.poll().await.unwrap();
    polling.send(&[&format!("42{}", json!(["authentication", { "token": alice.token }]))]).await;
    assert_eq!(polling.poll().await.unwrap(), [r#"42["authenticated",true]"#]);
    for text in ["plain", "é", "漢字 😀"] {
        let packet = format!("42{}", json!(["client-sent-message", { "message": text }]));
        let body = encode(Eio::V3, &[&encode_text(&packet)]);
        assert_eq!(polling.post(body).send().await.unwrap().status(), 200);
        listener.hears(&format!("alice@ref.example: {text}")).await;
        let heard = polling.poll().await.unwrap().concat();
        assert_eq!(heard.is_ascii(), !framing.is_empty() || text.is_ascii(), "{heard}");
        let event: serde_json::Value = serde_json::from_str(heard.strip_prefix("42").unwrap()).unwrap();
        assert_eq!(event[1]["message"], format!("alice@ref.example: {text}"));
    }
}
