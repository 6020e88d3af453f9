//! A true history has no fault, and every fault that is planted into one is found.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use faults::history::{Event, History, Message, Sending, What};
use faults::verdict::{Kind, judge};
use proptest::collection::vec;
use proptest::prelude::*;

const CLIENTS: usize = 3;
const CONVERSATIONS: i64 = 2;

/// What may happen next.
#[derive(Clone, Debug)]
enum Step {
    /// A message is sent, stored and acknowledged.
    Post {
        client: usize,
        conversation: i64,
    },
    /// A message is sent and stored, and the connection breaks before it is acknowledged; then it is sent again.
    Repeat {
        client: usize,
        conversation: i64,
    },
    /// A message is sent, and the connection breaks before it is stored.
    Lose {
        client: usize,
        conversation: i64,
    },
    Refuse {
        client: usize,
        conversation: i64,
    },
    /// Everything that there is to hear is heard.
    Hear {
        client: usize,
    },
    ComeBack {
        client: usize,
    },
    /// The client comes back, and is told of a gap in place of what it has missed but the last.
    ComeBackLate {
        client: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..CLIENTS;
    let conversation = 1..=CONVERSATIONS;
    prop_oneof![
        6 => (client.clone(), conversation.clone()).prop_map(|(client, conversation)| Step::Post { client, conversation }),
        1 => (client.clone(), conversation.clone()).prop_map(|(client, conversation)| Step::Repeat { client, conversation }),
        1 => (client.clone(), conversation.clone()).prop_map(|(client, conversation)| Step::Lose { client, conversation }),
        1 => (client.clone(), conversation).prop_map(|(client, conversation)| Step::Refuse { client, conversation }),
        3 => client.clone().prop_map(|client| Step::Hear { client }),
        1 => client.clone().prop_map(|client| Step::ComeBack { client }),
        1 => client.prop_map(|client| Step::ComeBackLate { client }),
    ]
}

/// A server without fault, and its clients.
struct World {
    history: History,
    lanes: BTreeMap<i64, Vec<Message>>,
    clients: Vec<Client>,
    lines: u64,
}

#[derive(Clone, Default)]
struct Client {
    connection: u32,
    attempts: u64,
    places: BTreeMap<i64, i64>,
}

impl World {
    fn new() -> Self {
        let places: BTreeMap<_, _> = (1..=CONVERSATIONS).map(|conversation| (conversation, 0)).collect();
        let lanes = (1..=CONVERSATIONS).map(|conversation| (conversation, Vec::new())).collect();
        let clients = vec![Client { places, ..Client::default() }; CLIENTS];
        let mut world = Self { history: History { replayed: 1, ..History::default() }, lanes, clients, lines: 0 };
        (0..CLIENTS).for_each(|client| world.begin(client));
        world
    }

    fn put_down(&mut self, client: usize, what: What) {
        let connection = self.clients[client].connection;
        self.history.events.push(Event { client, connection, what });
    }

    fn begin(&mut self, client: usize) {
        self.clients[client].connection += 1;
        let offsets = self.clients[client].places.iter().map(|(conversation, last)| (*conversation, Some(*last)));
        let offsets = offsets.collect();
        self.put_down(client, What::Begins { offsets });
    }

    fn come_back(&mut self, client: usize) {
        self.put_down(client, What::Ends);
        self.begin(client);
    }

    fn sending(&mut self, client: usize, conversation: i64) -> Sending {
        self.lines += 1;
        let line = format!("line {}", self.lines);
        let author = i64::try_from(client).unwrap();
        Sending { attempt: 0, conversation, name: Some(line.clone()), author, line: line.into() }
    }

    /// Returns the number of the attempt.
    fn send(&mut self, client: usize, sending: &Sending) -> u64 {
        self.clients[client].attempts += 1;
        let attempt = self.clients[client].attempts;
        self.put_down(client, What::Sends(Sending { attempt, ..sending.clone() }));
        attempt
    }

