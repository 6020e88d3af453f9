//! The command line: one arm, one call.

mod backup;
mod bench;
mod healthcheck;
mod serve;
mod user;

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::accounts;
use crate::app::App;
use crate::config::Config;
use crate::supervisor::Supervisor;

/// A chat server for unchanged Socket.IO clients, with accounts, history and an admin site in one binary.
///
/// Without a command it serves. Settings come from flags, then from the environment, then from the file given by
/// --config, then from the defaults that `natter config show` prints.
#[derive(Parser)]
#[command(name = "natter", version, after_help = EXAMPLES)]
pub struct Command {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    action: Option<Action>,
}

const EXAMPLES: &str = "\
Examples:
  natter                                      serve on 127.0.0.1:3000, with SQLite in ./data
  natter --port 8080 --data-dir /var/lib/natter
  DATABASE_URL=postgres://natter@db/natter natter migrate
  natter user create ann@example.org --staff  (asks for the password)
  natter backup natter.backup                 beside a running server
  natter config show                          every setting as it is in force";

#[derive(clap::Args)]
#[command(next_help_heading = "Settings")]
struct Settings {
    /// A TOML file with settings.
    #[arg(long, global = true, value_name = "FILE", env = "NATTER_CONFIG")]
    config: Option<PathBuf>,
    /// The address to listen on.
    #[arg(long, global = true)]
    host: Option<String>,
    /// The port to listen on; 0 takes any free one.
    #[arg(long, global = true)]
    port: Option<String>,
    /// Where the SQLite file and the generated secret live.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// `sqlite:<path>` or `postgres://…`.
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// How the outside reaches this server.
    #[arg(long, global = true, value_name = "URL")]
    public_url: Option<String>,
}

#[derive(Subcommand)]
enum Action {
    /// Serve chat, API and sockets (the default).
    Serve,
    /// Bring the database up to date, and stop.
    Migrate,
    /// Copy the SQLite database into a file, also while a server uses it.
    Backup(backup::Options),
    /// Put a backup in the place of the SQLite database, while no server uses it.
    Restore(backup::RestoreOptions),
    /// Look after accounts.
    #[command(subcommand)]
    User(user::Action),
    /// Look at the settings.
    #[command(subcommand)]
    Config(ConfigAction),
    /// Ask the server of these settings whether it is ready: for supervisors of containers.
    Healthcheck,
    /// Measure what a Socket.IO server can bear, this or another.
    Bench(bench::Options),
}

#[derive(Subcommand)]
enum ConfigAction {
    /// Print every setting as it is in force, with secrets masked.
    Show,
    /// Say whether the settings are valid, without starting anything.
    Check,
}

impl Command {
    /// Runs the command with the process's `environment`.
    pub async fn run(self, environment: impl IntoIterator<Item = (String, String)>) -> Result<()> {
        let environment: Vec<_> = environment.into_iter().collect();
        let supervisor = || Supervisor::of(&environment);
        let config = || self.settings.load(environment.clone());
        match self.action.unwrap_or(Action::Serve) {
            Action::Serve => serve::run(config()?, supervisor()?).await,
            Action::Migrate => migrate(config()?).await,
            Action::Backup(options) => backup::back_up(config()?, options).await,
            Action::Restore(options) => backup::restore(config()?, options).await,
            Action::User(action) => user::run(config()?, action).await,
            Action::Config(ConfigAction::Show) => show(&config()?),
            Action::Config(ConfigAction::Check) => config().and_then(|_| say("The settings are valid.\n")),
            Action::Healthcheck => healthcheck::run(&config()?).await,
            Action::Bench(options) => bench::run(options).await,
        }
    }
}

impl Settings {
    fn load(self, environment: impl IntoIterator<Item = (String, String)>) -> Result<Config> {
        let Self { config, host, port, data_dir, database_url, public_url } = self;
        let flags = [
            ("host", host),
            ("port", port),
            ("data_dir", data_dir),
            ("database_url", database_url),
            ("public_url", public_url),
        ];
        let flags: Vec<_> = flags.into_iter().filter_map(|(path, text)| Some((path, text?))).collect();
        let environment = environment.into_iter().filter(|(name, _)| name != "NATTER_CONFIG");
        Config::load(config.as_deref(), environment, &flags)
    }
}

async fn migrate(config: Config) -> Result<()> {
    // Opening brings it up to date.
    let (app, _) = App::open(config, String::new()).await?;
    app.database.clone().close().await?;
    say("The database is up to date.\n")
}

fn show(config: &Config) -> Result<()> {
    say(&config.redacted()?)
}

/// From the terminal without showing it, else the first line of standard input.
fn read_password() -> Result<String> {
    let mut password = String::new();
    if std::io::stdin().is_terminal() {
        password = rpassword::prompt_password("Password: ")?;
    } else {
        std::io::stdin().lock().read_line(&mut password)?;
    }
    let password = password.trim();
    if password.contains('\0') {
        bail!("a password has no null characters");
    }
    if password.is_empty() || password.chars().count() > accounts::MAX_PASSWORD_CHARACTERS {
        bail!("a password has 1 to {} characters", accounts::MAX_PASSWORD_CHARACTERS);
    }
    Ok(password.to_owned())
}

/// Resolves on SIGTERM or Ctrl-C, which are heard from the call on.
fn stop_signal() -> Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Prints to standard output. That whoever reads it has heard enough is no error.
fn say(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
