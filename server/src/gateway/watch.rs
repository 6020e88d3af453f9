//! Looks into the database for what others have written there: other nodes, and the command line.
//!
//! New messages are sent from the log, and the sockets of revoked tokens and users are dismissed.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use time::{Duration as TimeDuration, OffsetDateTime};

use crate::accounts::{familiar_network, revocation};
use crate::app::App;
use crate::chat::{self, ConversationId, EVERYONE, Reach};
use crate::error::Result;
use crate::event::Event;

/// Well within the second that is promised.
const INTERVAL: Duration = Duration::from_millis(250);
/// How often what nobody needs any more is deleted, in intervals: some once an hour.
const CLEAN_UP: u32 = 14_400;

/// How far back conversations are looked for beyond the last look, as clocks of nodes differ.
const WINDOW: TimeDuration = TimeDuration::minutes(1);

pub struct Watch {
    app: App,
    /// Revocations that have been acted on.
    seen: HashSet<i64>,
    /// How conversations stood that were touched lately.
    reached: HashMap<ConversationId, Reach>,
    /// As of which version the members were told of each conversation that was ever touched.
    versions: HashMap<ConversationId, i64>,
    /// When all of them were last read.
    read_at: OffsetDateTime,
}

impl Watch {
    pub fn new(app: App) -> Self {
        Self {
            app,
            seen: HashSet::new(),
            reached: HashMap::new(),
            versions: HashMap::new(),
            read_at: OffsetDateTime::now_utc(),
        }
    }

    pub async fn run(mut self) {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for turn in 0_u32.. {
            interval.tick().await;
            if let Err(error) = self.look(turn % CLEAN_UP == 0).await {
                tracing::error!(%error, "the database could not be looked at");
            }
        }
    }

    async fn look(&mut self, clean_up: bool) -> Result<()> {
        if clean_up {
            revocation::delete_old(self.app.database.write()).await?;
            familiar_network::delete_old(self.app.database.write()).await?;
        }
        let now = OffsetDateTime::now_utc();
        let touched = chat::touched_since(&self.app, self.read_at - WINDOW).await?;
        let recent = revocation::since(self.app.database.read(), self.read_at).await?;
        let ids = recent.iter().map(|revocation| revocation.id).collect();
        let new: Vec<_> = recent.into_iter().filter(|revocation| !self.seen.contains(&revocation.id)).collect();
        self.seen = ids;
        self.read_at = now;
        if !new.is_empty() {
            self.app.events.publish(Event::Revoked(new)).await;
        }
        self.tell_reaches(touched).await
    }

    /// The first conversation's each time, so that what could not be sent is tried again.
    async fn tell_reaches(&mut self, mut touched: Vec<Reach>) -> Result<()> {
        if !touched.iter().any(|reach| reach.id == EVERYONE) {
            touched.push(chat::reach(&self.app, EVERYONE).await?);
        }
        let before = std::mem::take(&mut self.reached);
        for reach in touched {
            let known = before.get(&reach.id);
            let members_changed = self.versions.insert(reach.id, reach.version) != Some(reach.version);
            if known != Some(&reach) || reach.id == EVERYONE {
                self.app.events.publish(Event::LogReaches { reach, members_changed }).await;
            }
            self.reached.insert(reach.id, reach);
        }
        Ok(())
    }
}