    /// Returns the number of the message.
    fn store(&mut self, sending: &Sending) -> i64 {
        let Sending { conversation, author, line, .. } = sending.clone();
        let lane = self.lanes.get_mut(&conversation).unwrap();
        let seq = i64::try_from(lane.len()).unwrap() + 1;
        lane.push(Message { conversation, seq, author, line });
        seq
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Post { client, conversation } => {
                let sending = self.sending(client, conversation);
                let attempt = self.send(client, &sending);
                let seq = self.store(&sending);
                self.put_down(client, What::Acknowledged { attempt, conversation, seq });
            }
            Step::Repeat { client, conversation } => {
                let sending = self.sending(client, conversation);
                self.send(client, &sending);
                let seq = self.store(&sending);
                self.come_back(client);
                let attempt = self.send(client, &sending);
                self.put_down(client, What::Acknowledged { attempt, conversation, seq });
            }
            Step::Lose { client, conversation } => {
                let sending = self.sending(client, conversation);
                self.send(client, &sending);
                self.come_back(client);
            }
            Step::Refuse { client, conversation } => {
                let sending = self.sending(client, conversation);
                let attempt = self.send(client, &sending);
                self.put_down(client, What::Refused { attempt, is_certain: true });
            }
            Step::Hear { client } => self.hear(client),
            Step::ComeBack { client } => self.come_back(client),
            Step::ComeBackLate { client } => self.come_back_late(client),
        }
    }

    fn hear(&mut self, client: usize) {
        for conversation in 1..=CONVERSATIONS {
            let last = self.clients[client].places[&conversation];
            let missed = self.lanes[&conversation][usize::try_from(last).unwrap()..].to_vec();
            for message in missed {
                self.clients[client].places.insert(conversation, message.seq);
                self.put_down(client, What::Hears(message));
            }
        }
    }

    fn come_back_late(&mut self, client: usize) {
        self.come_back(client);
        for conversation in 1..=CONVERSATIONS {
            let after = self.clients[client].places[&conversation];
            let next = i64::try_from(self.lanes[&conversation].len()).unwrap();
            if next > after + 1 {
                self.clients[client].places.insert(conversation, next - 1);
                self.put_down(client, What::ToldGap { conversation, after, next });
            }
        }
    }

    fn end(mut self) -> History {
        (0..CLIENTS).for_each(|client| self.hear(client));
        self.history.stored = self.lanes.into_values().flatten().collect();
        self.history
    }
}

fn history_of(steps: &[Step]) -> History {
    let mut world = World::new();
    for step in steps {
        world.take(step);
    }
    world.end()
}

/// A history in which everything happens, and everybody hears much.
fn eventful() -> History {
    let round = |conversation| {
        [
            Step::Post { client: 0, conversation },
            Step::Post { client: 0, conversation },
            Step::Post { client: 1, conversation },
            Step::Refuse { client: 1, conversation },
            Step::Hear { client: 0 },
            Step::Hear { client: 2 },
            Step::ComeBack { client: 2 },
            Step::Repeat { client: 2, conversation },
            Step::Lose { client: 0, conversation },
            Step::Hear { client: 2 },
        ]
    };
    let late = [Step::ComeBackLate { client: 1 }];
    history_of(&[&round(1)[..], &round(2), &round(1), &round(2), &late].concat())
}

#[derive(Clone, Copy, Debug)]
enum Plant {
    LoseAcknowledged,
    LoseHeard,
    RepeatDelivery,
    RepeatAfterReturn,
    SwapDeliveries,
    SkipSilently,
    StopHearing,
    ChangeText,
    StoreRefused,
    StoreTwice,
    StoreUnderOneName,
    LeaveHole,
    AcknowledgeAnother,
    HearForeign,
    StoreForeign,
    MisplaceGap,
    WidenGap,
    Misbehave,
    TellRewind,
    SwapSenders,
    ReverseTime,
}

use Plant::{
    AcknowledgeAnother, ChangeText, HearForeign, LeaveHole, LoseAcknowledged, LoseHeard, Misbehave, MisplaceGap,
    RepeatAfterReturn, RepeatDelivery, ReverseTime, SkipSilently, StopHearing, StoreForeign, StoreRefused, StoreTwice,
    StoreUnderOneName, SwapDeliveries, SwapSenders, TellRewind, WidenGap,
};

