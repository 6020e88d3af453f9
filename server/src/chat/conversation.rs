//! The table `conversations`.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, Func, OnConflict};
use sea_orm::{
    ActiveValue::Set, Condition, ConnectionTrait, DatabaseConnection, FromQueryResult, JoinType, QueryOrder,
    QuerySelect,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::member;
use crate::accounts::{User, UserId, user};
use crate::error::{Error, Result};
use crate::listing::{self, Found, Wanted};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DeriveValueType)]
#[sea_orm(try_from_u64)]
pub struct ConversationId(pub i64);

/// Who a conversation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// All, without becoming a member: the single room of the original.
    #[sea_orm(string_value = "everyone")]
    Everyone,
    /// All who join it.
    #[sea_orm(string_value = "open")]
    Open,
    /// Those whom a member has brought in.
    #[sea_orm(string_value = "invitation")]
    Invitation,
    /// Two people.
    #[sea_orm(string_value = "direct")]
    Direct,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversations")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: ConversationId,
    pub name: String,
    pub last_seq: i64,
    pub created_at: OffsetDateTime,
    pub kind: Kind,
    pub owner_id: Option<UserId>,
    #[sea_orm(unique)]
    pub direct_key: Option<String>,
    pub last_change: i64,
    pub version: i64,
    pub touched_at: Option<OffsetDateTime>,
}

pub type Conversation = Model;

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(has_many = "member::Entity")]
    Members,
    #[sea_orm(belongs_to = "user::Entity", from = "Column::OwnerId", to = "user::Column::Id")]
    Owner,
}

impl Related<user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Owner.def()
    }
}

impl Related<member::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Members.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// The first conversation: the single room of the original, which every account is in.
pub const EVERYONE: ConversationId = ConversationId(1);

pub async fn by_id(db: &impl ConnectionTrait, id: ConversationId) -> Result<Option<Conversation>> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

/// Conversations by id, with who has opened them.
pub async fn by_ids(db: &impl ConnectionTrait, ids: &[i64]) -> Result<Vec<(Conversation, Option<User>)>> {
    let wanted = Entity::find().filter(Column::Id.is_in(ids.iter().copied().map(ConversationId)));
    Ok(wanted.find_also_related(user::Entity).all(db).await?)
}

/// The conversations that staff look for, with who has opened them.
pub async fn list(db: &DatabaseConnection, wanted: &Wanted) -> Result<Found<(Conversation, Option<User>)>> {
    let columns = [Column::Name.into_expr(), user::Column::Email.into_expr()];
    let mut query = Entity::find().find_also_related(user::Entity).filter(wanted.is_in(columns));
    if let Some(kind) = wanted.filter("kind").and_then(|kind| Kind::try_from_value(&kind.to_owned()).ok()) {
        query = query.filter(Column::Kind.eq(kind));
    }
    if let Some(member) = wanted.number("member") {
        query = query.filter(Column::Id.in_subquery(member::those_of(UserId(member))));
    }
    let sort = match wanted.sort {
        Some("name") => Column::Name.into_expr(),
        Some("owner") => user::Column::EmailKey.into_expr(),
        Some("messages") => Column::LastSeq.into_expr(),
        _ => Column::Id.into_expr(),
    };
    listing::read(db, query, wanted, sort, Column::Id).await
}

/// Of a direct conversation: the same for both people, whoever begins it.
pub fn direct_key(one: UserId, other: UserId) -> String {
    let (first, second) = if one < other { (one, other) } else { (other, one) };
    format!("{}:{}", first.0, second.0)
}

pub async fn by_direct_key(db: &impl ConnectionTrait, key: &str) -> Result<Option<Conversation>> {
    Ok(Entity::find().filter(Column::DirectKey.eq(key)).one(db).await?)
}

pub async fn insert(
    transaction: &impl ConnectionTrait,
    kind: Kind,
    name: String,
    owner: UserId,
) -> Result<Conversation> {
    Ok(new(kind, name, owner, None).insert(transaction).await?)
}

/// The direct conversation with this key, which the database gives once, however many begin it at a time.
pub async fn insert_direct(transaction: &impl ConnectionTrait, owner: UserId, key: String) -> Result<Conversation> {
    let once = OnConflict::column(Column::DirectKey).do_nothing().to_owned();
    let new = new(Kind::Direct, String::new(), owner, Some(key.clone()));
    Entity::insert(new).on_conflict(once).exec_without_returning(transaction).await?;
    by_direct_key(transaction, &key).await?.ok_or(Error::NotFound)
}

fn new(kind: Kind, name: String, owner: UserId, direct_key: Option<String>) -> ActiveModel {
    let now = OffsetDateTime::now_utc();
    ActiveModel {
        name: Set(name),
        last_seq: Set(0),
        created_at: Set(now),
        kind: Set(kind),
        owner_id: Set(Some(owner)),
        direct_key: Set(direct_key),
        last_change: Set(0),
        version: Set(FIRST_VERSION),
        touched_at: Set(Some(now)),
        ..Default::default()
    }
}

