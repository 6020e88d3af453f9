//! The bodies that the API reads.

use reqwest::RequestBuilder;
use reqwest::multipart::Form;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::answer::{Answer, Ask};
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start};
use crate::support::person::Person;

const PATH: &str = "/api/users/";

fn with_body(app: &TestApp, content_type: &str, body: impl Into<Vec<u8>>) -> RequestBuilder {
    app.post(PATH).header("Content-Type", content_type).body(body.into())
}

fn assert_required(answer: &Answer) {
    let required = ["This field is required."];
    assert_eq!(answer.said_json(), (400, json!({ "email": required, "password": required })));
}

#[rstest]
#[tokio::test]
async fn answers_are_compact_json(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for request in [ann.get(&app, "/api/users/me/"), app.get("/api/users/me/"), app.post(PATH)] {
        let answer = request.answer().await;
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.body, answer.json().to_string(), "no blanks between the parts");
    }
}

#[rstest]
#[tokio::test]
async fn no_body_is_a_dictionary_without_fields(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    assert_required(&app.post(PATH).answer().await);
    for content_type in ["application/json", "application/x-www-form-urlencoded", "text/plain"] {
        assert_required(&with_body(&app, content_type, "").answer().await);
    }
}

#[rstest]
#[tokio::test]
async fn bodies_of_other_types_are_refused_by_their_names(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    for content_type in ["text/plain", "application/xml", "text/json", "nonsense"] {
        let answer = with_body(&app, content_type, "{}").answer().await;
        let expected = format!(r#"{{"detail":"Unsupported media type \"{content_type}\" in request."}}"#);
        assert_eq!(answer.said(), (415, expected.as_str()));
    }
    let untyped = app.post(PATH).body("{}").answer().await;
    assert_eq!(untyped.said(), (415, r#"{"detail":"Unsupported media type \"\" in request."}"#));
}

#[rstest]
#[tokio::test]
async fn parameters_of_the_content_type_are_no_hindrance(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let json = with_body(&app, "application/json; charset=utf-8", r#"{"email":"a@ref.example","password":"qwerty"}"#);
    assert_eq!(json.answer().await.said(), (201, ""));
    let form = "email=b%40ref.example&password=qwerty";
    let form = with_body(&app, "Application/X-WWW-Form-Urlencoded; charset=UTF-8", form);
    assert_eq!(form.answer().await.said(), (201, ""));
}

#[rstest]
#[tokio::test]
async fn what_is_not_json_is_a_parse_error(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    for body in [r#"{"email":"#, "{'email': 1}", "email=a", "{} {}", "nul", " "] {
        let answer = with_body(&app, "application/json", body).answer().await;
        assert_eq!(answer.status, 400, "{body}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with("JSON parse error - "), "{detail}");
        assert_eq!(answer.json().as_object().unwrap().len(), 1);
    }
}

#[rstest]
#[tokio::test]
async fn json_that_is_no_dictionary_is_refused_by_its_python_name(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let cases = [("[]", "list"), ("\"a\"", "str"), ("1", "int"), ("1.5", "float"), ("true", "bool")];
    for (body, name) in cases {
        let answer = with_body(&app, "application/json", body).answer().await;
        let expected = format!(r#"{{"non_field_errors":["Invalid data. Expected a dictionary, but got {name}."]}}"#);
        assert_eq!(answer.said(), (400, expected.as_str()));
    }
    let null = with_body(&app, "application/json", "null").answer().await;
    assert_eq!(null.said(), (400, r#"{"non_field_errors":["No data provided"]}"#));
}

#[rstest]
#[tokio::test]
async fn fields_of_other_types_are_refused(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let account = |field: &str, value: Value| {
        let mut account = json!({ "email": "a@ref.example", "password": "qwerty" });
        account[field] = value;
        app.post(PATH).json(&account)
    };
    for value in [json!(true), json!(["x"]), json!({ "x": 1 })] {
        for field in ["password", "first_name", "last_name"] {
            let answer = account(field, value.clone()).answer().await;
            assert_eq!(answer.said_json(), (400, json!({ field: ["Not a valid string."] })), "{value}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn numbers_are_taken_for_their_digits(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let account = json!({ "email": "a@ref.example", "password": 123_456, "first_name": 7 });
    assert_eq!(app.post(PATH).json(&account).answer().await.said(), (201, ""));
    let credentials = json!({ "username": "a@ref.example", "password": "123456" });
    let answer = app.post("/api/auth/signin/").json(&credentials).answer().await;
    assert_eq!((answer.status, answer.json()["first_name"].as_str()), (201, Some("7")));
}

#[rstest]
#[tokio::test]
async fn broken_multipart_bodies_are_parse_errors(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    for (content_type, body) in [
        ("multipart/form-data", "--x\r\n\r\n"),
        ("multipart/form-data; boundary=x", "no boundary in here"),
        ("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\na@ref"),
    ] {
        let answer = with_body(&app, content_type, body).answer().await;
        assert_eq!(answer.status, 400, "{content_type} {body}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with("Multipart form parse error"), "{detail}");
    }
}

#[rstest]
#[tokio::test]
async fn a_file_is_no_text(#[values(Sqlite, Postgres)] storage: Storage) {
    use reqwest::multipart::Part;

    let app = start(storage).await;
    let file = Part::text("qwerty").file_name("password.txt");
    let form = Form::new().text("email", "a@ref.example").part("password", file);
    let answer = app.post(PATH).multipart(form).answer().await;
    assert_eq!(answer.said(), (400, r#"{"password":["Not a valid string."]}"#));
}
