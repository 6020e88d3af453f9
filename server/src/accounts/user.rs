//! The table `users`.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, LockType};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DatabaseConnection, IntoActiveModel, QueryOrder, QuerySelect, SqlErr,
};
use serde::Serialize;
use time::OffsetDateTime;

use super::email::{self, Email};
use crate::error::{Error, Result};
use crate::listing::{self, Found, Wanted};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, DeriveValueType)]
#[sea_orm(try_from_u64)]
pub struct UserId(pub i64);

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: UserId,
    pub email: String,
    #[sea_orm(unique)]
    pub email_key: String,
    pub password_hash: String,
    pub first_name: String,
    pub last_name: String,
    pub is_active: bool,
    pub is_staff: bool,
    pub created_at: OffsetDateTime,
    pub last_login_at: Option<OffsetDateTime>,
}

pub type User = Model;

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub struct NewUser {
    pub email: Email,
    pub password_hash: String,
    pub first_name: String,
    pub last_name: String,
}

/// What is to change; `None` leaves a field as it is.
#[derive(Default)]
pub struct UserChange {
    pub email: Option<Email>,
    pub password_hash: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
}

pub async fn by_id(db: &impl ConnectionTrait, id: UserId) -> Result<Option<User>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

pub async fn by_email(db: &impl ConnectionTrait, text: &str) -> Result<Option<User>> {
    // No address has one, and PostgreSQL takes no such text, not even to look for it.
    if text.contains('\0') {
        return Ok(None);
    }
    Ok(Entity::find().filter(Column::EmailKey.eq(email::key_of(text))).one(db).await?)
}

pub async fn by_ids(db: &impl ConnectionTrait, ids: &[UserId]) -> Result<Vec<User>> {
    Ok(Entity::find().filter(Column::Id.is_in(ids.iter().copied())).all(db).await?)
}

/// The same, who stay as they are until the transaction's end; in the order of their ids, in which all take these locks. Others
/// may still refer to them.
pub async fn lock(db: &impl ConnectionTrait, ids: &[UserId]) -> Result<Vec<User>> {
    let those = Entity::find().filter(Column::Id.is_in(ids.iter().copied()));
    Ok(those.order_by_asc(Column::Id).lock(LockType::NoKeyUpdate).all(db).await?)
}

/// Whether anybody may administer.
pub async fn has_staff(db: &impl ConnectionTrait) -> Result<bool> {
    Ok(Entity::find().filter(Column::IsStaff.eq(true)).filter(Column::IsActive.eq(true)).one(db).await?.is_some())
}

/// The users that staff look for.
pub async fn list(db: &DatabaseConnection, wanted: &Wanted) -> Result<Found<User>> {
    let columns = [Column::Email, Column::FirstName, Column::LastName];
    let mut query = Entity::find().filter(wanted.is_in(columns.map(ColumnTrait::into_expr)));
    if let Some(is_staff) = wanted.flag("staff") {
        query = query.filter(Column::IsStaff.eq(is_staff));
    }
    if let Some(is_active) = wanted.flag("active") {
        query = query.filter(Column::IsActive.eq(is_active));
    }
    let sort = match wanted.sort {
        Some("email") => Column::EmailKey,
        Some("first_name") => Column::FirstName,
        Some("last_name") => Column::LastName,
        Some("staff") => Column::IsStaff,
        Some("active") => Column::IsActive,
        Some("last_login") => Column::LastLoginAt,
        _ => Column::Id,
    };
    listing::read(db, query, wanted, sort.into_expr(), Column::Id).await
}

pub async fn count(db: &impl ConnectionTrait) -> Result<u64> {
    Ok(Entity::find().count(db).await?)
}

/// # Errors
/// [`Error::Invalid`] where the e-mail is taken: the database decides that, so that two sign-ups at once cannot both
/// pass.
pub async fn insert(db: &impl ConnectionTrait, new: NewUser) -> Result<User> {
    let user = ActiveModel {
        email_key: Set(new.email.key()),
        email: Set(new.email.as_str().to_owned()),
        password_hash: Set(new.password_hash),
        first_name: Set(new.first_name),
        last_name: Set(new.last_name),
        is_active: Set(true),
        is_staff: Set(false),
        created_at: Set(OffsetDateTime::now_utc()),
        ..Default::default()
    };
    user.insert(db).await.map_err(taken)
}

/// # Errors
/// As [`insert`].
pub async fn update(db: &impl ConnectionTrait, user: User, change: UserChange) -> Result<User> {
    let unchanged = user.clone();
    let mut user = user.into_active_model();
    if let Some(email) = change.email {
        user.email_key = Set(email.key());
        user.email = Set(email.as_str().to_owned());
    }
    for (field, new) in [
        (&mut user.password_hash, change.password_hash),
        (&mut user.first_name, change.first_name),
        (&mut user.last_name, change.last_name),
    ] {
        if let Some(new) = new {
            *field = Set(new);
        }
    }
    if !user.is_changed() {
        return Ok(unchanged);
    }
    user.update(db).await.map_err(taken)
}

/// Notes a login; false where the user has a new password since `user` was read.
pub async fn note_login(db: &impl ConnectionTrait, user: &User) -> Result<bool> {
    let noted = Entity::update_many().col_expr(Column::LastLoginAt, Expr::value(OffsetDateTime::now_utc()));
    Ok(noted.filter(as_read(user)).exec(db).await?.rows_affected == 1)
}

/// Keeps the user's password what it is until the transaction's end; false where it is a new one since `user` was read.
pub async fn hold_password(db: &impl ConnectionTrait, user: &User) -> Result<bool> {
    Ok(Entity::find().filter(as_read(user)).lock_shared().one(db).await?.is_some())
}

fn as_read(user: &User) -> Expr {
    Column::Id.eq(user.id).and(Column::PasswordHash.eq(user.password_hash.as_str()))
}

pub async fn set_staff(db: &impl ConnectionTrait, id: UserId, is_staff: bool) -> Result<()> {
    set(db, id, Column::IsStaff, is_staff).await
}

pub async fn set_active(db: &impl ConnectionTrait, id: UserId, is_active: bool) -> Result<()> {
    set(db, id, Column::IsActive, is_active).await
}

async fn set(db: &impl ConnectionTrait, id: UserId, column: Column, value: impl Into<sea_orm::Value>) -> Result<()> {
    let update = Entity::update_many().col_expr(column, Expr::value(value)).filter(Column::Id.eq(id));
    update.exec(db).await?;
    Ok(())
}

fn taken(error: DbErr) -> Error {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => {
            Error::invalid("email", "Member with this email address already exists.")
        }
        _ => error.into(),
    }
}
