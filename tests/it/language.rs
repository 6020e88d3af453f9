//! The language of the pages, and that nothing on them is left untranslated.

use std::fs;
use std::path::Path;

use natter::admin::audit::Actor;
use natter::admin::{self, setup};
use natter::http::language::{Language, translate};
use regex::Regex;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Map, Value, json};

use crate::support::answer::{Answer, Ask};
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{PATIENT, TestApp, start, start_with};
use crate::support::browser::{Browser, Fields};
use crate::support::log::Log;
use crate::support::person::{PASSWORD, Person};
use crate::support::wire::{Eio, Transport, Wire};

const WARNING: &str = "not in web/strings.json";

/// A file of the pages, by its path below `web`.
fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../web").join(path)).unwrap()
}

/// Path and text of all files below a folder of `web`.
fn files(folder: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../web").join(folder)).unwrap();
    let files = entries.flat_map(|entry| {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() { files(&path) } else { vec![(path.clone(), read(&path))] }
    });
    files.collect()
}

fn catalogue() -> Map<String, Value> {
    serde_json::from_str(&read("strings.json")).unwrap()
}

/// All matches of the groups of a pattern.
fn found<'a>(pattern: &str, text: &'a str) -> Vec<&'a str> {
    let captures = Regex::new(pattern).unwrap().captures_iter(text).collect::<Vec<_>>();
    captures.iter().flat_map(|captures| captures.iter().skip(1).flatten()).map(|group| group.as_str()).collect()
}

