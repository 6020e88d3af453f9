//! Polling by script tags and forms, for pages that may not do otherwise across origins (Engine.IO protocol, "JSONP").

use std::fmt::Write as _;

use crate::packet::ParseError;

/// A payload as the call of a function that a page has registered under `index` (the query's `j`).
///
/// The literal is JSON and JavaScript alike, whatever the engine's age: U+2028 and U+2029 end a line in older
/// scripts. Nor can it end or comment out a script element that it is put into.
pub fn wrap(index: u64, payload: &str) -> String {
    let mut script = format!("___eio[{index}](\"");
    // JSON, of which payloads are full, has a quotation mark to escape every few characters.
    script.reserve(payload.len() + payload.len() / 4);
    for character in payload.chars() {
        match character {
            '"' => script.push_str("\\\""),
            '\\' => script.push_str("\\\\"),
            '\n' => script.push_str("\\n"),
            '\r' => script.push_str("\\r"),
            '\t' => script.push_str("\\t"),
            '\0'..='\u{1f}' | '<' | '\u{2028}' | '\u{2029}' => push_escape(&mut script, character),
            _ => script.push(character),
        }
    }
    script.push_str("\");");
    script
}

/// Appends `\uXXXX`, twice for a character beyond the Basic Multilingual Plane (RFC 8259, section 7).
pub(crate) fn push_escape(json: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        // Writing to a string does not fail.
        write!(json, "\\u{unit:04x}").unwrap_or_default();
    }
}

/// The payload that a form posts in its field `d`.
///
/// Browsers send a line feed in a form as two characters, CR and LF. Clients therefore write it as `\n`, a backslash
/// and a letter; what already reads `\n` in the payload (JSON has it so) gets another backslash: with `k` of them in
/// front of an `n`, there are `k + 1` in the form. This is undone here.
pub fn unwrap(form_body: &[u8]) -> Result<String, ParseError> {
    let mut fields = form_body.split(|byte| *byte == b'&');
    let encoded = fields.find_map(|field| field.strip_prefix(b"d=")).ok_or(ParseError::Form)?;
    let text = String::from_utf8(percent_decode(encoded)?).map_err(|_| ParseError::NotUtf8)?;
    Ok(if text.contains("\\n") { unescape_line_feeds(&text) } else { text })
}

/// Undoes the encoding of a form's values (WHATWG URL, section 5.1), but for a lone `%`, which no form has.
fn percent_decode(encoded: &[u8]) -> Result<Vec<u8>, ParseError> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'+' => decoded.push(b' '),
            b'%' => {
                let [high, low, after @ ..] = after else { return Err(ParseError::Form) };
                decoded.push(hex(*high)? << 4 | hex(*low)?);
                rest = after;
            }
            byte => decoded.push(*byte),
        }
    }
    Ok(decoded)
}

fn hex(digit: u8) -> Result<u8, ParseError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(ParseError::Form),
    }
}

fn unescape_line_feeds(text: &str) -> String {
    let mut payload = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\n") {
        let before = &rest[..at];
        payload.push_str(before);
        payload.push(if before.ends_with('\\') { 'n' } else { '\n' });
        rest = &rest[at + 2..];
    }
    payload.push_str(rest);
    payload
}

#[cfg(test)]
mod tests {
    use super::{ParseError, unwrap, wrap};

    #[test]
    fn a_payload_becomes_a_call() {
        assert_eq!(wrap(0, "2:40"), r#"___eio[0]("2:40");"#);
        assert_eq!(wrap(7, r#"4["é\n",1]"#), r#"___eio[7]("4[\"é\\n\",1]");"#);
    }

    #[test]
    fn a_script_element_is_safe_from_a_payload() {
        assert_eq!(wrap(0, "</script><!--"), r#"___eio[0]("\u003c/script>\u003c!--");"#);
        assert_eq!(wrap(0, "\u{2028}\u{2029}\u{1e}\n\t\0"), r#"___eio[0]("\u2028\u2029\u001e\n\t\u0000");"#);
    }

    #[test]
    fn a_form_becomes_a_payload() {
        assert_eq!(unwrap(b"d=2%3A40").unwrap(), "2:40");
        assert_eq!(unwrap(b"a=b&d=4%c3%A9+%2B&d=x").unwrap(), "4é +");
        assert_eq!(unwrap(b"d="), Ok(String::new()));
    }

    #[test]
    fn what_is_no_form_is_told() {
        assert_eq!(unwrap(b""), Err(ParseError::Form));
        assert_eq!(unwrap(b"2:40"), Err(ParseError::Form));
        assert_eq!(unwrap(b"d=%4"), Err(ParseError::Form));
        assert_eq!(unwrap(b"d=%4g"), Err(ParseError::Form));
        assert_eq!(unwrap(b"d=%ff"), Err(ParseError::NotUtf8));
    }

    #[test]
    fn line_feeds_are_told_from_those_that_were_escaped() {
        assert_eq!(unwrap(br"d=a\nb").unwrap(), "a\nb");
        assert_eq!(unwrap(br"d=a\\nb").unwrap(), r"a\nb");
        assert_eq!(unwrap(br"d=a\\\nb\t").unwrap(), r"a\\nb\t");
        assert_eq!(unwrap(br"d=\n\n\\n").unwrap(), "\n\n\\n");
    }
}
