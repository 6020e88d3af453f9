//! Compares what chat servers cost; `tests/load/run` builds and starts it.
//!
//! * [`load`]: what the clients do. [`peer`]: the servers that are compared. [`floor`]: the least a server can do.
//! * [`compare`]: the rounds. [`table`]: what they have shown.

mod compare;
mod floor;
mod load;
mod peer;
mod table;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "tests/load/run", arg_required_else_help = true)]
struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Run the loads on the peers, and print how they compare.
    Compare(compare::Options),
    /// Serve as the least that a chat server can do.
    Floor {
        /// When to write to the listeners.
        #[arg(value_enum)]
        writes: floor::Writes,
    },
}

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command.action {
        Action::Compare(options) => compare::run(&options),
        Action::Floor { writes } => floor::serve(writes),
    }
}
