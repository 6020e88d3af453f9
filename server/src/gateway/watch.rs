//! Looks into the database for what others have written there: other nodes, and the command line.
//!
//! New messages are sent from the log, and the sockets of revoked tokens and users are dismissed.

use std::collections::HashSet;
use std::time::Duration;

use time::OffsetDateTime;

use crate::accounts::revocation;
use crate::app::App;
use crate::chat;
use crate::error::Result;
use crate::event::Event;

/// Well within the second that is promised.
const INTERVAL: Duration = Duration::from_millis(250);
/// How often revocations that every node has seen are deleted, in intervals: some once an hour.
const CLEAN_UP: u32 = 14_400;

pub struct Watch {
    app: App,
    /// Revocations that have been acted on.
    seen: HashSet<i64>,
    /// When all of them were last read.
    read_at: OffsetDateTime,
}

impl Watch {
    pub fn new(app: App) -> Self {
        Self { app, seen: HashSet::new(), read_at: OffsetDateTime::now_utc() }
    }

    pub async fn run(mut self) {
        let mut interval = tokio::time::interval(INTERVAL);
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
        }
        let now = OffsetDateTime::now_utc();
        let recent = revocation::since(self.app.database.read(), self.read_at).await?;
        let ids = recent.iter().map(|revocation| revocation.id).collect();
        let new: Vec<_> = recent.into_iter().filter(|revocation| !self.seen.contains(&revocation.id)).collect();
        self.seen = ids;
        self.read_at = now;
        if !new.is_empty() {
            self.app.events.publish(Event::Revoked(new)).await;
        }
        let newest_seq = chat::newest_seq(&self.app).await?;
        self.app.events.publish(Event::LogReaches(newest_seq)).await;
        Ok(())
    }
}
