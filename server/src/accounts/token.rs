//! The table `tokens`: what API and socket clients sign in with.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, Func, OnConflict, SelectStatement};
use sea_orm::{ActiveValue::Set, Condition, ConnectionTrait, DatabaseConnection, QuerySelect, QueryTrait};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::device::DeviceId;
use super::origin::Origin;
use super::session;
use super::terms::Terms;
use super::user::{self, User, UserId};
use crate::error::Result;
use crate::listing::{self, Found, Wanted};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, DeriveValueType)]
#[sea_orm(try_from_u64)]
pub struct TokenId(pub i64);

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tokens")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: TokenId,
    pub user_id: UserId,
    pub session_id: Option<i64>,
    #[sea_orm(unique)]
    pub key_hash: Vec<u8>,
    pub created_at: OffsetDateTime,
    pub client: String,
    pub address: String,
    pub last_used_at: Option<OffsetDateTime>,
}

pub type Token = Model;

impl Token {
    /// A page's token is its browser's.
    pub fn device(&self) -> DeviceId {
        self.session_id.map_or(DeviceId::Token(self.id), DeviceId::Session)
    }
}

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

/// How many tokens are deleted by one statement.
const AT_ONCE: u64 = 1_000;

/// The only form of a key that is stored. A key has 122 random bits or more, so that a fast hash is enough.
pub fn hash(key: &str) -> Vec<u8> {
    Sha256::digest(key).to_vec()
}

/// The tokens with these hashed keys, and their owners. One whose session is over is none.
pub async fn with_owners(
    db: &impl ConnectionTrait,
    hashes: impl Iterator<Item = Vec<u8>>,
    terms: Terms,
) -> Result<Vec<(Token, User)>, DbErr> {
    let tokens = Entity::find().filter(Column::KeyHash.is_in(hashes)).filter(is_free_or_of_live_session(terms));
    let found = tokens.find_also_related(user::Entity).all(db).await?;
    Ok(found.into_iter().filter_map(|(token, owner)| Some((token, owner?))).collect())
}

/// Those of these tokens that are good, of users who may sign in.
pub async fn good_of(db: &impl ConnectionTrait, ids: &[TokenId], terms: Terms) -> Result<Vec<TokenId>> {
    let tokens = Entity::find().select_only().column(Column::Id).inner_join(user::Entity);
    let tokens = tokens.filter(Column::Id.is_in(ids.iter().copied())).filter(user::Column::IsActive.eq(true));
    let tokens = tokens.filter(is_free_or_of_live_session(terms)).filter(is_young(terms));
    Ok(tokens.into_tuple().all(db).await?)
}

fn is_free_or_of_live_session(terms: Terms) -> Expr {
    let session = session::live_with_id(Column::SessionId.into_expr(), terms);
    Column::SessionId.is_null().or(Expr::exists(session))
}

/// Tokens by id, with their owners.
pub async fn by_ids(db: &impl ConnectionTrait, ids: &[TokenId]) -> Result<Vec<(Token, Option<User>)>> {
    let wanted = Entity::find().filter(Column::Id.is_in(ids.iter().copied()));
    Ok(wanted.find_also_related(user::Entity).all(db).await?)
}

/// The tokens that staff look for, with their owners.
pub async fn list(db: &DatabaseConnection, wanted: &Wanted) -> Result<Found<(Token, Option<User>)>> {
    let query = Entity::find().find_also_related(user::Entity);
    let mut query = query.filter(wanted.is_in([user::Column::Email.into_expr()]));
    if let Some(owner) = wanted.number("user") {
        query = query.filter(Column::UserId.eq(UserId(owner)));
    }
    match wanted.filter("kind") {
        Some("client") => query = query.filter(Column::SessionId.is_null()),
        Some("session") => query = query.filter(Column::SessionId.is_not_null()),
        _ => {}
    }
    let sort = match wanted.sort {
        Some("owner") => user::Column::EmailKey.into_expr(),
        _ => Column::Id.into_expr(),
    };
    listing::read(db, query, wanted, sort, Column::Id).await
}

/// Stores `key` for `owner`, who signs in from somewhere.
pub async fn insert(db: &impl ConnectionTrait, owner: UserId, key: &str, origin: &Origin) -> Result<()> {
    let token =
        ActiveModel { client: Set(origin.client.clone()), address: Set(origin.address.to_string()), ..new(owner, key) };
    Entity::insert(token).exec_without_returning(db).await?;
    Ok(())
}

