//! Facts that the rest of the house may hear, once they are durable.

use tokio::sync::mpsc;

use crate::accounts::revocation::Revocation;
use crate::chat::Message;

#[derive(Clone, Debug)]
pub enum Event {
    /// Messages of one conversation, in the order of their `seq`.
    MessagesPosted(Vec<Message>),
    /// Tokens or users that may no longer be used.
    Revoked(Vec<Revocation>),
    /// The log has messages up to this `seq`, whoever has written them.
    LogReaches(i64),
    /// Nothing comes after this.
    Stopping,
}

/// How many facts may wait for their hearer; whoever states one more waits. Few, as each may be a whole batch of messages.
const CAPACITY: usize = 8;

#[derive(Clone)]
pub struct Events(mpsc::Sender<Event>);

impl Events {
    pub fn channel() -> (Self, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        (Self(sender), receiver)
    }

    /// Waits while the hearer is busy. Without a hearer, which is so only while the server stops, nobody is left to tell.
    pub async fn publish(&self, event: Event) {
        if self.0.send(event).await.is_err() {
            tracing::debug!("an event came after the gateway had stopped");
        }
    }
}
