//! The table `revocations`: what was taken back lately, for every node to act on.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, ConnectionTrait};
use time::{Duration, OffsetDateTime};

use super::token::TokenId;
use super::user::UserId;
use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "revocations")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub token_id: Option<TokenId>,
    pub user_id: Option<UserId>,
    pub created_at: OffsetDateTime,
}

pub type Revocation = Model;

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// How far back a node looks beyond its last look. Transactions do not commit in the order of their ids, and clocks of
/// nodes differ, so that "newer than the last one seen" would miss some.
const WINDOW: Duration = Duration::minutes(1);
/// How long a node may be cut off from the database and still hear of everything.
const KEPT: Duration = Duration::days(1);

/// The most rows of one statement.
const AT_ONCE: usize = 1_000;

pub async fn of_token(db: &impl ConnectionTrait, id: TokenId) -> Result<()> {
    insert(db, Some(id), None).await
}

pub async fn of_tokens(db: &impl ConnectionTrait, ids: &[TokenId]) -> Result<()> {
    for ids in ids.chunks(AT_ONCE) {
        let rows = ids.iter().map(|id| row(Some(*id), None));
        Entity::insert_many(rows).exec_without_returning(db).await?;
    }
    Ok(())
}

pub async fn of_user(db: &impl ConnectionTrait, id: UserId) -> Result<()> {
    insert(db, None, Some(id)).await
}

async fn insert(db: &impl ConnectionTrait, token_id: Option<TokenId>, user_id: Option<UserId>) -> Result<()> {
    Entity::insert(row(token_id, user_id)).exec_without_returning(db).await?;
    Ok(())
}

fn row(token_id: Option<TokenId>, user_id: Option<UserId>) -> ActiveModel {
    ActiveModel {
        token_id: Set(token_id),
        user_id: Set(user_id),
        created_at: Set(OffsetDateTime::now_utc()),
        ..Default::default()
    }
}

/// All that may have been committed since `time`, and some from before.
pub async fn since(db: &impl ConnectionTrait, time: OffsetDateTime) -> Result<Vec<Revocation>> {
    Ok(Entity::find().filter(Column::CreatedAt.gt(time - WINDOW)).all(db).await?)
}

pub async fn delete_old(db: &impl ConnectionTrait) -> Result<()> {
    let until = OffsetDateTime::now_utc() - KEPT;
    Entity::delete_many().filter(Column::CreatedAt.lt(until)).exec(db).await?;
    Ok(())
}
