//! Facts to sockets: the only place that emits to a room.
//!
//! One task sends every message, lets sockets in and disconnects those whose credentials were taken back, one after the
//! other. So a socket that is let in has heard everything up to a known `seq`, and hears everything after it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::value::RawValue;
use socketioxide::adapter::Adapter;
use socketioxide::extract::SocketRef;
use socketioxide::{SendError, SocketError, SocketIo};
use tokio::sync::{mpsc, oneshot};

use super::crowd::Crowd;
use super::disconnect;
use super::session::Session;
use crate::accounts::revocation::Revocation;
use crate::accounts::{Identity, TokenId, UserId};
use crate::app::App;
use crate::chat::{self, Message};
use crate::error::{Error, Result};
use crate::event::Event;

/// Events on the wire.
pub mod names {
    pub const AUTHENTICATED: &str = "authenticated";
    pub const MESSAGE: &str = "server-got-message";
    pub const HISTORY_GAP: &str = "history-gap";
}

/// Sockets on the stock engine, which drops what a socket cannot take, and of a broadcast does not say whose it was. Ours
/// cuts that socket, so that it may be broadcast to: see [`Crowd`].
const ONE_BY_ONE: &str = "one by one";

fn room_of_user(id: UserId) -> String {
    format!("user:{}", id.0)
}

fn room_of_token(id: TokenId) -> String {
    format!("token:{}", id.0)
}

/// How many messages are read from the log at once.
const LOG_PAGE: u64 = 100;

/// How many events are taken at once.
const EVENTS: usize = 64;

/// How many sockets may wait to be let in; one more waits before the queue.
const JOINS: usize = 1024;

/// What is emitted to a room before what was emitted can be written, and other tasks get their turn; half a queue at most.
const PORTION_BYTES: usize = 512 * 1024;
const PORTION_MESSAGES: usize = 128;

pub struct FanOut<A: Adapter> {
    app: App,
    io: SocketIo<A>,
    events: mpsc::Receiver<Event>,
    joins: mpsc::Receiver<Join<A>>,
    revocations: Arc<AtomicU64>,
    /// The last message sent.
    seq: i64,
    crowd: Crowd,
    /// The newest messages sent, without a gap, up to `seq`.
    recent: VecDeque<Encoded>,
    recent_bytes: usize,
}

/// A message as JSON, made once for all who hear it.
struct Encoded {
    seq: i64,
    json: Box<RawValue>,
}

/// A socket that wants to hear.
pub struct Join<A: Adapter> {
    pub socket: SocketRef<A>,
    pub identity: Identity,
    /// The last message that the client has, if it wants what came after.
    pub offset: Option<i64>,
    /// [`Joins::revocations`] from before its token was looked up.
    pub revocations: u64,
    /// Whether it has been told already that it is authenticated.
    pub is_told: bool,
    pub reply: oneshot::Sender<Joined>,
}

#[derive(Debug)]
pub enum Joined {
    /// It hears everything from here on.
    Hears,
    /// Something was revoked meanwhile: its token may be no longer valid.
    LookAgain,
    /// It has missed more than is kept in memory. It must be sent the log up to `seq` first.
    Behind { seq: i64 },
    /// It knows of more than has been sent from here, which is up to `seq`.
    Ahead { seq: i64 },
}

/// The way in, for sockets that have authenticated.
pub struct Joins<A: Adapter> {
    queue: mpsc::Sender<Join<A>>,
    revocations: Arc<AtomicU64>,
}

impl<A: Adapter> Clone for Joins<A> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), revocations: self.revocations.clone() }
    }
}

impl<A: Adapter> Joins<A> {
    /// How many revocations have been acted on.
    pub fn revocations(&self) -> u64 {
        self.revocations.load(Ordering::Acquire)
    }

    pub async fn send(&self, join: Join<A>) -> Result<()> {
        self.queue.send(join).await.map_err(|_| Error::Unavailable("the gateway has stopped"))
    }
}

