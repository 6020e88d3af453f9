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
fn count_attachments(packet: &str) -> usize {
    let is_binary = matches!(packet.as_bytes().first(), Some(&(BINARY_EVENT | BINARY_ACK)));
    let count = packet.split_once('-').filter(|_| is_binary).and_then(|(head, _)| head[1..].parse().ok());
    count.unwrap_or_default()
}

/// A packet and those of its attachments that have come: socketioxide holds them until the last one has.
pub(crate) struct Attachments {
    missing: usize,
    share: Share,
}

impl Attachments {
    /// What each takes beside its bytes.
    const OVERHEAD: usize = 64;

    pub fn new(intake: &Arc<Intake>) -> Self {
        Self { missing: 0, share: intake.share() }
    }

    /// Whether attachments follow this packet. One that comes before they are all there spoils them, and socketioxide
    /// closes the connection: until then they are held.
    ///
    /// # Errors
    /// See [`Share::hold`].
    pub fn expect(&mut self, packet: &str) -> Result<bool, IntakeFull> {
        if self.missing > 0 {
            return Ok(false);
        }
        self.missing = count_attachments(packet);
        if self.missing > 0 {
            self.share.hold(packet.len() + Self::OVERHEAD)?;
        }
        Ok(self.missing > 0)
    }

    /// An attachment has come.
    ///
    /// # Errors
    /// See [`Share::hold`].
    pub fn note(&mut self, attachment: &[u8]) -> Result<(), IntakeFull> {
        if self.missing == 0 {
            return Ok(());
        }
        self.missing -= 1;
        self.share.hold_more(attachment.len() + Self::OVERHEAD)
    }

    /// What has come has been handed on: with the last attachment all of it is let go.
    pub fn settle(&mut self) {
        if self.missing == 0 {
            self.share.let_go(usize::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use engine_link::Intake;
    use engineioxide_core::Str;

    use super::Attachments;

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
            assert_eq!(super::count_attachments(packet), count, "{packet}");
        }
        let intake = Intake::new(100_000);
        let (mut one, mut other) = (Attachments::new(&intake), Attachments::new(&intake));
        let attachments = |count: usize, bytes: usize| format!("5{count}-{}", "x".repeat(bytes));
        assert_eq!(one.expect("2[]"), Ok(false));
        assert!(one.note(&vec![0; 200_000]).is_ok(), "nobody waits for it");
        assert_eq!(one.expect(&attachments(2, 10)), Ok(true));
        assert!(one.note(&vec![0; 60_000]).is_ok());
        assert_eq!(other.expect(&attachments(2, 10)), Ok(true));
        assert!(other.note(&vec![0; 60_000]).is_err());
        drop(other);
        let before = intake.held();
        assert_eq!(one.expect("2[]"), Ok(false));
        one.settle();
        assert_eq!(intake.held(), before, "what is spoilt is held until the connection has gone");
        assert!(one.note(&vec![0; 30_000]).is_ok());
        let mut other = Attachments::new(&intake);
        assert!(other.expect(&attachments(1, 60_000)).is_err(), "the packet counts, too");
        drop(other);
        one.settle();
        assert_eq!(intake.held(), 0);
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
