//! What must hold of a history.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::{self, Display, Formatter};
use std::ops::RangeInclusive;

use crate::history::{Event, History, Message, Sending, What};

/// Something that may not be.
#[derive(Clone, Debug)]
pub struct Fault {
    pub kind: Kind,
    /// The events and messages by which it shows.
    pub told: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A message was acknowledged, and is not in the history.
    AcknowledgedLost,
    /// A message was acknowledged with the number of another.
    AcknowledgedWrongly,
    /// A message was heard, and there is none of its number in the history.
    HeardLost,
    /// A message was heard, and is another in the history.
    HeardChanged,
    /// A client heard a message that it had.
    Repeated,
    /// A client heard a message after a later one.
    Reordered,
    /// A client heard a message, and not the one before it, and no gap was told.
    Skipped,
    /// A client was connected to the end, and did not hear the last messages.
    Unheard,
    /// A gap was told that does not begin where the client stood.
    GapMisplaced,
    /// A gap was told of messages that the client should have been sent.
    GapTooWide,
    /// The server did what it never may.
    Misbehaved,
    /// A client was told that the server knows of less than the client does.
    Rewound,
    /// The numbers in the history are not 1, 2, 3, …
    Misnumbered,
    /// One message, or two under one `clientOffset`, are in the history twice.
    StoredTwice,
    /// A message was refused, and is in the history.
    RefusedStored,
    /// A message is in the history, or was heard, that nobody has sent, or not there, or somebody else.
    Foreign,
    /// Of two messages that somebody sent over one connection the second has the lower number.
    SenderReordered,
    /// A message has a lower number than one that was acknowledged or heard before it was sent.
    TimeReversed,
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.told)
    }
}

/// All that is wrong with a history; nothing where it is true.
pub fn judge(history: &History) -> Vec<Fault> {
    let mut verdict = Verdict::new(history);
    verdict.judge_numbers();
    verdict.judge_origins();
    verdict.judge_answers();
    verdict.judge_deliveries();
    verdict.judge_time();
    verdict.judge_senders();
    verdict.faults
}

struct Verdict<'a> {
    history: &'a History,
    /// By conversation and number.
    stored: HashMap<(i64, i64), &'a Message>,
    /// The number of the last message of each conversation.
    last: HashMap<i64, i64>,
    by_line: HashMap<&'a str, Vec<&'a Message>>,
    sent: HashMap<&'a str, &'a Sending>,
    /// By client and attempt; the index of the event.
    attempts: HashMap<(usize, u64), usize>,
    answers: HashMap<(usize, u64), &'a What>,
    faults: Vec<Fault>,
}

impl<'a> Verdict<'a> {
    fn new(history: &'a History) -> Self {
        let mut verdict = Self {
            history,
            stored: HashMap::new(),
            last: HashMap::new(),
            by_line: HashMap::new(),
            sent: HashMap::new(),
            attempts: HashMap::new(),
            answers: HashMap::new(),
            faults: Vec::new(),
        };
        for message in &history.stored {
            verdict.stored.insert((message.conversation, message.seq), message);
            verdict.by_line.entry(&message.line).or_default().push(message);
            let last = verdict.last.entry(message.conversation).or_default();
            *last = message.seq.max(*last);
        }
        for (index, Event { client, what, .. }) in history.events.iter().enumerate() {
            match what {
                What::Sends(sending) => {
                    verdict.attempts.insert((*client, sending.attempt), index);
                    verdict.sent.entry(&sending.line).or_insert(sending);
                }
                What::Acknowledged { attempt, .. } | What::Refused { attempt, .. } => {
                    verdict.answers.insert((*client, *attempt), what);
                }
                _ => {}
            }
        }
        verdict
    }

    fn find(&mut self, kind: Kind, told: String) {
        self.faults.push(Fault { kind, told });
    }

    /// An event, with its place in the history.
    fn tell(&self, index: usize) -> String {
        format!("event {index}, {}", self.history.events[index])
    }

    fn judge_numbers(&mut self) {
        let mut next: BTreeMap<i64, i64> = BTreeMap::new();
        for message in &self.history.stored {
            let expected = next.entry(message.conversation).or_insert(1);
            if message.seq != *expected {
                let told = format!("{message}, where {expected} is expected");
                self.faults.push(Fault { kind: Kind::Misnumbered, told });
            }
            *expected = message.seq + 1;
        }
    }

