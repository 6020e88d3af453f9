//! One socket's state, and the order of its events.
//!
//! Events are handled inline in the order in which they arrive. While an authentication is looked up those behind it
//! wait; after a success they are handled, after a failure only if somebody had authenticated before.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use socketioxide::adapter::Adapter;
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::handler::{self, FromMessageParts, MessageHandler};
use socketioxide::socket::Socket;

use super::crowd::Seat;
use super::fan_out::Joins;
use super::{disconnect, handshake, packet};
use crate::accounts::Identity;
use crate::app::App;
use crate::chat;
use crate::chat::Refusal;

pub struct Session<A: Adapter> {
    pub app: App,
    pub joins: Joins<A>,
    state: Mutex<State<A>>,
}

struct State<A: Adapter> {
    identity: Option<Identity>,
    is_authenticating: bool,
    /// A token was good once: the deadline is met, even if the client is still catching up.
    is_accepted: bool,
    /// The server has ended the socket: nothing it sends counts any more.
    is_over: bool,
    /// While it hears.
    seat: Option<Seat>,
    waiting: VecDeque<Inbound<A>>,
}

/// An event from the client. A payload that is missing is null.
pub enum Inbound<A: Adapter> {
    Authentication(Value),
    Message { payload: Value, ack: Option<AckSender<A>> },
}

impl<A: Adapter> Session<A> {
    pub fn new(app: App, joins: Joins<A>) -> Arc<Self> {
        let state = State {
            identity: None,
            is_authenticating: false,
            is_accepted: false,
            is_over: false,
            seat: None,
            waiting: VecDeque::new(),
        };
        app.metrics.sockets.up();
        Arc::new(Self { app, joins, state: Mutex::new(state) })
    }

    /// Takes the next event of this socket.
    pub fn receive(self: &Arc<Self>, socket: &SocketRef<A>, inbound: Inbound<A>) {
        let mut state = self.state();
        if state.is_over {
            refuse(inbound);
        } else if !state.is_authenticating {
            self.handle(&mut state, socket, inbound);
        } else if state.waiting.len() < self.app.config.gateway.pending_events.get() {
            state.waiting.push_back(inbound);
        } else {
            drop(state);
            tracing::info!("a socket sent too much before its authentication was through");
            disconnect::dismiss(socket);
        }
    }

    fn handle(self: &Arc<Self>, state: &mut State<A>, socket: &SocketRef<A>, inbound: Inbound<A>) {
        match (inbound, &state.identity) {
            (Inbound::Authentication(payload), _) => {
                state.is_authenticating = true;
                tokio::spawn(handshake::authenticate(self.clone(), socket.clone(), payload));
            }
            (Inbound::Message { payload, ack }, Some(identity)) => {
                chat::socket::receive(&self.app, identity, &payload, socket, ack);
            }
            (message, None) => refuse(message),
        }
    }

    /// Ends the authentication in flight. A failed one leaves the socket as it was.
    pub fn finish_authentication(self: &Arc<Self>, socket: &SocketRef<A>, identity: Option<Identity>) {
        let mut state = self.state();
        state.is_authenticating = false;
        if identity.is_some() && !state.is_over {
            state.identity = identity;
        }
        while !state.is_authenticating
            && let Some(inbound) = state.waiting.pop_front()
        {
            self.handle(&mut state, socket, inbound);
        }
    }

    /// The token in flight is good; the client may take its time to catch up.
    pub fn accept(&self) {
        self.state().is_accepted = true;
    }

    pub fn is_accepted(&self) -> bool {
        self.state().is_accepted
    }

    /// Whether a token is being looked up that may turn out to be the first good one.
    pub fn is_looking_up(&self) -> bool {
        let state = self.state();
        state.is_authenticating && !state.is_accepted
    }

    /// Who has authenticated, until the session ends.
    pub fn identity(&self) -> Option<Identity> {
        self.state().identity.clone()
    }

    /// Whether the socket hears what is said.
    pub fn has_seat(&self) -> bool {
        self.state().seat.is_some()
    }

    /// The socket hears from here on, in this room; false where the server has ended it meanwhile.
    pub fn take_seat(&self, seat: Seat) -> bool {
        let mut state = self.state();
        state.seat = Some(seat).filter(|_| !state.is_over);
        !state.is_over
    }

    /// Nothing that the socket sends counts from here on, and nothing that waits.
    pub fn end(&self) {
        let mut state = self.state();
        state.is_over = true;
        state.identity = None;
        state.seat = None;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(refuse);
    }

    fn state(&self) -> MutexGuard<'_, State<A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket that goes before it is quite connected has no disconnect handler called, but ends like any other.
impl<A: Adapter> Drop for Session<A> {
    fn drop(&mut self) {
        self.app.metrics.sockets.down();
    }
}

/// What nobody may say is answered, if an answer was asked for.
fn refuse<A: Adapter>(inbound: Inbound<A>) {
    if let Inbound::Message { ack: Some(ack), .. } = inbound {
        chat::socket::refuse(ack, Refusal::Unauthenticated);
    }
}

/// Listens for one event of a socket. It is called inline, which keeps the order; an async handler would run in a task
/// of its own and overtake.
pub struct Listener<A: Adapter> {
    pub session: Arc<Session<A>>,
    pub hears: Hears,
}

#[derive(Clone, Copy)]
pub enum Hears {
    Authentication,
    Message,
}

impl<A: Adapter> MessageHandler<A, ()> for Listener<A> {
    fn call(&self, socket: Arc<Socket<A>>, mut packet: handler::Value, ack_id: Option<i64>) {
        let Ok(reference) = SocketRef::from_message_parts(&socket, &mut packet, &ack_id);
        let payload = match packet::first_argument(&packet) {
            Ok(payload) => payload,
            Err(error) => {
                tracing::debug!(%error, "a packet could not be parsed");
                return disconnect::hang_up(&reference);
            }
        };
        let inbound = match self.hears {
            Hears::Authentication => Inbound::Authentication(payload),
            Hears::Message => {
                let ack = ack_id.and_then(|_| AckSender::from_message_parts(&socket, &mut packet, &ack_id).ok());
                Inbound::Message { payload, ack }
            }
        };
        self.session.receive(&reference, inbound);
    }
}