const ALL: [Plant; 21] = [
    LoseAcknowledged,
    LoseHeard,
    RepeatDelivery,
    RepeatAfterReturn,
    SwapDeliveries,
    SkipSilently,
    StopHearing,
    ChangeText,
    StoreRefused,
    StoreTwice,
    StoreUnderOneName,
    LeaveHole,
    AcknowledgeAnother,
    HearForeign,
    StoreForeign,
    MisplaceGap,
    WidenGap,
    Misbehave,
    TellRewind,
    SwapSenders,
    ReverseTime,
];

impl Plant {
    /// What the fault must be found as.
    fn kind(self) -> Kind {
        match self {
            LoseAcknowledged => Kind::AcknowledgedLost,
            LoseHeard => Kind::HeardLost,
            RepeatDelivery | RepeatAfterReturn => Kind::Repeated,
            SwapDeliveries => Kind::Reordered,
            SkipSilently => Kind::Skipped,
            StopHearing => Kind::Unheard,
            ChangeText => Kind::HeardChanged,
            StoreRefused => Kind::RefusedStored,
            StoreTwice | StoreUnderOneName => Kind::StoredTwice,
            LeaveHole => Kind::Misnumbered,
            AcknowledgeAnother => Kind::AcknowledgedWrongly,
            HearForeign | StoreForeign => Kind::Foreign,
            MisplaceGap => Kind::GapMisplaced,
            WidenGap => Kind::GapTooWide,
            Misbehave => Kind::Misbehaved,
            TellRewind => Kind::Rewound,
            SwapSenders => Kind::SenderReordered,
            ReverseTime => Kind::TimeReversed,
        }
    }

    /// Plants the fault where `pick` says; false where there is no place for it.
    fn plant(self, history: &mut History, pick: usize) -> bool {
        match self {
            LoseAcknowledged => lose(history, pick, is_acknowledged),
            LoseHeard => lose(history, pick, is_heard),
            RepeatDelivery => at(history, pick, heard, |history, index| {
                history.events.insert(index + 1, history.events[index].clone());
            }),
            RepeatAfterReturn => at(history, pick, heard_anew, repeat_after_return),
            SwapDeliveries => at(history, pick, heard_before_another, |history, index| {
                let next = next_heard(history, index).unwrap();
                history.events.swap(index, next);
            }),
            SkipSilently => at(history, pick, heard_before_another, |history, index| {
                history.events.remove(index);
            }),
            StopHearing => at(history, pick, heard_last, |history, index| {
                history.events.remove(index);
            }),
            ChangeText => at(history, pick, heard, |history, index| {
                let What::Hears(message) = &mut history.events[index].what else { return };
                message.line = format!("{}!", message.line).into();
            }),
            StoreRefused => at(history, pick, refused, |history, index| {
                let What::Sends(sending) = history.events[index].what.clone() else { return };
                append(history, &sending);
            }),
            StoreTwice => at(history, pick, stored_sending, |history, index| {
                let What::Sends(sending) = history.events[index].what.clone() else { return };
                append(history, &sending);
            }),
            StoreUnderOneName => at(history, pick, stored_sending, |history, index| {
                let mut again = history.events[index].clone();
                let What::Sends(sending) = &mut again.what else { return };
                sending.attempt = u64::MAX;
                sending.line = "another".into();
                let sending = sending.clone();
                history.events.insert(index + 1, again);
                append(history, &sending);
            }),
            LeaveHole => {
                let before = history.stored.len();
                if before < 2 {
                    return false;
                }
                let removed = history.stored.remove(pick % before);
                history
                    .stored
                    .iter()
                    .any(|message| message.conversation == removed.conversation && message.seq > removed.seq)
            }
            AcknowledgeAnother => at(history, pick, acknowledged, |history, index| {
                let What::Acknowledged { seq, .. } = &mut history.events[index].what else { return };
                *seq += 1;
            }),
            HearForeign => at(history, pick, heard, |history, index| {
                let What::Hears(message) = &mut history.events[index].what else { return };
                message.conversation = CONVERSATIONS + 1;
            }),
            StoreForeign => {
                let conversation = 1;
                let count = history.stored.iter().filter(|message| message.conversation == conversation).count();
                let seq = i64::try_from(count).unwrap() + 1;
                history.stored.push(Message { conversation, seq, author: 0, line: "never sent".into() });
                true
            }
            MisplaceGap => at(history, pick, gap, |history, index| {
                let What::ToldGap { after, .. } = &mut history.events[index].what else { return };
                *after += 1;
            }),
            // Told of the last message, too, which is not heard then.
            WidenGap => at(history, pick, gap_before_the_last, |history, index| {
                let heard = next_heard(history, index).unwrap();
                history.events.remove(heard);
                let What::ToldGap { next, .. } = &mut history.events[index].what else { return };
                *next += 1;
            }),
            Misbehave => at(history, pick, heard, |history, index| {
                history.events[index].what = What::Wonders("as planned");
            }),
            TellRewind => at(history, pick, gap, |history, index| {
                let What::ToldGap { after, next, .. } = &mut history.events[index].what else { return };
                *next = *after;
            }),
            SwapSenders => at(history, pick, sent_before_another, |history, index| {
                let (first, second) = (line_of(history, index), line_of(history, next_sent(history, index).unwrap()));
                // Both were under way at once, so that nothing else is wrong.
                let next = next_sent(history, index).unwrap();
                let sends = history.events.remove(next);
                history.events.insert(index + 1, sends);
                exchange(history, &first, &second);
            }),
            ReverseTime => at(history, pick, sent_before_another, |history, index| {
                let (first, second) = (line_of(history, index), line_of(history, next_sent(history, index).unwrap()));
                exchange(history, &first, &second);
            }),
        }
    }
}

