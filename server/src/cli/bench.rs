//! `natter bench`: what a Socket.IO server can bear.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use natter_load::plan::{Authentication, Dialect, Load, Opening, Pace, Plan, Target};
use natter_load::process::Server;
use natter_load::rest;

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Where the server is, such as `http://127.0.0.1:3000`. A path that is not /socket.io/ belongs to it.
    url: String,
    /// How many clients connect.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    clients: u32,
    /// Messages a second, of all senders together. Everybody hears each.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Let each sender have so many messages under way, and send as fast as the server can.
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "10", conflicts_with = "rate",
        value_parser = clap::value_parser!(u32).range(1..))]
    saturate: Option<u32>,
    /// How many of the clients send, in turns.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    senders: u16,
    /// How long it is measured.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// The token by which all clients authenticate. Without one or a user they do not.
    #[arg(long)]
    token: Option<String>,
    /// Get a token from Natter for this account. Its password is asked for, or read from standard input.
    #[arg(long, value_name = "EMAIL", conflicts_with = "token")]
    user: Option<String>,
    /// A process of the server, to tell its processor time, and how much memory clients add to a server just started; may
    /// be given for each.
    #[arg(long = "pid", value_name = "PID")]
    pids: Vec<i32>,
    /// The event that clients send to authenticate.
    #[arg(long, value_name = "JSON", default_value = r#"["authentication",{"token":"TOKEN"}]"#)]
    authenticate: String,
    /// The name of the event by which they are let in.
    #[arg(long, value_name = "EVENT", default_value = "authenticated")]
    authenticated: String,
    /// The event that clients send as a message.
    #[arg(long, value_name = "JSON", default_value = r#"["client-sent-message",{"message":"TEXT"}]"#)]
    send: String,
    /// The name of the event by which all clients hear it, the sender too.
    #[arg(long, value_name = "EVENT", default_value = "server-got-message")]
    hear: String,
}

const EXAMPLES: &str = "\
Examples:
  natter bench http://127.0.0.1:3000 --user ann@example.org --clients 1000 --rate 30 --pid 12345
  natter bench http://127.0.0.1:3000 --token $TOKEN --saturate
  natter bench http://127.0.0.1:8080 --send '[\"chat message\",\"TEXT\"]' --hear 'chat message'
                                             any server of Socket.IO 3 or newer that sends messages to all

All clients connect over websockets from this machine, wait, then talk for a second before it is measured. Each message
names its sender, its number and its time, so that whatever is lost, repeated or out of order is found. Ctrl-C ends the
talk early and prints what was measured until then.";

const SETTLE: Duration = Duration::from_secs(1);
const WARM_UP: Duration = Duration::from_secs(1);

pub async fn run(options: Options) -> Result<()> {
    let plan = tokio::task::spawn_blocking(move || options.plan()).await.context("there is no plan")??;
    // Not before: until here, Ctrl-C ends everything, a prompt too.
    let stop = Arc::new(AtomicBool::new(false));
    let measuring = {
        let stop = stop.clone();
        tokio::task::spawn_blocking(move || natter_load::run(&plan, &stop))
    };
    let interruption = tokio::spawn(async move {
        tokio::signal::ctrl_c().await?;
        stop.store(true, Ordering::Relaxed);
        std::io::Result::Ok(())
    });
    let report = measuring.await.context("the measurement broke off")??;
    interruption.abort();
    super::say(&report.to_string())?;
    if report.talk.is_some_and(|talk| talk.deliveries == 0) {
        super::say(
            "Nobody heard anything. Does the server want clients to authenticate (--user, --token), or do its limits (Natter's \
             NATTER_RATE_LIMITS) refuse so much?\n",
        )?;
    }
    Ok(())
}

impl Options {
    fn plan(&self) -> Result<Plan> {
        let target = Target::find(&self.url)?;
        let opening = Opening::SocketIo { authentication: self.authentication(&target)? };
        Ok(Plan {
            dialect: Dialect::new(opening, &self.send, &self.hear)?,
            target,
            clients: self.clients.try_into()?,
            settle: SETTLE,
            load: self.load(),
            server: if self.pids.is_empty() { None } else { Some(Server::new(&self.pids)?) },
        })
    }

    fn authentication(&self, target: &Target) -> Result<Option<Authentication>> {
        let token = match &self.user {
            Some(user) => Some(rest::sign_in(target, user, &super::read_password()?)?),
            None => self.token.clone(),
        };
        token.map(|token| Authentication::new(&self.authenticate, &token, &self.authenticated)).transpose()
    }

    fn load(&self) -> Load {
        let pace = match self.saturate {
            Some(window) => Pace::Window(window),
            None => Pace::MessagesPerSecond(self.rate.into()),
        };
        let duration = Duration::from_secs(self.seconds.into());
        Load::Talk { pace, senders: self.senders, warm_up: WARM_UP, duration }
    }
}
