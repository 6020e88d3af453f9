//! An HTTP answer as a whole.

use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// What came back, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

pub trait Ask {
    /// Sends the request and reads the answer.
    async fn answer(self) -> Answer;
}

impl Ask for RequestBuilder {
    async fn answer(self) -> Answer {
        let response = self.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }
}

impl Answer {
    /// Status and body, to compare both at once.
    pub fn said(&self) -> (u16, &str) {
        (self.status, &self.body)
    }

    /// Status and body, where the order of the body's keys is of no matter.
    pub fn said_json(&self) -> (u16, Value) {
        (self.status, self.json())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The one header of this name; one that comes twice is an error of the server.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?;
        assert_eq!(values.next(), None, "{name} comes twice: {self:?}");
        Some(first.to_str().unwrap())
    }

    /// The cookie of this name that the answer sets.
    pub fn set_cookie(&self, name: &str) -> Option<SetCookie> {
        let cookies = self.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
        let mut cookies = cookies.filter_map(|cookie| SetCookie::parse(cookie, name));
        let first = cookies.next()?;
        assert!(cookies.next().is_none(), "{name} is set twice: {self:?}");
        Some(first)
    }
}

/// A `Set-Cookie` header, its attributes in lower case and sorted; `expires` is apart, as it changes with the time.
#[derive(Debug)]
pub struct SetCookie {
    pub value: String,
    pub attributes: Vec<String>,
    pub expires: Option<String>,
}

impl SetCookie {
    fn parse(text: &str, name: &str) -> Option<Self> {
        let mut parts = text.split("; ");
        let value = parts.next()?.strip_prefix(name)?.strip_prefix('=')?.to_owned();
        let (expires, mut attributes): (Vec<_>, Vec<_>) =
            parts.map(str::to_lowercase).partition(|part| part.starts_with("expires="));
        attributes.sort();
        Some(Self { value, attributes, expires: expires.into_iter().next() })
    }
}
