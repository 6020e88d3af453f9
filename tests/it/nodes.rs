//! Several servers on one database.

use natter::accounts;
use rstest::rstest;

use crate::support::app::{Storage, start};
use crate::support::person::Person;
use crate::support::wire::{Eio, Wire};

#[rstest]
#[tokio::test]
async fn what_is_revoked_on_one_node_disconnects_the_sockets_of_all(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let here = start(storage).await;
    let there = here.another().await;
    let (alice, bob) = (Person::join(&here, "alice").await, Person::join(&here, "bob").await);
    let mut hers = Wire::enter(&there, &alice).await;
    let mut his = Wire::enter(&there, &bob).await;

    alice.log_out(&here).await;
    hers.is_disconnected().await;

    let user = accounts::find_user(&here.app, bob.id).await.unwrap();
    accounts::deactivate(&here.app, &user).await.unwrap();
    his.is_disconnected().await;
}

#[rstest]
#[tokio::test]
async fn messages_of_two_nodes_share_one_sequence_and_none_is_skipped(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    let here = start(storage).await;
    let there = here.another().await;
    let alice = Person::join(&here, "alice").await;
    let mut near = Wire::enter(&here, &alice).await;
    let mut far = Wire::enter(&there, &alice).await;
    assert_eq!(near.post("one").await, 1);
    near.hears("alice@ref.example: one").await;
    assert_eq!(far.post("two").await, 2);
    for seq in 1..=2 {
        assert_eq!(far.message().await["seq"], seq);
    }
    assert_eq!(near.post("three").await, 3);
    for line in ["alice@ref.example: two", "alice@ref.example: three"] {
        near.hears(line).await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_post_at_once_number_every_message_once(
    #[values(Storage::Sqlite, Storage::Postgres)] storage: Storage,
) {
    const EACH: usize = 100;
    let here = start(storage).await;
    let there = here.another().await;
    let alice = Person::join(&here, "alice").await;
    let posting = [&here, &there].map(|app| {
        let alice = alice.clone();
        async move {
            let mut wire = Wire::enter(app, &alice).await;
            let mut seqs = Vec::new();
            for _ in 0..EACH {
                seqs.push(wire.post("x").await);
            }
            seqs
        }
    });
    let mut seqs = futures_util::future::join_all(posting).await.concat();
    seqs.sort_unstable();
    assert!(seqs.into_iter().eq(1..=200));

    let mut back = Wire::come_back(&there, Eio::V4, &alice, 0).await;
    back.post("marker").await;
    back.hears_all(1..=201).await;
}
