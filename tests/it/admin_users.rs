//! Users, as staff look after them.

use natter::admin;
use natter::admin::audit::Actor;
use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start, start_with};
use crate::support::browser::Browser;
use crate::support::person::{PASSWORD, Person};
use crate::support::staff::{Staff, column, ids, led_to};
use crate::support::wire::Wire;

async fn sign_in(app: &TestApp, email: &str, password: &str) -> u16 {
    let credentials = json!({ "username": email, "password": password });
    app.post("/api/auth/signin/").json(&credentials).answer().await.status
}

#[rstest]
#[tokio::test]
async fn a_user_is_made_and_can_sign_in(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let form = [("email", "new@ref.example"), ("password", "tree lamp"), ("first_name", "<script>alert(1)</script>")];
    let answer = staff.submit("/admin/users/new/", &form).await;
    assert_eq!(led_to(&answer), (302, "/admin/users/2/?done=created&count=1"));
    let page = staff.page("/admin/users/2/?done=created&count=1").await;
    assert!(page.contains("Users created: 1.") && !page.contains("<script>alert"), "{page}");
    assert_eq!(sign_in(&app, "new@ref.example", "tree lamp").await, 201);

    let form = [("email", "second@ref.example"), ("password", "tree lamp"), ("is_staff", "on")];
    assert_eq!(staff.submit("/admin/users/new/", &form).await.status, 302);
    assert_eq!(app.count("users WHERE is_staff AND email = 'second@ref.example'").await, 1);
    let page = staff.page("/admin/audit/?q=second&sort=time").await;
    assert_eq!(column(&page, "What"), ["create user", "make staff"]);

    let token = staff.browser.csrf_token();
    let plain = json!({ "email": "third@ref.example", "password": "tree lamp", "is_staff": false });
    let made = staff.browser.request(Method::POST, "/admin/users/new/").header("X-CSRFToken", token).json(&plain);
    assert_eq!(made.answer().await.status, 302);
    assert_eq!(app.count("users WHERE NOT is_staff AND email = 'third@ref.example'").await, 1);
}

#[rstest]
#[tokio::test]
async fn a_user_that_cannot_be_made_is_explained(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let long = "x".repeat(129);
    for (email, password, complaint) in [
        ("STAFF@ref.example", "tree lamp", "Member with this email address already exists."),
        ("\"><script>", "tree lamp", "Enter a valid email address."),
        ("a\0@ref.example", "tree lamp", "Null characters are not allowed."),
        ("a@ref.example", "", "This field may not be blank."),
        ("a@ref.example", &long, "Ensure this field has no more than 128 characters."),
    ] {
        let answer = staff.submit("/admin/users/new/", &[("email", email), ("password", password)]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.contains(complaint), "{complaint} is not in {}", answer.body);
        assert!(!answer.body.contains("\"><script>"), "{}", answer.body);
    }
    assert_eq!(app.count("users").await, 1);
}

#[rstest]
#[tokio::test]
async fn names_and_addresses_are_changed(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let ann = Person::join(&app, "ann").await;
    let path = format!("/admin/users/{}/", ann.id.0);
    let form = [("email", "anna@ref.example"), ("first_name", "Anna"), ("last_name", "")];
    let answer = staff.submit(&path, &form).await;
    assert_eq!(led_to(&answer), (302, format!("{path}?done=changed&count=1").as_str()));
    let me = ann.get(&app, "/api/users/me/").answer().await.json();
    assert_eq!((me["email"].as_str(), me["first_name"].as_str()), (Some("anna@ref.example"), Some("Anna")));

    let answer = staff.submit(&path, &[("email", "staff@ref.example")]).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("Member with this email address already exists."), "{}", answer.body);
    let answer = staff.submit("/admin/users/999/", &[("email", "a@ref.example")]).await;
    assert_eq!(answer.status, 404);
}

#[rstest]
#[tokio::test]
async fn a_new_password_logs_that_users_browsers_out(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let path = format!("/admin/users/{}/password/", ann.id.0);
    let answer = staff.submit(&path, &[("password", "")]).await;
    assert!(answer.body.contains("This field may not be blank."), "{}", answer.body);
    assert_eq!(staff.submit(&path, &[("password", "tree lamp")]).await.status, 302);
    assert_eq!((sign_in(&app, &ann.email, PASSWORD).await, sign_in(&app, &ann.email, "tree lamp").await), (400, 201));
    assert_eq!(browser.get("/").answer().await.status, 302);
    assert_eq!(app.count("audit_log WHERE details LIKE '%tree%' OR details LIKE '%lamp%'").await, 0);
}

#[rstest]
#[tokio::test]
async fn who_is_deactivated_is_disconnected_and_shut_out_until_activated(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let (mut hers, mut his) = (Wire::enter(&app, &ann).await, Wire::enter(&app, &bob).await);
    let browser = Browser::logged_in(&app, &ann.email).await;

    let answer = staff.act("users", "deactivate", &[ann.id.0, bob.id.0]).await;
    assert_eq!(led_to(&answer), (302, "/admin/users/?done=deactivate&count=2"));
    hers.is_disconnected().await;
    his.is_disconnected().await;
    assert_eq!((sign_in(&app, &ann.email, PASSWORD).await, browser.get("/").answer().await.status), (400, 302));

    let answer = staff.act("users", "activate", &[ann.id.0, staff.person.id.0]).await;
    assert_eq!(led_to(&answer), (302, "/admin/users/?done=activate&count=1"), "one of them was active already");
    assert_eq!((sign_in(&app, &ann.email, PASSWORD).await, sign_in(&app, &bob.email, PASSWORD).await), (201, 400));
}

