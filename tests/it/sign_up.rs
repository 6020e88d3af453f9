//! `POST /api/users/`.

use rstest::rstest;
use serde_json::json;

use crate::support::app::{Storage, start};

#[rstest]
#[tokio::test]
async fn an_account_is_made_with_an_empty_answer(#[values(Storage::Sqlite, Storage::Postgres)] storage: Storage) {
    let app = start(storage).await;
    let account = json!({ "email": "a@ref.example", "password": "qwerty" });
    let response = app.post("/api/users/").json(&account).send().await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers().get("content-type"), None);
    assert_eq!(response.text().await.unwrap(), "");
}
