//! Input that nobody sends by mistake: each is refused in the API's shape, and the server goes on.

use reqwest::{Method, RequestBuilder};
use rstest::rstest;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start};
use crate::support::browser::Browser;
use crate::support::person::{PASSWORD, Person};

/// Every place of the API that reads a body.
fn writes(app: &TestApp, ann: &Person) -> [RequestBuilder; 5] {
    [
        app.post("/api/users/"),
        app.post("/api/users/reset-password/"),
        app.post("/api/auth/signin/"),
        ann.request(app, Method::PATCH, "/api/users/me/"),
        ann.post(app, "/api/messages/"),
    ]
}

async fn assert_goes_on(app: &TestApp, ann: &Person) {
    assert_eq!(ann.get(app, "/api/users/me/").answer().await.status, 200);
}

#[rstest]
#[tokio::test]
async fn a_body_of_a_megabyte_is_too_large(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let expected = r#"{"detail":"The request body is larger than 262144 bytes."}"#;
    for request in writes(&app, &ann) {
        let body = json!({ "message": "x".repeat(1_000_000) });
        assert_eq!(request.json(&body).answer().await.said(), (413, expected));
    }
    let browser = Browser::open(&app);
    browser.get("/login/").answer().await;
    let answer = browser.submit("/login/", &[("username", &"x".repeat(1_000_000))]).await;
    assert_eq!((answer.status, answer.header("content-type")), (413, Some("text/html; charset=utf-8")));
    assert_goes_on(&app, &ann).await;
}

/// What a connection answers to `sent`, until its first pause.
async fn answer_to(app: &TestApp, sent: &str) -> String {
    let mut connection = TcpStream::connect(app.address).await.unwrap();
    connection.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = [0; 4096];
    let length = connection.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[rstest]
#[tokio::test]
async fn a_body_that_is_announced_as_too_large_is_not_asked_for(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let head = |length| {
        format!(
            "POST /api/users/ HTTP/1.1\r\nHost: ref.example\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n\
             Content-Length: {length}\r\n\r\n"
        )
    };
    let answer = answer_to(&app, &head(262_145)).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let answer = answer_to(&app, &head(262_144)).await;
    assert!(answer.starts_with("HTTP/1.1 100 "), "{answer}");
}

#[rstest]
#[tokio::test]
async fn a_request_names_one_host(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let one = "Host: ref.example\r\n";
    let named = "Host: ann:secret@ref.example\r\n";
    let two = "Host: ref.example\r\nHost: other.example\r\n";
    for path in ["/login/", "/health", "/socket.io/?EIO=4&transport=polling"] {
        for (version, hosts, status) in [
            ("1.1", "", 400),
            ("1.1", two, 400),
            ("1.0", two, 400),
            ("1.1", named, 400),
            ("1.1", one, 200),
            ("1.0", "", 200),
        ] {
            let answer = answer_to(&app, &format!("GET {path} HTTP/{version}\r\n{hosts}\r\n")).await;
            assert!(answer.starts_with(&format!("HTTP/{version} {status} ")), "{path} {version} {hosts}: {answer}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn json_ten_thousand_levels_deep_is_a_parse_error(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let deep = format!(r#"{{"message":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let objects = format!("{}1{}", r#"{"message":"#.repeat(10_000), "}".repeat(10_000));
    for body in [deep, objects] {
        for request in writes(&app, &ann) {
            let answer = request.header("Content-Type", "application/json").body(body.clone()).answer().await;
            assert_eq!(answer.status, 400);
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.starts_with("JSON parse error - "), "{detail}");
        }
    }
    assert_goes_on(&app, &ann).await;
}

#[rstest]
#[tokio::test]
async fn text_that_is_not_utf8_is_a_parse_error_in_json(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for request in writes(&app, &ann) {
        let body = b"{\"message\":\"\xff\xfe\"}".to_vec();
        let answer = request.header("Content-Type", "application/json").body(body).answer().await;
        assert_eq!(answer.status, 400);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with("JSON parse error - "), "{detail}");
    }
    assert_goes_on(&app, &ann).await;
}

#[rstest]
#[tokio::test]
async fn text_that_is_not_utf8_is_a_refused_field_in_forms(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let form = "application/x-www-form-urlencoded";
    let body = b"email=%FF%FE@ref.example&password=qwerty".to_vec();
    let answer = app.post("/api/users/").header("Content-Type", form).body(body).answer().await;
    assert_eq!(answer.said(), (400, r#"{"email":["Enter a valid email address."]}"#));
}

#[rstest]
#[tokio::test]
async fn null_characters_are_refused_in_every_field(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let message = "Null characters are not allowed.";
    let account = |field: &str| {
        let mut account = json!({ "email": "b@ref.example", "password": PASSWORD });
        account[field] = json!("a\0@ref.example");
        account
    };
    for field in ["email", "password", "first_name", "last_name"] {
        let expected = (400, json!({ field: [message] }));
        let answer = app.post("/api/users/").json(&account(field)).answer().await;
        assert_eq!(answer.said_json(), expected);
        let change = json!({ field: "a\0@ref.example" });
        let answer = ann.request(&app, Method::PATCH, "/api/users/me/").json(&change).answer().await;
        assert_eq!(answer.said_json(), expected);
    }
    for field in ["username", "password"] {
        let mut credentials = json!({ "username": ann.email, "password": PASSWORD });
        credentials[field] = json!("a\0");
        let answer = app.post("/api/auth/signin/").json(&credentials).answer().await;
        assert_eq!(answer.said_json(), (400, json!({ field: [message] })));
    }
    let answer = app.post("/api/users/reset-password/").json(&json!({ "email": "a\0@ref.example" })).answer().await;
    assert_eq!(answer.said_json(), (400, json!({ "email": [message] })));
    assert_goes_on(&app, &ann).await;
}

#[rstest]
#[tokio::test]
async fn addresses_that_are_no_text_are_not_found(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for id in ["%FF%FE", "%00", "%2e%2e%2f", "'", "%0d%0aX-Evil:%201"] {
        let answer = ann.get(&app, &format!("/api/users/{id}/")).answer().await;
        assert_eq!(answer.said(), (404, r#"{"detail":"Not found."}"#), "{id}");
        assert_eq!(answer.header("x-evil"), None);
    }
}

#[rstest]
#[tokio::test]
async fn a_query_that_makes_no_sense_is_no_hindrance_to_a_page(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    for path in ["/login/", "/signup/", "/admin/login/"] {
        for query in ["next=/a&next=/b", "next=%FF", "%", "next", "&&=&"] {
            let answer = app.get(&format!("{path}?{query}")).answer().await;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (200, Some("text/html; charset=utf-8")),
                "{query}"
            );
        }
    }
}

#[rstest]
#[tokio::test]
async fn cookies_of_all_kinds_are_no_hindrance(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    for cookie in ["sessionid=%00", "sessionid='; DROP TABLE users; --", "sessionid", ";;;=", "csrftoken=\"><script>"] {
        let answer = app.get("/login/").header("Cookie", cookie).answer().await;
        assert_eq!(answer.status, 200, "{cookie}");
        assert!(!answer.body.contains("<script>"), "{cookie}");
        let answer = app.get("/api/users/me/").header("Cookie", cookie).answer().await;
        assert_eq!(answer.said(), (403, r#"{"detail":"Authentication credentials were not provided."}"#), "{cookie}");
    }
}
