//! The fault run: clients talk while the server is killed, stopped and frozen, its database too, and connections break; what
//! they have put down is judged in the end.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use natter_load::plan::Target;
use natter_load::rest;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::client::{self, Client, EVERYONE, Role};
use crate::cluster::Cluster;
use crate::history::{Event, History, Message, Sending, What};
use crate::link::Dialect;
use crate::node::{Node, Site};
use crate::stage::{Order, Phase, Stage};
use crate::verdict::{Fault, Kind, judge};

/// One run.
pub struct Plan {
    pub natter: PathBuf,
    pub storage: Storage,
    pub clients: usize,
    /// How long it is disturbed, and how often the server is killed in it at least: it takes longer where it must.
    pub duration: Duration,
    pub kills: u64,
    /// Between two disturbances, in milliseconds.
    pub pause_ms: Range<u64>,
    /// The same disturbances for the same seed; when they come is another matter.
    pub seed: u64,
}

pub enum Storage {
    Sqlite,
    /// A database that is left alone.
    Postgres(String),
    /// One that is disturbed, too.
    Cluster(Cluster),
}

impl Storage {
    fn url(&self) -> Option<&str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres(url) => Some(url),
            Self::Cluster(cluster) => Some(&cluster.url),
        }
    }
}

/// So small that clients that come back are told of gaps, and those that do not read are cut.
const SETTINGS: [(&str, &str); 3] =
    [("NATTER_CHAT__REPLAY_LIMIT", "40"), ("NATTER_CHAT__RECENT_MESSAGES", "64"), ("NATTER_GATEWAY__SEND_QUEUE", "64")];
/// The first of these.
const REPLAYED: i64 = 40;
const PASSWORD: &str = "qwerty";
/// Each is two clients.
const CLIENTS_OF_ONE: usize = 2;
/// Between a crash and the next start.
const DOWN_MS: Range<u64> = 0..800;
const FROZEN_MS: Range<u64> = 300..5_000;
const STALLED_MS: Range<u64> = 500..4_000;
const BROKEN_AT_ONCE: std::ops::RangeInclusive<usize> = 1..=6;
/// How long clients may take to come back and say what is left, …
const SETTLE_LIMIT: Duration = Duration::from_secs(90);
/// … and to hear the last message.
const HEAR_LIMIT: Duration = Duration::from_secs(30);
/// How long repetitions are listened for in the end.
const AFTERMATH: Duration = Duration::from_millis(500);

/// What has come out.
pub struct Outcome {
    pub disturbances: Disturbances,
    pub counts: Counts,
    pub faults: Vec<Fault>,
    /// What was wrong with the servers themselves, and with clients that did not come to rest.
    pub complaints: Vec<String>,
    /// Why connections have ended, and how often.
    reasons: Vec<(String, u64)>,
    /// Where the history and the logs are, where something was wrong.
    kept: Option<PathBuf>,
}

#[derive(Clone, Debug, Default)]
pub struct Disturbances {
    pub kills: u64,
    pub stops: u64,
    pub freezes: u64,
    pub database_stops: u64,
    pub database_freezes: u64,
    pub breaks: u64,
    pub stalls: u64,
}

/// What the clients have done.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub connections: u64,
    pub sent: u64,
    pub acknowledged: u64,
    pub refused: u64,
    pub unknown: u64,
    pub heard: u64,
    pub gaps: u64,
    pub stored: u64,
}

