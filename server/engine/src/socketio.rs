//! All that the engine knows of Socket.IO, whose packets it carries: where generations differ in ways that socketioxide
//! above does not see to.

use engineioxide_core::{ProtocolVersion, Str};

/// Packet types of the Socket.IO protocol.
const CONNECT: u8 = b'0';
const CONNECT_ERROR: u8 = b'4';

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

#[cfg(test)]
mod tests {
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
    fn a_namespace_may_come_with_a_query() {
        assert_eq!(super::from_third(Str::from("0/chat?x=1,")), "0/chat,");
        assert_eq!(super::from_third(Str::from("0/chat?x=1")), "0/chat,");
        assert_eq!(super::from_third(Str::from("0/?x=1")), "0");
        assert_eq!(super::from_third(Str::from("0/chat,")), "0/chat,");
        assert_eq!(super::from_third(Str::from("2/chat?,[\"a\"]")), "2/chat?,[\"a\"]");
    }
}
