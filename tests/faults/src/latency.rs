//! Whether those who talk are disturbed by others: how long a message takes, beside sign-ins, slow readers and strangers.

use std::collections::{HashSet, VecDeque};
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::Scope;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use natter_load::plan::{self, Authentication, Opening, Pace, Target};
use natter_load::report::Latency;
use natter_load::{Report, rest};

use crate::link::{Dialect, Link, Protocol, Transport, Way};
use crate::node::Site;
use crate::socket::Socket;

pub struct Plan<'a> {
    pub natter: &'a Path,
    pub rounds: u32,
    /// How long each is measured.
    pub duration: Duration,
}

/// Who reads nothing answers no ping, and is to stay all the same.
const SETTINGS: [(&str, &str); 1] = [("NATTER_GATEWAY__PING_TIMEOUT", "60000")];
const LISTENERS: usize = 200;
const SENDERS: u16 = 10;
const MESSAGES_PER_SECOND: f64 = 20.0;
const WARM_UP: Duration = Duration::from_secs(2);
/// After the others have gone, before the next talk.
const SETTLE: Duration = Duration::from_secs(3);
/// Beside others a message may take less than so many times what it takes alone.
const LIMIT: f64 = 2.0;

const SIGN_INS_AT_ONCE: usize = 60;
const SLOW_READERS: usize = 200;
const STRANGERS: usize = 2_000;
/// So many threads keep the strangers.
const KEEPERS: usize = 8;
/// A little more than a stranger is let stay without authentication.
const STAY: Duration = Duration::from_millis(1_050);
const TICK: Duration = Duration::from_millis(20);

const EMAIL: &str = "latency@example.org";
const PASSWORD: &str = "qwerty";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Company {
    Nobody,
    SignIns,
    SlowReaders,
    Strangers,
    NobodyAgain,
}

const ALL: [Company; 5] =
    [Company::Nobody, Company::SignIns, Company::SlowReaders, Company::Strangers, Company::NobodyAgain];

impl Company {
    fn title(self) -> &'static str {
        match self {
            Self::Nobody => "alone",
            Self::SignIns => "beside 60 sign-ins",
            Self::SlowReaders => "beside 200 slow readers",
            Self::Strangers => "beside 2,000 strangers",
            Self::NobodyAgain => "alone again",
        }
    }

    /// How many are to come at least.
    fn expected(self) -> usize {
        match self {
            Self::Nobody | Self::NobodyAgain => 0,
            Self::SignIns => SIGN_INS_AT_ONCE,
            Self::SlowReaders => SLOW_READERS,
            Self::Strangers => STRANGERS,
        }
    }
}

struct Measured {
    latency: Latency,
    /// Who has signed in, owes the server the reading of what it has sent, or has been let in as a stranger.
    came: usize,
}

/// A round's figures, in the order of [`ALL`].
type Round = Vec<Measured>;

pub struct Outcome {
    rounds: Vec<Round>,
    lost: u64,
}

pub fn run(plan: &Plan) -> Result<Outcome> {
    natter_load::allow(2 * LISTENERS + SLOW_READERS + STRANGERS)?;
    let site = Site::new(plan.natter, None, &SETTINGS)?;
    let node = site.start(1)?;
    let target = node.target()?;
    rest::sign_up(&target, EMAIL, PASSWORD)?;
    let place = Place { token: rest::sign_in(&target, EMAIL, PASSWORD)?, target };
    let (mut rounds, mut lost) = (Vec::new(), 0);
    for number in 1..=plan.rounds {
        let mut round = Vec::new();
        for company in ALL {
            eprintln!("round {number}: {}", company.title());
            let (report, came) = place.measure(company, plan.duration)?;
            let talk = report.talk.context("nothing was said")?;
            lost += talk.faults.lost;
            round.push(Measured { latency: talk.latency, came });
            std::thread::sleep(SETTLE);
        }
        rounds.push(round);
    }
    Ok(Outcome { rounds, lost })
}

struct Place {
    target: Target,
    token: String,
}

impl Place {
    /// Returns how many have come, too.
    fn measure(&self, company: Company, duration: Duration) -> Result<(Report, usize)> {
        let (stop, came) = (AtomicBool::new(false), AtomicUsize::new(0));
        let report = std::thread::scope(|scope| {
            // Its end is to be told to the others even where the talk has failed.
            let report = self.invite(scope, company, &stop, &came).and_then(|()| self.talk(duration));
            stop.store(true, Ordering::Relaxed);
            report
        });
        Ok((report?, came.into_inner()))
    }

