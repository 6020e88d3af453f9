//! The language that a page speaks: the browser's, where it is one of ours.
//!
//! Code and templates hold English texts, as the API must say them. What a page shows of them goes through [`translate`],
//! in templates the filter `t`, which finds the other languages in `web/strings.json` by the English.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::sync::{LazyLock, Mutex};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use regex::Regex;
use serde::Deserialize;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    English,
    German,
}

tokio::task_local! {
    static LANGUAGE: Language;
}

impl Language {
    const ALL: [Self; 2] = [Self::English, Self::German];

    /// That of the request that is being answered; English where there is none.
    pub fn current() -> Self {
        LANGUAGE.try_with(|language| *language).unwrap_or_default()
    }

    /// Answers a request, or what else is done meanwhile, in this language.
    pub async fn during<T>(self, answering: impl Future<Output = T>) -> T {
        LANGUAGE.scope(self, answering).await
    }

    /// RFC 5646.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The one that a browser likes best, by RFC 9110, section 12.5.4. Of equal ones the first counts, and of `de-AT` the
    /// `de`.
    fn wanted_by(headers: &HeaderMap) -> Self {
        let fields = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|field| field.to_str().ok());
        let mut best = (Self::default(), 0.0);
        for wanted in fields.flat_map(|field| field.split(',')).filter_map(Self::weighted) {
            if wanted.1 > best.1 {
                best = wanted;
            }
        }
        best.0
    }

    fn weighted(range: &str) -> Option<(Self, f32)> {
        let (range, weight) = match range.split_once(';') {
            Some((range, parameter)) => (range, parameter.trim().strip_prefix("q=")?.parse().ok()?),
            None => (range, 1.0),
        };
        let primary = range.trim().split('-').next().unwrap_or_default();
        if primary == "*" {
            return Some((Self::default(), weight));
        }
        let language = Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))?;
        Some((language, weight))
    }

    /// A number as it is written in this language.
    pub fn decimal(self, number: &str) -> String {
        match self {
            Self::English => number.to_owned(),
            Self::German => number.replace('.', ","),
        }
    }
}

/// Answers in the language that the browser wants.
pub async fn speak(request: Request, next: Next) -> Response {
    let language = Language::wanted_by(request.headers());
    let mut response = language.during(next.run(request)).await;
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Accept-Language"));
    if headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    }
    response
}

/// What there is of a text, beside its English.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Entry {
    German(String),
    Counted { en: Forms, de: Forms },
}

/// A text with `{count}`, for one and for any other number.
#[derive(Clone, Deserialize)]
struct Forms {
    one: String,
    other: String,
}

impl From<&str> for Forms {
    fn from(text: &str) -> Self {
        Self { one: text.to_owned(), other: text.to_owned() }
    }
}

impl Entry {
    fn forms(&self, english: &str) -> Forms {
        match (self, Language::current()) {
            (Self::German(german), Language::German) => german.as_str().into(),
            (Self::German(_), Language::English) => english.into(),
            (Self::Counted { en, .. }, Language::English) => en.clone(),
            (Self::Counted { de, .. }, Language::German) => de.clone(),
        }
    }
}

static STRINGS: LazyLock<BTreeMap<String, Entry>> = LazyLock::new(|| {
    #[expect(clippy::unwrap_used, reason = "the file is a constant, which a test reads")]
    serde_json::from_str(include_str!("../../../web/strings.json")).unwrap()
});

/// A text in the language of the page. Whatever it is filled in with is not looked at for places to fill in.
#[derive(Clone)]
pub struct Translated {
    forms: Forms,
    values: Vec<(String, String)>,
}

/// A text that is not in the catalogue as it is may be there as a pattern, see `pattern_of`; one that is not there
/// either stays English.
pub fn translate(text: &str) -> Translated {
    if let Some(entry) = STRINGS.get(text) {
        return Translated { forms: entry.forms(text), values: Vec::new() };
    }
    let (pattern, values) = pattern_of(text);
    if let Some(entry) = STRINGS.get(&pattern) {
        return Translated { forms: entry.forms(&pattern), values };
    }
    if Language::current() != Language::default() {
        warn_once(text);
    }
    Translated { forms: text.into(), values: Vec::new() }
}

