//! Engine.IO, protocols 3 and 4, over polling and websockets.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use natter_load::frame::{self, Frame, Side};
use serde_json::Value;

use crate::tcp::Tcp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Three,
    Four,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Polling,
    Websocket,
    /// Polling, then a websocket.
    Upgrade,
}

#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    pub protocol: Protocol,
    pub transport: Transport,
}

/// Where the server is, and by which address it is gone to.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub to: SocketAddr,
    pub from: Ipv4Addr,
}

/// The server's heartbeat where these clients talk to it, in milliseconds.
pub const HEARTBEAT: [(&str, &str); 2] =
    [("NATTER_GATEWAY__PING_INTERVAL", "2000"), ("NATTER_GATEWAY__PING_TIMEOUT", "3000")];
const PING_INTERVAL: Duration = Duration::from_secs(2);
/// A server that has been silent for so long is gone.
const SILENCE: Duration = Duration::from_secs(6);
/// How long the steps of an opening may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// What stands between packets in a body of protocol 4.
const SEPARATOR: char = '\x1e';

impl Dialect {
    pub const COUNT: u64 = 6;

    /// All there are, in turns.
    pub fn nth(number: usize) -> Self {
        let protocol = if number.is_multiple_of(2) { Protocol::Four } else { Protocol::Three };
        let transport = [Transport::Websocket, Transport::Upgrade, Transport::Polling][number / 2 % 3];
        Self { protocol, transport }
    }

    fn number(self) -> u8 {
        match self.protocol {
            Protocol::Three => 3,
            Protocol::Four => 4,
        }
    }
}

/// A connection that Socket.IO's packets go over.
pub struct Link {
    protocol: Protocol,
    wire: Wire,
    inbox: VecDeque<String>,
    heard_at: Instant,
    pinged_at: Instant,
}

enum Wire {
    Polling(Polling),
    Websocket(Tcp),
}

impl Link {
    /// Opens a connection, and goes over to a websocket if that is the dialect's way.
    pub fn open(way: Way, dialect: Dialect) -> Result<Self> {
        let (wire, packets) = match dialect.transport {
            Transport::Websocket => (Wire::Websocket(dial_websocket(way, dialect, "")?), Vec::new()),
            Transport::Polling | Transport::Upgrade => {
                let (polling, packets) = Polling::open(way, dialect)?;
                (Wire::Polling(polling), packets)
            }
        };
        let now = Instant::now();
        let mut link = Self { protocol: dialect.protocol, wire, inbox: packets.into(), heard_at: now, pinged_at: now };
        let opened = link.next_packet(now + PATIENCE)?.context("the server does not open")?;
        ensure!(opened.starts_with('0'), "{opened} is not the open packet");
        if dialect.transport == Transport::Upgrade {
            link.upgrade(way, dialect, &opened)?;
        }
        Ok(link)
    }

    /// Waits for one poll to end, as clients do: what it brings is not lost.
    fn upgrade(&mut self, way: Way, dialect: Dialect, opened: &str) -> Result<()> {
        let Wire::Polling(polling) = &mut self.wire else { bail!("it is a websocket already") };
        polling.begin()?;
        let mut websocket = dial_websocket(way, dialect, &format!("&sid={}", session(opened)?))?;
        put(&mut websocket, frame::TEXT, "2probe")?;
        let deadline = Instant::now() + PATIENCE;
        let probed = loop {
            if let Some(packet) = next_frame(&mut websocket, deadline)? {
                break packet;
            }
            ensure!(Instant::now() < deadline, "the probe is not answered");
        };
        ensure!(probed == "3probe", "the probe is answered with {probed}");
        let packets = polling.next(deadline)?;
        ensure!(!packets.is_empty(), "the poll does not end");
        self.inbox.extend(packets);
        put(&mut websocket, frame::TEXT, "5")?;
        self.wire = Wire::Websocket(websocket);
        Ok(())
    }

    /// Sends a packet of Socket.IO.
    pub fn send(&mut self, packet: &str) -> Result<()> {
        self.send_packet(&format!("4{packet}"))
    }

    fn send_packet(&mut self, packet: &str) -> Result<()> {
        match &mut self.wire {
            Wire::Polling(polling) => polling.post(packet),
            Wire::Websocket(tcp) => put(tcp, frame::TEXT, packet),
        }
    }

