//! What all clients of a fault run share: where the servers are, what the clients are to do, and what they have put down.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::history::{Event, Message, Sending, What};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    Talk,
    /// Nothing new is said.
    Settle,
    Over,
}

/// What a client is to do at once.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// Let the connection go without a word.
    Break,
    /// Read nothing for so long.
    Stall(Duration),
}

pub struct Stage {
    nodes: Mutex<Vec<SocketAddr>>,
    phase: AtomicU8,
    places: Vec<Place>,
    /// The last number of each conversation, once nothing new comes.
    ends: Mutex<Option<BTreeMap<i64, i64>>>,
    record: Mutex<Record>,
    /// Why connections have ended, and how often.
    reasons: Mutex<BTreeMap<String, u64>>,
}

/// A client's.
#[derive(Default)]
struct Place {
    order: Mutex<Option<Order>>,
    is_settled: AtomicBool,
}

#[derive(Default)]
struct Record {
    events: Vec<Event>,
    /// Each line is heard by many, and kept once.
    lines: HashSet<Arc<str>>,
}

const LOOK: Duration = Duration::from_millis(20);

impl Stage {
    pub fn new(clients: usize) -> Self {
        Self {
            nodes: Mutex::default(),
            phase: AtomicU8::new(Phase::Talk as u8),
            places: (0..clients).map(|_| Place::default()).collect(),
            ends: Mutex::default(),
            record: Mutex::default(),
            reasons: Mutex::default(),
        }
    }

    pub fn set_nodes(&self, nodes: Vec<SocketAddr>) {
        *lock(&self.nodes) = nodes;
    }

    /// One of the servers that are there, as `pick` has it.
    pub fn node(&self, pick: u32) -> Option<SocketAddr> {
        let nodes = lock(&self.nodes);
        let count = u32::try_from(nodes.len()).ok().filter(|count| *count > 0)?;
        nodes.get(usize::try_from(pick % count).ok()?).copied()
    }

    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Talk,
            1 => Phase::Settle,
            _ => Phase::Over,
        }
    }

    pub fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub fn tell(&self, client: usize, order: Order) {
        *lock(&self.places[client].order) = Some(order);
    }

    pub fn order(&self, client: usize) -> Option<Order> {
        lock(&self.places[client].order).take()
    }

    /// From now on a client is settled that has heard everything up to there.
    pub fn set_ends(&self, ends: BTreeMap<i64, i64>) {
        *lock(&self.ends) = Some(ends);
        for place in &self.places {
            place.is_settled.store(false, Ordering::Relaxed);
        }
    }

    /// Whether a client that is there has heard all that it is known to hear.
    pub fn is_all(&self, places: &BTreeMap<i64, i64>) -> bool {
        let ends = lock(&self.ends);
        let Some(ends) = ends.as_ref() else { return true };
        places.iter().all(|(conversation, last)| ends.get(conversation).is_none_or(|end| last >= end))
    }

    /// Whether a client is connected and has nothing left to say or to hear.
    pub fn is_settled(&self, client: usize, is_settled: bool) {
        self.places[client].is_settled.store(is_settled, Ordering::Relaxed);
    }

    /// Waits until all clients are settled, but no longer than `limit`. Returns who is not.
    pub fn wait_for_all(&self, limit: Duration) -> Vec<usize> {
        let deadline = Instant::now() + limit;
        loop {
            let places = self.places.iter().enumerate();
            let unsettled = places.filter(|(_, place)| !place.is_settled.load(Ordering::Relaxed));
            let unsettled: Vec<_> = unsettled.map(|(client, _)| client).collect();
            if unsettled.is_empty() || Instant::now() > deadline {
                return unsettled;
            }
            std::thread::sleep(LOOK);
        }
    }

    pub fn put_down(&self, client: usize, connection: u32, mut what: What) {
        let record = &mut *lock(&self.record);
        if let What::Hears(Message { line, .. }) | What::Sends(Sending { line, .. }) = &mut what {
            match record.lines.get(line) {
                Some(known) => *line = known.clone(),
                None => _ = record.lines.insert(line.clone()),
            }
        }
        record.events.push(Event { client, connection, what });
    }

    /// What was put down so far, which is forgotten here.
    pub fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut lock(&self.record).events)
    }

    /// Keeps why a connection has ended.
    pub fn note(&self, client: usize, error: &anyhow::Error) {
        let reason = format!("{error:#}").replace(|character: char| character.is_ascii_digit(), "#");
        let reason = reason.chars().take(LONGEST_REASON).collect();
        *lock(&self.reasons).entry(reason).or_default() += 1;
        self.is_settled(client, false);
    }

    /// The most frequent first.
    pub fn reasons(&self) -> Vec<(String, u64)> {
        let mut reasons: Vec<_> = lock(&self.reasons).clone().into_iter().collect();
        reasons.sort_unstable_by_key(|(_, count)| std::cmp::Reverse(*count));
        reasons
    }
}

const LONGEST_REASON: usize = 100;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
