//! The table `tokens`: what API and socket clients sign in with.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ConnectionTrait};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::user::{self, User, UserId};
use crate::error::Result;

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
}

pub type Token = Model;

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

/// The only form of a key that is stored. A key has 122 random bits or more, so that a fast hash is enough.
pub fn hash(key: &str) -> Vec<u8> {
    Sha256::digest(key).to_vec()
}

/// The tokens with these hashed keys, and their owners.
pub async fn with_owners(
    db: &impl ConnectionTrait,
    hashes: impl Iterator<Item = Vec<u8>>,
) -> Result<Vec<(Token, User)>, DbErr> {
    let found = Entity::find().filter(Column::KeyHash.is_in(hashes)).find_also_related(user::Entity).all(db).await?;
    Ok(found.into_iter().filter_map(|(token, owner)| Some((token, owner?))).collect())
}

/// Stores `key` for `owner`, and for a session where it is made for one; one that is there already stays as it is.
pub async fn keep(db: &impl ConnectionTrait, owner: UserId, session: Option<i64>, key: &str) -> Result<()> {
    let token = ActiveModel {
        user_id: Set(owner),
        session_id: Set(session),
        key_hash: Set(hash(key)),
        created_at: Set(OffsetDateTime::now_utc()),
        ..Default::default()
    };
    let once = OnConflict::column(Column::KeyHash).do_nothing().to_owned();
    Entity::insert(token).on_conflict(once).exec_without_returning(db).await?;
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
