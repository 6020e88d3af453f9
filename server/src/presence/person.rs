//! The table `presences`: who is on which node.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ConnectionTrait, QuerySelect};

use super::Person;
use crate::accounts::{UserId, user};
use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "presences")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub node_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
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

/// As many rows as fit into one statement.
const AT_ONCE: usize = 1000;

pub async fn insert_all(db: &impl ConnectionTrait, node: &str, users: &[UserId]) -> Result<()> {
    for users in users.chunks(AT_ONCE) {
        let rows = users.iter().map(|user| ActiveModel { node_id: Set(node.to_owned()), user_id: Set(*user) });
        let once = OnConflict::columns([Column::NodeId, Column::UserId]).do_nothing().to_owned();
        Entity::insert_many(rows).on_conflict(once).exec_without_returning(db).await?;
    }
    Ok(())
}

pub async fn delete_all(db: &impl ConnectionTrait, node: &str, users: &[UserId]) -> Result<()> {
    for users in users.chunks(AT_ONCE) {
        let delete = Entity::delete_many().filter(Column::NodeId.eq(node));
        delete.filter(Column::UserId.is_in(users.iter().copied())).exec(db).await?;
    }
    Ok(())
}

/// Who is on other nodes than this one.
pub async fn on_others(db: &impl ConnectionTrait, node: &str) -> Result<Vec<Person>> {
    let query = Entity::find().select_only().column(Column::UserId).column(user::Column::Email).distinct();
    let query = query.inner_join(user::Entity).filter(Column::NodeId.ne(node));
    let found: Vec<(UserId, String)> = query.into_tuple().all(db).await?;
    Ok(found.into_iter().map(|(id, email)| Person { id, email: email.into() }).collect())
}
