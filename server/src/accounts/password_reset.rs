//! The table `password_resets`: links by which people choose a new password.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ConnectionTrait};
use time::{Duration, OffsetDateTime};

use super::token::hash;
use super::user::{self, User, UserId};
use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "password_resets")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub user_id: UserId,
    #[sea_orm(unique)]
    pub key_hash: Option<Vec<u8>>,
    pub created_at: OffsetDateTime,
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

/// How long a link is good.
const AGE: Duration = Duration::hours(1);
/// How many links a user may have been sent within that time: nobody's mailbox is filled by somebody who knows its
/// address.
const AT_MOST: u64 = 5;

/// Stores the key of a link for a user, and voids their earlier ones. Nothing is done, and the answer is false, where
/// they have had too many lately.
pub async fn insert(db: &impl ConnectionTrait, user: UserId, key: &str) -> Result<bool> {
    Entity::delete_many().filter(Column::CreatedAt.lte(oldest())).exec(db).await?;
    let of_user = Column::UserId.eq(user);
    if Entity::find().filter(of_user.clone()).count(db).await? >= AT_MOST {
        return Ok(false);
    }
    let void = Expr::value(None::<Vec<u8>>);
    Entity::update_many().col_expr(Column::KeyHash, void).filter(of_user).exec(db).await?;
    let reset = ActiveModel {
        user_id: Set(user),
        key_hash: Set(Some(hash(key))),
        created_at: Set(OffsetDateTime::now_utc()),
        ..Default::default()
    };
    Entity::insert(reset).exec_without_returning(db).await?;
    Ok(true)
}

/// Whose link has this key, if it is good.
pub async fn user_of(db: &impl ConnectionTrait, key: &str) -> Result<Option<User>> {
    let good = Entity::find().filter(Column::KeyHash.eq(hash(key))).filter(Column::CreatedAt.gt(oldest()));
    Ok(good.find_also_related(user::Entity).one(db).await?.and_then(|(_, user)| user))
}

/// Uses a link up; false where it is not good. Of two that use it at once, the database lets one.
pub async fn take(db: &impl ConnectionTrait, key: &str) -> Result<bool> {
    let good = Entity::delete_many().filter(Column::KeyHash.eq(hash(key))).filter(Column::CreatedAt.gt(oldest()));
    Ok(good.exec(db).await?.rows_affected == 1)
}

/// Voids the links of a user.
pub async fn delete_of_user(db: &impl ConnectionTrait, user: UserId) -> Result<()> {
    Entity::delete_many().filter(Column::UserId.eq(user)).exec(db).await?;
    Ok(())
}

fn oldest() -> OffsetDateTime {
    OffsetDateTime::now_utc() - AGE
}
