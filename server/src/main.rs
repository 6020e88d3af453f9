//! Parses the command line, runs it, prints the error.

use std::process::ExitCode;

use clap::Parser;
use natter::cli::Command;

#[tokio::main]
async fn main() -> ExitCode {
    match Command::parse().run(std::env::vars()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("natter: {error:#}");
            ExitCode::FAILURE
        }
    }
}
