//! E-mail addresses, by the rules of Django's `EmailValidator`.

use std::sync::LazyLock;

use regex::Regex;

/// An address as its owner gave it. Two that differ only in case are the same address.
#[derive(Clone, Debug)]
pub struct Email(String);

/// RFC 5321, section 4.5.3.1.3, less the angle brackets.
pub const MAX_CHARACTERS: usize = 254;

pub const MALFORMED: &str = "Enter a valid email address.";

static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    let atom = r"[0-9A-Za-z!#$%&'*+/=?^_`{|}~-]+";
    // Printable ASCII but for the quote, the backslash and the space; those may follow a backslash.
    let quoted = r#""(?:[!#-\[\]-~]|\\[ -~])*""#;
    let label = r"[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?";
    let literal = r"\[(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f:.]+)\]";
    let pattern = format!(r"\A(?:{atom}(?:\.{atom})*|{quoted})@(?:(?:{label}\.)+{label}|localhost|{literal})\z");
    #[expect(clippy::unwrap_used, reason = "the pattern is a constant, which a test compiles")]
    Regex::new(&pattern).unwrap()
});

impl Email {
    /// # Errors
    /// The text is no e-mail address.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if ADDRESS.is_match(text) { Ok(Self(text.to_owned())) } else { Err(MALFORMED) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is unique among users.
    pub fn key(&self) -> String {
        key_of(&self.0)
    }
}

/// The unique form of any text that might be an address.
pub fn key_of(text: &str) -> String {
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_other_texts() {
        for good in
            ["a@ref.example", "A.b+c@sub.x-y.example", "a@localhost", "\"a b\"@x.example".replace(' ', "\\ ").as_str()]
        {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "a@",
            "@x.example",
            "a@b",
            "a b@x.example",
            "a@x..example",
            "a@-x.example",
            ".a@x.example",
            "a@x.example\0",
        ] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
    }
}
