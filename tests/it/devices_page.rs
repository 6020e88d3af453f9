//! `/account/devices/`.

use reqwest::Method;
use rstest::rstest;
use serde_json::Value;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start};
use crate::support::browser::Browser;
use crate::support::person::{PASSWORD, Person};
use crate::support::wire::Wire;

const PATH: &str = "/account/devices/";
const SIGN_OUT: &str = "/account/devices/sign-out/";
const SIGN_OUT_OTHERS: &str = "/account/devices/sign-out-others/";

async fn own_id(app: &TestApp, person: &Person) -> String {
    let list: Value = person.get(app, "/api/users/me/devices/").answer().await.json();
    list["results"][0]["id"].as_str().unwrap().to_owned()
}

#[rstest]
#[tokio::test]
async fn it_is_for_whoever_is_logged_in(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let stranger = Browser::open(&app);
    stranger.get("/login/").answer().await;
    let answer = stranger.get(PATH).answer().await;
    assert_eq!((answer.said(), answer.header("location")), ((302, ""), Some("/login/?next=/account/devices/")));
    for path in [SIGN_OUT, SIGN_OUT_OTHERS] {
        assert_eq!(stranger.submit(path, &[("device", "t1")]).await.status, 302);
    }
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 200);
    let browser = Browser::logged_in(&app, &ann.email).await;
    let page = browser.get(PATH).answer().await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    for path in ["/account/devices", SIGN_OUT] {
        let answer = browser.get(path).answer().await;
        assert_eq!((answer.status, answer.header("location")), (302, Some(PATH)), "{path}");
    }
    assert_eq!(browser.get("/account/devices/?page=2").answer().await.status, 404);
}

#[rstest]
#[tokio::test]
async fn this_browser_is_marked_and_has_no_button(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    Person::join(&app, "ann").await;
    let browser = Browser::called(&app, "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0");
    assert_eq!(browser.log_in("ann@ref.example", PASSWORD).await.status, 302);
    let page = browser.get(PATH).answer().await.body;
    assert_eq!(page.matches("This browser").count(), 1, "{page}");
    for part in ["Firefox on Linux", "Unknown program", "127.0.0.1", " UTC</time>"] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert_eq!(page.matches(r#"name="device""#).count(), 1, "{page}");
    assert!(page.contains(r#"name="device" value="t1""#), "{page}");
}

#[rstest]
#[tokio::test]
async fn a_button_signs_one_out_and_its_sockets_at_once(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let other = Person::sign_in(&app, &ann.email).await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let mut socket = Wire::enter(&app, &other).await;
    let id = own_id(&app, &other).await;

    let answer = browser.submit(SIGN_OUT, &[("device", &id)]).await;
    assert_eq!((answer.said(), answer.header("location")), ((302, ""), Some("/account/devices/?done=one")));
    socket.is_disconnected().await;
    let page = browser.get("/account/devices/?done=one").answer().await.body;
    assert!(page.contains("The device is signed out.") && !page.contains(&format!(r#"value="{id}""#)), "{page}");
    let again = browser.submit(SIGN_OUT, &[("device", &id)]).await;
    assert_eq!(again.header("location"), Some("/account/devices/?done=gone"));
    let page = browser.get("/account/devices/?done=gone").answer().await.body;
    assert!(page.contains("No such device is signed in any more."), "{page}");
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 200);
}

#[rstest]
#[tokio::test]
async fn another_button_signs_all_others_out(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let (here, there) = (Browser::logged_in(&app, &ann.email).await, Browser::logged_in(&app, &ann.email).await);
    let mut socket = Wire::enter(&app, &ann).await;
    let page = here.get(PATH).answer().await.body;
    assert!(page.contains(&format!(r#"<form action="{SIGN_OUT_OTHERS}" method="get">"#)), "{page}");
    let question = here.get(SIGN_OUT_OTHERS).answer().await;
    assert!(question.body.contains("their tokens cannot be used any more"), "{question:?}");
    assert_eq!(there.get(PATH).answer().await.status, 200, "nothing is done by asking");
    let answer = here.submit(SIGN_OUT_OTHERS, &[]).await;
    assert_eq!((answer.status, answer.header("location")), (302, Some("/account/devices/?done=others")));
    socket.is_disconnected().await;
    assert_eq!(there.get(PATH).answer().await.status, 302);
    let page = here.get("/account/devices/?done=others").answer().await.body;
    assert!(page.contains("All other devices are signed out."), "{page}");
    assert!(!page.contains(SIGN_OUT_OTHERS), "{page}");
}

#[rstest]
#[tokio::test]
async fn nobody_signs_out_anothers_device(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let (ann, eve) = (Person::join(&app, "ann").await, Person::join(&app, "eve").await);
    let browser = Browser::logged_in(&app, &eve.email).await;
    let forged = own_id(&app, &ann).await;
    for id in [forged.as_str(), "s99", "", "t1\0", "'; DROP TABLE tokens", "../t1"] {
        let answer = browser.submit(SIGN_OUT, &[("device", id)]).await;
        assert_eq!(answer.header("location"), Some("/account/devices/?done=gone"), "{id:?}");
    }
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 200);
    assert_eq!(eve.get(&app, "/api/users/me/").answer().await.status, 200);
}

#[rstest]
#[tokio::test]
async fn nothing_is_signed_out_without_the_csrf_token(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    for path in [SIGN_OUT, SIGN_OUT_OTHERS] {
        let form = [("device", "t1"), ("csrfmiddlewaretoken", "0")];
        let answer = browser.request(Method::POST, path).form(&form).answer().await;
        assert_eq!(answer.status, 403);
        assert!(answer.body.contains("<h1>CSRF verification failed</h1>"), "{}", answer.body);
    }
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 200);
}

#[rstest]
#[tokio::test]
async fn whoever_signs_this_browser_out_is_at_the_login_page(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let answer = browser.submit(SIGN_OUT, &[("device", "s1")]).await;
    assert_eq!((answer.status, answer.header("location")), (302, Some("/login/")));
    assert_eq!(answer.set_cookie("sessionid").unwrap().value, "");
}

#[rstest]
#[tokio::test]
async fn a_name_of_a_program_is_shown_as_text(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    Person::join(&app, "ann").await;
    let browser = Browser::called(&app, "<script>alert(1)</script>");
    assert_eq!(browser.log_in("ann@ref.example", PASSWORD).await.status, 302);
    let page = browser.get(PATH).answer().await.body;
    assert!(page.contains("&#60;script&#62;alert(1)&#60;/script&#62;"), "{page}");
    assert!(!page.contains("<script>"), "{page}");
}
