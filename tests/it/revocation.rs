//! A socket ends with what it has signed in with.

use natter::accounts::{self, Origin};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::answer::Ask;
use crate::support::app::{PATIENT, Storage, TestApp, start, start_with};
use crate::support::browser::Browser;
use crate::support::person::{PASSWORD, Person};
use crate::support::staff::Staff;
use crate::support::wire::{Eio, Transport, Wire};

#[rstest]
#[tokio::test]
async fn a_logout_disconnects_the_sockets_of_that_token_and_no_others(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start(storage).await;
    let (alice, bob) = (Person::join(&app, "alice").await, Person::join(&app, "bob").await);
    let elsewhere = Person::sign_in(&app, &alice.email).await;
    let mut first = Wire::connect(&app, eio, Transport::Websocket).await;
    first.authenticate(&alice).await;
    let mut second = Wire::connect(&app, eio, Transport::Upgrade).await;
    second.authenticate(&alice).await;
    let mut others = [Wire::enter(&app, &elsewhere).await, Wire::enter(&app, &bob).await];

    alice.log_out(&app).await;
    first.is_disconnected().await;
    second.is_disconnected().await;

    let [hers, his] = &mut others;
    hers.say("marker").await;
    for wire in [hers, his] {
        wire.hears("alice@ref.example: marker").await;
    }
}

#[rstest]
#[tokio::test]
async fn a_polling_socket_is_disconnected_as_well_and_hears_nothing_more(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
    #[values(Eio::V3, Eio::V4)] eio: Eio,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::connect(&app, eio, Transport::Polling).await;
    wire.authenticate(&alice).await;
    alice.log_out(&app).await;
    wire.is_disconnected().await;
}

#[rstest]
#[tokio::test]
async fn a_deactivated_users_sockets_are_all_disconnected(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let (alice, bob) = (Person::join(&app, "alice").await, Person::join(&app, "bob").await);
    let elsewhere = Person::sign_in(&app, &alice.email).await;
    let mut hers = [Wire::enter(&app, &alice).await, Wire::enter(&app, &elsewhere).await];
    let mut his = Wire::enter(&app, &bob).await;

    let user = accounts::find_user(&app.app, alice.id).await.unwrap();
    accounts::deactivate(&app.app, &user).await.unwrap();
    for wire in &mut hers {
        wire.is_disconnected().await;
    }
    his.say("marker").await;
    his.hears("bob@ref.example: marker").await;
}

#[rstest]
#[tokio::test]
async fn a_browsers_logout_disconnects_the_sockets_of_its_page(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let cookies = log_in(&app, &alice).await;
    let answer = app.get("/api/auth/token/").header("Cookie", &cookies).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let page = Person { token: answer["X-Token"].as_str().unwrap().to_owned(), ..alice.clone() };
    let mut of_page = Wire::enter(&app, &page).await;
    let mut of_app = Wire::enter(&app, &alice).await;

    let (_, csrf) = cookies.split_once("csrftoken=").unwrap();
    let request = app.request(Method::DELETE, "/api/auth/logout/").header("Cookie", &cookies);
    assert_eq!(request.header("X-CSRFToken", csrf).send().await.unwrap().status(), 204);
    of_page.is_disconnected().await;
    of_app.say("marker").await;
    of_app.hears("alice@ref.example: marker").await;
}

/// Logs a browser in. Returns its cookies, the CSRF token last.
async fn log_in(app: &TestApp, person: &Person) -> String {
    let form = app.get("/login/").send().await.unwrap();
    let csrf = form.cookies().find(|cookie| cookie.name() == "csrftoken").unwrap().value().to_owned();
    let fields = [("username", &*person.email), ("password", PASSWORD), ("csrfmiddlewaretoken", &*csrf)];
    let login = app.post("/login/").header("Cookie", format!("csrftoken={csrf}")).form(&fields);
    let answer = login.send().await.unwrap();
    assert_eq!(answer.status(), 302);
    let value = |name: &str| answer.cookies().find(|cookie| cookie.name() == name).unwrap().value().to_owned();
    format!("sessionid={}; csrftoken={}", value("sessionid"), value("csrftoken"))
}

