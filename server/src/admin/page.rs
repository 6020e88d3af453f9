//! What the admin site's pages have in common.

use std::borrow::Cow;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::door::HOME;
use super::staff::Staff;
use crate::app::App;
use crate::error::Error;
use crate::gateway::connections::Connections;
use crate::http::bar::Bar;
use crate::http::csrf;
use crate::http::page::{Page, with_csrf_cookie};

/// What lists are read from.
#[derive(Clone)]
pub struct Site {
    pub app: App,
    pub connections: Connections,
}

impl FromRequestParts<App> for Site {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let connections = parts.extensions.get::<Connections>().cloned();
        let connections = connections.ok_or_else(|| Error::Internal(anyhow::anyhow!("there is no gateway")))?;
        Ok(Self { app: app.clone(), connections })
    }
}

/// What stands around every page, for the one who looks at it.
pub struct Shell {
    pub bar: Bar,
    /// The path of the section that the page belongs to.
    pub section: &'static str,
}

/// The sections, as the menu shows them: path and name.
pub const SECTIONS: [(&str, &str); 8] = [
    ("", "Overview"),
    ("users", "Users"),
    ("tokens", "Tokens"),
    ("sessions", "Sessions"),
    ("connections", "Connections"),
    ("conversations", "Conversations"),
    ("messages", "Messages"),
    ("audit", "Audit log"),
];

/// Somebody of the staff who opens a page, and the token that its forms will carry.
pub struct Visit {
    pub staff: Staff,
    pub csrf_token: String,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let staff = Staff::from_request_parts(parts, app).await?;
        Ok(Self { staff, csrf_token: csrf::token_for(&parts.headers) })
    }
}

impl Visit {
    pub fn shell(&self, section: &'static str) -> Shell {
        Shell { bar: Bar::of(&self.staff.user, HOME, self.csrf_token.clone()), section }
    }

    /// A page, with the cookie that goes with its forms.
    pub fn show(&self, page: impl Template) -> Response {
        with_csrf_cookie(Page(page).into_response(), &self.csrf_token)
    }
}

impl Shell {
    /// The menu: address, name, and whether it is where one is.
    pub fn menu(&self) -> impl Iterator<Item = (String, &'static str, bool)> {
        SECTIONS.into_iter().map(|(path, name)| (address(path), name, path == self.section))
    }
}

/// The address of a section.
pub fn address(section: &str) -> String {
    if section.is_empty() { HOME.to_owned() } else { format!("{HOME}{section}/") }
}

/// A value in a table or on a record's page.
#[derive(Clone, Debug)]
pub enum Cell {
    Text(String),
    Link {
        text: String,
        href: String,
    },
    Time(OffsetDateTime),
    Flag(bool),
    /// A word of ours, which is said in the reader's language.
    Word(Cow<'static, str>),
    Nothing,
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() { Self::Nothing } else { Self::Text(text) }
    }

    pub fn word(word: impl Into<Cow<'static, str>>) -> Self {
        Self::Word(word.into())
    }

    /// A user by their e-mail.
    pub fn user(id: i64, email: &str) -> Self {
        Self::Link { text: email.to_owned(), href: format!("{HOME}users/{id}/") }
    }

    /// For people, in English: templates translate what is of ours.
    pub fn shown(&self) -> String {
        match self {
            Self::Text(text) | Self::Link { text, .. } => text.clone(),
            Self::Word(word) => word.to_string(),
            Self::Time(time) => {
                time.format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second]")).unwrap_or_default()
            }
            Self::Flag(true) => "Yes".to_owned(),
            Self::Flag(false) => "No".to_owned(),
            Self::Nothing => "–".to_owned(),
        }
    }

    /// For programs.
    pub fn exported(&self) -> String {
        match self {
            Self::Time(time) => time.format(&Rfc3339).unwrap_or_default(),
            Self::Nothing => String::new(),
            _ => self.shown(),
        }
    }
}
