//! Pages of other origins.

use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::start;
use crate::support::person::{PASSWORD, Person};

const ORIGIN: &str = "https://elsewhere.example";

#[rstest]
#[tokio::test]
async fn every_origin_may_read_every_answer(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for (request, status) in [
        (ann.get(&app, "/api/users/me/"), 200),
        (app.get("/api/users/me/"), 403),
        (app.get("/api/users/me"), 301),
        (app.post("/api/users/").header("Content-Type", "text/plain").body("x"), 415),
        (app.get("/nowhere"), 404),
    ] {
        let answer = request.header("Origin", ORIGIN).answer().await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (status, Some("*")));
        assert_eq!(answer.header("access-control-allow-credentials"), None, "cookies stay at home");
    }
}

#[rstest]
#[tokio::test]
async fn without_an_origin_nothing_is_said_of_it(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let answer = app.get("/api/users/me/").answer().await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(answer.header("access-control-expose-headers"), None);
}

#[rstest]
#[tokio::test]
async fn a_preflight_allows_what_clients_send(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    for path in ["/api/users/", "/api/users/me/", "/api/auth/signin/", "/api/auth/logout", "/api/messages/"] {
        let request = app.request(Method::OPTIONS, path).header("Origin", ORIGIN);
        let request = request.header("Access-Control-Request-Method", "DELETE");
        let answer = request.header("Access-Control-Request-Headers", "authorization").answer().await;
        assert_eq!(answer.said(), (200, ""));
        for (name, value) in [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS"),
            (
                "access-control-allow-headers",
                "x-requested-with, content-type, accept, origin, authorization, x-csrftoken, user-agent, \
                 accept-encoding",
            ),
            ("access-control-max-age", "86400"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_page_of_another_origin_can_read_its_token(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let credentials = json!({ "username": ann.email, "password": PASSWORD });
    let answer = app.post("/api/auth/signin/").header("Origin", ORIGIN).json(&credentials).answer().await;
    assert_eq!(answer.status, 201);
    let exposed = answer.header("access-control-expose-headers").unwrap();
    assert!(exposed.split(", ").any(|name| name == "X-Token"), "{exposed}");
}

#[rstest]
#[tokio::test]
async fn a_preflight_of_the_socket_is_answered_without_content(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let request = app.request(Method::OPTIONS, "/socket.io/?EIO=3&transport=polling").header("Origin", ORIGIN);
    let answer = request.header("Access-Control-Request-Method", "POST").answer().await;
    assert_eq!(answer.said(), (204, ""));
    assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
}
