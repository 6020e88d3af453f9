//! The link with which the first of the staff comes in.

use natter::admin::audit::Actor;
use natter::admin::{self, setup};
use rstest::rstest;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start};
use crate::support::browser::Browser;
use crate::support::command::serve;
use crate::support::person::Person;
use crate::support::staff::{column, led_to};

async fn link(app: &TestApp) -> String {
    setup::invite(&app.app).await.unwrap().unwrap()
}

const FORM: [(&str, &str); 2] = [("email", "first@ref.example"), ("password", "tree lamp")];

#[rstest]
#[tokio::test]
async fn it_makes_one_staff_account_and_is_void_then(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let link = link(&app).await;
    let (browser, late) = (Browser::open(&app), Browser::open(&app));
    for browser in [&browser, &late] {
        let page = browser.get(&link).answer().await;
        assert_eq!((page.status, page.header("cache-control")), (200, Some("no-store")));
        assert_eq!(page.header("referrer-policy"), Some("strict-origin"));
        assert!(page.body.contains("first staff account"), "{}", page.body);
    }
    let answer = browser.submit(&link, &FORM).await;
    assert_eq!(led_to(&answer), (302, "/admin/"));
    let page = browser.get("/admin/audit/").answer().await;
    assert_eq!(page.status, 200, "who has made it is logged in");
    assert_eq!(
        (column(&page.body, "Who"), column(&page.body, "What")),
        (vec!["set-up link".to_owned(); 2], vec!["make staff".to_owned(), "create user".to_owned()])
    );

    assert_eq!(late.submit(&link, &[("email", "late@ref.example"), ("password", "tree lamp")]).await.status, 404);
    assert_eq!(late.get(&link).answer().await.status, 404);
    assert_eq!(app.count("users").await, 1);
    assert!(setup::invite(&app.app).await.unwrap().is_none(), "there is staff");
}

#[rstest]
#[tokio::test]
async fn of_two_at_once_one_comes_in(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let link = link(&app).await;
    let (one, other) = (Browser::open(&app), Browser::open(&app));
    for browser in [&one, &other] {
        browser.get(&link).answer().await;
    }
    let second = [("email", "second@ref.example"), ("password", "tree lamp")];
    let (one, other) = tokio::join!(one.submit(&link, &FORM), other.submit(&link, &second));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!((statuses, app.count("users").await), ([302, 404], 1));
}

#[rstest]
#[tokio::test]
async fn a_form_with_mistakes_comes_again_and_the_link_stays_good(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    Person::join(&app, "ann").await;
    let link = link(&app).await;
    let browser = Browser::open(&app);
    browser.get(&link).answer().await;
    for (email, password, complaint) in [
        ("ann@ref.example", "tree lamp", "Member with this email address already exists."),
        ("\"><script>", "tree lamp", "Enter a valid email address."),
        ("b@ref.example", "", "This field may not be blank."),
    ] {
        let answer = browser.submit(&link, &[("email", email), ("password", password)]).await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains(complaint) && !answer.body.contains("\"><script>"), "{}", answer.body);
    }
    assert_eq!(browser.submit(&link, &FORM).await.status, 302);
}

#[rstest]
#[tokio::test]
async fn other_keys_open_nothing_and_nothing_goes_without_the_csrf_token(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let browser = Browser::open(&app);
    browser.get("/login/").answer().await;
    let old = link(&app).await;
    let link = link(&app).await;
    for path in [old.as_str(), "/admin/setup/x/", "/admin/setup/%00/", &format!("/admin/setup/{}/", "x".repeat(32))] {
        assert_eq!(browser.get(path).answer().await.status, 404, "{path}");
        assert_eq!(browser.submit(path, &FORM).await.status, 404, "{path}");
    }
    assert_eq!(app.post(&link).form(&FORM).answer().await.status, 403);
    assert_eq!(app.count("users").await, 0);
}

#[rstest]
#[tokio::test]
async fn it_is_void_once_somebody_is_staff_by_another_way(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let link = link(&app).await;
    let ann = Person::join(&app, "ann").await;
    admin::make_staff(&app.app, &Actor::command_line(), &[ann.id]).await.unwrap();
    let browser = Browser::open(&app);
    browser.get("/login/").answer().await;
    assert_eq!(browser.submit(&link, &FORM).await.status, 404);
    assert_eq!(browser.get(&link).answer().await.status, 404);
}

#[tokio::test]
async fn it_is_printed_and_works_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [("PORT", "0"), ("DATA_DIR", folder.path().to_str().unwrap())];
    let mut server = serve(&environment);
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let url = loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if line.contains("/admin/setup/") {
            break line.trim().to_owned();
        }
    };
    let page = reqwest::get(url).await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("first staff account"));
}
