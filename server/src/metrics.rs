//! Figures of the running server: for Prometheus, and for the admin site's overview.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
    exponential_buckets, histogram_opts, register_histogram_vec_with_registry, register_histogram_with_registry,
    register_int_counter_vec_with_registry, register_int_counter_with_registry, register_int_gauge_vec_with_registry,
    register_int_gauge_with_registry,
};

/// What is counted. No label names a user, an address or a conversation: each value of a label is kept for ever.
pub struct Metrics {
    /// Sockets that have ever connected.
    pub connections: IntCounter,
    /// Sockets of clients that have not said yet who they are.
    pub unauthenticated_sockets: IntGauge,
    /// Sockets that were refused, by the limit that was reached.
    pub refused_sockets: IntCounterVec,
    /// Sockets that were cut because they did not keep up, or because too much was half sent.
    pub slow_sockets: IntCounter,
    /// Tokens that sockets have shown, by what became of them.
    pub authentications: IntCounterVec,
    /// Messages that were committed here.
    pub posted_messages: IntCounter,
    /// Messages that were not, by the reason.
    pub refused_messages: IntCounterVec,
    /// Messages that were sent to the sockets of this node, whoever has posted them.
    pub messages: IntCounter,
    /// How long it takes to commit messages.
    pub commits: Histogram,
    /// What was refused for coming too often, by the limit.
    rate_limits: IntCounterVec,
    /// Requests that were answered with a status of 500 or above.
    pub errors: IntCounter,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    measured: Measured,
    registry: Registry,
    /// The last ten minutes.
    pub history: History,
    started: Instant,
}

/// What is looked at when somebody asks.
struct Measured {
    sockets: IntGaugeVec,
    queued_messages: IntGauge,
    queued_bytes: IntGauge,
    password_checks: IntGauge,
    received_bytes: IntGauge,
}

/// How much of something waits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waiting {
    pub messages: usize,
    pub message_bytes: usize,
    pub password_checks: usize,
    /// Of what clients have sent in part.
    pub received_bytes: usize,
}

