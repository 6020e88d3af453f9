//! Copies of a SQLite file, made while a server uses it, and put back while none does.
//!
//! A copy is made by `VACUUM INTO`: it reads in one transaction, beside which others go on writing, and leaves out what was
//! deleted. SQLite's backup API would begin anew with each message that another process writes.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use natter_migration::Migrator;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{self, ConnectOptions, Connection, SqliteConnection};
use sea_orm_migration::MigratorTrait;
use tempfile::{NamedTempFile, TempDir};
use time::OffsetDateTime;
use time::macros::format_description;

use super::{Claim, PATIENCE, lock_of, sqlite_code, sqlite_file};

/// How often somebody who waits is told how far it is.
const GLANCE: Duration = Duration::from_millis(100);

/// What SQLite keeps beside a database that is in use.
const JOURNALS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Primary result codes of SQLite: `SQLITE_BUSY`, `SQLITE_LOCKED`.
const IN_USE: [u32; 2] = [5, 6];

/// Primary result codes of SQLite: `SQLITE_CORRUPT`, `SQLITE_NOTADB`.
const DAMAGED: [u32; 2] = [11, 26];

/// What is done next, for who waits.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// In bytes; the sum is not exact.
    Copying {
        copied: u64,
        of: u64,
    },
    Checking,
    Replacing,
}

/// What becomes of a file where a backup is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    Kept,
    Replaced,
}

/// Copies the database into `file`, which is there, with mode 0600, once the copy is whole, checked and on the disk. Holds all
/// that was committed before. Returns its size in bytes.
///
/// # Errors
/// Where the database is no SQLite file of this program's, is damaged or cannot be read, and where the copy cannot be written
/// or `file` is there already.
pub async fn back_up(
    url: &str,
    data_dir: &Path,
    file: &Path,
    existing: Existing,
    watch: &mut (dyn FnMut(Step) + Send),
) -> Result<u64> {
    let Some(database) = sqlite_file(url, data_dir)? else { bail!(dump_command(url, file)?) };
    ensure!(existing == Existing::Replaced || !file.exists(), "{} is there already", file.display());
    ensure!(!is_same(&database, file), "{} is the database itself", file.display());
    check_replaced(&database, file).await?;
    let draft = copy(&database, folder_of(file), watch).await?;
    let size = draft.file.as_file().metadata()?.len();
    let named = match existing {
        Existing::Kept => draft.file.persist_noclobber(file),
        Existing::Replaced => draft.file.persist(file),
    };
    named.with_context(|| format!("the backup cannot be named {}", file.display()))?;
    sync(folder_of(file))?;
    Ok(size)
}

/// Puts a copy of `file` in the database's place, which belongs to whom the database belonged to. Where it ends before its
/// time, either of them is there as a whole. Returns where the database that was there is kept.
///
/// # Errors
/// Where a server or anybody else uses the database, `file` is damaged or not of this program, or nothing can be written.
pub async fn restore(
    url: &str,
    data_dir: &Path,
    file: &Path,
    watch: &mut (dyn FnMut(Step) + Send),
) -> Result<Option<PathBuf>> {
    let Some(database) = sqlite_file(url, data_dir)? else { bail!(restore_command(url, file)?) };
    ensure!(file.exists(), "there is no file {}", file.display());
    ensure!(file.is_file(), "{} is no regular file", file.display());
    let _claim = Claim::take(url, data_dir)?;
    // What a link leads to is replaced, not the link.
    let database = database.canonicalize().unwrap_or(database);
    ensure!(!is_same(&database, file), "{} is the database itself", file.display());
    let draft = copy(file, folder_of(&database), watch).await?;
    watch(Step::Replacing);
    replace(&database, draft).await
}

/// That what would be replaced is an older backup, or empty, and not what a server lives from.
async fn check_replaced(database: &Path, file: &Path) -> Result<()> {
    let Ok(there) = file.symlink_metadata() else { return Ok(()) };
    // A device, or what a link leads to, is not what would be replaced by the name.
    ensure!(there.is_file(), "{} is there, and no regular file", file.display());
    ensure!(!is_same(&lock_of(database), file), "{} is the lock of the database", file.display());
    let is_ours = match open(file).await {
        Ok(mut existing) => know(&mut existing).await.is_ok(),
        Err(_) => false,
    };
    ensure!(there.len() == 0 || is_ours, "{} is there, and no backup", file.display());
    Ok(())
}

