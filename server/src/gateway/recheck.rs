//! Looks again whether those who are connected may still be, whoever has not been told that they may not: tokens and
//! sessions grow old, and rows are changed by hand.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::connections::Connections;
use crate::accounts::{self, TokenId};
use crate::app::App;
use crate::database::in_time;
use crate::error::Result;
use crate::event::Event;

/// How often sessions are looked for that are over.
const INTERVAL: Duration = Duration::from_secs(1);
/// The most tokens of one statement.
const BATCH: usize = 256;

pub struct Recheck {
    app: App,
    connections: Connections,
    /// How long a round takes, in intervals.
    round: usize,
    /// When the next round begins.
    begins_at: Instant,
    /// Tokens that are still to be looked at in this round, …
    waiting: Vec<TokenId>,
    /// … and how many of them in one interval.
    portion: usize,
}

impl Recheck {
    pub fn new(app: App, connections: Connections) -> Self {
        let round = usize::try_from(app.config.accounts.recheck_seconds.get()).unwrap_or(usize::MAX);
        Self { app, connections, round, begins_at: Instant::now(), waiting: Vec::new(), portion: 0 }
    }

    pub async fn run(mut self) {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            if let Err(error) = self.look().await {
                tracing::error!(%error, "who is connected could not be looked at again");
            }
        }
    }

    async fn look(&mut self) -> Result<()> {
        if let Err(error) = in_time(accounts::end_expired_sessions(&self.app)).await {
            // Their tokens are no longer good all the same, which can be read where nothing can be written.
            tracing::error!(%error, "sessions that are over could not be removed");
        }
        if self.waiting.is_empty() && self.begins_at <= Instant::now() {
            self.begin();
        }
        // Whoever cannot be looked at now is looked at in the next round.
        let portion = self.waiting.split_off(self.waiting.len().saturating_sub(self.portion));
        for tokens in portion.chunks(BATCH) {
            self.end_bad(tokens).await?;
        }
        Ok(())
    }

    fn begin(&mut self) {
        self.begins_at = Instant::now() + INTERVAL * u32::try_from(self.round).unwrap_or(u32::MAX);
        self.waiting = self.connections.tokens().into_iter().collect();
        self.portion = self.waiting.len().div_ceil(self.round);
    }

    async fn end_bad(&self, tokens: &[TokenId]) -> Result<()> {
        let good = in_time(accounts::good_tokens(&self.app, tokens)).await?;
        let ended: Vec<_> = tokens.iter().copied().filter(|token| !good.contains(token)).collect();
        if !ended.is_empty() {
            tracing::info!(tokens = ended.len(), "sockets are ended whose tokens are no longer good");
            self.app.events.publish(Event::TokensEnded(ended)).await;
        }
        Ok(())
    }
}