    /// What is in the history was sent, by its author, to its conversation, and is there once.
    fn judge_origins(&mut self) {
        let mut names: HashMap<(i64, i64, &str), &Message> = HashMap::new();
        let mut lines: HashMap<&str, &Message> = HashMap::new();
        for message in &self.history.stored {
            if let Some(first) = lines.insert(&message.line, message) {
                self.find(Kind::StoredTwice, format!("{first}; {message}"));
                continue;
            }
            let Some(sending) = self.sent.get(&*message.line).copied() else {
                self.find(Kind::Foreign, format!("nobody has sent {message}"));
                continue;
            };
            if !is_of(sending, message) {
                let Sending { conversation, author, .. } = sending;
                self.find(Kind::Foreign, format!("{message}, which {author} sent to {conversation}"));
            }
            if let Some(name) = &sending.name
                && let Some(first) = names.insert((message.author, message.conversation, name), message)
            {
                self.find(Kind::StoredTwice, format!("{first}; {message}; both under {name:?}"));
            }
        }
    }

    fn judge_answers(&mut self) {
        let history = self.history;
        // Whether some attempt may have been stored.
        let mut is_possible: HashMap<&str, (bool, usize)> = HashMap::new();
        for (index, Event { client, what, .. }) in history.events.iter().enumerate() {
            match what {
                What::Sends(Sending { attempt, line, .. }) => {
                    let answer = self.answers.get(&(*client, *attempt));
                    let is_refused = matches!(answer, Some(What::Refused { is_certain: true, .. }));
                    let (is_possible, _) = is_possible.entry(line).or_insert((false, index));
                    *is_possible |= !is_refused;
                }
                What::Acknowledged { attempt, conversation, seq } => {
                    self.judge_acknowledgement(index, (*client, *attempt), (*conversation, *seq));
                }
                _ => {}
            }
        }
        for (line, (is_possible, index)) in is_possible {
            if let Some(message) = self.by_line.get(line).filter(|_| !is_possible).and_then(|found| found.first()) {
                let told = format!("{}; every attempt was refused; yet there is {message}", self.tell(index));
                self.find(Kind::RefusedStored, told);
            }
        }
    }

    fn judge_acknowledgement(&mut self, index: usize, attempt: (usize, u64), place: (i64, i64)) {
        let sending = self.attempts.get(&attempt).and_then(|sent| match &self.history.events[*sent].what {
            What::Sends(sending) => Some((*sent, sending)),
            _ => None,
        });
        let Some((sent, sending)) = sending else {
            return self.find(Kind::Foreign, format!("{}; it was not sent", self.tell(index)));
        };
        let told = format!("{}; {}", self.tell(sent), self.tell(index));
        match (self.by_line.get(&*sending.line).and_then(|found| found.first()), self.stored.get(&place)) {
            (None, _) => self.find(Kind::AcknowledgedLost, told),
            (_, Some(message)) if message.line == sending.line => {}
            (Some(message), _) => self.find(Kind::AcknowledgedWrongly, format!("{told}; it is {message}")),
        }
    }

    /// Each connection hears every message from where it begins, once and in order, and what it hears is in the history.
    fn judge_deliveries(&mut self) {
        let history = self.history;
        let mut open: HashMap<(usize, u32), Connection> = HashMap::new();
        for (index, Event { client, connection, what }) in history.events.iter().enumerate() {
            let key = (*client, *connection);
            match what {
                What::Begins { offsets } => _ = open.insert(key, Connection::new(offsets)),
                What::Hears(message) => {
                    self.judge_heard(index, message);
                    let place =
                        open.get_mut(&key).and_then(|connection| connection.places.get_mut(&message.conversation));
                    let kind = place.map_or(Some(Kind::Foreign), |place| place.hear(message.seq));
                    if let Some(kind) = kind {
                        self.find(kind, self.tell(index));
                    }
                }
                What::ToldGap { conversation, after, next } => {
                    let place = open.get_mut(&key).and_then(|connection| connection.places.get_mut(conversation));
                    let last = self.last.get(conversation).copied().unwrap_or_default();
                    let is_too_wide = next - 1 + history.replayed > last;
                    let kind = place.map_or(Some(Kind::Foreign), |place| place.jump(*after, *next));
                    let kind = kind.or(is_too_wide.then_some(Kind::GapTooWide));
                    if let Some(kind) = kind {
                        self.find(kind, self.tell(index));
                    }
                }
                What::Wonders(_) => self.find(Kind::Misbehaved, self.tell(index)),
                What::Ends => _ = open.remove(&key),
                _ => {}
            }
        }
        let mut open: Vec<_> = open.into_iter().collect();
        open.sort_unstable_by_key(|(key, _)| *key);
        for ((client, connection), Connection { places }) in open {
            for (conversation, Place { last, .. }) in places {
                let stored = self.last.get(&conversation).copied().unwrap_or_default();
                if last.is_some_and(|last| last < stored) {
                    let told =
                        format!("client {client}, connection {connection}: {last:?} of {stored} in {conversation}");
                    self.find(Kind::Unheard, told);
                }
            }
        }
    }