/// A copy that has no name of its own yet, with the folder in which SQLite writes it. Both are removed with the handle.
struct Draft {
    file: NamedTempFile,
    #[expect(dead_code, reason = "it is there to be removed")]
    folder: TempDir,
}

impl Draft {
    fn begin(beside: &Path) -> std::io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(".natter-draft-").tempdir_in(beside)?;
        Ok(Self { file: NamedTempFile::new_in(folder.path())?, folder })
    }
}

/// A checked copy of a database on the disk that holds `folder`.
async fn copy(from: &Path, folder: &Path, watch: &mut (dyn FnMut(Step) + Send)) -> Result<Draft> {
    ensure!(from.exists(), "there is no file {}", from.display());
    let draft = Draft::begin(folder);
    let draft = draft.with_context(|| format!("nothing can be written to {}", folder.display()))?;
    let copied = async {
        let mut source = open(from).await?;
        know(&mut source).await?;
        vacuum_into(&mut source, draft.file.path(), watch).await?;
        watch(Step::Checking);
        check(draft.file.path()).await
    };
    copied.await.map_err(|error| explain(error, from))?;
    draft.file.as_file().sync_all().context("the copy cannot be written")?;
    Ok(draft)
}

fn explain(error: anyhow::Error, file: &Path) -> anyhow::Error {
    let is_damaged = error.downcast_ref::<sqlx::Error>().is_some_and(|error| has_code(error, &DAMAGED));
    if is_damaged {
        anyhow!("{} is damaged, or no SQLite file", file.display())
    } else {
        error.context(format!("{} cannot be copied", file.display()))
    }
}

async fn open(path: &Path) -> sqlx::Result<SqliteConnection> {
    SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(PATIENCE).connect().await
}

async fn vacuum_into(source: &mut SqliteConnection, draft: &Path, watch: &mut (dyn FnMut(Step) + Send)) -> Result<()> {
    let of = "SELECT (page_count - freelist_count) * page_size \
              FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";
    let of = sqlx::query_scalar::<_, i64>(of).fetch_one(&mut *source).await?.try_into()?;
    let name = draft.to_str().with_context(|| format!("{} is not UTF-8", draft.display()))?;
    let mut copying = pin!(sqlx::query("VACUUM INTO ?").bind(name).execute(source));
    loop {
        watch(Step::Copying { copied: draft.metadata()?.len().min(of), of });
        if let Ok(copied) = tokio::time::timeout(GLANCE, &mut copying).await {
            copied?;
            return Ok(());
        }
    }
}

/// That this program made the database, or an older one of its kind.
async fn know(database: &mut SqliteConnection) -> Result<()> {
    let table = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'seaql_migrations'";
    let is_ours = sqlx::query_scalar::<_, i64>(table).fetch_one(&mut *database).await? > 0;
    ensure!(is_ours, "it is not a database of Natter");
    let applied: Vec<String> =
        sqlx::query_scalar("SELECT version FROM seaql_migrations").fetch_all(&mut *database).await?;
    let known = Migrator::migrations();
    let is_known = |version: &String| known.iter().any(|migration| migration.name() == version);
    ensure!(!applied.is_empty(), "it is not a database of Natter");
    ensure!(applied.iter().all(is_known), "it is of a newer version of Natter, or of another program");
    Ok(())
}

async fn check(path: &Path) -> Result<()> {
    let mut database = open(path).await?;
    let finding: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut database).await?;
    ensure!(finding == "ok", "it is damaged: {finding}");
    let orphan = sqlx::query("PRAGMA foreign_key_check").fetch_optional(&mut database).await?;
    ensure!(orphan.is_none(), "it is damaged: a row refers to another that is not there");
    Ok(())
}

