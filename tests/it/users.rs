//! `/api/users/me/` and `/api/users/<id>/`.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::answer::{Answer, Ask};
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start};
use crate::support::browser::Browser;
use crate::support::command::natter_beside;
use crate::support::person::{PASSWORD, Person};

const FORBIDDEN: &str = r#"{"detail":"You do not have permission to perform this action."}"#;
const ANONYMOUS: &str = r#"{"detail":"Authentication credentials were not provided."}"#;
const NOT_FOUND: &str = r#"{"detail":"Not found."}"#;

async fn change(app: &TestApp, person: &Person, change: &Value) -> Answer {
    person.request(app, Method::PATCH, "/api/users/me/").json(change).answer().await
}

async fn sign_in(app: &TestApp, email: &str, password: &str) -> u16 {
    let credentials = json!({ "username": email, "password": password });
    app.post("/api/auth/signin/").json(&credentials).answer().await.status
}

#[rstest]
#[tokio::test]
async fn everybody_sees_their_own_record_and_that_of_others(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let record_of = |person: &Person| {
        format!(r#"{{"id":{},"email":"{}","first_name":"","last_name":""}}"#, person.id.0, person.email)
    };
    let own = format!("/api/users/{}/", ann.id.0);
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.said(), (200, record_of(&ann).as_str()));
    assert_eq!(ann.get(&app, &own).answer().await.said(), (200, record_of(&ann).as_str()));
    assert_eq!(bob.get(&app, &own).answer().await.said(), (200, record_of(&ann).as_str()));
}

#[rstest]
#[tokio::test]
async fn strangers_do_not_even_learn_which_ids_there_are(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for id in [ann.id.0.to_string().as_str(), "me", "999", "abc"] {
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = app.request(method.clone(), &format!("/api/users/{id}/")).answer().await;
            assert_eq!(answer.said(), (403, ANONYMOUS), "{method} {id}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn what_is_nobodys_id_is_not_found(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for id in ["999", "0", "-1", "abc", "1.5", "99999999999999999999999999", "9223372036854775807", "%F0%9F%99%82"] {
        for method in [Method::GET, Method::PUT, Method::PATCH] {
            let answer = ann.request(&app, method.clone(), &format!("/api/users/{id}/")).answer().await;
            assert_eq!(answer.said(), (404, NOT_FOUND), "{method} {id}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn put_and_patch_change_the_fields_that_are_given(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let own = format!("/api/users/{}/", ann.id.0);
    let record = |first: &str, last: &str| {
        let (id, email) = (ann.id.0, &ann.email);
        format!(r#"{{"id":{id},"email":"{email}","first_name":"{first}","last_name":"{last}"}}"#)
    };
    let put = ann.request(&app, Method::PUT, "/api/users/me/").json(&json!({ "first_name": " Ann " })).answer().await;
    assert_eq!(put.said(), (200, record("Ann", "").as_str()));
    let form = ann.request(&app, Method::PATCH, &own).form(&[("last_name", "Bee"), ("id", "7")]).answer().await;
    assert_eq!(form.said(), (200, record("Ann", "Bee").as_str()));
    let blank = change(&app, &ann, &json!({ "first_name": "" })).await;
    assert_eq!(blank.said(), (200, record("", "Bee").as_str()));
    for nothing in [json!({}), json!({ "is_staff": true, "username": "root" })] {
        let put = ann.request(&app, Method::PUT, &own).json(&nothing).answer().await;
        assert_eq!(put.said(), (200, record("", "Bee").as_str()), "{nothing}");
    }
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.said(), (200, record("", "Bee").as_str()));
}

#[rstest]
#[tokio::test]
async fn nobody_changes_another_not_even_staff(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    natter_beside(&app, &["user", "promote", &bob.email], "").await.done();
    for method in [Method::PUT, Method::PATCH] {
        let request = bob.request(&app, method, &format!("/api/users/{}/", ann.id.0));
        assert_eq!(request.json(&json!({ "first_name": "Eve" })).answer().await.said(), (403, FORBIDDEN));
    }
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.json()["first_name"], "");
}

#[rstest]
#[tokio::test]
async fn a_change_is_checked_as_a_sign_up_is(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, _) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let cases = [
        ("email", json!("BOB@ref.example"), "Member with this email address already exists."),
        ("email", json!("bob"), "Enter a valid email address."),
        ("email", json!(""), "This field may not be blank."),
        ("password", json!(""), "This field may not be blank."),
        ("first_name", json!(null), "This field may not be null."),
        ("last_name", json!("x".repeat(31)), "Ensure this field has no more than 30 characters."),
    ];
    for (field, value, message) in cases {
        let answer = change(&app, &ann, &json!({ field: value })).await;
        assert_eq!(answer.said_json(), (400, json!({ field: [message] })), "{field} {value}");
    }
}

#[rstest]
#[tokio::test]
async fn a_new_password_logs_browsers_out_and_leaves_tokens_valid(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    assert_eq!(browser.get("/").answer().await.status, 200);

    assert_eq!(change(&app, &ann, &json!({ "password": "asdfgh" })).await.status, 200);
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 200);
    let answer = browser.get("/").answer().await;
    assert_eq!((answer.status, answer.header("location")), (302, Some("/login/?next=/")));
    let cookie = answer.set_cookie("sessionid").unwrap();
    assert_eq!(cookie.value, "");
    assert!(cookie.attributes.contains(&"max-age=0".to_owned()), "{cookie:?}");
    assert_eq!(cookie.expires.as_deref(), Some("expires=thu, 01 jan 1970 00:00:00 gmt"));

    assert_eq!(sign_in(&app, &ann.email, PASSWORD).await, 400);
    assert_eq!(sign_in(&app, &ann.email, "asdfgh").await, 201);
}

#[rstest]
#[tokio::test]
async fn a_new_email_address_is_what_one_signs_in_with(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let answer = change(&app, &ann, &json!({ "email": "Anna@ref.example" })).await;
    let record = format!(r#"{{"id":{},"email":"Anna@ref.example","first_name":"","last_name":""}}"#, ann.id.0);
    assert_eq!(answer.said(), (200, record.as_str()));
    assert_eq!(sign_in(&app, &ann.email, PASSWORD).await, 400);
    assert_eq!(sign_in(&app, "Anna@ref.example", PASSWORD).await, 201);
    let answer = change(&app, &ann, &json!({ "email": "ANNA@ref.example" })).await;
    assert_eq!((answer.status, &answer.json()["email"]), (200, &json!("ANNA@ref.example")));
}

#[rstest]
#[tokio::test]
async fn accounts_are_neither_deleted_nor_posted_to(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for method in [Method::DELETE, Method::POST] {
        let answer = ann.request(&app, method.clone(), "/api/users/me/").answer().await;
        let expected = format!(r#"{{"detail":"Method \"{method}\" not allowed."}}"#);
        assert_eq!(answer.said(), (405, expected.as_str()));
        assert_eq!(answer.header("allow"), Some("GET, PUT, PATCH, HEAD, OPTIONS"));
    }
}
