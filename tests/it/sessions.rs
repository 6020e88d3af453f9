//! How long a browser's session lasts, and what ends with it.

use rstest::rstest;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start, start_with};
use crate::support::browser::Browser;
use crate::support::person::Person;
use crate::support::wire::{Wire, within_deadline};

const LONG_AGO: &str = "2001-01-01 00:00:00+00:00";
/// Used last so long ago that a session is over which ends unused.
const UNUSED: &str = "UPDATE sessions SET created_at = '2001-01-01 00:00:00+00:00'";

/// Somebody who uses the token of a browser's page.
async fn on_page(browser: &Browser, person: &Person) -> Person {
    let answer = browser.get("/api/auth/token/").answer().await;
    Person { token: answer.json()["X-Token"].as_str().unwrap().to_owned(), ..person.clone() }
}

fn max_age(cookie: &[String]) -> u32 {
    cookie.iter().find_map(|attribute| attribute.strip_prefix("max-age=")).unwrap().parse().unwrap()
}

#[rstest]
#[tokio::test]
async fn a_session_ends_unused_or_by_its_age_and_its_token_and_sockets_with_it(
    #[values(Sqlite, Postgres)] storage: Storage,
    #[values(UNUSED, "UPDATE sessions SET expires_at = '2001-01-01 00:00:00+00:00'")] end: &str,
) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let page = on_page(&browser, &ann).await;
    let (mut of_page, mut of_program) = (Wire::enter(&app, &page).await, Wire::enter(&app, &ann).await);

    app.execute(end).await;
    let answer = page.get(&app, "/api/users/me/").answer().await;
    assert_eq!(answer.said(), (403, r#"{"detail":"Invalid token."}"#), "at once");
    assert_eq!(browser.get("/account/").answer().await.status, 302);
    of_page.is_disconnected().await;
    assert_eq!((app.count("sessions").await, app.count("tokens").await), (0, 1));
    assert_eq!(of_program.post("tokens of programs live on").await, 1);
}

#[rstest]
#[tokio::test]
async fn a_session_that_is_used_does_not_end(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    assert_eq!(browser.get("/").answer().await.status, 200);
    // Which writes that it was used.
    let app = app.restart().await;
    app.execute(UNUSED).await;
    let cookie = format!("sessionid={}", browser.cookie("sessionid").unwrap());
    assert_eq!(app.get("/").header("Cookie", cookie).answer().await.status, 200);
}

#[rstest]
#[tokio::test]
async fn sessions_end_by_their_age_alone_where_they_may_stay_unused(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &[("NATTER_ACCOUNTS__SESSION_IDLE_SECONDS", "0")]).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    app.execute(UNUSED).await;
    let answer = browser.get("/").answer().await;
    assert_eq!(answer.status, 200);
    assert!(max_age(&answer.set_cookie("sessionid").unwrap().attributes) > 7_000_000, "{answer:?}");
}

/// When a person's browser was last used, as seen from elsewhere.
async fn browser_last_used(app: &TestApp, person: &Person) -> String {
    let list = person.get(app, "/api/users/me/devices/").answer().await.json();
    let mut devices = list["results"].as_array().unwrap().iter();
    let browser = devices.find(|device| device["kind"] == "session").unwrap();
    browser["last_used"].as_str().unwrap().to_owned()
}

#[rstest]
#[tokio::test]
async fn what_is_said_on_the_page_is_a_use_of_its_session(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let mut page = Wire::enter(&app, &on_page(&browser, &ann).await).await;
    let before = browser_last_used(&app, &ann).await;
    within_deadline(async {
        // Uses are noted by the second.
        while browser_last_used(&app, &ann).await == before {
            page.post("still here").await;
        }
    })
    .await;
}

#[rstest]
#[tokio::test]
async fn a_browser_keeps_the_cookie_for_as_long_as_the_session_lasts(
    #[values(Sqlite, Postgres)] storage: Storage,
    #[values(("7776000", 1_209_600), ("3600", 3_600))] (age, kept): (&str, u32),
) {
    let app = start_with(storage, &[("NATTER_ACCOUNTS__SESSION_AGE_SECONDS", age)]).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::open(&app);
    let login = browser.log_in(&ann.email, crate::support::person::PASSWORD).await.set_cookie("sessionid").unwrap();
    assert_eq!(max_age(&login.attributes), kept);
    let renewed = browser.get("/").answer().await.set_cookie("sessionid").unwrap();
    assert_eq!(renewed.value, login.value);
    assert!((1..=kept).contains(&max_age(&renewed.attributes)), "{renewed:?}");
    assert!(renewed.attributes.contains(&"httponly".to_owned()), "{renewed:?}");
}

#[rstest]
#[tokio::test]
async fn sockets_end_on_every_node_though_nobody_has_told_of_it(
    #[values(Sqlite, Postgres)] storage: Storage,
    #[values(
        "DELETE FROM tokens WHERE user_id = {ann}",
        "UPDATE tokens SET created_at = '{long_ago}' WHERE user_id = {ann}",
        "UPDATE users SET is_active = FALSE WHERE id = {ann}",
        "DELETE FROM users WHERE id = {ann}"
    )]
    change: &str,
) {
    let settings = [("NATTER_ACCOUNTS__RECHECK_SECONDS", "1"), ("NATTER_ACCOUNTS__TOKEN_AGE_SECONDS", "604800")];
    let here = start_with(storage, &settings).await;
    let there = here.another().await;
    let (ann, bob) = (Person::join(&here, "ann").await, Person::join(&here, "bob").await);
    let (mut near, mut far) = (Wire::enter(&here, &ann).await, Wire::enter(&there, &ann).await);
    let mut his = Wire::enter(&here, &bob).await;

    here.execute(&change.replace("{ann}", &ann.id.0.to_string()).replace("{long_ago}", LONG_AGO)).await;
    near.is_disconnected().await;
    far.is_disconnected().await;
    assert_eq!(here.count("revocations").await, 0);
    assert_eq!(his.post("still here").await, 1);
}

#[rstest]
#[tokio::test]
async fn only_hashes_are_stored_of_a_session_and_of_its_token(#[values(Sqlite, Postgres)] storage: Storage) {
    use sea_orm::{ConnectionTrait, Statement};
    use sha2::{Digest, Sha256};

    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let page = on_page(&browser, &ann).await;
    let database = app.app.database.read();
    for (table, key) in [("sessions", browser.cookie("sessionid").unwrap()), ("tokens", page.token)] {
        let newest = format!("SELECT key_hash FROM {table} ORDER BY id DESC");
        let newest = Statement::from_string(database.get_database_backend(), newest);
        let row = database.query_one_raw(newest).await.unwrap().unwrap();
        let stored: Vec<u8> = row.try_get("", "key_hash").unwrap();
        assert_eq!(stored, Sha256::digest(key).to_vec(), "{table}");
    }
}
