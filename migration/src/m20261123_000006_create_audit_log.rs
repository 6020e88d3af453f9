//! What was administered, by whom, on whom, when and from where.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer_null, big_pk_auto, text, text_null, timestamp_with_time_zone};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(audit_log()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("audit_log").to_owned()).await
    }
}

/// An entry outlives whom it is about, so that it names them and refers to nothing.
fn audit_log() -> TableCreateStatement {
    Table::create()
        .table("audit_log")
        .col(big_pk_auto("id"))
        .col(timestamp_with_time_zone("created_at"))
        // Nobody's where it was the command line.
        .col(big_integer_null("actor_id"))
        .col(text("actor"))
        .col(text_null("address"))
        .col(text("act"))
        .col(text("object"))
        .col(big_integer_null("object_id"))
        .col(text("details"))
        .to_owned()
}