/// # Errors
/// Where the run cannot be carried out. What is wrong with the server is in the outcome.
pub fn run(plan: &Plan) -> Result<Outcome> {
    let site = Site::new(&plan.natter, plan.storage.url(), &SETTINGS)?;
    let node = site.start(1)?;
    let roles = cast(&node.target()?, plan.clients)?;
    let stage = Stage::new(roles.len());
    let conversations: Vec<_> = roles.iter().flat_map(|role| role.conversations.clone()).collect();
    let reader = roles.iter().max_by_key(|role| role.conversations.len()).context("there is nobody")?.clone();
    let mut director = Director {
        plan,
        site: &site,
        stage: &stage,
        nodes: vec![node],
        started: 1,
        random: StdRng::seed_from_u64(plan.seed),
        disturbances: Disturbances::default(),
        complaints: Vec::new(),
    };
    director.announce();
    let stored = std::thread::scope(|scope| {
        for role in roles {
            let seed = plan.seed.wrapping_add(role.client as u64);
            let stage = &stage;
            scope.spawn(move || Client::new(stage, role, seed).run());
        }
        let stored = director.direct(&reader);
        stage.set_phase(Phase::Over);
        stored
    })?;
    ensure!(conversations.iter().all(|id| reader.conversations.contains(id)), "nobody can read everything");
    let Director { disturbances, mut complaints, nodes, .. } = director;
    for node in nodes {
        if let Err(error) = node.stop() {
            complaints.push(format!("{error:#}"));
        }
    }
    complaints.extend(site.log().lines().filter(|line| line.contains("panicked")).map(str::to_owned));
    // A node that is frozen may hold a lock, and keep the other from storing.
    let storage_failed = !matches!(plan.storage, Storage::Sqlite);
    let history = History { events: stage.take_events(), stored, storage_failed, replayed: REPLAYED };
    let (counts, faults) = (Counts::of(&history), judge(&history));
    let is_fine = faults.is_empty() && complaints.is_empty();
    let kept = if is_fine { None } else { Some(keep(site, &history)?) };
    Ok(Outcome { disturbances, counts, faults, complaints, reasons: stage.reasons(), kept })
}

/// Writes the history beside the logs.
fn keep(site: Site, history: &History) -> Result<PathBuf> {
    let folder = site.keep();
    let mut file = BufWriter::new(File::create(folder.join("history.txt"))?);
    for (index, event) in history.events.iter().enumerate() {
        writeln!(file, "event {index}, {event}")?;
    }
    for message in &history.stored {
        writeln!(file, "stored: {message}")?;
    }
    file.flush()?;
    Ok(folder)
}

/// Both dialects' people: their numbers tell those apart by their parity.
fn is_in_circle(person: usize) -> bool {
    (person / 2).is_multiple_of(2)
}

/// Makes accounts and conversations: everybody is in two, half of them in a third.
fn cast(target: &Target, clients: usize) -> Result<Vec<Role>> {
    let people: Vec<_> =
        (0..clients.div_ceil(CLIENTS_OF_ONE)).map(|person| format!("ann{person}@example.org")).collect();
    for email in &people {
        rest::sign_up(target, email, PASSWORD)?;
    }
    let mut roles = Vec::new();
    for client in 0..clients {
        let email = people[client % people.len()].clone();
        let token = rest::sign_in(target, &email, PASSWORD)?;
        let author = client::number(&rest::read(target, &token, "/api/users/me/")?, "id")?;
        let (conversations, elsewhere) = (vec![EVERYONE], None);
        roles.push(Role { client, email, author, token, dialect: Dialect::nth(client), conversations, elsewhere });
    }
    let owner = roles.first().context("there must be clients")?.token.clone();
    let open = |kind: &str| {
        let room = rest::create(target, &owner, "/api/conversations/", &json!({ "kind": kind, "name": kind }))?;
        client::number(&room, "id")
    };
    let (room, circle) = (open("open")?, open("invitation")?);
    for (person, email) in people.iter().enumerate().skip(1) {
        let token = &roles[person].token;
        rest::create(target, token, &format!("/api/conversations/{room}/members/"), &json!({}))?;
        if is_in_circle(person) {
            rest::create(target, &owner, &format!("/api/conversations/{circle}/members/"), &json!({ "email": email }))?;
        }
    }
    for role in &mut roles {
        let is_in_circle = is_in_circle(role.client % people.len());
        role.elsewhere = (!is_in_circle).then_some(circle);
        // Some hear as much as the original's clients did.
        if role.client % 5 != 4 {
            role.conversations.push(room);
            role.conversations.extend(Some(circle).filter(|_| is_in_circle));
        }
    }
    Ok(roles)
}

/// Disturbs the run.
struct Director<'a> {
    plan: &'a Plan,
    site: &'a Site,
    stage: &'a Stage,
    nodes: Vec<Node>,
    /// How many nodes there have been.
    started: usize,
    random: StdRng,
    disturbances: Disturbances,
    complaints: Vec<String>,
}

