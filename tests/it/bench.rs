//! `natter bench`, against Natter.

use serde_json::json;

use crate::support::app::Storage::Sqlite;
use crate::support::app::{TestApp, start};
use crate::support::command::{Outcome, natter};
use crate::support::person::{PASSWORD, Person};

async fn bench(app: &TestApp, options: &[&str]) -> Outcome {
    let url = app.url("");
    let brief = ["bench", &url, "--clients", "20", "--seconds", "1"];
    natter(&[&brief[..], options].concat(), &[], &format!("{PASSWORD}\n")).await
}

/// What the table has behind a title.
fn line<'a>(table: &'a str, title: &str) -> &'a str {
    let line = table.lines().find_map(|line| line.strip_prefix(title));
    line.unwrap_or_else(|| panic!("{title} is not in {table}")).trim()
}

#[tokio::test]
async fn a_paced_talk_is_measured_and_has_no_fault() {
    let app = start(Sqlite).await;
    let ann = Person::join(&app, "ann").await;
    let outcome = bench(&app, &["--rate", "50", "--user", &ann.email]).await;
    let table = outcome.done();
    assert!(line(table, "Connecting").starts_with("20 clients in "), "{table}");
    // About a thousand: what is heard while it is measured.
    let (deliveries, _) = line(table, "Deliveries").split_once(" in ").unwrap();
    assert!(deliveries.parse::<u32>().unwrap() > 0, "{table}");
    assert_eq!(line(table, "Faults"), "0 lost, 0 repeated, 0 reordered");
    assert!(!table.contains("Server CPU"), "{table}");
    // The second before the measurement was a talk, too.
    assert_eq!(app.count("messages").await, 100);
}

#[tokio::test]
async fn a_saturating_talk_tells_what_it_costs_the_server() {
    let app = start(Sqlite).await;
    let ann = Person::join(&app, "ann").await;
    let process = std::process::id().to_string();
    let outcome = bench(&app, &["--saturate", "--token", &ann.token, "--pid", &process]).await;
    let table = outcome.done();
    for title in ["Memory", "Server CPU", "Generator CPU", "Latency"] {
        line(table, title);
    }
    assert_eq!(line(table, "Faults"), "0 lost, 0 repeated, 0 reordered");
}

/// A name may have several addresses, and the server listens on the last of them.
#[tokio::test]
async fn a_server_is_found_by_its_name() {
    let app = start(Sqlite).await;
    let ann = Person::join(&app, "ann").await;
    let url = format!("http://localhost:{}", app.address.port());
    let outcome = natter(&["bench", &url, "--clients", "2", "--seconds", "1", "--token", &ann.token], &[], "").await;
    assert_eq!(line(outcome.done(), "Faults"), "0 lost, 0 repeated, 0 reordered");
}

#[tokio::test]
async fn what_is_not_heard_is_lost() {
    let app = start(Sqlite).await;
    let ann = Person::join(&app, "ann").await;
    let outcome = bench(&app, &["--token", &ann.token, "--rate", "5", "--hear", "message"]).await;
    let told = outcome.done();
    // Ten messages to twenty clients.
    assert_eq!(line(told, "Faults"), "200 lost, 0 repeated, 0 reordered");
    let (_, advice) = told.split_once("Nobody heard anything.").unwrap();
    for cause in ["--user, --token", "NATTER_RATE_LIMITS"] {
        assert!(advice.contains(cause), "{advice}");
    }
}

#[tokio::test]
async fn the_events_are_those_that_are_asked_for() {
    let app = start(Sqlite).await;
    let ann = Person::join(&app, "ann").await;
    let authentication = json!(["authentication", { "serverOffset": 0, "token": "TOKEN" }]).to_string();
    let message = json!(["client-sent-message", { "message": "I say TEXT" }]).to_string();
    let options = ["--token", &ann.token, "--rate", "5", "--authenticate", &authentication, "--send", &message];
    let outcome = bench(&app, &options).await;
    assert_eq!(line(outcome.done(), "Faults"), "0 lost, 0 repeated, 0 reordered");
    assert_eq!(app.count("messages WHERE text LIKE 'I say %'").await, 10);
}

#[tokio::test]
async fn what_cannot_be_measured_is_explained() {
    let app = start(Sqlite).await;
    let refused = bench(&app, &["--token", "none"]).await;
    assert!(refused.failed().contains("Token not found."), "{}", refused.complained);
    let anonymous = bench(&app, &[]).await;
    assert!(anonymous.failed().contains("disconnected"), "{}", anonymous.complained);
    let stranger = bench(&app, &["--user", "nobody@ref.example"]).await;
    assert!(stranger.failed().starts_with("natter: nobody@ref.example could not sign in"), "{}", stranger.complained);
    let malformed = bench(&app, &["--send", "hello"]).await;
    assert!(malformed.failed().starts_with("natter: hello is no event"), "{}", malformed.complained);

    let elsewhere = natter(&["bench", &app.url("/api/")], &[], "").await;
    assert!(elsewhere.failed().contains("is Socket.IO 3 or newer there?"), "{}", elsewhere.complained);
    let secure = natter(&["bench", "https://ref.example"], &[], "").await;
    assert!(secure.failed().contains("must begin with http://"), "{}", secure.complained);
    let nobody = natter(&["bench", "http://127.0.0.1:1"], &[], "").await;
    assert_eq!(nobody.failed(), "natter: nobody listens at 127.0.0.1:1\n");
}
