//! The commands of the binary.

use std::path::Path;
use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::support::answer::Ask;
use crate::support::app::Storage::{self, Postgres, Sqlite};
use crate::support::app::{TestApp, start};
use crate::support::browser::Browser;
use crate::support::command::{natter, natter_beside, serve};
use crate::support::person::{PASSWORD, Person};

async fn sign_in(app: &TestApp, email: &str, password: &str) -> u16 {
    let credentials = json!({ "username": email, "password": password });
    app.post("/api/auth/signin/").json(&credentials).answer().await.status
}

#[tokio::test]
async fn help_names_every_command() {
    let outcome = natter(&["--help"], &[], "").await;
    for word in ["serve", "migrate", "user", "config", "--data-dir", "--database-url", "Examples:"] {
        assert!(outcome.done().contains(word), "{word} is not in {}", outcome.printed);
    }
    let outcome = natter(&["user", "--help"], &[], "").await;
    for word in ["create", "set-password", "promote", "deactivate"] {
        assert!(outcome.done().contains(word), "{word} is not in {}", outcome.printed);
    }
}

#[tokio::test]
async fn a_command_that_is_none_is_refused() {
    assert!(natter(&["chat"], &[], "").await.failed().contains("unrecognized subcommand 'chat'"));
}

#[rstest]
#[tokio::test]
async fn an_account_is_created_with_the_password_from_standard_input(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let outcome = natter_beside(&app, &["user", "create", "Ann@ref.example"], "tree lamp\n").await;
    assert_eq!(outcome.done(), "Ann@ref.example can sign in.\n");
    assert_eq!(sign_in(&app, "ann@ref.example", "tree lamp").await, 201);
}

#[rstest]
#[tokio::test]
async fn an_account_that_cannot_be_created_is_explained(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    Person::join(&app, "ann").await;
    let create = async |email, password| natter_beside(&app, &["user", "create", email], password).await;
    let taken = create("ANN@ref.example", "tree lamp\n").await;
    assert_eq!(taken.failed(), "natter: email: Member with this email address already exists.\n");
    assert_eq!(create("ann", "tree lamp\n").await.failed(), "natter: Enter a valid email address.\n");
    for password in ["", "\n", "  \n", &"x".repeat(129)] {
        let outcome = create("bob@ref.example", password).await;
        assert_eq!(outcome.failed(), "natter: a password has 1 to 128 characters\n");
    }
}

#[rstest]
#[tokio::test]
async fn a_new_password_logs_browsers_out_and_leaves_tokens_valid(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let outcome = natter_beside(&app, &["user", "set-password", &ann.email], "tree lamp\n").await;
    assert_eq!(outcome.done(), "ann@ref.example has a new password.\n");
    assert_eq!(sign_in(&app, &ann.email, PASSWORD).await, 400);
    assert_eq!(sign_in(&app, &ann.email, "tree lamp").await, 201);
    assert_eq!(browser.get("/").answer().await.status, 302);
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 200);
}

#[rstest]
#[tokio::test]
async fn promotion_opens_the_admin_site_and_demotion_closes_it(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let outcome = natter_beside(&app, &["user", "promote", "ANN@ref.example"], "").await;
    assert_eq!(outcome.done(), "ANN@ref.example can use the admin site.\n");
    assert_eq!(ann.get(&app, "/api/").answer().await.status, 200);
    let outcome = natter_beside(&app, &["user", "demote", &ann.email], "").await;
    assert_eq!(outcome.done(), "ann@ref.example can no longer use the admin site.\n");
    assert_eq!(ann.get(&app, "/api/").answer().await.status, 403);
}

#[rstest]
#[tokio::test]
async fn a_running_server_shuts_out_who_is_deactivated(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let page_token = browser.get("/api/auth/token/").answer().await.json()["X-Token"].as_str().unwrap().to_owned();

    let outcome = natter_beside(&app, &["user", "deactivate", &ann.email], "").await;
    assert_eq!(outcome.done(), "ann@ref.example can no longer sign in.\n");
    let inactive = (403, r#"{"detail":"User inactive or deleted."}"#);
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.said(), inactive);
    let request = app.get("/api/users/me/").header("Authorization", format!("Token {page_token}"));
    assert_eq!(request.answer().await.said(), inactive);
    assert_eq!(browser.get("/api/users/me/").answer().await.status, 403);
    assert_eq!(browser.get("/").answer().await.status, 302);
    assert_eq!(sign_in(&app, &ann.email, PASSWORD).await, 400);

    let outcome = natter_beside(&app, &["user", "activate", &ann.email], "").await;
    assert_eq!(outcome.done(), "ann@ref.example can sign in again.\n");
    assert_eq!(sign_in(&app, &ann.email, PASSWORD).await, 201);
    assert_eq!(ann.get(&app, "/api/users/me/").answer().await.status, 200);
}