impl<A: Adapter> FanOut<A> {
    pub fn new(app: App, io: SocketIo<A>, events: mpsc::Receiver<Event>, seq: i64) -> (Self, Joins<A>) {
        let (queue, joins) = mpsc::channel(JOINS);
        let revocations = Arc::new(AtomicU64::new(0));
        let recent = VecDeque::new();
        let way_in = Joins { queue, revocations: revocations.clone() };
        (Self { app, io, events, joins, revocations, seq, crowd: Crowd::default(), recent, recent_bytes: 0 }, way_in)
    }

    /// Runs until the server stops.
    pub async fn run(mut self) {
        self.recall().await;
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            tokio::select! {
                count = self.events.recv_many(&mut events, EVENTS) => {
                    let is_last = count == 0 || events.iter().any(|event| matches!(event, Event::Stopping));
                    for event in gathered(events.drain(..)) {
                        self.hear(event).await;
                    }
                    if is_last {
                        break;
                    }
                }
                Some(join) = self.joins.recv() => self.admit(join),
            }
        }
    }

    /// Reads the newest messages, so that the clients that come back to a server that was started anew find them in memory.
    async fn recall(&mut self) {
        let kept = i64::try_from(self.app.config.chat.recent_messages.get()).unwrap_or(i64::MAX);
        if let Err(error) = self.recall_after(self.seq.saturating_sub(kept).max(0)).await {
            tracing::error!(%error, "the newest messages could not be read");
            self.recent.clear();
            self.recent_bytes = 0;
        }
    }

    async fn recall_after(&mut self, mut seq: i64) -> Result<()> {
        while seq < self.seq {
            let page = chat::missed(&self.app, seq, LOG_PAGE).await?;
            let page: Vec<_> = page.into_iter().take_while(|message| message.seq <= self.seq).collect();
            seq = page.last().ok_or(Error::NotFound)?.seq;
            self.remember(page.iter().map(Encoded::of).collect::<Result<_>>()?);
        }
        Ok(())
    }

    async fn hear(&mut self, event: Event) {
        match event {
            Event::MessagesPosted(messages) => self.send_or_retry(messages).await,
            Event::LogReaches(seq) => self.catch_up_or_retry(seq).await,
            Event::Revoked(revocations) => self.revoke(&revocations),
            Event::Stopping => {}
        }
    }

    /// What fails here is tried again: the log is looked at several times a second.
    async fn send_or_retry(&mut self, messages: Vec<Message>) {
        if let Err(error) = self.send_all(messages).await {
            tracing::error!(%error, "messages could not be sent");
        }
    }

    async fn catch_up_or_retry(&mut self, seq: i64) {
        if let Err(error) = self.catch_up(seq).await {
            tracing::error!(%error, "the log could not be read");
        }
    }

    /// Sends messages in the order of `seq`. Those that were committed by others, or whose event was lost, are read from
    /// the log first.
    async fn send_all(&mut self, mut messages: Vec<Message>) -> Result<()> {
        let Some(first) = messages.first() else { return Ok(()) };
        self.catch_up(first.seq - 1).await?;
        messages.retain(|message| message.seq > self.seq);
        self.send(&messages).await
    }

    /// Sends what the log has up to `seq`, if that is news.
    async fn catch_up(&mut self, seq: i64) -> Result<()> {
        while self.seq < seq {
            let missed = chat::missed(&self.app, self.seq, LOG_PAGE).await?;
            let missed: Vec<_> = missed.into_iter().take_while(|message| message.seq <= seq).collect();
            if missed.is_empty() {
                break;
            }
            self.send(&missed).await?;
        }
        Ok(())
    }

    async fn send(&mut self, messages: &[Message]) -> Result<()> {
        let encoded = messages.iter().map(Encoded::of).collect::<Result<Vec<_>>>()?;
        let Some(last) = encoded.last() else { return Ok(()) };
        self.seq = last.seq;
        let config = &self.app.config.gateway;
        let messages = PORTION_MESSAGES.min(config.send_queue.get() / 2).max(1);
        let bytes = PORTION_BYTES.min(config.send_queue_bytes.get() / 2);
        for portion in portions(&encoded, messages, bytes) {
            self.send_portion(portion).await;
        }
        self.remember(encoded);
        Ok(())
    }

    async fn send_portion(&self, portion: &[Encoded]) {
        for room in self.crowd.rooms() {
            for encoded in portion {
                if let Err(error) = self.io.to(room.to_owned()).emit(names::MESSAGE, &encoded.json).await {
                    tracing::debug!(%error, "some sockets are closing");
                }
            }
            // Nobody joins meanwhile.
            tokio::task::yield_now().await;
        }
        for socket in self.io.to(ONE_BY_ONE).sockets() {
            if emit_all(&socket, portion.iter()).is_err() {
                self.cut(&socket);
            }
            tokio::task::coop::consume_budget().await;
        }
    }

    fn remember(&mut self, encoded: Vec<Encoded>) {
        let (messages, bytes) = (&self.app.config.chat.recent_messages, &self.app.config.chat.recent_bytes);
        self.recent_bytes += encoded.iter().map(Encoded::len).sum::<usize>();
        self.recent.extend(encoded);
        while (self.recent.len() > messages.get() || self.recent_bytes > bytes.get())
            && let Some(oldest) = self.recent.pop_front()
        {
            self.recent_bytes -= oldest.len();
        }
    }

    /// A client that does not keep up is told nothing more, so that what it has heard has no hole. Its connection breaks,
    /// upon which clients come back by themselves, and get the rest.
    fn cut(&self, socket: &SocketRef<A>) {
        if disconnect::link(socket).is_some() {
            // Our engine has cut it.
            return;
        }
        self.app.metrics.slow_sockets.up();
        tracing::info!("a client that does not keep up is cut off");
        disconnect::hang_up(socket);
    }

    fn admit(&mut self, join: Join<A>) {
        let joined = self.try_admit(&join);
        if join.reply.send(joined).is_err() {
            tracing::debug!("a socket has gone while it was let in");
        }
    }

    fn try_admit(&mut self, join: &Join<A>) -> Joined {
        let Join { socket, identity, offset, revocations, is_told, .. } = join;
        if *revocations != self.revocations.load(Ordering::Acquire) {
            return Joined::LookAgain;
        }
        if !is_told && let Err(error) = socket.emit(names::AUTHENTICATED, &true) {
            tracing::debug!(%error, "an authenticated client could not be told");
        }
        let Some(session) = socket.extensions.get::<Arc<Session<A>>>() else { return Joined::Hears };
        let is_in = session.has_seat();
        if let Some(offset) = offset.filter(|_| !is_in) {
            if offset > self.seq {
                return Joined::Ahead { seq: self.seq };
            }
            let Some(missed) = self.recent_after(offset) else {
                return Joined::Behind { seq: self.seq };
            };
            if emit_all(socket, missed).is_err() {
                self.cut(socket);
                return Joined::Hears;
            }
        }
        if is_in {
            // Somebody else's, or another token's, from now on.
            socket.leave_all();
        }
        let seat = self.crowd.seat();
        let link = disconnect::link(socket);
        let everyone = if link.is_some() { seat.room() } else { ONE_BY_ONE };
        socket.join([everyone.to_owned(), room_of_user(identity.user), room_of_token(identity.token)]);
        let is_seated = session.take_seat(seat);
        if !is_seated || !socket.connected() || link.is_some_and(|link| link.has_ended()) {
            // It has gone meanwhile, and nobody else would take it out of its rooms any more.
            socket.leave_all();
        }
        Joined::Hears
    }

    /// What came after `offset`, if all of it is still in memory.
    fn recent_after(&self, offset: i64) -> Option<impl Iterator<Item = &Encoded>> {
        let oldest = self.recent.front().map_or(self.seq + 1, |encoded| encoded.seq);
        let limit = i64::try_from(self.app.config.chat.replay_limit.get()).unwrap_or(i64::MAX);
        let is_here = oldest - 1 <= offset && self.seq - offset <= limit;
        is_here.then(|| self.recent.iter().skip_while(move |encoded| encoded.seq <= offset))
    }

    fn revoke(&self, revocations: &[Revocation]) {
        // From here on, a join whose token was looked up before must look again.
        self.revocations.fetch_add(1, Ordering::AcqRel);
        for revocation in revocations {
            let rooms = [revocation.token_id.map(room_of_token), revocation.user_id.map(room_of_user)];
            for room in rooms.into_iter().flatten() {
                for socket in self.io.to(room).sockets() {
                    disconnect::dismiss(&socket);
                }
            }
        }
    }
}

