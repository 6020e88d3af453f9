//! `GET /api/`.

use rstest::rstest;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{start, start_with};
use crate::support::command::natter_beside;
use crate::support::person::Person;

#[rstest]
#[tokio::test]
async fn staff_see_where_the_lists_are(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let answer = app.get("/api/").answer().await;
    assert_eq!(answer.said(), (403, r#"{"detail":"Authentication credentials were not provided."}"#));
    let answer = ann.get(&app, "/api/").answer().await;
    assert_eq!(answer.said(), (403, r#"{"detail":"You do not have permission to perform this action."}"#));

    natter_beside(&app, &["user", "promote", &ann.email], "").await.done();
    let expected = format!(r#"{{"users":"http://{}/api/users/"}}"#, app.address);
    assert_eq!(ann.get(&app, "/api/").answer().await.said(), (200, expected.as_str()));
    let named = ann.get(&app, "/api/").header("Host", "chat.example:8080").answer().await;
    assert_eq!(named.said(), (200, r#"{"users":"http://chat.example:8080/api/users/"}"#));
}

#[rstest]
#[tokio::test]
async fn addresses_are_the_public_ones_where_they_are_known(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &[("PUBLIC_URL", "https://chat.example/")]).await;
    let ann = Person::join(&app, "ann").await;
    natter_beside(&app, &["user", "promote", &ann.email], "").await.done();
    let answer = ann.get(&app, "/api/").answer().await;
    assert_eq!(answer.said(), (200, r#"{"users":"https://chat.example/api/users/"}"#));
}