#[rstest]
#[tokio::test]
async fn nobody_is_found_by_an_unknown_address(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    for action in ["set-password", "promote", "demote", "deactivate", "activate"] {
        let outcome = natter_beside(&app, &["user", action, "nobody@ref.example"], "tree lamp\n").await;
        assert_eq!(outcome.failed(), "natter: nobody has the e-mail nobody@ref.example\n", "{action}");
    }
}

#[tokio::test]
async fn the_configuration_is_shown_without_its_secrets() {
    let secret = "a-secret-of-more-than-thirty-two-characters";
    let environment = [
        ("NATTER_SECRET", secret),
        ("DATABASE_URL", "postgres://natter:hush@db.example/natter"),
        ("NATTER_CHAT__PAGE_SIZE", "7"),
    ];
    let outcome = natter(&["config", "show", "--port", "8080"], &environment, "").await;
    let shown = outcome.done();
    for line in ["port = 8080", "page_size = 7", "secret = \"********\"", "pingInterval = 25000"] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in {shown}");
    }
    assert!(shown.contains("database_url = \"postgres://natter:********@db.example/natter\""), "{shown}");
    assert!(!shown.contains(secret) && !shown.contains("hush"), "{shown}");
}

#[tokio::test]
async fn an_unknown_or_malformed_setting_stops_with_a_sentence() {
    let cases = [
        (("NATTER_CHATT", "1"), "natter: NATTER_CHATT is not a setting (natter config show lists them all)\n"),
        (("PORT", "many"), "natter: PORT must be a whole number, not \"many\"\n"),
        (("NATTER_SECRET", "short"), "natter: secret (NATTER_SECRET) must have at least 32 characters\n"),
        (("PORT", "70000"), "natter: the setting port (PORT) is wrong: 70000 is not a whole number from 0 to 65535\n"),
        (
            ("NATTER_CHAT__PAGE_SIZE", "0"),
            "natter: the setting chat.page_size is wrong: 0 is not a whole number from 1 on\n",
        ),
        (("HOST", "localhost"), "natter: the setting host (HOST) is wrong: invalid IP address syntax\n"),
        (
            ("DATABASE_URL", "sqlite:"),
            "natter: database_url must name a file: a database in memory would be lost at every stop\n",
        ),
    ];
    for (variable, sentence) in cases {
        for arguments in [&["config", "show"][..], &["migrate"], &[]] {
            assert_eq!(natter(arguments, &[variable], "").await.failed(), sentence);
        }
    }
}

#[tokio::test]
async fn a_postgres_that_cannot_be_reached_is_told_with_the_reason() {
    // Nobody listens where this was bound a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://natter@127.0.0.1:{port}/natter");
    let complained = natter(&["migrate", "--database-url", &url], &[], "").await.failed().to_owned();
    assert!(complained.starts_with("natter: PostgreSQL cannot be reached (database_url): "), "{complained}");
    assert!(complained.contains("Connection refused"), "{complained}");
}

#[tokio::test]
async fn a_file_of_settings_is_read_and_its_mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("natter.toml");
    let show = async |text: &str| {
        std::fs::write(&file, text).unwrap();
        natter(&["config", "show", "--config", file.to_str().unwrap()], &[], "").await
    };
    let outcome = show("port = 8081\n").await;
    assert!(outcome.done().lines().any(|line| line == "port = 8081"), "{}", outcome.printed);
    let outcome = show("colour = \"red\"\n").await;
    assert!(outcome.failed().contains("colour"), "{}", outcome.complained);
    assert_eq!(outcome.complained.lines().count(), 1, "{}", outcome.complained);
}

