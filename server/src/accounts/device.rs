//! Devices: the browsers and programs with which somebody is signed in, from the tables `sessions` and `tokens`.

use std::fmt;
use std::str::FromStr;

use sea_orm::sea_query::{Order, UnionType};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use super::terms::Terms;
use super::token::TokenId;
use super::user::UserId;
use super::{session, token};
use crate::error::{Error, Result};

/// A session, or a token that belongs to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceId {
    Session(i64),
    Token(TokenId),
}

impl DeviceId {
    /// The session of this number, as far as it is one. No row has the number 0.
    pub fn session(self) -> Option<i64> {
        if let Self::Session(id) = self { Some(id) } else { None }
    }

    pub fn token(self) -> TokenId {
        if let Self::Token(id) = self { id } else { TokenId(0) }
    }

    /// The word for programs.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Session(_) => "session",
            Self::Token(_) => "token",
        }
    }
}

/// `s12` or `t7`.
impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => write!(f, "s{id}"),
            Self::Token(TokenId(id)) => write!(f, "t{id}"),
        }
    }
}

impl FromStr for DeviceId {
    type Err = Error;

    /// # Errors
    /// No device has such an id.
    fn from_str(text: &str) -> Result<Self> {
        let number = |digits: &str| {
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| is_number).ok_or(Error::NotFound)
        };
        if let Some(digits) = text.strip_prefix('s') {
            return number(digits).map(Self::Session);
        }
        number(text.strip_prefix('t').ok_or(Error::NotFound)?).map(|id| Self::Token(TokenId(id)))
    }
}

impl Serialize for DeviceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A browser or a program with which somebody is signed in.
#[derive(Clone, Debug)]
pub struct Device {
    pub id: DeviceId,
    /// What it says it is; empty where it does not say.
    pub client: String,
    /// From where it has signed in; empty of those that did before that was noted.
    pub address: String,
    pub created_at: OffsetDateTime,
    pub last_used_at: OffsetDateTime,
    /// Whether it is the one that asks.
    pub is_current: bool,
}

#[derive(FromQueryResult)]
struct Row {
    is_session: bool,
    id: i64,
    client: String,
    address: String,
    created_at: OffsetDateTime,
    last_used_at: OffsetDateTime,
    is_current: bool,
}

impl From<Row> for Device {
    fn from(row: Row) -> Self {
        let Row { is_session, id, client, address, created_at, last_used_at, is_current } = row;
        let id = if is_session { DeviceId::Session(id) } else { DeviceId::Token(TokenId(id)) };
        Self { id, client, address, created_at, last_used_at, is_current }
    }
}

/// What a list of devices is made from.
#[derive(Clone, Copy)]
pub struct Wanted {
    pub user: UserId,
    pub current: DeviceId,
    pub terms: Terms,
}

/// The current device, then those used last.
pub async fn page(db: &impl ConnectionTrait, wanted: Wanted, offset: u64, limit: u64) -> Result<Vec<Device>> {
    let Wanted { user, current, terms } = wanted;
    let mut query = session::devices_of_user(user, terms, current.session().unwrap_or_default());
    query.union(UnionType::All, token::devices_of_user(user, terms, current.token()));
    for column in ["is_current", "last_used_at", "id"] {
        query.order_by(column, Order::Desc);
    }
    query.offset(offset).limit(limit);
    let rows = Row::find_by_statement(db.get_database_backend().build(&query)).all(db).await?;
    Ok(rows.into_iter().map(Device::from).collect())
}

pub async fn count(db: &impl ConnectionTrait, wanted: Wanted) -> Result<u64> {
    let tokens = token::count_of_user(db, wanted.user, wanted.terms).await?;
    Ok(session::count_of_user(db, wanted.user, wanted.terms).await? + tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        for id in [DeviceId::Session(12), DeviceId::Token(TokenId(7))] {
            assert_eq!(id.to_string().parse::<DeviceId>().unwrap(), id);
        }
        for text in ["", "s", "t", "12", "s-1", "s+1", "x1", "s1 ", "S1", "s1.0", "s٣", "t9223372036854775808"] {
            assert!(text.parse::<DeviceId>().is_err(), "{text:?}");
        }
    }
}
