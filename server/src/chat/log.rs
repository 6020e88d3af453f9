//! The log of messages: group commit and the sequence.
//!
//! One task takes what has been queued, as much as there is, and commits it in one transaction, in the order of the
//! queue. Only what is committed is broadcast or acknowledged. A commit that comes soon after another waits a little for
//! company: each costs a synced write, and a write to each client.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sea_orm::ConnectionTrait;
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};

use super::conversation::{self, ConversationId, EVERYONE};
use super::message::{self, Message, Named, NewMessage};
use super::{member, to_microseconds};
use crate::accounts::UserId;
use crate::config::Chat;
use crate::database::{Database, in_time};
use crate::error::Result;
use crate::event::{Event, Events};
use crate::metrics::Metrics;

/// So many messages of one batch cost little more each than more of them would.
const COMPANY: usize = 32;

/// A message that somebody wants to post.
pub struct Post {
    pub conversation: ConversationId,
    pub author: UserId,
    pub email: Arc<str>,
    pub text: String,
    /// The sender's own name for this message; a repeat of it changes nothing.
    pub client_offset: Option<String>,
    pub reply: Reply,
}

/// Hears what became of a post. Called once, inline: it must not block.
pub type Reply = Box<dyn FnOnce(Result<Message, Refusal>) + Send + Sync>;

/// Why a message was not posted. Nothing of it is stored then, but for the last case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody has signed in on this socket.
    Unauthenticated,
    /// The author is not in the conversation, if there is one.
    NotAMember,
    /// The message to change is somebody else's.
    NotTheAuthor,
    /// There is no such message to change.
    NotFound,
    /// The message itself is at fault.
    Invalid(&'static str),
    /// Its `clientOffset` is.
    InvalidOffset(&'static str),
    /// The author says too much, or asks too much, in a short time.
    Throttled { seconds: u64 },
    /// The queue is full.
    Overloaded,
    /// The server is stopping.
    Stopping,
    /// The database failed. Where that happened at the very commit the message may be there all the same; the same
    /// `clientOffset` makes a repeat harmless.
    Unavailable,
}

impl Refusal {
    /// A word for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::NotAMember | Self::NotTheAuthor => "forbidden",
            Self::NotFound => "not-found",
            Self::Invalid(_) | Self::InvalidOffset(_) => "invalid",
            Self::Throttled { .. } => "throttled",
            Self::Overloaded => "overloaded",
            Self::Stopping => "stopping",
            Self::Unavailable => "unavailable",
        }
    }

    /// A sentence for people.
    pub fn message(self) -> &'static str {
        match self {
            Self::Unauthenticated => "Authentication credentials were not provided.",
            Self::NotAMember => "You are not in this conversation.",
            Self::NotTheAuthor => "The message is another's.",
            Self::NotFound => "There is no such message.",
            Self::Invalid(message) | Self::InvalidOffset(message) => message,
            Self::Throttled { .. } => "Too much in a short time, try again in a second.",
            Self::Overloaded => "Too much is waiting, try again later.",
            Self::Stopping => "The server is stopping, try again later.",
            Self::Unavailable => "The message could not be stored, try again later.",
        }
    }
}

/// The way into the log.
pub struct Log {
    queue: Mutex<Option<mpsc::Sender<Queued>>>,
    bytes: Arc<Semaphore>,
    max_bytes: usize,
}

struct Queued {
    post: Post,
    bytes: OwnedSemaphorePermit,
}

/// The task's end of the queue.
pub struct Writer {
    queue: mpsc::Receiver<Queued>,
    database: Database,
    events: Events,
    metrics: Arc<Metrics>,
    batch: usize,
    interval: Duration,
}

impl Log {
    pub fn new(config: &Chat, database: Database, events: Events, metrics: Arc<Metrics>) -> (Self, Writer) {
        let (sender, queue) = mpsc::channel(config.queue_messages.get());
        let bytes = Arc::new(Semaphore::new(config.queue_bytes.get()));
        let log = Self { queue: Mutex::new(Some(sender)), bytes, max_bytes: config.queue_bytes.get() };
        let interval = Duration::from_millis(config.commit_interval_milliseconds.into());
        (log, Writer { queue, database, events, metrics, batch: config.batch_messages.get(), interval })
    }

