//! Who is here, on which node.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text, timestamp_with_time_zone};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(nodes()).await?;
        manager.create_table(presences()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["presences", "nodes"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

/// Running servers. One that has not been seen for a while has crashed, and nobody is there any more.
fn nodes() -> TableCreateStatement {
    Table::create().table("nodes").col(text("id").primary_key()).col(timestamp_with_time_zone("seen_at")).to_owned()
}

fn presences() -> TableCreateStatement {
    Table::create()
        .table("presences")
        .col(text("node_id"))
        .col(big_integer("user_id"))
        .primary_key(Index::create().col("node_id").col("user_id"))
        .foreign_key(&mut references("node_id", "nodes"))
        .foreign_key(&mut references("user_id", "users"))
        .to_owned()
}

fn references(column: &'static str, target: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from("presences", column).to(target, "id").on_delete(ForeignKeyAction::Cascade).to_owned()
}
