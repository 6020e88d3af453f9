//! A TCP connection that is read until a deadline at most.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use socket2::{Domain, Socket, Type};

/// How long the server may take to accept a connection, and to take what is written.
const PATIENCE: Duration = Duration::from_secs(5);
/// Small, so that the server notices soon that a client does not read.
const RECEIVE_BUFFER: usize = 16 * 1024;
const READ_BYTES: usize = 16 * 1024;
/// A timeout of nothing would mean for ever.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

pub struct Tcp {
    stream: TcpStream,
    /// What has been read and not been taken yet.
    pub kept: Vec<u8>,
}

impl Tcp {
    /// Connects from the address `from`, of which each has some thirty thousand ports.
    pub fn dial(address: SocketAddr, from: Ipv4Addr) -> Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        if from != Ipv4Addr::LOCALHOST {
            socket.bind(&SocketAddr::from((from, 0)).into())?;
        }
        socket.connect_timeout(&address.into(), PATIENCE).with_context(|| format!("nobody listens at {address}"))?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, kept: Vec::new() })
    }

    /// The port of this side.
    pub fn port(&self) -> Result<u16> {
        Ok(self.stream.local_addr()?.port())
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Reads more; false where nothing came until `deadline`.
    ///
    /// # Errors
    /// Where the connection has ended.
    pub fn fill(&mut self, deadline: Instant) -> Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.stream.set_read_timeout(Some(left.max(SHORTEST_WAIT)))?;
        let before = self.kept.len();
        self.kept.resize(before + READ_BYTES, 0);
        let read = self.stream.read(&mut self.kept[before..]);
        self.kept.truncate(before + read.as_ref().map_or(0, |read| *read));
        match read {
            Ok(0) => bail!("the server has closed the connection"),
            Ok(_) => Ok(true),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) =>
            {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads and takes everything up to and with `end`, which must come before `deadline`.
    pub fn take_until(&mut self, end: &[u8], deadline: Instant) -> Result<Vec<u8>> {
        loop {
            if let Some(place) = self.kept.windows(end.len()).position(|window| window == end) {
                return Ok(self.kept.drain(..place + end.len()).collect());
            }
            if !self.fill(deadline)? && Instant::now() >= deadline {
                bail!("the server does not answer");
            }
        }
    }

    /// Breaks the connection, so that the other side finds it reset.
    pub fn reset(self) -> Result<()> {
        Ok(socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))?)
    }
}
