//! The ways to ask the API for JSON, and for anything else.

use rstest::rstest;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::start;
use crate::support::person::Person;

const PATH: &str = "/api/users/me/";

#[rstest]
#[tokio::test]
async fn whoever_takes_json_or_a_page_gets_json(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let plain = ann.get(&app, PATH).answer().await;
    assert_eq!(plain.status, 200);
    for accept in [
        "*/*",
        "application/json",
        "application/*",
        "text/html",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "application/xml, application/json;q=0.1",
        "",
    ] {
        let answer = ann.get(&app, PATH).header("Accept", accept).answer().await;
        assert_eq!(answer.said(), plain.said(), "{accept}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[rstest]
#[tokio::test]
async fn whoever_takes_neither_is_refused(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for accept in ["application/xml", "image/png, text/plain", "nonsense"] {
        let answer = ann.get(&app, PATH).header("Accept", accept).answer().await;
        assert_eq!(answer.said(), (406, r#"{"detail":"Could not satisfy the request Accept header."}"#), "{accept}");
    }
}

#[rstest]
#[tokio::test]
async fn the_format_can_be_asked_for_in_the_address(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let plain = ann.get(&app, PATH).answer().await;
    let id = ann.id.0;
    for path in [
        "/api/users/me/?format=json".to_owned(),
        "/api/users/me.json".to_owned(),
        format!("/api/users/{id}.json"),
        "/api/users/me.json?a=b".to_owned(),
    ] {
        assert_eq!(ann.get(&app, &path).answer().await.said(), plain.said(), "{path}");
        let xml = ann.get(&app, &path).header("Accept", "application/xml").answer().await;
        assert_eq!(xml.said(), plain.said(), "the address beats the header: {path}");
    }
}

#[rstest]
#[tokio::test]
async fn other_formats_are_not_found(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    for path in ["/api/users/me/?format=xml", "/api/users/me.xml", "/api/users/me/?format=api"] {
        let answer = ann.get(&app, path).answer().await;
        assert_eq!(answer.said(), (404, r#"{"detail":"Not found."}"#), "{path}");
    }
}

#[rstest]
#[tokio::test]
async fn json_is_indented_on_request(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let indented = |spaces: &str| {
        let (id, email) = (ann.id.0, &ann.email);
        let fields = [
            format!("\"id\": {id}"),
            format!("\"email\": \"{email}\""),
            "\"first_name\": \"\"".to_owned(),
            "\"last_name\": \"\"".to_owned(),
        ];
        format!("{{\n{}\n}}", fields.map(|field| format!("{spaces}{field}")).join(",\n"))
    };
    for (indent, spaces) in [("4", "    "), ("1", " "), ("1000000000", "        ")] {
        let accept = format!("application/json; indent={indent}");
        let answer = ann.get(&app, PATH).header("Accept", accept).answer().await;
        assert_eq!(answer.said(), (200, indented(spaces).as_str()));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    let error = app.get(PATH).header("Accept", "application/json; indent=2").answer().await;
    let expected = "{\n  \"detail\": \"Authentication credentials were not provided.\"\n}";
    assert_eq!(error.said(), (403, expected));
}
