//! What happens beyond the limits: a clear answer that says when to come back.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::answer::{Answer, Ask};
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start_with};
use crate::support::browser::Browser;
use crate::support::person::{PASSWORD, Person};

#[rstest]
#[tokio::test]
async fn who_tries_too_often_waits(#[values(Sqlite, Postgres)] storage: Storage) {
    let settings = [
        ("NATTER_RATE_LIMITS", "on"),
        ("NATTER_ACCOUNTS__ATTEMPTS_PER_MINUTE", "1"),
        ("NATTER_ACCOUNTS__ATTEMPTS_BURST", "3"),
    ];
    let app = start_with(storage, &settings).await;
    let account = json!({ "email": "a@ref.example", "password": PASSWORD });
    let credentials = json!({ "username": "a@ref.example", "password": PASSWORD });
    assert_eq!(app.post("/api/users/").json(&account).answer().await.status, 201);
    assert_eq!(app.post("/api/auth/signin/").json(&credentials).answer().await.status, 201);
    assert_eq!(app.post("/api/auth/signin/").json(&credentials).answer().await.status, 201);
    for path in ["/api/auth/signin/", "/api/users/", "/api/users/reset-password/"] {
        let body = json!({
            "email": "b@ref.example", "password": PASSWORD, "username": "a@ref.example",
        });
        let answer = app.post(path).json(&body).answer().await;
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        let plural = if seconds == 1 { "" } else { "s" };
        let expected =
            format!(r#"{{"detail":"Request was throttled. Expected available in {seconds} second{plural}."}}"#);
        assert_eq!(answer.said(), (429, expected.as_str()), "{path}");
    }
    let browser = Browser::open(&app);
    let answer = browser.log_in("a@ref.example", PASSWORD).await;
    assert_eq!((answer.status, answer.header("content-type")), (429, Some("text/html; charset=utf-8")));
    assert_eq!(app.get("/login/").answer().await.status, 200, "looking is free");
}

#[rstest]
#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_a_limit_of_its_own(
    #[values(Sqlite, Postgres)] storage: Storage,
    #[values(("127.0.0.1", 400), ("10.0.0.0/8", 429))] (proxies, other): (&str, u16),
) {
    let settings = [
        ("NATTER_RATE_LIMITS", "on"),
        ("NATTER_ACCOUNTS__ATTEMPTS_PER_MINUTE", "1"),
        ("NATTER_ACCOUNTS__ATTEMPTS_BURST", "1"),
        ("NATTER_HTTP__TRUSTED_PROXIES", proxies),
    ];
    let app = start_with(storage, &settings).await;
    let credentials = json!({ "username": "a@ref.example", "password": PASSWORD });
    let try_from = async |hops: &str| {
        let request = app.post("/api/auth/signin/").header("X-Forwarded-For", hops).json(&credentials);
        request.answer().await.status
    };
    assert_eq!(try_from("192.0.2.1").await, 400);
    assert_eq!(try_from("203.0.113.9, 192.0.2.1").await, 429, "what the client has written itself changes nothing");
    assert_eq!(try_from("192.0.2.2").await, other);
}

/// A client at an address, as a trusted proxy says.
struct Client<'a> {
    app: &'a TestApp,
    address: &'a str,
}

impl Client<'_> {
    async fn sign_in(&self, email: &str, password: &str) -> Answer {
        let credentials = json!({ "username": email, "password": password });
        let request = self.app.post("/api/auth/signin/").header("X-Forwarded-For", self.address);
        request.json(&credentials).answer().await
    }
}

