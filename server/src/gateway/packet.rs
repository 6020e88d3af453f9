//! The JSON of an event packet (Socket.IO protocol, "packet encoding").

use serde_json::Value;
use socketioxide::handler;

/// The first argument behind the event's name; null where there is none. Further ones mean nothing to us.
///
/// # Errors
/// The packet is not a JSON array.
pub fn first_argument(packet: &handler::Value) -> serde_json::Result<Value> {
    let text: &str = packet.as_str().map_or("[]", |text| text);
    let arguments: Vec<Value> = serde_json::from_str(text)
        .or_else(|error| mend_surrogates(text).ok_or(error).and_then(|mended| serde_json::from_str(&mended)))?;
    Ok(arguments.into_iter().nth(1).unwrap_or_default())
}

/// Replaces halves of surrogate pairs, which JavaScript strings may hold and `JSON.stringify` escapes, by U+FFFD.
/// A client that has cut a text in the middle of an emoji is no reason to lose its message.
fn mend_surrogates(text: &str) -> Option<String> {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    let mut found = false;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let (length, is_half) = match (surrogate(escape), escape.get(6..).and_then(surrogate)) {
            (Some(Half::High), Some(Half::Low)) => (12, false),
            (Some(_), _) => (6, true),
            (None, _) => (escape.char_indices().nth(2).map_or(escape.len(), |(at, _)| at), false),
        };
        found |= is_half;
        mended.push_str(if is_half { "\\ufffd" } else { &escape[..length] });
        rest = &escape[length..];
    }
    mended.push_str(rest);
    found.then_some(mended)
}

enum Half {
    High,
    Low,
}

fn surrogate(escape: &str) -> Option<Half> {
    let code = u16::from_str_radix(escape.strip_prefix("\\u")?.get(..4)?, 16).ok()?;
    match code {
        0xd800..=0xdbff => Some(Half::High),
        0xdc00..=0xdfff => Some(Half::Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use socketioxide::handler;

    fn first(text: &str) -> Option<Value> {
        super::first_argument(&handler::Value::Str(text.to_owned().into(), None)).ok()
    }

    #[test]
    fn the_first_argument_counts_and_may_be_missing() {
        assert_eq!(first(r#"["e",{"a":1},2]"#), Some(json!({ "a": 1 })));
        assert_eq!(first(r#"["e"]"#), Some(Value::Null));
        assert_eq!(first(r#"["e",{"#), None);
    }

    #[test]
    fn half_an_emoji_is_replaced_and_a_whole_one_kept() {
        assert_eq!(first(r#"["e","a\ud83d"]"#), Some(json!("a\u{fffd}")));
        assert_eq!(first(r#"["e","\ude00\ud83d\ude00\\ud83d\n"]"#), Some(json!("\u{fffd}😀\\ud83d\n")));
    }
}
