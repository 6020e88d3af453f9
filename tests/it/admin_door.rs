//! The door of `/admin/`.

use reqwest::Method;
use rstest::rstest;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::start;
use crate::support::browser::Browser;
use crate::support::command::natter_beside;
use crate::support::person::{PASSWORD, Person};
use crate::support::staff::{Staff, led_to};

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
    let login = browser.get("/admin/login/?next=/admin/").answer().await;
    assert!(login.body.contains("signed in as ann@ref.example, but this account may not administer"), "{}", login.body);
    let form = browser.submit("/admin/users/act/", &[("action", "deactivate")]).await;
    assert_eq!(led_to(&form), (302, "/admin/login/?next=/admin/users/"), "what a form was sent to cannot be opened");
    natter_beside(&app, &["user", "promote", &ann.email], "").await.done();
    let answer = browser.get("/admin/").answer().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(answer.body.contains(r#"<dt>Users</dt><dd data-text="users">1</dd>"#), "{}", answer.body);
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

/// Every route of the admin site that is for staff only.
const INSIDE: [&str; 31] = [
    "/admin/",
    "/admin/overview.json",
    "/admin/users/",
    "/admin/users/export.csv",
    "/admin/users/act/",
    "/admin/users/new/",
    "/admin/users/1/",
    "/admin/users/1/password/",
    "/admin/tokens/",
    "/admin/tokens/export.csv",
    "/admin/tokens/act/",
    "/admin/tokens/1/",
    "/admin/sessions/",
    "/admin/sessions/export.csv",
    "/admin/sessions/act/",
    "/admin/sessions/1/",
    "/admin/connections/",
    "/admin/connections/export.csv",
    "/admin/connections/act/",
    "/admin/connections/1/",
    "/admin/conversations/",
    "/admin/conversations/export.csv",
    "/admin/conversations/1/",
    "/admin/messages/",
    "/admin/messages/export.csv",
    "/admin/messages/act/",
    "/admin/messages/1/",
    "/admin/audit/",
    "/admin/audit/export.csv",
    "/admin/audit/1/",
    "/admin/no/such/page",
];

/// Where one goes on who had to log in to send a form.
fn section_of(path: &str) -> String {
    path.split_inclusive('/').take(3).collect()
}

#[rstest]
#[tokio::test]
async fn whoever_is_not_staff_is_sent_to_the_login_from_everywhere(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let (ann, bob) = (Person::join(&app, "ann").await, Staff::join(&app, "bob").await);
    let (anonymous, plain) = (Browser::open(&app), Browser::logged_in(&app, &ann.email).await);
    anonymous.get("/login/").answer().await;
    staff.act("users", "deactivate", &[bob.person.id.0]).await;
    for path in INSIDE {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE] {
            let form = [("action", "take_staff"), ("id", "1"), ("confirmed", "yes")];
            for (who, request) in [
                ("anonymous", anonymous.signed(method.clone(), path)),
                ("without a CSRF token", anonymous.request(method.clone(), path)),
                ("plain user", plain.signed(method.clone(), path)),
                ("deactivated staff", bob.browser.signed(method.clone(), path)),
                ("the token of staff", staff.person.request(&app, method.clone(), path)),
            ] {
                let answer = request.form(&form).answer().await;
                let about = format!("{method} {path} by {who}");
                assert_eq!(answer.status, 302, "{about}: {answer:?}");
                let next = if method.is_safe() { path.to_owned() } else { section_of(path) };
                assert_eq!(answer.header("location"), Some(format!("/admin/login/?next={next}").as_str()), "{about}");
            }
        }
    }
    assert_eq!(app.count("audit_log WHERE act = 'take staff rights'").await, 0);
}

#[rstest]
#[tokio::test]
async fn staff_may_do_nothing_without_the_csrf_token(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    let ann = Person::join(&app, "ann").await;
    let id = ann.id.0.to_string();
    let form = [("action", "deactivate"), ("id", id.as_str()), ("confirmed", "yes"), ("csrfmiddlewaretoken", "0")];
    for path in INSIDE {
        let answer = staff.browser.request(Method::POST, path).form(&form).answer().await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.body.contains("<h1>CSRF verification failed</h1>"), "{path}: {}", answer.body);
    }
    assert_eq!(app.count("users WHERE is_active").await, 2);
}

#[rstest]
#[tokio::test]
async fn what_is_not_there_is_not_found_and_other_methods_are_refused(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    for path in ["/admin/nothing/", "/admin/users/999/", "/admin/users/x/", "/admin/users/99999999999999999999/"] {
        assert_eq!(staff.browser.get(path).answer().await.status, 404, "{path}");
    }
    for path in ["/admin/tokens/999/", "/admin/sessions/-1/", "/admin/connections/0/", "/admin/audit/%00/"] {
        assert_eq!(staff.browser.get(path).answer().await.status, 404, "{path}");
    }
    assert_eq!(led_to(&staff.browser.get("/admin/users").answer().await), (301, "/admin/users/"));
    for (method, path) in
        [(Method::PUT, "/admin/users/act/"), (Method::POST, "/admin/audit/"), (Method::PUT, "/admin/")]
    {
        let answer = staff.browser.signed(method.clone(), path).answer().await;
        assert_eq!(answer.status, 405, "{method} {path}");
    }
}

#[rstest]
#[tokio::test]
async fn what_a_form_was_sent_to_leads_back_when_it_is_opened(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let staff = Staff::join(&app, "staff").await;
    for path in INSIDE.into_iter().filter(|path| path.ends_with("/act/") || path.ends_with("/password/")) {
        let answer = staff.browser.get(path).answer().await;
        let above = path.trim_end_matches("act/").trim_end_matches("password/");
        assert_eq!(led_to(&answer), (302, above), "{path}");
        staff.page(above).await;
    }
}
