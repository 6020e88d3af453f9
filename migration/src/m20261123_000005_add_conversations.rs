//! More than one conversation: rooms and direct messages, with members, and messages that are edited and deleted.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, text, text_null, timestamp_with_time_zone_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in columns() {
            // SQLite adds one at a time.
            manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        let first = Query::update()
            .table("conversations")
            .value("kind", "everyone")
            .and_where(Expr::col("id").eq(1))
            .to_owned();
        manager.exec_stmt(first).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["conversations_direct_key", "conversations_touched_at", "messages_conversation_change"] {
            manager.drop_index(Index::drop().name(name).to_owned()).await?;
        }
        for (table, column) in columns() {
            manager.alter_table(Table::alter().table(table).drop_column(column.get_column_name()).to_owned()).await?;
        }
        Ok(())
    }
}

fn columns() -> [(&'static str, ColumnDef); 10] {
    let owned = |column: &mut ColumnDef| column.to_owned();
    [
        ("conversations", owned(text("kind").default("open"))),
        // Who has opened it; nobody has opened the first one.
        ("conversations", owned(&mut big_integer_null("owner_id"))),
        // The two people of a direct conversation, so that they have one only.
        ("conversations", owned(&mut text_null("direct_key"))),
        // Changes of messages are numbered as messages are, under the same lock.
        ("conversations", owned(big_integer("last_change").default(0))),
        // How often its members, or what it is called, have changed.
        ("conversations", owned(big_integer("version").default(0))),
        // When any of the three counters was last raised: where nodes look for news.
        ("conversations", owned(&mut timestamp_with_time_zone_null("touched_at"))),
        ("conversation_members", owned(big_integer("read_seq").default(0))),
        // The number of the last change of this message.
        ("messages", owned(&mut big_integer_null("change"))),
        ("messages", owned(&mut timestamp_with_time_zone_null("edited_at"))),
        ("messages", owned(&mut timestamp_with_time_zone_null("deleted_at"))),
    ]
}

fn indexes() -> [IndexCreateStatement; 3] {
    let index = |name: &'static str, table: &'static str| Index::create().name(name).table(table).to_owned();
    [
        index("conversations_direct_key", "conversations").col("direct_key").unique().to_owned(),
        index("conversations_touched_at", "conversations").col("touched_at").to_owned(),
        index("messages_conversation_change", "messages").col("conversation_id").col("change").to_owned(),
    ]
}
