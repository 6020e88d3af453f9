//! From where somebody has signed in lately.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text, timestamp_with_time_zone};

const TABLE: &str = "familiar_networks";

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(TABLE)
            .col(big_integer("user_id"))
            // An IPv4 address, or the first half of an IPv6 address, in CIDR notation.
            .col(text("network"))
            .col(timestamp_with_time_zone("last_sign_in_at"))
            .primary_key(Index::create().col("user_id").col("network"))
            .foreign_key(
                ForeignKey::create().from(TABLE, "user_id").to("users", "id").on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}
