//! Connections to SQLite or PostgreSQL.

pub mod backup;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use natter_migration::Migrator;
use sea_orm::sqlx;
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteError, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::sqlx::{ConnectOptions, Connection, SqliteConnection};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, RuntimeErr,
    SqliteTransactionMode, SqlxPostgresConnector, SqlxSqliteConnector, Statement, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::error;

/// How long a statement waits for a connection, or for another writer of the same SQLite file.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the database may take for what others wait behind.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
const SQLITE_READERS: u32 = 4;
/// Whoever commits behind so many pages of 4 KiB in the journal writes them into the database file, while others wait. Most of
/// them are the same few pages, so that eight times SQLite's 1,000 cost little more.
const CHECKPOINT_PAGES: &str = "8000";
/// What each connection keeps of the file, in the form in which SQLite takes KiB. The system's cache is next to it.
const CACHE_KIB: &str = "-512";
const POSTGRES_CONNECTIONS: u32 = 16;
/// The number of PostgreSQL's advisory lock that nodes take to migrate: "natter" in ASCII.
const MIGRATION_LOCK: u64 = 0x6e61_7474_6572;

/// Where to read and where to write.
///
/// SQLite has one writer, so all writes share one connection and wait for each other there, instead of failing on each
/// other's locks; readers go on beside it. On PostgreSQL both are the same pool.
#[derive(Clone)]
pub struct Database {
    read: DatabaseConnection,
    write: DatabaseConnection,
    /// As many as there are connections to write with. Where all are taken, transactions wait here, and not in the queue
    /// of the pool, which nobody can pass.
    turns: Arc<Semaphore>,
}

impl Database {
    /// Opens the database at `url`; an empty one means the SQLite file in `data_dir`, created with mode 0600.
    pub async fn open(url: &str, data_dir: &Path) -> Result<Self> {
        match sqlite_file(url, data_dir)? {
            Some(path) => Self::open_sqlite(&path).await,
            None => Self::open_postgres(url).await,
        }
    }

    async fn open_sqlite(path: &Path) -> Result<Self> {
        create_private(path).with_context(|| format!("the database file {} cannot be created", path.display()))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // An acknowledged message survives a power cut, too; one sync serves a whole batch of messages.
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .pragma("cache_size", CACHE_KIB)
            .busy_timeout(PATIENCE)
            .foreign_keys(true);
        let pool = |connections| {
            // A file in this process does not go away: asking whether it is still there would double the way to it.
            let options = SqlitePoolOptions::new().test_before_acquire(false);
            let options = options.after_release(|connection, _| Box::pin(is_sound(connection)));
            options.max_connections(connections).acquire_timeout(PATIENCE)
        };
        let context = || format!("the database file {} cannot be opened", path.display());
        let write = pool(1).connect_with(options.clone()).await.with_context(context)?;
        let read = pool(SQLITE_READERS).connect_with(options.read_only(true)).await.with_context(context)?;
        Ok(Self {
            read: SqlxSqliteConnector::from_sqlx_sqlite_pool(read),
            write: SqlxSqliteConnector::from_sqlx_sqlite_pool(write),
            turns: Arc::new(Semaphore::new(1)),
        })
    }

    async fn open_postgres(url: &str) -> Result<Self> {
        let options = PgConnectOptions::from_str(url).context("database_url is malformed")?;
        let pool = PgPoolOptions::new().max_connections(POSTGRES_CONNECTIONS).acquire_timeout(PATIENCE);
        let pool = pool.after_release(|connection, _| Box::pin(answers(connection)));
        let pool = match pool.connect_with(options.clone()).await {
            Ok(pool) => pool,
            Err(error) => {
                // The pool has tried for a while, and says no more than that; once more, for the reason.
                let reason = options.connect().await.err().unwrap_or(error);
                return Err(reason).context("PostgreSQL cannot be reached (database_url)");
            }
        };
        let both = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
        let turns = Arc::new(Semaphore::new(POSTGRES_CONNECTIONS as usize));
        Ok(Self { read: both.clone(), write: both, turns })
    }

    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    pub fn write(&self) -> &DatabaseConnection {
        &self.write
    }

