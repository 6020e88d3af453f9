//! The server ends in the middle of its work, and nobody can tell from what they heard; `tests/faults/run` does it for longer.

use std::time::Duration;

use faults::crash::{self, Plan};
use rstest::rstest;

use crate::support::app::{PostgresDatabase, Storage};
use crate::support::command::PROGRAM;

const KILLS: u64 = 3;

#[rstest]
#[tokio::test]
async fn servers_that_are_killed_and_frozen_lose_repeat_change_and_reorder_nothing(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let database = match storage {
        Storage::Sqlite => None,
        Storage::Postgres => Some(PostgresDatabase::create().await),
    };
    let url = database.as_ref().map(PostgresDatabase::url);
    let plan = Plan {
        natter: PROGRAM.into(),
        storage: url.map_or(crash::Storage::Sqlite, crash::Storage::Postgres),
        clients: 12,
        duration: Duration::from_secs(12),
        kills: KILLS,
        pause_ms: 100..800,
        seed: rand::random(),
    };
    let outcome = tokio::task::spawn_blocking(move || crash::run(&plan)).await.unwrap().unwrap();
    assert!(outcome.is_fine(), "{outcome}");
    assert!(outcome.disturbances.kills >= KILLS, "{outcome}");
    assert!(outcome.counts.acknowledged > 0 && outcome.counts.heard > outcome.counts.acknowledged, "{outcome}");
}
