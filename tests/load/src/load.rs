//! What the clients of one run do.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use natter_load::plan;
use serde::{Serialize, Serializer};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    pub kind: Kind,
    pub clients: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A steady rate of deliveries, the same for any number of clients.
    Paced,
    /// As fast as the server can.
    Saturated,
    /// Nothing is said.
    Idle,
}

/// A message to 1,000 clients is 1,000 deliveries.
const DELIVERIES_PER_SECOND: f64 = 30_000.0;
const SENDERS: u16 = 10;
/// Messages of each sender under way.
const WINDOW: u32 = 10;
/// Long enough for a just-in-time compiler to warm up.
const WARM_UP: Duration = Duration::from_secs(2);

impl Load {
    pub fn plan(self, seconds: u64) -> plan::Load {
        let pace = match self.kind {
            Kind::Idle => return plan::Load::Idle,
            Kind::Paced => plan::Pace::MessagesPerSecond(DELIVERIES_PER_SECOND / f64::from(self.clients)),
            Kind::Saturated => plan::Pace::Window(WINDOW),
        };
        plan::Load::Talk { pace, senders: SENDERS, warm_up: WARM_UP, duration: Duration::from_secs(seconds) }
    }

    /// How long to wait before memory is measured, where that is the point.
    pub fn settle(self) -> Duration {
        match self.kind {
            Kind::Idle => Duration::from_secs(3),
            Kind::Paced | Kind::Saturated => Duration::from_millis(200),
        }
    }

    /// What it is, for the heading of its table.
    pub fn title(self) -> String {
        let clients = self.clients;
        match self.kind {
            Kind::Paced => format!("{clients} clients, {DELIVERIES_PER_SECOND} deliveries a second"),
            Kind::Saturated => format!("{clients} clients, as fast as it goes"),
            Kind::Idle => format!("{clients} idle clients"),
        }
    }
}

impl FromStr for Load {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        let (kind, clients) = name.split_once('-').context("a load is a kind and a number, such as paced-1000")?;
        let kind = match kind {
            "paced" => Kind::Paced,
            "saturated" => Kind::Saturated,
            "idle" => Kind::Idle,
            _ => bail!("{kind} is none of paced, saturated, idle"),
        };
        let clients = clients.parse().with_context(|| format!("{clients} is no number of clients"))?;
        ensure!(clients > 0, "there must be clients");
        Ok(Self { kind, clients })
    }
}

impl Display for Load {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Paced => "paced",
            Kind::Saturated => "saturated",
            Kind::Idle => "idle",
        };
        write!(f, "{kind}-{}", self.clients)
    }
}

impl Serialize for Load {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
