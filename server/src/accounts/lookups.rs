//! Look-ups of tokens, gathered: when a server comes back, all its clients sign in within the same second.
//!
//! One task looks up at once what has been asked for meanwhile, so that the more ask, the less each costs.

use std::collections::HashMap;
use std::time::Duration;

use sea_orm::{ConnAcquireErr, DbErr};
use tokio::sync::{mpsc, oneshot};

use super::terms::Terms;
use super::token::{self, Token};
use super::user::User;
use crate::database::Database;
use crate::error::{Error, Result};

/// How many may wait to be looked up; whoever asks beyond waits for a place.
const CAPACITY: usize = 1024;
/// The most tokens of one statement.
const BATCH: usize = 256;
/// How long a statement may take that all others wait for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way to the task.
pub struct Lookups(mpsc::Sender<Lookup>);

struct Lookup {
    key_hash: Vec<u8>,
    reply: oneshot::Sender<Found>,
}

type Found = Result<Option<(Token, User)>, DbErr>;

/// The task's end.
pub struct Reader {
    queue: mpsc::Receiver<Lookup>,
    database: Database,
    terms: Terms,
}

impl Lookups {
    pub fn new(database: Database, terms: Terms) -> (Self, Reader) {
        let (sender, queue) = mpsc::channel(CAPACITY);
        (Self(sender), Reader { queue, database, terms })
    }

    /// The token with this key and its owner, as they are at some moment after the call.
    pub async fn find(&self, key: &str) -> Result<Option<(Token, User)>> {
        let (reply, found) = oneshot::channel();
        let lookup = Lookup { key_hash: token::hash(key), reply };
        self.0.send(lookup).await.map_err(|_| STOPPED)?;
        Ok(found.await.map_err(|_| STOPPED)??)
    }
}

const STOPPED: Error = Error::Unavailable("tokens are no longer looked up");

impl Reader {
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.queue.recv_many(&mut batch, BATCH).await > 0 {
            let found = self.look_up(&batch).await;
            for Lookup { key_hash, reply } in batch.drain(..) {
                let found = found.as_ref().map(|found| found.get(&key_hash).cloned()).map_err(DbErr::clone);
                // Whoever has gone meanwhile needs no answer.
                reply.send(found).ok();
            }
        }
    }

    async fn look_up(&self, batch: &[Lookup]) -> Result<HashMap<Vec<u8>, (Token, User)>, DbErr> {
        let hashes = batch.iter().map(|lookup| lookup.key_hash.clone());
        // Some repeated, so that there are few lengths, and the database knows each statement already.
        let hashes = hashes.cycle().take(batch.len().next_power_of_two());
        let found = tokio::time::timeout(PATIENCE, token::with_owners(self.database.read(), hashes, self.terms));
        let found = found.await.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))??;
        Ok(found.into_iter().map(|(token, owner)| (token.key_hash.clone(), (token, owner))).collect())
    }
}
