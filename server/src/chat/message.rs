//! The table `messages`, and a message as clients see it.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{
    ActiveValue::Set, Condition, ConnectionTrait, DatabaseConnection, IntoActiveModel, QueryOrder, QuerySelect,
};
use serde::Serialize;
use time::OffsetDateTime;

use super::conversation::ConversationId;
use crate::accounts::UserId;
use crate::error::Result;
use crate::listing::{self, Found, Wanted};

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
    pub change: Option<i64>,
    pub edited_at: Option<OffsetDateTime>,
    pub deleted_at: Option<OffsetDateTime>,
    pub deleted_by: Option<UserId>,
}

/// A message as it is stored, whoever may see what of it.
pub type Stored = Model;

impl Model {
    /// Whether its author has taken it back: nobody sees its text from then on, staff neither.
    pub fn is_withdrawn(&self) -> bool {
        self.deleted_at.is_some() && self.deleted_by.is_none_or(|by| by == self.author_id)
    }
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
    /// When its text was last changed.
    #[serde(rename = "edited", with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<OffsetDateTime>,
    /// When its author or staff took it back: nobody is sent its text from then on.
    #[serde(rename = "deleted", with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<OffsetDateTime>,
}

impl Message {
    /// The line that everybody sees.
    pub fn line(email: &str, text: &str) -> Arc<str> {
        format!("{email}: {text}").into()
    }
}

impl From<Model> for Message {
    fn from(message: Model) -> Self {
        let text = if message.deleted_at.is_some() { "" } else { &message.text };
        Self {
            line: Self::line(&message.author_email, text),
            conversation: message.conversation_id,
            seq: message.seq,
            author: message.author_id,
            created_at: message.created_at,
            edited_at: message.edited_at,
            deleted_at: message.deleted_at,
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
    /// As it was sent; none where it has been edited or deleted since.
    pub text: Option<String>,
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
        let text = row.change.is_none().then(|| row.text.clone());
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

pub async fn by_seq(db: &impl ConnectionTrait, id: ConversationId, seq: i64) -> Result<Option<Model>> {
    Ok(Entity::find().filter(Column::ConversationId.eq(id)).filter(Column::Seq.eq(seq)).one(db).await?)
}

pub async fn by_ids(db: &impl ConnectionTrait, ids: &[i64]) -> Result<Vec<Stored>> {
    let found = Entity::find().filter(Column::Id.is_in(ids.iter().copied()));
    Ok(found.order_by_asc(Column::ConversationId).order_by_asc(Column::Seq).all(db).await?)
}

/// The messages that staff look for. No search finds what its author has taken back.
pub async fn list(db: &DatabaseConnection, wanted: &Wanted) -> Result<Found<Stored>> {
    let mut query = Entity::find().filter(wanted.is_in([Column::Text.into_expr()]));
    if !wanted.search().is_empty() {
        let by_staff = Expr::col(Column::DeletedBy).ne(Expr::col(Column::AuthorId));
        query = query.filter(Condition::any().add(Column::DeletedAt.is_null()).add(by_staff));
    }
    if let Some(author) = wanted.filter("author") {
        query = query.filter(Expr::from(Func::lower(Column::AuthorEmail.into_expr())).eq(author.to_lowercase()));
    }
    if let Some(conversation) = wanted.number("conversation") {
        query = query.filter(Column::ConversationId.eq(ConversationId(conversation)));
    }
    match wanted.flag("deleted") {
        Some(true) => query = query.filter(Column::DeletedAt.is_not_null()),
        Some(false) => query = query.filter(Column::DeletedAt.is_null()),
        None => {}
    }
    let sort = match wanted.sort {
        Some("author") => Column::AuthorEmail,
        Some("conversation") => Column::ConversationId,
        _ => Column::Id,
    };
    listing::read(db, query, wanted, sort.into_expr(), Column::Id).await
}

/// What becomes of a message's text.
pub enum Change {
    Edited(String),
    Deleted {
        by: UserId,
    },
    /// It is as it was before it was deleted.
    Restored,
}

/// Changes a message. `number` is that of the change, of which a conversation has but one.
pub async fn change(
    transaction: &impl ConnectionTrait,
    message: Model,
    change: Change,
    number: i64,
) -> Result<Message> {
    let now = super::to_microseconds(OffsetDateTime::now_utc());
    let mut message = message.into_active_model();
    message.change = Set(Some(number));
    match change {
        Change::Edited(text) => {
            message.text = Set(text);
            message.edited_at = Set(Some(now));
        }
        Change::Deleted { by } => (message.deleted_at, message.deleted_by) = (Set(Some(now)), Set(Some(by))),
        Change::Restored => (message.deleted_at, message.deleted_by) = (Set(None), Set(None)),
    }
    Ok(message.update(transaction).await?.into())
}

/// The first `limit` messages that have changed after the change `number`, in the order of their last change; with that
/// change's number.
pub async fn changed_after(
    db: &impl ConnectionTrait,
    id: ConversationId,
    number: i64,
    limit: u64,
) -> Result<Vec<(i64, Message)>> {
    let query = Entity::find().filter(Column::ConversationId.eq(id)).filter(Column::Change.gt(number));
    let changed = query.order_by_asc(Column::Change).limit(limit).all(db).await?;
    Ok(changed.into_iter().filter_map(|row| Some((row.change?, row.into()))).collect())
}
