//! The table `audit_log`: what was administered, by whom, and on whom.

use std::net::IpAddr;

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, ConnectionTrait, DatabaseConnection};
use time::OffsetDateTime;

use crate::accounts::{User, UserId};
use crate::error::Result;
use crate::listing::{self, Found, Wanted};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_log")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub created_at: OffsetDateTime,
    pub actor_id: Option<UserId>,
    pub actor: String,
    pub address: Option<String>,
    pub act: String,
    pub object: String,
    pub object_id: Option<i64>,
    pub details: String,
}

pub type Entry = Model;

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Who administers, and from where.
#[derive(Clone, Debug)]
pub struct Actor {
    pub id: Option<UserId>,
    pub name: String,
    pub address: Option<IpAddr>,
}

impl Actor {
    pub fn staff(user: &User, address: IpAddr) -> Self {
        Self { id: Some(user.id), name: user.email.clone(), address: Some(address) }
    }

    /// Whoever may run `natter` beside the server.
    pub fn command_line() -> Self {
        Self { id: None, name: "command line".to_owned(), address: None }
    }

    /// Whoever has read the link that is printed while there is no staff.
    pub fn set_up(address: IpAddr) -> Self {
        Self { id: None, name: "set-up link".to_owned(), address: Some(address) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    CreateUser,
    ChangeUser,
    SetPassword,
    MakeStaff,
    TakeStaff,
    Activate,
    Deactivate,
    RevokeToken,
    EndSession,
    Disconnect,
    DeleteMessage,
    RestoreMessage,
    Export,
    LogIn,
}

impl Act {
    pub const ALL: [Self; 14] = [
        Self::CreateUser,
        Self::ChangeUser,
        Self::SetPassword,
        Self::MakeStaff,
        Self::TakeStaff,
        Self::Activate,
        Self::Deactivate,
        Self::RevokeToken,
        Self::EndSession,
        Self::Disconnect,
        Self::DeleteMessage,
        Self::RestoreMessage,
        Self::Export,
        Self::LogIn,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CreateUser => "create user",
            Self::ChangeUser => "change user",
            Self::SetPassword => "set password",
            Self::MakeStaff => "make staff",
            Self::TakeStaff => "take staff rights",
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
            Self::RevokeToken => "revoke token",
            Self::EndSession => "end session",
            Self::Disconnect => "disconnect",
            Self::DeleteMessage => "delete message",
            Self::RestoreMessage => "restore message",
            Self::Export => "export",
            Self::LogIn => "log in",
        }
    }
}

/// What was done with whom or what.
pub struct Deed<'a> {
    pub act: Act,
    /// Whom it was done to, in words; of a token or a session its owner. What was exported.
    pub object: &'a str,
    pub object_id: Option<i64>,
    pub details: String,
}

impl<'a> Deed<'a> {
    pub fn on_user(act: Act, user: &'a User) -> Self {
        Self { act, object: &user.email, object_id: Some(user.id.0), details: String::new() }
    }

    /// On what somebody has, who may be gone since.
    pub fn on_owner(act: Act, id: UserId, owner: Option<&'a User>, details: String) -> Self {
        Self { act, object: owner.map_or("", |owner| &owner.email), object_id: Some(id.0), details }
    }

    #[must_use]
    pub fn with(self, details: impl Into<String>) -> Self {
        Self { details: details.into(), ..self }
    }
}

/// Writes an entry, in the transaction of the deed itself.
pub async fn record(db: &impl ConnectionTrait, by: &Actor, deed: Deed<'_>) -> Result<()> {
    let entry = ActiveModel {
        created_at: Set(OffsetDateTime::now_utc()),
        actor_id: Set(by.id),
        actor: Set(by.name.clone()),
        address: Set(by.address.map(|address| address.to_string())),
        act: Set(deed.act.as_str().to_owned()),
        object: Set(deed.object.to_owned()),
        object_id: Set(deed.object_id),
        details: Set(deed.details),
        ..Default::default()
    };
    Entity::insert(entry).exec_without_returning(db).await?;
    Ok(())
}

pub async fn by_ids(db: &DatabaseConnection, ids: &[i64]) -> Result<Vec<Entry>> {
    Ok(Entity::find().filter(Column::Id.is_in(ids.iter().copied())).all(db).await?)
}

pub async fn list(db: &DatabaseConnection, wanted: &Wanted) -> Result<Found<Entry>> {
    let columns = [Column::Actor, Column::Object, Column::Details, Column::Address];
    let mut query = Entity::find().filter(wanted.is_in(columns.map(ColumnTrait::into_expr)));
    if let Some(act) = wanted.filter("act") {
        query = query.filter(Column::Act.eq(act));
    }
    let sort = match wanted.sort {
        Some("actor") => Column::Actor,
        Some("act") => Column::Act,
        Some("object") => Column::Object,
        _ => Column::Id,
    };
    listing::read(db, query, wanted, sort.into_expr(), Column::Id).await
}
