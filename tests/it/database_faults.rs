//! A database that is away or locked for a while: senders are told, sockets stay, and nothing is half done.

use std::process::Stdio;
use std::time::Duration;

use sea_orm::{ConnectionTrait, Database, DbBackend, Statement, TransactionTrait};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::support::answer::Ask;
use crate::support::app::Storage::{Postgres, Sqlite};
use crate::support::app::{PostgresDatabase, TestApp, start, start_with};
use crate::support::command::PROGRAM;
use crate::support::person::{PASSWORD, Person};
use crate::support::wire::{Wire, within_deadline};

/// How many connections to PostgreSQL the server has.
const CONNECTIONS: i64 = 16;

const AWAY: &str = r#"{"detail":"Service temporarily unavailable, try again later."}"#;

/// What the server promises, once the database is back.
const RECOVERY: Duration = Duration::from_secs(5);

async fn history(app: &TestApp, person: &Person) -> Vec<Value> {
    let page = person.get(app, "/api/messages/").answer().await.json();
    page["results"].as_array().unwrap().iter().rev().map(|message| message["message"].clone()).collect()
}

async fn sign_up(app: &TestApp, email: &str) -> (u16, String, Option<String>) {
    let answer = app.post("/api/users/").json(&json!({ "email": email, "password": PASSWORD })).answer().await;
    let retry_after = answer.header("retry-after").map(str::to_owned);
    (answer.status, answer.body, retry_after)
}

async fn is_refused_for_now(app: &TestApp, wire: &mut Wire) {
    let answer = wire.ask("client-sent-message", &json!({ "message": "lost?" })).await;
    assert_eq!((&answer["ok"], &answer["error"]["code"]), (&json!(false), &json!("unavailable")));
    assert_eq!(sign_up(app, "late@ref.example").await, (503, AWAY.to_owned(), Some("1".to_owned())));
}

#[tokio::test]
async fn while_postgresql_is_away_senders_are_told_and_afterwards_all_goes_on() {
    let app = start(Postgres).await;
    let ann = Person::join(&app, "ann").await;
    let (mut speaker, mut listener) = (Wire::enter(&app, &ann).await, Wire::enter(&app, &ann).await);
    speaker.post("before").await;
    app.postgres_takes_connections(false).await;
    is_refused_for_now(&app, &mut speaker).await;
    let answer = ann.get(&app, "/api/users/me/").answer().await;
    assert_eq!(answer.said(), (503, AWAY));
    assert_eq!(app.get("/ready").answer().await.status, 503);

    app.postgres_takes_connections(true).await;
    let recovered = async { while app.get("/ready").answer().await.status != 200 {} };
    tokio::time::timeout(RECOVERY, recovered).await.unwrap();
    speaker.post("after").await;
    for wire in [&mut speaker, &mut listener] {
        wire.hears("ann@ref.example: before").await;
        wire.hears("ann@ref.example: after").await;
    }
    assert_eq!(history(&app, &ann).await, ["ann@ref.example: before", "ann@ref.example: after"]);
    assert_eq!(sign_up(&app, "late@ref.example").await.0, 201);
}

#[tokio::test]
async fn a_connection_that_postgresql_has_broken_is_made_anew() {
    let app = start(Postgres).await;
    let ann = Person::join(&app, "ann").await;
    let mut wire = Wire::enter(&app, &ann).await;
    app.postgres_takes_connections(false).await;
    app.postgres_takes_connections(true).await;
    let answer = ann.get(&app, "/api/users/me/").answer().await;
    assert!([200, 503].contains(&answer.status), "{answer:?}");
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 200);
    wire.post("goes on").await;
}

/// Stands before a PostgreSQL, and can make its machine vanish: what is connected then hears nothing any more, not even that
/// it is not connected.
struct Machine {
    url: String,
    vanished: watch::Sender<()>,
}

