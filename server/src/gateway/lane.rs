//! What this node sends of one conversation: how far it has come, who hears it, and the newest messages.

use std::collections::VecDeque;

use serde_json::value::RawValue;

use super::crowd::Crowd;
use crate::app::App;
use crate::chat::{ConversationId, EVERYONE, Message, Reach};
use crate::error::{Error, Result};

/// What is kept of conversations that are not everybody's, of which there may be many.
const RECENT_MESSAGES: usize = 64;
const RECENT_BYTES: usize = 256 * 1024;

pub struct Lane {
    pub id: ConversationId,
    /// The last message sent.
    pub seq: i64,
    /// The last change sent.
    pub change: i64,
    /// Of its members and its name, as those who hear it know them; 0 where that is not known yet.
    pub version: i64,
    pub crowd: Crowd,
    /// The newest messages sent, without a gap, up to `seq`.
    recent: VecDeque<Encoded>,
    recent_bytes: usize,
    most: (usize, usize),
}

/// A message as JSON, made once for all who hear it.
pub struct Encoded {
    pub seq: i64,
    pub json: Box<RawValue>,
}

impl Lane {
    /// One that sends what comes after `reach`.
    pub fn new(app: &App, reach: Reach) -> Self {
        let Reach { id, last_seq, last_change, .. } = reach;
        let (messages, bytes) = (app.config.chat.recent_messages.get(), app.config.chat.recent_bytes.get());
        let most =
            if id == EVERYONE { (messages, bytes) } else { (messages.min(RECENT_MESSAGES), bytes.min(RECENT_BYTES)) };
        Self {
            id,
            seq: last_seq,
            change: last_change,
            version: 0,
            crowd: Crowd::of(id),
            recent: VecDeque::new(),
            recent_bytes: 0,
            most,
        }
    }

    /// How many messages it keeps at most.
    pub fn memory(&self) -> usize {
        self.most.0
    }

    pub fn remember(&mut self, encoded: Vec<Encoded>) {
        self.recent_bytes += encoded.iter().map(Encoded::len).sum::<usize>();
        self.recent.extend(encoded);
        while (self.recent.len() > self.most.0 || self.recent_bytes > self.most.1)
            && let Some(oldest) = self.recent.pop_front()
        {
            self.recent_bytes -= oldest.len();
        }
    }

    /// A message that is kept has changed.
    pub fn replace(&mut self, changed: Encoded) {
        if let Some(kept) = self.recent.iter_mut().find(|kept| kept.seq == changed.seq) {
            self.recent_bytes = self.recent_bytes + changed.len() - kept.len();
            *kept = changed;
        }
    }

    pub fn forget(&mut self) {
        self.recent.clear();
        self.recent_bytes = 0;
    }

    /// What came after `offset`, if all of it is still kept, and no more than `limit`.
    pub fn recent_after(&self, offset: i64, limit: i64) -> Option<impl Iterator<Item = &Encoded>> {
        let oldest = self.recent.front().map_or(self.seq + 1, |encoded| encoded.seq);
        let is_here = oldest - 1 <= offset && self.seq - offset <= limit;
        is_here.then(|| self.recent.iter().skip_while(move |encoded| encoded.seq <= offset))
    }
}

impl Encoded {
    pub fn of(message: &Message) -> Result<Self> {
        let json = serde_json::value::to_raw_value(message).map_err(|error| Error::Internal(error.into()))?;
        Ok(Self { seq: message.seq, json })
    }

    pub fn len(&self) -> usize {
        self.json.get().len()
    }
}
