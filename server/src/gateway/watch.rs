//! Looks into the database for what others have written there: other nodes, and the command line.
//!
//! New messages are sent from the log, and the sockets of revoked tokens and users are dismissed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use time::{Duration as TimeDuration, OffsetDateTime};

use crate::accounts::familiar_network;
use crate::accounts::revocation::{self, Revocation};
use crate::app::App;
use crate::chat::{self, ConversationId, EVERYONE, Reach};
use crate::database::in_time;
use crate::error::Result;
use crate::event::Event;

/// Well within the second that is promised.
const INTERVAL: Duration = Duration::from_millis(250);
/// How often what nobody needs any more is deleted, in intervals: some once an hour.
const CLEAN_UP: u32 = 14_400;

/// How far back conversations are looked for beyond the last look, as clocks of nodes differ.
const WINDOW: TimeDuration = TimeDuration::minutes(1);

/// For longer than a revocation is kept.
const REMEMBERED: Duration = Duration::from_hours(48);

pub struct Watch {
    app: App,
    /// Revocations that have been acted on, and when: were the clock set back, they would be found again.
    seen: HashMap<i64, Instant>,
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
            seen: HashMap::new(),
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
            if let Err(error) = self.look().await {
                tracing::error!(%error, "the database could not be looked at");
            }
            if turn % CLEAN_UP == 0
                && let Err(error) = in_time(self.clean_up()).await
            {
                tracing::error!(%error, "what nobody needs any more could not be deleted");
            }
        }
    }

    /// What is noted as told is told, however long the queue of events takes; only the database has a deadline.
    async fn look(&mut self) -> Result<()> {
        let now = OffsetDateTime::now_utc();
        let (touched, recent) = in_time(self.read()).await?;
        let is_new = |revocation: &Revocation| self.seen.insert(revocation.id, Instant::now()).is_none();
        let new: Vec<_> = recent.into_iter().filter(is_new).collect();
        self.read_at = now;
        if !new.is_empty() {
            self.app.events.publish(Event::Revoked(new)).await;
        }
        self.tell_reaches(touched).await;
        Ok(())
    }

    /// The conversations that were touched, with the first one each time, so that what could not be sent is tried again; and
    /// what was revoked.
    async fn read(&self) -> Result<(Vec<Reach>, Vec<Revocation>)> {
        let Self { app, read_at, .. } = self;
        let mut touched = chat::touched_since(app, *read_at - WINDOW).await?;
        if !touched.iter().any(|reach| reach.id == EVERYONE) {
            touched.push(chat::reach(app, EVERYONE).await?);
        }
        Ok((touched, revocation::since(app.database.read(), *read_at).await?))
    }

    async fn clean_up(&mut self) -> Result<()> {
        self.seen.retain(|_, at| at.elapsed() < REMEMBERED);
        revocation::delete_old(self.app.database.write()).await?;
        familiar_network::delete_old(self.app.database.write()).await
    }

    async fn tell_reaches(&mut self, touched: Vec<Reach>) {
        let before = std::mem::take(&mut self.reached);
        for reach in touched {
            let known = before.get(&reach.id);
            let members_changed = self.versions.insert(reach.id, reach.version) != Some(reach.version);
            if known != Some(&reach) || reach.id == EVERYONE {
                self.app.events.publish(Event::LogReaches { reach, members_changed }).await;
            }
            self.reached.insert(reach.id, reach);
        }
    }
}
