//! Backups of a SQLite file, and how they are put back.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rstest::rstest;
use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::watch;

use crate::support::answer::Ask;
use crate::support::app::Storage::{Postgres, Sqlite};
use crate::support::app::{TestApp, start};
use crate::support::browser::Browser;
use crate::support::command::{Outcome, command, natter, natter_beside, serve};
use crate::support::person::Person;
use crate::support::wire::{Wire, within_deadline};

/// A data folder without a server.
struct Place {
    folder: TempDir,
}

impl Place {
    async fn with_database() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.natter(&["migrate"]).await.done();
        place
    }

    /// Room enough that a copy takes many pages, and its middle is none of the schema's.
    async fn with_much_in_it() -> Self {
        let place = Self::with_database().await;
        place
            .execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
                 INSERT INTO revocations (user_id, created_at) SELECT i, '2026-01-01' FROM n",
            )
            .await;
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn database(&self) -> PathBuf {
        self.path("natter.sqlite")
    }

    fn data_dir(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    async fn natter(&self, arguments: &[&str]) -> Outcome {
        natter(arguments, &[("DATA_DIR", self.data_dir())], "").await
    }

    async fn backup(&self, name: &str) -> String {
        let file = self.name(name);
        self.natter(&["backup", &file]).await.done();
        file
    }

    async fn execute(&self, sql: &str) {
        let database = Database::connect(format!("sqlite:{}", self.database().display())).await.unwrap();
        database.execute_unprepared(sql).await.unwrap();
        database.close().await.unwrap();
    }

    /// What is there, but for what is there anyway.
    fn files(&self) -> Vec<String> {
        let names =
            fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> =
            names.filter(|name| !["secret", "natter.sqlite.lock"].contains(&name.as_str())).collect();
        names.sort();
        names
    }
}

