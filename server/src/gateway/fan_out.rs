//! Facts to sockets: the only place that emits to a room.
//!
//! One task sends every message, lets sockets in and disconnects those whose credentials were taken back, one after the
//! other. So a socket that is let in has heard everything up to a known `seq`, and hears everything after it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use socketioxide::adapter::Adapter;
use socketioxide::extract::SocketRef;
use socketioxide::{SendError, SocketError, SocketIo};
use tokio::sync::{mpsc, oneshot};

use super::changes::{Change, Changes, LookUp};
use super::crowd::Seat;
use super::disconnect;
use super::lane::{Encoded, Lane};
use super::session::Session;
use crate::accounts::revocation::Revocation;
use crate::accounts::{TokenId, UserId};
use crate::app::App;
use crate::chat::{self, ConversationId, EVERYONE, Message, Reach};
use crate::database::in_time;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::presence::Person;

/// Events on the wire.
pub mod names {
    pub const AUTHENTICATED: &str = "authenticated";
    pub const MESSAGE: &str = "server-got-message";
    pub const HISTORY_GAP: &str = "history-gap";
    pub const CHANGED: &str = "message-changed";
    pub const CONVERSATION_OPENED: &str = "conversation-opened";
    pub const CONVERSATION_JOINED: &str = "conversation-joined";
    pub const CONVERSATION_LEFT: &str = "conversation-left";
    pub const CONVERSATION_CHANGED: &str = "conversation-changed";
    pub const CONVERSATION_READ: &str = "conversation-read";
    pub const TYPING: &str = "typing";
    pub const PRESENCE: &str = "presence-changed";
}

/// Sockets on the stock engine, which drops what a socket cannot take, and of a broadcast does not say whose it was. Ours
/// cuts that socket, so that it may be broadcast to: see [`super::crowd`].
fn one_by_one(id: ConversationId) -> String {
    format!("one by one:{}", id.0)
}

/// Sockets of a conversation that have asked for more than the original sent: see [`Hears`].
fn attentive(id: ConversationId) -> String {
    format!("attentive:{}", id.0)
}

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

/// So many lanes cost next to nothing.
const FEW_LANES: usize = 1024;

/// Of how many people one event tells.
const PEOPLE: usize = 500;

/// What a socket hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hears {
    /// What the original sent: the messages of the first conversation.
    Everyone,
    /// All conversations that its user is in, and what else happens there.
    All,
}

pub struct FanOut<A: Adapter> {
    app: App,
    io: SocketIo<A>,
    events: mpsc::Receiver<Event>,
    joins: mpsc::Receiver<Join<A>>,
    changes: Changes,
    /// The first conversation, and the others that somebody hears from here.
    lanes: HashMap<ConversationId, Lane>,
    /// How many lanes there may be before those are looked for that nobody hears any more.
    crowded: usize,
    /// Conversations of which something could not be sent, or their members not be looked up.
    owed: HashSet<ConversationId>,
}

/// A socket that wants to hear.
pub struct Join<A: Adapter> {
    pub socket: SocketRef<A>,
    pub look_up: Arc<LookUp>,
    /// Its conversations, each with the last message that the client has, if it wants what came after.
    pub offsets: Vec<(ConversationId, Option<i64>)>,
    /// Whether it has been told already that it is authenticated.
    pub is_told: bool,
    pub reply: oneshot::Sender<Result<Joined>>,
}

#[derive(Debug)]
pub enum Joined {
    /// It hears everything from here on.
    Hears,
    /// What was looked up may no longer hold: see [`Changes`].
    LookAgain,
    /// Its user has as many sockets as anybody may have.
    TooMany,
    /// It has missed more than is kept in memory. It must be sent the log up to `seq` first.
    Behind { conversation: ConversationId, seq: i64 },
    /// It knows of more than has been sent from here, which is up to `seq`.
    Ahead { conversation: ConversationId, seq: i64 },
}

/// The way in, for sockets that have authenticated.
pub struct Joins<A: Adapter> {
    queue: mpsc::Sender<Join<A>>,
    pub changes: Changes,
}

