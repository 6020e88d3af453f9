//! Messages, as staff find, delete and restore them.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start};
use crate::support::person::Person;
use crate::support::staff::{Staff, column, led_to};
use crate::support::wire::Wire;

async fn say(app: &TestApp, author: &Person, text: &str) {
    let answer = author.post(app, "/api/messages/").json(&json!({ "message": text })).answer().await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

async fn newest(app: &TestApp, reader: &Person) -> Value {
    reader.get(app, "/api/messages/?limit=1").answer().await.json()["results"][0].clone()
}

#[rstest]
#[tokio::test]
async fn they_are_found_by_text_author_and_conversation(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let long = format!("100%{}", "x".repeat(400));
    for (author, text) in [(&ann, "<script>alert(1)</script>"), (&bob, "Good morning"), (&bob, long.as_str())] {
        say(&app, author, text).await;
    }
    for (query, authors) in [
        ("", &["bob@ref.example", "bob@ref.example", "ann@ref.example"][..]),
        ("?q=good+MORN", &["bob@ref.example"]),
        ("?q=100%25", &["bob@ref.example"]),
        ("?q=100_", &[]),
        ("?author=ANN@ref.example", &["ann@ref.example"]),
        ("?author=ann", &[]),
        ("?conversation=1&sort=author", &["ann@ref.example", "bob@ref.example", "bob@ref.example"]),
        ("?conversation=2", &[]),
        ("?deleted=yes", &[]),
    ] {
        let page = staff.page(&format!("/admin/messages/{query}")).await;
        assert_eq!(column(&page, "Author"), authors, "{query}");
        assert!(!page.contains("<script>alert"), "{page}");
    }
    let brief = format!("100%{}…", "x".repeat(296));
    assert_eq!(column(&staff.page("/admin/messages/?q=100").await, "Text"), [brief]);
    assert!(staff.page("/admin/messages/3/").await.contains(&long), "its own page has all of it");
}

#[rstest]
#[tokio::test]
async fn staff_delete_a_message_for_everybody_and_restore_it(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let mut hears = Wire::attend(&app, &bob, &json!({})).await;
    say(&app, &ann, "an insult").await;
    hears.told("server-got-message").await;

    let asked = staff.submit("/admin/messages/act/", &[("id", "1"), ("action", "delete")]).await;
    assert!(asked.body.contains("<h1>Delete?</h1>"), "{}", asked.body);
    let answer = staff.act("messages", "delete", &[1, 99]).await;
    assert_eq!(led_to(&answer), (302, "/admin/messages/?done=delete&count=1"));
    let changed = hears.told("message-changed").await;
    assert_eq!(changed["message"], "ann@ref.example: ");
    assert_eq!(newest(&app, &bob).await, changed);
    assert_eq!(led_to(&staff.act("messages", "delete", &[1]).await).1, "/admin/messages/?done=delete&count=0");

    let page = staff.page("/admin/messages/?q=insult&deleted=yes").await;
    assert_eq!((column(&page, "Text"), column(&page, "Deleted")), (vec!["an insult".into()], vec!["by staff".into()]));
    assert_eq!(led_to(&staff.act("messages", "restore", &[1]).await).1, "/admin/messages/?done=restore&count=1");
    let changed = hears.told("message-changed").await;
    assert_eq!((&changed["message"], changed.get("deleted")), (&json!("ann@ref.example: an insult"), None));
    assert_eq!(newest(&app, &bob).await, changed);

    let page = staff.page("/admin/audit/?q=message+1&sort=time").await;
    assert_eq!(column(&page, "What"), ["delete message", "restore message"]);
    assert_eq!(column(&page, "On whom"), [ann.email.as_str(), &ann.email]);
    assert_eq!(app.count("audit_log WHERE details LIKE '%insult%'").await, 0);
}

#[rstest]
#[tokio::test]
async fn what_its_author_has_taken_back_stays_so(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let ann = Person::join(&app, "ann").await;
    say(&app, &ann, "regretted").await;
    assert_eq!(ann.request(&app, Method::DELETE, "/api/messages/1/").answer().await.status, 204);
    let answer = staff.act("messages", "restore", &[1]).await;
    assert_eq!(led_to(&answer), (302, "/admin/messages/?done=restore&count=0"));
    for path in ["/admin/messages/", "/admin/messages/1/", "/admin/messages/export.csv"] {
        assert!(!staff.page(path).await.contains("regretted"), "{path}");
    }
    assert_eq!(column(&staff.page("/admin/messages/?q=regretted").await, "Text"), [""; 0]);
    assert_eq!(column(&staff.page("/admin/messages/").await, "Deleted"), ["by the author"]);
    assert_eq!(app.count("audit_log WHERE act LIKE '%message%'").await, 0);
}
