//! Socket.IO: events and their acks, in the main namespace.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::link::{Dialect, Link, Protocol, Way};

const PATIENCE: Duration = Duration::from_secs(5);

/// A socket that is connected.
pub struct Socket {
    pub link: Link,
}

/// What the server says.
#[derive(Debug)]
pub enum Word {
    Event {
        name: String,
        data: Value,
    },
    Answer {
        /// The ack's.
        id: u64,
        data: Value,
    },
}

impl Socket {
    pub fn connect(way: Way, dialect: Dialect) -> Result<Self> {
        let mut link = Link::open(way, dialect)?;
        if dialect.protocol == Protocol::Four {
            link.send("0")?;
        }
        let packet = link.next(Instant::now() + PATIENCE)?.context("the server does not connect")?;
        if !packet.starts_with('0') {
            bail!("the server answers the connect with {packet}");
        }
        Ok(Self { link })
    }

    /// Connects and authenticates, and waits until the server lets it in. What it hears until then is let go.
    pub fn enter(way: Way, dialect: Dialect, token: &str) -> Result<Self> {
        let mut socket = Self::connect(way, dialect)?;
        socket.emit("authentication", &json!({ "token": token }))?;
        let deadline = Instant::now() + PATIENCE;
        while let Some(word) = socket.next(deadline)? {
            if matches!(&word, Word::Event { name, .. } if name == "authenticated") {
                return Ok(socket);
            }
        }
        bail!("the server does not let the client in")
    }

    pub fn emit(&mut self, event: &str, data: &Value) -> Result<()> {
        self.link.send(&format!("2{}", json!([event, data])))
    }

    /// Emits an event whose answer will be of the ack `id`.
    pub fn ask(&mut self, event: &str, data: &Value, id: u64) -> Result<()> {
        self.link.send(&format!("2{id}{}", json!([event, data])))
    }

    /// What the server says next; nothing where it says nothing until `deadline`.
    pub fn next(&mut self, deadline: Instant) -> Result<Option<Word>> {
        let Some(packet) = self.link.next(deadline)? else { return Ok(None) };
        let (kind, rest) = packet.split_at_checked(1).context("an empty packet")?;
        let (id, data) = rest.split_at(rest.find('[').unwrap_or(rest.len()));
        let unread = || format!("{packet} cannot be read");
        match kind {
            "2" => {
                let (name, data) = serde_json::from_str(data).with_context(unread)?;
                Ok(Some(Word::Event { name, data }))
            }
            "3" => {
                let (data,) = serde_json::from_str(data).with_context(unread)?;
                Ok(Some(Word::Answer { id: id.parse().with_context(unread)?, data }))
            }
            _ => bail!("the server ends the socket: {packet}"),
        }
    }
}