impl<A: Adapter> Clone for Joins<A> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), changes: self.changes.clone() }
    }
}

impl<A: Adapter> Joins<A> {
    pub async fn send(&self, join: Join<A>) -> Result<()> {
        self.queue.send(join).await.map_err(|_| Error::Unavailable("the gateway has stopped"))
    }
}

impl<A: Adapter> FanOut<A> {
    /// Sends what comes after `everyone`, where the first conversation stands.
    pub fn new(app: App, io: SocketIo<A>, events: mpsc::Receiver<Event>, everyone: Reach) -> (Self, Joins<A>) {
        let (queue, joins) = mpsc::channel(JOINS);
        let changes = Changes::default();
        let way_in = Joins { queue, changes: changes.clone() };
        let lanes = HashMap::from([(EVERYONE, Lane::new(&app, everyone))]);
        (Self { app, io, events, joins, changes, lanes, crowded: FEW_LANES, owed: HashSet::new() }, way_in)
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
                Some(join) = self.joins.recv() => self.admit(join).await,
            }
        }
    }

    /// Reads the newest messages, so that the clients that come back to a server that was started anew find them in memory.
    async fn recall(&mut self) {
        let Some(lane) = self.lanes.get_mut(&EVERYONE) else { return };
        let kept = i64::try_from(lane.memory()).unwrap_or(i64::MAX);
        if let Err(error) = recall_after(&self.app, lane, lane.seq.saturating_sub(kept).max(0)).await {
            tracing::error!(%error, "the newest messages could not be read");
            lane.forget();
        }
    }

    /// What fails here is tried again: the log is looked at several times a second.
    async fn hear(&mut self, event: Event) {
        let concerned = event.conversation();
        let is_look = matches!(&event, Event::LogReaches { reach, .. } if reach.id == EVERYONE);
        let heard = match event {
            Event::MessagesPosted(messages) => self.send_all(messages).await,
            Event::MessageChanged { number, message } => self.send_change(number, &message).await,
            Event::ConversationChanged(id) => self.update_members(id).await,
            Event::Read { user, conversation, seq } => {
                self.tell_read(user, conversation, seq);
                Ok(())
            }
            Event::Typing { conversation, author } => {
                self.tell_typing(conversation, &author).await;
                Ok(())
            }
            Event::PresenceChanged { come, gone } => {
                self.tell_presence(&come, &gone).await;
                Ok(())
            }
            Event::LogReaches { reach, members_changed } => self.catch_up(reach, members_changed).await,
            Event::Revoked(revocations) => {
                self.revoke(&revocations);
                Ok(())
            }
            Event::TokensEnded(tokens) => {
                for token in tokens {
                    self.dismiss(Change::Token(token), room_of_token(token));
                }
                Ok(())
            }
            Event::Stopping => Ok(()),
        };
        if let Err(error) = heard {
            tracing::error!(%error, "what has happened could not be sent");
            self.owed.extend(concerned);
        } else if is_look {
            self.make_good().await;
        }
    }

    async fn make_good(&mut self) {
        for id in std::mem::take(&mut self.owed) {
            if let Err(error) = self.bring_up_to_date(id).await {
                tracing::error!(%error, "what has happened could still not be sent");
                self.owed.insert(id);
            }
        }
    }

    async fn bring_up_to_date(&mut self, id: ConversationId) -> Result<()> {
        let reach = in_time(chat::reach(&self.app, id)).await?;
        self.catch_up(reach, true).await
    }

    /// Sends messages of one conversation in the order of `seq`. Those that were committed by others, or whose event was
    /// lost, are read from the log first.
    async fn send_all(&mut self, mut messages: Vec<Message>) -> Result<()> {
        let Some(first) = messages.first() else { return Ok(()) };
        let Some(lane) = self.lanes.get_mut(&first.conversation) else { return Ok(()) };
        let sender = Sender { app: &self.app, io: &self.io };
        sender.catch_up(lane, first.seq - 1).await?;
        messages.retain(|message| message.seq > lane.seq);
        sender.send(lane, &messages).await
    }

    async fn send_change(&mut self, number: i64, message: &Message) -> Result<()> {
        let Some(lane) = self.lanes.get_mut(&message.conversation) else { return Ok(()) };
        let sender = Sender { app: &self.app, io: &self.io };
        if number == lane.change + 1 {
            sender.send_change(lane, number, message).await
        } else {
            sender.catch_up_changes(lane, number).await
        }
    }

    /// Sends what the log has, if that is news.
    async fn catch_up(&mut self, reach: Reach, members_changed: bool) -> Result<()> {
        if members_changed {
            self.update_members(reach.id).await?;
        }
        let Some(lane) = self.lanes.get_mut(&reach.id) else { return Ok(()) };
        let sender = Sender { app: &self.app, io: &self.io };
        sender.catch_up(lane, reach.last_seq).await?;
        sender.catch_up_changes(lane, reach.last_change).await
    }

    /// Lets those hear a conversation who are in it, and nobody else. Those who may join a new one are told that it is there.
    async fn update_members(&mut self, id: ConversationId) -> Result<()> {
        if id == EVERYONE {
            return Ok(());
        }
        let reach = in_time(chat::reach(&self.app, id)).await?;
        if self.lanes.get(&id).is_some_and(|lane| lane.version == reach.version) {
            // Told already: by whoever has changed it, or by the watch.
            return Ok(());
        }
        let members = in_time(chat::member_ids(&self.app, id)).await?;
        // Nobody is let in meanwhile: whoever is not seen here is let in later, and may have to look again.
        let sockets: Vec<_> = self.io.to(attentive(EVERYONE)).sockets().into_iter().filter_map(listener).collect();
        for (socket, session, user) in sockets {
            match (members.contains(&user), session.has_seat(id)) {
                (true, false) => {
                    self.open_lanes([id]).await?;
                    let Some(lane) = self.lanes.get_mut(&id) else { continue };
                    if !session.take_seat(id, sit(&socket, lane, Hears::All)) || !socket.connected() {
                        // It has gone meanwhile, and nobody else would take it out of its rooms any more.
                        socket.leave_all();
                        continue;
                    }
                    tell(&socket, names::CONVERSATION_JOINED, &json!({ "conversation": id, "seq": lane.seq }));
                }
                (true, true) => tell(&socket, names::CONVERSATION_CHANGED, &json!({ "conversation": id })),
                (false, true) => {
                    if let Some(seat) = session.leave_seat(id) {
                        socket.leave([seat.room().to_owned(), one_by_one(id), attentive(id)]);
                    }
                    tell(&socket, names::CONVERSATION_LEFT, &json!({ "conversation": id }));
                }
                (false, false) if reach.is_new_to_all() => {
                    tell(&socket, names::CONVERSATION_OPENED, &json!({ "conversation": id }));
                }
                (false, false) => {}
            }
        }
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.version = reach.version;
        }
        self.changes.note(Change::Members(id, members));
        Ok(())
    }

    /// Sees to it that there is a lane for each of these conversations.
    async fn open_lanes(&mut self, ids: impl IntoIterator<Item = ConversationId>) -> Result<()> {
        let wanted: HashSet<_> = ids.into_iter().collect();
        if self.lanes.len() > self.crowded {
            self.lanes.retain(|id, lane| *id == EVERYONE || wanted.contains(id) || !lane.crowd.is_empty());
            self.crowded = FEW_LANES.max(2 * self.lanes.len());
        }
        let missing: Vec<_> = wanted.into_iter().filter(|id| !self.lanes.contains_key(id)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        for reach in in_time(chat::reaches(&self.app, missing)).await? {
            self.lanes.insert(reach.id, Lane::new(&self.app, reach));
        }
        Ok(())
    }

    /// Only the user's own devices hear how far they have read.
    fn tell_read(&self, user: UserId, id: ConversationId, seq: i64) {
        let read = json!({ "conversation": id, "seq": seq });
        for (socket, _, _) in self.io.to(room_of_user(user)).sockets().into_iter().filter_map(listener) {
            tell(&socket, names::CONVERSATION_READ, &read);
        }
    }

    async fn tell_typing(&self, id: ConversationId, author: &Person) {
        let typing = json!({ "conversation": id, "user": author.id, "email": author.email });
        let others = self.io.to(attentive(id)).except(room_of_user(author.id));
        if let Err(error) = others.emit(names::TYPING, &typing).await {
            tracing::debug!(%error, "some sockets are closing");
        }
    }

    /// In portions: a packet has a size that clients take.
    async fn tell_presence(&self, come: &[Person], gone: &[UserId]) {
        for come in come.chunks(PEOPLE) {
            self.tell_all(EVERYONE, names::PRESENCE, &json!({ "come": come, "gone": [] })).await;
        }
        for gone in gone.chunks(PEOPLE) {
            self.tell_all(EVERYONE, names::PRESENCE, &json!({ "come": [], "gone": gone })).await;
        }
    }

    async fn tell_all(&self, id: ConversationId, event: &'static str, data: &serde_json::Value) {
        if let Err(error) = self.io.to(attentive(id)).emit(event, data).await {
            tracing::debug!(%error, event, "some sockets are closing");
        }
    }

    async fn admit(&mut self, join: Join<A>) {
        let joined = self.try_admit(&join).await;
        if join.reply.send(joined).is_err() {
            tracing::debug!("a socket has gone while it was let in");
        }
    }

    async fn try_admit(&mut self, join: &Join<A>) -> Result<Joined> {
        let Join { socket, look_up, offsets, is_told, .. } = join;
        let LookUp { identity, hears, conversations, .. } = &**look_up;
        if self.changes.concern(look_up) {
            return Ok(Joined::LookAgain);
        }
        let Some(session) = socket.extensions.get::<Arc<Session<A>>>() else { return Ok(Joined::Hears) };
        let most = self.app.config.gateway.max_sockets_per_user.get();
        if !session.is_of(identity.user) && self.app.presence.sockets_of(identity.user) >= most {
            return Ok(Joined::TooMany);
        }
        if !is_told {
            tell(socket, names::AUTHENTICATED, &true);
        }
        self.open_lanes(conversations.iter().copied()).await?;
        // What it hears already it has not missed.
        let new: Vec<_> = offsets.iter().filter(|(id, _)| !session.has_seat(*id)).copied().collect();
        if let Some(not_yet) = self.what_is_missing(&new) {
            return Ok(not_yet);
        }
        if self.send_recent(socket, &new).is_err() {
            Sender { app: &self.app, io: &self.io }.cut(socket);
            return Ok(Joined::Hears);
        }
        if session.has_seat(EVERYONE) {
            // Somebody else's, or another token's, from now on.
            socket.leave_all();
        }
        let mut seats = Vec::with_capacity(offsets.len());
        for (id, offset) in offsets {
            let Some(lane) = self.lanes.get_mut(id) else { continue };
            seats.push((*id, sit(socket, lane, *hears)));
            if offset.is_none() && *id != EVERYONE {
                tell(socket, names::CONVERSATION_JOINED, &json!({ "conversation": id, "seq": lane.seq }));
            }
        }
        socket.join([room_of_user(identity.user), room_of_token(identity.token)]);
        let is_seated = session.take_seats(identity, *hears, seats);
        if !is_seated || !socket.connected() || disconnect::link(socket).is_some_and(|link| link.has_ended()) {
            // It has gone meanwhile, and nobody else would take it out of its rooms any more.
            socket.leave_all();
        }
        Ok(Joined::Hears)
    }

    /// What must be done before a socket can hear these conversations from where it is.
    fn what_is_missing(&self, conversations: &[(ConversationId, Option<i64>)]) -> Option<Joined> {
        let config = &self.app.config.gateway;
        let (mut messages, mut bytes) = (config.send_queue.get() / 2, config.send_queue_bytes.get() / 2);
        conversations.iter().find_map(|(id, offset)| {
            let (conversation, offset, lane) = (*id, (*offset)?, self.lanes.get(id)?);
            if offset > lane.seq {
                return Some(Joined::Ahead { conversation, seq: lane.seq });
            }
            // What is sent at once must not fill the client's queue, however many conversations it is of.
            let mut fits = |encoded: &Encoded| {
                let left = messages.checked_sub(1).zip(bytes.checked_sub(encoded.len()));
                left.map(|left| (messages, bytes) = left).is_some()
            };
            let is_kept =
                lane.recent_after(offset, self.replay_limit()).is_some_and(|mut recent| recent.all(&mut fits));
            (!is_kept).then_some(Joined::Behind { conversation, seq: lane.seq })
        })
    }

    fn send_recent(&self, socket: &SocketRef<A>, conversations: &[(ConversationId, Option<i64>)]) -> Result<(), ()> {
        let missed = conversations.iter().filter_map(|(id, offset)| {
            let lane = self.lanes.get(id)?;
            lane.recent_after((*offset)?, self.replay_limit())
        });
        emit_all(socket, missed.flatten())
    }

    fn replay_limit(&self) -> i64 {
        i64::try_from(self.app.config.chat.replay_limit.get()).unwrap_or(i64::MAX)
    }

    fn revoke(&self, revocations: &[Revocation]) {
        for revoked in revocations {
            if let Some(token) = revoked.token_id {
                self.dismiss(Change::Token(token), room_of_token(token));
            }
            if let Some(user) = revoked.user_id {
                self.dismiss(Change::User(user), room_of_user(user));
            }
        }
    }

    fn dismiss(&self, change: Change, room: String) {
        self.changes.note(change);
        for socket in self.io.to(room).sockets() {
            disconnect::dismiss(&socket);
        }
    }
}

