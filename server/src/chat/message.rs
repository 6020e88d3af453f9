//! The table `messages`, and a message as clients see it.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ActiveValue::Set, Condition, ConnectionTrait, QueryOrder, QuerySelect};
use serde::Serialize;
use time::OffsetDateTime;

use super::conversation::ConversationId;
use crate::accounts::UserId;
use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "messages")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub conversation_id: ConversationId,
    pub seq: i64,
    pub author_id: UserId,
    pub author_email: String,
    pub text: String,
    pub client_offset: Option<String>,
    pub created_at: OffsetDateTime,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

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
    /// The line that everybody sees.
    pub fn line(email: &str, text: &str) -> Arc<str> {
        format!("{email}: {text}").into()
    }
}

impl From<Model> for Message {
    fn from(message: Model) -> Self {
        Self {
            line: Self::line(&message.author_email, &message.text),
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
    pub email: Arc<str>,
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
        author_email: Set(new.email.to_string()),
        text: Set(new.text),
        client_offset: Set(new.client_offset),
        created_at: Set(new.created_at),
        ..Default::default()
    });
    Entity::insert_many(rows).exec_without_returning(db).await?;
    Ok(())
}

/// A stored message, with the name that its author gave it.
pub struct Named {
    pub message: Message,
    pub text: String,
}

/// Stored messages by author and the name that the author gave them.
pub async fn by_client_offset(
    db: &impl ConnectionTrait,
    conversation: ConversationId,
    names: &[(UserId, &str)],
) -> Result<HashMap<(UserId, String), Named>> {
    let mut by_author: HashMap<UserId, Vec<&str>> = HashMap::new();
    for (author, offset) in names {
        by_author.entry(*author).or_default().push(offset);
    }
    let wanted = by_author.into_iter().fold(Condition::any(), |wanted, (author, offsets)| {
        wanted.add(Column::AuthorId.eq(author).and(Column::ClientOffset.is_in(offsets)))
    });
    let found = Entity::find().filter(Column::ConversationId.eq(conversation)).filter(wanted).all(db).await?;
    let pairs = found.into_iter().filter_map(|row| {
        let name = (row.author_id, row.client_offset.clone()?);
        let text = row.text.clone();
        Some((name, Named { message: row.into(), text }))
    });
    Ok(pairs.collect())
}

/// The first `limit` messages after `seq`, oldest first.
pub async fn after(db: &impl ConnectionTrait, id: ConversationId, seq: i64, limit: u64) -> Result<Vec<Message>> {
    let query = Entity::find().filter(Column::ConversationId.eq(id)).filter(Column::Seq.gt(seq));
    let query = query.order_by_asc(Column::Seq).limit(limit);
    Ok(query.all(db).await?.into_iter().map(Message::from).collect())
}

/// The last `limit` messages before `seq`, newest first.
pub async fn before(db: &impl ConnectionTrait, id: ConversationId, seq: i64, limit: u64) -> Result<Vec<Message>> {
    let query = Entity::find().filter(Column::ConversationId.eq(id)).filter(Column::Seq.lt(seq));
    let query = query.order_by_desc(Column::Seq).limit(limit);
    Ok(query.all(db).await?.into_iter().map(Message::from).collect())
}