impl Director<'_> {
    /// Disturbs as long as planned, lets all come to rest, and reads what is stored.
    fn direct(&mut self, reader: &Role) -> Result<Vec<Message>> {
        let began = Instant::now();
        let mut round = 0_u32;
        while began.elapsed() < self.plan.duration || self.disturbances.kills < self.plan.kills {
            self.rest(self.plan.pause_ms.clone());
            self.look_after_nodes()?;
            let part = began.elapsed().as_secs_f64() / self.plan.duration.as_secs_f64();
            self.keep_nodes(if (1.0 / 3.0..2.0 / 3.0).contains(&part) { 2 } else { 1 })?;
            if round.is_multiple_of(3) {
                self.kill()?;
            } else {
                self.disturb()?;
            }
            round += 1;
        }
        self.look_after_nodes()?;
        self.stage.set_phase(Phase::Settle);
        self.wait(SETTLE_LIMIT, "has not said everything");
        let target = self.nodes[0].target()?;
        let stored = read_all(&target, reader)?;
        let mut ends = BTreeMap::new();
        for message in &stored {
            ends.insert(message.conversation, message.seq);
        }
        self.stage.set_ends(ends);
        self.wait(HEAR_LIMIT, "has not heard everything");
        std::thread::sleep(AFTERMATH);
        Ok(stored)
    }

    fn wait(&mut self, limit: Duration, what: &str) {
        let unsettled = self.stage.wait_for_all(limit);
        self.complaints.extend(unsettled.into_iter().map(|client| format!("client {client} {what}")));
    }

    /// One that has ended by itself is no fault that was planned.
    fn look_after_nodes(&mut self) -> Result<()> {
        for place in 0..self.nodes.len() {
            if let Some(status) = self.nodes[place].ended()? {
                self.complaints.push(format!("node {} has ended by itself: {status}", self.nodes[place].number));
                self.nodes.remove(place);
                return self.add_node();
            }
        }
        Ok(())
    }

    /// Only nodes on PostgreSQL can share their data.
    fn keep_nodes(&mut self, count: usize) -> Result<()> {
        if matches!(self.plan.storage, Storage::Sqlite) {
            return Ok(());
        }
        while self.nodes.len() < count {
            self.add_node()?;
        }
        while self.nodes.len() > count {
            self.stop();
        }
        Ok(())
    }

    fn disturb(&mut self) -> Result<()> {
        match self.random.random_range(0..100) {
            0..12 => {
                self.stop();
                self.add_node()
            }
            12..32 => self.freeze(),
            32..60 => self.disturb_database(),
            60..82 => {
                for _ in 0..self.random.random_range(BROKEN_AT_ONCE) {
                    self.tell(Order::Break);
                    self.disturbances.breaks += 1;
                }
                Ok(())
            }
            _ => {
                let time = self.time(STALLED_MS);
                self.tell(Order::Stall(time));
                self.disturbances.stalls += 1;
                Ok(())
            }
        }
    }

    fn kill(&mut self) -> Result<()> {
        let node = self.take_node();
        node.kill()?;
        self.disturbances.kills += 1;
        self.rest(DOWN_MS);
        self.add_node()
    }

    fn stop(&mut self) {
        let node = self.take_node();
        self.disturbances.stops += 1;
        if let Err(error) = node.stop() {
            self.complaints.push(format!("{error:#}"));
        }
    }

    /// Every third time it is killed in the ice.
    fn freeze(&mut self) -> Result<()> {
        let place = self.random.random_range(0..self.nodes.len());
        self.nodes[place].freeze()?;
        self.disturbances.freezes += 1;
        self.rest(FROZEN_MS);
        if !self.random.random_ratio(1, 3) {
            return self.nodes[place].thaw();
        }
        self.nodes.swap_remove(place).kill()?;
        self.disturbances.kills += 1;
        self.add_node()
    }

    fn disturb_database(&mut self) -> Result<()> {
        let Storage::Cluster(cluster) = &self.plan.storage else {
            self.tell(Order::Break);
            self.disturbances.breaks += 1;
            return Ok(());
        };
        if self.random.random_ratio(1, 2) {
            cluster.stop()?;
            self.disturbances.database_stops += 1;
            self.rest(FROZEN_MS);
            cluster.start()
        } else {
            cluster.freeze()?;
            self.disturbances.database_freezes += 1;
            self.rest(FROZEN_MS);
            cluster.thaw()
        }
    }

    /// Nobody finds it any more.
    fn take_node(&mut self) -> Node {
        let place = self.random.random_range(0..self.nodes.len());
        let node = self.nodes.swap_remove(place);
        self.announce();
        node
    }

    fn add_node(&mut self) -> Result<()> {
        self.started += 1;
        self.nodes.push(self.site.start(self.started)?);
        self.announce();
        Ok(())
    }

    fn announce(&self) {
        self.stage.set_nodes(self.nodes.iter().map(|node| node.address).collect());
    }

    fn tell(&mut self, order: Order) {
        let client = self.random.random_range(0..self.plan.clients);
        self.stage.tell(client, order);
    }

    fn rest(&mut self, milliseconds: Range<u64>) {
        std::thread::sleep(self.time(milliseconds));
    }

    fn time(&mut self, milliseconds: Range<u64>) -> Duration {
        Duration::from_millis(self.random.random_range(milliseconds))
    }
}

