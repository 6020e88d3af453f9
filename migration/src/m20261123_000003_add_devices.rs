//! What people are told of the sessions and tokens with which they are signed in.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{text, timestamp_with_time_zone_null};

const TABLES: [&str; 2] = ["sessions", "tokens"];

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// A column at a time: SQLite takes no more.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            // The program, and the address that it signed in from. Empty of those that did before this was noted.
            for name in ["client", "address"] {
                manager.alter_table(add(table, text(name).default(""))).await?;
            }
            // Null until it is used a first time after it signed in.
            manager.alter_table(add(table, &mut timestamp_with_time_zone_null("last_used_at"))).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            for name in ["client", "address", "last_used_at"] {
                manager.alter_table(Table::alter().table(table).drop_column(name).to_owned()).await?;
            }
        }
        Ok(())
    }
}

fn add(table: &'static str, column: &mut ColumnDef) -> TableAlterStatement {
    Table::alter().table(table).add_column(column).to_owned()
}
