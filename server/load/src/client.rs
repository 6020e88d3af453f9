//! One client: its connection, and how far it has come.

use std::io::{ErrorKind, Read, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::frame::{self, Frame, Side};
use crate::plan::{Dialect, Opening, Target};

pub struct Client {
    stream: TcpStream,
    stage: Stage,
    /// What has been read and is not all there.
    partial: Vec<u8>,
    unsent: Vec<u8>,
    /// The last event before it was ready, which may tell why it was not let in.
    last_event: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Dialling,
    Upgrading,
    Connecting,
    Ready,
}

/// 16 bytes in base64, of no importance (RFC 6455, section 4.1).
const KEY: &str = "bmF0dGVyIGJlbmNoIC4uLg==";

impl Client {
    pub fn dial(target: &Target, registry: &Registry, token: Token) -> Result<Self> {
        let mut stream = TcpStream::connect(target.address).context("a client could not be started")?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        let (partial, unsent, last_event) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { stream, stage: Stage::Dialling, partial, unsent, last_event })
    }

    pub fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// The connection can be written to.
    pub fn on_writable(&mut self, target: &Target, dialect: &Dialect) -> Result<()> {
        if self.stage == Stage::Dialling {
            self.reach(target)?;
            self.stage = match dialect.opening {
                Opening::Bare => Stage::Ready,
                Opening::SocketIo { .. } => {
                    self.unsent.extend(upgrade_request(target).as_bytes());
                    Stage::Upgrading
                }
            };
        }
        self.flush()
    }

    fn reach(&self, target: &Target) -> Result<()> {
        if let Some(error) = self.stream.take_error()? {
            match error.kind() {
                ErrorKind::ConnectionRefused => bail!("nobody listens at {}", target.authority),
                _ => return Err(error).with_context(|| format!("{} cannot be reached", target.authority)),
            }
        }
        Ok(self.stream.set_nodelay(true)?)
    }

    /// There is something to read, or, if `is_closed`, the end; hands on each event that comes once the client is ready,
    /// with the time of reading.
    pub fn on_readable(
        &mut self,
        is_closed: bool,
        dialect: &Dialect,
        buffer: &mut [u8],
        mut hear: impl FnMut(&[u8], Instant),
    ) -> Result<()> {
        loop {
            let kept = self.partial.len();
            ensure!(kept < buffer.len(), "the server sends a packet of more than {kept} bytes");
            buffer[..kept].copy_from_slice(&self.partial);
            let filled = match self.stream.read(&mut buffer[kept..]) {
                Ok(0) => bail!(self.ended("closed a client's connection")),
                Ok(read) => kept + read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => bail!(self.ended(&format!("broke a client's connection ({error})"))),
            };
            let rest = self.take(dialect, &buffer[..filled], &mut hear)?;
            self.partial.clear();
            self.partial.extend_from_slice(rest);
            // A read that does not fill the buffer has emptied the socket; whatever comes later is an event of its own.
            if filled < buffer.len() && !is_closed {
                return Ok(());
            }
        }
    }

    /// Takes what is whole, and returns the rest.
    fn take<'a>(
        &mut self,
        dialect: &Dialect,
        bytes: &'a [u8],
        hear: &mut impl FnMut(&[u8], Instant),
    ) -> Result<&'a [u8]> {
        let now = Instant::now();
        let mut rest = bytes;
        if self.stage == Stage::Upgrading {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(bytes) };
            check_upgrade(&bytes[..end])?;
            self.stage = Stage::Connecting;
            rest = &bytes[end + 4..];
        }
        while let Some((Frame { opcode, payload }, behind)) = frame::split(rest)? {
            rest = behind;
            match opcode {
                frame::TEXT if self.is_ready() && payload.starts_with(b"42") => hear(payload, now),
                frame::TEXT => self.take_packet(dialect, payload)?,
                frame::PING => self.send(frame::PONG, payload)?,
                frame::CLOSE => bail!(self.ended("closed a client's websocket")),
                _ => {}
            }
        }
        Ok(rest)
    }

    /// Engine.IO's packets (protocol 4), and in its messages those of Socket.IO (protocol 5).
    fn take_packet(&mut self, dialect: &Dialect, packet: &[u8]) -> Result<()> {
        match packet {
            [b'0', ..] => self.send(frame::TEXT, b"40")?,
            [b'1', ..] | [b'4', b'1', ..] => bail!(self.ended("disconnected a client")),
            [b'2', ..] => self.send(frame::TEXT, b"3")?,
            [b'4', b'0', ..] => self.on_connected(dialect)?,
            [b'4', b'2', ..] => self.take_early_event(dialect, packet),
            [b'4', b'4', ..] => bail!("the server refuses connections: {}", String::from_utf8_lossy(packet)),
            _ => {}
        }
        Ok(())
    }

    fn on_connected(&mut self, dialect: &Dialect) -> Result<()> {
        if let Some(authentication) = dialect.authentication() {
            return self.send(frame::TEXT, authentication.packet());
        }
        self.stage = Stage::Ready;
        Ok(())
    }

    fn take_early_event(&mut self, dialect: &Dialect, packet: &[u8]) {
        if dialect.authentication().is_some_and(|authentication| authentication.succeeds_by(packet)) {
            self.stage = Stage::Ready;
            self.last_event = Vec::new();
        } else {
            self.last_event = packet.to_vec();
        }
    }

    /// What to say of a connection that the server has ended.
    fn ended(&self, how: &str) -> String {
        match (self.stage, &self.last_event[..]) {
            (Stage::Ready, _) => format!("the server {how} in the middle of the run"),
            (_, []) => format!("the server {how} before it was ready"),
            (_, last) => {
                format!("the server {how} before it was ready; the last event was {}", String::from_utf8_lossy(last))
            }
        }
    }

    fn send(&mut self, opcode: u8, payload: &[u8]) -> Result<()> {
        frame::put(&mut self.unsent, Side::Client, opcode, payload);
        self.flush()
    }

    /// What is appended here is sent by the next [`Self::flush`].
    pub fn outbox(&mut self) -> &mut Vec<u8> {
        &mut self.unsent
    }

    pub fn flush(&mut self) -> Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(written) => _ = self.unsent.drain(..written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => bail!(self.ended(&format!("broke a client's connection ({error})"))),
            }
        }
        Ok(())
    }
}

fn upgrade_request(Target { path, authority, .. }: &Target) -> String {
    format!(
        "GET {path}?EIO=4&transport=websocket HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
}

fn check_upgrade(head: &[u8]) -> Result<()> {
    let head = String::from_utf8_lossy(head);
    let status = head.lines().next().unwrap_or_default();
    ensure!(
        status.starts_with("HTTP/1.1 101"),
        "the server answers a websocket of Engine.IO 4 with {status:?}: is Socket.IO 3 or newer there?"
    );
    Ok(())
}
