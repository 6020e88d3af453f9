//! What all answers of the API have in common.

use reqwest::Method;
use rstest::rstest;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::start;
use crate::support::person::Person;

/// Every resource of the API, with its methods.
const RESOURCES: [(&str, &str); 11] = [
    ("/api/", "GET, HEAD, OPTIONS"),
    ("/api/users/", "POST, OPTIONS"),
    ("/api/users/me/", "GET, PUT, PATCH, HEAD, OPTIONS"),
    ("/api/users/me/devices/", "GET, HEAD, OPTIONS"),
    ("/api/users/me/devices/t0/", "DELETE, OPTIONS"),
    ("/api/users/me/devices/sign-out-others/", "POST, OPTIONS"),
    ("/api/users/reset-password/", "POST, OPTIONS"),
    ("/api/auth/signin/", "POST, OPTIONS"),
    ("/api/auth/token/", "GET, HEAD, OPTIONS"),
    ("/api/auth/logout/", "DELETE, OPTIONS"),
    ("/api/messages/", "GET, POST, HEAD, OPTIONS"),
];

/// Those that anybody may use.
const OPEN: [&str; 2] = ["/api/users/reset-password/", "/api/auth/signin/"];

#[rstest]
#[tokio::test]
async fn every_answer_says_what_is_allowed_and_what_it_depends_on(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for (path, allow) in RESOURCES {
        let requests = [
            app.get(path),
            app.post(path).header("Content-Type", "text/plain").body("x"),
            app.post(path).json(&[1]),
            app.request(Method::OPTIONS, path),
            app.get(&format!("{path}?format=xml")),
            app.get(path).header("Accept", "application/xml"),
            ann.get(&app, path),
            ann.request(&app, Method::TRACE, path),
            ann.request(&app, Method::OPTIONS, path),
            app.get(path).header("Authorization", "Token stale"),
        ];
        for request in requests {
            let asked = format!("{request:?}");
            let answer = request.answer().await;
            assert_eq!(answer.header("allow"), Some(allow), "{asked} {answer:?}");
            assert_eq!(answer.header("vary"), Some("Accept, Cookie"), "{asked}");
            assert_eq!(answer.header("x-frame-options"), Some("SAMEORIGIN"), "{asked}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{asked}");
            assert_eq!(answer.header("content-type"), Some("application/json"), "{asked}");
            assert_eq!(answer.header("www-authenticate"), None, "{asked}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn strangers_hear_of_their_missing_credentials_before_anything_else(
    #[values(Sqlite, Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    for (path, _) in RESOURCES.iter().filter(|(path, _)| !OPEN.contains(path)) {
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            let answer = app.request(method.clone(), path).answer().await;
            let expected = r#"{"detail":"Authentication credentials were not provided."}"#;
            assert_eq!(answer.said(), (403, expected), "{method} {path}");
        }
        assert_eq!(app.request(Method::HEAD, path).answer().await.said(), (403, ""), "{path}");
    }
}

#[rstest]
#[tokio::test]
async fn a_wrong_method_is_told_to_whoever_may_know(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    for (path, allow) in RESOURCES {
        for method in methods.iter().filter(|method| !allow.split(", ").any(|allowed| allowed == method.as_str())) {
            let expected = format!(r#"{{"detail":"Method \"{method}\" not allowed."}}"#);
            let answer = ann.request(&app, method.clone(), path).answer().await;
            assert_eq!(answer.said(), (405, expected.as_str()), "{path}");
            if OPEN.contains(&path) {
                let answer = app.request(method.clone(), path).answer().await;
                assert_eq!(answer.said(), (405, expected.as_str()), "{path}");
            }
        }
    }
}

#[rstest]
#[tokio::test]
async fn options_describe_a_resource(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for (path, _) in RESOURCES {
        let answer = ann.request(&app, Method::OPTIONS, path).answer().await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.json()["renders"], serde_json::json!(["application/json"]));
    }
}

#[rstest]
#[tokio::test]
async fn reads_without_the_last_slash_are_sent_to_the_address_with_it(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    for method in [Method::GET, Method::HEAD] {
        for (path, _) in RESOURCES {
            let path = path.trim_end_matches('/');
            let answer = app.request(method.clone(), &format!("{path}?a=b&c=%2F")).answer().await;
            assert_eq!(answer.said(), (301, ""), "{method} {path}");
            assert_eq!(answer.header("location"), Some(format!("{path}/?a=b&c=%2F").as_str()));
        }
    }
}

#[rstest]
#[tokio::test]
async fn writes_without_the_last_slash_are_served(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let account = serde_json::json!({ "email": "a@ref.example", "password": "qwerty" });
    assert_eq!(app.post("/api/users").json(&account).answer().await.said(), (201, ""));
    let credentials = serde_json::json!({ "username": "a@ref.example", "password": "qwerty" });
    let answer = app.post("/api/auth/signin").json(&credentials).answer().await;
    assert_eq!((answer.status, answer.header("allow")), (201, Some("POST, OPTIONS")));
    let a = Person::sign_in(&app, "a@ref.example").await;
    let patched = a.request(&app, Method::PATCH, "/api/users/me").json(&serde_json::json!({})).answer().await;
    assert_eq!(patched.status, 200);
    assert_eq!(a.request(&app, Method::DELETE, "/api/auth/logout").answer().await.said(), (204, ""));
}

#[rstest]
#[tokio::test]
async fn an_unknown_path_is_a_page_that_says_so(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    for path in ["/nowhere", "/nowhere?a=b", "/api/auth/", "/api/nowhere/", "/static", "/%3Cscript%3E"] {
        let answer = app.get(path).answer().await;
        assert_eq!((answer.status, answer.header("content-type")), (404, Some("text/html; charset=utf-8")), "{path}");
        assert!(answer.body.contains("<h1>Not Found</h1>"), "{answer:?}");
        let sentence = format!("<p>The requested URL {path} was not found on this server.</p>");
        assert!(answer.body.contains(&sentence), "{answer:?}");
    }
    let answer = app.get("/nowhere?q='\"&<script>").answer().await;
    assert!(!answer.body.contains("<script>"), "{answer:?}");
}

#[rstest]
#[tokio::test]
async fn a_failure_of_the_server_tells_nothing_of_its_insides(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    app.execute("ALTER TABLE sessions RENAME COLUMN address TO gone").await;
    app.execute("DROP TABLE messages").await;

    let answer = ann.get(&app, "/api/messages/").answer().await;
    assert_eq!(answer.said(), (500, r#"{"detail":"A server error occurred."}"#));
    let answer = app.get("/").header("Cookie", "sessionid=x").answer().await;
    assert_eq!((answer.status, answer.header("content-type")), (500, Some("text/html; charset=utf-8")));
    assert!(answer.body.contains("<h1>Server Error (500)</h1>"), "{}", answer.body);
    assert!(answer.body.contains("<p>A server error occurred.</p>"), "{}", answer.body);
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 200, "the server goes on");
}
