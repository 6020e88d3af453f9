//! The table `messages`, and a message as clients see it.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, ConnectionTrait, QueryOrder, QuerySelect};
use serde::Serialize;
use time::OffsetDateTime;

use super::conversation::ConversationId;
use crate::accounts::{UserId, user};
use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "messages")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub conversation_id: ConversationId,
    pub seq: i64,
    pub author_id: UserId,
    pub text: String,
    pub client_offset: Option<String>,
    pub created_at: OffsetDateTime,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "user::Entity", from = "Column::AuthorId", to = "user::Column::Id")]
    Author,
}

impl Related<user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Author.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// A committed message, in the one form in which everybody sees it: live, replayed and in the history.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// `<e-mail>: <text>`, as the original sent it.
    #[serde(rename = "message")]
    pub line: Arc<str>,
    pub conversation: ConversationId,
    /// Its place in the conversation: 1, 2, 3, … without a gap.
    pub seq: i64,
    pub author: UserId,
    #[serde(rename = "time", with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

impl Message {
    fn of((message, author): (Model, Option<user::Model>)) -> Self {
        let email = author.map(|author| author.email).unwrap_or_default();
        Self {
            line: format!("{email}: {}", message.text).into(),
            conversation: message.conversation_id,
            seq: message.seq,
            author: message.author_id,
            created_at: message.created_at,
        }
    }
}

/// A message about to be stored.
pub struct NewMessage {
    pub seq: i64,
    pub author: UserId,
    pub text: String,
    pub client_offset: Option<String>,
    pub created_at: OffsetDateTime,
}

pub async fn insert_all(
    db: &impl ConnectionTrait,
    conversation: ConversationId,
    new: impl Iterator<Item = NewMessage>,
) -> Result<()> {
    let rows = new.map(|new| ActiveModel {
        conversation_id: Set(conversation),
        seq: Set(new.seq),
        author_id: Set(new.author),
        text: Set(new.text),
        client_offset: Set(new.client_offset),
        created_at: Set(new.created_at),
        ..Default::default()
    });
    Entity::insert_many(rows).exec_without_returning(db).await?;
    Ok(())
}

/// Stored messages by author and the name that the author gave them.
pub async fn by_client_offset(
    db: &impl ConnectionTrait,
    conversation: ConversationId,
    names: &[(UserId, &str)],
) -> Result<HashMap<(UserId, String), Message>> {
    let found = Entity::find()
        .filter(Column::AuthorId.is_in(names.iter().map(|(author, _)| *author)))
        .filter(Column::ConversationId.eq(conversation))
        .filter(Column::ClientOffset.is_in(names.iter().map(|(_, offset)| *offset)))
        .find_also_related(user::Entity)
        .all(db)
        .await?;
    let pairs = found.into_iter().filter_map(|row| {
        let offset = row.0.client_offset.clone()?;
        Some(((row.0.author_id, offset), Message::of(row)))
    });
    Ok(pairs.collect())
}

/// The first `limit` messages after `seq`, oldest first.
pub async fn after(db: &impl ConnectionTrait, id: ConversationId, seq: i64, limit: u64) -> Result<Vec<Message>> {
    let query = Entity::find().filter(Column::ConversationId.eq(id)).filter(Column::Seq.gt(seq));
    let query = query.order_by_asc(Column::Seq).limit(limit);
    Ok(query.find_also_related(user::Entity).all(db).await?.into_iter().map(Message::of).collect())
}

/// The last `limit` messages before `seq`, newest first.
pub async fn before(db: &impl ConnectionTrait, id: ConversationId, seq: i64, limit: u64) -> Result<Vec<Message>> {
    let query = Entity::find().filter(Column::ConversationId.eq(id)).filter(Column::Seq.lt(seq));
    let query = query.order_by_desc(Column::Seq).limit(limit);
    Ok(query.find_also_related(user::Entity).all(db).await?.into_iter().map(Message::of).collect())
}
