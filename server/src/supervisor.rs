//! What the supervisor of this process is told, by systemd's protocol (`sd_notify(3)`).

use std::io::Result as IoResult;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use anyhow::{Context, Result};

/// Who has started this process and waits for word of it; by default, nobody does.
#[derive(Default)]
pub struct Supervisor {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// Half the time after which it takes silence for a failure.
    pulse: Option<Duration>,
}

impl Supervisor {
    /// By the variables that it has set in the process's `environment`.
    ///
    /// # Errors
    /// Where they are malformed.
    pub fn of(environment: &[(String, String)]) -> Result<Self> {
        let variable = |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, text)| text.as_str());
        let Some(socket) = variable("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else {
            return Ok(Self::default());
        };
        let socket = open(socket).with_context(|| format!("NOTIFY_SOCKET: {socket} is no socket"))?;
        // They are inherited, and may be meant for a parent.
        let is_ours = variable("WATCHDOG_PID").is_none_or(|process| process == std::process::id().to_string());
        let silence = variable("WATCHDOG_USEC").filter(|_| is_ours).map(str::parse::<u64>).transpose();
        let silence = silence.context("WATCHDOG_USEC is no number")?.filter(|microseconds| *microseconds > 0);
        Ok(Self { socket: Some(socket), pulse: silence.map(|silence| Duration::from_micros(silence) / 2) })
    }

    /// Connections are accepted from now on.
    pub fn hears_of_start(&self) {
        self.hear("READY=1");
    }

    /// No more is begun.
    pub fn hears_of_stop(&self) {
        self.hear("STOPPING=1");
    }

    /// Whether it wants to hear a sign of life now and then.
    pub fn is_watchful(&self) -> bool {
        self.pulse.is_some()
    }

    /// Gives signs of life, for as long as the tasks of this process get their turns.
    pub async fn hears_of_life(&self) {
        let Some(pulse) = self.pulse else { return };
        let mut beats = tokio::time::interval(pulse);
        loop {
            beats.tick().await;
            self.hear("WATCHDOG=1");
        }
    }

    fn hear(&self, state: &str) {
        let Some((socket, address)) = &self.socket else { return };
        if let Err(error) = socket.send_to_addr(state.as_bytes(), address) {
            tracing::warn!(%error, state, "the supervisor could not be told");
        }
    }
}

/// A socket for messages to `name`: a path, or behind an `@` a name in Linux's abstract namespace.
fn open(name: &str) -> IoResult<(UnixDatagram, SocketAddr)> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A supervisor that does not listen holds nobody up.
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}
