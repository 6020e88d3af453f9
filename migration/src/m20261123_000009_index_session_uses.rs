//! For those who look for sessions that nobody has used for long.

use sea_orm_migration::prelude::*;

const INDEX: &str = "sessions_last_used";

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let last_used = "((coalesce(last_used_at, created_at)))";
        let connection = manager.get_connection();
        connection.execute_unprepared(&format!("CREATE INDEX {INDEX} ON sessions {last_used}")).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(INDEX).table("sessions").to_owned()).await
    }
}