impl Machine {
    async fn before(database: &PostgresDatabase) -> Self {
        let (inner, listener) = (database.url(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let (vanished, _) = watch::channel(());
        let authority = inner.split(['@', '/']).nth(3).unwrap().to_owned();
        let url = inner.replace(&authority, &listener.local_addr().unwrap().to_string());
        let vanishing = vanished.clone();
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let (authority, mut vanishing) = (authority.clone(), vanishing.subscribe());
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(authority).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        Ok(()) = vanishing.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Self { url, vanished }
    }
}

#[tokio::test]
async fn a_postgresql_that_vanishes_without_a_word_is_given_up_and_its_successor_is_used() {
    let database = PostgresDatabase::create().await;
    let machine = Machine::before(&database).await;
    let app = start_with(Sqlite, &[("DATABASE_URL", &machine.url)]).await;
    let ann = Person::join(&app, "ann").await;
    let (mut speaker, mut listener) = (Wire::enter(&app, &ann).await, Wire::enter(&app, &ann).await);
    speaker.post("before").await;
    machine.vanished.send(()).unwrap();
    let again = json!({ "message": "after", "clientOffset": "one" });
    let mut answer = speaker.ask("client-sent-message", &again).await;
    assert_eq!(answer["error"]["code"], "unavailable");
    while answer["ok"] == false {
        answer = speaker.ask("client-sent-message", &again).await;
    }
    for line in ["ann@ref.example: before", "ann@ref.example: after"] {
        listener.hears(line).await;
    }
    Wire::enter(&app, &ann).await.post("as before").await;
    listener.hears("ann@ref.example: as before").await;
    assert_eq!(
        history(&app, &ann).await,
        ["ann@ref.example: before", "ann@ref.example: after", "ann@ref.example: as before"]
    );
}

/// Whoever is in the middle of a statement keeps no place among the connections.
#[tokio::test]
async fn a_postgresql_that_vanishes_in_the_middle_of_everything_is_given_up() {
    let database = PostgresDatabase::create().await;
    let machine = Machine::before(&database).await;
    let settings = [
        ("DATABASE_URL", machine.url.as_str()),
        ("NATTER_HTTP__BODY_TIMEOUT_SECONDS", "1"),
        ("NATTER_HTTP__REQUEST_TIMEOUT_SECONDS", "5"),
    ];
    let app = start_with(Sqlite, &settings).await;
    let ann = Person::join(&app, "ann").await;
    let direct = Database::connect(database.url()).await.unwrap();
    let lock = direct.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE messages").await.unwrap();
    let asking: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(ann.get(&app, "/api/messages/").send())).collect();
    let waiting = "SELECT count(*) AS count FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database \
                   WHERE datname = current_database() AND NOT granted";
    within_deadline(async {
        loop {
            let statement = Statement::from_string(DbBackend::Postgres, waiting);
            let row = direct.query_one_raw(statement).await.unwrap().unwrap();
            if row.try_get::<i64>("", "count").unwrap() == CONNECTIONS {
                break;
            }
        }
    })
    .await;
    machine.vanished.send(()).unwrap();
    lock.rollback().await.unwrap();
    for asked in asking {
        assert_eq!(asked.await.unwrap().unwrap().status(), 503);
    }
    within_deadline(async { while ann.get(&app, "/api/messages/").send().await.unwrap().status() != 200 {} }).await;
}

/// A server of its own process, whose files can be kept from growing, as a full disk does.
struct Confined {
    server: Child,
    data: TempDir,
    url: String,
    http: reqwest::Client,
    token: String,
}

impl Confined {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let environment = [("PORT", "0"), ("DATA_DIR", data.path().to_str().unwrap())];
        // What grows too large is then told so, and not killed.
        let arguments = ["-c", "trap '' XFSZ; exec \"$0\"", PROGRAM];
        let mut command = Command::new("/bin/sh");
        command.args(arguments).env_clear().envs(environment).kill_on_drop(true);
        let mut server = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let url = loop {
            let line = lines.next_line().await.unwrap().unwrap();
            if let Some(url) = line.trim().strip_prefix("Chat ") {
                break url.trim().trim_end_matches('/').to_owned();
            }
        };
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let account = [("email", "ann@ref.example"), ("username", "ann@ref.example"), ("password", PASSWORD)];
        http.post(format!("{url}/api/users/")).form(&account).send().await.unwrap();
        let signed_in = http.post(format!("{url}/api/auth/signin/")).form(&account).send().await.unwrap();
        let token = format!("Token {}", signed_in.headers()["x-token"].to_str().unwrap());
        Self { server, data, url, http, token }
    }

    /// Lets files grow to so many bytes, or, without them, as they like.
    async fn confine(&self, bytes: Option<u64>) {
        let limit = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        let (process, limit) = (self.server.id().unwrap().to_string(), format!("--fsize={limit}:unlimited"));
        assert!(Command::new("prlimit").args(["--pid", &process, &limit]).status().await.unwrap().success());
    }

    /// The status of an answer to a message, and the number that it was given.
    async fn post(&self) -> (u16, Option<i64>) {
        let message = self.http.post(format!("{}/api/messages/", self.url)).header("Authorization", &self.token);
        let answer = message.form(&[("message", "x".repeat(15_000))]).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap()["seq"].as_i64())
    }

    async fn last_stored(&self) -> Option<i64> {
        let page = self.http.get(format!("{}/api/messages/?limit=1", self.url)).header("Authorization", &self.token);
        page.send().await.unwrap().json::<Value>().await.unwrap()["results"][0]["seq"].as_i64()
    }
}

#[tokio::test]
async fn while_the_disk_is_full_senders_are_told_and_afterwards_what_is_acknowledged_is_stored() {
    let confined = Confined::start().await;
    assert_eq!(confined.post().await, (201, Some(1)));
    let mut last = 1;
    for failures in 1..=4 {
        let journal = confined.data.path().join("natter.sqlite-wal").metadata().unwrap().len();
        confined.confine(Some(journal)).await;
        let mut failed = 0;
        while failed < failures {
            // What still fits is stored.
            match confined.post().await {
                (503, None) => failed += 1,
                (status, seq) => {
                    last += 1;
                    assert_eq!((status, seq), (201, Some(last)));
                }
            }
        }
        confined.confine(None).await;
        for _ in 0..3 {
            last += 1;
            assert_eq!(confined.post().await, (201, Some(last)), "after {failures} failures");
            assert_eq!(confined.last_stored().await, Some(last), "after {failures} failures");
        }
    }
}

#[tokio::test]
async fn while_another_program_locks_the_sqlite_file_senders_are_told_and_afterwards_all_goes_on() {
    let app = start(Sqlite).await;
    let ann = Person::join(&app, "ann").await;
    let mut wire = Wire::enter(&app, &ann).await;
    wire.post("before").await;
    let other = Database::connect(app.database_url()).await.unwrap();
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    is_refused_for_now(&app, &mut wire).await;
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 200, "readers go on");

    other.execute_unprepared("ROLLBACK").await.unwrap();
    wire.post("after").await;
    wire.hears("ann@ref.example: before").await;
    wire.hears("ann@ref.example: after").await;
    assert_eq!(history(&app, &ann).await, ["ann@ref.example: before", "ann@ref.example: after"]);
    assert_eq!(sign_up(&app, "late@ref.example").await.0, 201);
}