/// Stores `key` for a session of `owner`; one that is there already stays as it is.
pub async fn keep(db: &impl ConnectionTrait, owner: UserId, session: i64, key: &str) -> Result<()> {
    let token = ActiveModel { session_id: Set(Some(session)), ..new(owner, key) };
    let once = OnConflict::column(Column::KeyHash).do_nothing().to_owned();
    Entity::insert(token).on_conflict(once).exec_without_returning(db).await?;
    Ok(())
}

fn new(owner: UserId, key: &str) -> ActiveModel {
    ActiveModel {
        user_id: Set(owner),
        key_hash: Set(hash(key)),
        created_at: Set(OffsetDateTime::now_utc()),
        ..Default::default()
    }
}

/// The tokens of a user that belong to no session, for the list of their devices.
pub fn devices_of_user(user: UserId, terms: Terms, current: TokenId) -> SelectStatement {
    let last_used_at = Func::coalesce([Column::LastUsedAt.into_expr(), Column::CreatedAt.into_expr()]);
    let columns = Entity::find().select_only().expr_as(Expr::value(false), "is_session").columns([
        Column::Id,
        Column::Client,
        Column::Address,
        Column::CreatedAt,
    ]);
    let columns = columns.expr_as(last_used_at, "last_used_at").expr_as(Column::Id.eq(current), "is_current");
    columns.filter(free_of(user, terms)).into_query()
}

pub async fn count_of_user(db: &impl ConnectionTrait, user: UserId, terms: Terms) -> Result<u64> {
    Ok(Entity::find().filter(free_of(user, terms)).count(db).await?)
}

fn free_of(user: UserId, terms: Terms) -> Condition {
    Condition::all().add(Column::UserId.eq(user)).add(Column::SessionId.is_null()).add(is_young(terms))
}

fn is_young(terms: Terms) -> Condition {
    let young = terms.token_age.map(|age| Column::CreatedAt.gt(OffsetDateTime::now_utc() - age));
    Condition::all().add_option(young)
}

/// The session that a token belongs to, if any.
pub async fn session_of(db: &impl ConnectionTrait, id: TokenId) -> Result<Option<i64>> {
    let token = Entity::find_by_id(id).select_only().column(Column::SessionId).into_tuple::<Option<i64>>();
    Ok(token.one(db).await?.flatten())
}

/// Writes down that these were used; a later use that another node has written stays.
pub async fn note_use(db: &impl ConnectionTrait, ids: impl Iterator<Item = i64>, time: OffsetDateTime) -> Result<()> {
    let is_news = Column::LastUsedAt.is_null().or(Column::LastUsedAt.lt(time));
    let used = Entity::update_many().col_expr(Column::LastUsedAt, Expr::value(time));
    used.filter(Column::Id.is_in(ids)).filter(is_news).exec(db).await?;
    Ok(())
}

/// Deletes a token that belongs to no session, if it is one of this user; false where it is not.
pub async fn delete_of_user(db: &impl ConnectionTrait, id: TokenId, user: UserId) -> Result<bool> {
    let own = Entity::delete_by_id(id).filter(Column::UserId.eq(user)).filter(Column::SessionId.is_null());
    Ok(own.exec(db).await?.rows_affected == 1)
}

/// Deletes tokens of a user that belong to no session, but for one: so many that they fit into a transaction, and none
/// once there are no more.
pub async fn delete_of_user_but(db: &impl ConnectionTrait, user: UserId, spared: TokenId) -> Result<Vec<TokenId>> {
    let others = Column::UserId.eq(user).and(Column::SessionId.is_null()).and(Column::Id.ne(spared));
    let some = Entity::find().select_only().column(Column::Id).filter(others).limit(AT_ONCE).into_query();
    let deleted = Entity::delete_many().filter(Column::Id.in_subquery(some)).exec_with_returning(db).await?;
    Ok(deleted.into_iter().map(|token| token.id).collect())
}

pub async fn delete_all_of_user(db: &impl ConnectionTrait, user: UserId) -> Result<()> {
    Entity::delete_many().filter(Column::UserId.eq(user)).exec(db).await?;
    Ok(())
}

/// Deletes the tokens that were made for these sessions.
pub async fn delete_of_sessions(db: &impl ConnectionTrait, sessions: &[i64]) -> Result<Vec<TokenId>> {
    let of_sessions = Entity::delete_many().filter(Column::SessionId.is_in(sessions.iter().copied()));
    Ok(of_sessions.exec_with_returning(db).await?.into_iter().map(|token| token.id).collect())
}

pub async fn delete(db: &impl ConnectionTrait, id: TokenId) -> Result<()> {
    Entity::delete_by_id(id).exec(db).await?;
    Ok(())
}
