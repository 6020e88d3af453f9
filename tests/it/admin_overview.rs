//! The overview and its figures.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::start;
use crate::support::staff::Staff;
use crate::support::wire::Wire;

#[rstest]
#[tokio::test]
async fn it_shows_figures_and_charts_that_a_script_can_renew(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let mut wire = Wire::enter(&app, &staff.person).await;
    let posted = staff.person.post(&app, "/api/messages/").json(&json!({ "message": "hello" })).answer().await;
    assert_eq!(posted.status, 201);
    wire.hears("staff@ref.example: hello").await;

    let page = staff.page("/admin/").await;
    for part in [
        r#"<dt>Users</dt><dd data-text="users">1</dd>"#,
        r#"<dt>Messages</dt><dd data-text="messages">1</dd>"#,
        r#"<dt>Open sockets</dt><dd data-text="sockets">1</dd>"#,
        r#"<dt>Server errors</dt><dd data-text="errors">0</dd>"#,
        r#"data-line="websocket""#,
        r#"data-line="third""#,
        r#"data-line="rate""#,
        "MiB",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    let answer = staff.browser.get("/admin/overview.json").answer().await;
    let figures = answer.json();
    assert_eq!(
        (figures["texts"]["messages"].as_str(), figures["texts"]["uptime"].as_str()),
        (Some("1"), Some("0 min"))
    );
    assert!(figures["lines"]["websocket"].is_string(), "{figures}");
}

#[rstest]
#[tokio::test]
async fn the_sockets_of_the_last_minutes_are_counted(#[values(Sqlite)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let _wire = Wire::enter(&app, &staff.person).await;
    let counted = async {
        let mut beat = tokio::time::interval(Duration::from_millis(100));
        loop {
            beat.tick().await;
            let figures = staff.browser.get("/admin/overview.json").answer().await.json();
            if figures["texts"]["websocket"] == "1" {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(15), counted).await.unwrap();
}