async fn restored(app: TestApp, file: &Path) -> TestApp {
    let mut app = app;
    app.stop().await;
    natter_beside(&app, &["restore", file.to_str().unwrap()], "").await.done();
    app.restart().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_messages_are_posted_has_all_that_were_acknowledged_before_it() {
    let app = start(Sqlite).await;
    let alice = Person::join(&app, "alice").await;
    let mut wire = Wire::enter(&app, &alice).await;
    let (said, mut acknowledged) = watch::channel(0);
    let (end, ended) = watch::channel(false);
    let speaker = tokio::spawn(async move {
        while !*ended.borrow() {
            let next = *said.borrow() + 1;
            said.send(wire.post(&next.to_string()).await).unwrap();
        }
    });
    within_deadline(acknowledged.wait_for(|seq| *seq >= 100)).await.unwrap();

    let before = *acknowledged.borrow();
    let file = app.data_dir().join("backup");
    natter_beside(&app, &["backup", file.to_str().unwrap()], "").await.done();
    let after = *acknowledged.borrow();
    assert!(after > before, "nobody was held up");
    end.send(true).unwrap();
    speaker.await.unwrap();

    let app = restored(app, &file).await;
    let lines = alice.history(&app).await;
    assert!(i64::try_from(lines.len()).unwrap() >= before, "{} of {before}", lines.len());
    let expected: Vec<_> = (1..=lines.len()).map(|seq| json!(format!("alice@ref.example: {seq}"))).collect();
    assert_eq!(lines, expected);
    let next = i64::try_from(lines.len()).unwrap() + 1;
    assert_eq!(Wire::enter(&app, &alice).await.post("after").await, next);
}

#[tokio::test]
async fn a_backup_is_one_file_for_its_owner_and_replaces_none_unless_told_to() {
    let place = Place::with_database().await;
    let file = place.name("backup");
    let outcome = place.natter(&["backup", &file]).await;
    let size = fs::metadata(&file).unwrap().len() / 1024;
    assert_eq!(outcome.done(), format!("Copying …\nChecking …\nThe backup is {file}, {size}.00 KiB.\n"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    fs::write(&file, "").unwrap();
    let refused = place.natter(&["backup", &file]).await;
    assert_eq!(refused.failed(), format!("natter: {file} is there already\n"));
    assert_eq!(fs::read(&file).unwrap(), b"");
    place.natter(&["backup", "--force", &file]).await.done();
    place.natter(&["restore", &file]).await.done();
    let drafts: Vec<_> = place.files().into_iter().filter(|name| name.contains("draft")).collect();
    assert_eq!(drafts, [""; 0]);
}

#[tokio::test]
async fn what_is_no_regular_file_is_neither_replaced_nor_restored() {
    let place = Place::with_database().await;
    let (link, folder) = (place.name("link"), place.name("folder"));
    std::os::unix::fs::symlink(place.name("elsewhere"), &link).unwrap();
    fs::create_dir(&folder).unwrap();
    let refused = place.natter(&["restore", &folder]).await;
    assert_eq!(refused.failed(), format!("natter: {folder} is no regular file\n"));
    for there in [link, folder] {
        let refused = place.natter(&["backup", "--force", &there]).await;
        assert_eq!(refused.failed(), format!("natter: {there} is there, and no regular file\n"));
        assert!(!fs::symlink_metadata(&there).unwrap().is_file());
    }
}

#[tokio::test]
async fn only_a_backup_or_an_empty_file_is_replaced() {
    let place = Place::with_database().await;
    let (older, empty, letter) = (place.name("older"), place.name("empty"), place.name("letter"));
    place.natter(&["backup", &older]).await.done();
    fs::write(&empty, "").unwrap();
    fs::write(&letter, "dear ann").unwrap();
    for file in [&older, &empty] {
        place.natter(&["backup", "--force", file]).await.done();
    }
    let refused = place.natter(&["backup", "--force", &letter]).await;
    assert_eq!(refused.failed(), format!("natter: {letter} is there, and no backup\n"));
    assert_eq!(fs::read_to_string(&letter).unwrap(), "dear ann");
}

#[tokio::test]
async fn the_database_itself_is_no_place_for_its_backup_and_none_is_made_of_nothing() {
    let place = Place { folder: tempfile::tempdir().unwrap() };
    let database = place.name("natter.sqlite");
    let none = place.natter(&["backup", &place.name("backup")]).await;
    assert_eq!(none.failed(), format!("natter: there is no file {database}\n"));
    assert_eq!(place.files(), [""; 0]);
    place.natter(&["migrate"]).await.done();
    let itself = place.natter(&["backup", "--force", &database]).await;
    assert_eq!(itself.failed(), format!("natter: {database} is the database itself\n"));
    let itself = place.natter(&["restore", &database]).await;
    assert_eq!(itself.failed(), format!("natter: {database} is the database itself\n"));
}

#[tokio::test]
async fn what_is_no_whole_backup_of_natter_is_refused_and_changes_nothing() {
    let place = Place::with_much_in_it().await;
    let file = place.backup("backup").await;
    let whole = fs::read(&file).unwrap();
    let before = (fs::read(place.database()).unwrap(), place.files());
    let refused = async |expected: &str| {
        let outcome = place.natter(&["restore", &file]).await;
        assert!(!outcome.succeeded && outcome.complained.contains(expected), "{expected}: {outcome:?}");
        assert_eq!((fs::read(place.database()).unwrap(), place.files()), before);
    };

    fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .write_all_at(&[0xff; 4096], (whole.len() as u64 / 2) & !4095)
        .unwrap();
    refused("damaged").await;
    fs::write(&file, &whole[..whole.len() - 4096]).unwrap();
    refused("is damaged, or no SQLite file").await;
    fs::write(&file, &whole[..1000]).unwrap();
    refused("is damaged, or no SQLite file").await;
    fs::write(&file, "Dear diary, ".repeat(1000)).unwrap();
    refused("is damaged, or no SQLite file").await;
    fs::write(&file, "").unwrap();
    refused("it is not a database of Natter").await;

    let change = async |sql: &str| {
        let database = Database::connect(format!("sqlite:{file}")).await.unwrap();
        database.execute_unprepared(sql).await.unwrap();
        database.close().await.unwrap();
    };
    change("CREATE TABLE notes (id INTEGER PRIMARY KEY)").await;
    refused("it is not a database of Natter").await;
    fs::write(&file, &whole).unwrap();
    change("INSERT INTO seaql_migrations VALUES ('m20990101_000001_of_tomorrow', 0)").await;
    refused("it is of a newer version of Natter, or of another program").await;
    fs::write(&file, &whole).unwrap();
    change("PRAGMA foreign_keys = off; INSERT INTO tokens (user_id, key_hash, created_at) VALUES (999, x'00', '2026-01-01')")
        .await;
    refused("it is damaged: a row refers to another that is not there").await;
    fs::remove_file(&file).unwrap();
    let missing = place.natter(&["restore", &file]).await;
    assert_eq!(missing.failed(), format!("natter: there is no file {file}\n"));
}

#[tokio::test]
async fn a_database_in_use_is_not_replaced() {
    let place = Place::with_database().await;
    let file = place.backup("backup").await;
    let mut server = serve(&[("DATA_DIR", place.data_dir()), ("PORT", "0")]);
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    assert!(lines.next_line().await.unwrap().unwrap().contains("is listening"));
    let refused = place.natter(&["restore", &file]).await;
    assert!(refused.failed().contains("another server has the database file"), "{refused:?}");
    server.kill().await.unwrap();

    // A server's lock is not all: any connection counts.
    let other = Database::connect(format!("sqlite:{}", place.database().display())).await.unwrap();
    other.execute_unprepared("PRAGMA journal_mode = WAL; SELECT count(*) FROM users").await.unwrap();
    let refused = place.natter(&["restore", &file]).await;
    assert!(!refused.succeeded && refused.complained.contains("another program uses the database"), "{refused:?}");
    other.close().await.unwrap();
    place.natter(&["restore", &file]).await.done();
}

#[tokio::test]
async fn what_was_there_is_kept_and_can_be_put_back() {
    let place = Place::with_database().await;
    let file = place.backup("backup").await;
    place.execute("INSERT INTO revocations (user_id, created_at) VALUES (7, '2026-01-01')").await;
    let outcome = place.natter(&["restore", &file]).await;
    let kept = outcome.done().lines().last().unwrap().strip_prefix("The one that was there is ").unwrap();
    let kept = kept.strip_suffix('.').unwrap();
    assert_eq!(fs::metadata(place.database()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(place.files().len(), 3, "{:?}", place.files());
    assert_eq!(count(&place.database(), "revocations").await, 0);
    assert_eq!(count(Path::new(kept), "revocations").await, 1);
    place.natter(&["restore", kept]).await.done();
    assert_eq!(count(&place.database(), "revocations").await, 1);
}

async fn count(database: &Path, table: &str) -> i64 {
    let database = Database::connect(format!("sqlite:{}", database.display())).await.unwrap();
    let sql = format!("SELECT count(*) AS rows FROM {table}");
    let row = database.query_one_raw(sea_orm::Statement::from_string(database.get_database_backend(), sql)).await;
    let rows = row.unwrap().unwrap().try_get("", "rows").unwrap();
    database.close().await.unwrap();
    rows
}

#[tokio::test]
async fn a_backup_takes_the_place_of_a_damaged_database_and_of_none() {
    let place = Place::with_database().await;
    let file = place.backup("backup").await;
    fs::write(place.database(), "Dear diary, ".repeat(1000)).unwrap();
    fs::write(place.path("natter.sqlite-wal"), "of another").unwrap();
    place.natter(&["restore", &file]).await.done();
    // Played back, it would damage the new one.
    assert!(!place.path("natter.sqlite-wal").exists());
    let kept = place.files().into_iter().find(|name| name.contains(".before-") && name.ends_with('Z')).unwrap();
    assert!(fs::read(place.path(&kept)).unwrap().starts_with(b"Dear diary, "));
    assert_eq!(place.natter(&["migrate"]).await.done(), "The database is up to date.\n");

    let empty = Place { folder: tempfile::tempdir().unwrap() };
    fs::write(empty.path("natter.sqlite-wal"), "of another").unwrap();
    let refused = empty.natter(&["restore", &file]).await;
    assert!(refused.complained.contains("is of a database that is not there"), "{refused:?}");
    assert_eq!(empty.files(), ["natter.sqlite-wal"]);
    fs::remove_file(empty.path("natter.sqlite-wal")).unwrap();
    let outcome = empty.natter(&["restore", &file]).await;
    let expected = format!("Copying …\nChecking …\nReplacing …\nThe database is restored from {file}.\n");
    assert_eq!(outcome.done(), expected);
    assert_eq!(count(&empty.database(), "users").await, 0);
}

/// Killed when it says what it does next, as late as one line after another.
#[rstest]
#[tokio::test]
async fn a_restore_that_is_killed_leaves_the_old_database_or_the_new_one(#[values(1, 2, 3)] lines_heard: usize) {
    let place = Place::with_much_in_it().await;
    let file = place.backup("backup").await;
    place.execute("DELETE FROM revocations").await;
    for _ in 0..5 {
        let mut restoring = command(&[("DATA_DIR", place.data_dir())]).args(["restore", &file]).spawn().unwrap();
        let mut lines = BufReader::new(restoring.stdout.take().unwrap()).lines();
        for _ in 0..lines_heard {
            lines.next_line().await.unwrap().unwrap();
        }
        restoring.kill().await.unwrap();
        assert_eq!(place.natter(&["migrate"]).await.done(), "The database is up to date.\n");
        let rows = count(&place.database(), "revocations").await;
        assert!(rows == 0 || rows == 5000, "{rows}");
    }
    place.natter(&["restore", &file]).await.done();
    assert_eq!(count(&place.database(), "revocations").await, 5000);
}

#[rstest]
#[tokio::test]
async fn what_is_interrupted_removes_its_half_copy(
    #[values("backup", "restore")] action: &str,
    #[values("-INT", "-TERM")] signal: &str,
) {
    let place = Place::with_much_in_it().await;
    let file = place.backup("backup").await;
    let another = place.name("another");
    let arguments = if action == "backup" { [action, &another] } else { [action, &file] };
    let mut child = command(&[("DATA_DIR", place.data_dir())]).args(arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "Copying …");
    let process = child.id().unwrap().to_string();
    assert!(Command::new("kill").args([signal, &process]).status().await.unwrap().success());
    let output = child.wait_with_output().await.unwrap();
    let complained = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() || complained == "natter: interrupted: nothing has changed\n", "{complained}");
    assert!(!place.files().iter().any(|name| name.contains("draft")), "{:?}", place.files());
}

#[tokio::test]
async fn a_copy_for_which_there_is_no_room_leaves_nothing_behind() {
    let place = Place::with_much_in_it().await;
    let file = place.backup("backup").await;
    let before = place.files();
    for arguments in [["backup", &place.name("another")], ["restore", &file]] {
        // Files of more than 64 KiB fail, as on a disk that is full.
        let script = format!("trap '' XFSZ; ulimit -f 128; exec {} \"$@\"", env!("CARGO_BIN_EXE_natter"));
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, "natter"]).args(arguments).env_clear().env("DATA_DIR", place.data_dir());
        let output = shell.output().await.unwrap();
        let complained = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && complained.contains("cannot be copied"), "{complained}");
        assert_eq!(place.files(), before);
    }
}

#[tokio::test]
async fn people_stay_signed_in_after_a_restore_even_under_another_secret() {
    let app = start(Sqlite).await;
    let ann = Person::join(&app, "ann").await;
    let browser = Browser::logged_in(&app, &ann.email).await;
    let token_of = async |browser: &Browser| {
        let answer = browser.get("/api/auth/token/").answer().await;
        answer.json()["X-Token"].as_str().unwrap().to_owned()
    };
    let old = token_of(&browser).await;
    let file = app.data_dir().join("backup");
    natter_beside(&app, &["backup", file.to_str().unwrap()], "").await.done();
    fs::remove_file(app.data_dir().join("secret")).unwrap();

    let app = restored(app, &file).await;
    let again = Browser::open(&app);
    again.plant(&format!("sessionid={}", browser.cookie("sessionid").unwrap()));
    let new = token_of(&again).await;
    assert_ne!(new, old);
    for token in [old, new, ann.token] {
        let request = app.get("/api/users/me/").header("Authorization", format!("Token {token}"));
        assert_eq!(request.answer().await.status, 200);
    }
}

#[tokio::test]
async fn for_postgresql_the_commands_of_its_own_programs_are_told_which_work() {
    let mut app = start(Postgres).await;
    let ann = Person::join(&app, "ann").await;
    Wire::enter(&app, &ann).await.post("hello").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a 'backup'");
    let told = async |action| {
        let outcome = natter_beside(&app, &[action, file.to_str().unwrap()], "").await;
        let sentence = outcome.failed();
        assert!(sentence.starts_with("natter: PostgreSQL "), "{sentence}");
        sentence.lines().nth(1).unwrap().trim().to_owned()
    };
    let (dump, restore) = (told("backup").await, told("restore").await);
    app.stop().await;
    run(&dump).await;
    let app = app.restart().await;
    Wire::enter(&app, &ann).await.post("forgotten").await;
    let mut app = app;
    app.stop().await;
    run(&restore).await;
    let app = app.restart().await;
    assert_eq!(ann.history(&app).await, [Value::from("ann@ref.example: hello")]);
}

/// Does what somebody would who types this.
async fn run(line: &str) {
    let output = Command::new("sh").args(["-c", line]).output().await.unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
}

#[tokio::test]
async fn the_password_of_a_database_is_not_told() {
    let environment = [("DATABASE_URL", "postgres://natter:hush@db.example:6432/chat?password=hush")];
    let outcome = natter(&["backup", "chat.dump"], &environment, "").await;
    let expected = "natter: PostgreSQL backs its databases up itself:\n  \
                    pg_dump --format=custom --host=db.example --port=6432 --username=natter --dbname=chat --file=chat.dump\n";
    assert_eq!(outcome.failed(), expected);
}
