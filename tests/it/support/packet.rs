//! Packets as their senders write them, for bursts.

use serde_json::json;

pub fn authentication(token: &str) -> String {
    format!("42{}", json!(["authentication", { "token": token }]))
}

/// Events whose payload is deeper than anybody reads.
pub fn deep(event: &str) -> [String; 3] {
    let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
    [format!("{open}{close}"), format!(r#"{{"message":{open}{close}}}"#), open]
        .map(|payload| format!(r#"42["{event}",{payload}]"#))
}

pub fn message(text: &str) -> String {
    format!("42{}", json!(["client-sent-message", { "message": text }]))
}
