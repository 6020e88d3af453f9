//! What the processes of a server use, as Linux tells it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// All processes of a server.
#[derive(Clone, Debug)]
pub struct Server {
    pids: Vec<Pid>,
}

impl Server {
    /// # Errors
    /// Where one of them is not there, or may not be looked at.
    pub fn new(pids: &[i32]) -> Result<Self> {
        let server = Self { pids: pids.iter().copied().map(Pid::from_raw).collect() };
        server.cpu()?;
        server.resident()?;
        Ok(server)
    }

    /// The time on a processor so far, of all their threads, those that have ended included.
    pub fn cpu(&self) -> Result<Duration> {
        self.pids.iter().map(|pid| cpu_of(*pid).with_context(|| format!("there is no process {pid}"))).sum()
    }

    /// Bytes in memory.
    pub fn resident(&self) -> Result<u64> {
        self.pids.iter().map(|pid| resident_of(*pid)).sum()
    }

    /// How many files and sockets are open.
    pub fn descriptors(&self) -> Result<usize> {
        self.pids.iter().map(|pid| descriptors_of(*pid)).sum()
    }
}

/// The calling thread's time on a processor.
pub fn own_cpu() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

fn cpu_of(pid: Pid) -> nix::Result<Duration> {
    Ok(clock_gettime(ClockId::pid_cpu_clock_id(pid)?)?.into())
}

/// `Rss` of all mappings; the total in `status` is only an estimate.
fn resident_of(pid: Pid) -> Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let rollup = fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    let kilobytes = rollup.lines().find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix(" kB"));
    let kilobytes: u64 = kilobytes.with_context(|| format!("{path} tells no Rss"))?.parse()?;
    Ok(kilobytes * 1024)
}

fn descriptors_of(pid: Pid) -> Result<usize> {
    let path = format!("/proc/{pid}/fd");
    Ok(fs::read_dir(&path).with_context(|| format!("{path} cannot be read"))?.count())
}
