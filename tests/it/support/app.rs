//! A whole server of its own for each test, on a database of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use natter::app::App;
use natter::config::Config;
use natter::serve::{self, Listeners};
use natter::supervisor::Supervisor;
use reqwest::{Method, RequestBuilder, redirect};
use sea_orm::{ConnectionTrait, Database, DbErr, Statement};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Names a PostgreSQL server on which databases may be created; `tests/run` starts one.
const POSTGRES: &str = "NATTER_TEST_POSTGRES";

/// The databases on which everything must hold.
#[derive(Clone, Copy, Debug)]
pub enum Storage {
    Sqlite,
    Postgres,
}

/// For sockets that must not run into the deadline before they have authenticated.
pub const PATIENT: (&str, &str) = ("NATTER_GATEWAY__AUTH_TIMEOUT", "60000");

/// For messages that are to fill buffers.
pub const LONG_MESSAGES: (&str, &str) = ("NATTER_CHAT__MAX_MESSAGE_BYTES", "131072");

/// A running server, stopped when it goes out of scope.
pub struct TestApp {
    pub address: SocketAddr,
    /// Where it tells its figures, if it does.
    pub metrics: Option<SocketAddr>,
    /// The server's own view, for what cannot be seen from outside.
    pub app: App,
    http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<anyhow::Result<()>>>,
    settings: Settings,
}

/// With what a server was started, to start it again.
#[derive(Clone)]
struct Settings {
    database_url: String,
    data: Arc<TempDir>,
    more: Vec<(String, String)>,
    /// Here to be dropped with the rest.
    postgres: Option<Arc<PostgresDatabase>>,
}

/// A server with default settings.
pub async fn start(storage: Storage) -> TestApp {
    start_with(storage, &[]).await
}

/// A server with `settings` by their environment names.
pub async fn start_with(storage: Storage, settings: &[(&str, &str)]) -> TestApp {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let (database_url, database) = match storage {
        Storage::Sqlite => (format!("sqlite:{}", data.path().join("natter.sqlite").display()), None),
        Storage::Postgres => {
            let database = PostgresDatabase::create().await;
            (database.url(), Some(Arc::new(database)))
        }
    };
    let more = settings.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    launch(Settings { database_url, data, more, postgres: database }).await
}

async fn launch(settings: Settings) -> TestApp {
    let config = config(&settings.database_url, settings.data.path(), &settings.more);
    let listeners = Listeners::bind(&config).await.unwrap();
    let address = listeners.clients.local_addr().unwrap();
    let metrics = listeners.metrics.as_ref().map(|listener| listener.local_addr().unwrap());
    let (app, queues) = App::open(config.clone(), serve::public_url(&config, address)).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = serve::serve(listeners, app.clone(), queues, Supervisor::default(), async move {
        // Dropped or sent: both mean stop.
        stopped.await.ok();
    });
    let served = Some(tokio::spawn(serving));
    let http = reqwest::Client::builder().redirect(redirect::Policy::none()).no_proxy().build().unwrap();
    TestApp { address, metrics, app, http, stop: Some(stop), served, settings }
}

fn config(database_url: &str, data_dir: &Path, more: &[(String, String)]) -> Config {
    let own = [
        ("PORT", "0"),
        ("DATABASE_URL", database_url),
        ("DATA_DIR", data_dir.to_str().unwrap()),
        ("NATTER_RATE_LIMITS", "off"),
    ];
    let own = own.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned()));
    Config::load(None, own.chain(more.iter().cloned()), &[]).unwrap()
}

/// A database of one test, gone with it.
pub struct PostgresDatabase {
    server: String,
    name: String,
}

impl PostgresDatabase {
    #[expect(clippy::disallowed_methods, reason = "where the tests' PostgreSQL is, is no setting of the server")]
    pub async fn create() -> Self {
        let server = std::env::var(POSTGRES).unwrap_or_else(|_| panic!("{POSTGRES} is not set: run tests/run"));
        let name = format!("natter_{}", uuid::Uuid::new_v4().simple());
        administer(&server, format!("CREATE DATABASE {name}")).await.unwrap();
        Self { server, name }
    }

    pub fn url(&self) -> String {
        let (base, _) = self.server.rsplit_once('/').unwrap();
        format!("{base}/{}", self.name)
    }
}

impl Drop for PostgresDatabase {
    /// On a thread of its own, as a test's runtime cannot be waited for from within. The server may still be connected.
    fn drop(&mut self) {
        let (server, sql) = (self.server.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.name));
        let dropped = std::thread::spawn(move || Runtime::new().unwrap().block_on(administer(&server, sql)));
        if !matches!(dropped.join(), Ok(Ok(()))) {
            eprintln!("the database {} is left over", self.name);
        }
    }
}

async fn administer(server: &str, sql: String) -> Result<(), DbErr> {
    let admin = Database::connect(server).await?;
    admin.execute_raw(Statement::from_string(admin.get_database_backend(), sql)).await?;
    admin.close().await
}

impl TestApp {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Lets PostgreSQL break all connections of the server's, and take no new ones; or take them again.
    pub async fn postgres_takes_connections(&self, takes_them: bool) {
        let PostgresDatabase { server, name } = &**self.settings.postgres.as_ref().unwrap();
        administer(server, format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {takes_them}")).await.unwrap();
        if !takes_them {
            let sql = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
            administer(server, sql).await.unwrap();
        }
    }

    /// A request without cookies, credentials or redirects.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    pub fn database_url(&self) -> &str {
        &self.settings.database_url
    }

    pub fn data_dir(&self) -> &Path {
        self.settings.data.path()
    }

    /// Runs a statement beside the server, for what no client can bring about.
    pub async fn execute(&self, sql: &str) {
        let database = self.app.database.write();
        database.execute_raw(Statement::from_string(database.get_database_backend(), sql)).await.unwrap();
    }

    /// How many rows there are, of a table and with a condition.
    pub async fn count(&self, rows: &str) -> i64 {
        let database = self.app.database.read();
        let sql = format!("SELECT count(*) AS rows FROM {rows}");
        let row = database.query_one_raw(Statement::from_string(database.get_database_backend(), sql)).await.unwrap();
        row.unwrap().try_get("", "rows").unwrap()
    }

    /// One more server on the same data.
    pub async fn another(&self) -> Self {
        launch(self.settings.clone()).await
    }

    /// Stops the server as SIGTERM does, and waits until it has.
    pub async fn stop(&mut self) {
        self.begin_stop().await;
    }

    /// Tells the server to stop, which it has once this is awaited.
    pub fn begin_stop(&mut self) -> impl Future<Output = ()> + use<> {
        drop(self.stop.take());
        let served = self.served.take();
        async move {
            if let Some(served) = served {
                served.await.unwrap().unwrap();
            }
        }
    }

    /// Stops the server and starts it again, on a new port, with the same data.
    pub async fn restart(mut self) -> Self {
        self.stop().await;
        launch(self.settings).await
    }
}
