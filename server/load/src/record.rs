//! What a run's clients have said and heard.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;

use crate::ledger::{Faults, Ledger};
use crate::stamp::{Stamp, Stamps};

pub struct Record {
    began: Instant,
    stamps: Stamps,
    listeners: usize,
    ledger: Ledger,
    /// Messages sent, by sender.
    sent: Vec<u32>,
    /// Deliveries heard, by sender.
    heard: Vec<u64>,
    /// When messages were sent, in nanoseconds from the beginning, whose latency counts.
    measured: Range<u64>,
    /// Nanoseconds from sending to hearing.
    pub latency: Histogram<u64>,
}

/// Nanoseconds; what takes longer counts as this.
const LONGEST_LATENCY: u64 = 3_600_000_000_000;

impl Record {
    pub fn new(listeners: usize, senders: u16) -> Result<Self> {
        let senders = usize::from(senders);
        Ok(Self {
            began: Instant::now(),
            stamps: Stamps::new(rand::random()),
            listeners,
            ledger: Ledger::new(listeners, senders),
            sent: vec![0; senders],
            heard: vec![0; senders],
            measured: u64::MAX..u64::MAX,
            latency: Histogram::new_with_max(LONGEST_LATENCY, 3)?,
        })
    }

    /// Puts down the next message of a sender, and appends its text.
    pub fn say(&mut self, sender: u16, at: Instant, text: &mut Vec<u8>) {
        let number = &mut self.sent[usize::from(sender)];
        self.stamps.put(text, Stamp { sender, number: *number, sent: nanoseconds(at - self.began) });
        *number += 1;
    }

    /// Puts down what a listener has heard; packets that are not of this run count for nothing.
    pub fn hear(&mut self, listener: usize, packet: &[u8], at: Instant) {
        let Some(Stamp { sender, number, sent }) = self.stamps.find(packet) else { return };
        let sender = usize::from(sender);
        if self.sent.get(sender).is_none_or(|sent| number >= *sent) {
            return;
        }
        self.ledger.hear(listener, sender, number);
        self.heard[sender] += 1;
        if self.measured.contains(&sent) {
            self.latency.saturating_record(nanoseconds(at - self.began).saturating_sub(sent));
        }
    }

    /// The latency of what is sent from then on counts.
    pub fn measure_from(&mut self, begin: Instant) {
        self.measured = nanoseconds(begin - self.began)..u64::MAX;
    }

    /// The latency of what is sent from then on no longer counts; that of what was sent before does, whenever it is heard.
    pub fn measure_until(&mut self, end: Instant) {
        self.measured.end = nanoseconds(end - self.began);
    }

    pub fn heard(&self) -> u64 {
        self.heard.iter().sum()
    }

    /// How many deliveries of a sender's messages are still to come.
    pub fn outstanding(&self, sender: u16) -> u64 {
        let sender = usize::from(sender);
        (u64::from(self.sent[sender]) * self.listeners as u64).saturating_sub(self.heard[sender])
    }

    /// How many deliveries are still to come.
    pub fn outstanding_of_all(&self) -> u64 {
        (0_u16..).zip(&self.sent).map(|(sender, _)| self.outstanding(sender)).sum()
    }

    pub fn faults(&self) -> Faults {
        self.ledger.faults(&self.sent)
    }
}

/// Of some five hundred years at most.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