#[rstest]
#[tokio::test]
async fn a_new_password_leaves_tokens_and_their_sockets_alone(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::enter(&app, &alice).await;
    let change = alice.request(&app, Method::PATCH, "/api/users/me/").json(&json!({ "password": "another one" }));
    assert_eq!(change.send().await.unwrap().status(), 200);
    // Were it revoked, this socket would hear of it no later than one that is.
    let mut other = Wire::enter(&app, &Person::join(&app, "bob").await).await;
    let bob = accounts::user::by_email(app.app.database.read(), "bob@ref.example").await.unwrap().unwrap();
    accounts::deactivate(&app.app, &bob).await.unwrap();
    other.is_disconnected().await;

    wire.say("still here").await;
    wire.hears("alice@ref.example: still here").await;
    Wire::enter(&app, &alice).await;
}

#[rstest]
#[tokio::test]
async fn a_socket_that_has_signed_in_anew_does_not_depend_on_its_former_token(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let (alice, bob) = (Person::join(&app, "alice").await, Person::join(&app, "bob").await);
    let mut of_alice = Wire::enter(&app, &alice).await;
    let mut moved = Wire::enter(&app, &alice).await;
    moved.authenticate(&bob).await;
    alice.log_out(&app).await;
    of_alice.is_disconnected().await;
    moved.say("still here").await;
    moved.hears("bob@ref.example: still here").await;
    bob.log_out(&app).await;
    moved.is_disconnected().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_socket_gets_in_while_its_token_is_taken_back(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start_with(storage, &[PATIENT]).await;
    let alice = Person::join(&app, "alice").await;
    let user = accounts::find_user(&app.app, alice.id).await.unwrap();
    let origin = Origin::new(b"", app.address.ip());
    for _ in 0..50 {
        let token = accounts::issue_token(&app.app, &user, &origin).await.unwrap();
        let (row, _) = accounts::user_of_token(&app.app, &token).await.unwrap();
        let mut wire = Wire::connect(&app, Eio::V4, Transport::Websocket).await;
        wire.emit("authentication", &json!({ "token": token })).await;
        accounts::revoke_token(&app.app, row.id).await.unwrap();
        loop {
            let packet = wire.packet().await;
            if packet == "41" || packet.contains("unauthorized") {
                break;
            }
            assert_eq!(packet, r#"42["authenticated",true]"#, "it may be let in before it is sent away");
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_new_password_dismisses_the_pages_of_browsers_and_no_other_client(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let alice = Person::join(&app, "alice").await;
    let browser = Browser::logged_in(&app, &alice.email).await;
    let token = browser.get("/api/auth/token/").answer().await.json()["X-Token"].as_str().unwrap().to_owned();
    let mut page = Wire::enter(&app, &Person { token, ..alice.clone() }).await;
    let mut client = Wire::enter(&app, &alice).await;

    let change = alice.request(&app, Method::PATCH, "/api/users/me/").json(&json!({ "password": "tree lamp" }));
    assert_eq!(change.send().await.unwrap().status(), 200);
    page.is_disconnected().await;
    assert_eq!(client.post("still here").await, 1);
}

#[rstest]
#[tokio::test]
async fn the_page_of_a_session_that_staff_end_is_disconnected(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let alice = Person::join(&app, "alice").await;
    let browser = Browser::logged_in(&app, &alice.email).await;
    let token = browser.get("/api/auth/token/").answer().await.json()["X-Token"].as_str().unwrap().to_owned();
    let mut page = Wire::enter(&app, &Person { token, ..alice.clone() }).await;
    let mut client = Wire::enter(&app, &alice).await;
    // The first session is the staff's own.
    assert_eq!(staff.act("sessions", "end", &[2]).await.status, 302);
    page.is_disconnected().await;
    assert_eq!(client.post("still here").await, 1);
}
