//! `authentication` → `authenticated` | `unauthorized`, and the deadline.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use socketioxide::adapter::Adapter;
use socketioxide::extract::SocketRef;
use socketioxide::{AckError, SendError, SocketError};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::changes::LookUp;
use super::disconnect;
use super::fan_out::{Hears, Join, Joined, names};
use super::session::Session;
use super::visitor::Visitor;
use crate::accounts::{self, Identity, UserId};
use crate::chat::{self, ConversationId, EVERYONE};
use crate::database::in_time;
use crate::error::{Error, Result};
use crate::http::fields::whole_number;

/// How many messages of a replay are read at once.
const REPLAY_PAGE: u64 = 100;
/// How much of a replay may wait for its client.
const REPLAY_BYTES: usize = 256 * 1024;
/// The pause before a client that is ahead is let in, until what it knows of has been sent from here.
const PAUSE: Duration = Duration::from_millis(50);
/// The pause before a client that is behind is looked at again.
const RETRY: Duration = Duration::from_millis(10);
/// Seconds after which somebody with too many sockets may have one less.
const RETRY_AFTER: u64 = 5;

/// Looks up the token of `payload`, tells the client, and lets it hear what is said from here on.
pub async fn authenticate<A: Adapter>(session: Arc<Session<A>>, socket: SocketRef<A>, payload: Value) {
    let entered = enter(&session, &socket, &payload).await;
    session.app.metrics.authentications.with_label_values(&[result(&entered)]).inc();
    match entered {
        Ok(identity) => session.finish_authentication(&socket, Some(identity)),
        // Revoked while it was let in: like any other socket of that token.
        Err(Error::BadCredentials(_)) if session.is_accepted() && session.identity().is_none() => {
            disconnect::dismiss(&socket);
        }
        Err(Error::BadCredentials(_)) => {
            refuse(&socket, "Token not found.");
            session.finish_authentication(&socket, None);
        }
        // It has shown a good token, so the deadline would not end it.
        Err(Error::Throttled(_)) => {
            refuse(&socket, "Too many connections.");
            disconnect::dismiss(&socket);
        }
        Err(error) => {
            // The token may well be good. A client whose connection breaks comes back by itself.
            error.log();
            disconnect::hang_up(&socket);
        }
    }
}

/// The name of what has become of a token, for whoever counts.
fn result<T>(entered: &Result<T>) -> &'static str {
    match entered {
        Ok(_) => "accepted",
        Err(Error::BadCredentials(_)) => "refused",
        Err(_) => "failed",
    }
}

/// What a client says of itself.
struct Credentials<'a> {
    token: &'a str,
    hears: Hears,
    /// The last message that it has of each conversation.
    offsets: HashMap<ConversationId, i64>,
}

impl<'a> Credentials<'a> {
    /// `{token[, serverOffset][, conversations: {<id>: <offset>, …}]}`; what is no offset counts as none.
    fn of(payload: &'a Value) -> Result<Self> {
        let offset = |value: &Value| whole_number(value).filter(|offset| *offset >= 0);
        let token = payload.get("token").and_then(Value::as_str).ok_or(Error::BadCredentials("no token"))?;
        let named = payload.get("conversations").and_then(Value::as_object);
        let named_offsets = named.into_iter().flatten();
        let mut offsets: HashMap<_, _> =
            named_offsets.filter_map(|(id, value)| Some((ConversationId(id.parse().ok()?), offset(value)?))).collect();
        if let Some(offset) = payload.get("serverOffset").and_then(offset) {
            offsets.insert(EVERYONE, offset);
        }
        let hears = if named.is_some() { Hears::All } else { Hears::Everyone };
        Ok(Self { token, hears, offsets })
    }

    /// What this user hears by these credentials.
    async fn conversations(&self, session: &Session<impl Adapter>, user: UserId) -> Result<Vec<ConversationId>> {
        let mut conversations = vec![EVERYONE];
        if self.hears == Hears::All {
            conversations.extend(in_time(chat::conversations_of(&session.app, user)).await?);
        }
        Ok(conversations)
    }
}