    /// Begins a transaction when its turn has come.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let turn = timeout(PATIENCE, self.turns.acquire()).await;
        let _turn = turn.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?;
        self.begin_first().await
    }

    /// Begins a transaction before all that wait for their turn: a message does not wait for fifty people who sign in.
    ///
    /// On SQLite as a writer from the beginning: what has only read so far could not write any more once another process has.
    pub async fn begin_first(&self) -> Result<DatabaseTransaction, DbErr> {
        let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
        self.write.begin_with_options(TransactionOptions { sqlite_transaction_mode, ..Default::default() }).await
    }

    /// # Errors
    /// Where the database does not answer.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.read.ping().await
    }

    /// Bytes that the database takes.
    pub async fn size(&self) -> Result<i64, DbErr> {
        let backend = self.read.get_database_backend();
        let sql = match backend {
            DbBackend::Sqlite => "SELECT page_count * page_size AS size FROM pragma_page_count(), pragma_page_size()",
            _ => "SELECT pg_database_size(current_database()) AS size",
        };
        let row = self.read.query_one_raw(Statement::from_string(backend, sql)).await?;
        row.ok_or_else(|| DbErr::RecordNotFound("size".to_owned()))?.try_get("", "size")
    }

    /// Applies the migrations that this database has not seen: all or, where that is cut off, none. Of nodes that do so at
    /// once the others wait for the first.
    pub async fn migrate(&self) -> Result<()> {
        let migrate = async {
            let transaction = self.begin().await?;
            if transaction.get_database_backend() == DbBackend::Postgres {
                let lock = format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
                transaction.execute_unprepared(&lock).await?;
            }
            Migrator::up(&transaction, None).await?;
            transaction.commit().await
        };
        migrate.await.context("the database cannot be migrated")
    }

    pub async fn close(self) -> Result<(), DbErr> {
        self.read.close().await?;
        self.write.close().await
    }
}

/// Primary result codes of SQLite: `SQLITE_BUSY`, `SQLITE_LOCKED`, `SQLITE_IOERR`, `SQLITE_FULL`.
const SQLITE_PASSING: [u32; 4] = [5, 6, 10, 13];

/// Classes and codes of PostgreSQL (appendix A of its manual): connections, what a transaction may be tried again for, lack of
/// resources, databases and servers that take no connections, locks, operators who intervene, and files that fail.
const POSTGRES_PASSING: [&str; 7] = ["08", "40", "53", "55000", "55P03", "57P", "58"];

/// Work that others wait behind: a database whose machine is gone without a word would never answer.
///
/// # Errors
/// As the work's, or that it takes too long. It may be done all the same.
pub async fn in_time<T>(work: impl Future<Output = error::Result<T>>) -> error::Result<T> {
    let late = |_| Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout).into());
    timeout(ANSWER_PATIENCE, work).await.unwrap_or_else(late)
}

/// Whether the database is away, locked or full: nothing is wrong with what it was asked, and it may be well again soon.
pub fn is_passing(error: &DbErr) -> bool {
    let error = match error {
        DbErr::ConnectionAcquire(_) => return true,
        DbErr::Conn(error) | DbErr::Exec(error) | DbErr::Query(error) => error,
        _ => return false,
    };
    let RuntimeErr::SqlxError(error) = error else { return false };
    match error.as_ref() {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => match sqlite_code(error.as_ref()) {
            Some(code) => SQLITE_PASSING.contains(&code),
            None => error.code().is_some_and(|code| POSTGRES_PASSING.iter().any(|passing| code.starts_with(passing))),
        },
        _ => false,
    }
}

