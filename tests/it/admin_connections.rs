//! The sockets of a node, as staff see them.

use rstest::rstest;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{PATIENT, start, start_with};
use crate::support::browser::Browser;
use crate::support::person::Person;
use crate::support::staff::{Staff, column, ids, led_to};
use crate::support::wire::{Eio, Transport, Wire};

#[rstest]
#[tokio::test]
async fn sockets_are_listed_with_who_and_how(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &[PATIENT]).await;
    let staff = Staff::join(&app, "staff").await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let _hers = Wire::enter(&app, &ann).await;
    let mut his = Wire::connect(&app, Eio::V3, Transport::Polling).await;
    his.authenticate(&bob).await;
    let _nobodys = Wire::connect(&app, Eio::V4, Transport::Websocket).await;

    let page = staff.page("/admin/connections/").await;
    assert_eq!(column(&page, "User"), ["–", "bob@ref.example", "ann@ref.example"]);
    assert_eq!(column(&page, "Connection"), ["3", "2", "1"]);
    assert_eq!(column(&page, "Address"), ["127.0.0.1"; 3]);
    assert_eq!(column(&page, "Transport"), ["websocket", "polling", "websocket"]);
    assert_eq!(column(&page, "Protocol")[..2], ["Engine.IO 4", "Engine.IO 3"]);
    let page = staff.page("/admin/connections/?transport=polling&protocol=Engine.IO+3&q=BOB&sort=waiting").await;
    assert_eq!(column(&page, "Connection"), ["2"]);
    let answer = staff.browser.get("/admin/connections/export.csv").answer().await;
    assert_eq!(answer.body.lines().count(), 4, "{}", answer.body);
}

#[rstest]
#[tokio::test]
async fn a_client_is_called_what_it_calls_itself_up_to_a_length(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let open = app.get("/socket.io/?EIO=3&transport=polling").header("User-Agent", format!("<b>{}", "x".repeat(500)));
    assert_eq!(open.answer().await.status, 200);
    let page = staff.page("/admin/connections/").await;
    assert_eq!(column(&page, "Client"), [format!("&#60;b&#62;{}", "x".repeat(117))]);
}

#[rstest]
#[tokio::test]
async fn a_disconnected_client_is_told_so(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &[PATIENT]).await;
    let staff = Staff::join(&app, "staff").await;
    let ann = Person::join(&app, "ann").await;
    let (mut first, mut second) = (Wire::enter(&app, &ann).await, Wire::enter(&app, &ann).await);
    let id = *ids(&staff.page("/admin/connections/").await).last().unwrap();
    let question = [("id", &*id.to_string()), ("action", "disconnect")];
    let asked = staff.submit("/admin/connections/act/", &question).await;
    assert!(asked.body.contains("Connection 1 of ann@ref.example"), "{}", asked.body);
    let answer = staff.act("connections", "disconnect", &[id, 77]).await;
    assert_eq!(led_to(&answer), (302, "/admin/connections/?done=disconnect&count=1"));
    first.is_disconnected().await;
    second.say("marker").await;
    second.hears("ann@ref.example: marker").await;
    let page = staff.page("/admin/audit/?act=disconnect").await;
    assert_eq!(column(&page, "Details"), ["connection 1 from 127.0.0.1"]);
}

/// Lists and questions are older than what is done then: with the number alone, a stranger's socket would be the one.
#[rstest]
#[tokio::test]
async fn a_connection_from_before_a_restart_is_nobodys(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let ann = Person::join(&app, "ann").await;
    let _before = Wire::enter(&app, &ann).await;
    let before = ids(&staff.page("/admin/connections/").await);
    let app = app.restart().await;
    let staff = Staff { browser: Browser::logged_in(&app, &staff.person.email).await, ..staff };
    let mut after = Wire::enter(&app, &ann).await;
    assert_eq!(column(&staff.page("/admin/connections/").await, "Connection"), ["1"]);
    let answer = staff.act("connections", "disconnect", &before).await;
    assert_eq!(led_to(&answer), (302, "/admin/connections/?done=disconnect&count=0"));
    after.say("still here").await;
    after.hears("ann@ref.example: still here").await;
}
