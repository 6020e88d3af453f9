//! Proves that nothing is lost; `tests/faults/run` builds and starts it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use faults::cluster::Cluster;
use faults::crash::{self, Plan, Storage};
use faults::{latency, soak};

#[derive(Parser)]
#[command(name = "tests/faults/run", arg_required_else_help = true)]
struct Command {
    /// The server's program.
    #[arg(long, value_name = "PROGRAM")]
    natter: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Kill, stop and freeze the server while clients talk, and judge what they have heard.
    Crash(CrashOptions),
    /// Let clients come and go, and judge whether the server has grown.
    Soak {
        #[arg(long, default_value_t = 1_000_000)]
        connects: u64,
        /// How many are connected at once.
        #[arg(long, default_value_t = 200)]
        at_once: u64,
    },
    /// Measure whether sign-ins, slow readers and strangers disturb those who talk.
    Latency {
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
        /// How long each is measured.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
}

#[derive(Args)]
struct CrashOptions {
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    #[arg(long, value_enum, default_value_t = Database::Sqlite)]
    database: Database,
    /// The same disturbances for the same seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(4..))]
    clients: u16,
    /// A PostgreSQL that may be ended and frozen: a superuser's URL, …
    #[arg(long, value_name = "URL")]
    postgres_url: Option<String>,
    /// … and its folder, as tests/support/postgres.sh makes it.
    #[arg(long, value_name = "FOLDER")]
    postgres_folder: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Database {
    Sqlite,
    Postgres,
}

/// Between two disturbances, in milliseconds.
const PAUSE_MS: std::ops::Range<u64> = 300..4_000;
/// Behind so many connections the server is as large as it is to stay.
const SOAKED: u64 = 50_000;
const KILLS_PER_MINUTE: f64 = 50.0 / 30.0;

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("faults: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is as it must be.
fn run(command: Command) -> Result<bool> {
    match command.action {
        Action::Crash(options) => run_crash(command.natter, options),
        Action::Soak { connects, at_once } => {
            let plan = soak::Plan { natter: &command.natter, connects, first: SOAKED, at_once };
            let outcome = soak::run(&plan)?;
            print!("{outcome}");
            Ok(outcome.is_fine())
        }
        Action::Latency { rounds, seconds } => {
            let duration = Duration::from_secs(seconds);
            let outcome = latency::run(&latency::Plan { natter: &command.natter, rounds, duration })?;
            print!("{outcome}");
            Ok(outcome.is_fine())
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number of kills")]
fn run_crash(natter: PathBuf, options: CrashOptions) -> Result<bool> {
    let storage = match options.database {
        Database::Sqlite => Storage::Sqlite,
        Database::Postgres => {
            let (url, folder) = options.postgres_url.zip(options.postgres_folder).context("there is no PostgreSQL")?;
            Storage::Cluster(Cluster { url, folder })
        }
    };
    let plan = Plan {
        natter,
        storage,
        clients: options.clients.into(),
        duration: Duration::from_secs_f64(options.minutes * 60.0),
        kills: (options.minutes * KILLS_PER_MINUTE).ceil() as u64,
        pause_ms: PAUSE_MS,
        seed: options.seed,
    };
    let outcome = crash::run(&plan)?;
    print!("{outcome}");
    Ok(outcome.is_fine())
}
