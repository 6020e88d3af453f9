//! Natter servers, as processes that can be ended and frozen.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use natter_load::plan::Target;
use natter_load::process::Server;
use natter_load::started::Started;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::link::HEARTBEAT;

/// How long a server may take to start while its database comes up, and to stop: its promise is ten seconds.
const START_LIMIT: Duration = Duration::from_mins(1);
const STOP_LIMIT: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(10);
const PAUSE: Duration = Duration::from_millis(200);

/// The program and the data of one or more nodes.
pub struct Site {
    natter: PathBuf,
    database_url: String,
    settings: Vec<(&'static str, &'static str)>,
    folder: TempDir,
}

impl Site {
    /// Nodes on PostgreSQL, or one on an SQLite file of its own.
    pub fn new(natter: &Path, postgres_url: Option<&str>, settings: &[(&'static str, &'static str)]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let sqlite = || format!("sqlite:{}", folder.path().join("natter.sqlite").display());
        let database_url = postgres_url.map_or_else(sqlite, str::to_owned);
        Ok(Self { natter: natter.to_owned(), database_url, settings: [&HEARTBEAT, settings].concat(), folder })
    }

    /// Starts a node, whose log goes to a file of its number.
    pub fn start(&self, number: usize) -> Result<Node> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match Started::start(&mut self.command(number)?) {
                Ok(started) => {
                    let address = Target::find(&started.url)?.address;
                    return Ok(Node { number, address, started });
                }
                Err(error) if Instant::now() > deadline => return Err(error.context(self.log())),
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    }

    fn command(&self, number: usize) -> Result<Command> {
        let log = self.folder.path().join(format!("node-{number}.log"));
        let log = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new(&self.natter);
        // From nothing but these: what is set around the tests is not to change them.
        command.env_clear().current_dir(self.folder.path()).stderr(log);
        command.env("HOST", "127.0.0.1").env("PORT", "0").env("DATA_DIR", self.folder.path());
        command.env("DATABASE_URL", &self.database_url).env("NATTER_SECRET", "x".repeat(32));
        command.env("NATTER_RATE_LIMITS", "off").env("RUST_LOG", "warn").env("RUST_BACKTRACE", "1");
        command.envs(self.settings.iter().copied());
        Ok(command)
    }

    /// What all nodes have logged.
    pub fn log(&self) -> String {
        let files = fs::read_dir(self.folder.path()).into_iter().flatten().filter_map(Result::ok);
        let logs =
            files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|extension| extension == "log"));
        logs.filter_map(|path| fs::read_to_string(path).ok()).collect()
    }

    /// Keeps the folder, and returns where it is.
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }
}

pub struct Node {
    pub number: usize,
    pub address: SocketAddr,
    started: Started,
}

impl Node {
    pub fn target(&self) -> Result<Target> {
        Target::find(&self.started.url)
    }

    pub fn server(&self) -> Result<Server> {
        Server::new(&[self.started.pid()?])
    }

    /// How it has ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.started.child.try_wait()?)
    }

    /// Ends it as a crash would.
    pub fn kill(mut self) -> Result<()> {
        self.started.child.kill()?;
        self.started.child.wait()?;
        Ok(())
    }

    /// Ends it as an operator would.
    ///
    /// # Errors
    /// Where it does not end in time, or complains.
    pub fn stop(mut self) -> Result<()> {
        self.signal(Signal::SIGTERM)?;
        let deadline = Instant::now() + STOP_LIMIT;
        while Instant::now() < deadline {
            match self.ended()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("node {} has stopped with {status}", self.number),
                None => std::thread::sleep(LOOK),
            }
        }
        bail!("node {} does not stop", self.number);
    }

    /// Gives it no processor until [`Self::thaw`].
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(self.started.pid()?), signal).with_context(|| format!("node {} has gone", self.number))
    }
}
