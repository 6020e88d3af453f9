//! Ending a socket from the server's side.

use std::sync::Arc;
use std::time::Duration;

use socketioxide::SocketError;
use socketioxide::adapter::Adapter;
use socketioxide::extract::SocketRef;

use super::session::Session;
use super::transports::Transports;

/// How often a full queue is tried again, and for how long: some ten seconds.
const RETRY: Duration = Duration::from_millis(100);
const RETRIES: usize = 100;
/// How long the packet has to be written before the transport is closed behind it.
const GRACE: Duration = Duration::from_millis(50);

/// Dismisses a client: sends the DISCONNECT packet, upon which it does not come back by itself, and then closes the
/// transport. Where its queue is full the packet waits for room.
pub fn dismiss<A: Adapter>(transports: &Transports, socket: SocketRef<A>) {
    silence(&socket);
    let connection = transports.websocket_of(&socket);
    transports.end(&socket);
    let is_sent = try_disconnect(&socket);
    tokio::spawn(async move {
        if !is_sent {
            for _ in 0..RETRIES {
                tokio::time::sleep(RETRY).await;
                if try_disconnect(&socket) {
                    break;
                }
            }
        }
        tokio::time::sleep(GRACE).await;
        if let Some(connection) = connection {
            connection.close();
        }
    });
}

/// Once is enough: events may still come in while the socket is taken down.
fn try_disconnect<A: Adapter>(socket: &SocketRef<A>) -> bool {
    !socket.connected() || !matches!(socket.clone().disconnect(), Err(SocketError::InternalChannelFull))
}

/// Closes the transport without a word: the client sees a broken connection, and comes back if it is made to.
pub fn hang_up<A: Adapter>(transports: &Transports, socket: &SocketRef<A>) {
    silence(socket);
    match transports.websocket_of(socket) {
        Some(connection) => connection.close(),
        None => transports.break_off(socket),
    }
}

/// From here on the socket hears nothing and may say nothing, however long its transport takes to close.
fn silence<A: Adapter>(socket: &SocketRef<A>) {
    socket.leave_all();
    if let Some(session) = socket.extensions.get::<Arc<Session<A>>>() {
        session.end();
    }
}