    fn talk(&self, duration: Duration) -> Result<Report> {
        let authentication =
            Authentication::new(r#"["authentication",{"token":"TOKEN"}]"#, &self.token, "authenticated")?;
        let opening = Opening::SocketIo { authentication: Some(authentication) };
        let dialect =
            plan::Dialect::new(opening, r#"["client-sent-message",{"message":"TEXT"}]"#, "server-got-message")?;
        let pace = Pace::MessagesPerSecond(MESSAGES_PER_SECOND);
        let plan = natter_load::Plan {
            target: self.target.clone(),
            dialect,
            clients: LISTENERS,
            settle: Duration::ZERO,
            load: plan::Load::Talk { pace, senders: SENDERS, warm_up: WARM_UP, duration },
            server: None,
        };
        natter_load::run(&plan, &AtomicBool::new(false))
    }

    /// Lets the company come, until `stop` is set.
    fn invite<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        company: Company,
        stop: &'scope AtomicBool,
        came: &'scope AtomicUsize,
    ) -> Result<()> {
        match company {
            Company::Nobody | Company::NobodyAgain => {}
            Company::SignIns => {
                for _ in 0..SIGN_INS_AT_ONCE {
                    scope.spawn(|| self.sign_in_again_and_again(stop, came));
                }
            }
            Company::SlowReaders => {
                let dialect = Dialect { protocol: Protocol::Four, transport: Transport::Websocket };
                let readers: Result<Vec<_>> =
                    (0..SLOW_READERS).map(|_| Socket::enter(self.way(), dialect, &self.token)).collect();
                let readers = readers?;
                scope.spawn(move || {
                    wait_for(stop);
                    match self.count_owing(&readers) {
                        Ok(owing) => _ = came.fetch_add(owing, Ordering::Relaxed),
                        Err(error) => eprintln!("faults: {error:#}"),
                    }
                });
            }
            Company::Strangers => {
                for _ in 0..KEEPERS {
                    scope.spawn(|| self.keep_strangers(STRANGERS / KEEPERS, stop, came));
                }
            }
        }
        Ok(())
    }

    fn way(&self) -> Way {
        Way { to: self.target.address, from: Ipv4Addr::LOCALHOST }
    }

    fn sign_in_again_and_again(&self, stop: &AtomicBool, came: &AtomicUsize) {
        while !stop.load(Ordering::Relaxed) {
            match rest::sign_in(&self.target, EMAIL, PASSWORD) {
                Ok(_) => _ = came.fetch_add(1, Ordering::Relaxed),
                Err(error) => eprintln!("faults: {error:#}"),
            }
        }
    }

    /// To how many of these readers the server's side holds what they do not take.
    fn count_owing(&self, readers: &[Socket]) -> Result<usize> {
        let ports: HashSet<_> = readers.iter().map(|reader| reader.link.port()).collect::<Result<_>>()?;
        let table = fs::read_to_string("/proc/net/tcp").context("the table of connections cannot be read")?;
        let own = self.target.address.port();
        let is_owing = |line: &&str| owing(line).is_some_and(|(from, to)| from == own && ports.contains(&to));
        Ok(table.lines().filter(is_owing).count())
    }

    /// Keeps `count` connected, and opens a new one for each that the server has ended.
    fn keep_strangers(&self, count: usize, stop: &AtomicBool, came: &AtomicUsize) {
        let dialect = Dialect { protocol: Protocol::Four, transport: Transport::Websocket };
        let mut strangers: VecDeque<(Instant, Link)> = VecDeque::new();
        while !stop.load(Ordering::Relaxed) {
            if strangers.len() < count {
                let opened = Link::open(self.way(), dialect).and_then(|mut link| link.send("0").map(|()| link));
                match opened {
                    Ok(link) => {
                        came.fetch_add(1, Ordering::Relaxed);
                        strangers.push_back((Instant::now(), link));
                    }
                    Err(error) => eprintln!("faults: {error:#}"),
                }
            } else if let Some((since, link)) = strangers.pop_front() {
                std::thread::sleep(STAY.saturating_sub(since.elapsed()));
                drop(link);
            }
        }
    }
}

/// The ports of both sides of a connection, of a line of Linux's table, where something waits to be sent over it (proc(5)).
fn owing(line: &str) -> Option<(u16, u16)> {
    let mut fields = line.split_whitespace().skip(1);
    let mut port = || u16::from_str_radix(fields.next()?.rsplit_once(':')?.1, 16).ok();
    let (from, to) = (port()?, port()?);
    let (waiting, _) = fields.nth(1)?.split_once(':')?;
    (u64::from_str_radix(waiting, 16).ok()? > 0).then_some((from, to))
}

fn wait_for(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(TICK);
    }
}

impl Outcome {
    pub fn is_fine(&self) -> bool {
        let is_there = |(company, measured): (&Company, &Measured)| measured.came >= company.expected();
        self.lost == 0
            && self.rounds.iter().all(|round| ALL.iter().zip(round).all(is_there))
            && (0..ALL.len()).all(|company| median(&self.ratios(company)) < LIMIT)
    }

    /// Each round's p99 as a multiple of that round's alone, the smallest first.
    fn ratios(&self, company: usize) -> Vec<f64> {
        sorted(self.rounds.iter().map(|round| round[company].latency.p99_ms / round[0].latency.p99_ms))
    }

    fn figures(&self, company: usize, figure: fn(&Latency) -> f64) -> Vec<f64> {
        sorted(self.rounds.iter().map(|round| figure(&round[company].latency)))
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<26}{:>18}{:>22}{:>18}{:>12}", "", "p50 ms", "p99 ms", "p99 × alone", "came")?;
        for (company, title) in ALL.map(Company::title).into_iter().enumerate() {
            let p50 = spread(&self.figures(company, |latency| latency.p50_ms));
            let p99 = spread(&self.figures(company, |latency| latency.p99_ms));
            let came = self.rounds.iter().map(|round| round[company].came).min().unwrap_or_default();
            writeln!(f, "{title:<26}{p50:>18}{p99:>22}{:>18}{came:>12}", spread(&self.ratios(company)))?;
        }
        writeln!(
            f,
            "Minimum–median–maximum of {} rounds, the least that came; {} deliveries lost.",
            self.rounds.len(),
            self.lost
        )?;
        writeln!(f, "{}", if self.is_fine() { "Nobody is disturbed." } else { "This is too much." })
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn spread(sorted: &[f64]) -> String {
    let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else { return String::new() };
    format!("{least:.2}–{:.2}–{most:.2}", median(sorted))
}
