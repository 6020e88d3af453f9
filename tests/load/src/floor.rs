//! The least that a chat server can do: what one client says is written to every connection, with the bytes of Natter's
//! frames, by one thread over epoll. No HTTP, no accounts, no history.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use natter_load::frame::{self, Frame, Side};
use socket2::{Domain, Socket, Type};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Writes {
    /// One write for each delivery.
    Each,
    /// One write to each listener for all that was said meanwhile.
    Coalesced,
}

const LISTENER: Token = Token(usize::MAX);
const BUFFER_BYTES: usize = 64 * 1024;
const BACKLOG: i32 = 1024;

pub fn serve(writes: Writes) -> Result<()> {
    let mut floor = Floor::new(writes)?;
    let mut events = Events::with_capacity(1024);
    println!("http://{}/", floor.listener.local_addr()?);
    loop {
        floor.poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                LISTENER => floor.accept()?,
                Token(speaker) => floor.hear(speaker)?,
            }
        }
        floor.write()?;
    }
}

struct Floor {
    writes: Writes,
    poll: Poll,
    listener: TcpListener,
    connections: Vec<Option<TcpStream>>,
    buffer: Box<[u8]>,
    /// Frames that are to be written to everybody.
    frames: Vec<u8>,
    seq: u64,
}

impl Floor {
    fn new(writes: Writes) -> Result<Self> {
        let poll = Poll::new()?;
        let mut listener = listen()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        Ok(Self { writes, poll, listener, connections: Vec::new(), buffer, frames: Vec::new(), seq: 0 })
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let mut connection = match self.listener.accept() {
                Ok((connection, _)) => connection,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            connection.set_nodelay(true)?;
            self.poll.registry().register(&mut connection, Token(self.connections.len()), Interest::READABLE)?;
            self.connections.push(Some(connection));
        }
    }

    fn hear(&mut self, speaker: usize) -> Result<()> {
        let Some(connection) = &mut self.connections[speaker] else { return Ok(()) };
        let read = match connection.read(&mut self.buffer) {
            Ok(0) => {
                self.connections[speaker] = None;
                return Ok(());
            }
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut rest = 0..read;
        while let Some((Frame { payload, .. }, behind)) = frame::split(&self.buffer[rest.clone()])? {
            rest.start = read - behind.len();
            self.seq += 1;
            put_message(&mut self.frames, payload, self.seq)?;
            if self.writes == Writes::Each {
                self.write()?;
            }
        }
        if rest.is_empty() { Ok(()) } else { bail!("a client's frame came in parts") }
    }

    fn write(&mut self) -> Result<()> {
        if self.frames.is_empty() {
            return Ok(());
        }
        for connection in self.connections.iter_mut().flatten() {
            match connection.write(&self.frames) {
                Ok(written) if written == self.frames.len() => {}
                Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {}
                Ok(_) => bail!("a client does not keep up"),
                Err(error) => return Err(error).context("a client does not keep up"),
            }
        }
        self.frames.clear();
        Ok(())
    }
}

/// With room for as many new connections as Natter has, which more clients come to than the usual 128.
fn listen() -> Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Turns what a client sends into Natter's frame.
fn put_message(out: &mut Vec<u8>, packet: &[u8], seq: u64) -> Result<()> {
    let text = packet.strip_prefix(br#"42["client-sent-message",{"message":""#);
    let text = text.and_then(|text| text.strip_suffix(br#""}]"#)).context("a client's packet is no message")?;
    let mut message = Vec::with_capacity(256);
    message.extend(br#"42["server-got-message",{"message":"load@example.org: "#);
    message.extend(text);
    write!(message, r#"","conversation":1,"seq":{seq},"author":1,"time":"2026-01-01T00:00:00.000000000Z"}}]"#)?;
    frame::put(out, Side::Server, frame::TEXT, &message);
    Ok(())
}
