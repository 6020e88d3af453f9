//! The phases of a run, one after the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::crowd::{self, Crowd};
use crate::plan::{Load, Pace, Plan};
use crate::process;
use crate::record::Record;
use crate::report::{Arrival, Latency, Report, Talk, float};

/// How long nobody may come in before the arrival has failed, and nothing be heard before the rest is lost.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(15);
const DRAIN_PATIENCE: Duration = Duration::from_secs(2);
/// How long the rest of the messages may take at all.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);
/// How long repetitions are listened for once everything has been heard.
const AFTERMATH: Duration = Duration::from_millis(200);
const TICK: Duration = Duration::from_millis(100);

/// Carries out `plan`. With `stop` set, a talk ends early and what was measured so far is reported.
///
/// # Errors
/// Where the server is not there or turns clients away, and where it is stopped before anything was measured.
pub fn run(plan: &Plan, stop: &AtomicBool) -> Result<Report> {
    crowd::allow(plan.clients)?;
    let senders = match plan.load {
        Load::Idle => 0,
        Load::Talk { senders, .. } => senders.min(u16::try_from(plan.clients).unwrap_or(u16::MAX)),
    };
    let mut run = Run {
        plan,
        stop,
        senders,
        crowd: Crowd::new(plan.target.clone(), plan.dialect.clone())?,
        record: Record::new(plan.clients, senders)?,
    };
    run.all()
}

struct Run<'a> {
    plan: &'a Plan,
    stop: &'a AtomicBool,
    senders: u16,
    crowd: Crowd,
    record: Record,
}

/// Where things stand at one moment.
struct Mark {
    at: Instant,
    heard: u64,
    server: Option<Duration>,
    own: Duration,
}

