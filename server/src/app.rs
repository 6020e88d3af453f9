//! What every request and every socket may use.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use engine_link::Intake;
use governor::Quota;
use tokio::sync::mpsc;

use crate::accounts::attempts::Attempts;
use crate::accounts::lookups::{self, Lookups};
use crate::accounts::password::Passwords;
use crate::accounts::reset_links::{self, Delivery, ResetLinks};
use crate::accounts::uses::{self, Uses};
use crate::accounts::{Terms, UserId};
use crate::admin::setup::Setup;
use crate::chat::log::{self, Log};
use crate::config::{Config, Switch};
use crate::database::Database;
use crate::event::{Event, Events};
use crate::metrics::Metrics;
use crate::presence::{self, Presence};
use crate::rate::Rate;

/// The shared parts of a running server; a clone is a handle.
#[derive(Clone)]
pub struct App(Arc<Parts>);

pub struct Parts {
    pub config: Config,
    /// The address under which the outside reaches this server, without a trailing slash.
    pub public_url: String,
    pub secret: Secret,
    pub terms: Terms,
    pub database: Database,
    pub passwords: Passwords,
    pub tokens: Lookups,
    pub uses: Uses,
    pub reset_links: ResetLinks,
    pub attempts: Attempts,
    pub rates: Rates,
    /// For what clients have sent in part.
    pub intake: Arc<Intake>,
    pub log: Log,
    pub presence: Presence,
    pub events: Events,
    pub metrics: Arc<Metrics>,
    /// The way in for the first of the staff.
    pub setup: Setup,
}

/// How much one person may do.
pub struct Rates {
    pub messages: Rate<UserId>,
    /// Whatever else is sent over the socket.
    pub events: Rate<UserId>,
}

impl Rates {
    fn new(config: &Config) -> Self {
        let rate = |per_second, burst| {
            let quota = Quota::per_second(per_second).allow_burst(burst);
            Rate::new((config.rate_limits == Switch::On).then_some(quota))
        };
        let (chat, gateway) = (&config.chat, &config.gateway);
        Self {
            messages: rate(chat.messages_per_second, chat.messages_burst),
            events: rate(gateway.events_per_second, gateway.events_burst),
        }
    }
}

/// What waits for the tasks of a server.
pub struct Queues {
    pub tokens: lookups::Reader,
    pub uses: uses::Writer,
    pub reset_links: reset_links::Maker,
    pub log: log::Writer,
    pub presence: presence::Keeper,
    pub events: mpsc::Receiver<Event>,
}

impl App {
    /// Opens the data folder and the database, and brings the latter up to date. `public_url` is where the server is
    /// reached. Who does not serve drops the queues, and cannot use what waits in them.
    pub async fn open(config: Config, public_url: String) -> Result<(Self, Queues)> {
        create_data_dir(&config.data_dir)?;
        let secret = Secret::load(&config)?;
        let database = Database::open(&config.database_url, &config.data_dir).await?;
        database.migrate().await?;
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let passwords = Passwords::new(cores, config.accounts.password_queue.get())?;
        let terms = Terms::of(&config.accounts);
        let (tokens, token_reader) = Lookups::new(database.clone(), terms);
        let (uses, use_writer) = Uses::new(database.clone());
        let (reset_links, link_maker) =
            ResetLinks::new(&config.accounts, Delivery::of(&config), database.clone(), public_url.clone());
        let attempts = Attempts::new(config.rate_limits, &config.accounts);
        let rates = Rates::new(&config);
        let intake = Intake::new(config.http.receive_bytes);
        let (events, event_queue) = Events::channel();
        let metrics = Arc::new(Metrics::new()?);
        let (log, log_writer) = Log::new(&config.chat, database.clone(), events.clone(), metrics.clone());
        let presence = Presence::of_new_node();
        let keeper = presence::Keeper::new(presence.clone(), database.clone(), events.clone());
        let setup = Setup::default();
        let parts = Parts {
            config,
            public_url,
            secret,
            terms,
            database,
            passwords,
            tokens,
            uses,
            reset_links,
            attempts,
            rates,
            intake,
            log,
            presence,
            events,
            metrics,
            setup,
        };
        let queues = Queues {
            tokens: token_reader,
            uses: use_writer,
            reset_links: link_maker,
            log: log_writer,
            presence: keeper,
            events: event_queue,
        };
        Ok((Self(Arc::new(parts)), queues))
    }

    /// Host and port under which the outside reaches this server.
    pub fn authority(&self) -> &str {
        self.public_url.split_once("://").map_or(&self.public_url, |(_, authority)| authority)
    }
}

/// Creates the data folder, if there is none, for this user alone.
pub fn create_data_dir(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("the data folder {} cannot be created", path.display()))
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The server's own key. It is never printed.
pub struct Secret(Vec<u8>);

impl Secret {
    const FILE: &str = "secret";

    /// The configured secret, else the one in the data folder, which is generated on the first start.
    pub fn load(config: &Config) -> Result<Self> {
        if !config.secret.is_empty() {
            return Ok(Self(config.secret.clone().into_bytes()));
        }
        let path = config.data_dir.join(Self::FILE);
        match std::fs::read(&path) {
            Ok(bytes) if bytes.len() >= 32 => Ok(Self(bytes)),
            Ok(_) => anyhow::bail!("the secret in {} is damaged: fewer than 32 bytes", path.display()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::generate(&config.data_dir),
            Err(error) => Err(error).with_context(|| format!("the secret in {} cannot be read", path.display())),
        }
    }

    /// Written aside and then given its name, so that a start that is cut off leaves no half secret, and of two starts at
    /// once both use the first one's.
    fn generate(data_dir: &Path) -> Result<Self> {
        use std::io::Write;

        let text = crate::random::alphanumeric::<64>();
        let path = data_dir.join(Self::FILE);
        let write = || -> std::io::Result<()> {
            let mut draft = tempfile::Builder::new().prefix("secret.").tempfile_in(data_dir)?;
            draft.write_all(text.as_bytes())?;
            draft.as_file().sync_all()?;
            match draft.persist_noclobber(&path) {
                Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
                named => Ok(named.map(drop)?),
            }
        };
        write().with_context(|| format!("the secret cannot be written to {}", path.display()))?;
        Ok(Self(std::fs::read(&path)?))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}