/// One rename replaces the database, which is a single file by then: its journals are written into it, or lie beside the
/// name under which it is kept.
async fn replace(database: &Path, draft: Draft) -> Result<Option<PathBuf>> {
    let context = || format!("the database {} cannot be replaced", database.display());
    let kept = if database.try_exists()? {
        // Kept until the end: whoever comes meanwhile waits, and then finds the new one.
        let _held = hold(database).await?;
        let owner = database.metadata()?;
        fchown(draft.file.as_file(), Some(owner.uid()), Some(owner.gid())).with_context(context)?;
        let kept = keep(database).with_context(context)?;
        draft.file.persist(database).with_context(context)?;
        Some(kept)
    } else {
        let left = JOURNALS.map(|journal| beside(database, journal)).into_iter().find(|journal| journal.exists());
        if let Some(left) = left {
            bail!("{} is of a database that is not there: played back, it would damage this one", left.display());
        }
        draft.file.persist_noclobber(database).with_context(context)?;
        None
    };
    sync(folder_of(database))?;
    Ok(kept)
}

/// Writes the journals of a database into it, and lets nobody else use it for as long as the connection lives. None where it
/// is too damaged for that.
async fn hold(path: &Path) -> Result<Option<SqliteConnection>> {
    let unreadable = || format!("the database {} cannot be read", path.display());
    let in_use = || format!("another program uses the database {}", path.display());
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE);
    let mut database = options.connect().await.with_context(unreadable)?;
    let locked = lock(&mut database).await;
    if let Err(error) = locked {
        database.close().await.with_context(unreadable)?;
        return match error {
            error if has_code(&error, &DAMAGED) => Ok(None),
            error if has_code(&error, &IN_USE) => Err(error).with_context(in_use),
            error => Err(error).with_context(unreadable),
        };
    }
    // Where it has one, somebody was faster.
    ensure!(!beside(path, "-wal").exists(), in_use());
    Ok(Some(database))
}

async fn lock(database: &mut SqliteConnection) -> sqlx::Result<()> {
    sqlx::query("PRAGMA journal_mode = DELETE").execute(&mut *database).await?;
    sqlx::query("BEGIN EXCLUSIVE").execute(database).await?;
    Ok(())
}

fn has_code(error: &sqlx::Error, codes: &[u32]) -> bool {
    error.as_database_error().and_then(sqlite_code).is_some_and(|code| codes.contains(&code))
}

/// Gives a database another name beside its own, and moves what journals it has there.
fn keep(database: &Path) -> Result<PathBuf> {
    let now = OffsetDateTime::now_utc()
        .format(format_description!("[year]-[month]-[day]T[hour]-[minute]-[second].[subsecond digits:3]Z"))?;
    let kept = beside(database, &format!(".before-{now}"));
    std::fs::hard_link(database, &kept)?;
    for journal in JOURNALS {
        match std::fs::rename(beside(database, journal), beside(&kept, journal)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            moved => moved?,
        }
    }
    sync(folder_of(database))?;
    Ok(kept)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn is_same(one: &Path, other: &Path) -> bool {
    let (Ok(one), Ok(other)) = (one.metadata(), other.metadata()) else { return false };
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Brings the names of a folder to the disk.
fn sync(folder: &Path) -> Result<()> {
    File::open(folder)?.sync_all().with_context(|| format!("the folder {} cannot be written", folder.display()))
}

/// How PostgreSQL's own program backs this database up.
fn dump_command(url: &str, file: &Path) -> Result<String> {
    let server = server_arguments(url)?;
    let file = quoted(&file.to_string_lossy());
    Ok(format!("PostgreSQL backs its databases up itself:\n  pg_dump --format=custom {server} --file={file}"))
}

fn restore_command(url: &str, file: &Path) -> Result<String> {
    let server = server_arguments(url)?;
    let file = quoted(&file.to_string_lossy());
    Ok(format!(
        "PostgreSQL restores its databases itself, while no server uses them:\n  \
         pg_restore --clean --if-exists --no-owner --single-transaction {server} {file}"
    ))
}

/// Where a database is, without its password: the programs ask for it, or find it where PostgreSQL's clients do.
fn server_arguments(url: &str) -> Result<String> {
    let options = PgConnectOptions::from_str(url).context("database_url is malformed")?;
    let host = options.get_socket().map_or(options.get_host().into(), |socket| socket.to_string_lossy());
    let user = options.get_username();
    Ok(format!(
        "--host={} --port={} --username={} --dbname={}",
        quoted(&host),
        options.get_port(),
        quoted(user),
        quoted(options.get_database().unwrap_or(user)),
    ))
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./:@%+=,".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
