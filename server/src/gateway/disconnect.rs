//! Ending a socket from the server's side.

use std::sync::Arc;
use std::time::Duration;

use engine_link::Link;
use socketioxide::adapter::Adapter;
use socketioxide::extract::SocketRef;

use super::session::Session;

/// How long a client that has said goodbye may take to close its transport.
const GOODBYE: Duration = Duration::from_secs(3);

/// How often a client is told goodbye that has no room for it yet.
const ROOM: Duration = Duration::from_millis(100);

/// Dismisses a client: sends the DISCONNECT packet, upon which it does not come back by itself, and closes the transport
/// behind it.
pub fn dismiss<A: Adapter>(socket: &SocketRef<A>) {
    if silence(socket) {
        say_goodbye(socket);
    }
    if let Some(link) = link(socket) {
        link.close();
    }
}

/// Closes the transport without a word: the client sees a broken connection, and comes back if it is made to.
///
/// The stock engine closes no transport. There the client is dismissed, so that it knows at least that it hears nothing,
/// though it does not come back by itself.
pub fn hang_up<A: Adapter>(socket: &SocketRef<A>) {
    let is_first = silence(socket);
    match link(socket) {
        Some(link) => link.close(),
        None if is_first => say_goodbye(socket),
        None => {}
    }
}

/// Sends the DISCONNECT packet, and takes the socket down.
fn say_goodbye<A: Adapter>(socket: &SocketRef<A>) {
    // Once is enough: events may still come in while the socket is taken down.
    if !socket.connected() {
        return;
    }
    let Err(error) = socket.clone().disconnect() else { return };
    if link(socket).is_some() {
        // Its transport is closed all the same.
        tracing::debug!(%error, "a dismissed client could not be told");
        return;
    }
    // The stock engine ends sockets whose clients give no sign of life.
    let socket = socket.clone();
    tokio::spawn(async move {
        while socket.connected() && socket.clone().disconnect().is_err() {
            tokio::time::sleep(ROOM).await;
        }
    });
}

/// From here on the socket hears nothing and may say nothing, however long its transport takes to close. Whether it could
/// before.
fn silence<A: Adapter>(socket: &SocketRef<A>) -> bool {
    // In this order: whoever lets it in meanwhile sees that it is over, and takes it out again.
    let was_heard = socket.extensions.get::<Arc<Session<A>>>().is_none_or(|session| session.end());
    socket.leave_all();
    was_heard
}

/// A client that has said goodbye keeps no place by its transport, as there is no other namespace. Those that poll close it
/// by a request, which would be refused if it were closed at once.
pub fn see_off<A: Adapter>(socket: &SocketRef<A>) {
    if let Some(link) = link(socket) {
        link.close_after(GOODBYE);
    }
}

/// The engine's side of a socket, if the engine is ours.
pub fn link<A: Adapter>(socket: &SocketRef<A>) -> Option<&Link> {
    socket.req_parts().extensions.get::<Link>()
}
