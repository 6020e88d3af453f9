//! Users, their API tokens, their browser sessions, and the notice of what was taken back.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, big_pk_auto, binary, boolean, integer, text, timestamp_with_time_zone,
    timestamp_with_time_zone_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(users()).await?;
        manager.create_table(sessions()).await?;
        manager.create_table(tokens()).await?;
        manager.create_table(revocations()).await?;
        for index in [
            index("tokens_user_id", "tokens", "user_id"),
            index("tokens_session_id", "tokens", "session_id"),
            index("sessions_user_id", "sessions", "user_id"),
            index("sessions_expires_at", "sessions", "expires_at"),
            index("revocations_created_at", "revocations", "created_at"),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["revocations", "tokens", "sessions", "users"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn users() -> TableCreateStatement {
    Table::create()
        .table("users")
        .col(big_pk_auto("id"))
        .col(text("email"))
        // The e-mail in lower case: addresses are kept as given, and unique without regard to case.
        .col(text("email_key").unique_key())
        .col(text("password_hash"))
        .col(text("first_name"))
        .col(text("last_name"))
        .col(boolean("is_active"))
        .col(boolean("is_staff"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("last_login_at"))
        .to_owned()
}

fn tokens() -> TableCreateStatement {
    Table::create()
        .table("tokens")
        .col(big_pk_auto("id"))
        .col(big_integer("user_id"))
        // The browser's session that the token was made for, with which it ends.
        .col(big_integer_null("session_id"))
        // SHA-256 of the key; the key itself is known to its holder only.
        .col(binary("key_hash").unique_key())
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(&mut owned_by_user("tokens"))
        .foreign_key(
            ForeignKey::create().from("tokens", "session_id").to("sessions", "id").on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

fn sessions() -> TableCreateStatement {
    Table::create()
        .table("sessions")
        .col(big_pk_auto("id"))
        .col(big_integer("user_id"))
        .col(binary("key_hash").unique_key())
        // How many tokens this session has had; the current one is derived from its key and this number.
        .col(integer("token_number"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("expires_at"))
        .foreign_key(&mut owned_by_user("sessions"))
        .to_owned()
}

/// What every node must hear of, to disconnect the sockets concerned: each row names a token or a user.
fn revocations() -> TableCreateStatement {
    Table::create()
        .table("revocations")
        .col(big_pk_auto("id"))
        .col(big_integer_null("token_id"))
        .col(big_integer_null("user_id"))
        .col(timestamp_with_time_zone("created_at"))
        .to_owned()
}

fn owned_by_user(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(table, "user_id").to("users", "id").on_delete(ForeignKeyAction::Cascade).to_owned()
}

fn index(name: &'static str, table: &'static str, column: &'static str) -> IndexCreateStatement {
    Index::create().name(name).table(table).col(column).to_owned()
}