/// An attentive socket, with its session and its user.
fn listener<A: Adapter>(socket: SocketRef<A>) -> Option<(SocketRef<A>, Arc<Session<A>>, UserId)> {
    let session = socket.extensions.get::<Arc<Session<A>>>()?.clone();
    let user = session.attentive_user()?;
    Some((socket, session, user))
}

/// Takes a place where the socket hears what is said from here on.
fn sit<A: Adapter>(socket: &SocketRef<A>, lane: &mut Lane, hears: Hears) -> Seat {
    let seat = lane.crowd.seat();
    let is_ours = disconnect::link(socket).is_some();
    socket.join(if is_ours { seat.room().to_owned() } else { one_by_one(lane.id) });
    if hears == Hears::All {
        socket.join(attentive(lane.id));
    }
    seat
}

/// Tells one socket. One that does not take it is closing, or is cut by the engine.
fn tell<A: Adapter>(socket: &SocketRef<A>, event: &'static str, data: &impl Serialize) {
    if let Err(error) = socket.emit(event, data) {
        tracing::debug!(%error, event, "a client could not be told");
    }
}

async fn recall_after(app: &App, lane: &mut Lane, mut seq: i64) -> Result<()> {
    while seq < lane.seq {
        let page = in_time(chat::missed(app, lane.id, seq, LOG_PAGE)).await?;
        let page: Vec<_> = page.into_iter().take_while(|message| message.seq <= lane.seq).collect();
        seq = page.last().ok_or(Error::NotFound)?.seq;
        lane.remember(page.iter().map(Encoded::of).collect::<Result<_>>()?);
    }
    Ok(())
}

