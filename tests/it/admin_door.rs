//! The door of `/admin/`.

use reqwest::Method;
use rstest::rstest;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::start;
use crate::support::browser::Browser;
use crate::support::command::natter_beside;
use crate::support::person::{PASSWORD, Person};

#[rstest]
#[tokio::test]
async fn only_staff_come_in(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    for request in [app.get("/admin/"), ann.get(&app, "/admin/"), browser.get("/admin/")] {
        let answer = request.answer().await;
        assert_eq!((answer.status, answer.header("location")), (302, Some("/admin/login/?next=/admin/")));
        assert_eq!(answer.header("set-cookie"), None);
    }
    natter_beside(&app, &["user", "promote", &ann.email], "").await.done();
    let answer = browser.get("/admin/").answer().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(answer.body.contains("<dt>Users</dt><dd>1</dd>"), "{}", answer.body);
}

#[rstest]
#[tokio::test]
async fn the_address_without_its_slash_is_corrected(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let answer = app.get("/admin").answer().await;
    assert_eq!((answer.said(), answer.header("location")), ((301, ""), Some("/admin/")));
}

#[rstest]
#[tokio::test]
async fn staff_log_in_at_the_door(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    natter_beside(&app, &["user", "create", "staff@ref.example", "--staff"], PASSWORD).await.done();
    let browser = Browser::open(&app);
    let page = browser.get("/admin/login/?next=/admin/").answer().await;
    assert_eq!(page.status, 200);
    for part in [r#"<form action="/admin/login/" method="post""#, r#"name="next" value="/admin/""#] {
        assert!(page.body.contains(part), "{part} is not in {}", page.body);
    }
    let wrong = browser.submit("/admin/login/", &[("username", "staff@ref.example"), ("password", "wrong")]).await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (200, None));
    assert!(wrong.body.contains("Please register."), "{}", wrong.body);
    assert!(wrong.body.contains(r#"<form action="/admin/login/" method="post""#), "{}", wrong.body);
    let json = browser.signed(Method::POST, "/admin/login/").json(&[1]).answer().await;
    assert_eq!((json.status, json.body.matches("This field is required.").count()), (200, 2), "{}", json.body);

    let form = [("username", "staff@ref.example"), ("password", PASSWORD), ("next", "/admin/")];
    let answer = browser.submit("/admin/login/", &form).await;
    assert_eq!((answer.status, answer.header("location")), (302, Some("/admin/")));
    assert_eq!(browser.get("/admin/").answer().await.status, 200);
}
