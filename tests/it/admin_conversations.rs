//! Conversations, as staff see them.

use rstest::rstest;
use serde_json::json;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::start;
use crate::support::person::Person;
use crate::support::staff::{Staff, column};

#[rstest]
#[tokio::test]
async fn they_are_listed_with_who_is_in_them(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    for room in [
        json!({ "name": "<b>Garden</b>", "kind": "open" }),
        json!({ "name": "Attic", "kind": "invitation" }),
        json!({ "email": bob.email, "kind": "direct" }),
    ] {
        let answer = ann.post(&app, "/api/conversations/").json(&room).answer().await;
        assert!(answer.status < 300, "{answer:?}");
    }
    let page = staff.page("/admin/conversations/?sort=id").await;
    assert_eq!(column(&page, "Name"), ["Everyone", "&#60;b&#62;Garden&#60;/b&#62;", "Attic", "–"]);
    assert_eq!(column(&page, "For"), ["everyone", "all who join", "the invited", "two people"]);
    assert_eq!(column(&page, "Opened by")[..2], ["–", "ann@ref.example"]);
    assert_eq!(column(&page, "Members"), ["all", "1", "1", "2"]);
    for (query, ids) in [
        ("q=attic", &["3"][..]),
        ("kind=direct", &["4"]),
        (&format!("member={}", bob.id.0), &["4"]),
        (&format!("member={}&kind=open", ann.id.0), &["2"]),
    ] {
        assert_eq!(
            column(&staff.page(&format!("/admin/conversations/?{query}")).await, "Conversation"),
            ids,
            "{query}"
        );
    }
    let page = staff.page("/admin/conversations/4/?page=9").await;
    for member in [&ann, &bob] {
        assert!(page.contains(&format!(r#"<a href="/admin/users/{}/">{}</a>"#, member.id.0, member.email)), "{page}");
    }
    assert!(page.contains("Page 1 of 1, 2 in all"), "{page}");
    assert_eq!(staff.browser.get("/admin/conversations/99/").answer().await.status, 404);
}