/// Sends to those who hear a lane.
struct Sender<'a, A: Adapter> {
    app: &'a App,
    io: &'a SocketIo<A>,
}

impl<A: Adapter> Sender<'_, A> {
    /// Sends what the log has up to `seq`, if that is news.
    async fn catch_up(&self, lane: &mut Lane, seq: i64) -> Result<()> {
        while lane.seq < seq {
            let missed = in_time(chat::missed(self.app, lane.id, lane.seq, LOG_PAGE)).await?;
            let missed: Vec<_> = missed.into_iter().take_while(|message| message.seq <= seq).collect();
            if missed.is_empty() {
                break;
            }
            self.send(lane, &missed).await?;
        }
        Ok(())
    }

    async fn send(&self, lane: &mut Lane, messages: &[Message]) -> Result<()> {
        let encoded = messages.iter().map(Encoded::of).collect::<Result<Vec<_>>>()?;
        let Some(last) = encoded.last() else { return Ok(()) };
        lane.seq = last.seq;
        self.app.metrics.messages.inc_by(encoded.len() as u64);
        let config = &self.app.config.gateway;
        let messages = PORTION_MESSAGES.min(config.send_queue.get() / 2).max(1);
        let bytes = PORTION_BYTES.min(config.send_queue_bytes.get() / 2);
        for portion in portions(&encoded, messages, bytes) {
            self.send_portion(lane, portion).await;
        }
        lane.remember(encoded);
        Ok(())
    }

    async fn send_portion(&self, lane: &Lane, portion: &[Encoded]) {
        for room in lane.crowd.rooms() {
            for encoded in portion {
                if let Err(error) = self.io.to(room.to_owned()).emit(names::MESSAGE, &encoded.json).await {
                    tracing::debug!(%error, "some sockets are closing");
                }
            }
            // Nobody joins meanwhile.
            tokio::task::yield_now().await;
        }
        for socket in self.io.to(one_by_one(lane.id)).sockets() {
            if emit_all(&socket, portion.iter()).is_err() {
                self.cut(&socket);
            }
            tokio::task::coop::consume_budget().await;
        }
    }

    /// Sends the changes up to `number`, as far as they are news: of each message how it is now.
    async fn catch_up_changes(&self, lane: &mut Lane, number: i64) -> Result<()> {
        while lane.change < number {
            let changed = in_time(chat::changed(self.app, lane.id, lane.change, LOG_PAGE)).await?;
            if changed.is_empty() {
                // The numbers between are of messages that have changed again.
                lane.change = number;
            }
            for (number, message) in changed {
                self.send_change(lane, number, &message).await?;
            }
        }
        Ok(())
    }

    async fn send_change(&self, lane: &mut Lane, number: i64, message: &Message) -> Result<()> {
        // What it was before must not come behind what it is now.
        self.catch_up(lane, message.seq).await?;
        let encoded = Encoded::of(message)?;
        lane.change = number;
        if let Err(error) = self.io.to(attentive(lane.id)).emit(names::CHANGED, &encoded.json).await {
            tracing::debug!(%error, "some sockets are closing");
        }
        lane.replace(encoded);
        Ok(())
    }

    /// A client that does not keep up is told nothing more, so that what it has heard has no hole. Its connection breaks,
    /// upon which clients come back by themselves, and get the rest.
    fn cut(&self, socket: &SocketRef<A>) {
        if disconnect::link(socket).is_some() {
            // Our engine has cut it.
            return;
        }
        self.app.metrics.slow_sockets.inc();
        tracing::info!("a client that does not keep up is cut off");
        disconnect::hang_up(socket);
    }
}

/// Events as one whose messages follow each other without a hole, in which other nodes' would be. The more there is to
/// send, the more a socket is sent at once.
fn gathered(events: impl Iterator<Item = Event>) -> Vec<Event> {
    let follows = |before: &[Message], messages: &[Message]| {
        before
            .last()
            .zip(messages.first())
            .is_some_and(|(last, first)| first.conversation == last.conversation && first.seq == last.seq + 1)
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
            edited_at: None,
            deleted_at: None,
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
        let events = [posted(1..=2), posted(3..=4), posted(6..=6), Event::Revoked(Vec::new()), posted(7..=7)];
        let gathered: Vec<_> = gathered(events.into_iter()).iter().map(seqs).collect();
        assert_eq!(gathered, [vec![1, 2, 3, 4], vec![6], vec![], vec![7]]);
    }
}
