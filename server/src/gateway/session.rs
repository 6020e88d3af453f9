//! One socket's state, and the order of its events.
//!
//! Events are handled inline in the order in which they arrive. While an authentication is looked up those behind it
//! wait; after a success they are handled, after a failure only if somebody had authenticated before.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine_link::Share;
use futures_util::FutureExt;
use serde_json::Value;
use socketioxide::adapter::Adapter;
use socketioxide::extract::{AckSender, Event as EventName, SocketRef};
use socketioxide::handler::{self, FromMessageParts, MessageHandler};
use socketioxide::socket::Socket;
use time::OffsetDateTime;
use tokio::task::AbortHandle;

use super::crowd::Seat;
use super::fan_out::{Hears, Joins};
use super::{disconnect, handshake, packet};
use crate::accounts::{Identity, UserId};
use crate::app::App;
use crate::chat::socket::Request;
use crate::chat::{self, ConversationId, Refusal};
use crate::event::Event;
use crate::presence::{Person, Stay};

/// How many requests of one socket may wait to be answered.
const MAX_REQUESTS: usize = 16;
/// How often others are told that somebody writes.
const TYPING_PAUSE: Duration = Duration::from_secs(1);

pub struct Session<A: Adapter> {
    /// Counts the sockets of this node.
    pub number: i64,
    pub since: OffsetDateTime,
    pub app: App,
    pub joins: Joins<A>,
    state: Mutex<State<A>>,
}

struct State<A: Adapter> {
    identity: Option<Identity>,
    is_authenticating: bool,
    deadline: Deadline,
    /// The server has ended the socket: nothing it sends counts any more.
    is_over: bool,
    /// Waits for the deadline.
    timer: Option<AbortHandle>,
    /// What it hears.
    seats: Vec<(ConversationId, Seat)>,
    /// Who it is that asked for more than the original sent.
    attentive: Option<UserId>,
    stay: Option<Stay>,
    /// When others were last told that it writes.
    typed_at: Option<Instant>,
    /// Requests that wait while a task answers them, one after the other.
    requests: Option<VecDeque<Asked<A>>>,
    waiting: VecDeque<Inbound<A>>,
    /// The payloads of both.
    waits: Share,
}

/// How a socket stands with the time that it has to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deadline {
    Ahead,
    /// A token that is being looked up is the last one.
    Past,
    /// A token was good once, even if the client is still catching up.
    Met,
}

/// What somebody wants to be answered.
struct Asked<A: Adapter> {
    identity: Identity,
    request: Request,
    payload: Value,
    ack: Option<AckSender<A>>,
}

/// An event from the client. A payload that is missing is null.
pub enum Inbound<A: Adapter> {
    Authentication(Value),
    Message { payload: Value, ack: Option<AckSender<A>> },
    Typing(Value),
    Request { request: Request, payload: Value, ack: Option<AckSender<A>> },
}

impl<A: Adapter> Inbound<A> {
    fn payload(&self) -> &Value {
        match self {
            Self::Authentication(payload)
            | Self::Message { payload, .. }
            | Self::Typing(payload)
            | Self::Request { payload, .. } => payload,
        }
    }
}

impl<A: Adapter> Session<A> {
    pub fn new(number: i64, app: App, joins: Joins<A>) -> Arc<Self> {
        let state = State {
            identity: None,
            is_authenticating: false,
            deadline: Deadline::Ahead,
            is_over: false,
            timer: None,
            seats: Vec::new(),
            attentive: None,
            stay: None,
            typed_at: None,
            requests: None,
            waiting: VecDeque::new(),
            waits: app.intake.share(),
        };
        app.metrics.connections.inc();
        Arc::new(Self { number, since: OffsetDateTime::now_utc(), app, joins, state: Mutex::new(state) })
    }

    /// Takes the next event of this socket.
    pub fn receive(self: &Arc<Self>, socket: &SocketRef<A>, inbound: Inbound<A>) {
        let mut state = self.state();
        if state.is_over {
            refuse(socket, inbound, Refusal::Unauthenticated);
        } else if !state.is_authenticating {
            self.handle(&mut state, socket, inbound);
        } else if state.waiting.len() < self.app.config.gateway.pending_events.get()
            && state.waits.hold_more(weight(inbound.payload())).is_ok()
        {
            state.waiting.push_back(inbound);
        } else {
            drop(state);
            tracing::info!("a socket sent too much before its authentication was through");
            disconnect::dismiss(socket);
        }
    }

