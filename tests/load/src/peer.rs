//! The servers that are compared, each started afresh for every run.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use natter_load::plan::{Authentication, Dialect, Opening, Target};
use natter_load::process::Server;
use natter_load::rest;
use natter_load::started::Started;
use serde::Serialize;
use tempfile::TempDir;

use crate::load::{Kind, Load};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Peer {
    /// This tree, with SQLite.
    Natter,
    /// This tree on the stock engineioxide.
    Stock,
    /// The same chat on Node's socket.io, without a database.
    Node,
    /// The same chat on Bun's engine, without a database.
    Bun,
    /// The least that a server can do.
    Floor,
    /// The least that a server can do when it may wait for more.
    FloorCoalescing,
}

/// Where the programs are.
#[derive(Args)]
pub struct Programs {
    #[arg(long, value_name = "PROGRAM")]
    natter: PathBuf,
    #[arg(long, value_name = "PROGRAM")]
    stock: PathBuf,
    /// Where there is none, that peer is left out.
    #[arg(long, value_name = "PROGRAM")]
    bun: Option<PathBuf>,
    /// Where node.mjs and bun.mjs are.
    #[arg(long, value_name = "FOLDER")]
    peers_folder: PathBuf,
}

const EMAIL: &str = "load@example.org";
const PASSWORD: &str = "qwerty";
/// The token that the peers without accounts know.
const TOKEN: &str = "0123456789abcdef0123456789abcdef01234567";

impl Peer {
    /// Whether it can bear this load: the floor knows no connections but bare ones, and where messages may wait for
    /// each other the coalescing one is the measure.
    pub fn takes(self, load: Load) -> bool {
        match self {
            Self::Natter | Self::Stock | Self::Node | Self::Bun => true,
            Self::Floor => load.kind != Kind::Idle,
            Self::FloorCoalescing => load.kind == Kind::Saturated,
        }
    }

    /// Whether its program is here.
    pub fn is_here(self, programs: &Programs) -> bool {
        self != Self::Bun || programs.bun.is_some()
    }

    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    pub fn start(self, programs: &Programs) -> Result<Running> {
        let folder = tempfile::tempdir()?;
        let mut command = self.command(programs)?;
        command.env("HOST", "127.0.0.1").env("PORT", "0").env("DATA_DIR", folder.path());
        command.env("NATTER_RATE_LIMITS", "off").env("RUST_LOG", "warn").env("LOAD_TOKEN", TOKEN);
        let server = Started::start(&mut command).with_context(|| format!("there is no {}", self.name()))?;
        Ok(Running { peer: self, server, _folder: folder })
    }

    fn command(self, programs: &Programs) -> Result<Command> {
        let Programs { natter, stock, bun, peers_folder } = programs;
        let with = |program: &PathBuf, argument: PathBuf| {
            let mut command = Command::new(program);
            command.arg(argument);
            command
        };
        let floor = |writes: &str| -> Result<Command> {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["floor", writes]);
            Ok(command)
        };
        Ok(match self {
            Self::Natter => Command::new(natter),
            Self::Stock => Command::new(stock),
            Self::Node => with(&"node".into(), peers_folder.join("node.mjs")),
            Self::Bun => with(bun.as_ref().context("there is no bun")?, peers_folder.join("bun.mjs")),
            Self::Floor => floor("each")?,
            Self::FloorCoalescing => floor("coalesced")?,
        })
    }
}

/// A peer that is killed when it goes out of scope.
pub struct Running {
    peer: Peer,
    server: Started,
    /// Its data; here to be removed with it.
    _folder: TempDir,
}

impl Running {
    pub fn target(&self) -> Result<Target> {
        Target::find(&self.server.url)
    }

    pub fn server(&self) -> Result<Server> {
        Server::new(&[self.server.pid()?])
    }

    pub fn dialect(&self) -> Result<Dialect> {
        let opening = match self.peer {
            Peer::Floor | Peer::FloorCoalescing => Opening::Bare,
            Peer::Node | Peer::Bun => authenticate_by(TOKEN)?,
            Peer::Natter | Peer::Stock => {
                let target = self.target()?;
                rest::sign_up(&target, EMAIL, PASSWORD)?;
                authenticate_by(&rest::sign_in(&target, EMAIL, PASSWORD)?)?
            }
        };
        Dialect::new(opening, r#"["client-sent-message",{"message":"TEXT"}]"#, "server-got-message")
    }
}

fn authenticate_by(token: &str) -> Result<Opening> {
    let authentication = Authentication::new(r#"["authentication",{"token":"TOKEN"}]"#, token, "authenticated")?;
    Ok(Opening::SocketIo { authentication: Some(authentication) })
}