impl Metrics {
    /// # Errors
    /// Where two figures have one name.
    pub fn new() -> Result<Self> {
        let registry = Registry::new();
        let counter = |name, help| register_int_counter_with_registry!(name, help, registry);
        // Those whose values are known begin at 0: a rate is known from the second look on, and not from the third.
        let counters = |name, help, label, values: &[&str]| {
            let counters = register_int_counter_vec_with_registry!(Opts::new(name, help), &[label], registry)?;
            for value in values {
                counters.with_label_values(&[*value]);
            }
            anyhow::Ok(counters)
        };
        let gauge = |name, help| register_int_gauge_with_registry!(name, help, registry);
        // From a tenth of a millisecond to some six seconds.
        let seconds = |name, help| anyhow::Ok(histogram_opts!(name, help, exponential_buckets(0.0001, 3.0, 11)?));
        let build = register_int_gauge_vec_with_registry!(
            Opts::new("natter_build_info", "The version of the server; always 1."),
            &["version"],
            registry
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(Self {
            connections: counter("natter_connections_total", "Socket.IO sockets that have connected.")?,
            unauthenticated_sockets: gauge(
                "natter_sockets_unauthenticated",
                "Engine.IO sessions of clients that have not authenticated.",
            )?,
            refused_sockets: counters(
                "natter_sockets_refused_total",
                "Sockets that were refused, by the limit that was reached.",
                "reason",
                &["server", "address", "user", "unauthenticated"],
            )?,
            slow_sockets: counter(
                "natter_sockets_cut_total",
                "Sockets that were cut: they did not keep up, or too much was half sent.",
            )?,
            authentications: counters(
                "natter_authentications_total",
                "Tokens that sockets have shown, by what became of them.",
                "result",
                &["accepted", "refused", "failed"],
            )?,
            posted_messages: counter("natter_messages_posted_total", "Messages that were committed by this node.")?,
            refused_messages: counters(
                "natter_messages_refused_total",
                "Messages that were not committed, by the code that the sender was told.",
                "reason",
                &["invalid", "forbidden", "throttled", "overloaded", "stopping", "unavailable"],
            )?,
            messages: counter(
                "natter_messages_broadcast_total",
                "Messages that were sent to the sockets of this node, whichever node has committed them.",
            )?,
            commits: register_histogram_with_registry!(
                seconds("natter_log_commit_seconds", "How long a commit of messages has taken.")?,
                registry
            )?,
            rate_limits: counters(
                "natter_rate_limited_total",
                "What was refused for coming too often, by the limit.",
                "limit",
                &["sign-in", "sign-up", "password", "reset", "messages", "events", "received"],
            )?,
            errors: IntCounter::new("errors", "As natter_http_requests_total of the statuses from 500 on.")?,
            requests: register_int_counter_vec_with_registry!(
                Opts::new("natter_http_requests_total", "Answered HTTP requests, without those of sockets and probes."),
                &["method", "status"],
                registry
            )?,
            request_seconds: register_histogram_vec_with_registry!(
                seconds("natter_http_request_seconds", "How long an answer has taken to begin.")?,
                &["method"],
                registry
            )?,
            measured: Measured {
                sockets: register_int_gauge_vec_with_registry!(
                    Opts::new("natter_sockets", "Connected Socket.IO sockets."),
                    &["transport", "protocol"],
                    registry
                )?,
                queued_messages: gauge(
                    "natter_log_queue_messages",
                    "Messages that were taken in and are not committed yet.",
                )?,
                queued_bytes: gauge("natter_log_queue_bytes", "Bytes of the messages that wait to be committed.")?,
                password_checks: gauge("natter_password_checks_waiting", "Password checks under way and waiting.")?,
                received_bytes: gauge("natter_received_bytes", "Memory that holds what clients have sent in part.")?,
            },
            registry,
            history: History::default(),
            started: Instant::now(),
        })
    }

    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// An answer to a request of this `method`, which is one of few.
    pub fn note_answer(&self, method: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[method, status.to_string().as_str()]).inc();
        self.request_seconds.with_label_values(&[method]).observe(took.as_secs_f64());
        if status >= 500 {
            self.errors.inc();
        }
    }

    /// All figures in Prometheus's text format.
    ///
    /// # Errors
    /// Where one cannot be put into it.
    pub fn exposition(&self, census: Census, waiting: Waiting) -> Result<String> {
        for (transport, of_transport) in [("websocket", census.websocket), ("polling", census.polling)] {
            for (protocol, count) in [("3", of_transport.third), ("4", of_transport.fourth)] {
                self.measured.sockets.with_label_values(&[transport, protocol]).set(signed(count));
            }
        }
        self.measured.queued_messages.set(signed(waiting.messages));
        self.measured.queued_bytes.set(signed(waiting.message_bytes));
        self.measured.password_checks.set(signed(waiting.password_checks));
        self.measured.received_bytes.set(signed(waiting.received_bytes));
        Ok(TextEncoder::new().encode_to_string(&self.registry.gather())?)
    }

    /// Counts somebody who is told to wait, as they have tried something too often.
    pub fn rate_limited(&self, limit: &'static str) {
        self.rate_limits.with_label_values(&[limit]).inc();
    }

    /// How often that was so.
    pub fn rate_limits(&self, limit: &'static str) -> u64 {
        self.rate_limits.with_label_values(&[limit]).get()
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
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

/// How many sockets there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    pub websocket: Protocols,
    pub polling: Protocols,
}

impl Census {
    pub fn all(self) -> usize {
        self.websocket.all() + self.polling.all()
    }
}

/// How many speak Engine.IO 3, and 4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protocols {
    pub third: usize,
    pub fourth: usize,
}

impl Protocols {
    pub fn all(self) -> usize {
        self.third + self.fourth
    }
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