    fn handle(self: &Arc<Self>, state: &mut State<A>, socket: &SocketRef<A>, inbound: Inbound<A>) {
        if let Some(identity) = &state.identity {
            self.app.uses.note(identity.device);
            if let Err(refusal) = self.count(identity.user, &inbound) {
                return refuse(socket, inbound, refusal);
            }
        }
        match (inbound, &state.identity) {
            (Inbound::Authentication(payload), _) => {
                state.is_authenticating = true;
                tokio::spawn(or_hang_up(
                    socket.clone(),
                    handshake::authenticate(self.clone(), socket.clone(), payload),
                ));
            }
            (Inbound::Message { payload, ack }, Some(identity)) => {
                chat::socket::receive(&self.app, identity, &payload, socket, ack);
            }
            (Inbound::Typing(payload), Some(identity)) => {
                let author = Person { id: identity.user, email: identity.email.clone() };
                self.mention_typing(state, chat::socket::conversation_of(&payload), author);
            }
            (Inbound::Request { request, payload, ack }, Some(identity)) => {
                let weight = weight(&payload);
                let asked = |ack| Asked { identity: identity.clone(), request, payload, ack };
                match &mut state.requests {
                    Some(requests) if requests.len() >= MAX_REQUESTS => {
                        chat::socket::refuse_if_asked(ack, Refusal::Overloaded);
                    }
                    _ if state.waits.hold_more(weight).is_err() => {
                        state.waits.let_go(weight);
                        chat::socket::refuse_if_asked(ack, Refusal::Overloaded);
                    }
                    Some(requests) => requests.push_back(asked(ack)),
                    None => {
                        state.requests = Some(VecDeque::from([asked(ack)]));
                        tokio::spawn(or_hang_up(socket.clone(), self.clone().answer()));
                    }
                }
            }
            (inbound, None) => refuse(socket, inbound, Refusal::Unauthenticated),
        }
    }

    /// Messages are counted where they are posted, through whichever door they come.
    fn count(&self, user: UserId, inbound: &Inbound<A>) -> Result<(), Refusal> {
        match inbound {
            Inbound::Message { .. } => Ok(()),
            _ => chat::count_event(&self.app, user),
        }
    }

    /// Answers what is asked in the order in which it comes: of two changes of one thing the later one holds.
    async fn answer(self: Arc<Self>) {
        while let Some(Asked { identity, request, payload, ack }) = self.next_asked() {
            chat::socket::answer(&self.app, &identity, request, &payload, ack).await;
        }
    }

    fn next_asked(&self) -> Option<Asked<A>> {
        let mut state = self.state();
        let next = state.requests.as_mut().and_then(VecDeque::pop_front);
        match &next {
            Some(asked) => state.waits.let_go(weight(&asked.payload)),
            None => state.requests = None,
        }
        next
    }

    /// Others need not hear of each key.
    fn mention_typing(&self, state: &mut State<A>, conversation: Option<ConversationId>, author: Person) {
        let heard = conversation.filter(|id| state.seats.iter().any(|(seat, _)| seat == id));
        let is_soon = state.typed_at.is_some_and(|at| at.elapsed() < TYPING_PAUSE);
        if let Some(conversation) = heard.filter(|_| !is_soon) {
            state.typed_at = Some(Instant::now());
            self.app.events.mention(Event::Typing { conversation, author });
        }
    }

    /// Ends the authentication in flight. A failed one leaves the socket as it was.
    pub fn finish_authentication(self: &Arc<Self>, socket: &SocketRef<A>, identity: Option<Identity>) {
        let mut state = self.state();
        state.is_authenticating = false;
        if state.deadline == Deadline::Past && !state.is_over {
            drop(state);
            return disconnect::dismiss(socket);
        }
        if identity.is_some() && !state.is_over {
            state.identity = identity;
        }
        while !state.is_authenticating
            && let Some(inbound) = state.waiting.pop_front()
        {
            state.waits.let_go(weight(inbound.payload()));
            self.handle(&mut state, socket, inbound);
        }
    }

    /// The token in flight is good; the client may take its time to catch up.
    pub fn accept(&self) {
        self.state().deadline = Deadline::Met;
        self.forget_deadline();
    }

    pub fn is_accepted(&self) -> bool {
        self.state().deadline == Deadline::Met
    }

    pub fn keep_deadline(&self, timer: AbortHandle) {
        self.state().timer = Some(timer);
    }

    /// The deadline is met, or the socket has gone, all of which it would keep in memory.
    pub fn forget_deadline(&self) {
        let timer = self.state().timer.take();
        if let Some(timer) = timer {
            timer.abort();
        }
    }

    /// Nobody has shown a good token in time. False where one is good after all, or is being looked up and may turn out to
    /// be: nobody is dismissed because the server is slow.
    pub fn time_is_up(&self) -> bool {
        let mut state = self.state();
        if state.deadline == Deadline::Met {
            return false;
        }
        state.deadline = Deadline::Past;
        !state.is_authenticating
    }

    /// Who has authenticated, until the session ends.
    pub fn identity(&self) -> Option<Identity> {
        self.state().identity.clone()
    }

    /// Whether the socket counts as one of this user's.
    pub fn is_of(&self, user: UserId) -> bool {
        self.state().stay.as_ref().is_some_and(|stay| stay.is_of(user))
    }

    /// Whether the socket hears what is said in a conversation.
    pub fn has_seat(&self, conversation: ConversationId) -> bool {
        self.state().seats.iter().any(|(id, _)| *id == conversation)
    }

