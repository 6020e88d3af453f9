//! `natter backup` and `natter restore`.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::app::create_data_dir;
use crate::config::Config;
use crate::database::backup::{self, Existing, Step};

#[derive(Args)]
pub struct Options {
    /// Where the backup is to be. It is one file, for its owner only.
    file: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    force: bool,
}

#[derive(Args)]
pub struct RestoreOptions {
    /// What `natter backup` has made.
    file: PathBuf,
}

pub async fn back_up(config: Config, Options { file, force }: Options) -> Result<()> {
    let existing = if force { Existing::Replaced } else { Existing::Kept };
    let mut display = Display::new()?;
    let mut watch = |step| display.show(step);
    let making = backup::back_up(&config.database_url, &config.data_dir, &file, existing, &mut watch);
    let size = unless_interrupted(making).await?;
    display.bar.finish_and_clear();
    super::say(&format!("The backup is {}, {}.\n", file.display(), HumanBytes(size)))
}

pub async fn restore(config: Config, RestoreOptions { file }: RestoreOptions) -> Result<()> {
    create_data_dir(&config.data_dir)?;
    let mut display = Display::new()?;
    let mut watch = |step| display.show(step);
    let restoring = backup::restore(&config.database_url, &config.data_dir, &file, &mut watch);
    let kept = unless_interrupted(restoring).await?;
    display.bar.finish_and_clear();
    super::say(&format!("The database is restored from {}.\n", file.display()))?;
    match kept {
        Some(kept) => super::say(&format!("The one that was there is {}.\n", kept.display())),
        None => Ok(()),
    }
}

/// Does it to its end, or until it is to stop; then it removes what is half done.
async fn unless_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    // Heard from now on: before the work has left anything that would stay.
    let stop = super::stop_signal()?;
    tokio::select! {
        done = work => done,
        () = stop => bail!("interrupted: nothing has changed"),
    }
}

/// How far it is: a bar on a terminal, else a line for each step.
struct Display {
    bar: ProgressBar,
    shown: Option<&'static str>,
}

impl Display {
    fn new() -> Result<Self> {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{msg:9} [{bar:40}] {bytes} of {total_bytes}, {eta} left")?;
        Ok(Self { bar: bar.with_style(style), shown: None })
    }

    fn show(&mut self, step: Step) {
        let name = match step {
            Step::Copying { copied, of } => {
                self.bar.set_length(of);
                self.bar.set_position(copied);
                "Copying"
            }
            Step::Checking => {
                self.bar.set_position(self.bar.length().unwrap_or_default());
                "Checking"
            }
            Step::Replacing => "Replacing",
        };
        if self.shown.replace(name) == Some(name) {
            return;
        }
        self.bar.set_message(name);
        if self.bar.is_hidden() {
            // Who has heard enough of it still wants it done.
            super::say(&format!("{name} …\n")).ok();
        }
    }
}
