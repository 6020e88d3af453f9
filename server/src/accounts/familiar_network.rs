//! The table `familiar_networks`: from where somebody has signed in lately. Those who try an account from elsewhere cannot shut
//! its owner out there.

use std::net::IpAddr;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ConnectionTrait};
use time::{Duration, OffsetDateTime};

use super::user::{self, UserId};
use super::{email, origin};
use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "familiar_networks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub network: String,
    pub last_sign_in_at: OffsetDateTime,
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

/// How long a network stays familiar after a sign-in.
const KEPT: Duration = Duration::days(30);

/// Whether the owner of `email` has signed in from the network of `address` lately.
pub async fn is_familiar(db: &impl ConnectionTrait, email: &str, address: IpAddr) -> Result<bool> {
    // As `user::by_email`.
    if email.contains('\0') {
        return Ok(false);
    }
    let familiar = Entity::find().inner_join(user::Entity).filter(user::Column::EmailKey.eq(email::key_of(email)));
    let familiar = familiar.filter(Column::Network.eq(name_of(address))).filter(Column::LastSignInAt.gt(oldest()));
    Ok(familiar.one(db).await?.is_some())
}

/// Notes a sign-in, to the day: somebody who signs in all the time is written down once.
pub async fn note(db: &impl ConnectionTrait, user: UserId, address: IpAddr) -> Result<()> {
    let (now, name) = (OffsetDateTime::now_utc(), name_of(address));
    let noted = Entity::find_by_id((user, name.clone())).one(db).await?;
    if noted.is_some_and(|noted| noted.last_sign_in_at > now - Duration::DAY) {
        return Ok(());
    }
    let network = ActiveModel { user_id: Set(user), network: Set(name), last_sign_in_at: Set(now) };
    let newest = OnConflict::columns([Column::UserId, Column::Network]).update_column(Column::LastSignInAt).to_owned();
    Entity::insert(network).on_conflict(newest).exec_without_returning(db).await?;
    Ok(())
}

pub async fn delete_old(db: &impl ConnectionTrait) -> Result<()> {
    Entity::delete_many().filter(Column::LastSignInAt.lte(oldest())).exec(db).await?;
    Ok(())
}

fn name_of(address: IpAddr) -> String {
    origin::network_of(address).to_string()
}

fn oldest() -> OffsetDateTime {
    OffsetDateTime::now_utc() - KEPT
}
