//! Links by which people choose a new password.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_pk_auto, binary_null, timestamp_with_time_zone};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(password_resets()).await?;
        for column in ["user_id", "created_at"] {
            let name = format!("password_resets_{column}");
            manager.create_index(Index::create().name(name).table("password_resets").col(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("password_resets").to_owned()).await
    }
}

fn password_resets() -> TableCreateStatement {
    Table::create()
        .table("password_resets")
        .col(big_pk_auto("id"))
        .col(big_integer("user_id"))
        // SHA-256 of the key in the link. Null once a newer link was asked for; the row still counts as one that was.
        .col(binary_null("key_hash").unique_key())
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("password_resets", "user_id")
                .to("users", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}
