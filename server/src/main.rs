//! Parses the command line, runs it, prints the error.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use mimalloc::MiMalloc;
use natter::cli::Command;
use tokio::runtime::{Builder, Runtime};

/// Gives back what only a crowd has needed, of which the system's own keeps the most (see ARCHITECTURE.md for figures).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // Of what is not UTF-8, nothing is a setting of ours.
    let environment =
        std::env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)));
    let command = Command::parse();
    match runtime().and_then(|runtime| runtime.block_on(command.run(environment))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("natter: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A thread for every two cores. Passwords are hashed and SQLite is used on others, the kernel sends on any; and threads
/// that have little to do mostly wake each other, which costs more than it saves (see ARCHITECTURE.md for figures).
fn runtime() -> Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Builder::new_multi_thread().worker_threads((cores / 2).max(1)).enable_all().build()?)
}
