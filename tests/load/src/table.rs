//! How the peers compare under one load.

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
        spread(&figures(cost, peer, findings)),
        spread(&ratios(cost, peer, Peer::Natter, findings)),
        spread(&figures(memory, peer, findings)),
        spread(&ratios(memory, peer, Peer::Natter, findings)),
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
    let of_talk = |figure: fn(&Talk) -> f64| figures(|report| report.talk.as_ref().map(figure), peer, findings);
    let sum = |count: fn(&Talk) -> u64| {
        let own = findings.iter().filter(|finding| finding.peer == peer);
        own.filter_map(|finding| finding.report.talk.as_ref()).map(count).sum::<u64>().to_string()
    };
    vec![
        peer.name(),
        spread(&figures(cost, peer, findings)),
        spread(&ratios(cost, peer, floor, findings)),
        spread(&ratios(cost, peer, Peer::Natter, findings)),
        spread(&of_talk(Talk::deliveries_per_second)),
        middle(&of_talk(|talk| talk.latency.p50_ms)),
        middle(&of_talk(|talk| talk.latency.p99_ms)),
        middle(&of_talk(|talk| talk.latency.p999_ms)),
        sum(|talk| talk.faults.lost),
        sum(|talk| talk.faults.repeated),
        sum(|talk| talk.faults.reordered),
        middle(&of_talk(|talk| talk.generator_us_per_delivery)),
    ]
}

/// One figure of all rounds, the smallest first.
fn figures(figure: impl Fn(&Report) -> Option<f64>, peer: Peer, findings: &[&Finding]) -> Vec<f64> {
    let own = findings.iter().filter(|finding| finding.peer == peer);
    sorted(own.filter_map(|finding| figure(&finding.report)).collect())
}

/// Each round's figure as a multiple of what `base` has in the same round.
fn ratios(figure: impl Fn(&Report) -> Option<f64>, peer: Peer, base: Peer, findings: &[&Finding]) -> Vec<f64> {
    let ratio = |own: &Finding| {
        let base = findings.iter().find(|finding| finding.peer == base && finding.round == own.round)?;
        Some(figure(&own.report)? / figure(&base.report)?)
    };
    if peer == base {
        return Vec::new();
    }
    sorted(findings.iter().filter(|finding| finding.peer == peer).filter_map(|finding| ratio(finding)).collect())
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// Minimum, median and maximum.
fn spread(sorted: &[f64]) -> String {
    match (sorted.first(), median(sorted), sorted.last()) {
        (Some(min), Some(median), Some(max)) => {
            let decimals = decimals(median);
            format!("{min:.decimals$}–{median:.decimals$}–{max:.decimals$}")
        }
        _ => String::new(),
    }
}

fn middle(sorted: &[f64]) -> String {
    median(sorted).map_or_else(String::new, |median| format!("{median:.0$}", decimals(median)))
}

fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len() / 2).copied()
}

/// As many as make some three digits.
fn decimals(value: f64) -> usize {
    match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
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
