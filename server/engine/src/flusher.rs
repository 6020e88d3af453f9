//! Writes what was emitted: one task for all connections, woken once however many it finds.
//!
//! Whoever emits to many sockets only queues frames. What they emit before the flusher comes round to a socket leaves in
//! one call, so the busier the server, the more frames share one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;

use crate::connection::Connection;

/// Connections that are written to before other tasks get their turn.
const TURN: usize = 256;

#[derive(Default)]
pub(crate) struct Flusher(Mutex<Scheduled>);

#[derive(Default)]
struct Scheduled {
    connections: Vec<Arc<Connection>>,
    is_running: bool,
}

/// A panic at one connection ends that one.
fn flush(connection: &Connection) {
    if catch_unwind(AssertUnwindSafe(|| connection.flush())).is_err() {
        connection.fail();
    }
}

impl Flusher {
    /// Has `connection` written to soon.
    pub fn schedule(self: &Arc<Self>, connection: Arc<Connection>) {
        let mut scheduled = self.lock();
        scheduled.connections.push(connection);
        if !std::mem::replace(&mut scheduled.is_running, true) {
            drop(scheduled);
            self.start();
        }
    }

    fn start(self: &Arc<Self>) {
        match Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(self.clone().run());
            }
            // Emitted by a thread outside of the runtime.
            Err(_) => std::iter::from_fn(|| self.take(Vec::new())).flatten().for_each(|connection| flush(&connection)),
        }
    }

    async fn run(self: Arc<Self>) {
        let mut spare = Vec::new();
        while let Some(mut connections) = self.take(spare) {
            for turn in connections.chunks(TURN) {
                for connection in turn {
                    flush(connection);
                }
                if turn.len() == TURN {
                    tokio::task::yield_now().await;
                }
            }
            connections.clear();
            spare = connections;
            if !self.lock().connections.is_empty() {
                tokio::task::yield_now().await;
            }
        }
    }

    /// The connections that wait, for the empty list `spare`; or none, and the flusher has ended.
    fn take(&self, spare: Vec<Arc<Connection>>) -> Option<Vec<Arc<Connection>>> {
        let mut scheduled = self.lock();
        scheduled.is_running = !scheduled.connections.is_empty();
        scheduled.is_running.then(|| std::mem::replace(&mut scheduled.connections, spare))
    }

    fn lock(&self) -> MutexGuard<'_, Scheduled> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
