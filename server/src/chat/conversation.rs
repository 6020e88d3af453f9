//! The table `conversations`.

use sea_orm::ConnectionTrait;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait};
use serde::Serialize;
use time::OffsetDateTime;

use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, DeriveValueType)]
#[sea_orm(try_from_u64)]
pub struct ConversationId(pub i64);

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversations")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: ConversationId,
    pub name: String,
    pub last_seq: i64,
    pub created_at: OffsetDateTime,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The first conversation: the single room of the original, which every account is in.
pub const EVERYONE: ConversationId = ConversationId(1);

pub async fn last_seq(db: &impl ConnectionTrait, id: ConversationId) -> Result<i64> {
    let found = Entity::find_by_id(id).one(db).await?;
    found.map(|conversation| conversation.last_seq).ok_or(Error::NotFound)
}

/// Takes the next `count` numbers, and the row's lock until the transaction ends. Returns the last number taken.
pub async fn take_seqs(transaction: &impl ConnectionTrait, id: ConversationId, count: i64) -> Result<i64> {
    let updated = Entity::update_many()
        .col_expr(Column::LastSeq, Expr::col(Column::LastSeq).add(count))
        .filter(Column::Id.eq(id))
        .exec_with_returning(transaction)
        .await?;
    updated.first().map(|conversation| conversation.last_seq).ok_or(Error::NotFound)
}
