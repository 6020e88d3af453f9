//! Whatever changes something with a browser's cookies comes from a page of this server.

use reqwest::{Method, RequestBuilder};
use rstest::rstest;
use serde_json::json;

use crate::support::answer::{Answer, Ask};
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start, start_with};
use crate::support::browser::Browser;
use crate::support::person::{PASSWORD, Person};

const ELSEWHERE: &str = "https://elsewhere.example";
const CSRF: &str = "0123456789abcdefghijklmnopqrstuv";
const CROSS_SITE: &str = "Sec-Fetch-Site checking failed - the request comes from another site.";

type Headers<'a> = [(&'static str, &'a str)];

fn with(request: RequestBuilder, headers: &Headers) -> RequestBuilder {
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

/// Sends the login form with these headers; it is good but for its password.
async fn form(app: &TestApp, headers: &Headers<'_>) -> Answer {
    let fields = [("username", "ann@ref.example"), ("password", "wrong"), ("csrfmiddlewaretoken", CSRF)];
    let request = app.post("/login/").header("Cookie", format!("csrftoken={CSRF}")).form(&fields);
    with(request, headers).answer().await
}

async fn is_taken(app: &TestApp, headers: &Headers<'_>) -> bool {
    let answer = form(app, headers).await;
    let is_refused = answer.body.contains("<h1>CSRF verification failed</h1>");
    assert_eq!((answer.status, is_refused), if is_refused { (403, true) } else { (200, false) }, "{answer:?}");
    !is_refused
}

fn untrusted(origin: &str) -> String {
    format!("Origin checking failed - {origin} does not match any trusted origins.")
}

#[rstest]
#[tokio::test]
async fn forms_and_writes_with_a_session_are_taken_from_pages_of_this_server_only(
    #[values(Sqlite, Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let own = app.url("");
    let other_port = "http://127.0.0.1:1";
    let cases: [(&Headers, Option<String>); 13] = [
        (&[], None),
        (&[("Origin", &own)], None),
        (&[("Origin", &own), ("Sec-Fetch-Site", "same-origin")], None),
        (&[("Sec-Fetch-Site", "same-origin")], None),
        (&[("Sec-Fetch-Site", "none")], None),
        (&[("Origin", &own), ("Sec-Fetch-Site", "same-site")], None),
        (&[("Referer", ELSEWHERE)], None),
        (&[("Origin", ELSEWHERE)], Some(untrusted(ELSEWHERE))),
        (&[("Origin", other_port), ("Sec-Fetch-Site", "same-site")], Some(untrusted(other_port))),
        (&[("Origin", "null")], Some(untrusted("null"))),
        (&[("Origin", &own), ("Sec-Fetch-Site", "cross-site")], Some(CROSS_SITE.to_owned())),
        (&[("Sec-Fetch-Site", "cross-site")], Some(CROSS_SITE.to_owned())),
        (&[("Sec-Fetch-Site", "same-site")], Some("Origin checking failed - no Origin.".to_owned())),
    ];
    for (headers, refusal) in cases {
        assert_eq!(is_taken(&app, headers).await, refusal.is_none(), "{headers:?}");
        let write = browser.signed(Method::PATCH, "/api/users/me/").json(&json!({ "first_name": "Ann" }));
        let answer = with(write, headers).answer().await;
        match refusal {
            None => assert_eq!(answer.status, 200, "{headers:?}"),
            Some(reason) => {
                assert_eq!(answer.said_json(), (403, json!({ "detail": format!("CSRF Failed: {reason}") })));
            }
        }
        assert_eq!(with(browser.get("/"), headers).answer().await.status, 200, "whoever reads may come from anywhere");
    }
}

#[rstest]
#[tokio::test]
async fn a_login_that_another_site_has_filled_in_logs_nobody_in(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let eve = Person::join(&app, "eve").await;
    for path in ["/login/", "/login", "/admin/login/", "/signup/", "/logout/"] {
        let browser = Browser::open(&app);
        browser.get("/login/").answer().await;
        let fields = [("username", eve.email.as_str()), ("password", PASSWORD)];
        let answer = browser.signed(Method::POST, path).header("Origin", ELSEWHERE).form(&fields).answer().await;
        assert_eq!((answer.status, answer.header("set-cookie")), (403, None), "{path}");
    }
}

#[rstest]
#[tokio::test]
async fn whoever_shows_a_token_may_come_from_anywhere(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let request = ann.request(&app, Method::PATCH, "/api/users/me/").json(&json!({ "first_name": "Ann" }));
    let request = request.header("Origin", ELSEWHERE).header("Sec-Fetch-Site", "cross-site");
    assert_eq!(request.answer().await.status, 200);
}

#[rstest]
#[tokio::test]
async fn the_public_url_and_allowed_origins_say_where_pages_are(#[values(Sqlite, Postgres)] storage: Storage) {
    let settings =
        [("PUBLIC_URL", "https://chat.example"), ("NATTER_HTTP__ALLOWED_ORIGINS", "https://help.chat.example")];
    let app = start_with(storage, &settings).await;
    let own = app.url("");
    let cases: [(&Headers, bool); 10] = [
        (&[("Origin", "https://chat.example")], true),
        (&[("Origin", "https://help.chat.example"), ("Sec-Fetch-Site", "same-site")], true),
        (&[("Origin", "http://chat.example")], false),
        (&[("Origin", &own)], false),
        (&[("Origin", "https://chat.example:8443")], false),
        (&[("Referer", "https://chat.example/login/?next=/")], true),
        (&[("Referer", "https://help.chat.example/")], true),
        (&[("Referer", "http://chat.example/login/")], false),
        (&[("Referer", "https://elsewhere.example/chat.example")], false),
        (&[("Referer", "nonsense")], false),
    ];
    for (headers, is_good) in cases {
        assert_eq!(is_taken(&app, headers).await, is_good, "{headers:?}");
    }
    assert!(is_taken(&app, &[]).await, "old clients say neither");
}

#[rstest]
#[tokio::test]
async fn a_trusted_proxy_says_where_pages_are(
    #[values(Sqlite, Postgres)] storage: Storage,
    #[values(("127.0.0.1", true), ("10.0.0.0/8", false))] (proxies, is_trusted): (&str, bool),
) {
    let trusted = ("NATTER_HTTP__TRUSTED_PROXIES", proxies);
    let app = start_with(storage, &[trusted]).await;
    let origin = |origin| ("Origin", origin);
    let forwarded = ("Forwarded", "for=192.0.2.1;proto=https;host=chat.example");
    let https = ("X-Forwarded-Proto", "http, https");
    let host = ("X-Forwarded-Host", "chat.example");
    let cases: [(&Headers, bool); 4] = [
        (&[origin("https://chat.example"), https, host], is_trusted),
        (&[origin("http://chat.example"), https, host], false),
        (&[origin("https://chat.example"), forwarded], false),
        (&[origin(ELSEWHERE), https, host], false),
    ];
    for (headers, is_good) in cases {
        assert_eq!(is_taken(&app, headers).await, is_good, "{headers:?}");
    }
    let app = start_with(storage, &[trusted, ("NATTER_HTTP__PROXY_HEADERS", "forwarded")]).await;
    assert_eq!(is_taken(&app, &[origin("https://chat.example"), forwarded]).await, is_trusted);
}

#[rstest]
#[tokio::test]
async fn what_is_wrong_is_said_in_the_language_of_the_page(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &[("PUBLIC_URL", "https://chat.example")]).await;
    let cases: [(&Headers, &str); 6] = [
        (&[("Origin", "http://127.0.0.1:1")], "Anfragen von http://127.0.0.1:1 werden hier nicht angenommen."),
        (&[("Origin", "null")], "Der Browser verschweigt, von welcher Seite die Anfrage kommt."),
        (
            &[("Referer", "https://x.example/a?b=1")],
            "Anfragen von https://x.example/a?b=1 werden hier nicht angenommen.",
        ),
        (&[("Referer", "x")], "Der Browser sagt nicht, von welcher Seite die Anfrage kommt."),
        (&[("Referer", "http://x")], "Anfragen von einer unverschlüsselten Seite werden hier nicht angenommen."),
        (&[("Sec-Fetch-Site", "cross-site")], "Anfragen von fremden Seiten werden hier nicht angenommen."),
    ];
    for (headers, expected) in cases {
        let german = [headers, &[("Accept-Language", "de")]].concat();
        let answer = form(&app, &german).await;
        assert!(answer.body.contains(expected), "{headers:?}: {}", answer.body);
    }
}