#[tokio::test]
async fn secrets_may_come_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let url = write("url", "postgres://natter:hush@db.example/natter\n");
    let secret = write("secret", "a-secret-of-more-than-thirty-two-characters\n");
    let environment = [("DATABASE_URL_FILE", url.as_str()), ("NATTER_SECRET_FILE", secret.as_str())];
    let outcome = natter(&["config", "show"], &environment, "").await;
    let shown = outcome.done();
    assert!(shown.contains("database_url = \"postgres://natter:********@db.example/natter\""), "{shown}");
    assert!(shown.contains("secret = \"********\""), "{shown}");

    let missing = folder.path().join("missing");
    let outcome = natter(&["config", "show"], &[("NATTER_SECRET_FILE", missing.to_str().unwrap())], "").await;
    let sentence = format!("natter: NATTER_SECRET_FILE: {} cannot be read: ", missing.display());
    assert!(outcome.failed().starts_with(&sentence), "{}", outcome.complained);
}

#[tokio::test]
async fn the_data_folder_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("new/data");
    let outcome = natter(&["migrate", "--data-dir", data.to_str().unwrap()], &[], "").await;
    assert_eq!(outcome.done(), "The database is up to date.\n");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let files: Vec<_> = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).collect();
    for name in ["natter.sqlite", "secret"] {
        assert!(files.contains(&data.join(name)), "{name} is not among {files:?}");
    }
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
}

#[tokio::test]
async fn a_damaged_secret_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "half").unwrap();
    let outcome = natter(&["migrate", "--data-dir", folder.path().to_str().unwrap()], &[], "").await;
    let path = folder.path().join("secret");
    let expected = format!("natter: the secret in {} is damaged: fewer than 32 bytes\n", path.display());
    assert_eq!(outcome.failed(), expected);
}

#[tokio::test]
async fn the_server_says_where_it_is_and_stops_when_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [("PORT", "0"), ("DATA_DIR", folder.path().to_str().unwrap())];
    let mut server = serve(&environment);
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let url = loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if let Some(url) = line.trim().strip_prefix("Chat ") {
            break url.trim().to_owned();
        }
    };
    assert_eq!(reqwest::get(format!("{url}login/")).await.unwrap().status(), 200);

    let id = server.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    let stopped = tokio::time::timeout(Duration::from_secs(10), server.wait()).await.unwrap().unwrap();
    assert!(stopped.success(), "{stopped}");
}

#[tokio::test]
async fn a_second_server_on_the_same_sqlite_file_does_not_start_and_one_after_the_first_does() {
    let data = tempfile::tempdir().unwrap();
    let environment = [("DATA_DIR", data.path().to_str().unwrap()), ("PORT", "0")];
    let mut first = serve(&environment);
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    assert!(lines.next_line().await.unwrap().unwrap().contains("is listening"));
    let second = natter(&[], &environment, "").await;
    assert!(second.failed().contains("another server has the database file"), "{second:?}");
    // Other commands are no servers.
    assert_eq!(natter(&["migrate"], &environment, "").await.done(), "The database is up to date.\n");
    first.kill().await.unwrap();
    let mut third = serve(&environment);
    let mut lines = BufReader::new(third.stdout.take().unwrap()).lines();
    assert!(lines.next_line().await.unwrap().unwrap().contains("is listening"));
}

#[tokio::test]
async fn settings_are_checked_without_a_start() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("none");
    let environment = [("DATA_DIR", folder.to_str().unwrap())];
    assert_eq!(natter(&["config", "check"], &environment, "").await.done(), "The settings are valid.\n");
    assert!(!folder.exists());
    let wrong = natter(&["config", "check"], &[("NATTER_HTTP__TRUSTED_PROXIES", "proxy.example")], "").await;
    assert!(wrong.failed().contains("proxy.example is no address"), "{wrong:?}");
    let unknown = natter(&["config", "check"], &[("NATTER_CHAT__COLOUR", "red")], "").await;
    assert!(unknown.failed().contains("NATTER_CHAT__COLOUR is not a setting"), "{unknown:?}");
}

#[rstest]
#[tokio::test]
async fn a_server_is_healthy_while_it_is_ready(#[values(Sqlite, Postgres)] storage: Storage) {
    let app = start(storage).await;
    let port = app.address.port().to_string();
    let ask = async || natter(&["healthcheck", "--port", &port], &[], "").await;
    assert_eq!(ask().await.done(), format!("The server at 127.0.0.1:{port} is ready.\n"));
    app.app.database.clone().close().await.unwrap();
    let unready = ask().await;
    assert!(
        unready.failed().contains(r#"is not ready: {"status":"unavailable","database":"unreachable""#),
        "{unready:?}"
    );
}

#[tokio::test]
async fn where_there_is_no_server_none_is_healthy() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let nobody = natter(&["healthcheck", "--port", &free], &[], "").await;
    assert!(nobody.failed().contains("there is no server at"), "{nobody:?}");
}
