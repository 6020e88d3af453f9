//! The table `sessions`: browsers that are logged in.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, Func, SelectStatement};
use sea_orm::{ActiveValue::Set, ConnectionTrait, DatabaseConnection, QuerySelect, QueryTrait};
use time::{Duration, OffsetDateTime};

use super::origin::Origin;
use super::terms::Terms;
use super::token::hash;
use super::user::{self, User, UserId};
use super::uses;
use crate::error::Result;
use crate::listing::{self, Found, Wanted};

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
    pub client: String,
    pub address: String,
    pub last_used_at: Option<OffsetDateTime>,
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

/// How many sessions are ended by one statement. Of those that are over the rest goes next time.
const AT_ONCE: u64 = 10_000;

/// The session with this key and its user, unless it is over.
pub async fn with_user(db: &impl ConnectionTrait, key: &str, terms: Terms) -> Result<Option<(Session, User)>> {
    let live = Entity::find().filter(Column::KeyHash.eq(hash(key))).filter(is_live(terms));
    let found = live.find_also_related(user::Entity).one(db).await?;
    Ok(found.and_then(|(session, user)| Some((session, user?))))
}

/// Sessions by id, with their users.
pub async fn by_ids(db: &impl ConnectionTrait, ids: &[i64]) -> Result<Vec<(Session, Option<User>)>> {
    let wanted = Entity::find().filter(Column::Id.is_in(ids.iter().copied()));
    Ok(wanted.find_also_related(user::Entity).all(db).await?)
}

/// The sessions that staff look for, with their users.
pub async fn list(db: &DatabaseConnection, wanted: &Wanted) -> Result<Found<(Session, Option<User>)>> {
    let query = Entity::find().find_also_related(user::Entity);
    let mut query = query.filter(wanted.is_in([user::Column::Email.into_expr()]));
    if let Some(user) = wanted.number("user") {
        query = query.filter(Column::UserId.eq(UserId(user)));
    }
    let sort = match wanted.sort {
        Some("user") => user::Column::EmailKey.into_expr(),
        Some("expires") => Column::ExpiresAt.into_expr(),
        _ => Column::Id.into_expr(),
    };
    listing::read(db, query, wanted, sort, Column::Id).await
}

pub async fn insert(db: &impl ConnectionTrait, user: UserId, key: &str, age: Duration, origin: &Origin) -> Result<()> {
    let now = OffsetDateTime::now_utc();
    let session = ActiveModel {
        user_id: Set(user),
        key_hash: Set(hash(key)),
        token_number: Set(0),
        created_at: Set(now),
        expires_at: Set(now + age),
        client: Set(origin.client.clone()),
        address: Set(origin.address.to_string()),
        ..Default::default()
    };
    Entity::insert(session).exec_without_returning(db).await?;
    Ok(())
}

/// The live sessions of a user, for the list of their devices.
pub fn devices_of_user(user: UserId, terms: Terms, current: i64) -> SelectStatement {
    let columns = Entity::find().select_only().expr_as(Expr::value(true), "is_session").columns([
        Column::Id,
        Column::Client,
        Column::Address,
        Column::CreatedAt,
    ]);
    let columns = columns.expr_as(last_used_at(), "last_used_at").expr_as(Column::Id.eq(current), "is_current");
    columns.filter(live_of(user, terms)).into_query()
}

pub async fn count_of_user(db: &impl ConnectionTrait, user: UserId, terms: Terms) -> Result<u64> {
    Ok(Entity::find().filter(live_of(user, terms)).count(db).await?)
}

/// The live session that a row of another table refers to.
pub fn live_with_id(reference: Expr, terms: Terms) -> SelectStatement {
    let session = Entity::find().select_only().column(Column::Id).filter(Column::Id.into_expr().eq(reference));
    session.filter(is_live(terms)).into_query()
}

fn live_of(user: UserId, terms: Terms) -> Expr {
    Column::UserId.eq(user).and(is_live(terms))
}

fn is_live(terms: Terms) -> Expr {
    is_over(terms).not()
}

/// By its age, or because nobody has used it for too long.
fn is_over(terms: Terms) -> Expr {
    let now = OffsetDateTime::now_utc();
    let is_old = Column::ExpiresAt.lte(now);
    match terms.session_idle {
        // The last use may still be waiting to be written.
        Some(idle) => is_old.or(last_used_at().lte(now - idle - uses::INTERVAL)),
        None => is_old,
    }
}

fn last_used_at() -> Expr {
    Func::coalesce([Column::LastUsedAt.into_expr(), Column::CreatedAt.into_expr()]).into()
}

/// Writes down that these were used; a later use that another node has written stays.
pub async fn note_use(db: &impl ConnectionTrait, ids: impl Iterator<Item = i64>, time: OffsetDateTime) -> Result<()> {
    let is_news = Column::LastUsedAt.is_null().or(Column::LastUsedAt.lt(time));
    let used = Entity::update_many().col_expr(Column::LastUsedAt, Expr::value(time));
    used.filter(Column::Id.is_in(ids)).filter(is_news).exec(db).await?;
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

/// Some of a user's, or all if there are not many, but for one that is `spared`.
pub async fn ids_of_user_but(db: &impl ConnectionTrait, user: UserId, spared: Option<i64>) -> Result<Vec<i64>> {
    let of_user = Column::UserId.eq(user);
    ids(db, spared.into_iter().fold(of_user, |those, spared| those.and(Column::Id.ne(spared)))).await
}

pub async fn ids_of_expired(db: &impl ConnectionTrait, terms: Terms) -> Result<Vec<i64>> {
    ids(db, is_over(terms)).await
}

async fn ids(db: &impl ConnectionTrait, which: impl sea_orm::sea_query::IntoCondition) -> Result<Vec<i64>> {
    let query = Entity::find().select_only().column(Column::Id).filter(which).limit(AT_ONCE);
    Ok(query.into_tuple().all(db).await?)
}

/// Until the transaction's end nobody else makes a token for these sessions. By a write, as SQLite lets no transaction
/// write that has read what was changed since.
pub async fn lock(db: &impl ConnectionTrait, sessions: &[i64]) -> Result<()> {
    lock_those(db, Column::Id.is_in(sessions.iter().copied())).await?;
    Ok(())
}

/// The same for a session that is live and this user's; false where it is not.
pub async fn lock_of_user(db: &impl ConnectionTrait, id: i64, user: UserId, terms: Terms) -> Result<bool> {
    Ok(lock_those(db, live_of(user, terms).and(Column::Id.eq(id))).await? == 1)
}

async fn lock_those(db: &impl ConnectionTrait, which: Expr) -> Result<u64> {
    let unchanged = Entity::update_many().col_expr(Column::TokenNumber, Expr::col(Column::TokenNumber));
    Ok(unchanged.filter(which).exec(db).await?.rows_affected)
}

pub async fn delete(db: &impl ConnectionTrait, sessions: &[i64]) -> Result<()> {
    Entity::delete_many().filter(Column::Id.is_in(sessions.iter().copied())).exec(db).await?;
    Ok(())
}
