//! `authentication` → `authenticated` | `unauthorized`, and the deadline.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use socketioxide::adapter::Adapter;
use socketioxide::extract::SocketRef;
use socketioxide::{AckError, SendError, SocketError};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::disconnect;
use super::fan_out::{Join, Joined, names};
use super::session::Session;
use crate::accounts::{self, Identity};
use crate::chat;
use crate::error::{Error, Result};

/// How many messages of a replay are read at once.
const REPLAY_PAGE: u64 = 100;
/// The pause before a client that is ahead is let in, until what it knows of has been sent from here.
const PAUSE: Duration = Duration::from_millis(50);
/// The pause before a client that is behind is looked at again.
const RETRY: Duration = Duration::from_millis(10);

/// Looks up the token of `payload`, tells the client, and lets it hear what is said from here on.
pub async fn authenticate<A: Adapter>(session: Arc<Session<A>>, socket: SocketRef<A>, payload: Value) {
    match enter(&session, &socket, &payload).await {
        Ok(identity) => session.finish_authentication(&socket, Some(identity)),
        // Revoked while it was let in: like any other socket of that token.
        Err(Error::BadCredentials(_)) if session.is_accepted() && session.identity().is_none() => {
            disconnect::dismiss(&socket);
        }
        Err(Error::BadCredentials(_)) => {
            refuse(&socket);
            session.finish_authentication(&socket, None);
        }
        Err(error) => {
            // The token may well be good. A client whose connection breaks comes back by itself.
            error.log();
            disconnect::hang_up(&socket);
        }
    }
}

async fn enter<A: Adapter>(session: &Arc<Session<A>>, socket: &SocketRef<A>, payload: &Value) -> Result<Identity> {
    let token = payload.get("token").and_then(Value::as_str).ok_or(Error::BadCredentials("no token"))?;
    let mut is_told = false;
    let mut offset = payload.get("serverOffset").and_then(Value::as_i64).filter(|offset| *offset >= 0);
    let deadline = Instant::now() + session.app.config.gateway.ping_timeout;
    loop {
        // Before the look-up, so that what is revoked after it is noticed at the join.
        let revocations = session.joins.revocations();
        let (token, user) = accounts::user_of_token(&session.app, token).await?;
        session.accept();
        let identity = Identity { user: user.id, email: user.email.as_str().into(), token };
        loop {
            match join(session, socket, &identity, offset, revocations, is_told).await? {
                Joined::Hears => return Ok(identity),
                Joined::LookAgain => break,
                Joined::Behind { seq } => {
                    is_told = true;
                    offset = Some(replay(session, socket, offset.unwrap_or(seq), seq).await?);
                }
                // An ack or the history may name a message that is still to be sent from here.
                Joined::Ahead { .. } if offset <= Some(chat::newest_seq(&session.app).await?) => {
                    is_told = true;
                    if Instant::now() > deadline || !socket.connected() {
                        return Err(Error::Unavailable("a client has gone, or what it knows of does not come"));
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                Joined::Ahead { seq } => {
                    is_told = true;
                    offset = Some(tell_gap(session, socket, offset.unwrap_or(seq), seq + 1).await?);
                }
            }
        }
    }
}

async fn join<A: Adapter>(
    session: &Arc<Session<A>>,
    socket: &SocketRef<A>,
    identity: &Identity,
    offset: Option<i64>,
    revocations: u64,
    is_told: bool,
) -> Result<Joined> {
    let (reply, answer) = oneshot::channel();
    let (socket, identity) = (socket.clone(), identity.clone());
    session.joins.send(Join { socket, identity, offset, revocations, is_told, reply }).await?;
    answer.await.map_err(|_| Error::Unavailable("the gateway has stopped"))
}

/// Sends what a client has missed after `offset` and up to `seq`, as far as the limit allows; else it is told of the
/// gap first. Returns where the client stands then.
async fn replay<A: Adapter>(
    session: &Arc<Session<A>>,
    socket: &SocketRef<A>,
    mut offset: i64,
    seq: i64,
) -> Result<i64> {
    let limit = i64::try_from(session.app.config.chat.replay_limit.get()).unwrap_or(i64::MAX);
    if seq - offset > limit {
        offset = tell_gap(session, socket, offset, seq - limit + 1).await?;
    }
    while offset < seq {
        let page = chat::missed(&session.app, offset, REPLAY_PAGE).await?;
        for message in page.iter().take_while(|message| message.seq <= seq) {
            emit(session, socket, names::MESSAGE, message).await?;
            offset = message.seq;
        }
        if page.is_empty() {
            break;
        }
    }
    Ok(offset)
}

/// Says that the next message after `offset` will be `next`. Returns where the client stands then.
async fn tell_gap<A: Adapter>(session: &Session<A>, socket: &SocketRef<A>, offset: i64, next: i64) -> Result<i64> {
    let gap = json!({ "conversation": chat::EVERYONE, "after": offset, "next": next });
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

/// Whether a message may wait for the client without bringing it near the bounds at which it would be cut.
fn has_room<A: Adapter>(session: &Session<A>, socket: &SocketRef<A>) -> bool {
    let config = &session.app.config.gateway;
    disconnect::link(socket).map(|link| link.waiting()).is_none_or(|waiting| {
        waiting.packets <= config.send_queue.get() / 2 && waiting.bytes <= config.send_queue_bytes.get() / 2
    })
}

/// Says `unauthorized`, with an ack: a client that acknowledges it is disconnected at once. Any other may try again until
/// the deadline.
fn refuse<A: Adapter>(socket: &SocketRef<A>) {
    // Without an ack id old clients fail on calling the ack.
    match socket.emit_with_ack::<_, Value>("unauthorized", &json!({ "message": "Token not found." })) {
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
    let timeout = session.app.config.gateway.auth_timeout;
    tokio::time::sleep(timeout).await;
    // Nobody is dismissed because the server is slow.
    while socket.connected() && session.is_looking_up() {
        tokio::time::sleep(timeout).await;
    }
    if socket.connected() && !session.is_accepted() {
        disconnect::dismiss(&socket);
    }
}