    /// Queues a post, at once and in the order of the calls, or refuses it through its reply.
    pub fn append(&self, post: Post) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else {
            return (post.reply)(Err(Refusal::Stopping));
        };
        let size = u32::try_from(post.text.len()).unwrap_or(u32::MAX);
        let Ok(bytes) = self.bytes.clone().try_acquire_many_owned(size) else {
            return (post.reply)(Err(Refusal::Overloaded));
        };
        if let Err(error) = queue.try_send(Queued { post, bytes }) {
            (error.into_inner().post.reply)(Err(Refusal::Overloaded));
        }
    }

    /// How many messages wait, and how many bytes of messages are not committed yet.
    pub fn waiting(&self) -> (usize, usize) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let messages = queue.as_ref().map_or(0, |queue| queue.max_capacity() - queue.capacity());
        (messages, self.max_bytes - self.bytes.available_permits())
    }

    /// Whether it takes messages in.
    pub fn is_open(&self) -> bool {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Takes nothing more in; [`Writer::run`] ends once what is queued is committed.
    pub fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Writer {
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(self.batch);
        let mut next = Instant::now();
        while self.queue.recv_many(&mut batch, self.batch).await > 0 {
            self.gather(&mut batch, next).await;
            next = Instant::now() + self.interval;
            // The bytes stay counted until the batch is through.
            let (posts, _bytes): (Vec<_>, Vec<_>) = batch.drain(..).map(|queued| (queued.post, queued.bytes)).unzip();
            self.write(posts).await;
        }
    }

    /// Until `deadline`, or there is company enough, or nobody comes any more.
    async fn gather(&mut self, batch: &mut Vec<Queued>, deadline: Instant) {
        while batch.len() < COMPANY.min(self.batch) {
            let rest = self.batch - batch.len();
            if !matches!(timeout_at(deadline, self.queue.recv_many(batch, rest)).await, Ok(1..)) {
                break;
            }
        }
    }

    async fn write(&self, posts: Vec<Post>) {
        // In the order of their ids, in which every node takes their locks, so that none waits for another in a circle.
        let mut lanes: BTreeMap<ConversationId, Vec<Post>> = BTreeMap::new();
        for post in posts {
            lanes.entry(post.conversation).or_default().push(post);
        }
        match in_time(self.commit(&lanes)).await {
            Ok(committed) => {
                for (posts, Committed { new, results }) in lanes.into_values().zip(committed) {
                    self.metrics.posted_messages.inc_by(new.len() as u64);
                    if !new.is_empty() {
                        self.events.publish(Event::MessagesPosted(new)).await;
                    }
                    for (post, result) in posts.into_iter().zip(results) {
                        (post.reply)(result);
                    }
                }
            }
            Err(error) => {
                let posts: Vec<_> = lanes.into_values().flatten().collect();
                tracing::error!(%error, messages = posts.len(), "messages could not be stored");
                for post in posts {
                    (post.reply)(Err(Refusal::Unavailable));
                }
            }
        }
    }

    async fn commit(&self, lanes: &BTreeMap<ConversationId, Vec<Post>>) -> Result<Vec<Committed>> {
        let began = Instant::now();
        let transaction = self.database.begin_first().await?;
        let mut committed = Vec::with_capacity(lanes.len());
        for (conversation, posts) in lanes {
            committed.push(append(&transaction, *conversation, posts).await?);
        }
        transaction.commit().await?;
        self.metrics.commits.observe(began.elapsed().as_secs_f64());
        Ok(committed)
    }
}

