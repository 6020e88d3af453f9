//! Facts that the rest of the house may hear, once they are durable.

use tokio::sync::mpsc;

use crate::accounts::revocation::Revocation;
use crate::accounts::{TokenId, UserId};
use crate::chat::{ConversationId, Message, Reach};
use crate::presence::Person;

#[derive(Clone, Debug)]
pub enum Event {
    /// Messages of one conversation, in the order of their `seq`.
    MessagesPosted(Vec<Message>),
    /// A message was edited or deleted, by the change of this number.
    MessageChanged { number: i64, message: Message },
    /// Its members, or what it is called, are no longer the same.
    ConversationChanged(ConversationId),
    /// Somebody has read so far, which their other devices want to know.
    Read { user: UserId, conversation: ConversationId, seq: i64 },
    /// Somebody writes, and may or may not say something.
    Typing { conversation: ConversationId, author: Person },
    /// Who is here is no longer who was.
    PresenceChanged { come: Vec<Person>, gone: Vec<UserId> },
    /// Tokens or users that may no longer be used.
    Revoked(Vec<Revocation>),
    /// Tokens that were found to be no longer good.
    TokensEnded(Vec<TokenId>),
    /// The log reaches so far, whoever has written what is there.
    LogReaches { reach: Reach, members_changed: bool },
    /// Nothing comes after this.
    Stopping,
}

impl Event {
    /// The one conversation that it is about.
    pub fn conversation(&self) -> Option<ConversationId> {
        match self {
            Self::MessagesPosted(messages) => messages.first().map(|message| message.conversation),
            Self::MessageChanged { message, .. } => Some(message.conversation),
            Self::ConversationChanged(id) => Some(*id),
            Self::LogReaches { reach, .. } => Some(reach.id),
            Self::Read { conversation, .. } | Self::Typing { conversation, .. } => Some(*conversation),
            Self::PresenceChanged { .. } | Self::Revoked(_) | Self::TokensEnded(_) | Self::Stopping => None,
        }
    }
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

    /// For what is not worth waiting for.
    pub fn mention(&self, event: Event) {
        if self.0.try_send(event).is_err() {
            tracing::debug!("an event was not mentioned, as its hearer is busy");
        }
    }

    /// Waits while the hearer is busy. Without a hearer, which is so only while the server stops, nobody is left to tell.
    pub async fn publish(&self, event: Event) {
        if self.0.send(event).await.is_err() {
            tracing::debug!("an event came after the gateway had stopped");
        }
    }
}
