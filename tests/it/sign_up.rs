//! `POST /api/users/`.

use reqwest::Method;
use reqwest::multipart::Form;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::answer::{Answer, Ask};
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start};
use crate::support::browser::Browser;
use crate::support::person::{PASSWORD, Person};

async fn sign_up(app: &TestApp, account: &Value) -> Answer {
    app.post("/api/users/").json(account).answer().await
}

#[rstest]
#[tokio::test]
async fn an_account_is_made_with_an_empty_answer(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let answer = sign_up(&app, &json!({ "email": "a@ref.example", "password": "qwerty" })).await;
    assert_eq!(answer.said(), (201, ""));
    for name in ["content-type", "location", "x-token", "set-cookie"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
}

#[rstest]
#[tokio::test]
async fn forms_of_both_kinds_serve_as_json_does(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let form = [("email", "form@ref.example"), ("password", PASSWORD), ("first_name", "Förm")];
    assert_eq!(app.post("/api/users/").form(&form).answer().await.said(), (201, ""));
    let form = Form::new().text("email", "parts@ref.example").text("password", PASSWORD).text("last_name", "Pärts");
    assert_eq!(app.post("/api/users/").multipart(form).answer().await.said(), (201, ""));

    let form = Person::sign_in(&app, "form@ref.example").await;
    let parts = Person::sign_in(&app, "parts@ref.example").await;
    let of = async |person: &Person| person.get(&app, "/api/users/me/").answer().await.json();
    assert_eq!(of(&form).await["first_name"], "Förm");
    assert_eq!(of(&parts).await["last_name"], "Pärts");
}

#[rstest]
#[tokio::test]
async fn a_field_that_is_missing_blank_or_null_is_named(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (email, password) = ("a@ref.example", PASSWORD);
    let cases = [
        (json!({ "password": password }), json!({ "email": ["This field is required."] })),
        (json!({ "email": email }), json!({ "password": ["This field is required."] })),
        (json!({}), json!({ "email": ["This field is required."], "password": ["This field is required."] })),
        (json!({ "email": "", "password": password }), json!({ "email": ["This field may not be blank."] })),
        (json!({ "email": email, "password": "  " }), json!({ "password": ["This field may not be blank."] })),
        (json!({ "email": null, "password": password }), json!({ "email": ["This field may not be null."] })),
        (json!({ "email": email, "password": null }), json!({ "password": ["This field may not be null."] })),
        (
            json!({ "email": email, "password": password, "first_name": null }),
            json!({ "first_name": ["This field may not be null."] }),
        ),
    ];
    for (account, expected) in cases {
        assert_eq!(sign_up(&app, &account).await.said_json(), (400, expected), "{account}");
    }
}

#[rstest]
#[tokio::test]
async fn what_is_no_email_address_is_refused(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let none = [json!("a"), json!("a@b"), json!("a b@ref.example"), json!(42), json!(["a@ref.example"]), json!({})];
    for email in none {
        let answer = sign_up(&app, &json!({ "email": email, "password": PASSWORD })).await;
        assert_eq!(answer.said(), (400, r#"{"email":["Enter a valid email address."]}"#), "{email}");
    }
}

#[rstest]
#[tokio::test]
async fn an_email_address_is_taken_whatever_its_case(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    Person::join(&app, "Ann").await;
    for email in ["Ann@ref.example", "ann@ref.example", "ANN@REF.EXAMPLE"] {
        let answer = sign_up(&app, &json!({ "email": email, "password": "other" })).await;
        let expected = r#"{"email":["Member with this email address already exists."]}"#;
        assert_eq!(answer.said(), (400, expected), "{email}");
    }
}

#[rstest]
#[tokio::test]
async fn email_addresses_may_have_254_characters(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let of_length = |length: usize| format!("{}@ref.example", "a".repeat(length - "@ref.example".len()));
    for length in [30, 31, 254] {
        let answer = sign_up(&app, &json!({ "email": of_length(length), "password": PASSWORD })).await;
        assert_eq!(answer.said(), (201, ""), "{length}");
    }
    let answer = sign_up(&app, &json!({ "email": of_length(255), "password": PASSWORD })).await;
    assert_eq!(answer.said(), (400, r#"{"email":["Ensure this field has no more than 254 characters."]}"#));
}

#[rstest]
#[tokio::test]
async fn blanks_around_email_and_password_are_no_part_of_them(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let answer = sign_up(&app, &json!({ "email": "  a@ref.example ", "password": " qwerty  " })).await;
    assert_eq!(answer.said(), (201, ""));
    assert_eq!(Person::sign_in(&app, "a@ref.example").await.email, "a@ref.example");
}

#[rstest]
#[tokio::test]
async fn names_may_have_30_characters(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let account = json!({ "email": "a@ref.example", "password": PASSWORD, "first_name": "é".repeat(30) });
    assert_eq!(sign_up(&app, &account).await.said(), (201, ""));
    for field in ["first_name", "last_name"] {
        let account = json!({ "email": "b@ref.example", "password": PASSWORD, field: "é".repeat(31) });
        let expected = json!({ field: ["Ensure this field has no more than 30 characters."] });
        assert_eq!(sign_up(&app, &account).await.said_json(), (400, expected));
    }
}

#[rstest]
#[tokio::test]
async fn passwords_may_have_128_characters(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let account = |email, length| json!({ "email": email, "password": "p".repeat(length) });
    assert_eq!(sign_up(&app, &account("a@ref.example", 1)).await.said(), (201, ""));
    assert_eq!(sign_up(&app, &account("b@ref.example", 128)).await.said(), (201, ""));
    let expected = r#"{"password":["Ensure this field has no more than 128 characters."]}"#;
    assert_eq!(sign_up(&app, &account("c@ref.example", 129)).await.said(), (400, expected));
}

#[rstest]
#[tokio::test]
async fn fields_that_are_not_for_the_client_to_set_are_ignored(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (email, password) = ("a@ref.example", PASSWORD);
    let account = json!({
        "email": email, "password": password, "id": 77, "is_staff": true, "is_superuser": true, "is_active": false,
        "username": "root", "colour": ["red"],
    });
    assert_eq!(sign_up(&app, &account).await.said(), (201, ""));
    let a = Person::sign_in(&app, email).await;
    assert_ne!(a.id.0, 77);
    let answer = a.get(&app, "/api/").answer().await;
    assert_eq!(answer.said(), (403, r#"{"detail":"You do not have permission to perform this action."}"#));
}

#[rstest]
#[tokio::test]
async fn somebody_with_a_token_may_sign_others_up(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let account = json!({ "email": "bob@ref.example", "password": PASSWORD });
    assert_eq!(ann.post(&app, "/api/users/").json(&account).answer().await.said(), (201, ""));
}

#[rstest]
#[tokio::test]
async fn a_browser_signs_others_up_only_with_its_csrf_token(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let account = json!({ "email": "bob@ref.example", "password": PASSWORD });
    let answer = browser.request(Method::POST, "/api/users/").json(&account).answer().await;
    assert_eq!(answer.said(), (403, r#"{"detail":"CSRF Failed: CSRF token missing or incorrect."}"#));
    let answer = browser.signed(Method::POST, "/api/users/").json(&account).answer().await;
    assert_eq!(answer.said(), (201, ""));
}

#[rstest]
#[tokio::test]
async fn a_token_that_is_no_good_is_refused_at_sign_up(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let account = json!({ "email": "bob@ref.example", "password": PASSWORD });
    let request = app.post("/api/users/").header("Authorization", "Token stale").json(&account);
    assert_eq!(request.answer().await.said(), (403, r#"{"detail":"Invalid token."}"#));
}