/// Many errors come with numbers, addresses and quotations in them. In the catalogue each of those is a place, `{1}`, `{2}` and so
/// on: `Method "{1}" not allowed.`
fn pattern_of(text: &str) -> (String, Vec<(String, String)>) {
    #[expect(clippy::unwrap_used, reason = "the pattern is a constant, which a test compiles")]
    static VALUE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#""([^"]*)"|[a-z]+://[^ ]+|[0-9]+"#).unwrap());
    let mut values = Vec::new();
    let pattern = VALUE.replace_all(text, |found: &regex::Captures| {
        let quoted = found.get(1);
        let place = (values.len() + 1).to_string();
        values.push((place.clone(), quoted.map_or(&found[0], |quoted| quoted.as_str()).to_owned()));
        if quoted.is_some() { format!("\"{{{place}}}\"") } else { format!("{{{place}}}") }
    });
    (pattern.into_owned(), values)
}

/// For those who work on the pages.
fn warn_once(text: &str) {
    static WARNED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if cfg!(debug_assertions) && WARNED.lock().is_ok_and(|mut warned| warned.insert(text.to_owned())) {
        tracing::warn!(text, "not in web/strings.json");
    }
}

impl Translated {
    /// Fills `{name}` in. The value of `{count}` also chooses between the forms for one and for many.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Display) -> Self {
        self.values.push((name.to_owned(), value.to_string()));
        self
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

impl Display for Translated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = if self.value("count") == Some("1") { &*self.forms.one } else { &*self.forms.other };
        while let Some((before, behind)) = rest.split_once('{') {
            f.write_str(before)?;
            let place = behind.split_once('}').and_then(|(name, after)| Some((self.value(name)?, after)));
            let (value, after) = place.unwrap_or(("{", behind));
            f.write_str(value)?;
            rest = after;
        }
        f.write_str(rest)
    }
}

/// For templates. What they give is escaped as any other text.
#[expect(clippy::inline_always, reason = "askama's macro writes it")]
pub mod filters {
    use std::fmt::Display;

    use askama::{Result, Values};

    use super::Translated;

    #[askama::filter_fn]
    pub fn t(text: impl Display, _: &dyn Values) -> Result<Translated> {
        Ok(super::translate(&text.to_string()))
    }

    #[askama::filter_fn]
    pub fn with<Value: Display>(text: Translated, _: &dyn Values, name: &str, value: Value) -> Result<Translated> {
        Ok(text.with(name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Language {
        Language::wanted_by(&HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, text.parse().unwrap())]))
    }

    #[test]
    fn browsers_are_answered_in_the_language_they_like_best() {
        for german in ["de", "DE", "de-AT", "fr, de;q=0.5", "en;q=0.3, de", "en; q=0.3 , de ;q=0.4", "de, en", "de,*"] {
            assert_eq!(wanted(german), Language::German, "{german}");
        }
        for english in
            ["", "en", "fr", "en, de", "de;q=0", "de;q=x", "de;x=1", "den", "*, de;q=0.9", ";;,,;q=", "de;q=NaN"]
        {
            assert_eq!(wanted(english), Language::English, "{english}");
        }
        assert_eq!(Language::wanted_by(&HeaderMap::new()), Language::English);
    }

    #[tokio::test]
    async fn values_are_filled_in_and_not_looked_into() {
        let select = |row: &str| translate("Select {row}").with("row", row).with("x", "y").to_string();
        assert_eq!(select("{x} {row} {"), "Select {x} {row} {");
        let german = Language::German.during(async { select("{x}") }).await;
        assert_eq!(german, "{x} auswählen");
        assert_eq!(translate("no {place} for }{").to_string(), "no {place} for }{");
    }

    #[tokio::test]
    async fn one_is_told_from_many() {
        let writing =
            |count: u32| translate("{names} are writing…").with("names", "A").with("count", count).to_string();
        assert_eq!([writing(1), writing(2)], ["A is writing…", "A are writing…"]);
        let german = Language::German.during(async { [writing(1), writing(2)] }).await;
        assert_eq!(german, ["A schreibt …", "A schreiben …"]);
    }

    #[tokio::test]
    async fn numbers_and_quotations_in_errors_are_filled_in() {
        let texts = ["Ensure this value has at most 256 characters (it has 257).", "Method \"{2}\" not allowed."];
        let translated = || texts.map(|text| translate(text).to_string());
        assert_eq!(translated(), texts);
        let german = Language::German.during(async { translated() }).await;
        assert_eq!(
            german,
            ["Höchstens 256 Zeichen sind möglich (es sind 257).", "Die Methode „{2}“ ist hier nicht möglich."]
        );
    }

    #[tokio::test]
    async fn numbers_have_the_comma_of_their_language() {
        assert_eq!(Language::English.decimal("1.5 MiB"), "1.5 MiB");
        assert_eq!(Language::German.decimal("1.5 MiB"), "1,5 MiB");
    }
}
