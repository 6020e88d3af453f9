//! Presence: who is here, by any number of tabs and devices, on any node.
//!
//! A node counts its own sockets, notes in the database who has any, and says now and then that it is still there. What a
//! node that has crashed has noted counts no more once it has not been seen for [`TTL`]; so presence heals itself.

mod node;
mod person;
pub mod routes;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::accounts::UserId;
use crate::database::{Database, in_time};
use crate::error::Result;
use crate::event::{Event, Events};

/// How often arrivals and departures are told.
const INTERVAL: Duration = Duration::from_millis(500);
/// Whoever comes back within this time, as by loading a page anew, has not left.
const GRACE: Duration = Duration::from_secs(3);
/// How often a node says that it is still there, and looks who is on others, in intervals.
const REFRESH: u32 = 4;
/// After this time without a word a node is taken for gone.
pub const TTL: Duration = Duration::from_secs(15);

/// Somebody who is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    pub id: UserId,
    pub email: Arc<str>,
}

/// Who is here.
#[derive(Clone)]
pub struct Presence {
    /// This node's name.
    node: Arc<str>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// On this node.
    own: HashMap<UserId, Own>,
    /// On any, as it was told last.
    here: BTreeMap<UserId, Arc<str>>,
}

struct Own {
    email: Arc<str>,
    sockets: usize,
    /// Since when there are none.
    left_at: Option<Instant>,
}

/// One socket of somebody who is here, for as long as it is kept.
pub struct Stay {
    presence: Presence,
    user: UserId,
}

impl Presence {
    pub fn of_new_node() -> Self {
        Self { node: crate::random::alphanumeric::<16>().into(), state: Arc::default() }
    }

    /// This node goes: who was here is so no more, as far as other nodes know.
    pub async fn leave(&self, database: &Database) -> Result<()> {
        node::delete(database.write(), &self.node).await
    }

    /// Somebody has one socket more.
    pub fn arrive(&self, user: UserId, email: Arc<str>) -> Stay {
        let mut state = self.state();
        let own = state.own.entry(user).or_insert_with(|| Own { email: email.clone(), sockets: 0, left_at: None });
        own.sockets += 1;
        own.email = email;
        own.left_at = None;
        Stay { presence: self.clone(), user }
    }

    /// How many sockets somebody has on this node.
    pub fn sockets_of(&self, user: UserId) -> usize {
        self.state().own.get(&user).map_or(0, |own| own.sockets)
    }

    /// A part of those who are here, in the order of their ids; and how many there are.
    pub fn people(&self, offset: u64, limit: u64) -> (u64, Vec<Person>) {
        let state = self.state();
        let (offset, limit) = (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(0));
        let people = state.here.iter().skip(offset).take(limit);
        let people = people.map(|(id, email)| Person { id: *id, email: email.clone() }).collect();
        (state.here.len() as u64, people)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stay {
    pub fn is_of(&self, user: UserId) -> bool {
        self.user == user
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        if let Some(own) = self.presence.state().own.get_mut(&self.user) {
            own.sockets = own.sockets.saturating_sub(1);
            if own.sockets == 0 {
                own.left_at = Some(Instant::now());
            }
        }
    }
}

/// The task that tells who has come and gone.
pub struct Keeper {
    presence: Presence,
    database: Database,
    events: Events,
    /// What this node has noted.
    noted: HashSet<UserId>,
    /// Who is on other nodes.
    others: Vec<Person>,
}

impl Keeper {
    pub fn new(presence: Presence, database: Database, events: Events) -> Self {
        Self { presence, database, events, noted: HashSet::new(), others: Vec::new() }
    }

    pub async fn run(mut self) {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for turn in 0_u32.. {
            interval.tick().await;
            if let Err(error) = self.look(turn % REFRESH == 0).await {
                tracing::error!(%error, "who is here could not be noted");
            }
        }
    }

    /// What is noted as told is told, however long the queue of events takes; only the database has a deadline.
    async fn look(&mut self, refresh: bool) -> Result<()> {
        let own = self.own();
        in_time(self.keep(refresh, &own)).await?;
        self.tell(own).await;
        Ok(())
    }

    async fn keep(&mut self, refresh: bool, own: &BTreeMap<UserId, Arc<str>>) -> Result<()> {
        if refresh {
            if node::refresh(self.database.write(), &self.presence.node).await? {
                // Others took this node for dead, and forgot who is here.
                self.noted.clear();
            }
            node::delete_stale(self.database.write(), TTL).await?;
            self.others = person::on_others(self.database.read(), &self.presence.node).await?;
        }
        self.note(own).await
    }

    /// Who is on this node, without those who left some time ago.
    fn own(&self) -> BTreeMap<UserId, Arc<str>> {
        let mut state = self.presence.state();
        state.own.retain(|_, own| own.left_at.is_none_or(|left_at| left_at.elapsed() < GRACE));
        state.own.iter().map(|(id, own)| (*id, own.email.clone())).collect()
    }

    async fn note(&mut self, own: &BTreeMap<UserId, Arc<str>>) -> Result<()> {
        let come: Vec<_> = own.keys().filter(|id| !self.noted.contains(id)).copied().collect();
        let gone: Vec<_> = self.noted.iter().filter(|id| !own.contains_key(id)).copied().collect();
        person::insert_all(self.database.write(), &self.presence.node, &come).await?;
        self.noted.extend(come);
        person::delete_all(self.database.write(), &self.presence.node, &gone).await?;
        self.noted.retain(|id| !gone.contains(id));
        Ok(())
    }

    async fn tell(&self, mut here: BTreeMap<UserId, Arc<str>>) {
        for person in &self.others {
            here.entry(person.id).or_insert_with(|| person.email.clone());
        }
        let before = std::mem::replace(&mut self.presence.state().here, here.clone());
        let gone: Vec<_> = before.keys().filter(|id| !here.contains_key(id)).copied().collect();
        let come = here.into_iter().filter(|(id, _)| !before.contains_key(id));
        let come: Vec<_> = come.map(|(id, email)| Person { id, email }).collect();
        if !come.is_empty() || !gone.is_empty() {
            self.events.publish(Event::PresenceChanged { come, gone }).await;
        }
    }
}
