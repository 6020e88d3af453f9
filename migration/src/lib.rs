//! The schema of Natter's database, one change per file.
//!
//! A file that has shipped is never edited: a later change is a file of its own. Every migration runs on SQLite and on
//! PostgreSQL, up and down.

use sea_orm_migration::prelude::*;

mod m20261122_000001_create_accounts;
mod m20261122_000002_create_chat;
mod m20261123_000003_add_devices;
mod m20261123_000004_create_password_resets;
mod m20261123_000005_add_conversations;
mod m20261123_000006_create_audit_log;
mod m20261123_000007_create_presences;
mod m20261123_000008_add_deleted_by;
mod m20261123_000009_index_session_uses;
mod m20261123_000010_create_familiar_networks;

/// All migrations in the order in which they are applied.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_create_accounts::Migration),
            Box::new(m20261122_000002_create_chat::Migration),
            Box::new(m20261123_000003_add_devices::Migration),
            Box::new(m20261123_000004_create_password_resets::Migration),
            Box::new(m20261123_000005_add_conversations::Migration),
            Box::new(m20261123_000006_create_audit_log::Migration),
            Box::new(m20261123_000007_create_presences::Migration),
            Box::new(m20261123_000008_add_deleted_by::Migration),
            Box::new(m20261123_000009_index_session_uses::Migration),
            Box::new(m20261123_000010_create_familiar_networks::Migration),
        ]
    }
}
