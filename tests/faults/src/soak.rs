//! The soak: clients come and go by the hundred thousand, and the server is to be as large afterwards as before.

use std::fmt::{self, Display, Formatter};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use natter_load::plan::Target;
use natter_load::process::Server;
use natter_load::rest;
use serde_json::json;

use crate::link::{Dialect, Way};
use crate::node::Site;
use crate::socket::Socket;

pub struct Plan<'a> {
    pub natter: &'a Path,
    pub connects: u64,
    /// Behind so many connections the server is as large as it is to stay.
    pub first: u64,
    pub at_once: u64,
}

/// How much the server may grow by.
const MEMORY_PERCENT: u64 = 5;
const DESCRIPTORS: usize = 10;

/// Nobody is to be dismissed because this machine is slow.
const SETTINGS: [(&str, &str); 1] = [("NATTER_GATEWAY__AUTH_TIMEOUT", "10000")];
/// One connection of so many says something, …
const SAYS: u64 = 19;
/// … signs in anew, …
const SIGNS_IN: u64 = 1_000;
/// … and goes without closing its session, which the server has to find out.
const VANISHES: u64 = 53;
/// At the beginning.
const SIGN_INS_AT_ONCE: usize = 50;
/// How long the server may take to let go of all who have gone.
const SETTLE: Duration = Duration::from_secs(10);
const PROGRESS: u64 = 100_000;
/// Each address of the clients' has ports enough for those that are still closing.
const ADDRESSES: u64 = 2_000;

const EMAIL: &str = "soak@example.org";
const PASSWORD: &str = "qwerty";

/// How large the server is when nobody is connected.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    connects: u64,
    resident: u64,
    descriptors: usize,
}

pub struct Outcome {
    first: Size,
    last: Size,
    failures: u64,
    failure: Option<String>,
    took: Duration,
}

pub fn run(plan: &Plan) -> Result<Outcome> {
    ensure!(
        plan.connects > plan.first,
        "the server is measured behind {} connections, and there must be more",
        plan.first
    );
    let site = Site::new(plan.natter, None, &SETTINGS)?;
    let node = site.start(1)?;
    let (target, server) = (node.target()?, node.server()?);
    rest::sign_up(&target, EMAIL, PASSWORD)?;
    let token = rest::sign_in(&target, EMAIL, PASSWORD)?;
    let soak = Soak { target, token, number: AtomicU64::new(0), failures: AtomicU64::new(0) };
    let began = Instant::now();
    soak.sign_in_at_once()?;
    let mut failure = soak.go(plan, plan.first)?;
    let first = soak.measure(&server)?;
    println!("{first}");
    let mut last = first;
    while soak.number.load(Ordering::Relaxed) < plan.connects {
        let next = soak.number.load(Ordering::Relaxed) + PROGRESS;
        failure = failure.or(soak.go(plan, next.min(plan.connects))?);
        last = soak.measure(&server)?;
        println!("{last}");
    }
    Ok(Outcome { first, last, failures: soak.failures.into_inner(), failure, took: began.elapsed() })
}

struct Soak {
    target: Target,
    token: String,
    /// Counts the connections.
    number: AtomicU64,
    failures: AtomicU64,
}

impl Soak {
    /// Connects until there have been `until` connections; returns the first failure.
    fn go(&self, plan: &Plan, until: u64) -> Result<Option<String>> {
        let crowd = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..plan.at_once).map(|_| scope.spawn(|| self.come_and_go(until))).collect();
            clients.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>()
        });
        self.number.store(until, Ordering::Relaxed);
        let mut first = None;
        for failure in crowd {
            first = first.or(failure.ok().context("a client has panicked")?);
        }
        Ok(first)
    }

    /// Lets each of the server's threads that check passwords take the memory that it keeps.
    fn sign_in_at_once(&self) -> Result<()> {
        std::thread::scope(|scope| {
            let sign_in = || rest::sign_in(&self.target, EMAIL, PASSWORD);
            let clients: Vec<_> = (0..SIGN_INS_AT_ONCE).map(|_| scope.spawn(sign_in)).collect();
            clients.into_iter().try_for_each(|client| client.join().ok().context("a client has panicked")?.map(drop))
        })
    }

    fn come_and_go(&self, until: u64) -> Option<String> {
        let mut first = None;
        loop {
            let number = self.number.fetch_add(1, Ordering::Relaxed);
            if number >= until {
                return first;
            }
            if let Err(error) = self.visit(number) {
                self.failures.fetch_add(1, Ordering::Relaxed);
                first.get_or_insert_with(|| format!("connection {number}: {error:#}"));
            }
        }
    }

    fn visit(&self, number: u64) -> Result<()> {
        let [.., high, low] = (number % ADDRESSES).to_be_bytes();
        let way = Way { to: self.target.address, from: Ipv4Addr::new(127, 1, high, low) };
        let dialect = Dialect::nth(usize::try_from(number)?);
        let mut socket = if number.is_multiple_of(SIGNS_IN) {
            Socket::enter(way, dialect, &rest::sign_in(&self.target, EMAIL, PASSWORD)?)?
        } else {
            Socket::enter(way, dialect, &self.token)?
        };
        // By its number among those of its dialect, so that each of them does everything.
        let turn = number / Dialect::COUNT;
        if turn.is_multiple_of(SAYS) {
            socket.emit("client-sent-message", &json!({ "message": format!("number {number}") }))?;
        }
        match turn % VANISHES {
            0 => Ok(()),
            1..10 => socket.link.reset(),
            _ => socket.link.close(),
        }
    }

    /// Waits until everybody has been found gone.
    fn measure(&self, server: &Server) -> Result<Size> {
        std::thread::sleep(SETTLE);
        let connects = self.number.load(Ordering::Relaxed);
        Ok(Size { connects, resident: server.resident()?, descriptors: server.descriptors()? })
    }
}

impl Outcome {
    pub fn is_fine(&self) -> bool {
        self.failures == 0
            && self.last.resident * 100 <= self.first.resident * (100 + MEMORY_PERCENT)
            && self.last.descriptors <= self.first.descriptors + DESCRIPTORS
    }
}

impl Display for Size {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { connects, resident, descriptors } = self;
        write!(f, "{connects} connections: {} KiB in memory, {descriptors} descriptors", resident / 1024)
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { first, last, failures, failure, took } = self;
        writeln!(f, "Behind {first}\nand at {last}, after {} s", took.as_secs())?;
        if let Some(failure) = failure {
            writeln!(f, "{failures} connections have failed, such as {failure}")?;
        }
        writeln!(f, "{}", if self.is_fine() { "The server has not grown." } else { "This is too much." })
    }
}
