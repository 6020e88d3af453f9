//! `/api/users/me/devices/`.

use natter::accounts::{self, Origin};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start, start_with};
use crate::support::browser::Browser;
use crate::support::person::{PASSWORD, Person};
use crate::support::wire::Wire;

const PATH: &str = "/api/users/me/devices/";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const LONG_AGO: &str = "2001-01-01T00:00:00Z";

/// A person's devices, the current one first.
async fn devices(app: &TestApp, person: &Person) -> Vec<Value> {
    results(&person.get(app, PATH).answer().await.json())
}

fn results(list: &Value) -> Vec<Value> {
    list["results"].as_array().unwrap().clone()
}

fn id(device: &Value) -> &str {
    device["id"].as_str().unwrap()
}

/// The id of the device that asks.
async fn own_id(app: &TestApp, person: &Person) -> String {
    let devices = devices(app, person).await;
    assert_eq!(devices[0]["current"], true);
    id(&devices[0]).to_owned()
}

async fn sign_in_as(app: &TestApp, person: &Person, user_agent: &[u8]) -> Person {
    let credentials = json!({ "username": person.email, "password": PASSWORD });
    let request = app.post("/api/auth/signin/").header("User-Agent", user_agent).json(&credentials);
    let answer = request.answer().await;
    assert_eq!(answer.status, 201);
    Person { token: answer.header("x-token").unwrap().to_owned(), ..person.clone() }
}

async fn is_signed_in(app: &TestApp, person: &Person) -> bool {
    person.get(app, "/api/users/me/").answer().await.status == 200
}

/// Somebody who uses the token of a browser's page.
async fn on_page(browser: &Browser, person: &Person) -> Person {
    let answer = browser.get("/api/auth/token/").answer().await;
    Person { token: answer.json()["X-Token"].as_str().unwrap().to_owned(), ..person.clone() }
}

#[rstest]
#[tokio::test]
async fn every_browser_and_every_token_is_a_device(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, _) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let curl = sign_in_as(&app, &ann, b"curl/8.14.1").await;
    let browser = Browser::called(&app, FIREFOX);
    assert_eq!(browser.log_in(&ann.email, PASSWORD).await.status, 302);

    let answer = curl.get(&app, PATH).answer().await;
    assert_eq!(answer.status, 200);
    let list = answer.json();
    assert_eq!((&list["count"], &list["next"], &list["previous"]), (&json!(3), &Value::Null, &Value::Null));
    let shown: Vec<_> = results(&list)
        .iter()
        .map(|device| ["kind", "client", "address", "current"].map(|key| device[key].clone()))
        .collect();
    assert_eq!(shown[0], [json!("token"), json!("curl/8.14.1"), json!("127.0.0.1"), json!(true)]);
    assert!(shown.contains(&[json!("session"), json!("Firefox on Linux"), json!("127.0.0.1"), json!(false)]));
    assert!(shown.contains(&[json!("token"), json!(""), json!("127.0.0.1"), json!(false)]));
    let keys: Vec<_> = results(&list)[0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["id", "kind", "client", "address", "created", "last_used", "current"]);
    for device in results(&list) {
        let kind = if device["kind"] == "session" { 's' } else { 't' };
        assert!(id(&device).starts_with(kind), "{device}");
        assert!(device["created"].as_str().unwrap() <= device["last_used"].as_str().unwrap(), "{device}");
    }
}

