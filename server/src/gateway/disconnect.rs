//! Ending a socket from the server's side.

use std::time::Duration;

use socketioxide::SocketError;
use socketioxide::adapter::Adapter;
use socketioxide::extract::SocketRef;

use super::transports::Transports;

/// How often a full queue is tried again, and for how long: some ten seconds.
const RETRY: Duration = Duration::from_millis(100);
const RETRIES: usize = 100;
/// How long the packet has to be written before the transport is closed behind it.
const GRACE: Duration = Duration::from_millis(50);

/// Sends the DISCONNECT packet and then closes the transport. The socket leaves its rooms at once, so that it hears
/// nothing more; where its queue is full the packet waits for room.
pub fn disconnect<A: Adapter>(transports: &Transports, socket: SocketRef<A>) {
    socket.leave_all();
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