    /// The next packet of Socket.IO; nothing where none came until `deadline`.
    ///
    /// # Errors
    /// Where the connection has ended, or the server is silent for too long.
    pub fn next(&mut self, deadline: Instant) -> Result<Option<String>> {
        while let Some(packet) = self.next_packet(deadline)? {
            match packet.split_at_checked(1) {
                Some(("4", packet)) => return Ok(Some(packet.to_owned())),
                Some(("2", _)) => self.send_packet("3")?,
                Some(("3" | "6", _)) => {}
                _ => bail!("the server ends the connection: {packet}"),
            }
        }
        Ok(None)
    }

    fn next_packet(&mut self, deadline: Instant) -> Result<Option<String>> {
        loop {
            if let Some(packet) = self.inbox.pop_front() {
                return Ok(Some(packet));
            }
            if self.protocol == Protocol::Three && self.pinged_at.elapsed() > PING_INTERVAL {
                self.pinged_at = Instant::now();
                self.send_packet("2")?;
            }
            match &mut self.wire {
                Wire::Polling(polling) => self.inbox.extend(polling.next(deadline)?),
                Wire::Websocket(tcp) => self.inbox.extend(next_frame(tcp, deadline)?),
            }
            if !self.inbox.is_empty() {
                self.heard_at = Instant::now();
            } else if self.heard_at.elapsed() > SILENCE {
                bail!("the server is silent");
            } else if Instant::now() >= deadline {
                return Ok(None);
            }
        }
    }

    /// Not reading on purpose is no silence of the server's.
    pub fn forgive_silence(&mut self) {
        self.heard_at = Instant::now();
    }

    /// The client's port; of a polling client that by which it asks.
    pub fn port(&self) -> Result<u16> {
        match &self.wire {
            Wire::Polling(Polling { polls: tcp, .. }) | Wire::Websocket(tcp) => tcp.port(),
        }
    }

    /// Takes leave as clients do.
    pub fn close(mut self) -> Result<()> {
        self.send("1")?;
        match &mut self.wire {
            Wire::Polling(polling) => polling.post("1"),
            Wire::Websocket(tcp) => put(tcp, frame::CLOSE, ""),
        }
    }

    /// Breaks off, so that the other side finds the connection reset.
    pub fn reset(self) -> Result<()> {
        match self.wire {
            Wire::Polling(Polling { polls, posts, .. }) => polls.reset().and(posts.reset()),
            Wire::Websocket(tcp) => tcp.reset(),
        }
    }
}

fn session(opened: &str) -> Result<String> {
    let open: Value = serde_json::from_str(&opened[1..]).with_context(|| format!("{opened} is no open packet"))?;
    Ok(open["sid"].as_str().with_context(|| format!("{opened} names no session"))?.to_owned())
}

fn dial_websocket(way: Way, dialect: Dialect, more: &str) -> Result<Tcp> {
    let mut tcp = Tcp::dial(way.to, way.from)?;
    let (protocol, host) = (dialect.number(), way.to);
    tcp.send(
        format!(
            "GET /socket.io/?EIO={protocol}&transport=websocket{more} HTTP/1.1\r\nHost: {host}\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: bmF0dGVyIGZhdWx0cyAuLg==\r\n\r\n"
        )
        .as_bytes(),
    )?;
    let head = tcp.take_until(b"\r\n\r\n", Instant::now() + PATIENCE)?;
    ensure!(head.starts_with(b"HTTP/1.1 101"), "no websocket: {}", String::from_utf8_lossy(&head));
    Ok(tcp)
}

fn put(tcp: &mut Tcp, opcode: u8, payload: &str) -> Result<()> {
    let mut bytes = Vec::new();
    frame::put(&mut bytes, Side::Client, opcode, payload.as_bytes());
    tcp.send(&bytes)
}

fn next_frame(tcp: &mut Tcp, deadline: Instant) -> Result<Option<String>> {
    loop {
        if let Some((Frame { opcode, payload }, rest)) = frame::split(&tcp.kept)? {
            let text = String::from_utf8_lossy(payload).into_owned();
            let taken = tcp.kept.len() - rest.len();
            tcp.kept.drain(..taken);
            match opcode {
                frame::TEXT => return Ok(Some(text)),
                frame::CLOSE => bail!("the server has closed the websocket"),
                frame::PING => put(tcp, frame::PONG, &text)?,
                _ => {}
            }
        } else if !tcp.fill(deadline)? {
            return Ok(None);
        }
    }
}

