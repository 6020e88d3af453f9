//! Many who listen while one speaks.

use futures_util::future::join_all;

use super::app::{LONG_MESSAGES, TestApp};
use super::person::Person;
use super::wire::{Eio, Transport, Wire};

pub struct Crowd {
    speaker: Wire,
    listeners: Vec<Wire>,
}

impl Crowd {
    /// A speaker and `count` listeners, each with a websocket of their own.
    pub async fn gather(app: &TestApp, eio: Eio, person: &Person, count: usize) -> Self {
        let listeners = join_all((0..count).map(|_| async {
            let mut wire = Wire::connect(app, eio, Transport::Websocket).await;
            wire.authenticate(person).await;
            wire
        }));
        Self { speaker: Wire::enter(app, person).await, listeners: listeners.await }
    }

    /// The speaker says `text`, and all hear that next. Returns its `seq`.
    pub async fn hears(&mut self, text: &str) -> i64 {
        let seq = self.speaker.post(text).await;
        let all = self.listeners.iter_mut().chain([&mut self.speaker]);
        join_all(all.map(|wire| wire.hears_all([seq]))).await;
        seq
    }
}

/// More messages of [`long_text`] than the buffers of both ends of a connection take.
pub const MANY: i64 = 200;

pub fn long_text() -> String {
    "x".repeat(100_000)
}

/// What may wait for a client, and so be kept for one that comes back.
pub const FEW_PACKETS: [(&str, &str); 3] =
    [("NATTER_GATEWAY__SEND_QUEUE", "8"), ("NATTER_CHAT__RECENT_MESSAGES", "8"), LONG_MESSAGES];
pub const FEW_BYTES: [(&str, &str); 3] =
    [("NATTER_GATEWAY__SEND_QUEUE_BYTES", "1000000"), ("NATTER_CHAT__RECENT_BYTES", "1000000"), LONG_MESSAGES];