#[rstest]
#[tokio::test]
async fn whoever_signs_up_in_a_browser_has_it_as_a_device(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let browser = Browser::called(&app, FIREFOX);
    browser.get("/signup/").answer().await;
    let answer = browser.submit("/signup/", &[("email", "ann@ref.example"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, 302);
    let devices = results(&browser.get(PATH).answer().await.json());
    assert_eq!((devices.len(), devices[0]["client"].as_str()), (1, Some("Firefox on Linux")));
    assert_eq!((&devices[0]["current"], &devices[0]["kind"]), (&json!(true), &json!("session")));
}

#[rstest]
#[tokio::test]
async fn the_token_of_a_page_is_its_browser(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let page = on_page(&browser, &ann).await;
    assert_eq!(devices(&app, &ann).await.len(), 2);
    let seen_by_page = devices(&app, &page).await;
    assert_eq!((&seen_by_page[0]["kind"], &seen_by_page[0]["current"]), (&json!("session"), &json!(true)));

    let mut socket = Wire::enter(&app, &page).await;
    let answer = page.post(&app, &format!("{PATH}sign-out-others/")).answer().await;
    assert_eq!(answer.said(), (204, ""));
    assert_eq!(socket.post("still here").await, 1);
    assert!(is_signed_in(&app, &page).await && !is_signed_in(&app, &ann).await);
    assert_eq!(browser.get("/account/").answer().await.status, 200);
}

#[rstest]
#[tokio::test]
async fn a_device_that_is_signed_out_is_out_at_once(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let lost = Person::sign_in(&app, &ann.email).await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let page = on_page(&browser, &ann).await;
    let mut sockets = [Wire::enter(&app, &lost).await, Wire::enter(&app, &page).await];
    let mut own = Wire::enter(&app, &ann).await;

    for id in [own_id(&app, &lost).await, own_id(&app, &page).await] {
        let path = format!("{PATH}{id}/");
        let answer = ann.request(&app, Method::DELETE, &path).answer().await;
        assert_eq!((answer.said(), answer.header("content-type")), ((204, ""), None));
        let answer = ann.request(&app, Method::DELETE, &path).answer().await;
        assert_eq!(answer.said(), (404, r#"{"detail":"Not found."}"#), "a second time");
    }
    for socket in &mut sockets {
        socket.is_disconnected().await;
    }
    assert!(!is_signed_in(&app, &lost).await && !is_signed_in(&app, &page).await);
    assert_eq!(browser.get("/account/").answer().await.status, 302);
    assert_eq!(own.post("still here").await, 1);
    assert_eq!(devices(&app, &ann).await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn nobody_sees_or_signs_out_anothers_devices(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, eve) = (Person::join(&app, "ann").await, Person::join(&app, "eve").await);
    let browser = Browser::logged_in(&app, &ann.email).await;
    let page = on_page(&browser, &ann).await;
    let hers = devices(&app, &ann).await;
    assert_eq!(devices(&app, &eve).await.len(), 1);
    for device in &hers {
        let answer = eve.request(&app, Method::DELETE, &format!("{PATH}{}/", id(device))).answer().await;
        assert_eq!(answer.said(), (404, r#"{"detail":"Not found."}"#));
    }
    assert_eq!(eve.post(&app, &format!("{PATH}sign-out-others/")).answer().await.status, 204);
    assert!(is_signed_in(&app, &ann).await && is_signed_in(&app, &page).await);
    let anonymous = app.get(PATH).answer().await;
    assert_eq!(anonymous.said(), (403, r#"{"detail":"Authentication credentials were not provided."}"#));
}

#[rstest]
#[tokio::test]
async fn an_id_that_is_none_is_not_found(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    on_page(&browser, &ann).await;
    // The third is the token of the browser's page, which is no device.
    for id in ["t0", "s0", "t2", "1", "t", "s-1", "t+1", "t99999999999999999999", "T1", "t1%00", "%FF", "t1%20OR%201=1"]
    {
        let answer = ann.request(&app, Method::DELETE, &format!("{PATH}{id}/")).answer().await;
        assert_eq!(answer.said(), (404, r#"{"detail":"Not found."}"#), "{id}");
    }
    assert_eq!(devices(&app, &ann).await.len(), 2);
}

#[rstest]
#[tokio::test]
async fn all_others_are_signed_out_at_once(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let (here, there) = (Browser::logged_in(&app, &ann.email).await, Browser::logged_in(&app, &ann.email).await);
    let (this_page, other_page) = (on_page(&here, &ann).await, on_page(&there, &ann).await);
    let mut others = [Wire::enter(&app, &ann).await, Wire::enter(&app, &other_page).await];
    let mut own = Wire::enter(&app, &this_page).await;

    let path = format!("{PATH}sign-out-others/");
    let forged = here.request(Method::POST, &path).answer().await;
    assert_eq!(forged.said(), (403, r#"{"detail":"CSRF Failed: CSRF token missing or incorrect."}"#));
    assert_eq!(here.signed(Method::POST, &path).answer().await.said(), (204, ""));
    for socket in &mut others {
        socket.is_disconnected().await;
    }
    assert!(!is_signed_in(&app, &ann).await && !is_signed_in(&app, &other_page).await);
    assert_eq!(there.get("/account/").answer().await.status, 302);
    assert_eq!(own.post("still here").await, 1);
    assert_eq!(here.get(PATH).answer().await.json()["count"], 1);
}

#[rstest]
#[tokio::test]
async fn a_browser_that_signs_itself_out_is_logged_out(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let own = results(&browser.get(PATH).answer().await.json());
    let path = format!("{PATH}{}/", id(&own[0]));
    assert_eq!(browser.request(Method::DELETE, &path).answer().await.status, 403);
    let answer = browser.signed(Method::DELETE, &path).answer().await;
    assert_eq!((answer.status, answer.set_cookie("sessionid").unwrap().value.as_str()), (204, ""));
    assert_eq!(browser.get("/account/").answer().await.status, 302);
    assert!(is_signed_in(&app, &ann).await);
}

#[rstest]
#[tokio::test]
async fn a_use_is_seen_at_once_and_written_when_the_server_stops(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let idle = Person::sign_in(&app, &ann.email).await;
    let socket = Person::sign_in(&app, &ann.email).await;
    app.execute(&format!("UPDATE tokens SET created_at = '{LONG_AGO}'")).await;
    let used = |devices: Vec<Value>| devices.iter().filter(|device| device["last_used"] != LONG_AGO).count();
    assert_eq!(used(devices(&app, &ann).await), 1, "the current one");
    Wire::enter(&app, &socket).await;
    assert_eq!(used(devices(&app, &ann).await), 2);
    assert_eq!(app.count("tokens WHERE last_used_at IS NOT NULL").await, 0, "nothing is written for it");

    let app = app.restart().await;
    assert_eq!(app.count("tokens WHERE last_used_at IS NOT NULL").await, 2);
    let rows = devices(&app, &ann).await;
    assert_eq!(used(rows.clone()), 2);
    assert!(rows.iter().all(|device| device["created"] == LONG_AGO));
    assert!(is_signed_in(&app, &idle).await);
}

#[rstest]
#[tokio::test]
async fn what_is_over_is_no_device(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &[("NATTER_ACCOUNTS__TOKEN_AGE_SECONDS", "604800")]).await;
    let ann = Person::join(&app, "ann").await;
    Browser::logged_in(&app, &ann.email).await;
    app.execute(&format!("UPDATE tokens SET created_at = '{LONG_AGO}'")).await;
    app.execute(&format!("UPDATE sessions SET expires_at = '{LONG_AGO}'")).await;
    let ann = Person::sign_in(&app, &ann.email).await;
    let list = ann.get(&app, PATH).answer().await.json();
    assert_eq!((&list["count"], results(&list).len()), (&json!(1), 1));
    assert_eq!(ann.request(&app, Method::DELETE, &format!("{PATH}s1/")).answer().await.status, 404);
}

#[rstest]
#[tokio::test]
async fn many_devices_come_in_pages(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let (user, origin) = (accounts::find_user(&app.app, ann.id).await.unwrap(), Origin::new(b"many", app.address.ip()));
    for _ in 0..50 {
        accounts::issue_token(&app.app, &user, &origin).await.unwrap();
    }
    let first = ann.get(&app, PATH).answer().await.json();
    assert_eq!((&first["count"], results(&first).len(), &first["previous"]), (&json!(51), 50, &Value::Null));
    let next = first["next"].as_str().unwrap();
    assert_eq!(next, app.url(&format!("{PATH}?page=2")));
    let second = ann.get(&app, &next[app.url("").len()..]).answer().await.json();
    assert_eq!((&second["count"], results(&second).len(), &second["next"]), (&json!(51), 1, &Value::Null));
    assert_eq!(second["previous"], app.url(&format!("{PATH}?page=1")));
    let mut all: Vec<_> = [results(&first), results(&second)].concat();
    all.sort_by(|a, b| id(a).cmp(id(b)));
    all.dedup();
    assert_eq!(all.len(), 51);
    for page in ["3", "0", "-1", "x", "99999999999999999999", "18446744073709551615"] {
        let answer = ann.get(&app, &format!("{PATH}?page={page}")).answer().await;
        assert_eq!(answer.said(), (404, r#"{"detail":"Not found."}"#), "{page}");
    }

    assert_eq!(ann.post(&app, &format!("{PATH}sign-out-others/")).answer().await.status, 204);
    assert_eq!(devices(&app, &ann).await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn a_program_may_call_itself_anything(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let long = "x".repeat(10_000);
    let cases: [(&[u8], &str); 4] = [
        (b"<script>alert(1)</script>", "<script>alert(1)</script>"),
        (long.as_bytes(), &long[..40]),
        ("Пример/1.0 \u{202e}".as_bytes(), "Пример/1.0 \u{202e}"),
        (b"\xff\xfe", "\u{fffd}\u{fffd}"),
    ];
    for (user_agent, name) in cases {
        let person = sign_in_as(&app, &ann, user_agent).await;
        assert_eq!(devices(&app, &person).await[0]["client"], name);
    }
}

#[rstest]
#[tokio::test]
async fn the_addresses_of_users_stay_what_they_were(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for path in ["/api/users/me/", "/api/users/me.json", &format!("/api/users/{}/", ann.id.0)] {
        let answer = ann.get(&app, path).answer().await;
        assert_eq!((answer.status, answer.json()["email"].as_str()), (200, Some(ann.email.as_str())), "{path}");
    }
    for path in ["/api/users/mee/", "/api/users/m/", "/api/users/devices/"] {
        assert_eq!(ann.get(&app, path).answer().await.status, 404, "{path}");
    }
    assert_eq!(ann.get(&app, "/api/users/me/devices.json").answer().await.json()["count"], 1);
}