/// The primary result code, which is the lowest byte of an extended one; none of PostgreSQL.
fn sqlite_code(error: &dyn DatabaseError) -> Option<u32> {
    error.try_downcast_ref::<SqliteError>()?;
    Some(error.code()?.parse::<u32>().ok()? & 0xff)
}

/// The file that a URL means, as [`Database::open`] reads it; none for PostgreSQL.
fn sqlite_file(url: &str, data_dir: &Path) -> Result<Option<PathBuf>> {
    if url.is_empty() {
        return Ok(Some(data_dir.join("natter.sqlite")));
    }
    let Some(path) = url.strip_prefix("sqlite:") else { return Ok(None) };
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    if path.is_empty() || path == ":memory:" {
        bail!("database_url must name a file: a database in memory would be lost at every stop");
    }
    Ok(Some(path.into()))
}

/// Whether a connection may be used again. Where the disk is full, SQLite rolls back by itself, and its driver takes that for a
/// transaction that goes on: what it did from then on would be committed by nobody.
async fn is_sound(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    if connection.is_in_transaction() {
        // A rollback may be on its way.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

/// Whether a connection answers that was given back, perhaps in the middle of a statement. The pool waits for that, too, but
/// for ever, and the connection keeps its place meanwhile.
async fn answers(connection: &mut PgConnection) -> sqlx::Result<bool> {
    timeout(PATIENCE, connection.ping()).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
    Ok(true)
}

/// # Errors
/// Where no database can be at `url`.
pub fn check_url(url: &str) -> Result<()> {
    match sqlite_file(url, Path::new(""))? {
        Some(_) => Ok(()),
        None => PgConnectOptions::from_str(url).map(drop).context("database_url is malformed"),
    }
}

/// SQLite gives its journal files the mode of the database file.
fn create_private(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    File::options().create(true).append(true).mode(0o600).open(path)
}

/// The right to serve from a database, held until it is dropped or the process has gone. PostgreSQL is there for many; of a
/// SQLite file, a second server would not hear what the first is told.
pub struct Claim(#[expect(dead_code, reason = "the lock is the file's")] Option<File>);

impl Claim {
    /// # Errors
    /// Where another server has it.
    pub fn take(url: &str, data_dir: &Path) -> Result<Self> {
        let Some(path) = sqlite_file(url, data_dir)? else { return Ok(Self(None)) };
        // By whatever link it is reached.
        let path = path.canonicalize().unwrap_or(path);
        // A file of its own: a lock on the database itself would be SQLite's, which drops it when any of its files is closed.
        let lock = lock_of(&path);
        let file =
            create_private(&lock).with_context(|| format!("the lock file {} cannot be created", lock.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(Some(file))),
            Err(TryLockError::WouldBlock) => bail!(
                "another server has the database file {}: stop it first; several servers need PostgreSQL (DATABASE_URL)",
                path.display()
            ),
            Err(TryLockError::Error(error)) => Err(error).context("the database file cannot be locked"),
        }
    }
}

fn lock_of(database: &Path) -> PathBuf {
    let mut lock = database.as_os_str().to_owned();
    lock.push(".lock");
    lock.into()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn the_first_passes_all_but_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open("", folder.path()).await.unwrap();
        let order = Mutex::new(Vec::new());
        let in_turn = async |name| {
            let transaction = database.begin().await.unwrap();
            order.lock().unwrap().push(name);
            transaction.commit().await.unwrap();
        };
        let first = async {
            let transaction = database.begin_first().await.unwrap();
            order.lock().unwrap().push("first");
            transaction.commit().await.unwrap();
        };
        let held = database.begin().await.unwrap();
        // Polled in this order: all wait before the connection is free.
        let (.., committed) = tokio::join!(in_turn("next"), in_turn("second"), in_turn("third"), first, held.commit());
        committed.unwrap();
        assert_eq!(*order.lock().unwrap(), ["next", "first", "second", "third"]);
    }
}