/// Lets a client hear again on its last connection what it has heard before.
fn repeat_after_return(history: &mut History, index: usize) {
    let Event { client, connection, ref what } = history.events[index];
    let what = what.clone();
    let is_return = |event: &Event| {
        event.client == client && event.connection > connection && matches!(event.what, What::Begins { .. })
    };
    let begins = history.events.iter().rposition(is_return).unwrap();
    let connection = history.events[begins].connection;
    history.events.insert(begins + 1, Event { client, connection, what });
}

/// Plants at one of the events that are `suited`.
fn at(
    history: &mut History,
    pick: usize,
    suited: impl Fn(&History, usize) -> bool,
    plant: impl FnOnce(&mut History, usize),
) -> bool {
    let places: Vec<_> = (0..history.events.len()).filter(|index| suited(history, *index)).collect();
    if places.is_empty() {
        return false;
    }
    plant(history, places[pick % places.len()]);
    true
}

/// Removes one of the messages that are `suited` from what is stored, and counts on.
fn lose(history: &mut History, pick: usize, suited: impl Fn(&History, &str) -> bool) -> bool {
    let stored = &history.stored;
    let places: Vec<_> = (0..stored.len()).filter(|index| suited(history, &stored[*index].line)).collect();
    if places.is_empty() {
        return false;
    }
    let lost = history.stored.remove(places[pick % places.len()]);
    // The last of its conversation, so that all others stay what they were.
    let count = history.stored.iter().filter(|message| message.conversation == lost.conversation).count();
    i64::try_from(count).unwrap() + 1 == lost.seq
}

fn append(history: &mut History, sending: &Sending) {
    let Sending { conversation, author, line, .. } = sending.clone();
    let seq = history.stored.iter().filter(|message| message.conversation == conversation).count();
    let place = history.stored.iter().rposition(|message| message.conversation <= conversation);
    let seq = i64::try_from(seq).unwrap() + 1;
    history.stored.insert(place.map_or(0, |place| place + 1), Message { conversation, seq, author, line });
}

/// Lets two messages of one author have each other's numbers, wherever they are told.
fn exchange(history: &mut History, first: &str, second: &str) {
    let place = |history: &History, line: &str| {
        let found = history.stored.iter().find(|message| *message.line == *line).unwrap();
        (found.conversation, found.seq)
    };
    let places = (place(history, first), place(history, second));
    let rename = |message: &mut Message| {
        if *message.line == *first {
            message.line = second.into();
        } else if *message.line == *second {
            message.line = first.into();
        }
    };
    history.stored.iter_mut().for_each(rename);
    for event in &mut history.events {
        match &mut event.what {
            What::Hears(message) => rename(message),
            What::Acknowledged { conversation, seq, .. } if (*conversation, *seq) == places.0 => *seq = places.1.1,
            What::Acknowledged { conversation, seq, .. } if (*conversation, *seq) == places.1 => *seq = places.0.1,
            _ => {}
        }
    }
}

