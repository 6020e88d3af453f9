//! What a run has shown.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::ledger::Faults;

/// Figures of the server itself are there where its processes could be looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub clients: usize,
    pub arrival: Arrival,
    /// The server's resident memory for each idle client.
    pub kib_per_client: Option<f64>,
    pub talk: Option<Talk>,
}

/// From the first client's connection until all were ready.
#[derive(Clone, Debug, Serialize)]
pub struct Arrival {
    pub seconds: f64,
    pub server_us_per_client: Option<f64>,
}

/// The measured part of the talk; the faults are those of all of it.
#[derive(Clone, Debug, Serialize)]
pub struct Talk {
    pub seconds: f64,
    pub deliveries: u64,
    pub server_us_per_delivery: Option<f64>,
    /// Microseconds of this process for a delivery, to show that it is not what is measured.
    pub generator_us_per_delivery: f64,
    pub latency: Latency,
    #[serde(flatten)]
    pub faults: Faults,
}

/// Milliseconds from when a message was due to be sent until it was heard.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
}

impl Talk {
    pub fn deliveries_per_second(&self) -> f64 {
        float(self.deliveries) / self.seconds
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { clients, arrival, kib_per_client, talk } = self;
        write!(f, "Connecting     {clients} clients in {:.1} s", arrival.seconds)?;
        if let Some(cost) = arrival.server_us_per_client {
            write!(f, ", server {cost:.0} µs each")?;
        }
        writeln!(f)?;
        if let Some(memory) = kib_per_client {
            writeln!(f, "Memory         {memory:.1} KiB for each idle client")?;
        }
        talk.as_ref().map_or(Ok(()), |talk| talk.fmt(f))
    }
}

impl Display for Talk {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { seconds, deliveries, generator_us_per_delivery, latency, faults, .. } = self;
        let rate = self.deliveries_per_second();
        writeln!(f, "Deliveries     {deliveries} in {seconds:.1} s, {rate:.0} a second")?;
        if let Some(cost) = self.server_us_per_delivery {
            writeln!(f, "Server CPU     {cost:.2} µs a delivery")?;
        }
        writeln!(f, "Generator CPU  {generator_us_per_delivery:.2} µs a delivery")?;
        let Latency { p50_ms, p99_ms, p999_ms, max_ms } = latency;
        writeln!(
            f,
            "Latency        p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms, p99.9 {p999_ms:.1} ms, most {max_ms:.1} ms"
        )?;
        let Faults { lost, repeated, reordered } = faults;
        writeln!(f, "Faults         {lost} lost, {repeated} repeated, {reordered} reordered")
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^53")]
pub fn float(count: u64) -> f64 {
    count as f64
}