async fn enter<A: Adapter>(session: &Arc<Session<A>>, socket: &SocketRef<A>, payload: &Value) -> Result<Identity> {
    let mut credentials = Credentials::of(payload)?;
    let mut is_told = false;
    let deadline = Instant::now() + session.app.config.gateway.ping_timeout;
    loop {
        // Before the look-ups, so that what is revoked after them is noticed at the join.
        let since = session.joins.changes.count();
        let (token, user) = in_time(accounts::user_of_token(&session.app, credentials.token)).await?;
        session.accept();
        if let Some(visitor) = Visitor::of(socket) {
            visitor.place.authenticate();
        }
        let identity =
            Identity { user: user.id, email: user.email.as_str().into(), token: token.id, device: token.device() };
        let conversations = credentials.conversations(session, user.id).await?;
        let look_up = Arc::new(LookUp { since, identity, hears: credentials.hears, conversations });
        loop {
            let offsets = &mut credentials.offsets;
            let (reply, answer) = oneshot::channel();
            let join = Join {
                socket: socket.clone(),
                look_up: look_up.clone(),
                offsets: look_up.conversations.iter().map(|id| (*id, offsets.get(id).copied())).collect(),
                is_told,
                reply,
            };
            session.joins.send(join).await?;
            match answer.await.map_err(|_| Error::Unavailable("the gateway has stopped"))?? {
                Joined::Hears => return Ok(look_up.identity.clone()),
                Joined::LookAgain => break,
                Joined::TooMany => {
                    session.app.metrics.refused_sockets.with_label_values(&["user"]).inc();
                    return Err(Error::Throttled(RETRY_AFTER));
                }
                Joined::Behind { conversation, seq } => {
                    let offset = offsets.entry(conversation).or_insert(seq);
                    *offset = replay(session, socket, &look_up, conversation, *offset, seq).await?;
                }
                // An ack or the history may name a message that is still to be sent from here.
                Joined::Ahead { conversation, .. }
                    if offsets.get(&conversation)
                        <= Some(&in_time(chat::reach(&session.app, conversation)).await?.last_seq) =>
                {
                    if Instant::now() > deadline || !socket.connected() {
                        return Err(Error::Unavailable("a client has gone, or what it knows of does not come"));
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                Joined::Ahead { conversation, seq } => {
                    let offset = offsets.entry(conversation).or_insert(seq);
                    *offset = tell_gap(session, socket, conversation, *offset, seq + 1).await?;
                }
            }
            is_told = true;
        }
    }
}

/// Sends what a client has missed after `offset` and up to `seq`, as far as the limit allows; else it is told of the
/// gap first. Ends early where what was looked up may no longer hold: then the join is refused, too.
/// Returns where the client stands then.
async fn replay<A: Adapter>(
    session: &Arc<Session<A>>,
    socket: &SocketRef<A>,
    look_up: &LookUp,
    conversation: ConversationId,
    mut offset: i64,
    seq: i64,
) -> Result<i64> {
    let limit = i64::try_from(session.app.config.chat.replay_limit.get()).unwrap_or(i64::MAX);
    if seq - offset > limit {
        offset = tell_gap(session, socket, conversation, offset, seq - limit + 1).await?;
    }
    while offset < seq && !session.joins.changes.concern(look_up) {
        let page = in_time(chat::missed(&session.app, conversation, offset, REPLAY_PAGE)).await?;
        let before = offset;
        for message in page.iter().take_while(|message| message.seq <= seq) {
            emit(session, socket, names::MESSAGE, message).await?;
            offset = message.seq;
        }
        if offset == before {
            // The rest was taken out of the database behind our back.
            return tell_gap(session, socket, conversation, offset, seq + 1).await;
        }
    }
    Ok(offset)
}

/// Says that the next message after `offset` will be `next`. Returns where the client stands then.
async fn tell_gap<A: Adapter>(
    session: &Session<A>,
    socket: &SocketRef<A>,
    conversation: ConversationId,
    offset: i64,
    next: i64,
) -> Result<i64> {
    let gap = json!({ "conversation": conversation, "after": offset, "next": next });
    emit(session, socket, names::HISTORY_GAP, &gap).await?;
    Ok(next - 1)
}

/// Emits, and waits while too much waits for the client: this is its own replay, which nobody else waits for.
async fn emit<A: Adapter>(
    session: &Session<A>,
    socket: &SocketRef<A>,
    event: &'static str,
    data: &impl serde::Serialize,
) -> Result<()> {
    let json = serde_json::value::to_raw_value(data).map_err(|error| Error::Internal(error.into()))?;
    let deadline = Instant::now() + session.app.config.gateway.ping_timeout;
    while Instant::now() < deadline {
        if has_room(session, socket) {
            match socket.emit(event, &json) {
                Err(SendError::Socket(SocketError::InternalChannelFull)) => {}
                Err(_) => break,
                Ok(()) => return Ok(()),
            }
        }
        tokio::time::sleep(RETRY).await;
    }
    Err(Error::Unavailable("a client has gone or does not read its replay"))
}

/// Whether a message may wait for the client: few do, as each client has its own replay, however many come back at once; and
/// none brings it near the bounds at which it would be cut.
fn has_room<A: Adapter>(session: &Session<A>, socket: &SocketRef<A>) -> bool {
    let config = &session.app.config.gateway;
    disconnect::link(socket).map(|link| link.waiting()).is_none_or(|waiting| {
        waiting.packets <= config.send_queue.get() / 2
            && waiting.bytes <= REPLAY_BYTES.min(config.send_queue_bytes.get() / 2)
    })
}

/// Says `unauthorized`, with an ack: a client that acknowledges it is disconnected at once. Any other may try again until
/// the deadline.
pub fn refuse<A: Adapter>(socket: &SocketRef<A>, reason: &str) {
    // Without an ack id old clients fail on calling the ack.
    match socket.emit_with_ack::<_, Value>("unauthorized", &json!({ "message": reason })) {
        Ok(ack) => {
            let socket = socket.clone();
            tokio::spawn(async move {
                // Clients acknowledge with no argument, or with any.
                if matches!(ack.await, Ok(_) | Err(AckError::Decode(_))) {
                    disconnect::dismiss(&socket);
                }
            });
        }
        Err(error) => tracing::debug!(%error, "a refused client could not be told"),
    }
}

/// Disconnects a socket that has not authenticated in time.
pub async fn enforce_deadline<A: Adapter>(session: Arc<Session<A>>, socket: SocketRef<A>) {
    tokio::time::sleep(session.app.config.gateway.auth_timeout).await;
    if session.time_is_up() {
        disconnect::dismiss(&socket);
    }
}
