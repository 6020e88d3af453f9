//! The table `nodes`: servers that run.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ConnectionTrait};
use time::OffsetDateTime;

use crate::error::Result;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "nodes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub seen_at: OffsetDateTime,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Notes that a node runs; whether it is noted anew, with nobody there yet.
pub async fn refresh(db: &impl ConnectionTrait, id: &str) -> Result<bool> {
    let now = OffsetDateTime::now_utc();
    let again = Entity::update_many().col_expr(Column::SeenAt, Expr::value(now)).filter(Column::Id.eq(id));
    if again.exec(db).await?.rows_affected > 0 {
        return Ok(false);
    }
    let node = ActiveModel { id: Set(id.to_owned()), seen_at: Set(now) };
    Entity::insert(node).exec_without_returning(db).await?;
    Ok(true)
}

/// Forgets a node, and who was there.
pub async fn delete(db: &impl ConnectionTrait, id: &str) -> Result<()> {
    Entity::delete_by_id(id.to_owned()).exec(db).await?;
    Ok(())
}

/// Forgets nodes that have not been seen for `age`, and who was there.
pub async fn delete_stale(db: &impl ConnectionTrait, age: std::time::Duration) -> Result<()> {
    let until = OffsetDateTime::now_utc() - age;
    Entity::delete_many().filter(Column::SeenAt.lt(until)).exec(db).await?;
    Ok(())
}