#[rstest]
#[tokio::test]
async fn staff_rights_come_and_go_at_once(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    for (action, status) in [("make_staff", 200), ("take_staff", 302)] {
        assert_eq!(staff.act("users", action, &[ann.id.0]).await.status, 302);
        assert_eq!(browser.get("/admin/").answer().await.status, status, "{action}");
    }
}

#[rstest]
#[tokio::test]
async fn of_two_who_take_each_others_rights_one_keeps_them(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, bob) = (Staff::join(&app, "ann").await, Staff::join(&app, "bob").await);
    for _ in 0..5 {
        for action in ["take_staff", "deactivate"] {
            let (his, hers) = ([bob.person.id.0], [ann.person.id.0]);
            tokio::join!(ann.act("users", action, &his), bob.act("users", action, &hers));
            assert_eq!(app.count("users WHERE is_staff AND is_active").await, 1, "{action}");
            let both = [ann.person.id, bob.person.id];
            admin::activate(&app.app, &Actor::command_line(), &both).await.unwrap();
            admin::make_staff(&app.app, &Actor::command_line(), &both).await.unwrap();
        }
    }
}

#[rstest]
#[tokio::test]
async fn nobody_shuts_themselves_out(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let ann = Person::join(&app, "ann").await;
    for action in ["deactivate", "take_staff"] {
        let answer = staff.act("users", action, &[ann.id.0, staff.person.id.0]).await;
        assert_eq!(answer.status, 403);
        assert!(answer.body.contains("yourself"), "{}", answer.body);

        let (own, hers) = (staff.person.id.0.to_string(), ann.id.0.to_string());
        let all = [("id", own.as_str()), ("id", &hers), ("action", action)];
        let asked = staff.submit("/admin/users/act/", &all).await;
        assert!(asked.body.contains("You are left out") && asked.body.contains("<li>ann@"), "{}", asked.body);
        assert_eq!(ids(&asked.body), [ann.id.0]);
        let alone = staff.submit("/admin/users/act/", &[("id", &own), ("action", action)]).await;
        assert!(alone.body.contains("You are left out") && !alone.body.contains("confirmed"), "{}", alone.body);
        assert!(!alone.body.contains("not there any more"), "{}", alone.body);
    }
    let page = staff.page(&format!("/admin/users/{}/", staff.person.id.0)).await;
    assert!(!page.contains(r#"name="action" value="deactivate""#), "{page}");
    assert_eq!(app.count("users WHERE is_active").await, 2);
    assert_eq!(staff.browser.get("/admin/").answer().await.status, 200);
}

#[rstest]
#[tokio::test]
async fn a_users_tokens_and_sessions_are_on_their_page_and_revoked_there(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start_with(storage, &[]).await;
    let staff = Staff::join(&app, "staff").await;
    let ann = Person::join(&app, "ann").await;
    let (browser, mut wire) = (Browser::logged_in(&app, &ann.email).await, Wire::enter(&app, &ann).await);
    let path = format!("/admin/users/{}/", ann.id.0);
    let page = staff.page(&path).await;
    assert!(page.contains("Token 2 of ann@ref.example") && page.contains("Session 2 of ann@ref.example"), "{page}");
    assert!(!page.contains("Token 1 of") && !page.contains("Session 1 of"), "others' are not: {page}");
    assert!(!page.contains(&ann.token), "{page}");

    let revoke = [("id", "2"), ("action", "revoke"), ("confirmed", "yes"), ("next", path.as_str())];
    let answer = staff.submit("/admin/tokens/act/", &revoke).await;
    assert_eq!(led_to(&answer), (302, format!("{path}?done=revoke&count=1").as_str()));
    wire.is_disconnected().await;
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 403);
    assert!(staff.page(&format!("{path}?done=revoke&count=1")).await.contains("Tokens revoked: 1."));

    assert_eq!(browser.get("/").answer().await.status, 200);
    assert_eq!(led_to(&staff.act("sessions", "end", &[2]).await), (302, "/admin/sessions/?done=end&count=1"));
    assert_eq!(browser.get("/").answer().await.status, 302);
}

/// The page of a browser derives another token at once, for as long as its session lasts.
#[rstest]
#[tokio::test]
async fn a_token_that_a_page_uses_is_revoked_with_its_session(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let ann = Person::join(&app, "ann").await;
    let (browser, other) = (Browser::logged_in(&app, &ann.email).await, Browser::logged_in(&app, &ann.email).await);
    assert_eq!(browser.get("/api/auth/token/").answer().await.status, 200);
    let tokens = ids(&staff.page(&format!("/admin/tokens/?kind=session&user={}", ann.id.0)).await);
    assert_eq!(led_to(&staff.act("tokens", "revoke", &tokens).await), (302, "/admin/tokens/?done=revoke&count=1"));
    assert_eq!((browser.get("/").answer().await.status, other.get("/").answer().await.status), (302, 200));
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 200, "tokens of programs live on");
    let page = staff.page("/admin/audit/?q=ann&sort=time").await;
    assert_eq!(column(&page, "What"), ["revoke token", "end session"]);
    assert_eq!(column(&page, "Details"), [format!("token {}", tokens[0]), "session 2".to_owned()]);
}