fn line_of(history: &History, index: usize) -> String {
    let What::Sends(sending) = &history.events[index].what else { return String::new() };
    sending.line.to_string()
}

fn is_acknowledged(history: &History, line: &str) -> bool {
    history
        .events
        .iter()
        .enumerate()
        .any(|(index, _)| acknowledged(history, index) && answered_line(history, index) == line)
}

fn answered_line(history: &History, index: usize) -> String {
    let Event { client, what: What::Acknowledged { attempt: answered, .. }, .. } = &history.events[index] else {
        return String::new();
    };
    let sent = history.events.iter().position(|event| {
        event.client == *client && matches!(&event.what, What::Sends(Sending { attempt, .. }) if attempt == answered)
    });
    line_of(history, sent.unwrap())
}

fn is_heard(history: &History, line: &str) -> bool {
    history.events.iter().any(|event| matches!(&event.what, What::Hears(message) if *message.line == *line))
}

fn heard(history: &History, index: usize) -> bool {
    matches!(history.events[index].what, What::Hears(_))
}

fn acknowledged(history: &History, index: usize) -> bool {
    matches!(history.events[index].what, What::Acknowledged { .. })
}

fn gap(history: &History, index: usize) -> bool {
    matches!(history.events[index].what, What::ToldGap { .. })
}

/// Heard on a connection that was not the client's last.
fn heard_anew(history: &History, index: usize) -> bool {
    let Event { client, connection, .. } = history.events[index];
    let last = history.events.iter().filter(|event| event.client == client).map(|event| event.connection).max();
    heard(history, index) && last.is_some_and(|last| connection < last)
}

/// What the same connection hears next in the same conversation, behind a message or a gap.
fn next_heard(history: &History, index: usize) -> Option<usize> {
    let Event { client, connection, what } = &history.events[index];
    let (What::Hears(Message { conversation, .. }) | What::ToldGap { conversation, .. }) = what else { return None };
    (index + 1..history.events.len()).find(|index| {
        let event = &history.events[*index];
        let is_next = matches!(&event.what, What::Hears(next) if next.conversation == *conversation);
        is_next && event.client == *client && event.connection == *connection
    })
}

fn heard_before_another(history: &History, index: usize) -> bool {
    heard(history, index) && next_heard(history, index).is_some()
}

/// A gap behind which only the last message is heard.
fn gap_before_the_last(history: &History, index: usize) -> bool {
    gap(history, index) && next_heard(history, index).is_some_and(|next| heard_last(history, next))
}

fn heard_last(history: &History, index: usize) -> bool {
    let What::Hears(message) = &history.events[index].what else { return false };
    let is_last = |stored: &Message| stored.conversation != message.conversation || stored.seq <= message.seq;
    let Event { client, connection, .. } = history.events[index];
    let last = history.events.iter().filter(|event| event.client == client).map(|event| event.connection).max();
    history.stored.iter().all(is_last) && last == Some(connection)
}

fn refused(history: &History, index: usize) -> bool {
    let Event { client, what: What::Sends(Sending { attempt: sent, .. }), .. } = &history.events[index] else {
        return false;
    };
    history
        .events
        .iter()
        .any(|event| event.client == *client && matches!(&event.what, What::Refused { attempt, .. } if attempt == sent))
}

fn stored_sending(history: &History, index: usize) -> bool {
    let line = line_of(history, index);
    history.stored.iter().any(|message| *message.line == *line)
}

