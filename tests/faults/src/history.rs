//! What clients have said and heard, and what the server says in the end that was said.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

/// A whole run.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// In the order in which they were put down. What a client sends is put down before, and what it hears after: of two
    /// events in this order, the second did not end before the first began.
    pub events: Vec<Event>,
    /// All conversations as they are read in the end, in the order in which the server gives them.
    pub stored: Vec<Message>,
    /// Whether the database was away at times. A message may then be refused without its sender hearing of it, and one that
    /// was sent behind it be stored.
    pub storage_failed: bool,
    /// Behind a gap so many messages follow at least: who has missed no more is told of none.
    pub replayed: i64,
}

#[derive(Clone, Debug)]
pub struct Event {
    pub client: usize,
    /// Counts a client's connections.
    pub connection: u32,
    pub what: What,
}

#[derive(Clone, Debug)]
pub enum What {
    /// The client authenticates, and is to hear these conversations; with the last number that it has of each, where it names
    /// one.
    Begins {
        offsets: BTreeMap<i64, Option<i64>>,
    },
    Sends(Sending),
    Acknowledged {
        attempt: u64,
        conversation: i64,
        seq: i64,
    },
    Refused {
        attempt: u64,
        /// Whether the server says by it that nothing is stored.
        is_certain: bool,
    },
    Hears(Message),
    /// The message after `after` will be `next`.
    ToldGap {
        conversation: i64,
        after: i64,
        next: i64,
    },
    /// The server does what it never may, which is told.
    Wonders(&'static str),
    /// Whichever side ended it. A connection that does not end has heard everything.
    Ends,
}

/// An attempt to post.
#[derive(Clone, Debug)]
pub struct Sending {
    /// Counts a client's attempts.
    pub attempt: u64,
    pub conversation: i64,
    /// Its `clientOffset`. Without one it is attempted once.
    pub name: Option<String>,
    pub author: i64,
    /// No two messages have the same.
    pub line: Arc<str>,
}

/// A message as the server tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub conversation: i64,
    pub seq: i64,
    pub author: i64,
    pub line: Arc<str>,
}

/// How much of a line is shown.
const SHOWN: usize = 60;

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { client, connection, what } = self;
        write!(f, "client {client}, connection {connection}: ")?;
        match what {
            What::Begins { offsets } => write!(f, "begins with {offsets:?}"),
            What::Sends(Sending { attempt, conversation, line, .. }) => {
                write!(f, "attempt {attempt}, sends {:?} to {conversation}", shown(line))
            }
            What::Acknowledged { attempt, conversation, seq } => {
                write!(f, "attempt {attempt} is number {seq} of {conversation}")
            }
            What::Refused { attempt, is_certain: true } => write!(f, "attempt {attempt} is refused"),
            What::Refused { attempt, is_certain: false } => write!(f, "attempt {attempt} is refused, perhaps too late"),
            What::Hears(message) => write!(f, "hears {message}"),
            What::ToldGap { conversation, after, next } => {
                write!(f, "is told that {next} follows {after} in {conversation}")
            }
            What::Wonders(told) => write!(f, "wonders: {told}"),
            What::Ends => write!(f, "ends"),
        }
    }
}

impl Display for Message {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { conversation, seq, author, line } = self;
        write!(f, "number {seq} of {conversation}, {:?} by {author}", shown(line))
    }
}

fn shown(line: &str) -> String {
    line.chars().take(SHOWN).collect()
}