pub async fn rename(transaction: &impl ConnectionTrait, id: ConversationId, name: String) -> Result<()> {
    let update = Entity::update_many().col_expr(Column::Name, Expr::value(name)).filter(Column::Id.eq(id));
    update.exec(transaction).await?;
    raise(transaction, id, Column::Version, 1).await?;
    Ok(())
}

/// A page of the conversations that a user is in or may join, those first that are older; and how many there are.
pub async fn visible_to(
    db: &impl ConnectionTrait,
    user: UserId,
    offset: u64,
    limit: u64,
) -> Result<(u64, Vec<(Conversation, Option<member::Member>)>)> {
    let own = member::Relation::Conversation
        .def()
        .rev()
        .on_condition(move |_, member| Condition::all().add(Expr::col((member, member::Column::UserId)).eq(user)));
    let visible = Condition::any()
        .add(Column::Kind.is_in([Kind::Everyone, Kind::Open]))
        .add(member::Column::UserId.is_not_null());
    let query = Entity::find().join(JoinType::LeftJoin, own).filter(visible);
    let count = query.clone().count(db).await?;
    let page = query.select_also(member::Entity).order_by_asc(Column::Id).offset(offset).limit(limit).all(db).await?;
    Ok((count, page))
}

/// How many messages there are in all conversations: numbers are given without a gap.
pub async fn count_messages(db: &impl ConnectionTrait) -> Result<i64> {
    // A sum is of another type than what it sums up, on PostgreSQL.
    let sum = Expr::from(Func::sum(Column::LastSeq.into_expr())).cast_as("bigint");
    let query = Entity::find().select_only().expr_as(sum, "messages");
    Ok(query.into_tuple::<Option<i64>>().one(db).await?.flatten().unwrap_or_default())
}

/// Of a conversation that is as it was opened.
const FIRST_VERSION: i64 = 1;

/// How far a conversation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Reach {
    pub id: ConversationId,
    pub kind: Kind,
    pub last_seq: i64,
    pub last_change: i64,
    pub version: i64,
}

impl Reach {
    /// All may join it, and nobody but who has opened it has.
    pub fn is_new_to_all(&self) -> bool {
        self.kind == Kind::Open && self.version == FIRST_VERSION
    }
}

pub async fn reach(db: &impl ConnectionTrait, id: ConversationId) -> Result<Option<Reach>> {
    Ok(Entity::find_by_id(id).reaches().one(db).await?)
}

pub async fn reaches(db: &impl ConnectionTrait, ids: Vec<ConversationId>) -> Result<Vec<Reach>> {
    Ok(Entity::find().filter(Column::Id.is_in(ids)).reaches().all(db).await?)
}

/// Those in which something may have happened since `time`.
pub async fn touched_since(db: &impl ConnectionTrait, time: OffsetDateTime) -> Result<Vec<Reach>> {
    Ok(Entity::find().filter(Column::TouchedAt.gt(time)).reaches().all(db).await?)
}

trait Reaches {
    fn reaches(self) -> sea_orm::Selector<sea_orm::SelectModel<Reach>>;
}

impl Reaches for Select<Entity> {
    fn reaches(self) -> sea_orm::Selector<sea_orm::SelectModel<Reach>> {
        let columns = [Column::Id, Column::Kind, Column::LastSeq, Column::LastChange, Column::Version];
        self.select_only().columns(columns).into_model()
    }
}

/// Takes the next `count` numbers of messages, and the row's lock until the transaction ends. Returns the last number
/// taken.
pub async fn take_seqs(transaction: &impl ConnectionTrait, id: ConversationId, count: i64) -> Result<i64> {
    Ok(raise(transaction, id, Column::LastSeq, count).await?.last_seq)
}

/// The same for one change of a message.
pub async fn take_change(transaction: &impl ConnectionTrait, id: ConversationId) -> Result<i64> {
    Ok(raise(transaction, id, Column::LastChange, 1).await?.last_change)
}

/// Notes that its members have changed.
pub async fn note_members(transaction: &impl ConnectionTrait, id: ConversationId) -> Result<()> {
    raise(transaction, id, Column::Version, 1).await?;
    Ok(())
}

async fn raise(
    transaction: &impl ConnectionTrait,
    id: ConversationId,
    counter: Column,
    by: i64,
) -> Result<Conversation> {
    let updated = Entity::update_many()
        .col_expr(counter, Expr::col(counter).add(by))
        .col_expr(Column::TouchedAt, Expr::value(OffsetDateTime::now_utc()))
        .filter(Column::Id.eq(id))
        .exec_with_returning(transaction)
        .await?;
    updated.into_iter().next().ok_or(Error::NotFound)
}