/// What the same connection sends next to the same conversation, where both were sent once and stored.
fn next_sent(history: &History, index: usize) -> Option<usize> {
    let Event { client, connection, what: What::Sends(sending) } = &history.events[index] else { return None };
    let attempts = |line: &str| (0..history.events.len()).filter(|index| line_of(history, *index) == line).count();
    let next = (index + 1..history.events.len()).find(|index| {
        let event = &history.events[*index];
        let is_next = matches!(&event.what, What::Sends(next) if next.conversation == sending.conversation);
        is_next && event.client == *client && event.connection == *connection
    })?;
    let is_plain = |index| stored_sending(history, index) && attempts(&line_of(history, index)) == 1;
    (is_plain(index) && is_plain(next)).then_some(next)
}

fn sent_before_another(history: &History, index: usize) -> bool {
    next_sent(history, index).is_some()
}

fn kinds(history: &History) -> Vec<Kind> {
    judge(history).into_iter().map(|fault| fault.kind).collect()
}

/// Wherever it is planted.
fn is_found(plant: Plant) {
    let mut planted = 0;
    for place in 0..50_usize {
        let mut history = eventful();
        if plant.plant(&mut history, place) {
            planted += 1;
            assert!(kinds(&history).contains(&plant.kind()), "{plant:?}: {:#?}", judge(&history));
        }
    }
    assert_ne!(planted, 0, "{plant:?} has no place");
}

#[test]
fn a_true_history_has_no_fault() {
    assert_eq!(kinds(&eventful()), []);
}

#[test]
fn a_lost_message_that_was_acknowledged_is_found() {
    is_found(LoseAcknowledged);
}

#[test]
fn a_gap_in_place_of_messages_that_are_owed_is_found() {
    is_found(WidenGap);
}

#[test]
fn what_a_server_never_may_do_is_found() {
    is_found(Misbehave);
}

#[test]
fn a_lost_message_that_was_heard_is_found() {
    is_found(LoseHeard);
}

#[test]
fn a_delivery_that_is_repeated_is_found() {
    is_found(RepeatDelivery);
}

#[test]
fn a_delivery_that_is_repeated_after_a_return_is_found() {
    is_found(RepeatAfterReturn);
}

#[test]
fn deliveries_in_the_wrong_order_is_found() {
    is_found(SwapDeliveries);
}

#[test]
fn a_delivery_that_is_skipped_silently_is_found() {
    is_found(SkipSilently);
}

#[test]
fn a_client_that_does_not_hear_the_last_message_is_found() {
    is_found(StopHearing);
}

#[test]
fn a_changed_text_is_found() {
    is_found(ChangeText);
}

#[test]
fn a_refused_message_that_is_stored_is_found() {
    is_found(StoreRefused);
}

#[test]
fn a_message_that_is_stored_twice_is_found() {
    is_found(StoreTwice);
}

#[test]
fn two_messages_under_one_name_is_found() {
    is_found(StoreUnderOneName);
}

#[test]
fn a_hole_in_the_numbers_is_found() {
    is_found(LeaveHole);
}

#[test]
fn an_ack_with_the_number_of_another_is_found() {
    is_found(AcknowledgeAnother);
}

#[test]
fn a_message_heard_in_a_foreign_conversation_is_found() {
    is_found(HearForeign);
}

#[test]
fn a_stored_message_that_nobody_has_sent_is_found() {
    is_found(StoreForeign);
}

#[test]
fn a_gap_that_does_not_begin_where_the_client_stands_is_found() {
    is_found(MisplaceGap);
}

#[test]
fn a_server_that_knows_less_than_its_clients_is_found() {
    is_found(TellRewind);
}

#[test]
fn messages_of_a_sender_in_the_wrong_order_is_found() {
    is_found(SwapSenders);
}

#[test]
fn a_message_numbered_before_one_that_was_there_already_is_found() {
    is_found(ReverseTime);
}

proptest! {
    #[test]
    fn no_true_history_has_a_fault(steps in vec(step(), 0..120)) {
        prop_assert_eq!(kinds(&history_of(&steps)), []);
    }

    #[test]
    fn a_fault_in_any_history_is_found(
        steps in vec(step(), 20..120),
        plant in proptest::sample::select(&ALL),
        pick: usize,
    ) {
        let mut history = history_of(&steps);
        if plant.plant(&mut history, pick) {
            prop_assert!(kinds(&history).contains(&plant.kind()), "{:?}: {:#?}", plant, judge(&history));
        }
    }
}
