//! The table `sessions`: browsers that are logged in.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveValue::Set, ConnectionTrait, QuerySelect};
use time::{Duration, OffsetDateTime};

use super::token::hash;
use super::user::{self, User, UserId};
use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub user_id: UserId,
    #[sea_orm(unique)]
    pub key_hash: Vec<u8>,
    pub token_number: i32,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

pub type Session = Model;

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "user::Entity", from = "Column::UserId", to = "user::Column::Id")]
    User,
}

impl Related<user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// How many sessions are ended by one statement. Nobody has as many, and of expired ones the rest goes next time.
const AT_ONCE: u64 = 10_000;

/// The session with this key and its user, unless it has expired.
pub async fn with_user(db: &impl ConnectionTrait, key: &str) -> Result<Option<(Session, User)>> {
    let live =
        Entity::find().filter(Column::KeyHash.eq(hash(key))).filter(Column::ExpiresAt.gt(OffsetDateTime::now_utc()));
    let found = live.find_also_related(user::Entity).one(db).await?;
    Ok(found.and_then(|(session, user)| Some((session, user?))))
}

pub async fn insert(db: &impl ConnectionTrait, user: UserId, key: &str, age: Duration) -> Result<()> {
    let now = OffsetDateTime::now_utc();
    let session = ActiveModel {
        user_id: Set(user),
        key_hash: Set(hash(key)),
        token_number: Set(0),
        created_at: Set(now),
        expires_at: Set(now + age),
        ..Default::default()
    };
    Entity::insert(session).exec_without_returning(db).await?;
    Ok(())
}

/// Counts one more token of this session; false where another request has just done so.
pub async fn count_token(db: &impl ConnectionTrait, session: &Session) -> Result<bool> {
    let next = Expr::col(Column::TokenNumber).add(1);
    let update = Entity::update_many()
        .col_expr(Column::TokenNumber, next)
        .filter(Column::Id.eq(session.id))
        .filter(Column::TokenNumber.eq(session.token_number));
    Ok(update.exec(db).await?.rows_affected == 1)
}

pub async fn ids_of_user(db: &impl ConnectionTrait, user: UserId) -> Result<Vec<i64>> {
    ids(db, Column::UserId.eq(user)).await
}

pub async fn ids_of_expired(db: &impl ConnectionTrait) -> Result<Vec<i64>> {
    ids(db, Column::ExpiresAt.lte(OffsetDateTime::now_utc())).await
}

async fn ids(db: &impl ConnectionTrait, which: impl sea_orm::sea_query::IntoCondition) -> Result<Vec<i64>> {
    let query = Entity::find().select_only().column(Column::Id).filter(which).limit(AT_ONCE);
    Ok(query.into_tuple().all(db).await?)
}

pub async fn delete(db: &impl ConnectionTrait, sessions: &[i64]) -> Result<()> {
    Entity::delete_many().filter(Column::Id.is_in(sessions.iter().copied())).exec(db).await?;
    Ok(())
}
