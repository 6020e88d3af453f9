//! The rounds: every load on every peer, and then again.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use natter_load::{Plan, Report};
use serde::Serialize;

use crate::load::Load;
use crate::peer::{Peer, Programs};
use crate::table;

#[derive(Args)]
pub struct Options {
    /// Servers to compare.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Peer::value_variants().to_vec())]
    peers: Vec<Peer>,
    /// Loads to run: paced-, saturated- or idle- with a number of clients.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "paced-100,paced-1000,paced-5000,saturated-100,saturated-1000,idle-10000"
    )]
    loads: Vec<Load>,
    /// How long each is measured.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How often everything is repeated.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Where to write each run's figures, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    results: PathBuf,
    #[command(flatten)]
    programs: Programs,
}

/// One run and what it has shown.
#[derive(Serialize)]
pub struct Finding {
    pub round: u32,
    pub load: Load,
    pub peer: Peer,
    #[serde(flatten)]
    pub report: Report,
}

pub fn run(options: &Options) -> Result<()> {
    // Servers inherit the limit.
    natter_load::allow(options.loads.iter().map(|load| load.clients.into()).max().unwrap_or(0))?;
    let path = &options.results;
    let mut results = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
    let mut findings = Vec::new();
    let mut failures = 0;
    for (round, load, peer) in runs(options) {
        eprintln!("round {round}: {load} on {}", peer.name());
        match measure(peer, load, options) {
            Ok(report) => {
                let finding = Finding { round, load, peer, report };
                writeln!(results, "{}", serde_json::to_string(&finding)?)?;
                findings.push(finding);
            }
            Err(error) => {
                failures += 1;
                eprintln!("load: {load} on {}: {error:#}", peer.name());
            }
        }
    }
    for load in options.loads.iter().copied() {
        print!("{}", table::of(load, &findings));
    }
    println!(
        "\nMinimum–median–maximum of {} rounds, else the median. Each run's figures: {}",
        options.rounds,
        path.display()
    );
    ensure!(failures == 0, "{failures} runs have failed");
    Ok(())
}

/// Everything once, then everything again: what disturbs the machine for a while disturbs all peers.
fn runs(options: &Options) -> impl Iterator<Item = (u32, Load, Peer)> {
    let Options { peers, loads, rounds, programs, .. } = options;
    (1..=*rounds).flat_map(move |round| {
        loads.iter().copied().flat_map(move |load| {
            let peers = peers.iter().copied().filter(move |peer| peer.takes(load) && peer.is_here(programs));
            peers.map(move |peer| (round, load, peer))
        })
    })
}

fn measure(peer: Peer, load: Load, options: &Options) -> Result<Report> {
    let running = peer.start(&options.programs)?;
    let plan = Plan {
        target: running.target()?,
        dialect: running.dialect()?,
        clients: load.clients.into(),
        settle: load.settle(),
        load: load.plan(options.seconds),
        server: Some(running.server()?),
    };
    natter_load::run(&plan, &AtomicBool::new(false))
}
