//! Figures of the running server.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Default)]
pub struct Metrics {
    /// Connected Socket.IO sockets, authenticated or not.
    pub sockets: Gauge,
    /// Sockets that have ever connected.
    pub connections: Counter,
    /// Sockets that were cut because they did not keep up.
    pub slow_sockets: Counter,
    /// Messages that were sent to the sockets of this node, whoever has posted them.
    pub messages: Counter,
    /// Requests that were answered with a status of 500 or above.
    pub errors: Counter,
    /// The last ten minutes.
    pub history: History,
    started: Started,
}

impl Metrics {
    pub fn uptime(&self) -> Duration {
        self.started.0.elapsed()
    }
}

struct Started(Instant);

impl Default for Started {
    fn default() -> Self {
        Self(Instant::now())
    }
}

#[derive(Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    pub fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts one more; returns its number, from 1 on.
    pub fn up(&self) -> u64 {
        self.add(1)
    }

    pub fn add(&self, count: u64) -> u64 {
        self.0.fetch_add(count, Ordering::Relaxed) + count
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How often the figures are noted.
pub const INTERVAL: Duration = Duration::from_secs(5);
/// How many times are remembered: ten minutes.
pub const SAMPLES: usize = 120;

/// The figures at one time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    pub sockets: Census,
    pub messages: u64,
    pub errors: u64,
}

/// How many sockets there are of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    pub websocket: u64,
    pub polling: u64,
    /// That speak Engine.IO 3, …
    pub third: u64,
    /// … and 4.
    pub fourth: u64,
}

#[derive(Default)]
pub struct History(Mutex<VecDeque<Sample>>);

impl History {
    pub fn note(&self, sample: Sample) {
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() >= SAMPLES {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    /// The oldest first.
    pub fn samples(&self) -> Vec<Sample> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{History, SAMPLES, Sample};

    #[test]
    fn the_history_keeps_the_newest_samples() {
        let history = History::default();
        for messages in 1..=SAMPLES as u64 + 2 {
            history.note(Sample { messages, ..Sample::default() });
        }
        let samples = history.samples();
        assert_eq!((samples.len(), samples[0].messages), (SAMPLES, 3));
    }
}