    fn judge_heard(&mut self, index: usize, heard: &Message) {
        match self.stored.get(&(heard.conversation, heard.seq)) {
            None => self.find(Kind::HeardLost, self.tell(index)),
            Some(stored) if *stored == heard => {}
            Some(stored) => self.find(Kind::HeardChanged, format!("{}; it is {stored}", self.tell(index))),
        }
    }

    /// Whatever was known of when a message was first sent has a lower number.
    fn judge_time(&mut self) {
        let history = self.history;
        // By conversation: the highest number known of, and the event by which it was.
        let mut known: HashMap<i64, (i64, usize)> = HashMap::new();
        let mut sent: HashSet<&str> = HashSet::new();
        for (index, Event { what, .. }) in history.events.iter().enumerate() {
            match what {
                What::Acknowledged { conversation, seq, .. } | What::Hears(Message { conversation, seq, .. }) => {
                    let (highest, by) = known.entry(*conversation).or_default();
                    if seq > highest {
                        (*highest, *by) = (*seq, index);
                    }
                }
                What::Sends(Sending { line, conversation, .. }) if sent.insert(line) => {
                    let stored = self.by_line.get(&**line).and_then(|found| found.first());
                    if let (Some(message), Some((highest, by))) = (stored, known.get(conversation))
                        && message.conversation == *conversation
                        && message.seq <= *highest
                    {
                        let told = format!("{}; then {}; yet it is {message}", self.tell(*by), self.tell(index));
                        self.find(Kind::TimeReversed, told);
                    }
                }
                _ => {}
            }
        }
    }

    /// A connection's messages are taken in the order in which they are sent. One that was attempted several times has its
    /// place by any of the attempts; it is at fault where none of them allows it.
    fn judge_senders(&mut self) {
        // By client, connection and conversation: the highest number among what was sent so far.
        let mut sent: HashMap<(usize, u32, i64), i64> = HashMap::new();
        // Of the attempts of a line: the lowest number that it must be above, and one of the events.
        let mut lowest: HashMap<&str, (i64, usize)> = HashMap::new();
        for (index, Event { client, connection, what }) in self.history.events.iter().enumerate() {
            let What::Sends(Sending { attempt, conversation, line, .. }) = what else { continue };
            let highest = sent.entry((*client, *connection, *conversation)).or_default();
            let answer = self.answers.get(&(*client, *attempt));
            if !matches!(answer, Some(What::Refused { is_certain: true, .. })) {
                let (bound, _) = lowest.entry(line).or_insert((*highest, index));
                *bound = (*bound).min(*highest);
            }
            // Whether it was through before the server took what was sent behind it.
            let is_through = match answer {
                Some(What::Acknowledged { .. }) => true,
                Some(_) => false,
                None => !self.history.storage_failed,
            };
            if let Some(message) = self.by_line.get(&**line).and_then(|found| found.first())
                && message.conversation == *conversation
                && is_through
            {
                *highest = message.seq.max(*highest);
            }
        }
        for (line, (bound, index)) in lowest {
            if let Some(message) = self.by_line.get(line).and_then(|found| found.first())
                && message.seq < bound
            {
                let told = format!("{}; it is {message}, and one sent before it {bound}", self.tell(index));
                self.find(Kind::SenderReordered, told);
            }
        }
    }
}

fn is_of(sending: &Sending, message: &Message) -> bool {
    (sending.conversation, sending.author) == (message.conversation, message.author)
}

/// How far one connection has come.
struct Connection {
    places: BTreeMap<i64, Place>,
}

impl Connection {
    fn new(offsets: &BTreeMap<i64, Option<i64>>) -> Self {
        let place = |offset: &Option<i64>| Place { last: *offset, skipped: Vec::new() };
        Self { places: offsets.iter().map(|(conversation, offset)| (*conversation, place(offset))).collect() }
    }
}

/// How far it has come in one conversation.
struct Place {
    /// Not known before the first message, where it did not say from where on it hears.
    last: Option<i64>,
    /// What it did not hear when it should have.
    skipped: Vec<RangeInclusive<i64>>,
}

impl Place {
    /// Hears a message; tells what is wrong with that.
    fn hear(&mut self, seq: i64) -> Option<Kind> {
        match self.last {
            Some(last) if seq <= last => {
                let is_late = self.skipped.iter().any(|skipped| skipped.contains(&seq));
                Some(if is_late { Kind::Reordered } else { Kind::Repeated })
            }
            Some(last) if seq > last + 1 => {
                self.skipped.push(last + 1..=seq - 1);
                self.last = Some(seq);
                Some(Kind::Skipped)
            }
            _ => {
                self.last = Some(seq);
                None
            }
        }
    }

    fn jump(&mut self, after: i64, next: i64) -> Option<Kind> {
        match self.last.replace(next - 1) {
            Some(last) if last != after => Some(Kind::GapMisplaced),
            _ if next <= after => Some(Kind::Rewound),
            _ => None,
        }
    }
}
