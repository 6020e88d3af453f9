//! All that the engine knows of Socket.IO, whose packets it carries: where generations differ in ways that socketioxide
//! above does not see to.

use std::sync::Arc;

use engine_link::{Intake, IntakeFull, Share};
use engineioxide_core::{ProtocolVersion, Str};

/// Packet types of the Socket.IO protocol.
const CONNECT: u8 = b'0';
const CONNECT_ERROR: u8 = b'4';
const BINARY_EVENT: u8 = b'5';
const BINARY_ACK: u8 = b'6';

/// Whether a client of Engine.IO 4 asks to be connected. Its events may be read only once it is: socketioxide connects in
/// a task of its own, and drops what comes before that is through.
pub(crate) fn asks_to_connect(text: &Str, protocol: ProtocolVersion) -> bool {
    protocol == ProtocolVersion::V4 && text.as_bytes().first() == Some(&CONNECT)
}

/// Whether a packet of the server tells the client that it is not connected.
pub(crate) fn refuses_to_connect(text: &Str) -> bool {
    text.as_bytes().first() == Some(&CONNECT_ERROR)
}

/// A packet of the server as clients of Engine.IO 3 read it: the data of an error is a string (Socket.IO protocol 4),
/// where later ones hear of an object with a `message`.
pub(crate) fn for_third(text: Str) -> Str {
    const BEFORE: &str = "{\"message\":";
    if text.as_bytes().first() != Some(&CONNECT_ERROR) {
        return text;
    }
    let message = text.find(BEFORE).and_then(|at| {
        let message = text[at + BEFORE.len()..].strip_suffix('}')?;
        Some(format!("{}{message}", &text[..at]))
    });
    message.map_or(text, Str::from)
}

/// A packet of an Engine.IO 3 client as socketioxide reads it: its CONNECT may carry the query behind the namespace, as in
/// `0/chat?token=x,`.
pub(crate) fn from_third(text: Str) -> Str {
    if text.as_bytes().first() != Some(&CONNECT) {
        return text;
    }
    match text.split_once('?') {
        Some(("0/", _)) => Str::from("0"),
        Some((namespace, _)) => Str::from(format!("{namespace},")),
        None => text,
    }
}

/// How many attachments follow a packet of the client: `51-["event",…]`.
pub(crate) fn count_attachments(text: &Str) -> usize {
    let is_binary = matches!(text.as_bytes().first(), Some(&(BINARY_EVENT | BINARY_ACK)));
    let count = text.split_once('-').filter(|_| is_binary).and_then(|(head, _)| head[1..].parse().ok());
    count.unwrap_or_default()
}

/// The attachments of a packet that have come: socketioxide holds them until the last one has.
pub(crate) struct Attachments {
    missing: usize,
    bytes: usize,
    share: Share,
}

impl Attachments {
    /// What one takes beside its bytes.
    const OVERHEAD: usize = 64;

    pub fn new(intake: &Arc<Intake>) -> Self {
        Self { missing: 0, bytes: 0, share: intake.share() }
    }

    pub fn expect(&mut self, count: usize) {
        self.missing = count;
        self.let_go();
    }

    /// # Errors
    /// See [`Share::hold`].
    pub fn note(&mut self, attachment: &[u8]) -> Result<(), IntakeFull> {
        self.missing = self.missing.saturating_sub(1);
        if self.missing == 0 {
            self.let_go();
            return Ok(());
        }
        self.bytes += attachment.len() + Self::OVERHEAD;
        self.share.hold(self.bytes)
    }

    fn let_go(&mut self) {
        if self.bytes > 0 {
            self.bytes = 0;
            // Holding nothing is always granted.
            self.share.hold(0).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use engine_link::Intake;
    use engineioxide_core::Str;

    #[test]
    fn an_unknown_namespace_is_refused_by_a_string() {
        let refusal = super::for_third(Str::from("4/other,{\"message\":\"Invalid namespace\"}"));
        assert_eq!(refusal, "4/other,\"Invalid namespace\"");
        for other in ["2[\"{\\\"message\\\":\"]", "0", "4/other,\"as it is\""] {
            assert_eq!(super::for_third(Str::from(other)), other);
        }
    }

    #[test]
    fn attachments_are_counted_until_the_last_is_there() {
        for (packet, count) in
            [("52-[\"a\"]", 2), ("6103-/chat,7[]", 103), ("2[\"5-\"]", 0), ("5x-[]", 0), ("5", 0), ("", 0)]
        {
            assert_eq!(super::count_attachments(&Str::from(packet)), count, "{packet}");
        }
        let intake = Intake::new(100_000);
        let (mut one, mut other) = (super::Attachments::new(&intake), super::Attachments::new(&intake));
        one.expect(3);
        assert!(one.note(&vec![0; 60_000]).is_ok());
        other.expect(2);
        assert!(other.note(&vec![0; 60_000]).is_err());
        other.expect(0);
        assert!(one.note(&vec![0; 30_000]).is_ok());
        assert!(one.note(&vec![0; 60_000]).is_ok(), "the last is not held");
        other.expect(2);
        assert!(other.note(&vec![0; 60_000]).is_ok());
    }

    #[test]
    fn a_namespace_may_come_with_a_query() {
        assert_eq!(super::from_third(Str::from("0/chat?x=1,")), "0/chat,");
        assert_eq!(super::from_third(Str::from("0/chat?x=1")), "0/chat,");
        assert_eq!(super::from_third(Str::from("0/?x=1")), "0");
        assert_eq!(super::from_third(Str::from("0/chat,")), "0/chat,");
        assert_eq!(super::from_third(Str::from("2/chat?,[\"a\"]")), "2/chat?,[\"a\"]");
    }
}
