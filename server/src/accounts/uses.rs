//! When devices were last used, gathered: a request or a socket that signs in costs no write to the database.
//!
//! One task writes now and then what was noted meanwhile, each device at most once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::time::{Instant, interval_at};

use super::device::DeviceId;
use super::{session, token};
use crate::database::{Database, in_time};
use crate::error::Result;

/// How many devices may be noted between two writes; one more is noted when it is used again after the next.
const CAPACITY: usize = 65_536;
/// How long a use may wait to be written.
pub const INTERVAL: Duration = Duration::from_mins(1);
/// The most devices of one statement.
const BATCH: usize = 256;

/// Where uses are noted.
pub struct Uses(Arc<Gathered>);

#[derive(Default)]
struct Gathered {
    /// The second of the last use, in Unix time, of each device that was used since the last write.
    noted: Mutex<HashMap<DeviceId, i64>>,
    is_closed: Notify,
}

impl Gathered {
    fn noted(&self) -> MutexGuard<'_, HashMap<DeviceId, i64>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task's end.
pub struct Writer {
    gathered: Arc<Gathered>,
    database: Database,
}

impl Uses {
    pub fn new(database: Database) -> (Self, Writer) {
        let gathered = Arc::new(Gathered::default());
        (Self(gathered.clone()), Writer { gathered, database })
    }

    /// Notes that a device is used now.
    pub fn note(&self, device: DeviceId) {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let mut noted = self.0.noted();
        if noted.len() < CAPACITY || noted.contains_key(&device) {
            noted.insert(device, now);
        }
    }

    /// When a device was last used, if that is not written yet.
    pub fn noted(&self, device: DeviceId) -> Option<OffsetDateTime> {
        let second = self.0.noted().get(&device).copied()?;
        OffsetDateTime::from_unix_timestamp(second).ok()
    }

    /// [`Writer::run`] ends once it has written what is noted.
    pub fn close(&self) {
        self.0.is_closed.notify_one();
    }
}

impl Writer {
    pub async fn run(self) {
        let mut interval = interval_at(Instant::now() + INTERVAL, INTERVAL);
        loop {
            let is_last = tokio::select! {
                _ = interval.tick() => false,
                () = self.gathered.is_closed.notified() => true,
            };
            // What is lost here is noted again by the next use.
            if let Err(error) = in_time(self.write()).await {
                tracing::error!(%error, "when devices were last used could not be written");
            }
            if is_last {
                return;
            }
        }
    }

    async fn write(&self) -> Result<()> {
        let noted = std::mem::take(&mut *self.gathered.noted());
        let mut by_second: BTreeMap<i64, (Vec<i64>, Vec<i64>)> = BTreeMap::new();
        for (device, second) in noted {
            let (sessions, tokens) = by_second.entry(second).or_default();
            match device {
                DeviceId::Session(id) => sessions.push(id),
                DeviceId::Token(id) => tokens.push(id.0),
            }
        }
        let db = self.database.write();
        for (second, (sessions, tokens)) in by_second {
            let Ok(time) = OffsetDateTime::from_unix_timestamp(second) else { continue };
            for sessions in sessions.chunks(BATCH) {
                session::note_use(db, repeated(sessions), time).await?;
            }
            for tokens in tokens.chunks(BATCH) {
                token::note_use(db, repeated(tokens), time).await?;
            }
        }
        Ok(())
    }
}

/// Some repeated, so that there are few lengths, and the database knows each statement already.
fn repeated(ids: &[i64]) -> impl Iterator<Item = i64> {
    ids.iter().copied().cycle().take(ids.len().next_power_of_two())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_bound_no_new_device_is_noted_until_the_next_write() {
        let uses = Uses(Arc::default());
        let known = DeviceId::Session(0);
        for id in 0..=i64::try_from(CAPACITY).unwrap() {
            uses.note(DeviceId::Session(id));
        }
        let one_more = DeviceId::Session(i64::try_from(CAPACITY).unwrap());
        assert!(uses.noted(known).is_some() && uses.noted(one_more).is_none());
        uses.0.noted().clear();
        uses.note(one_more);
        assert!(uses.noted(one_more).is_some());
    }
}
