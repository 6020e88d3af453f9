//! Parses the command line, runs it, prints the error.

use std::process::ExitCode;

use clap::Parser;
use natter::cli::Command;

#[tokio::main]
async fn main() -> ExitCode {
    // Of what is not UTF-8, nothing is a setting of ours.
    let environment =
        std::env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)));
    match Command::parse().run(environment).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("natter: {error:#}");
            ExitCode::FAILURE
        }
    }
}
