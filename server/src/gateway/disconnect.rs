//! Ending a socket from the server's side.

use std::sync::Arc;

use engine_link::Link;
use socketioxide::adapter::Adapter;
use socketioxide::extract::SocketRef;

use super::session::Session;

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

/// The stock engine closes no transport; its clients do when they are dismissed, or when it has not heard of them.
pub fn close<A: Adapter>(socket: &SocketRef<A>) {
    if let Some(link) = link(socket) {
        link.close();
    }
}

/// The engine's side of a socket, if the engine is ours.
pub fn link<A: Adapter>(socket: &SocketRef<A>) -> Option<&Link> {
    socket.req_parts().extensions.get::<Link>()
}
