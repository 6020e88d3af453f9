//! How the peers compare under one load.

use std::fmt::{self, Display, Formatter};

use natter_load::Report;
use natter_load::report::Talk;

use crate::compare::Finding;
use crate::load::{Kind, Load};
use crate::peer::Peer;

/// The findings of `load` as a table, for a terminal.
pub fn of(load: Load, findings: &[Finding]) -> String {
    let findings: Vec<_> = findings.iter().filter(|finding| finding.load == load).collect();
    let mut peers: Vec<_> = findings.iter().map(|finding| finding.peer).collect();
    peers.sort_unstable();
    peers.dedup();
    let rows = peers.into_iter().map(|peer| match load.kind {
        Kind::Idle => idle_row(peer, &findings),
        Kind::Paced => talk_row(peer, Peer::Floor, &findings),
        Kind::Saturated => talk_row(peer, Peer::FloorCoalescing, &findings),
    });
    let head = if load.kind == Kind::Idle { IDLE_HEAD } else { TALK_HEAD };
    let head = head.iter().map(|title| (*title).to_owned()).collect();
    format!("\n{}\n\n{}", load.title(), align(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))
}

const IDLE_HEAD: &[&str] = &["", "CPU µs/connect", "× natter", "KiB/connection", "× natter"];

fn idle_row(peer: Peer, findings: &[&Finding]) -> Vec<String> {
    let cost = |report: &Report| report.arrival.server_us_per_client;
    let memory = |report: &Report| report.kib_per_client;
    vec![
        peer.name(),
        Spread::of(cost, peer, findings),
        Spread::of_ratio(cost, peer, Peer::Natter, findings),
        Spread::of(memory, peer, findings),
        Spread::of_ratio(memory, peer, Peer::Natter, findings),
    ]
}

const TALK_HEAD: &[&str] = &[
    "",
    "CPU µs/delivery",
    "× floor",
    "× natter",
    "deliveries/s",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "lost",
    "repeated",
    "reordered",
    "generator µs",
];

fn talk_row(peer: Peer, floor: Peer, findings: &[&Finding]) -> Vec<String> {
    let cost = |report: &Report| report.talk.as_ref()?.server_us_per_delivery;
    let spread = |figure: fn(&Talk) -> f64| Spread::of(|report| report.talk.as_ref().map(figure), peer, findings);
    let sum = |count: fn(&Talk) -> u64| {
        let own = findings.iter().filter(|finding| finding.peer == peer);
        own.filter_map(|finding| finding.report.talk.as_ref()).map(count).sum::<u64>().to_string()
    };
    vec![
        peer.name(),
        Spread::of(cost, peer, findings),
        Spread::of_ratio(cost, peer, floor, findings),
        Spread::of_ratio(cost, peer, Peer::Natter, findings),
        spread(Talk::deliveries_per_second),
        spread(|talk| talk.latency.p50_ms),
        spread(|talk| talk.latency.p99_ms),
        spread(|talk| talk.latency.p999_ms),
        sum(|talk| talk.faults.lost),
        sum(|talk| talk.faults.repeated),
        sum(|talk| talk.faults.reordered),
        spread(|talk| talk.generator_us_per_delivery),
    ]
}

/// One figure in all rounds.
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    fn of(figure: impl Fn(&Report) -> Option<f64>, peer: Peer, findings: &[&Finding]) -> String {
        let own = findings.iter().filter(|finding| finding.peer == peer);
        Self::text(own.filter_map(|finding| figure(&finding.report)).collect())
    }

    /// Each round's figure as a multiple of what `base` has in the same round.
    fn of_ratio(figure: impl Fn(&Report) -> Option<f64>, peer: Peer, base: Peer, findings: &[&Finding]) -> String {
        let own = findings.iter().filter(|finding| finding.peer == peer);
        let ratio = |own: &&Finding| {
            let base = findings.iter().find(|finding| finding.peer == base && finding.round == own.round)?;
            Some(figure(&own.report)? / figure(&base.report)?)
        };
        Self::text(own.filter_map(|finding| ratio(finding)).collect())
    }

    fn text(mut values: Vec<f64>) -> String {
        values.sort_unstable_by(f64::total_cmp);
        match (values.first(), values.get(values.len() / 2), values.last()) {
            (Some(min), Some(median), Some(max)) => Self { min: *min, median: *median, max: *max }.to_string(),
            _ => "-".to_owned(),
        }
    }
}

impl Display for Spread {
    /// Minimum, median and maximum, with some three digits.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { min, median, max } = self;
        let decimals = match median.abs() {
            100.0.. => 0,
            10.0.. => 1,
            1.0.. => 2,
            _ => 3,
        };
        write!(f, "{min:.decimals$}–{median:.decimals$}–{max:.decimals$}")
    }
}

fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column| rows.iter().filter_map(|row| row.get(column)).map(|cell: &String| cell.chars().count()).max();
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Names stand on the left, figures on the right.
            let cell = if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
            line += &cell;
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}
