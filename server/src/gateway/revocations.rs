//! Looks for tokens and users whose sockets must go, whoever revoked them: this node, another, or the command line.

use std::collections::HashSet;
use std::time::Duration;

use crate::accounts::revocation;
use crate::app::App;
use crate::event::Event;

/// Well within the second that is promised.
const INTERVAL: Duration = Duration::from_millis(250);
/// How often those that every node has seen are deleted, in intervals: some once a minute.
const CLEAN_UP: u32 = 240;

pub struct Watch {
    app: App,
    seen: HashSet<i64>,
}

impl Watch {
    pub fn new(app: App) -> Self {
        Self { app, seen: HashSet::new() }
    }

    pub async fn run(mut self) {
        let mut interval = tokio::time::interval(INTERVAL);
        for turn in 0_u32.. {
            interval.tick().await;
            if let Err(error) = self.look(turn % CLEAN_UP == 0).await {
                tracing::error!(%error, "revocations could not be read");
            }
        }
    }

    async fn look(&mut self, clean_up: bool) -> crate::error::Result<()> {
        if clean_up {
            revocation::delete_old(self.app.database.write()).await?;
        }
        let recent = revocation::recent(self.app.database.read()).await?;
        let ids = recent.iter().map(|revocation| revocation.id).collect();
        let new: Vec<_> = recent.into_iter().filter(|revocation| !self.seen.contains(&revocation.id)).collect();
        self.seen = ids;
        if !new.is_empty() {
            self.app.events.publish(Event::Revoked(new)).await;
        }
        Ok(())
    }
}
