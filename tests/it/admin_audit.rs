//! Every administrative act is recorded.

use rstest::rstest;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::start;
use crate::support::browser::Browser;
use crate::support::command::natter_beside;
use crate::support::person::{PASSWORD, Person};
use crate::support::staff::{Staff, column, led_to};
use crate::support::wire::Wire;

#[rstest]
#[tokio::test]
async fn who_did_what_on_whom_and_from_where(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let ann = Person::join(&app, "ann").await;
    let _wire = Wire::enter(&app, &ann).await;
    let path = format!("/admin/users/{}/", ann.id.0);
    staff.submit("/admin/users/new/", &[("email", "new@ref.example"), ("password", "tree lamp")]).await;
    staff.submit(&path, &[("email", &ann.email), ("first_name", "<b>")]).await;
    staff.submit(&path, &[("email", &ann.email), ("first_name", "<b>")]).await;
    staff.submit(&format!("{path}password/"), &[("password", "tree lamp")]).await;
    for action in ["make_staff", "make_staff", "take_staff", "deactivate", "activate"] {
        staff.act("users", action, &[ann.id.0]).await;
    }
    staff.act("tokens", "revoke", &[2]).await;
    staff.act("sessions", "end", &[99]).await;

    let page = staff.page("/admin/audit/?sort=time").await;
    let expected = [
        "make staff",
        "create user",
        "change user",
        "set password",
        "make staff",
        "take staff rights",
        "deactivate",
        "activate",
        "revoke token",
    ];
    assert_eq!(column(&page, "What"), expected, "and nothing where nothing was changed");
    let mut actors = column(&page, "Who");
    assert_eq!(actors.remove(0), "command line");
    assert!(actors.iter().all(|actor| *actor == staff.person.email), "{actors:?}");
    let objects = column(&page, "On whom");
    assert_eq!((objects[1].as_str(), objects[8].as_str()), ("new@ref.example", ann.email.as_str()));
    assert_eq!(column(&page, "Details")[2], "first name: &#34;&#34; → &#34;&#60;b&#62;&#34;");
    let addresses = column(&page, "From");
    assert_eq!((addresses[0].as_str(), addresses[1].as_str()), ("–", "127.0.0.1"));
}

#[rstest]
#[tokio::test]
async fn commands_are_recorded_too(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let email = "ann@ref.example";
    natter_beside(&app, &["user", "create", email, "--staff"], "tree lamp").await.done();
    natter_beside(&app, &["user", "set-password", email], "lamp tree").await.done();
    for action in ["demote", "promote", "deactivate", "activate"] {
        natter_beside(&app, &["user", action, email], "").await.done();
    }
    let page = staff.page("/admin/audit/?q=ann&sort=time").await;
    let expected =
        ["create user", "make staff", "set password", "take staff rights", "make staff", "deactivate", "activate"];
    assert_eq!(column(&page, "What"), expected);
    assert!(column(&page, "Who").iter().all(|actor| actor == "command line"));
    let page = staff.page("/admin/audit/?act=set+password").await;
    assert_eq!(column(&page, "On whom"), [email]);
}

#[rstest]
#[tokio::test]
async fn what_was_refused_is_not_recorded(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let before = app.count("audit_log").await;
    staff.submit("/admin/users/new/", &[("email", "staff@ref.example"), ("password", "tree lamp")]).await;
    staff.act("users", "deactivate", &[staff.person.id.0]).await;
    assert_eq!(app.count("audit_log").await, before);
    let form = [("id", "1"), ("action", "delete"), ("confirmed", "yes")];
    assert_eq!(staff.submit("/admin/audit/act/", &form).await.status, 400, "there is nothing that can be done to it");
    assert_eq!(app.count("audit_log").await, before);
}

#[rstest]
#[tokio::test]
async fn what_is_taken_along_is_recorded_before_it_is_sent(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let ann = Person::join(&app, "ann").await;
    staff.page("/admin/messages/export.csv?author=ann%40ref.example&deleted=no&sort=time").await;
    staff.page("/admin/users/export.csv").await;
    staff.page(&format!("/admin/users/export.csv?q={}", "%00é".repeat(2_000))).await;
    let plain = Browser::logged_in(&app, &ann.email).await;
    assert_eq!(plain.get("/admin/users/export.csv").answer().await.status, 302);
    assert!(staff.page("/admin/audit/export.csv?act=export").await.contains("author=ann%40ref.example"));

    let page = staff.page("/admin/audit/?act=export&sort=time").await;
    assert_eq!(column(&page, "Who"), vec![staff.person.email.as_str(); 4]);
    assert_eq!(column(&page, "On whom"), ["messages", "users", "users", "audit"]);
    let details = column(&page, "Details");
    assert_eq!((details[0].as_str(), details[1].as_str()), ("author=ann%40ref.example&#38;deleted=no", "–"));
    assert_eq!((details[2].chars().count(), details[3].as_str()), (301, "act=export"));
}

#[rstest]
#[tokio::test]
async fn staff_who_log_in_at_the_door_are_recorded(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::called(&app, "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0");
    browser.get("/admin/login/").answer().await;
    for (email, password, status) in
        [(&staff.person.email, "wrong", 200), (&ann.email, PASSWORD, 302), (&staff.person.email, PASSWORD, 302)]
    {
        let answer = browser.submit("/admin/login/", &[("username", email), ("password", password)]).await;
        assert_eq!(led_to(&answer).0, status, "{email}");
    }
    let page = staff.page("/admin/audit/?act=log+in").await;
    assert_eq!(column(&page, "Who"), [staff.person.email.as_str()]);
    assert_eq!(column(&page, "Details"), ["Firefox on Linux"]);
    assert_eq!(column(&page, "From"), ["127.0.0.1"]);
    assert_eq!(app.count("audit_log WHERE details LIKE '%wrong%'").await, 0);
}