/// Events as one whose messages follow each other without a hole, in which other nodes' would be. The more there is to
/// send, the more a socket is sent at once.
fn gathered(events: impl Iterator<Item = Event>) -> Vec<Event> {
    let follows = |before: &[Message], messages: &[Message]| {
        before.last().zip(messages.first()).is_some_and(|(last, first)| first.seq == last.seq + 1)
    };
    let mut gathered = Vec::new();
    for event in events {
        match (gathered.last_mut(), event) {
            (Some(Event::MessagesPosted(before)), Event::MessagesPosted(messages)) if follows(before, &messages) => {
                before.extend(messages);
            }
            (_, event) => gathered.push(event),
        }
    }
    gathered
}

/// Few enough messages and bytes at once for queues that are being emptied.
fn portions(mut messages: &[Encoded], most: usize, most_bytes: usize) -> impl Iterator<Item = &[Encoded]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |message: &&Encoded| {
            bytes += message.len();
            bytes <= most_bytes
        };
        let count = messages.iter().take(most).take_while(fits).count().max(1).min(messages.len());
        let (portion, rest) = messages.split_at(count);
        messages = rest;
        Some(portion).filter(|portion| !portion.is_empty())
    })
}

impl Encoded {
    fn of(message: &Message) -> Result<Self> {
        let json = serde_json::value::to_raw_value(message).map_err(|error| Error::Internal(error.into()))?;
        Ok(Self { seq: message.seq, json })
    }

