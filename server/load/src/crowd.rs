//! Many clients in one thread.

use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::client::Client;
use crate::plan::{Dialect, Target};

pub struct Crowd {
    target: Target,
    dialect: Dialect,
    clients: Vec<Client>,
    /// How many clients are ready.
    ready: usize,
    poll: Poll,
    events: Events,
    buffer: Box<[u8]>,
    /// More precise than the milliseconds of [`Poll::poll`].
    timer: TimerFd,
    packet: Vec<u8>,
}

/// How many clients are on their way in at once.
const OPENING_AT_ONCE: usize = 64;
/// How many connections are looked at in one go.
const EVENTS: usize = 1024;
const BUFFER_BYTES: usize = 256 * 1024;
/// Files that are open beside the clients' connections.
const OTHER_FILES: u64 = 64;
/// The longest time in which nobody looks whether to stop.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
const TIMER: Token = Token(usize::MAX);

impl Crowd {
    pub fn new(target: Target, dialect: Dialect) -> Result<Self> {
        let poll = Poll::new()?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)?;
        poll.registry().register(&mut SourceFd(&timer.as_fd().as_raw_fd()), TIMER, Interest::READABLE)?;
        Ok(Self {
            target,
            dialect,
            clients: Vec::new(),
            ready: 0,
            poll,
            events: Events::with_capacity(EVENTS),
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            timer,
            packet: Vec::new(),
        })
    }

    /// How many clients are ready to talk.
    pub fn ready(&self) -> usize {
        self.ready
    }

    /// Lets more clients in, as many at once as is good, until there are `clients` of them.
    pub fn dial_up_to(&mut self, clients: usize) -> Result<()> {
        while self.clients.len() < clients.min(self.ready + OPENING_AT_ONCE) {
            let token = Token(self.clients.len());
            self.clients.push(Client::dial(&self.target, self.poll.registry(), token)?);
        }
        Ok(())
    }

    /// Waits for what comes until `deadline`, or a little less long, and hands on the messages: who heard them, the
    /// packet, and when it was read.
    pub fn turn(&mut self, deadline: Instant, mut hear: impl FnMut(usize, &[u8], Instant)) -> Result<()> {
        self.wait(deadline)?;
        for event in &self.events {
            let Token(index) = event.token();
            let Some(client) = self.clients.get_mut(index) else { continue };
            let was_ready = client.is_ready();
            if event.is_writable() {
                client.on_writable(&self.target, &self.dialect)?;
            }
            if event.is_readable() {
                client.on_readable(event.is_read_closed(), &self.dialect, &mut self.buffer, |packet, at| {
                    if self.dialect.brings_message(packet) {
                        hear(index, packet, at);
                    }
                })?;
            }
            if !was_ready && client.is_ready() {
                self.ready += 1;
            }
        }
        Ok(())
    }

    fn wait(&mut self, deadline: Instant) -> Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        // A timer of zero would never ring.
        let timeout = if left.is_zero() { Duration::ZERO } else { LONGEST_WAIT };
        if left < LONGEST_WAIT && !left.is_zero() {
            let once = Expiration::OneShot(TimeSpec::from_duration(left));
            self.timer.set(once, TimerSetTimeFlags::empty())?;
        }
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            polled => Ok(polled?),
        }
    }

    /// Lets a client send a message with the next [`Self::flush`].
    pub fn say(&mut self, client: usize, put_text: impl FnOnce(&mut Vec<u8>)) {
        self.dialect.put_message(self.clients[client].outbox(), &mut self.packet, put_text);
    }

    pub fn flush(&mut self, client: usize) -> Result<()> {
        self.clients[client].flush()
    }
}

/// Makes sure that this process may have so many clients.
pub fn allow(clients: usize) -> Result<()> {
    let wanted = clients as u64 + OTHER_FILES;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    ensure!(
        wanted <= hard,
        "{clients} clients need {wanted} open files, and this process may have {hard}: raise `ulimit -Hn`"
    );
    if soft < wanted {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).context("the limit of open files cannot be raised")?;
    }
    Ok(())
}