/// One connection to ask for what there is, and one to send.
struct Polling {
    protocol: Protocol,
    head: String,
    polls: Tcp,
    posts: Tcp,
    is_asked: bool,
}

impl Polling {
    /// Opens a session. Returns the packets of the first answer, too.
    fn open(way: Way, dialect: Dialect) -> Result<(Self, Vec<String>)> {
        let Dialect { protocol, .. } = dialect;
        // As text, which protocol 3 sends to who says that it cannot take binary.
        let text = if protocol == Protocol::Three { "&b64=1" } else { "" };
        let path = format!("/socket.io/?EIO={}&transport=polling{text}", dialect.number());
        let head = |path: &str| format!("{path} HTTP/1.1\r\nHost: {}\r\n", way.to);
        let (polls, posts) = (Tcp::dial(way.to, way.from)?, Tcp::dial(way.to, way.from)?);
        let mut polling = Self { protocol, head: head(&path), polls, posts, is_asked: false };
        let deadline = Instant::now() + PATIENCE;
        let packets = polling.next(deadline)?;
        let opened = packets.first().context("the server does not open a session")?;
        polling.head = head(&format!("{path}&sid={}", session(opened)?));
        Ok((polling, packets))
    }

    fn begin(&mut self) -> Result<()> {
        if !self.is_asked {
            self.polls.send(format!("GET {}\r\n", self.head).as_bytes())?;
            self.is_asked = true;
        }
        Ok(())
    }

    /// The packets of the next answer; none where it did not come until `deadline`.
    fn next(&mut self, deadline: Instant) -> Result<Vec<String>> {
        self.begin()?;
        loop {
            if let Some(body) = take_answer(&mut self.polls)? {
                self.is_asked = false;
                return decode(self.protocol, &body);
            }
            if !self.polls.fill(deadline)? {
                return Ok(Vec::new());
            }
        }
    }

    fn post(&mut self, packet: &str) -> Result<()> {
        let body = match self.protocol {
            Protocol::Three => format!("{}:{packet}", packet.encode_utf16().count()),
            Protocol::Four => packet.to_owned(),
        };
        let (head, length) = (&self.head, body.len());
        let request =
            format!("POST {head}Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {length}\r\n\r\n{body}");
        self.posts.send(request.as_bytes())?;
        let deadline = Instant::now() + SILENCE;
        while take_answer(&mut self.posts)?.is_none() {
            if !self.posts.fill(deadline)? && Instant::now() >= deadline {
                bail!("a post is not answered");
            }
        }
        Ok(())
    }
}

/// The body of an answer, once all of it is there.
fn take_answer(tcp: &mut Tcp) -> Result<Option<String>> {
    let Some(end) = tcp.kept.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&tcp.kept[..end]).into_owned();
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    let length = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.with_context(|| format!("no length: {head}"))?.1.trim().parse()?;
    let all = end + 4 + length;
    if tcp.kept.len() < all {
        return Ok(None);
    }
    let body = String::from_utf8_lossy(&tcp.kept[end + 4..all]).into_owned();
    tcp.kept.drain(..all);
    ensure!(
        head.starts_with("HTTP/1.1 200"),
        "the session has ended: {} {body}",
        head.lines().next().unwrap_or_default()
    );
    Ok(Some(body))
}

fn decode(protocol: Protocol, body: &str) -> Result<Vec<String>> {
    match protocol {
        Protocol::Four => Ok(body.split(SEPARATOR).map(str::to_owned).collect()),
        Protocol::Three => {
            let mut packets = Vec::new();
            let mut rest = body;
            while let Some((length, behind)) = rest.split_once(':') {
                let units: Vec<u16> = behind.encode_utf16().take(length.parse()?).collect();
                let packet = String::from_utf16(&units)?;
                rest = behind.get(packet.len()..).with_context(|| format!("{body} is cut off"))?;
                packets.push(packet);
            }
            Ok(packets)
        }
    }
}