#[test]
fn every_text_that_is_translated_is_in_the_catalogue() {
    let catalogue = catalogue();
    let (templates, scripts) = (files("templates"), files("src"));
    let in_templates = templates.iter().map(|(path, text)| (path, found(r#""([^"]*)"\|t\b"#, text)));
    let in_scripts =
        scripts.iter().map(|(path, text)| (path, found(r#"\bt\((?:[^("]* \? )?"([^"]*)"(?: : "([^"]*)")?"#, text)));
    let mut count = 0;
    for (path, texts) in in_templates.chain(in_scripts) {
        for text in texts {
            assert!(catalogue.contains_key(text), "{path}: {text}");
            count += 1;
        }
    }
    assert!(count > 150, "only {count} were found");
}

/// What a template says without translating it.
fn untranslated(template: &str) -> Vec<String> {
    let without = |pattern: &str, text: &str| Regex::new(pattern).unwrap().replace_all(text, "").into_owned();
    let template = without(r"(?s)\{#.*?#\}", template);
    let expressions = found(r"(?s)(\{\{.*?\}\}|\{%.*?%\})", &template).concat();
    // Names of files, fields and the like have neither blanks nor capitals.
    let mut left: Vec<_> = found(r#""([^"]*)""#, &without(r#""[^"]*"\|t\b"#, &expressions))
        .into_iter()
        .filter(|text| text.contains(|c: char| c == ' ' || c.is_uppercase()))
        .map(str::to_owned)
        .collect();
    let html = without(r"(?s)\{\{.*?\}\}|\{%.*?%\}", &template);
    let attributes = found(r#"\s(?:title|placeholder|aria-label|alt|label)="([^"]*)""#, &html);
    let buttons = found(r#"<input[^>]* type="(?:submit|button|reset)"[^>]* value="([^"]*)""#, &html);
    left.extend(attributes.into_iter().chain(buttons).map(str::to_owned));
    // Some blocks are attributes, of a tag that stands in another file.
    let texts = without(r#" [a-z-]+="[^"]*""#, &without("(?s)<[^>]*>", &html));
    left.extend(texts.lines().map(|line| line.trim().to_owned()));
    left.retain(|text| text.replace("Natter", "").contains(char::is_alphabetic));
    left
}

#[test]
fn no_template_says_anything_untranslated() {
    for (path, text) in files("templates") {
        assert_eq!(untranslated(&text), Vec::<String>::new(), "{path}");
    }
    let planted = r#"<p title="One">Two {{ "Three"|t }} {{ "An Error" }} Natter</p><input type="submit" value="Four">"#;
    assert_eq!(untranslated(planted), ["An Error", "One", "Four", "Two   Natter"]);
}

/// The places to fill in of a text.
fn places(text: &str) -> Vec<&str> {
    let mut places = found(r"\{(\w+)\}", text);
    places.sort_unstable();
    places
}

#[test]
fn the_catalogue_is_complete_and_sorted() {
    let text = read("strings.json");
    let keys = found(r#"(?m)^  ("(?:[^"\\]|\\.)*"): "#, &text);
    let keys: Vec<String> = keys.into_iter().map(|key| serde_json::from_str(key).unwrap()).collect();
    assert!(
        keys.is_sorted_by(|one, next| one < next),
        "each once, in order: {:?}",
        keys.windows(2).find(|two| two[0] >= two[1])
    );
    assert_eq!(keys.len() + 2, text.lines().count(), "one a line");
    for (english, entry) in catalogue() {
        let forms: Vec<&Value> = match &entry {
            Value::String(_) => vec![&entry],
            _ => ["/en/one", "/en/other", "/de/one", "/de/other"].map(|form| entry.pointer(form).unwrap()).to_vec(),
        };
        for form in forms.into_iter().map(|form| form.as_str().unwrap()) {
            assert!(!form.trim().is_empty(), "{english}");
            assert_eq!(places(form), places(&english), "{english}");
            assert!(!form.contains(['"', '\'', '’']), "„…“ is how German quotes: {form}");
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_page_speaks_the_language_that_the_browser_wants(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let cases = [
        ("de-AT", "de", "<h1>Anmelden</h1>"),
        ("fr, de;q=0.5", "de", "<h1>Anmelden</h1>"),
        ("en;q=0.3, de", "de", "<h1>Anmelden</h1>"),
        ("en, de", "en", "<h1>Sign in</h1>"),
        ("fr", "en", "<h1>Sign in</h1>"),
        ("\"><script>;q=de,,,", "en", "<h1>Sign in</h1>"),
    ];
    let assert_speaks = |answer: &Answer, tag: &str| {
        assert_eq!((answer.header("content-language"), answer.header("vary")), (Some(tag), Some("Accept-Language")));
        assert!(answer.body.contains(&format!("<html lang=\"{tag}\">")), "{}", answer.body);
    };
    for (wanted, tag, heading) in cases {
        let answer = app.get("/login/").header("Accept-Language", wanted).answer().await;
        assert_speaks(&answer, tag);
        assert!(answer.body.contains(heading), "{wanted}: {}", answer.body);
    }
    assert_speaks(&app.get("/login/").answer().await, "en");
    let nowhere = app.get("/nowhere").header("Accept-Language", "de").answer().await;
    assert_speaks(&nowhere, "de");
    assert!(nowhere.body.contains("Die Adresse /nowhere gibt es auf diesem Server nicht."), "{}", nowhere.body);
}

#[rstest]
#[tokio::test]
async fn the_api_and_files_speak_english(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let browser = staff(&app).await;
    let german = |request: reqwest::RequestBuilder| request.header("Accept-Language", "de").answer();
    let answer = german(app.post("/api/users/").json(&json!({ "email": "x", "password": "" }))).await;
    let expected = json!({ "email": ["Enter a valid email address."], "password": ["This field may not be blank."] });
    assert_eq!((answer.said_json(), answer.header("content-language")), ((400, expected), None));
    let answer = german(app.get("/api/users/me/")).await;
    assert_eq!(answer.said(), (403, r#"{"detail":"Authentication credentials were not provided."}"#));
    let export = browser.get("/admin/users/export.csv").answer().await;
    let (head, row) = export.body.split_once("\r\n").unwrap();
    assert_eq!(
        head,
        "\u{feff}".to_owned() + r#""id","E-mail","First name","Last name","Staff","Active","Joined","Last login""#
    );
    assert!(row.contains(r#""Yes","Yes""#) && export.header("content-language").is_none(), "{row}");
}

/// A German browser in which somebody of the staff has logged in.
async fn staff(app: &TestApp) -> Browser {
    let person = Person::join(app, "staff").await;
    admin::make_staff(&app.app, &Actor::command_line(), &[person.id]).await.unwrap();
    let browser = Browser::reading(app, "de");
    assert_eq!(browser.log_in(&person.email, PASSWORD).await.status, 302);
    browser
}

/// Opens pages, each of which must be German.
async fn look(browser: &Browser, paths: &[&str]) {
    for path in paths {
        assert_is_german(path, &browser.get(path).answer().await);
    }
}

/// Sends forms that are shown again, with what is wrong.
async fn fill_in(browser: &Browser, forms: &[(&str, &Fields<'_>)]) {
    for (path, fields) in forms {
        assert_is_german(path, &browser.submit(path, fields).await);
    }
}

fn assert_is_german(path: &str, answer: &Answer) {
    assert_eq!(answer.header("content-language"), Some("de"), "{path}: {answer:?}");
    assert!(answer.body.contains("<html lang=\"de\">"), "{path}: {answer:?}");
}

#[rstest]
#[tokio::test]
async fn strangers_see_nothing_untranslated(#[values(Sqlite, Postgres)] storage: Storage) {
    let log = Log::listen();
    let app = start_with(storage, &[("NATTER_RATE_LIMITS", "on")]).await;
    Person::join(&app, "ann").await;
    let browser = Browser::reading(&app, "de-CH, de;q=0.9");
    let first = setup::invite(&app.app).await.unwrap().unwrap();
    assert_is_german("PUT", &browser.request(Method::PUT, "/login/").answer().await);
    look(
        &browser,
        &[
            "/login/?next=/",
            "/signup/",
            "/admin/login/",
            "/password-reset/",
            "/password-reset/sent/",
            "/password-reset/done/",
            "/password-reset/void/",
            "/admin/setup/void/",
            "/nowhere",
            &first,
        ],
    )
    .await;
    for forged in ["0", ""] {
        let form = [("csrfmiddlewaretoken", forged)];
        assert_is_german("forged", &browser.request(Method::POST, "/login/").form(&form).answer().await);
    }
    let text = browser.signed(Method::POST, "/signup/").header("Content-Type", "text/plain").body("x");
    assert_is_german("type", &text.answer().await);
    let multipart = browser.signed(Method::POST, "/signup/").header("Content-Type", "multipart/form-data").body("x");
    assert_is_german("multipart", &multipart.answer().await);
    let large = browser.signed(Method::POST, "/signup/").body("x".repeat(3 << 20));
    assert_is_german("size", &large.answer().await);

    let (long, nul) = ("é".repeat(300), "a\0b");
    let names = [("first_name", &*long), ("last_name", nul)];
    let weak = [&names[..], &[("email", "ann@ref.example"), ("password", "qwerty")]].concat();
    fill_in(
        &browser,
        &[
            ("/login/", &[]),
            ("/login/", &[("username", &long), ("password", "x")]),
            ("/login/", &[("username", "nobody@ref.example"), ("password", "x")]),
            ("/signup/", &[]),
            ("/signup/", &[("email", "x"), ("password", &long)]),
            ("/signup/", &weak),
            ("/signup/", &[("email", "ann@ref.example"), ("password", "tree lamp ocean")]),
            ("/password-reset/", &[("email", "x")]),
            (&first, &[("email", "x"), ("password", "")]),
        ],
    )
    .await;
    loop {
        let answer = browser.submit("/login/", &[("username", "nobody@ref.example"), ("password", "x")]).await;
        assert_is_german("throttled", &answer);
        if answer.status == 429 {
            break;
        }
    }
    assert_eq!(log.count(WARNING), 0, "{:?}", log.line(1, WARNING).await);
}

#[rstest]
#[tokio::test]
async fn members_see_nothing_untranslated(#[values(Sqlite, Postgres)] storage: Storage) {
    let log = Log::listen();
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::reading(&app, "de");
    assert_eq!(browser.log_in(&ann.email, PASSWORD).await.status, 302);
    for _ in 0..60 {
        Person::sign_in(&app, &ann.email).await;
    }
    look(
        &browser,
        &[
            "/",
            "/account/",
            "/account/?done=profile",
            "/account/?done=email",
            "/account/?done=password",
            "/account/devices/",
            "/account/devices/?page=2",
            "/account/devices/?page=99",
            "/account/devices/?done=one",
            "/account/devices/?done=gone",
            "/account/devices/?done=others",
            "/account/devices/sign-out-others/",
        ],
    )
    .await;
    let long = "é".repeat(300);
    fill_in(
        &browser,
        &[
            ("/account/profile/", &[("first_name", &long), ("last_name", "\0")]),
            ("/account/email/", &[]),
            ("/account/email/", &[("email", "x"), ("current_password", PASSWORD)]),
            ("/account/email/", &[("email", "b@ref.example"), ("current_password", "wrong")]),
            ("/account/password/", &[]),
            ("/account/password/", &[("current_password", PASSWORD), ("password", &*long)]),
        ],
    )
    .await;

    browser.submit("/password-reset/", &[("email", &ann.email)]).await;
    let line = log.line(1, "link=").await;
    let link = found(r"(/password-reset/\w+/)", &line)[0];
    look(&browser, &[link]).await;
    fill_in(&browser, &[(link, &[]), (link, &[("password", &long)])]).await;
    assert_eq!(log.count(WARNING), 0, "{:?}", log.line(1, WARNING).await);
}

#[rstest]
#[tokio::test]
async fn what_is_wrong_with_a_password_is_translated(#[values(Sqlite, Postgres)] storage: Storage) {
    let log = Log::listen();
    let app = start_with(storage, &[("NATTER_ACCOUNTS__PASSWORD_VALIDATORS", "true")]).await;
    let browser = Browser::reading(&app, "de");
    browser.get("/signup/").answer().await;
    let names = [("email", "ann@ref.example"), ("first_name", "Annabelle"), ("last_name", "Lampion")];
    let with = |password| [&names[..], &[("current_password", "tree lamp ocean"), ("password", password)]].concat();
    assert_is_german("/signup/", &browser.submit("/signup/", &with("password")).await);
    assert_eq!(browser.submit("/signup/", &with("tree lamp ocean")).await.status, 302);
    for password in ["1234", "annabelle", "lampion", "ann@ref.example"] {
        assert_is_german(password, &browser.submit("/account/password/", &with(password)).await);
    }
    assert_eq!(log.count(WARNING), 0, "{:?}", log.line(1, WARNING).await);
}

#[rstest]
#[tokio::test]
async fn staff_see_nothing_untranslated(#[values(Sqlite, Postgres)] storage: Storage) {
    let log = Log::listen();
    let app = start_with(storage, &[PATIENT]).await;
    let browser = staff(&app).await;
    let (ann, bob) = (Person::join(&app, "ann").await, Person::join(&app, "bob").await);
    let mut socket = Wire::enter(&app, &ann).await;
    let _nobodys = Wire::connect(&app, Eio::V3, Transport::Polling).await;
    for opening in [
        json!({ "kind": "open", "name": "a room" }),
        json!({ "kind": "invitation", "name": "another" }),
        json!({ "kind": "direct", "email": bob.email }),
    ] {
        assert_eq!(ann.post(&app, "/api/conversations/").json(&opening).answer().await.status, 201);
    }
    for text in ["one", "two", "three"] {
        socket.post(text).await;
    }
    ann.request(&app, Method::DELETE, "/api/messages/1/").answer().await;
    ann.request(&app, Method::PATCH, "/api/messages/2/").json(&json!({ "message": "2" })).answer().await;

    for section in ["users", "tokens", "sessions", "connections", "conversations", "messages", "audit"] {
        let path = format!("/admin/{section}/");
        look(&browser, &[&path, &format!("{path}?q=nobody+at+all"), &format!("{path}?done=nothing")]).await;
        for id in 1..=4 {
            // Of some tables there are fewer rows: that page is German, too.
            look(&browser, &[&format!("{path}{id}/")]).await;
        }
    }
    look(&browser, &["/admin/", "/admin/nowhere/", "/admin/users/new/"]).await;
    assert_is_german("method", &browser.signed(Method::DELETE, "/admin/").answer().await);

    let acts = [
        ("users", &["make_staff", "take_staff", "deactivate", "activate"][..], "3"),
        ("messages", &["delete", "restore"], "3"),
        ("tokens", &["revoke"], "3"),
        ("connections", &["disconnect"], "2"),
        ("sessions", &["end"], "9"),
    ];
    for (section, actions, id) in acts {
        for action in actions {
            let (path, fields) = (format!("/admin/{section}/act/"), [("id", id), ("action", *action)]);
            let asked = browser.submit(&path, &fields).await;
            if asked.status == 200 {
                assert_is_german(&path, &asked);
            }
            let done = browser.submit(&path, &[&fields[..], &[("confirmed", "yes")]].concat()).await;
            look(&browser, &[done.header("location").unwrap()]).await;
        }
    }
    let own = [("id", "1"), ("confirmed", "yes")];
    let long = "é".repeat(300);
    fill_in(
        &browser,
        &[
            ("/admin/users/act/", &[&own[..], &[("action", "deactivate")]].concat()),
            ("/admin/users/act/", &[&own[..], &[("action", "take_staff")]].concat()),
            ("/admin/users/act/", &[&own[..], &[("action", "unheard of")]].concat()),
            ("/admin/users/act/", &[("id", "x")]),
            ("/admin/users/new/", &[("email", "x"), ("password", ""), ("first_name", &long)]),
            ("/admin/users/2/", &[("email", "bob@ref.example"), ("first_name", &long)]),
            ("/admin/users/2/", &[("email", "bob@ref.example")]),
            ("/admin/users/2/password/", &[("password", "")]),
        ],
    )
    .await;
    browser.submit("/admin/users/2/", &[("email", "ann@ref.example"), ("first_name", "Ann")]).await;
    let new = [("email", "new@ref.example"), ("password", "tree lamp ocean")];
    for (path, fields) in [("/admin/users/new/", &new[..]), ("/admin/users/2/password/", &new[1..])] {
        let done = browser.submit(path, fields).await;
        look(&browser, &[done.header("location").unwrap()]).await;
    }
    look(&browser, &["/admin/audit/", "/admin/users/1/", "/admin/users/2/?done=changed&count=1"]).await;
    assert_eq!(log.count(WARNING), 0, "{:?}", log.line(1, WARNING).await);
}

#[tokio::test]
async fn what_is_not_in_the_catalogue_is_told_to_developers_once() {
    let log = Log::listen();
    let say = || async { translate("Nobody has planted this").to_string() };
    assert_eq!((say().await, log.count(WARNING)), ("Nobody has planted this".into(), 0));
    for _ in 0..2 {
        assert_eq!(Language::German.during(say()).await, "Nobody has planted this");
    }
    assert_eq!(log.count("Nobody has planted this"), 1);
    assert_eq!(log.count(WARNING), 1);
}
