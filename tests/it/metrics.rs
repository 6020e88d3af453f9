//! What Prometheus is told.

use rstest::rstest;
use serde_json::json;

use crate::support::answer::{Answer, Ask};
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start, start_with};
use crate::support::person::Person;
use crate::support::wire::{Eio, Transport, Wire};

const LISTEN: (&str, &str) = ("NATTER_METRICS__LISTEN", "127.0.0.1:0");

async fn ask(app: &TestApp, path: &str) -> Answer {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.get(format!("http://{}{path}", app.metrics.unwrap())).answer().await
}

async fn figures(app: &TestApp) -> String {
    let answer = ask(app, "/metrics").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    answer.body
}

fn has(figures: &str, line: &str) {
    assert!(figures.lines().any(|found| found == line), "no {line} in\n{figures}");
}

#[rstest]
#[tokio::test]
async fn what_happens_is_counted(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &[LISTEN]).await;
    let ann = Person::join(&app, "ann").await;
    let mut wire = Wire::enter(&app, &ann).await;
    let mut old = Wire::connect(&app, Eio::V3, Transport::Polling).await;
    old.authenticate(&ann).await;
    let mut stranger = Wire::connect(&app, Eio::V4, Transport::Polling).await;
    stranger.emit("authentication", &json!({ "token": "x" })).await;
    stranger.is_unauthorized().await;
    assert_eq!(wire.post("once").await, 1);
    let refused = wire.ask("client-sent-message", &json!({ "message": "x".repeat(16_385) })).await;
    assert_eq!(refused["error"]["code"], "invalid");
    assert_eq!(app.get("/nowhere/").answer().await.status, 404);

    let figures = figures(&app).await;
    for line in [
        r#"natter_sockets{protocol="4",transport="websocket"} 1"#,
        r#"natter_sockets{protocol="3",transport="polling"} 1"#,
        r#"natter_sockets{protocol="4",transport="polling"} 1"#,
        r#"natter_sockets{protocol="3",transport="websocket"} 0"#,
        "natter_sockets_unauthenticated 1",
        "natter_connections_total 3",
        r#"natter_authentications_total{result="accepted"} 2"#,
        r#"natter_authentications_total{result="refused"} 1"#,
        "natter_messages_posted_total 1",
        "natter_messages_broadcast_total 1",
        r#"natter_messages_refused_total{reason="invalid"} 1"#,
        "natter_log_queue_messages 0",
        "natter_log_queue_bytes 0",
        "natter_log_commit_seconds_count 1",
        r#"natter_http_requests_total{method="GET",status="404"} 1"#,
        r#"natter_http_requests_total{method="POST",status="201"} 2"#,
        "natter_password_checks_waiting 0",
        concat!(r#"natter_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
    ] {
        has(&figures, line);
    }
    for name in ["process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"] {
        assert!(figures.contains(&format!("\n{name} ")), "no {name} in\n{figures}");
    }
    for said in ["ann@ref.example", ann.token.as_str(), "once"] {
        assert!(!figures.contains(said), "{said} is in\n{figures}");
    }
}

#[rstest]
#[tokio::test]
async fn clients_are_not_told(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &[LISTEN]).await;
    assert_eq!(app.get("/metrics").answer().await.status, 404);
    assert_eq!(ask(&app, "/login/").await.status, 404);
    assert!(start(storage).await.metrics.is_none(), "by default nobody is");
}

#[rstest]
#[tokio::test]
async fn a_request_has_an_id_of_its_own_or_of_the_proxys(#[values(Sqlite, Postgres)] storage: Storage) {
    let strict = start(storage).await;
    let app = start_with(storage, &[("NATTER_HTTP__TRUSTED_PROXIES", "127.0.0.1")]).await;
    let id_at = async |app: &TestApp, given: &str| {
        let answer = app.get("/api/").header("X-Request-Id", given).answer().await;
        answer.header("x-request-id").unwrap().to_owned()
    };
    let id = async |given| id_at(&app, given).await;
    assert_eq!(id("proxy-7.a_b").await, "proxy-7.a_b");
    assert_ne!(id_at(&strict, "proxy-7.a_b").await, "proxy-7.a_b", "anybody could have given it");
    for given in ["", "two words", "a;b", &"x".repeat(65)] {
        let id = id(given).await;
        assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
    }
    let (first, second) = (app.get("/").answer().await, app.get("/").answer().await);
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
}