impl Run<'_> {
    fn all(&mut self) -> Result<Report> {
        let resident_before = self.resident()?;
        let arrival = self.gather()?;
        self.wait_until(Instant::now() + self.plan.settle)?;
        let clients = self.plan.clients;
        let grown = self.resident()?.zip(resident_before).map(|(after, before)| float(after) - float(before));
        let kib_per_client = grown.map(|bytes| bytes / 1024.0 / float(clients as u64));
        let talk = match self.plan.load {
            Load::Idle => None,
            Load::Talk { pace, warm_up, duration, .. } => Some(self.talk(pace, warm_up, duration)?),
        };
        Ok(Report { clients, arrival, kib_per_client, talk })
    }

    fn gather(&mut self) -> Result<Arrival> {
        let before = self.mark()?;
        let (mut ready, mut last) = (0, before.at);
        while self.crowd.ready() < self.plan.clients {
            self.crowd.dial_up_to(self.plan.clients)?;
            self.turn(Instant::now() + TICK)?;
            if self.is_stopped() {
                bail!("stopped while clients were connecting");
            }
            if self.crowd.ready() > ready {
                (ready, last) = (self.crowd.ready(), Instant::now());
            }
            if last.elapsed() > ARRIVAL_PATIENCE {
                bail!("{ready} clients were let in, then none for {} s", ARRIVAL_PATIENCE.as_secs());
            }
        }
        let after = self.mark()?;
        Ok(Arrival {
            seconds: (after.at - before.at).as_secs_f64(),
            server_us_per_client: microseconds_each(after.server, before.server, self.plan.clients as u64),
        })
    }

    fn talk(&mut self, pace: Pace, warm_up: Duration, duration: Duration) -> Result<Talk> {
        let (begin, end) = match pace {
            Pace::MessagesPerSecond(rate) => {
                self.speak_every(Duration::from_secs_f64(1.0 / rate), warm_up, duration)?
            }
            Pace::Window(window) => self.speak_within(window, warm_up, duration)?,
        };
        self.drain()?;
        let deliveries = end.heard - begin.heard;
        let own = microseconds_each(Some(end.own), Some(begin.own), deliveries);
        Ok(Talk {
            seconds: (end.at - begin.at).as_secs_f64(),
            deliveries,
            server_us_per_delivery: microseconds_each(end.server, begin.server, deliveries),
            generator_us_per_delivery: own.unwrap_or_default(),
            latency: self.latency(),
            faults: self.record.faults(),
        })
    }

    /// One message every `interval`, whatever becomes of those before. The measurement begins and ends just before a
    /// message is due, when those before have mostly been heard.
    fn speak_every(&mut self, interval: Duration, warm_up: Duration, duration: Duration) -> Result<(Mark, Mark)> {
        let mut due = Instant::now();
        let (begin_at, end_at) = (due + warm_up, due + warm_up + duration);
        let mut first = None;
        for sender in (0..self.senders).cycle() {
            self.wait_until(due)?;
            if first.is_none() && due >= begin_at {
                first = Some(self.begin(due)?);
            }
            if due >= end_at || self.is_stopped() {
                break;
            }
            self.say(sender, due);
            self.crowd.flush(self.client_of(sender))?;
            due += interval;
        }
        self.record.measure_until(due);
        Ok((first.context(STOPPED)?, self.mark()?))
    }

    /// Each sender speaks as soon as everybody has heard enough of what it said before.
    fn speak_within(&mut self, window: u32, warm_up: Duration, duration: Duration) -> Result<(Mark, Mark)> {
        let began = Instant::now();
        let outstanding_limit = u64::from(window) * self.plan.clients as u64;
        let mut first = None;
        while began.elapsed() < warm_up + duration && !self.is_stopped() {
            for sender in 0..self.senders {
                while self.record.outstanding(sender) < outstanding_limit {
                    self.say(sender, Instant::now());
                }
                self.crowd.flush(self.client_of(sender))?;
            }
            self.turn(Instant::now() + TICK)?;
            if first.is_none() && began.elapsed() >= warm_up {
                first = Some(self.begin(Instant::now())?);
            }
        }
        self.record.measure_until(Instant::now());
        Ok((first.context(STOPPED)?, self.mark()?))
    }

    /// Listens until all is heard, or nothing more comes; and a little longer.
    fn drain(&mut self) -> Result<()> {
        let began = Instant::now();
        let (mut outstanding, mut last) = (self.record.outstanding_of_all(), began);
        while outstanding > 0 && last.elapsed() < DRAIN_PATIENCE && began.elapsed() < DRAIN_LIMIT {
            self.turn(Instant::now() + TICK)?;
            let now_outstanding = self.record.outstanding_of_all();
            if now_outstanding < outstanding {
                (outstanding, last) = (now_outstanding, Instant::now());
            }
        }
        let end = Instant::now() + AFTERMATH;
        while Instant::now() < end {
            self.turn(end)?;
        }
        Ok(())
    }

    fn begin(&mut self, at: Instant) -> Result<Mark> {
        self.record.measure_from(at);
        self.mark()
    }

    fn mark(&self) -> Result<Mark> {
        Ok(Mark {
            server: self.plan.server.as_ref().map(process::Server::cpu).transpose()?,
            own: process::own_cpu()?,
            at: Instant::now(),
            heard: self.record.heard(),
        })
    }

    fn resident(&self) -> Result<Option<u64>> {
        self.plan.server.as_ref().map(process::Server::resident).transpose()
    }

    fn latency(&self) -> Latency {
        let milliseconds = |nanoseconds| float(nanoseconds) / 1e6;
        let quantile = |part| milliseconds(self.record.latency.value_at_quantile(part));
        Latency {
            p50_ms: quantile(0.5),
            p99_ms: quantile(0.99),
            p999_ms: quantile(0.999),
            max_ms: milliseconds(self.record.latency.max()),
        }
    }

    fn say(&mut self, sender: u16, at: Instant) {
        let client = self.client_of(sender);
        self.crowd.say(client, |text| self.record.say(sender, at, text));
    }

    /// Senders are spread evenly over the clients.
    fn client_of(&self, sender: u16) -> usize {
        usize::from(sender) * self.plan.clients / usize::from(self.senders)
    }

    /// Listens until `deadline`, and once at least.
    fn wait_until(&mut self, deadline: Instant) -> Result<()> {
        loop {
            self.turn(deadline)?;
            if Instant::now() >= deadline || self.is_stopped() {
                return Ok(());
            }
        }
    }

    fn turn(&mut self, deadline: Instant) -> Result<()> {
        self.crowd.turn(deadline, |listener, packet, at| self.record.hear(listener, packet, at))
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

const STOPPED: &str = "stopped before anything was measured";

fn microseconds_each(after: Option<Duration>, before: Option<Duration>, count: u64) -> Option<f64> {
    let spent = after?.saturating_sub(before?);
    (count > 0).then(|| spent.as_secs_f64() * 1e6 / float(count))
}