    /// The socket hears this much from here on, and nothing else; false where the server has ended it meanwhile.
    pub fn take_seats(&self, identity: &Identity, hears: Hears, seats: Vec<(ConversationId, Seat)>) -> bool {
        let mut state = self.state();
        if !state.is_over {
            state.seats = seats;
            state.attentive = Some(identity.user).filter(|_| hears == Hears::All);
            state.stay = Some(self.app.presence.arrive(identity.user, identity.email.clone()));
        }
        !state.is_over
    }

    /// One conversation more; false where the server has ended the socket meanwhile.
    pub fn take_seat(&self, conversation: ConversationId, seat: Seat) -> bool {
        let mut state = self.state();
        if !state.is_over {
            state.seats.push((conversation, seat));
        }
        !state.is_over
    }

    /// One less.
    pub fn leave_seat(&self, conversation: ConversationId) -> Option<Seat> {
        let seats = &mut self.state().seats;
        let index = seats.iter().position(|(id, _)| *id == conversation)?;
        Some(seats.swap_remove(index).1)
    }

    /// Who the socket is of, if it has asked for more than the original sent.
    pub fn attentive_user(&self) -> Option<UserId> {
        self.state().attentive
    }

    /// Nothing that the socket sends counts from here on, and nothing that waits. Whether it did before.
    pub fn end(&self) -> bool {
        let mut state = self.state();
        let was_over = std::mem::replace(&mut state.is_over, true);
        state.identity = None;
        state.seats = Vec::new();
        state.attentive = None;
        state.stay = None;
        let waiting = std::mem::take(&mut state.waiting);
        let asked = state.requests.as_mut().map(std::mem::take).unwrap_or_default();
        state.waits.let_go(usize::MAX);
        drop(state);
        for inbound in waiting {
            refuse_if_asked(inbound, Refusal::Unauthenticated);
        }
        for Asked { ack, .. } in asked {
            chat::socket::refuse_if_asked(ack, Refusal::Unauthenticated);
        }
        !was_over
    }

    fn state(&self) -> MutexGuard<'_, State<A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much memory a payload takes, roughly: `[0,0,0]` a multiple of its text.
fn weight(value: &Value) -> usize {
    let behind = match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(weight).sum(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| size_of::<String>() + name.len() + weight(value)).sum()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    size_of::<Value>() + behind
}

/// Whose task has panicked would wait in vain from then on.
async fn or_hang_up<A: Adapter>(socket: SocketRef<A>, work: impl Future<Output = ()>) {
    if AssertUnwindSafe(work).catch_unwind().await.is_err() {
        tracing::error!("what a socket asked for has panicked");
        disconnect::hang_up(&socket);
    }
}

/// What may not be said is answered, if an answer was asked for, and so is a token that is not looked at.
fn refuse<A: Adapter>(socket: &SocketRef<A>, inbound: Inbound<A>, refusal: Refusal) {
    match inbound {
        Inbound::Authentication(_) if refusal != Refusal::Unauthenticated => {
            handshake::refuse(socket, refusal.message());
        }
        inbound => refuse_if_asked(inbound, refusal),
    }
}

fn refuse_if_asked<A: Adapter>(inbound: Inbound<A>, refusal: Refusal) {
    if let Inbound::Message { ack, .. } | Inbound::Request { ack, .. } = inbound {
        chat::socket::refuse_if_asked(ack, refusal);
    }
}

/// Listens for the events of a socket; unknown ones are ignored. It is called inline, which keeps the order; an async
/// handler would run in a task of its own and overtake.
pub struct Listener<A: Adapter> {
    pub session: Arc<Session<A>>,
}

enum ClientEvent {
    Authentication,
    Message,
    Typing,
    Request(Request),
}

impl ClientEvent {
    fn named(name: &str) -> Option<Self> {
        match name {
            "authentication" => Some(Self::Authentication),
            "client-sent-message" => Some(Self::Message),
            "typing" => Some(Self::Typing),
            _ => Request::named(name).map(Self::Request),
        }
    }
}

impl<A: Adapter> MessageHandler<A, ()> for Listener<A> {
    fn call(&self, socket: Arc<Socket<A>>, mut packet: handler::Value, ack_id: Option<i64>) {
        let Ok(reference) = SocketRef::from_message_parts(&socket, &mut packet, &ack_id);
        let name = EventName::from_message_parts(&socket, &mut packet, &ack_id);
        let Some(event) = name.ok().and_then(|name| ClientEvent::named(&name)) else { return };
        let payload = match packet::first_argument(&packet) {
            Ok(payload) => payload,
            Err(error) => {
                tracing::debug!(%error, "a packet could not be parsed");
                return disconnect::hang_up(&reference);
            }
        };
        let mut ack = || ack_id.and_then(|_| AckSender::from_message_parts(&socket, &mut packet, &ack_id).ok());
        let inbound = match event {
            ClientEvent::Authentication => Inbound::Authentication(payload),
            ClientEvent::Message => Inbound::Message { payload, ack: ack() },
            ClientEvent::Typing => Inbound::Typing(payload),
            ClientEvent::Request(request) => Inbound::Request { request, payload, ack: ack() },
        };
        self.session.receive(&reference, inbound);
    }
}
