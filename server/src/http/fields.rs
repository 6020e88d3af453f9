//! Checks of single fields, with the messages of Django REST framework's serializers.

use serde_json::{Map, Value};

use crate::accounts::Email;
use crate::accounts::email::{MALFORMED, MAX_CHARACTERS};
use crate::error::{Error, Invalid, Result};

/// Reads fields one by one, and remembers what is wrong with them.
pub struct Fields<'a> {
    data: &'a Map<String, Value>,
    invalid: Invalid,
}

/// What a text may be.
#[derive(Clone, Copy)]
pub struct Text {
    pub max_characters: usize,
    pub may_be_blank: bool,
    /// Whether null says the same as leaving it out.
    pub may_be_null: bool,
    /// Whether the blanks around it are part of it.
    pub keeps_blanks: bool,
    /// Said of a value that has no text, such as a list.
    pub not_a_text: &'static str,
}

impl Text {
    pub const fn up_to(max_characters: usize) -> Self {
        Self {
            max_characters,
            may_be_blank: false,
            may_be_null: false,
            keeps_blanks: false,
            not_a_text: "Not a valid string.",
        }
    }

    #[must_use]
    pub const fn or_blank(self) -> Self {
        Self { may_be_blank: true, ..self }
    }

    #[must_use]
    pub const fn or_null(self) -> Self {
        Self { may_be_null: true, ..self }
    }

    #[must_use]
    pub const fn as_it_is(self) -> Self {
        Self { keeps_blanks: true, ..self }
    }
}

impl<'a> Fields<'a> {
    pub fn of(data: &'a Map<String, Value>) -> Self {
        Self { data, invalid: Invalid::default() }
    }

    /// A text that must be there. What comes back where it is not is of no use: [`Self::finish`] fails then.
    pub fn required(&mut self, name: &'static str, rule: Text) -> String {
        if !self.data.contains_key(name) {
            self.invalid.add(name, "This field is required.");
        }
        self.optional(name, rule).unwrap_or_default()
    }

    /// A text that may be left out.
    pub fn optional(&mut self, name: &'static str, rule: Text) -> Option<String> {
        let text = match self.data.get(name)? {
            Value::String(text) if rule.keeps_blanks => text.clone(),
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Null if rule.may_be_null => return None,
            Value::Null => return self.refuse(name, "This field may not be null."),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => return self.refuse(name, rule.not_a_text),
        };
        if text.is_empty() && !rule.may_be_blank {
            return self.refuse(name, "This field may not be blank.");
        }
        if text.contains('\0') {
            return self.refuse(name, "Null characters are not allowed.");
        }
        if text.chars().count() > rule.max_characters {
            let message = format!("Ensure this field has no more than {} characters.", rule.max_characters);
            return self.refuse(name, message);
        }
        Some(text)
    }

    /// A whole number that must be there, as a number or in digits.
    pub fn required_number(&mut self, name: &'static str) -> i64 {
        if !self.data.contains_key(name) {
            self.invalid.add(name, "This field is required.");
        }
        self.optional_number(name).unwrap_or_default()
    }

    /// A whole number that may be left out, or null.
    pub fn optional_number(&mut self, name: &'static str) -> Option<i64> {
        let value = self.data.get(name).filter(|value| !value.is_null())?;
        let number = whole_number(value);
        if number.is_none() {
            self.invalid.add(name, "A valid integer is required.");
        }
        number
    }

    pub fn required_email(&mut self, name: &'static str) -> Option<Email> {
        if !self.data.contains_key(name) {
            return self.refuse(name, "This field is required.");
        }
        self.optional_email(name)
    }

    pub fn optional_email(&mut self, name: &'static str) -> Option<Email> {
        let rule = Text { not_a_text: MALFORMED, ..Text::up_to(MAX_CHARACTERS) };
        let text = self.optional(name, rule)?;
        Email::parse(&text).map_err(|message| self.invalid.add(name, message)).ok()
    }

    fn refuse<T>(&mut self, name: &'static str, message: impl Into<String>) -> Option<T> {
        self.invalid.add(name, message);
        None
    }

    /// # Errors
    /// [`Error::Invalid`] with all that was wrong.
    pub fn finish(self) -> Result<()> {
        if self.invalid.is_empty() { Ok(()) } else { Err(Error::Invalid(self.invalid)) }
    }
}

/// A whole number, as a number or in digits: browsers and forms keep nothing but texts.
pub fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(digits) => digits.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether a box is checked: its value is one that Django REST framework takes for true, or a browser's "on".
pub fn is_checked(data: &Map<String, Value>, name: &str) -> bool {
    match data.get(name) {
        Some(Value::Bool(checked)) => *checked,
        Some(Value::Number(number)) => number.as_i64() == Some(1),
        Some(Value::String(text)) => {
            ["t", "y", "yes", "true", "on", "1"].iter().any(|checked| text.eq_ignore_ascii_case(checked))
        }
        _ => false,
    }
}
