//! A PostgreSQL of the run's own, which can be ended and frozen.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// As `tests/support/postgres.sh` has started it.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// A superuser's.
    pub url: String,
    pub folder: PathBuf,
}

impl Cluster {
    /// Ends it as a crash would.
    pub fn stop(&self) -> Result<()> {
        self.call("halt_postgres")
    }

    pub fn start(&self) -> Result<()> {
        self.call("launch_postgres")
    }

    /// Gives it no processor until [`Self::thaw`].
    pub fn freeze(&self) -> Result<()> {
        let server = self.server()?;
        // The server first, so that it starts no further process.
        signal(server, Signal::SIGSTOP)?;
        each_child(server, Signal::SIGSTOP)
    }

    pub fn thaw(&self) -> Result<()> {
        let server = self.server()?;
        each_child(server, Signal::SIGCONT)?;
        signal(server, Signal::SIGCONT)
    }

    fn server(&self) -> Result<i32> {
        let path = self.folder.join("data/postmaster.pid");
        let file = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        file.lines().next().and_then(|pid| pid.parse().ok()).context("PostgreSQL's process is not known")
    }

    fn call(&self, function: &str) -> Result<()> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../support/postgres.sh");
        let mut bash = Command::new("bash");
        bash.args(["-euc", r#"source "$0"; "$1""#, script, function]).env("postgres_folder", &self.folder);
        let status = bash.status().context("there is no bash")?;
        ensure!(status.success(), "{function} has failed");
        Ok(())
    }
}

fn each_child(server: i32, signal_: Signal) -> Result<()> {
    let children = fs::read_to_string(format!("/proc/{server}/task/{server}/children"))?;
    for child in children.split_whitespace() {
        signal(child.parse()?, signal_)?;
    }
    Ok(())
}

/// One that has ended meanwhile needs none.
fn signal(pid: i32, signal: Signal) -> Result<()> {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("process {pid} cannot be signalled")),
    }
}
