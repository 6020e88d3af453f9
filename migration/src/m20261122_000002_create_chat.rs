//! Conversations, their members and their messages; and the first conversation, which every account shares.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_pk_auto, text, text_null, timestamp_with_time_zone};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(conversations()).await?;
        manager.create_table(conversation_members()).await?;
        manager.create_table(messages()).await?;
        for index in indexes() {
            manager.create_index(index).await?;
        }
        manager.exec_stmt(first_conversation()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["messages", "conversation_members", "conversations"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn conversations() -> TableCreateStatement {
    Table::create()
        .table("conversations")
        .col(big_pk_auto("id"))
        .col(text("name"))
        // The `seq` of the newest message. Whoever raises it holds this row's lock until its messages are committed.
        .col(big_integer("last_seq"))
        .col(timestamp_with_time_zone("created_at"))
        .to_owned()
}

fn conversation_members() -> TableCreateStatement {
    Table::create()
        .table("conversation_members")
        .col(big_integer("conversation_id"))
        .col(big_integer("user_id"))
        .col(timestamp_with_time_zone("joined_at"))
        .primary_key(Index::create().col("conversation_id").col("user_id"))
        .foreign_key(&mut references("conversation_members", "conversation_id", "conversations"))
        .foreign_key(&mut references("conversation_members", "user_id", "users"))
        .to_owned()
}

fn messages() -> TableCreateStatement {
    Table::create()
        .table("messages")
        .col(big_pk_auto("id"))
        .col(big_integer("conversation_id"))
        .col(big_integer("seq"))
        .col(big_integer("author_id"))
        // The author's e-mail as everybody heard it: a message never changes.
        .col(text("author_email"))
        .col(text("text"))
        // The sender's own name for this message, which makes sending it twice harmless.
        .col(text_null("client_offset"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(&mut references("messages", "conversation_id", "conversations"))
        .foreign_key(
            ForeignKey::create().from("messages", "author_id").to("users", "id").on_delete(ForeignKeyAction::Restrict),
        )
        .to_owned()
}

fn references(table: &'static str, column: &'static str, target: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(table, column).to(target, "id").on_delete(ForeignKeyAction::Cascade).to_owned()
}

fn indexes() -> [IndexCreateStatement; 3] {
    [
        Index::create()
            .name("messages_conversation_seq")
            .table("messages")
            .col("conversation_id")
            .col("seq")
            .unique()
            .to_owned(),
        Index::create()
            .name("messages_author_client_offset")
            .table("messages")
            .col("author_id")
            .col("conversation_id")
            .col("client_offset")
            .unique()
            .to_owned(),
        Index::create().name("conversation_members_user_id").table("conversation_members").col("user_id").to_owned(),
    ]
}

fn first_conversation() -> InsertStatement {
    Query::insert()
        .into_table("conversations")
        .columns(["name", "last_seq", "created_at"])
        .values_panic(["Everyone".into(), 0_i64.into(), Expr::current_timestamp()])
        .to_owned()
}
