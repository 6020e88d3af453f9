//! The table `conversation_members`: who is in a conversation, and how far they have read.

use std::collections::{HashMap, HashSet};

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{OnConflict, SelectStatement};
use sea_orm::{ActiveValue::Set, ConnectionTrait, QueryOrder, QuerySelect, QueryTrait};
use time::OffsetDateTime;

use super::conversation::{self, ConversationId};
use crate::accounts::{User, UserId, user};
use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversation_members")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: ConversationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    pub joined_at: OffsetDateTime,
    pub read_seq: i64,
}

pub type Member = Model;

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "conversation::Entity", from = "Column::ConversationId", to = "conversation::Column::Id")]
    Conversation,
    #[sea_orm(belongs_to = "user::Entity", from = "Column::UserId", to = "user::Column::Id")]
    User,
}

impl Related<conversation::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Conversation.def()
    }
}

impl Related<user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// Whether they were not in it before.
pub async fn insert(
    transaction: &impl ConnectionTrait,
    conversation: ConversationId,
    user: UserId,
    read_seq: i64,
) -> Result<bool> {
    let member = ActiveModel {
        conversation_id: Set(conversation),
        user_id: Set(user),
        joined_at: Set(OffsetDateTime::now_utc()),
        read_seq: Set(read_seq),
    };
    let once = OnConflict::columns([Column::ConversationId, Column::UserId]).do_nothing().to_owned();
    Ok(Entity::insert(member).on_conflict(once).exec_without_returning(transaction).await? > 0)
}

/// Whether they were in it.
pub async fn delete(transaction: &impl ConnectionTrait, conversation: ConversationId, user: UserId) -> Result<bool> {
    Ok(Entity::delete_by_id((conversation, user)).exec(transaction).await?.rows_affected > 0)
}

pub async fn find(db: &impl ConnectionTrait, conversation: ConversationId, user: UserId) -> Result<Option<Member>> {
    Ok(Entity::find_by_id((conversation, user)).one(db).await?)
}

/// Which of these users are in it.
pub async fn among(
    db: &impl ConnectionTrait,
    conversation: ConversationId,
    users: impl IntoIterator<Item = UserId>,
) -> Result<HashSet<UserId>> {
    let query = Entity::find().select_only().column(Column::UserId);
    let query = query.filter(Column::ConversationId.eq(conversation)).filter(Column::UserId.is_in(users));
    Ok(query.into_tuple().all(db).await?.into_iter().collect())
}

/// All who are in it.
pub async fn ids(db: &impl ConnectionTrait, conversation: ConversationId) -> Result<HashSet<UserId>> {
    let query = Entity::find().select_only().column(Column::UserId).filter(Column::ConversationId.eq(conversation));
    Ok(query.into_tuple().all(db).await?.into_iter().collect())
}

/// The conversations that a user is in, without the one that everybody is in.
pub async fn conversations_of(db: &impl ConnectionTrait, user: UserId) -> Result<Vec<ConversationId>> {
    let query = Entity::find().select_only().column(Column::ConversationId);
    let query = query.filter(Column::UserId.eq(user)).filter(Column::ConversationId.ne(conversation::EVERYONE));
    Ok(query.order_by_asc(Column::ConversationId).into_tuple().all(db).await?)
}

/// The same as a part of other queries, with the one that everybody is in, where they have read something there.
pub fn those_of(user: UserId) -> SelectStatement {
    Entity::find().select_only().column(Column::ConversationId).filter(Column::UserId.eq(user)).into_query()
}

/// How many members each of these conversations has.
pub async fn counts(
    db: &impl ConnectionTrait,
    conversations: impl IntoIterator<Item = ConversationId>,
) -> Result<HashMap<ConversationId, i64>> {
    let query =
        Entity::find().select_only().column(Column::ConversationId).column_as(Column::UserId.count(), "members");
    let query = query.filter(Column::ConversationId.is_in(conversations)).group_by(Column::ConversationId);
    Ok(query.into_tuple::<(ConversationId, i64)>().all(db).await?.into_iter().collect())
}

/// A page of its members, those first who joined first; and how many there are.
pub async fn page(
    db: &impl ConnectionTrait,
    conversation: ConversationId,
    offset: u64,
    limit: u64,
) -> Result<(u64, Vec<(Member, User)>)> {
    let query = Entity::find().filter(Column::ConversationId.eq(conversation));
    let count = query.clone().count(db).await?;
    let query = query.find_also_related(user::Entity).order_by_asc(Column::JoinedAt).order_by_asc(Column::UserId);
    let page = query.offset(offset).limit(limit).all(db).await?;
    Ok((count, page.into_iter().filter_map(|(member, user)| Some((member, user?))).collect()))
}

/// The other person of each of these direct conversations.
pub async fn others(
    db: &impl ConnectionTrait,
    conversations: impl IntoIterator<Item = ConversationId>,
    user: UserId,
) -> Result<Vec<(ConversationId, User)>> {
    let query = Entity::find().filter(Column::ConversationId.is_in(conversations)).filter(Column::UserId.ne(user));
    let found = query.find_also_related(user::Entity).all(db).await?;
    Ok(found.into_iter().filter_map(|(member, user)| Some((member.conversation_id, user?))).collect())
}

/// Notes that a user has read up to `seq`; what was read stays read. Whether that was news.
pub async fn set_read(db: &impl ConnectionTrait, conversation: ConversationId, user: UserId, seq: i64) -> Result<bool> {
    let update = Entity::update_many()
        .col_expr(Column::ReadSeq, seq.into())
        .filter(Column::ConversationId.eq(conversation))
        .filter(Column::UserId.eq(user))
        .filter(Column::ReadSeq.lt(seq));
    Ok(update.exec(db).await?.rows_affected > 0)
}
