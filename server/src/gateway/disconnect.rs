//! Ending a socket from the server's side.

use std::sync::Arc;
use std::time::Duration;

use engine_link::Link;
use socketioxide::adapter::Adapter;
use socketioxide::extract::SocketRef;

use super::session::Session;

/// How long a client that has said goodbye may take to close its transport.
const GOODBYE: Duration = Duration::from_secs(3);

/// Dismisses a client: sends the DISCONNECT packet, upon which it does not come back by itself, and closes the transport
/// behind it.
pub fn dismiss<A: Adapter>(socket: &SocketRef<A>) {
    silence(socket);
    // Once is enough: events may still come in while the socket is taken down.
    if socket.connected()
        && let Err(error) = socket.clone().disconnect()
    {
        tracing::debug!(%error, "a dismissed client could not be told");
    }
    close(socket);
}

/// Closes the transport without a word: the client sees a broken connection, and comes back if it is made to.
pub fn hang_up<A: Adapter>(socket: &SocketRef<A>) {
    silence(socket);
    close(socket);
}

/// From here on the socket hears nothing and may say nothing, however long its transport takes to close.
fn silence<A: Adapter>(socket: &SocketRef<A>) {
    // In this order: whoever lets it in meanwhile sees that it is over, and takes it out again.
    if let Some(session) = socket.extensions.get::<Arc<Session<A>>>() {
        session.end();
    }
    socket.leave_all();
}

/// A client that has said goodbye keeps no place by its transport, as there is no other namespace. Those that poll close it
/// by a request, which would be refused if it were closed at once.
pub fn see_off<A: Adapter>(socket: &SocketRef<A>) {
    if let Some(link) = link(socket) {
        link.close_after(GOODBYE);
    }
}

/// The stock engine closes no transport; its clients do when they are dismissed, or when it has not heard of them.
fn close<A: Adapter>(socket: &SocketRef<A>) {
    if let Some(link) = link(socket) {
        link.close();
    }
}

/// The engine's side of a socket, if the engine is ours.
pub fn link<A: Adapter>(socket: &SocketRef<A>) -> Option<&Link> {
    socket.req_parts().extensions.get::<Link>()
}