/// Everything in the conversations that `reader` is in.
fn read_all(target: &Target, reader: &Role) -> Result<Vec<Message>> {
    let mut stored = Vec::new();
    for conversation in &reader.conversations {
        let mut last = 0;
        loop {
            let path = format!("/api/conversations/{conversation}/messages/?after={last}&limit=500");
            let page = rest::read(target, &reader.token, &path)?;
            let page = page["results"].as_array().context("the history has no results")?;
            if page.is_empty() {
                break;
            }
            // Newest first.
            let page: Result<Vec<_>> = page.iter().rev().map(client::message_of).collect();
            stored.extend(page?);
            last = stored.last().map_or(last, |message| message.seq);
        }
    }
    Ok(stored)
}

impl Counts {
    fn of(history: &History) -> Self {
        let mut counts = Self { stored: history.stored.len() as u64, ..Self::default() };
        for Event { what, .. } in &history.events {
            match what {
                What::Begins { .. } => counts.connections += 1,
                What::Sends(Sending { .. }) => counts.sent += 1,
                What::Acknowledged { .. } => counts.acknowledged += 1,
                What::Refused { .. } => counts.refused += 1,
                What::Hears(_) => counts.heard += 1,
                What::ToldGap { .. } => counts.gaps += 1,
                What::Wonders(_) | What::Ends => {}
            }
        }
        counts.unknown = counts.sent - counts.acknowledged - counts.refused;
        counts
    }
}

impl Outcome {
    pub fn is_fine(&self) -> bool {
        self.faults.is_empty() && self.complaints.is_empty()
    }
}

/// How many faults and reasons are shown.
const SHOWN: usize = 10;

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Disturbances { kills, stops, freezes, database_stops, database_freezes, breaks, stalls } =
            self.disturbances;
        let Counts { connections, sent, acknowledged, refused, unknown, heard, gaps, stored } = self.counts;
        writeln!(f, "Server         {kills} kills, {stops} restarts, {freezes} freezes")?;
        writeln!(f, "Database       {database_stops} stops, {database_freezes} freezes")?;
        writeln!(f, "Clients        {connections} connections, {breaks} broken off, {stalls} times not reading")?;
        writeln!(f, "Attempts       {sent}: {acknowledged} acknowledged, {refused} refused, {unknown} unanswered")?;
        writeln!(f, "Messages       {stored} stored, {heard} heard, {gaps} gaps told")?;
        for (reason, count) in self.reasons.iter().take(SHOWN) {
            writeln!(f, "               {count} × {reason}")?;
        }
        for complaint in &self.complaints {
            writeln!(f, "Complaint      {complaint}")?;
        }
        for fault in self.faults.iter().take(SHOWN) {
            writeln!(f, "{fault}")?;
        }
        let mut kinds: BTreeMap<Kind, u64> = BTreeMap::new();
        for fault in &self.faults {
            *kinds.entry(fault.kind).or_default() += 1;
        }
        let kinds: Vec<_> = kinds.into_iter().map(|(kind, count)| format!("{count} {kind:?}")).collect();
        writeln!(f, "Faults         {}", if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") })?;
        match &self.kept {
            Some(folder) => writeln!(f, "The history and the logs are in {}", folder.display()),
            None => Ok(()),
        }
    }
}