    fn len(&self) -> usize {
        self.json.get().len()
    }
}

/// Whether a socket could take all messages. Who misses one must not hear a later one.
fn emit_all<'a, A: Adapter>(socket: &SocketRef<A>, messages: impl Iterator<Item = &'a Encoded>) -> Result<(), ()> {
    for encoded in messages {
        match socket.emit(names::MESSAGE, &encoded.json) {
            Ok(()) => {}
            Err(SendError::Socket(SocketError::Closed)) => return Ok(()),
            Err(_) => return Err(()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::gathered;
    use crate::accounts::UserId;
    use crate::chat::{EVERYONE, Message};
    use crate::event::Event;

    fn posted(seqs: std::ops::RangeInclusive<i64>) -> Event {
        let message = |seq| Message {
            line: Message::line("ann@ref.example", "x"),
            conversation: EVERYONE,
            seq,
            author: UserId(1),
            created_at: OffsetDateTime::UNIX_EPOCH,
        };
        Event::MessagesPosted(seqs.map(message).collect())
    }

    fn seqs(event: &Event) -> Vec<i64> {
        match event {
            Event::MessagesPosted(messages) => messages.iter().map(|message| message.seq).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn messages_are_sent_together_as_far_as_no_other_node_has_posted_between_them() {
        let events = [posted(1..=2), posted(3..=4), posted(6..=6), Event::LogReaches(6), posted(7..=7)];
        let gathered: Vec<_> = gathered(events.into_iter()).iter().map(seqs).collect();
        assert_eq!(gathered, [vec![1, 2, 3, 4], vec![6], vec![], vec![7]]);
    }
}
