//! Servers that are started to be tried.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result};

const START_LIMIT: Duration = Duration::from_secs(30);

/// A server that is killed when it goes out of scope.
pub struct Started {
    pub child: Child,
    /// Where it is.
    pub url: String,
}

impl Started {
    /// Starts a server, and waits until it prints an address of 127.0.0.1.
    pub fn start(command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().with_context(|| format!("{program} cannot be started"))?;
        let mut started = Self { child, url: String::new() };
        started.url = started.address().with_context(|| format!("{program} does not start"))?;
        Ok(started)
    }

    fn address(&mut self) -> Result<String> {
        let stdout = self.child.stdout.take().context("its output cannot be read")?;
        let (found, address) = mpsc::sync_channel(1);
        std::thread::spawn(move || look_for_address(stdout, &found));
        address.recv_timeout(START_LIMIT).context("no address was printed")
    }

    pub fn pid(&self) -> Result<i32> {
        Ok(i32::try_from(self.child.id())?)
    }
}

/// Reads on to the end, so that the server never waits for a reader.
fn look_for_address(stdout: ChildStdout, found: &mpsc::SyncSender<String>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        if let Some((_, rest)) = line.split_once("http://127.0.0.1:") {
            let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
            // Further addresses are of no interest, and there is no room for them.
            drop(found.try_send(format!("http://127.0.0.1:{port}/")));
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("process {} cannot be ended: {error}", self.child.id());
        }
    }
}