#[rstest]
#[tokio::test]
async fn addresses_of_one_network_have_one_limit(#[values(Sqlite, Postgres)] storage: Storage) {
    let settings = [
        ("NATTER_RATE_LIMITS", "on"),
        ("NATTER_ACCOUNTS__ATTEMPTS_PER_MINUTE", "1"),
        ("NATTER_ACCOUNTS__ATTEMPTS_BURST", "1"),
        ("NATTER_HTTP__TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let app = start_with(storage, &settings).await;
    for (address, status) in [
        ("2001:db8:0:1::1", 400),
        ("2001:db8:0:1::2", 429),
        ("2001:db8:0:1:ffff:ffff:ffff:ffff", 429),
        ("2001:db8:0:2::1", 400),
        ("192.0.2.1", 400),
        ("::ffff:192.0.2.1", 429),
        ("::ffff:192.0.2.2", 400),
    ] {
        let answer = Client { app: &app, address }.sign_in("a@ref.example", PASSWORD).await;
        assert_eq!(answer.status, status, "{address}");
    }
    assert_eq!(app.app.metrics.rate_limits("sign-in"), 3);
}

const FEW_FOR_AN_ACCOUNT: [(&str, &str); 5] = [
    ("NATTER_RATE_LIMITS", "on"),
    ("NATTER_ACCOUNTS__ATTEMPTS_PER_MINUTE", "1000"),
    ("NATTER_ACCOUNTS__ACCOUNT_ATTEMPTS_PER_HOUR", "1"),
    ("NATTER_ACCOUNTS__ACCOUNT_ATTEMPTS_BURST", "3"),
    ("NATTER_HTTP__TRUSTED_PROXIES", "127.0.0.1"),
];

#[rstest]
#[tokio::test]
async fn many_addresses_together_try_an_account_no_more_often_than_one(
    #[values(Sqlite, Postgres)] storage: Storage,
    #[values("ann@ref.example", "nobody@ref.example")] email: &str,
) {
    let app = start_with(storage, &FEW_FOR_AN_ACCOUNT).await;
    for name in ["ann", "bob"] {
        let account = json!({ "email": format!("{name}@ref.example"), "password": PASSWORD });
        let sign_up = app.post("/api/users/").header("X-Forwarded-For", "203.0.113.1").json(&account);
        assert_eq!(sign_up.answer().await.status, 201);
    }
    let addresses: Vec<_> = (1..=6).map(|number| format!("198.51.100.{number}")).collect();
    let clients: Vec<_> = addresses.iter().map(|address| Client { app: &app, address }).collect();
    for client in &clients[..3] {
        assert_eq!(client.sign_in(&email.to_uppercase(), "wrong").await.status, 400);
    }
    // Even with the right password: a guess must not be told from any other.
    for (client, password) in clients[3..].iter().zip(["wrong", PASSWORD]) {
        let answer = client.sign_in(email, password).await;
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((3_000..=3_600).contains(&seconds), "{seconds}");
        let expected = format!(r#"{{"detail":"Request was throttled. Expected available in {seconds} seconds."}}"#);
        assert_eq!(answer.said(), (429, expected.as_str()));
    }
    let browser = Browser::open(&app);
    assert_eq!(browser.log_in(email, PASSWORD).await.status, 429);
    let answer = browser.submit("/admin/login/", &[("username", email), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, 429);
    assert_eq!(clients[5].sign_in("bob@ref.example", PASSWORD).await.status, 201, "others are not concerned");
    assert_eq!(app.app.metrics.rate_limits("sign-in"), 4);
}

#[rstest]
#[tokio::test]
async fn nobody_is_shut_out_where_they_have_signed_in_lately(
    #[values(Sqlite, Postgres)] storage: Storage,
    #[values(("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::2"))] (home, neighbour): (&str, &str),
) {
    let app = start_with(storage, &FEW_FOR_AN_ACCOUNT).await;
    let account = json!({ "email": "ann@ref.example", "password": PASSWORD });
    assert_eq!(app.post("/api/users/").json(&account).answer().await.status, 201);
    let home = Client { app: &app, address: home };
    let neighbour = Client { app: &app, address: neighbour };
    let stranger = Client { app: &app, address: "198.51.100.1" };
    let token = home.sign_in("ann@ref.example", PASSWORD).await.header("x-token").unwrap().to_owned();
    let log_out = app.request(Method::DELETE, "/api/auth/logout/").header("Authorization", format!("Token {token}"));
    assert_eq!(log_out.answer().await.status, 204);
    while stranger.sign_in("ann@ref.example", "wrong").await.status == 400 {}

    assert_eq!(stranger.sign_in("ann@ref.example", PASSWORD).await.status, 429);
    for client in [&home, &neighbour] {
        assert_eq!(client.sign_in("Ann@ref.example", PASSWORD).await.status, 201);
        assert_eq!(client.sign_in("ann@ref.example", "wrong").await.status, 400);
    }
    app.execute("UPDATE familiar_networks SET last_sign_in_at = '2001-01-01 00:00:00+00:00'").await;
    assert_eq!(home.sign_in("ann@ref.example", PASSWORD).await.status, 429, "that was long ago");
}

#[rstest]
#[tokio::test]
async fn who_changes_too_much_waits_at_every_door(#[values(Sqlite, Postgres)] storage: Storage) {
    let settings = [
        ("NATTER_RATE_LIMITS", "on"),
        ("NATTER_GATEWAY__EVENTS_PER_SECOND", "1"),
        ("NATTER_GATEWAY__EVENTS_BURST", "3"),
    ];
    let app = start_with(storage, &settings).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let edit =
        |person: &Person| person.request(&app, Method::PATCH, "/api/messages/1/").json(&json!({ "message": "b" }));
    assert_eq!(ann.post(&app, "/api/messages/").json(&json!({ "message": "a" })).answer().await.status, 201);
    while edit(&ann).answer().await.status == 200 {}
    let answer = edit(&ann).answer().await;
    assert_eq!((answer.status, answer.header("retry-after").is_some()), (429, true));
    let room = json!({ "kind": "open", "name": "room" });
    assert_eq!(ann.post(&app, "/api/conversations/").json(&room).answer().await.status, 429);
    while bob.post(&app, "/api/conversations/").json(&json!({})).answer().await.status == 400 {}
    assert_eq!(bob.post(&app, "/api/conversations/").json(&room).answer().await.status, 429, "what is wrong counts");
    let cat = Person::join(&app, "cat").await;
    assert_eq!(edit(&cat).answer().await.status, 403, "others are served");
    assert!(app.app.metrics.rate_limits("events") >= 5);
}

#[rstest]
#[tokio::test]
async fn nobody_is_shut_out_where_they_have_signed_up(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &FEW_FOR_AN_ACCOUNT).await;
    let account = json!({ "email": "ann@ref.example", "password": PASSWORD });
    let sign_up = app.post("/api/users/").header("X-Forwarded-For", "192.0.2.1").json(&account);
    assert_eq!(sign_up.answer().await.status, 201);
    let stranger = Client { app: &app, address: "198.51.100.1" };
    while stranger.sign_in("ann@ref.example", "wrong").await.status == 400 {}
    let home = Client { app: &app, address: "192.0.2.1" };
    assert_eq!(home.sign_in("ann@ref.example", PASSWORD).await.status, 201);
}

#[rstest]
#[tokio::test]
async fn beyond_the_queue_for_password_checks_requests_are_refused(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &[("NATTER_ACCOUNTS__PASSWORD_QUEUE", "1")]).await;
    let attempts = (0..100).map(|number| {
        let account = json!({ "email": format!("p{number}@ref.example"), "password": PASSWORD });
        app.post("/api/users/").json(&account).answer()
    });
    let answers = join_all(attempts).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert!(!made.is_empty() && !refused.is_empty(), "{} made, {} refused", made.len(), refused.len());
    for answer in refused {
        let expected = r#"{"detail":"Request was throttled. Expected available in 1 second."}"#;
        assert_eq!((answer.said(), answer.header("retry-after")), ((429, expected), Some("1")));
    }
    let account = json!({ "email": "later@ref.example", "password": PASSWORD });
    assert_eq!(app.post("/api/users/").json(&account).answer().await.said(), (201, ""));
}

/// Else the time that an answer takes would tell who has an account. The queue is seen to be full for either.
#[rstest]
#[tokio::test]
async fn a_user_that_nobody_is_costs_the_work_that_any_other_does(
    #[values(Sqlite, Postgres)] storage: Storage,
    #[values("ann@ref.example", "nobody@ref.example")] email: &str,
) {
    let app = start_with(storage, &[("NATTER_ACCOUNTS__PASSWORD_QUEUE", "1")]).await;
    Person::join(&app, "ann").await;
    let credentials = json!({ "username": email, "password": "wrong" });
    let attempts = (0..100).map(|_| app.post("/api/auth/signin/").json(&credentials).answer());
    let mut statuses: Vec<_> = join_all(attempts).await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(statuses, [400, 429]);
}

/// What a connection answers to `sent`, until it closes.
async fn raw(app: &TestApp, sent: &str) -> String {
    let mut connection = TcpStream::connect(app.address).await.unwrap();
    connection.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer
}

#[rstest]
#[tokio::test]
async fn who_sends_half_a_request_is_refused_in_time(#[values(Sqlite, Postgres)] storage: Storage) {
    let settings = [("NATTER_HTTP__HEAD_TIMEOUT_SECONDS", "1"), ("NATTER_HTTP__BODY_TIMEOUT_SECONDS", "1")];
    let app = start_with(storage, &settings).await;
    let head = "Host: ref.example\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n";
    for path in ["/api/users/", "/api/auth/signin/"] {
        let answer = raw(&app, &format!("POST {path} HTTP/1.1\r\n{head}{{\"email\":")).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.ends_with(r#"{"detail":"The request body took too long."}"#), "{answer}");
    }
    let page = raw(&app, &format!("POST /login/ HTTP/1.1\r\n{head}user")).await;
    assert!(page.starts_with("HTTP/1.1 408 ") && page.contains("<!doctype html>"), "{page}");
    assert_eq!(raw(&app, "").await, "", "who sends nothing at all is let go of");
    let cut = raw(&app, "GET /api/ HTTP/1.1\r\nHost: ref.exa").await;
    assert!(cut.is_empty() || cut.starts_with("HTTP/1.1 4"), "{cut}");
    assert_eq!(app.app.metrics.errors.get(), 0);
    assert_eq!(app.get("/login/").answer().await.status, 200);
}