/// Appends posts to one conversation.
async fn append(transaction: &impl ConnectionTrait, conversation: ConversationId, posts: &[Post]) -> Result<Committed> {
    let allowed = allowed(transaction, conversation, posts).await?;
    let count = allowed.iter().filter(|is_allowed| **is_allowed).count();
    if count == 0 {
        return Ok(number(conversation, 0, posts, &allowed, HashMap::new()));
    }
    // Takes the conversation's lock, so that what follows sees all messages before it, whoever wrote them; and nobody is taken
    // out of it any more before they are through.
    let last = conversation::take_seqs(transaction, conversation, signed(count)).await?;
    let allowed = self::allowed(transaction, conversation, posts).await?;
    let names: Vec<_> = posts.iter().filter_map(|post| Some((post.author, post.client_offset.as_deref()?))).collect();
    let known = if names.is_empty() {
        HashMap::new()
    } else {
        message::by_client_offset(transaction, conversation, &names).await?
    };
    let numbered = number(conversation, last - signed(count), posts, &allowed, known);
    if !numbered.new.is_empty() {
        message::insert_all(transaction, conversation, numbered.rows(posts)).await?;
    }
    let left = signed(count) - signed(numbered.new.len());
    if left != 0 {
        conversation::take_seqs(transaction, conversation, -left).await?;
    }
    Ok(numbered)
}

/// For each post whether its author is in the conversation. Nobody is in one that does not exist.
async fn allowed(
    transaction: &impl ConnectionTrait,
    conversation: ConversationId,
    posts: &[Post],
) -> Result<Vec<bool>> {
    if conversation == EVERYONE {
        return Ok(vec![true; posts.len()]);
    }
    let members = member::among(transaction, conversation, posts.iter().map(|post| post.author)).await?;
    Ok(posts.iter().map(|post| members.contains(&post.author)).collect())
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What a transaction has done.
struct Committed {
    /// The messages that are new, in order of `seq`.
    new: Vec<Message>,
    /// For each post its message, whether new or known before.
    results: Vec<Result<Message, Refusal>>,
}

/// Gives each new post the next number after `last`, and each repeat the message that it repeats. A name that stands for
/// another text already is refused: its sender would take the new one for posted.
fn number(
    conversation: ConversationId,
    last: i64,
    posts: &[Post],
    allowed: &[bool],
    mut known: HashMap<(UserId, String), Named>,
) -> Committed {
    let now = to_microseconds(OffsetDateTime::now_utc());
    let mut committed = Committed { new: Vec::new(), results: Vec::with_capacity(posts.len()) };
    for (post, is_allowed) in posts.iter().zip(allowed) {
        if !is_allowed {
            committed.results.push(Err(Refusal::NotAMember));
            continue;
        }
        let name = post.client_offset.as_ref().map(|offset| (post.author, offset.clone()));
        if let Some(first) = name.as_ref().and_then(|name| known.get(name)) {
            // What has been edited since is not compared: it was the same once, as far as anybody can tell.
            let result = if first.text.as_ref().is_none_or(|text| *text == post.text) {
                Ok(first.message.clone())
            } else {
                Err(NAME_TAKEN)
            };
            committed.results.push(result);
            continue;
        }
        let message = Message {
            line: Message::line(&post.email, &post.text),
            conversation,
            seq: last + i64::try_from(committed.new.len()).unwrap_or(i64::MAX) + 1,
            author: post.author,
            created_at: now,
            edited_at: None,
            deleted_at: None,
        };
        if let Some(name) = name {
            known.insert(name, Named { message: message.clone(), text: Some(post.text.clone()) });
        }
        committed.new.push(message.clone());
        committed.results.push(Ok(message));
    }
    committed
}

const NAME_TAKEN: Refusal = Refusal::InvalidOffset("The clientOffset was given to another message.");

impl Committed {
    fn rows<'a>(&'a self, posts: &'a [Post]) -> impl Iterator<Item = NewMessage> + 'a {
        let mut new = self.new.iter().peekable();
        posts.iter().zip(&self.results).filter_map(move |(post, result)| {
            let seq = result.as_ref().ok()?.seq;
            new.next_if(|next| next.seq == seq).map(|message| NewMessage {
                seq,
                author: post.author,
                email: post.email.clone(),
                text: post.text.clone(),
                client_offset: post.client_offset.clone(),
                created_at: message.created_at,
            })
        })
    }
}
